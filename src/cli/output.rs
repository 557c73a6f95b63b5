//! What a command says. A reader that goes away (`catalog-broker render | head`) is no failure and no panic.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

use super::{Exit, failed};

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

/// Writes a line to standard error; nobody is left to tell where that is closed.
pub(super) fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
