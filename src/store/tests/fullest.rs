//! Where limits are nearest, on each engine.

use super::engines::{self, Engine};
use super::jobs::begin;
use crate::domain::fullest::{Each, FullestQuery};
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::ledger::Ledger;
use crate::domain::store::{Act, Change};

engines::contract! {
    the_fullest_places_come_first,
}

/// A provision in a place.
fn provision(name: &str, plan: &str, organization: &str, space: &str) -> Change {
    let mut change = super::provision(name);
    if let Act::Provision { instance, .. } = &mut change.act {
        instance.plan_id = PlanId::parse(plan).expect("an id");
        instance.organization = organization.to_owned();
        instance.space = space.to_owned();
    }
    change
}

async fn found(
    ledger: &dyn Ledger,
    service: &ServiceId,
    plan: Option<&str>,
    each: Each,
) -> Vec<(String, u64)> {
    let query = FullestQuery {
        service: service.clone(),
        plan: plan.map(|plan| PlanId::parse(plan).expect("an id")),
        each,
        most: 3,
    };
    ledger.fullest(query).await.expect("an answer")
}

async fn the_fullest_places_come_first(engine: &dyn Engine) {
    let ledger = &*engine.open();
    ledger.ready_to_count().await.expect("an index");
    let change = super::provision("any");
    let Act::Provision { instance, .. } = &change.act else {
        panic!("a provision");
    };
    let service = instance.service_id.clone();
    for (number, (plan, organization, space)) in [
        ("p", "one", "one-a"),
        ("p", "one", "one-b"),
        ("p", "two", "two-a"),
        ("p", "two", "two-a"),
        ("p", "two", "two-a"),
        ("p", "three", "three-a"),
        ("p", "four", "four-a"),
        ("q", "four", "four-a"),
        ("q", "four", "four-a"),
        ("q", "four", "four-b"),
        ("p", "", ""),
        ("p", "", ""),
        ("p", "", ""),
        ("p", "", ""),
    ]
    .iter()
    .enumerate()
    {
        let name = format!("i{number}");
        begin(ledger, provision(&name, plan, organization, space)).await;
    }
    let owned = |places: &[(&str, u64)]| -> Vec<(String, u64)> {
        let owned = places
            .iter()
            .map(|(place, count)| ((*place).to_owned(), *count));
        owned.collect()
    };
    for (plan, each, expected) in [
        (
            None,
            Each::Organization,
            &[("four", 4), ("two", 3), ("one", 2)][..],
        ),
        (
            Some("p"),
            Each::Organization,
            &[("two", 3), ("one", 2), ("four", 1)],
        ),
        (
            Some("p"),
            Each::Space,
            &[("two-a", 3), ("four-a", 1), ("one-a", 1)],
        ),
        (Some("q"), Each::Space, &[("four-a", 2), ("four-b", 1)]),
        (Some("none"), Each::Space, &[]),
    ] {
        let places = found(ledger, &service, plan, each).await;
        assert_eq!(places, owned(expected), "{plan:?} {each:?}");
    }
    let other = ServiceId::parse("other").expect("an id");
    assert!(found(ledger, &other, None, Each::Space).await.is_empty());
}
