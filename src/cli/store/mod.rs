//! `store stats | backup | copy | import | reseal`: the state as a whole.

mod backup;
mod copy;
mod import;
mod reseal;
mod stats;

use clap::{Args, Subcommand};

use super::Exit;
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(after_help = "Exit status:
  0  done
  1  there is something to complain of, and nothing was done
  2  it could not be done

Examples:
  catalog-broker store stats
      how many instances, bindings and operations there are
  catalog-broker store backup /backups/broker-monday.db
      a copy of the store, while the broker runs
  catalog-broker store copy sqlite:data/broker.db sqlite:/new/broker.db
      all of it into another store, with the broker stopped
  catalog-broker store import old-broker.jsonl --dry-run
      what would be taken over from another broker
  catalog-broker store reseal
      all of it sealed with the first of store.keys, while the broker runs")]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Count what there is, by plan and state
    Stats(stats::Arguments),
    /// Copy the store to a file while a broker serves it
    Backup(backup::Arguments),
    /// Write all of one store into another one, which is empty; with the broker stopped
    Copy(copy::Arguments),
    /// Take over what another broker made
    Import(import::Arguments),
    /// Seal all of it with the first of store.keys, while brokers serve it
    Reseal(reseal::Arguments),
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    match &arguments.verb {
        Verb::Stats(arguments) => stats::run(flags, arguments),
        Verb::Backup(arguments) => backup::run(flags, arguments),
        Verb::Copy(arguments) => copy::run(flags, arguments),
        Verb::Import(arguments) => import::run(flags, arguments),
        Verb::Reseal(arguments) => reseal::run(flags, arguments),
    }
}
