//! Guards: what a change is held against is counted in its own transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::engines::{self, Engine};
use super::jobs::{end_of, over, queued, take_one};
use super::{bind, binding_id, deprovision, id, instance, provision, run, unbind, update};
use crate::domain::guard::{AtMost, Fill, Guard, OneOf, RenderError, Scope, Within};
use crate::domain::id::{OperationId, PlanId, ServiceId};
use crate::domain::ledger::{Place, Row};
use crate::domain::operation::{State, Target};
use crate::domain::store::{Act, Begun, Change, Lookup, Store};
use crate::domain::time::Timestamp;
use crate::secret::Secret;

engines::contract! {
    no_more_instances_than_there_may_be,
    an_instance_counts_where_it_moves_to,
    a_plan_is_in_use_by_what_moves_to_it,
    no_more_bindings_than_there_may_be,
    an_entry_is_lent_to_one_and_comes_back,
    what_rests_is_not_lent,
    what_failed_is_not_in_the_way_of_saying_that_nothing_is_free,
    lendings_go_to_another_store,
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
        Begun::Lent(_) => "lent",
        Begun::Exhausted => "exhausted",
        Begun::Unmade(_) => "unmade",
        Begun::Absent => "absent",
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

/// Until the update is over, and of instances that nothing acted for by then, too; a move within a plan is none.
async fn a_plan_is_in_use_by_what_moves_to_it(engine: &dyn Engine) {
    let store = &*engine.open();
    for name in ["a", "b"] {
        assert_eq!(began(store, provision(name)).await, "done");
    }
    let told = async || -> Vec<String> {
        let plans = store.plans_in_use().await.expect("an answer");
        let each = plans.iter();
        each.map(|plan| format!("{}: {}", plan.plan_id, plan.hits))
            .collect()
    };
    let own = instance("b", 1).plan_id;
    let organization = instance("a", 1).organization;
    let large = format!("large: 1 service instance of 1 organization: {organization} (1)");
    for (name, to, used) in [("b", own.as_str(), None), ("a", "large", Some(large))] {
        assert_eq!(began(store, moving(name, 1, to)).await, "done");
        assert_eq!(told().await, Vec::from_iter(used));
        let taken = take_one(store, "one", 100).await;
        let failed = end_of(&taken, 110, over(&taken, State::Failed));
        store.end(failed).await.expect("an answer");
        assert!(told().await.is_empty(), "it never came there");
    }
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

/// A change that needs one of these entries, and notes its name in the organization or as the application.
fn with_one_of(mut change: Change, entries: &[&str], returned_by: Option<i64>) -> Change {
    let act = change.act.clone();
    let fill = move |entry: &str| {
        let mut act = act.clone();
        match &mut act {
            Act::Provision { instance, .. } => entry.clone_into(&mut instance.organization),
            Act::Bind { binding, .. } => binding.app_guid = Some(entry.to_owned()),
            _ => {}
        }
        if entry == "broken" {
            return Err(RenderError::mistyped("binding.credentials", "a map"));
        }
        Ok(act)
    };
    let entries: Vec<Arc<str>> = entries.iter().map(|entry| Arc::from(*entry)).collect();
    change.guards.push(Guard::OneOf(OneOf {
        pool: "pool".into(),
        entries: entries.into(),
        returned_by: returned_by.map(Timestamp),
        fill: Fill(Arc::new(fill)),
    }));
    change
}

const AT_ONCE: Option<i64> = Some(i64::MAX);

async fn entry_of(store: &dyn Store, of: &str, name: &str) -> Option<String> {
    match store.binding(id(of), binding_id(name)).await {
        Ok(Lookup::Found((_, binding))) => binding.and_then(|binding| binding.app_guid),
        _ => None,
    }
}

async fn an_entry_is_lent_to_one_and_comes_back(engine: &dyn Engine) {
    let store = &*engine.open();
    let two = ["one", "two"];
    let lend = |of: &str, name: &str, version| with_one_of(bind(of, name, version), &two, AT_ONCE);
    for (step, (change, expected)) in [
        (lend("i", "a", 1), "absent"),
        (provision("i"), "done"),
        (lend("i", "a", 7), "stale"),
        (lend("i", "a", 1), "lent"),
        (lend("i", "a", 1), "there"),
        (
            with_one_of(bind("i", "b", 1), &["one", "broken"], AT_ONCE),
            "unmade",
        ),
        (
            with_one_of(bind("i", "b", 1), &["one"], AT_ONCE),
            "exhausted",
        ),
        (lend("i", "b", 1), "lent"),
        (lend("i", "c", 1), "exhausted"),
        (lend("i", "c", 7), "stale"),
        (lend("i", "b", 1), "there"),
        (lend("j", "b", 1), "absent"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(began(store, change).await, expected, "step {step}");
    }
    assert_eq!(entry_of(store, "i", "a").await.as_deref(), Some("one"));
    assert_eq!(entry_of(store, "i", "b").await.as_deref(), Some("two"));

    assert_eq!(began(store, unbind("i", "a")).await, "done");
    assert_eq!(began(store, lend("i", "c", 1)).await, "lent");
    assert_eq!(entry_of(store, "i", "c").await.as_deref(), Some("one"));

    // A limit that is reached takes no entry.
    let limit = AtMost {
        scope: Scope::Bindings(id("i")),
        others: 1,
    };
    let more = |name| with_one_of(bind("i", name, 1), &["one", "two", "three"], AT_ONCE);
    let full = guarded(more("d"), Guard::AtMost(limit));
    assert_eq!(began(store, full).await, "full");
    assert_eq!(began(store, more("d")).await, "lent");
    assert_eq!(entry_of(store, "i", "d").await.as_deref(), Some("three"));

    // With their instance all come back; one that was withdrawn is not lent again.
    assert_eq!(began(store, deprovision("i", 1)).await, "done");
    for (name, expected) in [("k", "lent"), ("l", "lent"), ("m", "exhausted")] {
        let change = with_one_of(provision(name), &["three", "two"], AT_ONCE);
        assert_eq!(began(store, change).await, expected, "{name}");
    }
    let again = with_one_of(provision("k"), &["three", "two"], AT_ONCE);
    assert_eq!(began(store, again).await, "there");
}

async fn what_rests_is_not_lent(engine: &dyn Engine) {
    let store = &*engine.open();
    let one = |name, returned_by| with_one_of(bind("i", name, 1), &["one"], returned_by);
    assert_eq!(began(store, provision("i")).await, "done");
    assert_eq!(began(store, one("a", None)).await, "lent", "it never was");
    // It comes back when its unbind begins: at 3.
    assert_eq!(began(store, unbind("i", "a")).await, "done");
    assert_eq!(began(store, one("b", None)).await, "exhausted");
    assert_eq!(began(store, one("b", Some(2))).await, "exhausted");
    assert_eq!(began(store, one("b", Some(3))).await, "lent");
    // All was swept, and still it is known who has what.
    store.sweep(Timestamp(i64::MAX), 99).await.expect("a sweep");
    assert_eq!(began(store, one("c", AT_ONCE)).await, "exhausted");
}

/// A create that failed is there; made anew it hears that no entry is free, and not to try again at once.
async fn what_failed_is_not_in_the_way_of_saying_that_nothing_is_free(engine: &dyn Engine) {
    let store = &*engine.open();
    let fails = async |change| {
        let Begun::Done = store.begin(change).await.expect("an answer") else {
            panic!("it did not begin");
        };
        let taken = take_one(store, "a", 0).await;
        let failed = end_of(&taken, 1, over(&taken, State::Failed));
        store.end(failed).await.expect("its end");
        taken.operation.id
    };
    fails(queued(provision("i"), "queue", 0)).await;
    let anew = |name, version| {
        let mut change = provision(name);
        if let Act::Provision { replaces, .. } = &mut change.act {
            *replaces = Some(version);
        }
        with_one_of(change, &[], AT_ONCE)
    };
    assert_eq!(began(store, anew("i", 2)).await, "exhausted");
    assert_eq!(began(store, anew("i", 1)).await, "stale");
    assert_eq!(began(store, anew("j", 2)).await, "absent");

    assert_eq!(began(store, provision("k")).await, "done");
    let failed = fails(queued(bind("k", "b", 1), "queue", 0)).await;
    let anew = |of, version, failed: OperationId| {
        let mut change = bind(of, "b", version);
        if let Act::Bind { replaces, .. } = &mut change.act {
            *replaces = Some(failed);
        }
        with_one_of(change, &[], AT_ONCE)
    };
    let other = OperationId::from_random([9; 16]);
    assert_eq!(
        began(store, anew("k", 1, failed.clone())).await,
        "exhausted"
    );
    assert_eq!(began(store, anew("k", 7, failed.clone())).await, "stale");
    assert_eq!(began(store, anew("k", 1, other)).await, "stale");
    assert_eq!(began(store, anew("l", 1, failed)).await, "stale");
}

async fn lendings_go_to_another_store(engine: &dyn Engine) {
    let from = engine.open();
    assert_eq!(began(&*from, provision("i")).await, "done");
    for name in ["a", "b"] {
        let change = with_one_of(bind("i", name, 1), &["one", "two"], AT_ONCE);
        assert_eq!(began(&*from, change).await, "lent");
    }
    assert_eq!(began(&*from, unbind("i", "a")).await, "done");
    let target = engines::Sqlite::fresh();
    let to = target.open();
    let (mut next, mut lendings) = (Some(Place::Start), 0);
    while let Some(place) = next {
        let page = from.export(place, 1).await.expect("a page");
        let rows = page.rows.iter();
        lendings += rows.filter(|row| matches!(row, Row::Lending(_))).count();
        to.import(page.rows).await.expect("they are written");
        next = page.next;
    }
    assert_eq!(lendings, 2);
    assert_eq!(
        to.counts().await.expect("counts").pools,
        from.counts().await.expect("counts").pools
    );
    let change = |name| with_one_of(bind("i", name, 1), &["one", "two"], AT_ONCE);
    assert_eq!(began(&*to, change("c")).await, "lent");
    assert_eq!(began(&*to, change("d")).await, "exhausted");
    assert_eq!(entry_of(&*to, "i", "c").await.as_deref(), Some("one"));
}

/// 64 at two stores on one database, ten entries.
#[test]
fn of_64_on_a_database_ten_get_one_of_ten_entries() {
    let engine = engines::Postgres::fresh();
    let stores = [engine.open(), engine.open()];
    let entries: Vec<String> = (0..10).map(|number| format!("e-{number}")).collect();
    let (done, held) = run(async {
        assert_eq!(began(&*stores[0], provision("i")).await, "done");
        let all: Vec<_> = (0..64)
            .map(|number| {
                let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
                let name = format!("b-{number}");
                let change = with_one_of(bind("i", &name, 1), &entries, AT_ONCE);
                let store = stores[number % 2].clone();
                tokio::spawn(async move { began(&*store, change).await })
            })
            .collect();
        let mut done = 0;
        for one in all {
            done += usize::from(one.await.expect("its end") == "lent");
        }
        let mut held = BTreeSet::new();
        for number in 0..64 {
            held.extend(entry_of(&*stores[1], "i", &format!("b-{number}")).await);
        }
        (done, held)
    });
    assert_eq!((done, held.len()), (10, 10), "{held:?}");
}
