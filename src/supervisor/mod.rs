//! The keeper of a program of the operator's own: it starts the program, watches it, and leaves nothing of it behind.
//!
//! The broker starts itself a second time for each run, as `catalog-broker run-command`, with one end of a socket pair
//! as its standard input: the lifeline. Over it comes one [`Order`] and goes one [`Report`]; when another word comes, or
//! the broker loses its end, by a crash too, the supervisor ends the program. Standard output and standard error are the
//! program's own. A process between the two is needed because only a living one can clean up after a broker that was
//! killed, and because a program's children that left its process group come back to it alone ([`kin`]).
//!
//! For Linux: where there are no subreapers, what leaves the process group gets away.

mod folder;
mod input;
mod kin;
mod watch;

use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use watch::run;

/// The word on the command line; the line itself says nothing more, for all can read it who see the process.
pub const SUBCOMMAND: &str = "run-command";

/// What is to be run, as one line of JSON. It holds secrets, so nothing prints it.
#[derive(Deserialize, Serialize)]
pub struct Order {
    /// The program and its arguments.
    pub run: Vec<String>,
    /// All of its environment.
    pub env: Vec<(String, String)>,
    /// Where its working folder is made, for this run alone.
    pub scratch: PathBuf,
    /// How long it may run.
    pub limit: Duration,
    /// When it must have begun, in milliseconds since 1970: whoever gave the order may have slept over it, and have lost the
    /// right to give it.
    pub begin_before: i64,
    /// What it reads.
    pub input: String,
}

/// What came of it, as one line of JSON. When it is sent nothing of the program runs any longer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// It ended with this code.
    Exited(i32),
    /// A signal ended it, and not the supervisor's.
    Killed(i32),
    /// It ran into its limit and was killed.
    Overdue,
    /// It was killed because the broker, or whoever stops the machine, wanted so.
    Stopped,
    /// It never ran.
    NotStarted {
        /// What the system said; for the log.
        why: String,
        /// Whether another attempt may go better.
        passing: bool,
    },
}

/// Says something to the broker's log, among the lines of the program; to nobody where the broker has gone.
fn complain(what: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}
