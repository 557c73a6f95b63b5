//! What was made elsewhere is recorded once, and not again when it is gone.

use super::engines::{self, Engine};
use super::{began, bind, binding, binding_id, deprovision, id, instance, provision, unbind};
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::{Act, Change, Lookup};

engines::contract! {
    adoptions_are_decided_in_order,
    what_is_not_adopted_leaves_nothing,
}

pub(in crate::store) fn adopt(name: &str) -> Change {
    let mut change = provision(name);
    change.act = Act::Adopt {
        instance: Box::new(instance(name, 1)),
    };
    change
}

fn adopt_binding(of: &str, name: &str, expected_version: i64) -> Change {
    let mut change = bind(of, name, expected_version);
    change.act = Act::AdoptBinding {
        binding: Box::new(binding(of, name)),
        expected_version,
    };
    change
}

async fn adoptions_are_decided_in_order(engine: &dyn Engine) {
    let store = &*engine.open();
    for (step, (change, expected)) in [
        (adopt_binding("i", "b", 1), "absent"),
        (adopt("i"), "done"),
        (adopt("i"), "there"),
        (provision("i"), "there"),
        (adopt_binding("i", "b", 7), "stale"),
        (adopt_binding("i", "b", 1), "done"),
        (adopt_binding("i", "b", 7), "there"),
        (bind("i", "b", 1), "there"),
        (unbind("i", "b"), "done"),
        (adopt_binding("i", "b", 1), "absent"),
        (bind("i", "b", 1), "done"),
        (adopt_binding("i", "b", 1), "there"),
        (deprovision("i", 1), "done"),
        (adopt("i"), "absent"),
        (adopt_binding("i", "c", 1), "absent"),
        (provision("i"), "done"),
        (adopt("i"), "there"),
        (adopt_binding("i", "b", 1), "absent"),
        (adopt_binding("i", "c", 1), "done"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(began(store, change).await, expected, "step {step}");
    }
}

async fn what_is_not_adopted_leaves_nothing(engine: &dyn Engine) {
    let store = &*engine.open();
    for change in [adopt("i"), adopt_binding("i", "b", 1), deprovision("i", 1)] {
        assert_eq!(began(store, change).await, "done");
    }
    assert_eq!(began(store, adopt("i")).await, "absent");
    assert_eq!(store.instance(id("i")).await.ok(), Some(Lookup::Absent));
    let latest = super::kind_of(store, Subject::Instance(id("i")), None).await;
    assert_eq!(latest, Some(Kind::Deprovision));

    assert_eq!(began(store, provision("i")).await, "done");
    assert_eq!(began(store, adopt_binding("i", "b", 1)).await, "absent");
    let left = store.bindings(id("i")).await.expect("an answer");
    assert!(left.is_empty(), "{left:?}");
    let of_b = Subject::Binding(id("i"), binding_id("b"));
    let latest = super::kind_of(store, of_b, None).await;
    assert_eq!(latest, Some(Kind::Unbind));
}
