//! Guards: what a change is held against is counted in its own transaction.

use super::engines::{self, Engine};
use super::jobs::{end_of, over, queued, take_one};
use super::{bind, deprovision, id, instance, provision, run, unbind, update};
use crate::domain::guard::{AtMost, Guard, Scope, Within};
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::operation::{State, Target};
use crate::domain::store::{Act, Begun, Change, Lookup, Store};
use crate::secret::Secret;

engines::contract! {
    no_more_instances_than_there_may_be,
    an_instance_counts_where_it_moves_to,
    no_more_bindings_than_there_may_be,
}

fn plan(text: &str) -> PlanId {
    PlanId::parse(text).expect("an id")
}

fn instances(of_plan: Option<&str>, within: Within, others: u64) -> Guard {
    Guard::AtMost(AtMost {
        scope: Scope::Instances {
            service_id: ServiceId::parse("service").expect("an id"),
            plan_id: of_plan.map(plan),
            within,
        },
        others,
    })
}

fn of_plan(within: Within, others: u64) -> Guard {
    instances(Some("plan"), within, others)
}

fn guarded(mut change: Change, guard: Guard) -> Change {
    change.guards.push(guard);
    change
}

/// A provision elsewhere than all others are.
fn placed(name: &str, plan_id: &str, organization: &str, space: &str) -> Change {
    let mut change = provision(name);
    if let Act::Provision { instance, .. } = &mut change.act {
        instance.plan_id = plan(plan_id);
        organization.clone_into(&mut instance.organization);
        space.clone_into(&mut instance.space);
    }
    change
}

async fn began(store: &dyn Store, change: Change) -> &'static str {
    match store.begin(change).await.expect("an answer") {
        Begun::Done => "done",
        Begun::InstanceThere(_) | Begun::BindingThere(_) => "there",
        Begun::Stale => "stale",
        Begun::Full(_) => "full",
        other => panic!("{other:?}"),
    }
}

async fn no_more_instances_than_there_may_be(engine: &dyn Engine) {
    let store = &*engine.open();
    let in_organization = || Within::Organization("o-1".to_owned());
    let in_space = || Within::Space("s-1".to_owned());
    for (step, (change, expected)) in [
        (
            guarded(
                placed("a", "plan", "o-1", "s-1"),
                of_plan(Within::Everywhere, 1),
            ),
            "done",
        ),
        (
            guarded(
                placed("b", "plan", "o-1", "s-2"),
                of_plan(Within::Everywhere, 1),
            ),
            "done",
        ),
        (
            guarded(
                placed("c", "plan", "o-2", "s-3"),
                of_plan(Within::Everywhere, 1),
            ),
            "full",
        ),
        // What is there speaks first.
        (
            guarded(provision("a"), of_plan(Within::Everywhere, 0)),
            "there",
        ),
        (
            guarded(
                placed("c", "other", "o-2", "s-3"),
                instances(Some("other"), Within::Everywhere, 0),
            ),
            "done",
        ),
        (
            guarded(
                placed("d", "other", "o-2", "s-3"),
                instances(None, Within::Everywhere, 2),
            ),
            "full",
        ),
        (
            guarded(
                placed("d", "other", "o-2", "s-3"),
                instances(None, Within::Everywhere, 3),
            ),
            "done",
        ),
        (
            guarded(
                placed("e", "plan", "o-1", "s-1"),
                of_plan(in_organization(), 1),
            ),
            "full",
        ),
        (
            guarded(placed("e", "plan", "o-1", "s-1"), of_plan(in_space(), 0)),
            "full",
        ),
        (
            guarded(placed("e", "plan", "o-1", "s-1"), of_plan(in_space(), 1)),
            "done",
        ),
        // What went makes room.
        (deprovision("b", 1), "done"),
        (
            guarded(
                placed("f", "plan", "o-1", "s-9"),
                of_plan(Within::Everywhere, 2),
            ),
            "done",
        ),
        (
            guarded(
                placed("g", "plan", "o-1", "s-9"),
                of_plan(Within::Everywhere, 2),
            ),
            "full",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(began(store, change).await, expected, "step {step}");
    }
    assert_eq!(store.instance(id("g")).await.ok(), Some(Lookup::Absent));
}

/// An update that takes its time.
fn moving(name: &str, version: i64, to: &str) -> Change {
    let mut change = queued(update(name, version), "queue", 100);
    if let Some(job) = &mut change.job {
        let mut task = job.task.expose().clone();
        task.update = Some(Box::new(Target {
            plan_id: plan(to),
            details: instance(name, version).details.into_exposed(),
        }));
        job.task = Secret::new(task);
    }
    change
}

async fn an_instance_counts_where_it_moves_to(engine: &dyn Engine) {
    let store = &*engine.open();
    let at_large = |others| instances(Some("large"), Within::Everywhere, others);
    for name in ["a", "b"] {
        assert_eq!(began(store, provision(name)).await, "done");
    }
    let move_a = guarded(moving("a", 1, "large"), at_large(0));
    assert_eq!(began(store, move_a).await, "done");
    let move_b = || guarded(moving("b", 1, "large"), at_large(0));
    assert_eq!(began(store, move_b()).await, "full", "one is on its way");
    let stale = guarded(moving("b", 7, "large"), at_large(0));
    assert_eq!(
        began(store, stale).await,
        "stale",
        "what has changed speaks first"
    );
    let new = guarded(placed("c", "large", "o", "s"), at_large(0));
    assert_eq!(began(store, new).await, "full");

    let taken = take_one(store, "one", 100).await;
    let failed = end_of(&taken, 110, over(&taken, State::Failed));
    store.end(failed).await.expect("an answer");
    assert_eq!(began(store, move_b()).await, "done", "it never came there");
}

async fn no_more_bindings_than_there_may_be(engine: &dyn Engine) {
    let store = &*engine.open();
    let bindings = |others| {
        Guard::AtMost(AtMost {
            scope: Scope::Bindings(id("i")),
            others,
        })
    };
    for (step, (change, expected)) in [
        (provision("i"), "done"),
        (provision("j"), "done"),
        (bind("j", "x", 1), "done"),
        (guarded(bind("i", "a", 1), bindings(0)), "done"),
        (guarded(bind("i", "b", 1), bindings(0)), "full"),
        (guarded(bind("i", "b", 7), bindings(0)), "stale"),
        (guarded(bind("i", "a", 1), bindings(0)), "there"),
        (guarded(bind("i", "b", 1), bindings(1)), "done"),
        (guarded(update("i", 1), bindings(1)), "full"),
        (unbind("i", "a"), "done"),
        (guarded(update("i", 1), bindings(1)), "done"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(began(store, change).await, expected, "step {step}");
    }
}

/// Two stores on one database, and many who want what is left: exactly as many get it.
#[test]
fn of_many_on_a_database_as_many_get_in_as_there_is_room_for() {
    let engine = engines::Postgres::fresh();
    let stores = [engine.open(), engine.open()];
    let done = run(async {
        assert_eq!(began(&*stores[0], provision("i")).await, "done");
        let changes = (0..40).map(|number| {
            let name = format!("n-{number}");
            let guard = instances(None, Within::Everywhere, 9);
            guarded(provision(&name), guard)
        });
        let binds = (0..40).map(|number| {
            let limit = AtMost {
                scope: Scope::Bindings(id("i")),
                others: 4,
            };
            guarded(bind("i", &format!("b-{number}"), 1), Guard::AtMost(limit))
        });
        let all = changes.chain(binds).enumerate().map(|(at, change)| {
            let store = stores[at % 2].clone();
            tokio::spawn(async move { (at < 40, began(&*store, change).await) })
        });
        let all: Vec<_> = all.collect();
        let mut done = [0, 0];
        for one in all {
            let (is_provision, began) = one.await.expect("its end");
            done[usize::from(!is_provision)] += usize::from(began == "done");
        }
        done
    });
    assert_eq!(done, [9, 5], "`i` was there before");
}
