//! What an operator finds and mends, and a state as a whole, on each engine and from each to each.

use std::time::Duration;

use super::engines::{self, Engine, Postgres, Sqlite};
use super::jobs::{self, asking, begin, end, end_of, over, queued, take, take_one};
use super::{binding_id, id, run};
use crate::domain::id::{InstanceId, OperationId, PlanId, ServiceId};
use crate::domain::ledger::{Counts, InstanceQuery, Ledger, OperationQuery, Place, Row, Stepped};
use crate::domain::operation::{Kind, Operation, Report, State, Subject};
use crate::domain::store::{Act, Change, Ending, Lease, Lookup, Store};
use crate::domain::tally::{Inventory, UnderWay};
use crate::domain::time::Timestamp;

engines::contract! {
    a_binding_whose_operation_is_given_up_has_failed,
    an_instance_whose_operation_is_given_up_has_failed,
    what_goes_on_anew_is_not_given_back_by_its_old_owner,
    what_may_still_act_is_waited_for_however_many_they_are,
    a_delete_waits_for_what_the_one_that_it_cancels_waited_for,
    what_is_forgotten_may_still_act,
    all_is_found_by_filter_and_page,
    operations_are_found_by_filter_the_newest_first,
    all_is_counted,
    what_is_watched_is_what_is_there,
    plans_are_in_use_by_what_a_backend_made,
    what_was_not_copied_to_its_end_is_not_served,
}

fn of(name: &str) -> Subject {
    Subject::Instance(id(name))
}

async fn given_up(ledger: &dyn Ledger, operation: &OperationId, now: i64) -> Stepped {
    let why = Report::of("enough");
    let stepped = ledger.give_up(operation.clone(), why, Timestamp(now));
    stepped.await.expect("an answer")
}

/// When an operation is due, and what it waits for.
async fn due(ledger: &dyn Ledger, operation: &OperationId) -> (Option<i64>, Option<OperationId>) {
    let entry = ledger.entry(operation.clone()).await.expect("an answer");
    let entry = entry.expect("an operation");
    (entry.due_at.map(|at| at.0), entry.waits_for)
}

/// A deprovision of an instance as it is now, that cancels nothing.
async fn removal(store: &dyn Store, name: &str, now: i64) -> Change {
    let Ok(Lookup::Found(there)) = store.instance(id(name)).await else {
        panic!("{name} is gone");
    };
    queued(super::deprovision(name, there.version), "queue", now)
}

/// A bind that is leased and given up: the binding has failed, its late result is refused, and what takes the instance
/// away waits for the lease.
async fn a_binding_whose_operation_is_given_up_has_failed(engine: &dyn Engine) {
    let ledger = &*engine.open();
    begin(ledger, super::provision("i")).await;
    begin(ledger, jobs::bind("i", "b", 100)).await;
    let taken = take_one(ledger, "sleeper", 100).await;
    let leased = &taken.operation.id;
    let nowhere = OperationId::from_random([9; 16]);
    assert_eq!(given_up(ledger, &nowhere, 100).await, Stepped::Absent);
    assert_eq!(given_up(ledger, leased, 100).await, Stepped::Done);
    let again = given_up(ledger, leased, 100).await;
    assert_eq!(again, Stepped::Over(State::Failed));
    let told = jobs::operation(ledger, taken.operation.subject.clone(), leased).await;
    assert_eq!(told.report.description.as_deref(), Some("enough"));
    assert_eq!(told.finished_at, Some(Timestamp(100)));
    let bindings = ledger.bindings(id("i")).await.expect("an answer");
    let last = bindings.first().map(|binding| &binding.last_operation);
    assert!(last.is_some_and(|last| last.is(Kind::Bind, State::Failed)));

    let next = begin(ledger, removal(ledger, "i", 110).await).await;
    let waits = (Some(200), Some(leased.clone()));
    assert_eq!(due(ledger, &next).await, waits);
    let refused = ledger.retry(next.clone(), Timestamp(110)).await;
    assert_eq!(refused.ok(), Some(Stepped::Waits(Timestamp(200))));
    let late = end(ledger, &taken, 150, over(&taken, State::Succeeded)).await;
    assert_eq!(late, Lease::Lost);
    let (due_at, _) = due(ledger, &next).await;
    assert_eq!(due_at, Some(150), "it was let go");
}

async fn an_instance_whose_operation_is_given_up_has_failed(engine: &dyn Engine) {
    let ledger = &*engine.open();
    let operation = begin(ledger, jobs::provision("i", 10)).await;
    assert_eq!(given_up(ledger, &operation, 20).await, Stepped::Done);
    let Ok(Lookup::Found(there)) = ledger.instance(id("i")).await else {
        panic!("it is gone");
    };
    assert!(there.last_operation.is(Kind::Provision, State::Failed));
    assert_eq!((there.version, there.updated_at), (2, Timestamp(20)));
    assert!(take(ledger, "a", 30).await.is_empty());
    // Nobody had it leased, so nothing has to wait.
    let next = begin(ledger, removal(ledger, "i", 40).await).await;
    assert_eq!(due(ledger, &next).await, (Some(40), None));
}

/// The process whose lease ran out may stop later, in good order: what it gives back was taken from it.
async fn what_goes_on_anew_is_not_given_back_by_its_old_owner(engine: &dyn Engine) {
    let ledger = &*engine.open();
    let operation = begin(ledger, jobs::provision("i", 100)).await;
    take_one(ledger, "sleeper", 100).await;
    let leased = ledger.retry(operation.clone(), Timestamp(199)).await;
    let until = Timestamp(200);
    let owner = "sleeper".into();
    assert_eq!(leased.ok(), Some(Stepped::Leased { owner, until }));
    let retried = ledger.retry(operation.clone(), until).await;
    assert_eq!(retried.ok(), Some(Stepped::Done));
    let given = ledger.give_back("sleeper".into(), Timestamp(210)).await;
    given.expect("an answer");
    let entry = ledger.entry(operation.clone()).await.expect("an answer");
    let entry = entry.expect("an operation");
    assert_eq!((entry.tries, entry.owner), (0, None));
    assert_eq!(entry.due_at, Some(until));
    let taken = take_one(ledger, "next", 210).await;
    assert_eq!((taken.attempt, taken.tries), (2, 1));
    end(ledger, &taken, 220, over(&taken, State::Succeeded)).await;
    let late = ledger.retry(operation, Timestamp(230)).await;
    assert_eq!(late.ok(), Some(Stepped::Over(State::Succeeded)));
    let nowhere = ledger.retry(OperationId::from_random([9; 16]), Timestamp(1));
    assert_eq!(nowhere.await.ok(), Some(Stepped::Absent));
}

/// Of several, the first that lets go must not let it go beside the others.
async fn what_may_still_act_is_waited_for_however_many_they_are(engine: &dyn Engine) {
    let ledger = &*engine.open();
    begin(ledger, super::provision("i")).await;
    let mut leased = Vec::new();
    for (name, now) in [("b", 100), ("c", 150)] {
        begin(ledger, jobs::bind("i", name, now)).await;
        leased.push(take_one(ledger, "sleeper", now).await);
    }
    for taken in &leased {
        let stepped = given_up(ledger, &taken.operation.id, 160).await;
        assert_eq!(stepped, Stepped::Done);
    }
    let next = begin(ledger, removal(ledger, "i", 170).await).await;
    assert_eq!(due(ledger, &next).await, (Some(250), None));
    end(ledger, &leased[0], 180, Ending::Stopped).await;
    assert_eq!(due(ledger, &next).await, (Some(250), None));
    assert!(take(ledger, "a", 249).await.is_empty());
    assert_eq!(take_one(ledger, "a", 250).await.operation.id, next);
}

/// A provision that was given up may still act; the next one waits for it, and so does the delete that cancels that one.
async fn a_delete_waits_for_what_the_one_that_it_cancels_waited_for(engine: &dyn Engine) {
    let ledger = &*engine.open();
    let first = begin(ledger, jobs::provision("i", 100)).await;
    let taken = take_one(ledger, "sleeper", 100).await;
    assert_eq!(given_up(ledger, &first, 110).await, Stepped::Done);
    let mut again = jobs::provision("i", 120);
    if let Act::Provision { instance, replaces } = &mut again.act {
        (instance.version, *replaces) = (3, Some(2));
    }
    let second = begin(ledger, again).await;
    assert_eq!(due(ledger, &second).await, (Some(200), Some(first.clone())));

    let mut delete = removal(ledger, "i", 130).await;
    if let Some(job) = &mut delete.job {
        job.cancels = Some(second.clone());
    }
    let delete = begin(ledger, delete).await;
    assert_eq!(due(ledger, &delete).await, (Some(200), Some(first)));
    assert!(take(ledger, "a", 140).await.is_empty(), "too early");
    end(ledger, &taken, 150, Ending::Stopped).await;
    assert_eq!(take_one(ledger, "a", 150).await.operation.id, delete);
}

fn forgetting(name: &str, now: i64) -> Operation {
    let mut by = super::operation(Kind::Deprovision, of(name));
    (by.started_at, by.finished_at) = (Timestamp(now), Some(Timestamp(now)));
    by
}

async fn what_is_forgotten_may_still_act(engine: &dyn Engine) {
    let ledger = &*engine.open();
    let nowhere = ledger.forget(id("i"), forgetting("i", 1)).await;
    assert_eq!(nowhere.ok(), Some(None));
    begin(ledger, super::provision("i")).await;
    begin(ledger, super::bind("i", "quiet", 1)).await;
    let bind = begin(ledger, jobs::bind("i", "b", 100)).await;
    let taken = take_one(ledger, "sleeper", 100).await;
    let by = forgetting("i", 110);
    let gone = ledger.forget(id("i"), by.clone()).await;
    assert_eq!(gone.ok(), Some(Some(2)));
    assert_eq!(ledger.instance(id("i")).await.ok(), Some(Lookup::Absent));
    let of_b = Subject::Binding(id("i"), binding_id("b"));
    let ended = jobs::operation(ledger, of_b.clone(), &bind).await;
    assert_eq!(ended.state, State::Failed);
    for subject in [of("i"), of_b] {
        let Ok(Lookup::Found(latest)) = ledger.operation(subject.clone(), None).await else {
            panic!("{subject:?} is not remembered");
        };
        assert_eq!(latest.id, by.id);
        assert!(latest.kind.removes() && latest.state == State::Succeeded);
    }

    // One of the same id waits for what may still act for the old one.
    let next = begin(ledger, jobs::provision("i", 120)).await;
    assert_eq!(due(ledger, &next).await, (Some(200), Some(bind)));
    let late = end(ledger, &taken, 150, over(&taken, State::Succeeded)).await;
    assert_eq!(late, Lease::Lost);
    assert_eq!(take_one(ledger, "a", 150).await.operation.id, next);

    // What was to be taken away is gone, and that is how it ends.
    begin(ledger, super::provision("j")).await;
    let delete = begin(ledger, removal(ledger, "j", 300).await).await;
    let gone = ledger.forget(id("j"), forgetting("j", 310)).await;
    assert_eq!(gone.ok(), Some(Some(0)));
    let ended = jobs::operation(ledger, of("j"), &delete).await;
    assert_eq!(ended.state, State::Succeeded);
}

/// Instances a to d, of two plans and organizations; c has bindings, and d is in progress.
pub(super) async fn fill(store: &dyn Store) {
    for (name, plan, organization) in [
        ("b", "plan", "org"),
        ("a", "other", "org"),
        ("c", "plan", "o2"),
    ] {
        let mut change = super::provision(name);
        if let Act::Provision { instance, .. } = &mut change.act {
            instance.plan_id = PlanId::parse(plan).expect("an id");
            organization.clone_into(&mut instance.organization);
        }
        begin(store, change).await;
    }
    for name in ["y", "x"] {
        begin(store, super::bind("c", name, 1)).await;
    }
    begin(store, jobs::provision("d", 100)).await;
    take_one(store, "sleeper", 100).await;
    begin(store, jobs::bind("c", "z", 110)).await;
}

async fn all_is_found_by_filter_and_page(engine: &dyn Engine) {
    let ledger = &*engine.open();
    fill(ledger).await;
    let all = || InstanceQuery {
        most: 10,
        ..InstanceQuery::default()
    };
    let plan = |text| Some(PlanId::parse(text).expect("an id"));
    let service = |text| Some(ServiceId::parse(text).expect("an id"));
    let state = Some(State::InProgress);
    let after = Some(id("a"));
    let organization = Some("o2".to_owned());
    for (query, expected) in [
        (all(), &["a", "b", "c", "d"][..]),
        (
            InstanceQuery {
                plan: plan("other"),
                ..all()
            },
            &["a"],
        ),
        (
            InstanceQuery {
                service: service("service"),
                most: 2,
                ..all()
            },
            &["a", "b"],
        ),
        (
            InstanceQuery {
                service: service("nowhere"),
                ..all()
            },
            &[],
        ),
        (
            InstanceQuery {
                organization,
                ..all()
            },
            &["c"],
        ),
        (InstanceQuery { state, ..all() }, &["d"]),
        (
            InstanceQuery {
                after,
                most: 2,
                ..all()
            },
            &["b", "c"],
        ),
    ] {
        let found = ledger
            .list_instances(query.clone())
            .await
            .expect("an answer");
        let names: Vec<&str> = found.iter().map(|found| found.id.as_str()).collect();
        assert_eq!(names, expected, "{query:?}");
    }
    let listed = ledger.list_instances(all()).await.expect("an answer");
    let found = ledger.instance(id("c")).await;
    let Ok(Lookup::Found(there)) = found else {
        panic!("{found:?}");
    };
    let listed = &listed[2];
    assert_eq!((&listed.space, listed.bindings), (&there.space, 3));
    assert_eq!(listed.last_operation, there.last_operation);
    assert_eq!(
        (listed.created_at, listed.updated_at),
        (there.created_at, there.updated_at)
    );
}

async fn operations_are_found_by_filter_the_newest_first(engine: &dyn Engine) {
    let ledger = &*engine.open();
    fill(ledger).await;
    let state = Some(State::InProgress);
    let of = |instance: Option<InstanceId>, state, most| OperationQuery {
        state,
        instance,
        most,
        ..OperationQuery::default()
    };
    for (query, expected) in [
        (of(None, state, 9), &["c bind", "d provision"][..]),
        (of(None, None, 1), &["c bind"]),
        (of(Some(id("d")), None, 9), &["d provision"]),
        (of(Some(id("d")), Some(State::Failed), 9), &[]),
    ] {
        let found = ledger
            .list_operations(query.clone())
            .await
            .expect("an answer");
        let names: Vec<String> = found
            .iter()
            .map(|found| {
                format!(
                    "{} {}",
                    found.operation.subject.instance(),
                    found.operation.kind
                )
            })
            .collect();
        assert_eq!(names, expected, "{query:?}");
    }
    let found = ledger.list_operations(of(Some(id("d")), None, 9)).await;
    let entry = &found.expect("an answer")[0];
    assert_eq!((entry.attempt, entry.tries), (1, 1));
    assert_eq!(entry.owner.as_deref(), Some("sleeper"));
    assert_eq!(entry.backend.as_deref(), Some("queue"));
    assert_eq!(entry.due_at, Some(Timestamp(200)));
    let alone = ledger.entry(entry.operation.id.clone()).await;
    assert_eq!(alone.ok().flatten().as_ref(), Some(entry));
}

async fn all_is_counted(engine: &dyn Engine) {
    let ledger = &*engine.open();
    let counts = ledger.counts().await.expect("an answer");
    assert!(counts.is_empty(), "{counts:?}");
    fill(ledger).await;
    let counts = ledger.counts().await.expect("an answer");
    let told = |of: &[crate::domain::ledger::PlanCount]| -> Vec<String> {
        let each = of.iter();
        each.map(|plan| format!("{} {} {}", plan.plan_id, plan.state, plan.count))
            .collect()
    };
    let expected = [
        "other succeeded 1",
        "plan in progress 1",
        "plan succeeded 2",
    ];
    assert_eq!(told(&counts.instances), expected);
    let expected = ["plan in progress 1", "plan succeeded 2"];
    assert_eq!(told(&counts.bindings), expected);
    assert_eq!(
        counts.operations,
        [(State::InProgress, 2), (State::Succeeded, 5)]
    );
    assert_eq!(Counts::total(&counts.instances), 4);
    let oldest = counts.oldest.expect("one runs");
    assert_eq!(oldest.operation.subject, of("d"));
    assert!(counts.bytes.is_some_and(|bytes| bytes > 10_000));
}

/// What who watches is told while the store is served: what goes on by kind and plan with the oldest, and the same counts.
async fn what_is_watched_is_what_is_there(engine: &dyn Engine) {
    let store = &*engine.open();
    let nothing = store.under_way().await.expect("an answer");
    assert_eq!(nothing, UnderWay::default());
    assert_eq!(
        store.inventory().await.expect("an answer"),
        Inventory::default()
    );
    fill(store).await;
    let (counts, inventory) = (store.counts().await, store.inventory().await);
    let (counts, inventory) = (counts.expect("an answer"), inventory.expect("an answer"));
    assert_eq!(inventory.instances, counts.instances);
    assert_eq!(inventory.bindings, counts.bindings);
    for (name, started) in [("x", 60), ("y", 50)] {
        begin(store, super::provision(name)).await;
        begin(store, jobs::bind(name, "b", started)).await;
    }
    let told = async || -> Vec<(Kind, String, u64, Timestamp)> {
        let under_way = store.under_way().await.expect("an answer");
        let each = under_way.operations.into_iter();
        each.map(|some| {
            let plan = some.plan_id.to_string();
            (some.kind, plan, some.count, some.oldest)
        })
        .collect()
    };
    let of_binds = async || {
        let all = told().await;
        let mut binds = all.into_iter().filter(|(kind, ..)| *kind == Kind::Bind);
        binds.next().expect("one runs")
    };
    let (_, plan, count, oldest) = of_binds().await;
    assert_eq!((&*plan, count, oldest), ("plan", 3, Timestamp(50)));
    let all = store.list_operations(OperationQuery {
        state: Some(State::InProgress),
        most: 100,
        ..OperationQuery::default()
    });
    let all = all.await.expect("an answer");
    let over = all
        .iter()
        .find(|entry| entry.operation.started_at == Timestamp(50));
    let over = &over.expect("the oldest").operation.id;
    assert_eq!(given_up(store, over, 600).await, Stepped::Done);
    let (_, _, count, oldest) = of_binds().await;
    let left = (count, oldest);
    assert_eq!(left, (2, Timestamp(60)), "what is over goes on no more");
}

/// What nothing acts for does not keep a plan in use, nor does what is gone.
async fn plans_are_in_use_by_what_a_backend_made(engine: &dyn Engine) {
    let ledger = &*engine.open();
    assert!(ledger.plans_in_use().await.expect("an answer").is_empty());
    for (name, service, plan, organization, backend) in [
        ("a", "s1", "p2", "o1", Some("one")),
        ("b", "s1", "p2", "o1", Some("two")),
        ("c", "s1", "p2", "o2", Some("one")),
        ("d", "s2", "p1", "o1", Some("one")),
        ("e", "s1", "p1", "o1", None),
    ] {
        let mut change = super::provision(name);
        let Act::Provision { instance, .. } = &mut change.act else {
            panic!("{change:?}");
        };
        instance.service_id = ServiceId::parse(service).expect("an id");
        instance.plan_id = PlanId::parse(plan).expect("an id");
        instance.organization = organization.to_owned();
        instance.backend = backend.map(Into::into);
        begin(ledger, change).await;
    }
    let told = async || -> Vec<String> {
        let plans = ledger.plans_in_use().await.expect("an answer");
        let each = plans.iter();
        each.map(|plan| {
            let (service, plan_id) = (&plan.service_id, &plan.plan_id);
            format!(
                "{service}/{plan_id} {} {}",
                plan.hits.instances(),
                plan.hits.organizations().len()
            )
        })
        .collect()
    };
    assert_eq!(told().await, ["s1/p2 3 2", "s2/p1 1 1"]);
    begin(ledger, super::deprovision("d", 1)).await;
    begin(ledger, super::deprovision("c", 1)).await;
    assert_eq!(told().await, ["s1/p2 2 1"]);
}

/// All rows, a few at a time. The turns of operations are each engine's own, and so is the order of those of several
/// subjects.
async fn exported(ledger: &dyn Ledger, most: u32) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut next = Some(Place::Start);
    while let Some(from) = next {
        let mut page = ledger.export(from, most).await.expect("a page");
        assert!(page.rows.len() <= most as usize);
        rows.append(&mut page.rows);
        next = page.next;
    }
    for row in &mut rows {
        if let Row::Operation(recorded) = row {
            recorded.turn = 0;
        }
    }
    rows.sort_by_key(|row| match row {
        Row::Operation(recorded) => {
            let subject = &recorded.entry.operation.subject;
            let binding = subject.binding().map(ToString::to_string);
            Some((subject.instance().to_string(), binding))
        }
        _ => None,
    });
    rows
}

/// From each engine to each: the rows are the same, and life goes on from there.
#[test]
fn a_state_is_the_same_on_another_engine() {
    let engines =
        || -> [Box<dyn Engine>; 2] { [Box::new(Sqlite::fresh()), Box::new(Postgres::fresh())] };
    for from in engines() {
        for to in engines() {
            run(copied(&*from, &*to));
        }
    }
}

async fn copied(from: &dyn Engine, to: &dyn Engine) {
    let source = from.open();
    let counts = source.counts().await.expect("an answer");
    if counts.is_empty() {
        fill(&*source).await;
        // Several operations of one subject, of which the latest counts.
        begin(&*source, super::provision("e")).await;
        for version in 1..7 {
            begin(&*source, super::update("e", version)).await;
        }
        begin(&*source, super::deprovision("e", 7)).await;
    }
    let rows = exported(&*source, 2).await;
    assert_eq!(rows.len(), 1 + 4 + 3 + 15, "{rows:?}");
    let target = to.open();
    for some in rows_of(&*source, 3).await {
        target.import(some).await.expect("they are written");
    }
    target.complete().await.expect("it is whole");
    assert_eq!(exported(&*target, 4).await, rows);
    source.close().await.expect("its end");
    target.close().await.expect("its end");
    drop((source, target));

    let (source, target) = (from.open(), to.open());
    let value = serde_json::json!(1);
    let keys = [&source, &target].map(|store| store.fingerprint_key().of(&value));
    assert_eq!(keys[0], keys[1]);
    let latest = super::kind_of(&*target, of("e"), None).await;
    assert_eq!(latest, Some(Kind::Deprovision));
    begin(&*target, super::provision("e")).await;
    let latest = super::kind_of(&*target, of("e"), None).await;
    assert_eq!(latest, Some(Kind::Provision));
    // Its lease goes with an operation, and its work.
    assert!(take(&*target, "a", 109).await.is_empty());
    let bind = take_one(&*target, "a", 110).await;
    assert_eq!(bind.operation.kind, Kind::Bind);
    let provision = take_one(&*target, "a", 200).await;
    assert_eq!(
        (provision.instance.id.as_str(), provision.attempt),
        ("d", 2)
    );
    end(&*target, &bind, 201, over(&bind, State::Succeeded)).await;
    let late = target.end(end_of(&provision, 201, over(&provision, State::Succeeded)));
    assert_eq!(late.await.ok(), Some(Lease::Held));
    let taken = source.take(asking("a", 109, 9)).await;
    assert!(taken.expect("an answer").is_empty(), "it was only read");
    source.close().await.expect("its end");
    target.close().await.expect("its end");
}

async fn rows_of(ledger: &dyn Ledger, most: u32) -> Vec<Vec<Row>> {
    let mut pages = Vec::new();
    let mut next = Some(Place::Start);
    while let Some(from) = next {
        let page = ledger.export(from, most).await.expect("a page");
        pages.push(page.rows);
        next = page.next;
    }
    pages
}

async fn what_was_not_copied_to_its_end_is_not_served(engine: &dyn Engine) {
    let store = engine.open();
    let rows = rows_of(&*store, 9).await.swap_remove(0);
    assert!(matches!(rows[..], [Row::Key(_)]), "{rows:?}");
    store.import(rows).await.expect("the key is written");
    store.close().await.expect("its end");
    drop(store);
    let mut tries = 0;
    let why = loop {
        let Err(why) = engine.try_open() else {
            panic!("half of a state is served");
        };
        // Another test of this process was starting a program: until that is one, it has all locks too.
        if !why.contains("another broker serves it") || tries == 1_000 {
            break why;
        }
        tries += 1;
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(why.contains("did not come to its end"), "{why}");
}
