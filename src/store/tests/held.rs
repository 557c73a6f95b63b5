//! Operations that are recorded with the lease of who takes them up.

use super::engines::{self, Engine};
use super::jobs::{self, asking, begin, bind, end, over, provision, take, take_one};
use super::{binding_id, id};
use crate::domain::operation::State;
use crate::domain::store::{Begun, Change, Hold, Lease, Store, Take, Taken};
use crate::domain::time::Timestamp;

engines::contract! {
    what_is_recorded_with_a_lease_is_taken,
    a_lease_of_the_recording_is_one_like_any,
    nothing_is_taken_beside_what_may_still_act,
}

/// Recorded by a process that takes it up, for 100 ms.
fn held(change: Change, owner: &str) -> Change {
    let until = Timestamp(change.operation.started_at.0 + 100);
    let mut change = change;
    let job = change.job.as_mut().expect("a job");
    job.hold = Some(Hold {
        owner: owner.into(),
        until,
    });
    change
}

async fn taken(store: &dyn Store, change: Change) -> Taken {
    match store.begin(change).await.expect("an answer") {
        Begun::Taken(taken) => *taken,
        other => panic!("{other:?}"),
    }
}

/// It is what somebody would have got who looks for it.
async fn what_is_recorded_with_a_lease_is_taken(engine: &dyn Engine) {
    let store = &*engine.open();
    for name in ["looked-for", "handed"] {
        begin(store, super::provision(name)).await;
    }
    begin(store, bind("looked-for", "b", 40)).await;
    let looked_for = take_one(store, "a", 40).await;
    let handed = taken(store, held(bind("handed", "b", 40), "a")).await;
    assert_eq!((handed.attempt, handed.tries), (1, 1));
    assert!(handed.is_first());
    assert_eq!(handed.task, looked_for.task);
    assert_eq!(handed.instance.id, id("handed"));
    assert_eq!(handed.instance.version, looked_for.instance.version);
    let binding = handed.binding.as_ref().expect("the binding");
    assert_eq!(binding.id, binding_id("b"));
    assert_eq!(binding.last_operation.id, handed.operation.id);
    assert_eq!(handed.operation.state, State::InProgress);
    assert!(take(store, "b", 139).await.is_empty(), "it is leased");
    let done = over(&handed, State::Succeeded);
    assert_eq!(end(store, &handed, 50, done).await, Lease::Held);
    assert!(take(store, "b", 139).await.is_empty(), "it is over");
}

async fn a_lease_of_the_recording_is_one_like_any(engine: &dyn Engine) {
    let store = &*engine.open();
    let first = taken(store, held(provision("i", 0), "a")).await;
    let second = taken(store, held(provision("j", 0), "a")).await;
    begin(store, provision("k", 1)).await;
    // It counts in a queue that is limited by now.
    let limited = Take {
        limits: vec![("queue".into(), 2)],
        ..asking("b", 1, 10)
    };
    assert!(store.take(limited).await.expect("an answer").is_empty());
    // It runs out.
    let again = take(store, "b", 100).await;
    assert_eq!(again.len(), 3, "{again:?}");
    let of = |taken: &Taken| {
        let found = again
            .iter()
            .find(|again| again.operation.id == taken.operation.id);
        found.map(|again| (again.attempt, again.tries))
    };
    assert_eq!((of(&first), of(&second)), (Some((2, 2)), Some((2, 2))));
    let late = over(&first, State::Succeeded);
    assert_eq!(end(store, &first, 101, late).await, Lease::Lost);
    // It is given back.
    let third = taken(store, held(provision("l", 200), "c")).await;
    store
        .give_back("c".into(), Timestamp(201))
        .await
        .expect("an answer");
    let back = take(store, "d", 201).await;
    let its = back
        .iter()
        .find(|back| back.operation.id == third.operation.id);
    assert_eq!(its.map(|back| (back.attempt, back.tries)), Some((2, 1)));
}

/// What was cancelled may still act: what takes its place is recorded without a lease, and waits.
async fn nothing_is_taken_beside_what_may_still_act(engine: &dyn Engine) {
    let store = &*engine.open();
    let first = begin(store, provision("i", 0)).await;
    assert_eq!(take_one(store, "a", 0).await.operation.id, first);
    let delete = held(jobs::deprovision("i", 10, &first), "b");
    let its = delete.operation.id.clone();
    let begun = store.begin(delete).await.expect("an answer");
    assert!(matches!(begun, Begun::Done), "{begun:?}");
    assert!(
        take(store, "b", 99).await.is_empty(),
        "the first one may act"
    );
    let next = take_one(store, "c", 100).await;
    assert_eq!((next.operation.id, next.attempt), (its, 1));
}
