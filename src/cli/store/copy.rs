//! `store copy FROM TO`: all of one store into another one.

use std::sync::Arc;

use clap::Args;

use crate::app::ledgers;
use crate::cli::desk::{desk, run as run_to_end};
use crate::cli::loading::Surroundings;
use crate::cli::output::print;
use crate::cli::{Exit, failed};
use crate::document::{ResolvedValue, Sources, resolve_text};
use crate::domain::desk::DeskError;
use crate::domain::ledger::Ledger;
use crate::settings::{self, Flags, StoreSettings};

#[derive(Args, Debug)]
#[command(
    after_help = "All brokers that serve one of them must be stopped first. A file of sqlite is held while it runs. In a database of
PostgreSQL brokers are looked for, before and afterwards, by their connections (application_name in pg_stat_activity,
which a pooler may keep open for a while, and some engines do not list) and by what they have leased: --force passes
over what is found. What fails half way leaves a TO that no broker serves: remove it (of a database its tables
broker_...), and copy again.

FROM is opened with store.keys, TO is sealed with the first of them.

A URL may hold references, so that its password is not seen in the list of processes: in quotes, '${NEW_DATABASE_URL}' or
'postgres://broker:${file:/run/secrets/password}@db/broker'.

Examples:
  catalog-broker store copy sqlite:data/broker.db '${DATABASE_URL}'
      from one machine to a database for several brokers
  catalog-broker store copy '${DATABASE_URL}' sqlite:/backups/broker-monday.db
  catalog-broker store copy sqlite:data/broker.db sqlite:/new/broker.db"
)]
pub(super) struct Arguments {
    /// The store to read: sqlite:PATH or postgres://...
    #[arg(value_name = "FROM")]
    from: String,
    /// The store to write, which is empty or not there: sqlite:PATH or postgres://...
    #[arg(value_name = "TO")]
    to: String,
    /// Copy though a database seems to be served
    #[arg(long)]
    force: bool,
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    let (from, to) = match (named(flags, &arguments.from), named(flags, &arguments.to)) {
        (Ok(from), Ok(to)) => (from, to),
        (Err(exit), _) | (_, Err(exit)) => return exit,
    };
    if from.url == to.url {
        return failed("FROM and TO are the same store: name two");
    }
    // One after the other: where the first is not there, the second is not made.
    let opened = ledgers::alone_there(&from).and_then(|from| Ok((from, ledgers::alone(&to)?)));
    match opened {
        Ok((from, to)) => run_to_end(copy(from, to, arguments.force)),
        Err(why) => failed(why),
    }
}

/// The store by that URL, with all else that the settings say of stores.
fn named(flags: &Flags, url: &str) -> Result<StoreSettings, Exit> {
    let flags = Flags {
        store: Some(resolved(url)?),
        ..flags.clone()
    };
    Ok(Surroundings::read_with_keys(&flags)?.loaded.settings.store)
}

/// The URL with what its references bring in.
fn resolved(url: &str) -> Result<String, Exit> {
    let environment = settings::environment().map_err(failed)?;
    let sources = Sources::new(environment, Vec::new());
    let text = resolve_text(url, false, &sources).map_err(|errors| {
        let errors = errors
            .iter()
            .map(|error| format!("{error}: {}", error.mend()));
        failed(errors.collect::<Vec<_>>().join("; "))
    })?;
    match text.value {
        ResolvedValue::Text(text) => text.as_plain().map(str::to_owned),
        ResolvedValue::Typed(value) => value.as_str().map(str::to_owned),
    }
    .ok_or_else(|| failed("a reference brings in what is no text: name one that does"))
}

async fn copy(
    from: Arc<dyn Ledger>,
    to: Arc<dyn Ledger>,
    whoever: bool,
) -> Result<Exit, DeskError> {
    let (from, to) = (desk(from), desk(to));
    let copied = from.copy_to(&to, whoever).await?;
    from.close().await?;
    to.close().await?;
    let lendings = match copied.lendings {
        0 => String::new(),
        some => format!(", {some} entries of pools"),
    };
    let lines = match copied.lines {
        0 => String::new(),
        some => format!(", {some} lines of the audit"),
    };
    let told = format!(
        "copied: {} instances, {} bindings, {} operations{lendings}{lines}\n",
        copied.instances, copied.bindings, copied.operations
    );
    Ok(print(&told, Exit::Clean))
}
