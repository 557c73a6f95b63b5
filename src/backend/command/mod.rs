//! Backend `command`: a program of the operator's own, never through a shell; one attempt is one run of it.
//!
//! It reads the request of [`contract`](super::contract) as JSON on its standard input and writes a reply on its
//! standard output; nothing is `{}`. What it writes to standard error goes to the log line by line, with the
//! operation's id; a line that begins with `progress: ` is shown to the platform's user while it runs.
//!
//! | exit code | means |
//! | --- | --- |
//! | 0 | done |
//! | 65 (`EX_DATAERR`) | refused: not to be done, and nothing was |
//! | 75 (`EX_TEMPFAIL`) | not now: another attempt, after `retry_after` of the reply |
//! | any other | failed for good |
//!
//! A program that a signal or the time limit ends gets another attempt; one that says more than it may, or ends with 0
//! and no JSON object, has failed for good. Its environment is what the plan gives and nothing else, not even `PATH`;
//! it runs in an empty folder of its own, which is removed after it. All that it started ends with it.
//!
//! In reading order: [`attempt`] is the way of one attempt, [`run`] the processes, [`output`] and [`said`] what the
//! program says, [`verdict`] what comes of it.

mod attempt;
mod output;
mod run;
mod said;
mod verdict;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::backend::{Acting, Backend, Progress, Work};
use crate::domain::operation::Kind;
use crate::secret::Secret;

/// What a program is, and how it is run.
#[derive(Clone, Debug)]
pub struct CommandSettings {
    /// The name under which its work queues.
    pub name: String,
    /// The program and its arguments: at least one. The program is never looked for in a `PATH`. Arguments are handed
    /// over as they are, so a file that one names is named by its whole path. They may hold secrets.
    pub run: Secret<Vec<String>>,
    /// All of the program's environment.
    pub env: Vec<(String, Secret<String>)>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many bytes it may write to its standard output.
    pub output_limit: usize,
    /// How many attempts may run at once, over all brokers of one store; nothing is no limit.
    pub concurrency: Option<u32>,
    /// The kinds of operations that it is run for.
    pub operations: Vec<Kind>,
    /// Where a program is that is named by a relative path; nothing is the broker's working folder.
    pub folder: Option<PathBuf>,
    /// Where the folders are made that it runs in.
    pub scratch: PathBuf,
    /// The broker's own program, which keeps the other one.
    pub supervisor: PathBuf,
}

/// Runs a program for each attempt.
pub struct Command(CommandSettings);

impl CommandSettings {
    /// The program and its arguments, all else as it is by default.
    pub fn new(name: impl Into<String>, run: Vec<String>) -> Self {
        Self {
            name: name.into(),
            run: Secret::new(run),
            env: Vec::new(),
            timeout: Duration::from_secs(600),
            output_limit: 1024 * 1024,
            concurrency: None,
            operations: Kind::ALL.to_vec(),
            folder: None,
            scratch: "/tmp".into(),
            // The file that runs, also where another version was put in its place meanwhile.
            supervisor: "/proc/self/exe".into(),
        }
    }
}

impl Command {
    /// A backend that runs the program.
    pub const fn new(settings: CommandSettings) -> Self {
        Self(settings)
    }
}

impl Backend for Command {
    fn kind(&self) -> &'static str {
        "command"
    }

    fn name(&self) -> &str {
        &self.0.name
    }

    fn concurrency(&self) -> Option<u32> {
        self.0.concurrency
    }

    fn carries_out(&self, kind: Kind) -> bool {
        self.0.operations.contains(&kind)
    }

    fn carry_out<'a>(&'a self, work: Work<'a>, progress: &'a dyn Progress) -> Acting<'a> {
        Box::pin(attempt::attempt(&self.0, work, progress))
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Command").field(&self.0.name).finish()
    }
}
