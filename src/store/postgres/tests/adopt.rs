//! Adoptions beside each other, and beside what takes the same away.

use super::together;
use crate::domain::store::{Begun, Lookup, Store as _};
use crate::store::tests::adopt::adopt;
use crate::store::tests::engines::{Postgres, SERVER};
use crate::store::tests::{deprovision, id, run};

/// Each adopts an instance and takes it away: one is first, and what is gone is not adopted anew.
#[test]
fn what_is_adopted_and_taken_away_by_many_is_so_once() {
    let engine = Postgres::fresh();
    let stores: Vec<_> = (0..3).map(|_| engine.store()).collect();
    for round in 0..30 {
        let name = format!("i{round}");
        let adopted = together(9, |number| {
            let store = &stores[number % 3];
            let begun = run(store.begin(adopt(&name))).expect("an answer");
            run(store.begin(deprovision(&name, 1))).expect("an answer");
            matches!(begun, Begun::Done)
        });
        let won = adopted.iter().filter(|won| **won).count();
        assert_eq!(won, 1, "{name}: {adopted:?}");
        let left = run(stores[0].instance(id(&name)));
        assert_eq!(left.ok(), Some(Lookup::Absent));
    }
    let operations = "SELECT count(*) FROM broker_operations";
    assert_eq!(SERVER.sql(&engine.0, operations), "60");
}
