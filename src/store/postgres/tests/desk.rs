//! An operator's steps beside brokers that work, and what a command makes of tables as it finds them.

use std::time::Duration;

use super::together;
use crate::domain::ledger::{Ledger as _, Others, Stepped};
use crate::domain::operation::{Kind, Operation, Report, State, Subject};
use crate::domain::store::{Lease, Lookup, Store as _, Take, Unbound};
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::store::postgres::{OpenError, PostgresStore};
use crate::store::tests::engines::{BOUNDS, Postgres, SERVER, keys};
use crate::store::tests::jobs::{self, asking, end_of, over, queued};
use crate::store::tests::{bind, binding_id, id, provision, run};

fn beside(engine: &Postgres) -> Result<PostgresStore, OpenError> {
    PostgresStore::open_beside(
        Secret::new(SERVER.socket_url(&engine.0)),
        BOUNDS,
        &keys(&[1]),
    )
}

fn removal(name: &str, kind: Kind) -> Operation {
    let change = crate::store::tests::deprovision(name, 1);
    Operation {
        kind,
        ..change.operation
    }
}

/// Each connection tells what it has seen when it is closed, at the latest.
fn no_deadlock(engine: &Postgres, stores: &[PostgresStore]) {
    for store in stores {
        run(store.close()).expect("its end");
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(SERVER.sql(&engine.0, deadlocks), "0");
}

/// The operator and the worker at the same moment: one of them wins, and neither waits for the other in a circle.
#[test]
fn what_is_given_up_and_what_ends_do_not_lock_each_other() {
    let engine = Postgres::fresh();
    let stores = [engine.store(), engine.store()];
    let [worker, desk] = &stores;
    let (mut ended, mut given_up) = (0, 0);
    for round in 0..60 {
        let name = format!("i{round}");
        if round % 2 == 0 {
            run(jobs::begin(worker, jobs::provision(&name, 1)));
        } else {
            run(jobs::begin(worker, provision(&name)));
            run(jobs::begin(worker, jobs::bind(&name, "b", 1)));
        }
        let taken = run(worker.take(asking("a", 1, 1))).expect("an answer");
        let won = together(2, |number| {
            if number == 0 {
                let given_up = desk.give_up(
                    taken[0].operation.id.clone(),
                    Report::of("enough"),
                    Timestamp(2),
                );
                run(given_up).expect("an answer") == Stepped::Done
            } else {
                let end = end_of(&taken[0], 2, over(&taken[0], State::Succeeded));
                run(worker.end(end)).expect("an answer") == Lease::Held
            }
        });
        match won[..] {
            [true, false] => given_up += 1,
            [false, true] => ended += 1,
            _ => panic!("{won:?}"),
        }
    }
    assert!(ended + given_up == 60, "{ended} {given_up}");
    no_deadlock(&engine, &stores);
}

/// An instance is forgotten while a deprovision unbinds, a bind ends, and others take up what is due.
#[test]
fn what_is_forgotten_and_what_runs_do_not_lock_each_other() {
    let engine = Postgres::fresh();
    let stores: Vec<_> = (0..3).map(|_| engine.store()).collect();
    for round in 0..60 {
        let name = format!("i{round}");
        run(jobs::begin(&stores[0], provision(&name)));
        run(jobs::begin(&stores[0], bind(&name, "a", 1)));
        let deprovisions = round % 2 == 0;
        let change = if deprovisions {
            queued(crate::store::tests::deprovision(&name, 1), "queue", 1)
        } else {
            jobs::bind(&name, "b", 1)
        };
        run(jobs::begin(&stores[0], change));
        let taken = run(stores[0].take(asking("a", 1, 1))).expect("an answer");
        let taken = &taken[0];
        together(3, |number| match number {
            0 => {
                let by = removal(&name, Kind::Deprovision);
                let gone = run(stores[0].forget(id(&name), by)).expect("an answer");
                assert!(gone.is_some() || deprovisions, "{name}");
            }
            1 if deprovisions => {
                let of_a = Subject::Binding(id(&name), binding_id("a"));
                let unbound = Unbound {
                    operation: taken.operation.id.clone(),
                    attempt: taken.attempt,
                    unbind: Operation {
                        subject: of_a,
                        ..removal(&name, Kind::Unbind)
                    },
                };
                run(stores[1].unbound(unbound)).expect("an answer");
                run(stores[1].end(end_of(taken, 2, over(taken, State::Succeeded))))
                    .expect("an answer");
            }
            1 => {
                run(stores[1].end(end_of(taken, 2, over(taken, State::Succeeded))))
                    .expect("an answer");
            }
            _ => {
                let late = Take {
                    now: Timestamp(500),
                    ..asking("b", 500, 9)
                };
                run(stores[2].take(late)).expect("an answer");
            }
        });
        let left = run(stores[0].instance(id(&name)));
        assert_eq!(left.ok(), Some(Lookup::Absent));
        let runs = "SELECT count(*) FROM broker_operations WHERE state = 'in progress'";
        assert_eq!(SERVER.sql(&engine.0, runs), "0");
    }
    no_deadlock(&engine, &stores);
}

#[test]
fn tables_are_used_as_they_are_or_not_at_all() {
    let engine = Postgres::fresh();
    assert!(matches!(beside(&engine), Err(OpenError::Missing)));
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'broker%'";
    assert_eq!(
        SERVER.sql(&engine.0, tables),
        "0",
        "none is made by looking"
    );
    let broker = engine.store();
    run(broker.begin(provision("i"))).expect("an answer");
    let desk = beside(&engine).expect("the broker's tables");
    assert!(matches!(run(desk.instance(id("i"))), Ok(Lookup::Found(_))));
    for (version, needs, usable) in [(9, 1, true), (9, 9, false), (0, 0, false)] {
        let set = format!("UPDATE broker_schema SET version = {version}, needs = {needs}");
        SERVER.sql(&engine.0, &set);
        let opened = beside(&engine);
        assert_eq!(opened.is_ok(), usable, "{version} {needs}");
    }
}

/// A broker is known by its connections and its leases; a command beside it is none.
#[test]
fn brokers_on_a_database_are_seen() {
    let engine = Postgres::fresh();
    let broker = engine.store();
    let desk = beside(&engine).expect("the broker's tables");
    let other_desk = beside(&engine).expect("the broker's tables");
    run(other_desk.counts()).expect("an answer");
    let others = |now| run(desk.others(Timestamp(now))).expect("an answer");
    let seen = Others {
        connections: 1,
        leased_until: None,
    };
    assert_eq!(others(1), seen);
    run(jobs::begin(&broker, jobs::provision("i", 1)));
    run(broker.take(asking("a", 1, 1))).expect("an answer");
    let leased = Others {
        leased_until: Some(Timestamp(101)),
        ..seen
    };
    assert_eq!((others(100), others(101)), (leased, seen));
    run(broker.close()).expect("its end");
    // The server takes a moment to see it.
    for _ in 0..250 {
        if !others(101).is_nobody() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert!(others(101).is_nobody(), "{:?}", others(101));
    assert_eq!(others(100).leased_until, Some(Timestamp(101)));
}
