//! The contract of a store, held against each engine that remembers; what `none` cannot promise it says.

pub(super) mod adopt;
#[path = "../../tests/postgres/cluster.rs"]
pub(super) mod cluster;
pub(super) mod engines;
mod expiring;
mod finding;
mod guards;
mod held;
pub(super) mod jobs;
mod ledger;
#[path = "../../tests/postgres/proxy.rs"]
pub(super) mod proxy;

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::domain::binding::{Binding, BindingDetails};
use crate::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use crate::domain::instance::{Instance, InstanceDetails};
use crate::domain::json::Fingerprint;
use crate::domain::operation::{Kind, LastOperation, Operation, Report, State, Subject};
use crate::domain::store::{Act, Begun, Change, Lookup, Store, StoreError};
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::store::none::NoStore;
use engines::Engine;

/// A folder that goes when the test does.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("target/store-tests")
            .join(name);
        fs::create_dir_all(&path).expect("a folder of the test's own");
        Self(path)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("broker.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

pub(super) fn id(text: &str) -> InstanceId {
    InstanceId::parse(text).expect("an id")
}

pub(super) fn binding_id(text: &str) -> BindingId {
    BindingId::parse(text).expect("an id")
}

pub(super) fn instance(name: &str, version: i64) -> Instance {
    let mut details = InstanceDetails::default();
    details.parameters.insert("n".to_owned(), json!(version));
    Instance {
        id: id(name),
        service_id: ServiceId::parse("service").expect("an id"),
        plan_id: PlanId::parse("plan").expect("an id"),
        organization: "org".to_owned(),
        space: "spáce".to_owned(),
        last_operation: last(Kind::Provision),
        backend: None,
        version,
        fingerprint: Fingerprint([7; 32]),
        created_at: Timestamp(1),
        updated_at: Timestamp(version),
        details: Secret::new(details),
    }
}

fn binding(of: &str, name: &str) -> Binding {
    let mut details = BindingDetails::default();
    let credentials = json!({ "password": "a\u{0}b\"ü" });
    details
        .answer
        .0
        .insert("credentials".to_owned(), credentials);
    Binding {
        instance_id: id(of),
        id: binding_id(name),
        service_id: ServiceId::parse("service").expect("an id"),
        plan_id: PlanId::parse("plan").expect("an id"),
        app_guid: None,
        last_operation: last(Kind::Bind),
        fingerprint: Fingerprint([8; 32]),
        created_at: Timestamp(2),
        details: Secret::new(details),
    }
}

fn last(kind: Kind) -> LastOperation {
    LastOperation {
        id: OperationId::from_random([5; 16]),
        kind,
        state: State::Succeeded,
    }
}

fn operation(kind: Kind, subject: Subject) -> Operation {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) as u128;
    Operation {
        id: OperationId::from_random(number.to_be_bytes()),
        kind,
        subject,
        state: State::Succeeded,
        report: Report::default(),
        fingerprint: None,
        started_at: Timestamp(3),
        finished_at: Some(Timestamp(4)),
    }
}

pub(super) fn provision(name: &str) -> Change {
    Change {
        operation: operation(Kind::Provision, Subject::Instance(id(name))),
        act: Act::Provision {
            instance: Box::new(instance(name, 1)),
            replaces: None,
        },
        job: None,
        guards: Vec::new(),
    }
}

pub(super) fn update(name: &str, expected_version: i64) -> Change {
    Change {
        operation: operation(Kind::Update, Subject::Instance(id(name))),
        act: Act::Update {
            instance: Box::new(instance(name, expected_version + 1)),
            expected_version,
        },
        job: None,
        guards: Vec::new(),
    }
}

pub(super) fn deprovision(name: &str, expected_version: i64) -> Change {
    Change {
        operation: operation(Kind::Deprovision, Subject::Instance(id(name))),
        act: Act::Deprovision { expected_version },
        job: None,
        guards: Vec::new(),
    }
}

pub(super) fn bind(of: &str, name: &str, expected_version: i64) -> Change {
    Change {
        operation: operation(Kind::Bind, Subject::Binding(id(of), binding_id(name))),
        act: Act::Bind {
            binding: Box::new(binding(of, name)),
            expected_version,
            replaces: None,
        },
        job: None,
        guards: Vec::new(),
    }
}

fn unbind(of: &str, name: &str) -> Change {
    Change {
        operation: operation(Kind::Unbind, Subject::Binding(id(of), binding_id(name))),
        act: Act::Unbind {
            expected: last(Kind::Bind).id,
        },
        job: None,
        guards: Vec::new(),
    }
}

/// The name of what came of a change, for tables.
async fn began(store: &dyn Store, change: Change) -> &'static str {
    match store.begin(change).await.expect("an answer") {
        Begun::Done => "done",
        Begun::Taken(_) => "taken",
        Begun::InstanceThere(there) => as_first(*there == instance(there.id.as_str(), 1)),
        Begun::BindingThere(there) => as_first(*there == binding("i", there.id.as_str())),
        Begun::Stale => "stale",
        Begun::Busy => "busy",
        Begun::Absent => "absent",
        Begun::Full(_) => "full",
        Begun::Lent(_) => "lent",
        Begun::Exhausted => "exhausted",
        Begun::Unmade(_) => "unmade",
        Begun::Unrecorded => "unrecorded",
    }
}

const fn as_first(same: bool) -> &'static str {
    if same { "there" } else { "there, but changed" }
}

async fn kind_of(store: &dyn Store, subject: Subject, named: Option<OperationId>) -> Option<Kind> {
    match store.operation(subject, named).await.expect("an answer") {
        Lookup::Found(operation) => Some(operation.kind),
        Lookup::Absent => None,
        Lookup::Unknowable => panic!("this store knows"),
    }
}

engines::contract! {
    changes_are_decided_in_order,
    what_was_stored_comes_back_as_it_was,
    operations_are_found_by_their_subject,
}

/// Each change in turn, and what a store that remembers says to it.
async fn changes_are_decided_in_order(engine: &dyn Engine) {
    let store = engine.open();
    {
        for (step, (change, expected)) in [
            (update("i", 1), "absent"),
            (bind("i", "b", 1), "absent"),
            (unbind("i", "b"), "absent"),
            (deprovision("i", 1), "absent"),
            (provision("i"), "done"),
            (provision("i"), "there"),
            (bind("i", "b", 7), "stale"),
            (bind("i", "b", 1), "done"),
            (bind("i", "b", 1), "there"),
            // What is there speaks before what has changed meanwhile.
            (update("i", 7), "stale"),
            (update("i", 1), "done"),
            (update("i", 1), "stale"),
            (provision("i"), "there, but changed"),
            (bind("i", "c", 1), "stale"),
            (bind("i", "c", 2), "done"),
            (unbind("i", "c"), "done"),
            (unbind("i", "c"), "absent"),
            (deprovision("i", 1), "stale"),
            (deprovision("i", 2), "done"),
            (deprovision("i", 2), "absent"),
            (unbind("i", "b"), "absent"),
            (provision("i"), "done"),
            (unbind("i", "b"), "absent"),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(began(&*store, change).await, expected, "step {step}");
        }
    }
}

async fn what_was_stored_comes_back_as_it_was(engine: &dyn Engine) {
    {
        let store = engine.open();
        assert_eq!(store.instance(id("i")).await.ok(), Some(Lookup::Absent));
        let absent = store.binding(id("i"), binding_id("b")).await;
        assert_eq!(absent.ok(), Some(Lookup::Absent));
        for change in [provision("i"), provision("j"), bind("i", "b", 1)] {
            assert_eq!(began(&*store, change).await, "done");
        }
        let key = store.fingerprint_key().of(&json!(1));
        store.close().await.expect("its end");
        let begun = store.begin(provision("k")).await;
        assert!(matches!(begun, Err(StoreError::Unavailable(_))), "closed");
        drop(store);

        let store = engine.open();
        assert_eq!(store.fingerprint_key().of(&json!(1)), key);
        let found = store.instance(id("i")).await.expect("an answer");
        assert_eq!(found, Lookup::Found(instance("i", 1)));
        for (of, name, expected) in [
            ("i", "b", Some(binding("i", "b"))),
            ("i", "c", None),
            ("j", "b", None),
        ] {
            let found = store.binding(id(of), binding_id(name)).await;
            let expected = Lookup::Found((instance(of, 1), expected));
            assert_eq!(found.expect("an answer"), expected, "{of} {name}");
        }
    }
}

async fn operations_are_found_by_their_subject(engine: &dyn Engine) {
    let store = engine.open();
    let store = &*store;
    let of_i = || Subject::Instance(id("i"));
    let of_b = || Subject::Binding(id("i"), binding_id("b"));
    {
        assert_eq!(kind_of(store, of_i(), None).await, None);
        let first = provision("i");
        let (named, whole) = (first.operation.id.clone(), first.operation.clone());
        let lost = update("i", 9);
        let of_lost = lost.operation.id.clone();
        let bound = bind("i", "b", 2);
        let binding = bound.operation.id.clone();
        for change in [first, lost, update("i", 1), bound] {
            store.begin(change).await.expect("an answer");
        }
        assert_eq!(kind_of(store, of_i(), None).await, Some(Kind::Update));
        assert_eq!(kind_of(store, of_b(), None).await, Some(Kind::Bind));
        let found = store.operation(of_i(), Some(named.clone())).await;
        assert_eq!(found.expect("an answer"), Lookup::Found(whole.clone()));
        for not_its_own in [of_lost, OperationId::from_random([9; 16])] {
            let latest = kind_of(store, of_i(), Some(not_its_own)).await;
            assert_eq!(latest, Some(Kind::Update), "unknown counts as absent");
        }
        let another = kind_of(store, of_b(), Some(named.clone())).await;
        assert_eq!(another, Some(Kind::Bind), "it is the instance's");

        store.begin(deprovision("i", 2)).await.expect("an answer");
        assert_eq!(kind_of(store, of_i(), None).await, Some(Kind::Deprovision));
        let swept = kind_of(store, of_b(), None).await;
        assert_eq!(swept, Some(Kind::Unbind), "it went with its instance");
        let made = kind_of(store, of_b(), Some(binding)).await;
        assert_eq!(made, Some(Kind::Bind), "it is known by name still");

        store.begin(provision("i")).await.expect("an answer");
        let again = kind_of(store, of_i(), None).await;
        assert_eq!(again, Some(Kind::Provision), "a second life");
        let found = store.operation(of_i(), Some(named)).await;
        assert_eq!(found.expect("an answer"), Lookup::Found(whole));

        for next in ["j", "k"] {
            store.sweep(Timestamp(i64::MAX), 99).await.expect("a sweep");
            store.begin(provision(next)).await.expect("an answer");
        }
        let of_j = Subject::Instance(id("j"));
        let forgotten = kind_of(store, of_j, None).await;
        assert_eq!(forgotten, None, "what came after it is another's");
    }
}

#[test]
fn none_remembers_nothing_and_says_so() {
    let store = NoStore::default();
    run(async {
        for _ in 0..2 {
            for change in [
                provision("i"),
                bind("i", "b", 1),
                update("i", 1),
                unbind("i", "b"),
                deprovision("i", 1),
            ] {
                assert_eq!(began(&store, change).await, "unrecorded");
            }
        }
        let instance = store.instance(id("i")).await;
        assert_eq!(instance.ok(), Some(Lookup::Unknowable));
        let binding = store.binding(id("i"), binding_id("b")).await;
        assert_eq!(binding.ok(), Some(Lookup::Unknowable));
        let operation = store.operation(Subject::Instance(id("i")), None).await;
        assert_eq!(operation.ok(), Some(Lookup::Unknowable));
        assert!(store.health().await.is_ok());
        assert!(store.close().await.is_ok());
    });
}
