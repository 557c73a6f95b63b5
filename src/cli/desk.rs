//! What the operator's commands share: the desk that they work at, how they answer, and what an error comes to.

use std::sync::Arc;

use clap::ValueEnum;
use serde_json::Value;

use super::loading::Surroundings;
use super::names::Names;
use super::output::{complain, print};
use super::serve::start_log;
use super::{Exit, failed, table};
use crate::app::{self, ledgers};
use crate::domain::desk::{Desk, DeskError};
use crate::domain::ledger::Ledger;
use crate::domain::operation::State;
use crate::domain::witness::Witness;
use crate::settings::{Flags, Settings};
use crate::telemetry::{AuditWitness, Book, LogWitness, Output};

/// How an operator's command answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table
    People,
    /// JSON
    Json,
}

/// How far an operation is, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum StateName {
    /// It runs, or waits to
    InProgress,
    /// It is done
    Succeeded,
    /// It is over and was not done
    Failed,
}

impl From<StateName> for State {
    fn from(name: StateName) -> Self {
        match name {
            StateName::InProgress => Self::InProgress,
            StateName::Succeeded => Self::Succeeded,
            StateName::Failed => Self::Failed,
        }
    }
}

/// What is done at a desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is looked at what there is.
    Look,
    /// Something is changed, of which account is kept.
    Act,
}

/// Works at the desk of the store that the settings name, beside a broker that may serve it.
pub(super) fn at_desk(
    flags: &Flags,
    purpose: Purpose,
    work: impl AsyncFnOnce(&Desk, &Names) -> Result<Exit, DeskError>,
) -> Exit {
    let surroundings = match Surroundings::read_with_keys(flags) {
        Ok(surroundings) => surroundings,
        Err(exit) => return exit,
    };
    let ledger = match ledgers::beside(&surroundings.loaded.settings.store) {
        Ok(ledger) => ledger,
        Err(why) => return failed(why),
    };
    let names = Names::of(&surroundings);
    start_log(&surroundings.loaded.settings, Output::Errors);
    let log = Arc::new(LogWitness::default());
    let told = match purpose {
        Purpose::Look => Ok(Told::by(log)),
        Purpose::Act => Told::of_command(log, &surroundings.loaded.settings, &ledger),
    };
    let told = match told {
        Ok(told) => told,
        Err(exit) => return exit,
    };
    run(async {
        let desk = Desk::new(ledger, told.witness(), app::clock);
        let done = work(&desk, &names).await;
        // It may be kept in the store.
        let done = told.end(done);
        // What was written is on disk already.
        let _ = desk.close().await;
        done
    })
}

/// Who is told of what a command changes, and the account that is kept of it, where one is.
pub(super) struct Told {
    witness: Arc<dyn Witness>,
    book: Option<Arc<Book>>,
}

impl Told {
    fn by(witness: Arc<dyn Witness>) -> Self {
        Self {
            witness,
            book: None,
        }
    }

    /// `next`, and the account of the settings. Where it cannot be kept the command does nothing.
    pub(super) fn of_command(
        next: Arc<dyn Witness>,
        settings: &Settings,
        ledger: &Arc<dyn Ledger>,
    ) -> Result<Self, Exit> {
        let Some(book) = app::audit::of_command(settings, ledger).map_err(failed)? else {
            return Ok(Self::by(next));
        };
        let witness = AuditWitness::new(next, Arc::clone(&book), app::clock);
        let witness = witness.of_command(rustix::process::getuid().as_raw());
        Ok(Self {
            witness: Arc::new(witness),
            book: Some(book),
        })
    }

    /// Who is told.
    pub(super) fn witness(&self) -> Arc<dyn Witness> {
        Arc::clone(&self.witness)
    }

    /// What a command comes to when it has done what it does: all of it is to be told of.
    pub(super) fn end(&self, done: Result<Exit, DeskError>) -> Result<Exit, DeskError> {
        if self.book.as_ref().is_none_or(|book| book.close()) {
            done
        } else {
            Ok(failed("the audit has no line of what was done"))
        }
    }
}

/// A desk for a store; what is done at it goes to the log.
pub(super) fn desk(ledger: Arc<dyn Ledger>) -> Desk {
    Desk::new(ledger, Arc::new(LogWitness::default()), app::clock)
}

/// Runs to the end what waits for a store.
pub(super) fn run(work: impl Future<Output = Result<Exit, DeskError>>) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(work).unwrap_or_else(|why| refused(&why)),
        Err(error) => failed(format_args!("the system gave no runtime: {error}")),
    }
}

/// What is not there is an answer, to scripts too; all else could not be done.
fn refused(why: &DeskError) -> Exit {
    if why.is_absence() {
        complain(format_args!("catalog-broker: {why}"));
        Exit::Findings
    } else {
        failed(why)
    }
}

/// Prints a list: as JSON, or as a table with what there is to say below it. An empty one is nothing found.
pub(super) fn print_list(
    format: Format,
    json: &Value,
    (header, rows): (&[&str], &[Vec<String>]),
    more: Option<&str>,
) -> Exit {
    let exit = if rows.is_empty() {
        Exit::Findings
    } else {
        Exit::Clean
    };
    if format == Format::Json {
        return print_json(json, exit);
    }
    if rows.is_empty() {
        complain("nothing found");
        return exit;
    }
    let exit = print(&table::table(header, rows), exit);
    if let Some(more) = more {
        complain(more);
    }
    exit
}

/// Prints JSON for a script.
pub(super) fn print_json(json: &Value, exit: Exit) -> Exit {
    print(&format!("{json:#}\n"), exit)
}

/// Prints what there is to say of one thing.
pub(super) fn print_one(format: Format, json: &Value) -> Exit {
    match format {
        Format::Json => print_json(json, Exit::Clean),
        Format::People => print(&table::fields(json), Exit::Clean),
    }
}
