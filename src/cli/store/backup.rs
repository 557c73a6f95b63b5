//! `store backup FILE`: a copy of the store as it is at one moment, while a broker serves it.

use std::path::PathBuf;

use clap::Args;

use crate::app::ledgers;
use crate::cli::loading::Surroundings;
use crate::cli::output::print;
use crate::cli::{Exit, failed};
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(
    after_help = "The copy is for its owner's eyes only (mode 0600): what is in the store is in it, sealed as it is there; keep the keys, too.
To come back to it, stop the broker and put it in the place of the store's file, without the files -wal and -shm beside that.

Examples:
  catalog-broker store backup /backups/broker-monday.db
  catalog-broker --store sqlite:/backups/broker-monday.db store stats
      what is in it"
)]
pub(super) struct Arguments {
    /// The file to write; it must not be there
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(flags: &Flags, arguments: &Arguments) -> Exit {
    let surroundings = match Surroundings::read(flags) {
        Ok(surroundings) => surroundings,
        Err(exit) => return exit,
    };
    match ledgers::backup(&surroundings.loaded.settings.store, &arguments.file) {
        Ok(()) => print(
            &format!("{} is written\n", arguments.file.display()),
            Exit::Clean,
        ),
        Err(why) => failed(why),
    }
}
