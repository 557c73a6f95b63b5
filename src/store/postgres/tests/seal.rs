//! Cells that are sealed anew while others change them, and brokers that start at once with keys of their own.

use super::together;
use crate::domain::ledger::Place;
use crate::domain::store::{Lookup, Store as _};
use crate::secret::Secret;
use crate::store::postgres::{OpenError, PostgresStore, reseal};
use crate::store::tests::engines::{BOUNDS, Postgres, SERVER, keys};
use crate::store::tests::{deprovision, id, instance, provision, run, update};

fn open(engine: &Postgres, bytes: &[u8]) -> Result<PostgresStore, OpenError> {
    let url = Secret::new(SERVER.socket_url(&engine.0));
    PostgresStore::open(url, BOUNDS, &keys(bytes))
}

/// Between the reading of a page and its writing a cell changes, another goes, and a third is held by somebody: none is
/// waited for, and all stay as that left them.
#[test]
fn a_cell_that_others_have_is_passed_over() {
    let engine = Postgres::fresh();
    let store = open(&engine, &[1]).expect("a store");
    for name in ["h", "i", "j", "k"] {
        run(store.begin(provision(name))).expect("an answer");
    }
    let store = open(&engine, &[2, 1]).expect("a store");
    let read = || {
        run(store.driver.run(async |pool| {
            pool.ask(async |database| reseal::page(database, &Place::instances(), 9).await)
                .await
        }))
    };
    let page = read().expect("a page");
    assert_eq!(page.cells, 4);
    run(store.begin(update("j", 1))).expect("an answer");
    run(store.begin(deprovision("k", 1))).expect("an answer");
    let changes = page.changes;
    let written = run(store.driver.run(async move |pool| {
        pool.step(async |holder| {
            // Held by one, while another one writes.
            holder
                .exists(
                    "SELECT 1 FROM broker_instances WHERE id = 'h' FOR UPDATE",
                    &[],
                )
                .await?;
            pool.ask(async |database| reseal::write(database, &changes).await)
                .await
        })
        .await
    }));
    assert_eq!(written.expect("an answer"), 1, "i alone");
    for (name, expected) in [
        ("h", Lookup::Found(instance("h", 1))),
        ("j", Lookup::Found(instance("j", 2))),
        ("k", Lookup::Absent),
    ] {
        let found = run(store.instance(id(name))).expect("an answer");
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(read().expect("a page").cells, 1, "h is left");
}

/// Of brokers with different keys that start at once on an empty database one wins, and the others leave no trace.
#[test]
fn of_keys_that_come_at_once_one_counts() {
    for _ in 0..5 {
        let engine = Postgres::fresh();
        let opened = together(4, |number| {
            let byte = u8::try_from(number).expect("a few") + 1;
            open(&engine, &[byte])
                .map(|_| byte)
                .map_err(|why| why.to_string())
        });
        let won: Vec<u8> = opened
            .iter()
            .filter_map(|opened| opened.clone().ok())
            .collect();
        assert_eq!(won.len(), 1, "{opened:?}");
        for why in opened.into_iter().filter_map(Result::err) {
            assert!(why.contains("a key that is not given, "), "{why}");
        }
        open(&engine, &won).expect("it is sealed with nothing else");
    }
}
