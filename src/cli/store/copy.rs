//! `store copy FROM TO`: all of one store into another one.

use std::sync::Arc;

use clap::Args;

use crate::app::{self, ledgers};
use crate::cli::desk::run as run_to_end;
use crate::cli::loading::Surroundings;
use crate::cli::output::print;
use crate::cli::{Exit, failed};
use crate::domain::desk::{Desk, DeskError};
use crate::domain::ledger::Ledger;
use crate::settings::{Flags, StoreSettings};

#[derive(Args, Debug)]
#[command(
    after_help = "Both stores are held while it runs: a broker that serves one of them must be stopped first. What fails half way
leaves a TO that is not to be used: remove it, and copy again.

Examples:
  catalog-broker store copy sqlite:data/broker.db sqlite:/new/broker.db"
)]
pub(super) struct Arguments {
    /// The store to read: sqlite:PATH
    #[arg(value_name = "FROM")]
    from: String,
    /// The store to write, which is empty or not there: sqlite:PATH
    #[arg(value_name = "TO")]
    to: String,
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
        Ok((from, to)) => run_to_end(copy(from, to)),
        Err(why) => failed(why),
    }
}

/// The store by that URL, with all else that the settings say of stores.
fn named(flags: &Flags, url: &str) -> Result<StoreSettings, Exit> {
    let flags = Flags {
        store: Some(url.to_owned()),
        ..flags.clone()
    };
    Ok(Surroundings::read(&flags)?.loaded.settings.store)
}

async fn copy(from: Arc<dyn Ledger>, to: Arc<dyn Ledger>) -> Result<Exit, DeskError> {
    let (from, to) = (Desk::new(from, app::clock), Desk::new(to, app::clock));
    let copied = from.copy_to(&to).await?;
    from.close().await?;
    to.close().await?;
    let told = format!(
        "copied: {} instances, {} bindings, {} operations\n",
        copied.instances, copied.bindings, copied.operations
    );
    Ok(print(&told, Exit::Clean))
}
