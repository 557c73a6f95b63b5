//! `store reseal`: all of the store sealed with the first key, while brokers serve it.

use std::fmt::Write as _;

use clap::Args;

use crate::cli::Exit;
use crate::cli::desk::{Purpose, at_desk};
use crate::cli::output::print;
use crate::domain::desk::reseal::Resealing;
use crate::domain::ledger::KeyId;
use crate::settings::Flags;

#[derive(Args, Debug)]
#[command(
    after_help = "To change the key of a store, each step with all brokers before the next one:
  1. start them with the new key behind the old one (one broker alone can skip this)
  2. start them with the new key in front of the old one
  3. store reseal, with the same keys: it goes on beside them, and says which keys nothing needs any more
  4. start them with the new key alone
A broker that still seals with an old key, seals with it after step 3, too: then it has to be done again.

A store that was not sealed is sealed the same way, without an old key. What was written before may be found on its disk for
a while, in free pages, logs and backups; a copy (store copy) has nothing of it.

Exit status:
  0  done
  1  some of it is sealed with other keys still
  2  it could not be done

Examples:
  catalog-broker store reseal
  catalog-broker store stats
      how much is sealed with which key"
)]
pub(super) struct Arguments {}

pub(super) fn run(flags: &Flags, _: &Arguments) -> Exit {
    at_desk(flags, Purpose::Look, async |desk, _| {
        let resealing = desk.reseal().await?;
        let exit = match resealing.left() {
            0 => Exit::Clean,
            _ => Exit::Findings,
        };
        Ok(print(&told(&resealing), exit))
    })
}

fn told(resealing: &Resealing) -> String {
    let mut text = format!(
        "{} cells were sealed anew with key {}\n",
        resealing.cells, resealing.key
    );
    let left = resealing.left();
    if left > 0 {
        let _ = writeln!(
            text,
            "{left} cells are not sealed with it: a broker that seals with another key still runs. Stop it, then reseal again"
        );
    }
    if !resealing.kept.forgotten.is_empty() {
        let ids = resealing.kept.forgotten.iter().map(KeyId::to_string);
        let ids: Vec<String> = ids.collect();
        let _ = writeln!(text, "not needed any more: {}", ids.join(", "));
    }
    text
}
