//! What it costs to run in earnest: durable provisions at 64 clients with a hashed login and an account of changes, against
//! the same without them. Metrics are always on.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::broker::{self, CATALOG, Folder, provision, request};
use crate::http;
use crate::load::{drive, guid};
use crate::process::Process;
use crate::report::{at_least, median, note};

const CLIENTS: usize = 64;
const EACH: usize = 400;
const ROUNDS: usize = 7;

pub fn run() {
    let (mut in_file, mut in_store) = (Vec::new(), Vec::new());
    let (mut rates, mut first) = (Vec::new(), Duration::MAX);
    for _ in 0..ROUNDS {
        // One after the other, so that all have the same minute of the machine.
        let without = served(|command| command);
        let with = served(broker::in_earnest);
        in_file.push(with.rate / without.rate);
        in_store.push(served(with_store).rate / without.rate);
        rates.push(with.rate);
        first = first.min(with.first);
    }
    at_least(
        "durable provisions with a hashed login and an audit in a file / without",
        median(in_file),
        0.9,
        None,
        "",
    );
    // One more row for each change, besides the two that it has: more than a third is not to be lost by that.
    at_least(
        "durable provisions with a hashed login and an audit in the store / without",
        median(in_store),
        0.65,
        None,
        "",
    );
    note(
        "durable provisions with a hashed login and an audit, 64 clients",
        &format!(
            "{:.0} a second; the first request of a hashed login takes {first:?} at best",
            median(rates)
        ),
    );
}

fn with_store(command: &mut Command) -> &mut Command {
    broker::in_earnest(command).env("BROKER_AUDIT__TO", "store")
}

struct Served {
    /// Provisions a second.
    rate: f64,
    /// How long the first request took.
    first: Duration,
}

fn served(set: impl Fn(&mut Command) -> &mut Command) -> Served {
    let folder = Folder::with(CATALOG);
    let mut command = broker::command(&folder, "off");
    let (process, address) = Process::listening(set(&mut command));
    // The hash of a password takes its time on purpose, once: what comes after that is what each request pays for.
    let first = first(address);
    let took = drive(address, CLIENTS, EACH, 201, |client, number| {
        provision(&guid((client * EACH + number) as u64))
    });
    process.terminate();
    let provisions = f64::from(u32::try_from(CLIENTS * EACH).expect("a count"));
    Served {
        rate: provisions / took.as_secs_f64(),
        first,
    }
}

fn first(address: SocketAddr) -> Duration {
    let began = Instant::now();
    let answer = http::send(address, &request("GET", "/v2/catalog")).expect("an answer");
    assert_eq!(answer.status, 200, "the catalog");
    began.elapsed()
}
