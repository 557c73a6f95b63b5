//! The life of operations that are not over when they are recorded.

use std::sync::Arc;

use serde_json::json;

use super::engines::{self, Engine};
use super::{binding_id, id};
use crate::domain::caller::Asker;
use crate::domain::id::OperationId;
use crate::domain::operation::{Kind, Operation, Report, State, Subject, Task};
use crate::domain::store::{
    Act, Begun, Change, End, Ending, Job, Lease, Leaves, Lookup, Renewal, Store, Take, Taken,
    Unbound,
};
use crate::domain::time::Timestamp;
use crate::secret::Secret;

engines::contract! {
    what_is_due_is_taken_in_order,
    no_more_than_the_limit_is_taken,
    a_lease_that_ran_out_is_worth_nothing,
    what_is_told_meanwhile_is_kept,
    another_attempt_is_due_later,
    a_delete_waits_for_what_it_cancels,
    a_stopping_process_gives_back,
    old_operations_are_forgotten_bit_by_bit,
    a_deprovision_unbinds_one_by_one,
    an_end_leaves_what_it_says,
    what_failed_makes_room,
    operations_that_may_not_run_beside_each_other_do_not,
}

/// A change that is not over with its recording.
pub(in crate::store) fn queued(change: Change, backend: &str, now: i64) -> Change {
    let mut change = change;
    let operation = &mut change.operation;
    operation.state = State::InProgress;
    operation.started_at = Timestamp(now);
    operation.finished_at = None;
    match &mut change.act {
        Act::Provision { instance, .. }
        | Act::Adopt { instance }
        | Act::Update { instance, .. } => {
            instance.last_operation = operation.standing();
        }
        Act::Bind { binding, .. } | Act::AdoptBinding { binding, .. } => {
            binding.last_operation = operation.standing();
        }
        Act::Deprovision { .. } | Act::Unbind { .. } => {}
    }
    change.job = Some(Job {
        backend: backend.into(),
        limited: false,
        hold: None,
        task: Secret::new(task()),
        cancels: None,
    });
    change
}

fn task() -> Task {
    let asker = json!({ "login": "p\u{e4}", "originating_identity": null });
    Task {
        asker: serde_json::from_value::<Asker>(asker).expect("an asker"),
        update: None,
    }
}

pub(in crate::store) fn provision(name: &str, now: i64) -> Change {
    queued(super::provision(name), "queue", now)
}

pub(in crate::store) fn bind(of: &str, name: &str, now: i64) -> Change {
    queued(super::bind(of, name, 1), "queue", now)
}

/// A deprovision of what was just provisioned, which takes its place.
pub(in crate::store) fn deprovision(name: &str, now: i64, cancels: &OperationId) -> Change {
    let mut change = queued(super::deprovision(name, 1), "queue", now);
    change.job = change.job.map(|job| Job {
        cancels: Some(cancels.clone()),
        ..job
    });
    change
}

pub(super) fn unbind(of: &str, name: &str, now: i64, expected: &OperationId) -> Change {
    let mut change = queued(super::unbind(of, name), "queue", now);
    change.act = Act::Unbind {
        expected: expected.clone(),
    };
    change
}

/// Begins it; the id of its operation.
pub(in crate::store) async fn begin(store: &dyn Store, change: Change) -> OperationId {
    let operation = change.operation.id.clone();
    let begun = store.begin(change).await.expect("an answer");
    assert!(matches!(begun, Begun::Done), "{begun:?}");
    operation
}

async fn refused(store: &dyn Store, change: Change) -> Begun {
    store.begin(change).await.expect("an answer")
}

pub(in crate::store) fn asking(owner: &str, now: i64, most: u32) -> Take {
    Take {
        owner: owner.into(),
        now: Timestamp(now),
        until: Timestamp(now + 100),
        most,
        limits: Vec::new(),
    }
}

/// Takes all that is due, for 100 ms.
pub(super) async fn take(store: &dyn Store, owner: &str, now: i64) -> Vec<Taken> {
    store.take(asking(owner, now, 10)).await.expect("an answer")
}

/// Takes the one that is due.
pub(super) async fn take_one(store: &dyn Store, owner: &str, now: i64) -> Taken {
    let mut taken = take(store, owner, now).await;
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken.remove(0)
}

fn names(taken: &[Taken]) -> Vec<&str> {
    taken
        .iter()
        .map(|taken| taken.instance.id.as_str())
        .collect()
}

pub(in crate::store) fn end_of(taken: &Taken, at: i64, ending: Ending) -> End {
    End {
        operation: taken.operation.id.clone(),
        subject: taken.operation.subject.clone(),
        attempt: taken.attempt,
        at: Timestamp(at),
        ending,
    }
}

pub(super) async fn end(store: &dyn Store, taken: &Taken, at: i64, ending: Ending) -> Lease {
    let end = store.end(end_of(taken, at, ending));
    end.await.expect("an answer")
}

pub(in crate::store) fn over(taken: &Taken, state: State) -> Ending {
    Ending::Over {
        state,
        report: Report::of("That was it."),
        leaves: leaves(taken, state),
    }
}

/// Its subject, as the worker would leave it.
fn leaves(taken: &Taken, state: State) -> Leaves {
    let last = crate::domain::operation::LastOperation {
        state,
        ..taken.operation.standing()
    };
    if taken.operation.kind.removes() && state == State::Succeeded {
        return Leaves::Nothing;
    }
    if let Some(binding) = &taken.binding {
        let mut binding = binding.clone();
        binding.last_operation = last;
        return Leaves::Binding(Box::new(binding));
    }
    let mut instance = taken.instance.clone();
    instance.last_operation = last;
    instance.version += 1;
    Leaves::Instance(Box::new(instance))
}

/// Renews a lease for 100 ms.
async fn renew(store: &dyn Store, taken: &Taken, now: i64, text: Option<&str>) -> Lease {
    let renewal = Renewal {
        operation: taken.operation.id.clone(),
        subject: taken.operation.subject.clone(),
        attempt: taken.attempt,
        now: Timestamp(now),
        until: Timestamp(now + 100),
        description: text.map(str::to_owned),
    };
    store.renew(renewal).await.expect("an answer")
}

pub(super) async fn operation(
    store: &dyn Store,
    subject: Subject,
    named: &OperationId,
) -> Operation {
    match store.operation(subject, Some(named.clone())).await {
        Ok(Lookup::Found(operation)) => operation,
        other => panic!("{other:?}"),
    }
}

async fn instance_state(store: &dyn Store, name: &str) -> Option<(Kind, State)> {
    match store.instance(id(name)).await.expect("an answer") {
        Lookup::Found(there) => Some((there.last_operation.kind, there.last_operation.state)),
        _ => None,
    }
}

async fn binding_state(store: &dyn Store, of: &str, name: &str) -> Option<(Kind, State)> {
    match store.binding(id(of), binding_id(name)).await {
        Ok(Lookup::Found((_, Some(there)))) => {
            Some((there.last_operation.kind, there.last_operation.state))
        }
        Ok(_) => None,
        Err(error) => panic!("{error}"),
    }
}

fn of(name: &str) -> Subject {
    Subject::Instance(id(name))
}

async fn what_is_due_is_taken_in_order(engine: &dyn Engine) {
    let store = &*engine.open();
    assert!(take(store, "a", 1000).await.is_empty(), "nothing is there");
    for (name, now) in [("third", 30), ("first", 10), ("second", 20)] {
        begin(store, provision(name, now)).await;
    }
    begin(store, queued(super::provision("other"), "another", 5)).await;
    assert!(take(store, "a", 4).await.is_empty(), "nothing is due");
    assert_eq!(names(&take(store, "a", 15).await), ["other", "first"]);
    let rest = take(store, "b", 30).await;
    assert_eq!(names(&rest), ["second", "third"]);
    assert!(take(store, "a", 30).await.is_empty(), "all are leased");

    let taken = &rest[0];
    assert_eq!((taken.attempt, taken.tries), (1, 1));
    assert_eq!(taken.task.expose(), &task());
    assert_eq!(taken.operation.subject, of("second"));
    assert_eq!(taken.operation.state, State::InProgress);
    assert_eq!(taken.instance.last_operation.id, taken.operation.id);
    assert!(taken.binding.is_none());

    begin(store, super::provision("parent")).await;
    begin(store, bind("parent", "b", 40)).await;
    let taken = take_one(store, "a", 40).await;
    let binding = taken.binding.as_ref().expect("the binding");
    assert_eq!(binding.id, binding_id("b"));
    assert_eq!(binding.last_operation.id, taken.operation.id);
    let many = store.take(asking("a", 1000, 2)).await.expect("an answer");
    assert_eq!(many.len(), 2, "no more than asked for");
}

async fn no_more_than_the_limit_is_taken(engine: &dyn Engine) {
    let store = &*engine.open();
    for number in 0..5 {
        begin(store, provision(&format!("i{number}"), number)).await;
        let free = queued(super::provision(&format!("j{number}")), "free", number);
        begin(store, free).await;
    }
    let limited = |owner: &str, now| Take {
        limits: vec![("queue".into(), 2)],
        ..asking(owner, now, 64)
    };
    let first = store.take(limited("a", 10)).await.expect("an answer");
    assert_eq!(first.len(), 7, "all that are free, and two: {first:?}");
    let second = store.take(limited("b", 10)).await.expect("an answer");
    assert!(second.is_empty(), "{second:?}");
    let held = first
        .iter()
        .find(|taken| taken.instance.id == id("i0"))
        .expect("the first one");
    assert_eq!(
        end(store, held, 20, over(held, State::Succeeded)).await,
        Lease::Held
    );
    let third = store.take(limited("b", 20)).await.expect("an answer");
    assert_eq!(names(&third), ["i2"], "there is room for one again");
    // Leases that ran out take no room: i1 is due again, and i2 not yet.
    let late = store.take(limited("c", 115)).await.expect("an answer");
    let of_queue: Vec<_> = late
        .iter()
        .filter(|taken| taken.instance.id.as_str().starts_with('i'))
        .collect();
    assert_eq!(of_queue.len(), 1, "{of_queue:?}");
}

async fn a_lease_that_ran_out_is_worth_nothing(engine: &dyn Engine) {
    let store = &*engine.open();
    let operation = begin(store, provision("i", 0)).await;
    let first = take_one(store, "a", 0).await;
    assert!(
        take(store, "b", 99).await.is_empty(),
        "it is leased until 100"
    );
    assert_eq!(renew(store, &first, 50, None).await, Lease::Held);
    assert!(take(store, "b", 149).await.is_empty(), "it was renewed");
    let too_late = renew(store, &first, 150, None).await;
    assert_eq!(too_late, Lease::Lost, "its room may be another's by now");
    let second = take_one(store, "b", 150).await;
    assert_eq!((second.attempt, second.tries), (2, 2));
    assert_eq!(renew(store, &first, 160, None).await, Lease::Lost);
    for late in [
        over(&first, State::Failed),
        Ending::Again {
            due_at: Timestamp(1),
            description: None,
        },
        Ending::Stopped,
    ] {
        assert_eq!(end(store, &first, 160, late).await, Lease::Lost);
    }
    assert!(
        take(store, "c", 249).await.is_empty(),
        "the second one holds it"
    );
    assert_eq!(
        end(store, &second, 170, over(&second, State::Succeeded)).await,
        Lease::Held
    );
    for taken in [&first, &second] {
        assert_eq!(
            end(store, taken, 180, over(taken, State::Failed)).await,
            Lease::Lost
        );
        assert_eq!(renew(store, taken, 180, None).await, Lease::Lost);
    }
    let stood = instance_state(store, "i").await;
    assert_eq!(stood, Some((Kind::Provision, State::Succeeded)));
    let done = self::operation(store, of("i"), &operation).await;
    assert_eq!(done.state, State::Succeeded);
    assert_eq!(done.finished_at, Some(Timestamp(170)));
    assert!(take(store, "c", 10_000).await.is_empty(), "it is over");
}

async fn what_is_told_meanwhile_is_kept(engine: &dyn Engine) {
    let store = &*engine.open();
    let operation = begin(store, provision("i", 0)).await;
    let taken = take_one(store, "a", 0).await;
    for (text, expected) in [
        (Some("half"), "half"),
        (None, "half"),
        (Some("most"), "most"),
    ] {
        assert_eq!(renew(store, &taken, 0, text).await, Lease::Held);
        let told = self::operation(store, of("i"), &operation).await.report;
        assert_eq!(told.description.as_deref(), Some(expected));
    }
}

async fn another_attempt_is_due_later(engine: &dyn Engine) {
    let store = &*engine.open();
    let operation = begin(store, provision("i", 0)).await;
    let taken = take_one(store, "a", 0).await;
    let again = Ending::Again {
        due_at: Timestamp(500),
        description: Some("soon".to_owned()),
    };
    assert_eq!(end(store, &taken, 10, again.clone()).await, Lease::Held);
    let told = self::operation(store, of("i"), &operation).await;
    assert_eq!(told.state, State::InProgress);
    assert_eq!(told.report.description.as_deref(), Some("soon"));
    assert_eq!(renew(store, &taken, 20, None).await, Lease::Lost);
    assert!(take(store, "a", 499).await.is_empty(), "not before");
    let taken = take_one(store, "a", 500).await;
    assert_eq!((taken.attempt, taken.tries), (2, 2));
}

/// However the first one lets go, the delete is due from then on, and not before.
async fn a_delete_waits_for_what_it_cancels(engine: &dyn Engine) {
    let store = &*engine.open();
    for (name, start) in [
        ("late", 0),
        ("stopped", 1000),
        ("runs out", 2000),
        ("given", 3000),
    ] {
        let first = begin(store, provision(name, start)).await;
        let taken = take_one(store, "a", start).await;
        let delete = begin(store, deprovision(name, start + 10, &first)).await;
        let cancelled = operation(store, of(name), &first).await;
        assert_eq!(cancelled.state, State::Failed, "{name}");
        assert_eq!(
            operation(store, of(name), &delete).await.state,
            State::InProgress
        );
        let stood = instance_state(store, name).await;
        assert_eq!(
            stood,
            Some((Kind::Deprovision, State::InProgress)),
            "{name}"
        );
        assert_eq!(renew(store, &taken, start + 20, None).await, Lease::Lost);
        assert!(
            take(store, "b", start + 50).await.is_empty(),
            "{name}: too early"
        );
        let mut due = start + 60;
        match name {
            "late" => {
                let late = end(store, &taken, due, over(&taken, State::Succeeded)).await;
                assert_eq!(late, Lease::Lost);
            }
            "stopped" => {
                assert_eq!(end(store, &taken, due, Ending::Stopped).await, Lease::Lost);
            }
            "given" => {
                let given = store.give_back("a".into(), Timestamp(due)).await;
                given.expect("an answer");
            }
            _ => {
                due = start + 100;
                assert!(take(store, "b", due - 1).await.is_empty(), "{name}");
            }
        }
        let next = take_one(store, "b", due).await;
        assert_eq!(next.operation.id, delete, "{name}");
        assert_eq!(
            end(store, &next, due, over(&next, State::Succeeded)).await,
            Lease::Held
        );
        assert_eq!(instance_state(store, name).await, None, "{name}");
    }
    // What nobody has taken up yet need not be waited for.
    let first = begin(store, provision("idle", 5000)).await;
    let delete = begin(store, deprovision("idle", 5010, &first)).await;
    assert_eq!(take_one(store, "b", 5010).await.operation.id, delete);
}

async fn a_stopping_process_gives_back(engine: &dyn Engine) {
    let store = &*engine.open();
    begin(store, provision("i", 0)).await;
    let first = take_one(store, "a", 0).await;
    begin(store, provision("j", 1)).await;
    take_one(store, "b", 1).await;
    let given = store.give_back(Arc::from("a"), Timestamp(20)).await;
    given.expect("an answer");
    let taken = take_one(store, "c", 20).await;
    assert_eq!(taken.instance.id, id("i"), "the other one's stays leased");
    assert_eq!(
        (taken.attempt, taken.tries),
        (2, 1),
        "it does not count as a try"
    );
    let late = end(store, &first, 30, over(&first, State::Succeeded)).await;
    assert_eq!(late, Lease::Lost);
}

async fn old_operations_are_forgotten_bit_by_bit(engine: &dyn Engine) {
    let store = &*engine.open();
    for name in ["i", "j", "k"] {
        begin(store, super::provision(name)).await;
    }
    let waits = begin(store, provision("waits", 0)).await;
    assert_eq!(
        store.sweep(Timestamp(4), 9).await.ok(),
        Some(0),
        "none is old"
    );
    for expected in [2, 1, 0] {
        assert_eq!(store.sweep(Timestamp(5), 2).await.ok(), Some(expected));
    }
    let forgotten = store.operation(of("i"), None).await;
    assert_eq!(forgotten.ok(), Some(Lookup::Absent));
    assert_eq!(operation(store, of("waits"), &waits).await.id, waits);
    // One that was cancelled is kept until nobody acts for it.
    let taken = take_one(store, "a", 6).await;
    begin(store, deprovision("waits", 7, &waits)).await;
    assert_eq!(store.sweep(Timestamp(99), 9).await.ok(), Some(0));
    end(store, &taken, 8, Ending::Stopped).await;
    assert_eq!(store.sweep(Timestamp(99), 9).await.ok(), Some(1));
    // Nobody lets go for a process that died: then its lease has to be as old.
    let dies = begin(store, provision("dies", 200)).await;
    take(store, "a", 200).await;
    begin(store, deprovision("dies", 210, &dies)).await;
    assert_eq!(store.sweep(Timestamp(300), 9).await.ok(), Some(0));
    assert_eq!(store.sweep(Timestamp(301), 9).await.ok(), Some(1));
}

async fn a_deprovision_unbinds_one_by_one(engine: &dyn Engine) {
    let store = &*engine.open();
    begin(store, super::provision("i")).await;
    for name in ["b", "a"] {
        begin(store, super::bind("i", name, 1)).await;
    }
    let found = store.bindings(id("i")).await.expect("an answer");
    let names: Vec<_> = found.iter().map(|found| found.id.as_str()).collect();
    assert_eq!(names, ["a", "b"], "the oldest first, then by id");
    begin(store, queued(super::deprovision("i", 1), "queue", 10)).await;
    let taken = take_one(store, "a", 10).await;
    let unbound = |attempt| Unbound {
        operation: taken.operation.id.clone(),
        attempt,
        unbind: Operation {
            id: taken.operation.id.for_binding(&binding_id("a")),
            kind: Kind::Unbind,
            subject: Subject::Binding(id("i"), binding_id("a")),
            state: State::Succeeded,
            finished_at: Some(Timestamp(11)),
            ..taken.operation.clone()
        },
    };
    assert_eq!(store.unbound(unbound(7)).await.ok(), Some(Lease::Lost));
    assert_eq!(
        store.bindings(id("i")).await.map(|left| left.len()).ok(),
        Some(2)
    );
    assert_eq!(store.unbound(unbound(1)).await.ok(), Some(Lease::Held));
    assert_eq!(
        store.bindings(id("i")).await.map(|left| left.len()).ok(),
        Some(1)
    );
    let of_a = Subject::Binding(id("i"), binding_id("a"));
    let polled = super::kind_of(store, of_a, None).await;
    assert_eq!(polled, Some(Kind::Unbind));

    let lease = end(store, &taken, 20, over(&taken, State::Succeeded)).await;
    assert_eq!(lease, Lease::Held);
    assert_eq!(instance_state(store, "i").await, None);
    let of_b = Subject::Binding(id("i"), binding_id("b"));
    let polled = super::kind_of(store, of_b, None).await;
    assert_eq!(
        polled,
        Some(Kind::Unbind),
        "the rest went with the instance"
    );
    let polled = super::kind_of(store, of("i"), Some(taken.operation.id)).await;
    assert_eq!(polled, Some(Kind::Deprovision), "by the same id");
}

async fn an_end_leaves_what_it_says(engine: &dyn Engine) {
    let store = &*engine.open();
    begin(store, super::provision("i")).await;
    begin(store, bind("i", "b", 10)).await;
    let taken = take_one(store, "a", 10).await;
    end(store, &taken, 11, over(&taken, State::Failed)).await;
    let stood = binding_state(store, "i", "b").await;
    assert_eq!(stood, Some((Kind::Bind, State::Failed)));

    let failed = taken.operation.id;
    begin(store, unbind("i", "b", 20, &failed)).await;
    let stood = binding_state(store, "i", "b").await;
    assert_eq!(stood, Some((Kind::Unbind, State::InProgress)));
    let taken = take_one(store, "a", 20).await;
    end(store, &taken, 21, over(&taken, State::Succeeded)).await;
    assert_eq!(binding_state(store, "i", "b").await, None);

    begin(store, queued(super::update("i", 1), "queue", 30)).await;
    let taken = take_one(store, "a", 30).await;
    end(store, &taken, 31, over(&taken, State::Succeeded)).await;
    let Ok(Lookup::Found(there)) = store.instance(id("i")).await else {
        panic!("the instance is gone");
    };
    assert_eq!(there.version, 3);
    assert_eq!(there.last_operation.state, State::Succeeded);
}

async fn what_failed_makes_room(engine: &dyn Engine) {
    let store = &*engine.open();
    begin(store, provision("i", 0)).await;
    let taken = take_one(store, "a", 0).await;
    end(store, &taken, 1, over(&taken, State::Failed)).await;
    let replace = |version| {
        let mut change = super::provision("i");
        change.act = Act::Provision {
            instance: Box::new(super::instance("i", 3)),
            replaces: Some(version),
        };
        change
    };
    assert!(matches!(refused(store, replace(1)).await, Begun::Stale));
    begin(store, replace(2)).await;
    assert!(matches!(refused(store, replace(2)).await, Begun::Stale));

    let bind = |replaces: Option<&OperationId>, version| {
        let mut change = queued(super::bind("i", "b", version), "queue", 10);
        if let Act::Bind { replaces: slot, .. } = &mut change.act {
            *slot = replaces.cloned();
        }
        change
    };
    let first = begin(store, bind(None, 3)).await;
    let taken = take_one(store, "a", 10).await;
    end(store, &taken, 11, over(&taken, State::Failed)).await;
    let other = OperationId::from_random([9; 16]);
    assert!(matches!(
        refused(store, bind(Some(&other), 3)).await,
        Begun::Stale
    ));
    assert!(matches!(
        refused(store, bind(Some(&first), 7)).await,
        Begun::Stale
    ));
    let stood = binding_state(store, "i", "b").await;
    assert_eq!(
        stood,
        Some((Kind::Bind, State::Failed)),
        "it stays as it was"
    );
    begin(store, bind(Some(&first), 3)).await;
    assert!(matches!(
        refused(store, bind(Some(&first), 3)).await,
        Begun::Stale
    ));
}

async fn operations_that_may_not_run_beside_each_other_do_not(engine: &dyn Engine) {
    let store = &*engine.open();
    begin(store, super::provision("i")).await;
    begin(store, super::bind("i", "quiet", 1)).await;
    let runs = begin(store, bind("i", "b", 10)).await;
    for change in [super::update("i", 1), super::deprovision("i", 1)] {
        assert!(matches!(refused(store, change).await, Begun::Busy));
    }
    // Bindings run beside each other.
    begin(store, bind("i", "c", 10)).await;
    for taken in take(store, "a", 10).await {
        end(store, &taken, 11, over(&taken, State::Succeeded)).await;
    }
    begin(store, queued(super::update("i", 1), "queue", 20)).await;
    let quiet = super::unbind("i", "quiet");
    assert!(matches!(refused(store, quiet).await, Begun::Busy));
    let now_running = unbind("i", "b", 20, &runs);
    assert!(matches!(refused(store, now_running).await, Begun::Busy));
}
