//! What it costs to run in earnest: durable provisions at 64 clients with a hashed login and an account of changes, against
//! the same without them. Metrics are always on.

use std::process::Command;

use crate::broker::{self, CATALOG, Folder, provision};
use crate::load::{drive, guid};
use crate::process::Process;
use crate::report::{at_least, median, note};

const CLIENTS: usize = 64;
const EACH: usize = 150;
const ROUNDS: usize = 7;

pub fn run() {
    let (mut in_file, mut in_store) = (Vec::new(), Vec::new());
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        // One after the other, so that all have the same minute of the machine.
        let without = served(|command| command);
        let with = served(broker::in_earnest);
        in_file.push(with / without);
        in_store.push(served(with_store) / without);
        rates.push(with);
    }
    for (what, ratios) in [("a file", in_file), ("the store", in_store)] {
        at_least(
            &format!("durable provisions with a hashed login and an audit in {what} / without"),
            median(ratios),
            0.9,
            None,
            "",
        );
    }
    note(
        "durable provisions with a hashed login and an audit, 64 clients",
        &format!("{:.0} a second", median(rates)),
    );
}

fn with_store(command: &mut Command) -> &mut Command {
    broker::in_earnest(command).env("BROKER_AUDIT__TO", "store")
}

/// Provisions a second.
fn served(set: impl Fn(&mut Command) -> &mut Command) -> f64 {
    let folder = Folder::with(CATALOG);
    let mut command = broker::command(&folder, "off");
    let (process, address) = Process::listening(set(&mut command));
    let took = drive(address, CLIENTS, EACH, 201, |client, number| {
        provision(&guid((client * EACH + number) as u64))
    });
    process.terminate();
    f64::from(u32::try_from(CLIENTS * EACH).expect("a count")) / took.as_secs_f64()
}
