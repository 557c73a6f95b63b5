//! What a command says. A reader that goes away (`catalog-broker render | head`) is no failure and no panic.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal as _, Write as _};

use super::{Exit, failed};
pub(super) use crate::domain::text::plain;

/// Writes `text` to standard output, and comes to `exit`; a full disk makes it a failure.
pub(super) fn print(text: &str, exit: Exit) -> Exit {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            failed(format_args!("the output cannot be written: {error}"))
        }
        _ => exit,
    }
}

/// The same for what must come out byte for byte: a newline ends it on a terminal alone.
pub(super) fn print_exact(text: &str, exit: Exit) -> Exit {
    if std::io::stdout().is_terminal() {
        print(&format!("{text}\n"), exit)
    } else {
        print(text, exit)
    }
}

/// Writes a line to standard error; nobody is left to tell where that is closed.
pub(super) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
