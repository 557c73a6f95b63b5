//! `login hash`: the hash of a password, for the settings. The password is read and never shown.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::output::print;
use super::{Exit, failed};
use crate::password::PasswordHash;
use crate::secret::Secret;

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  catalog-broker login hash
      asks for a password and prints its hash, for auth.logins.NAME.password_hash
  pass show broker | catalog-broker login hash
      the same, of what comes on standard input; one line break at its end is not of it")]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the argon2id hash of a password
    Hash,
}

/// More than this no header can bring.
const LONGEST: u64 = 32 << 10;

pub(super) fn run(arguments: &Arguments) -> Exit {
    let What::Hash = arguments.what;
    match password().and_then(|password| hashed(&password)) {
        Ok(hash) => print(&(hash + "\n"), Exit::Clean),
        Err(why) => failed(why),
    }
}

fn hashed(password: &Secret) -> Result<String, String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt)
        .map_err(|error| format!("the system gave no random numbers: {error}"))?;
    PasswordHash::make(password.expose().as_bytes(), salt)
        .map(|hash| hash.expose())
        .ok_or_else(|| "the password cannot be hashed".to_owned())
}

fn password() -> Result<Secret, String> {
    let input = io::stdin();
    let text = if input.is_terminal() {
        ask()
    } else {
        let mut read = Vec::new();
        let end = input.take(LONGEST + 1).read_to_end(&mut read);
        end.map_err(|error| format!("standard input cannot be read: {error}"))?;
        String::from_utf8(read)
            .map(Secret::new)
            .map_err(|_| "the password is not UTF-8, which few clients can send".to_owned())
    }?;
    let text = text.into_exposed();
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("the password is empty: give one".to_owned());
    }
    if text.len() as u64 > LONGEST {
        return Err("the password is too long for a header".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("the password has line breaks or other control characters in it, which few clients can send".to_owned());
    }
    Ok(Secret::new(text.to_owned()))
}

/// Asks on the terminal, which does not show what is typed; twice, for nobody sees a slip.
fn ask() -> Result<Secret, String> {
    let failed = |error: io::Error| format!("the terminal cannot be read: {error}");
    let hidden = Hidden::new().map_err(failed)?;
    let mut lines = [String::new(), String::new()];
    for (line, prompt) in lines.iter_mut().zip(["Password: ", "Once more: "]) {
        let mut terminal = io::stderr();
        let shown = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
        shown.map_err(failed)?;
        io::stdin().lock().read_line(line).map_err(failed)?;
        let _ = writeln!(terminal);
    }
    drop(hidden);
    let [first, second] = lines.map(Secret::new);
    if first == second {
        Ok(first)
    } else {
        Err("the two passwords differ".to_owned())
    }
}

/// The terminal as long as it shows nothing.
struct Hidden(Termios);

impl Hidden {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
