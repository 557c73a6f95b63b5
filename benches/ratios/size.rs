//! A store with a million instances against one with a thousand.

use rusqlite::Connection;

use crate::broker::{self, CATALOG, Folder, provision, request};
use crate::load::{drive, guid};
use crate::report::{at_most, median};

const SMALL: u64 = 1_000;
const LARGE: u64 = 1_000_000;
const CLIENTS: usize = 8;
const EACH: usize = 400;
const ROUNDS: u64 = 9;

pub fn run() {
    let (small, large) = (filled(SMALL), filled(LARGE));
    let (small_process, small_at) = broker::start(&small, "off");
    let (large_process, large_at) = broker::start(&large, "off");
    let fetch = |address, stored: u64| {
        drive(address, CLIENTS, EACH, 200, move |client, number| {
            let known = guid((client * EACH + number) as u64 * 7919 % stored);
            request("GET", &format!("/v2/service_instances/{known}"))
        })
        .as_secs_f64()
    };
    let make = |address, round: u64| {
        drive(address, CLIENTS, EACH, 201, move |client, number| {
            provision(&guid((round << 40) + (client * EACH + number) as u64))
        })
        .as_secs_f64()
    };
    fetch(small_at, SMALL);
    fetch(large_at, LARGE);
    let provisions = (1..=ROUNDS)
        .map(|round| make(large_at, round) / make(small_at, round))
        .collect();
    at_most(
        "provision, 1,000,000 stored / 1,000 stored",
        median(provisions),
        1.2,
        None,
        "",
    );
    let fetches = (1..=ROUNDS)
        .map(|_| fetch(large_at, LARGE) / fetch(small_at, SMALL))
        .collect();
    at_most(
        "fetch, 1,000,000 stored / 1,000 stored",
        median(fetches),
        1.2,
        None,
        "",
    );
    drop((small_process, large_process));
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
