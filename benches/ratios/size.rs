//! A store with a million instances against one with a thousand.

use std::net::SocketAddr;

use rusqlite::Connection;

use crate::broker::{self, CATALOG, Folder, provision, request};
use crate::load::{drive, guid};
use crate::report::{at_most, median, note};

const SMALL: u64 = 1_000;
const LARGE: u64 = 1_000_000;
/// One after the other: how long a request takes, and not how many fit beside each other.
const ALONE: Load = Load {
    clients: 1,
    each: 800,
};
const BESIDE: Load = Load {
    clients: 8,
    each: 400,
};
const ROUNDS: u64 = 9;

#[derive(Clone, Copy)]
struct Load {
    clients: usize,
    each: usize,
}

pub fn run() {
    let (small, large) = (filled(SMALL), filled(LARGE));
    let (small_process, small_at) = broker::start(&small, "off");
    let (large_process, large_at) = broker::start(&large, "off");
    let fetches = |load| {
        fetch(large_at, load, LARGE);
        fetch(small_at, load, SMALL);
        let ratio = |_| fetch(large_at, load, LARGE) / fetch(small_at, load, SMALL);
        median((0..ROUNDS).map(ratio).collect())
    };
    let provisions = |load, from: u64| {
        let ratio = |round| make(large_at, load, from + round) / make(small_at, load, from + round);
        median((1..=ROUNDS).map(ratio).collect())
    };
    at_most(
        "provision, 1,000,000 stored / 1,000 stored",
        provisions(ALONE, 0),
        1.2,
        None,
        "",
    );
    at_most(
        "fetch, 1,000,000 stored / 1,000 stored",
        fetches(ALONE),
        1.2,
        None,
        "",
    );
    note(
        "the same at 8 clients, all of both cores taken",
        &format!(
            "provision {:.3}, fetch {:.3}",
            provisions(BESIDE, ROUNDS),
            fetches(BESIDE)
        ),
    );
    drop((small_process, large_process));
}

fn fetch(address: SocketAddr, load: Load, stored: u64) -> f64 {
    drive(
        address,
        load.clients,
        load.each,
        200,
        move |client, number| {
            let known = guid((client * load.each + number) as u64 * 7919 % stored);
            request("GET", &format!("/v2/service_instances/{known}"))
        },
    )
    .as_secs_f64()
}

fn make(address: SocketAddr, load: Load, round: u64) -> f64 {
    drive(
        address,
        load.clients,
        load.each,
        201,
        move |client, number| {
            provision(&guid((round << 40) + (client * load.each + number) as u64))
        },
    )
    .as_secs_f64()
}

/// A store with `count` instances: copies of one that the broker made.
fn filled(count: u64) -> Folder {
    let folder = Folder::with(CATALOG);
    let (process, address) = broker::start(&folder, "off");
    drive(address, 1, 1, 201, |_, _| provision("first"));
    process.terminate();
    let mut connection =
        Connection::open(folder.0.join("data/broker.db")).expect("the broker's file");
    let transaction = connection.transaction().expect("a transaction");
    for number in 0..count {
        let id = guid(number);
        for copy in [
            "INSERT INTO operations (id, kind, instance_id, binding_id, state, started_at, finished_at, indexed)
                 SELECT id, kind, ?1, binding_id, state, started_at, finished_at, indexed
                 FROM operations WHERE seq = (SELECT made_by FROM instances WHERE id = 'first')",
            "INSERT INTO instances (id, service_id, plan_id, organization, space, operation, kind, state, version,
                                    fingerprint, created_at, updated_at, details, made_by)
                 SELECT ?1, service_id, plan_id, organization, space, operation, kind, state, version, fingerprint,
                        created_at, updated_at, details, last_insert_rowid() FROM instances WHERE id = 'first'",
        ] {
            transaction.prepare_cached(copy).expect("a statement").execute([&id]).expect("a row");
        }
    }
    transaction.commit().expect("a commit");
    folder
}
