//! The looks into the store, counted: as many for what another platform has as for what is not there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog_broker::catalog::{Memory, load_texts};
use catalog_broker::document::Environment;
use catalog_broker::domain::bells::Bells;
use catalog_broker::domain::binding::Binding;
use catalog_broker::domain::broker::{Bind, Broker, Provision, Removal, Update};
use catalog_broker::domain::caller::Caller;
use catalog_broker::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use catalog_broker::domain::instance::Instance;
use catalog_broker::domain::json::FingerprintKey;
use catalog_broker::domain::live::Live;
use catalog_broker::domain::operation::{Operation, Subject};
use catalog_broker::domain::scope::Scope;
use catalog_broker::domain::store::{
    Answer, Begun, Change, Claim, End, Lease, Lookup, PlanInUse, Renewal, Store, Take, Taken,
    Unbound,
};
use catalog_broker::domain::time::Timestamp;
use catalog_broker::domain::version::ApiVersion;
use catalog_broker::secret::Secret;
use catalog_broker::store::Keys;
use catalog_broker::store::sqlite::SqliteStore;
use catalog_broker::telemetry::LogWitness;

use super::CATALOG;
use crate::harness::Folder;

/// A real store, and what was asked of it, in order.
struct Counting {
    store: SqliteStore,
    asked: Mutex<Vec<&'static str>>,
}

impl Counting {
    fn note(&self, what: &'static str) {
        self.asked.lock().expect("the list").push(what);
    }
}

impl Store for Counting {
    fn begin(&self, change: Change) -> Answer<'_, Begun> {
        self.note("begin");
        self.store.begin(change)
    }

    fn instance(&self, id: InstanceId) -> Answer<'_, Lookup<Instance>> {
        self.note("instance");
        self.store.instance(id)
    }

    fn binding(
        &self,
        instance: InstanceId,
        id: BindingId,
    ) -> Answer<'_, Lookup<(Instance, Option<Binding>)>> {
        self.note("binding");
        self.store.binding(instance, id)
    }

    fn operation(
        &self,
        subject: Subject,
        named: Option<OperationId>,
    ) -> Answer<'_, Lookup<Operation>> {
        self.note("operation");
        self.store.operation(subject, named)
    }

    fn take(&self, take: Take) -> Answer<'_, Vec<Taken>> {
        self.store.take(take)
    }

    fn renew(&self, renewal: Renewal) -> Answer<'_, Lease> {
        self.store.renew(renewal)
    }

    fn end(&self, end: End) -> Answer<'_, Lease> {
        self.store.end(end)
    }

    fn unbound(&self, unbound: Unbound) -> Answer<'_, Lease> {
        self.store.unbound(unbound)
    }

    fn bindings(&self, instance: InstanceId) -> Answer<'_, Vec<Binding>> {
        self.note("bindings");
        self.store.bindings(instance)
    }

    fn claim_expired(&self, claim: Claim) -> Answer<'_, Vec<(InstanceId, BindingId)>> {
        self.store.claim_expired(claim)
    }

    fn plans_in_use(&self) -> Answer<'_, Vec<PlanInUse>> {
        self.store.plans_in_use()
    }

    fn give_back(&self, owner: Arc<str>, now: Timestamp) -> Answer<'_, ()> {
        self.store.give_back(owner, now)
    }

    fn sweep(&self, before: Timestamp, most: u32) -> Answer<'_, u64> {
        self.store.sweep(before, most)
    }

    fn health(&self) -> Answer<'_, ()> {
        self.store.health()
    }

    fn fingerprint_key(&self) -> &FingerprintKey {
        self.store.fingerprint_key()
    }

    fn close(&self) -> Answer<'_, ()> {
        self.store.close()
    }
}

fn clock() -> Timestamp {
    static NOW: AtomicUsize = AtomicUsize::new(1_700_000_000_000);
    Timestamp(i64::try_from(NOW.fetch_add(1, Ordering::Relaxed)).expect("a time"))
}

fn caller(offering: &str) -> Caller {
    Caller {
        login: offering.into(),
        scope: Scope::only([offering.to_owned()]),
        api_version: ApiVersion {
            major: 2,
            minor: 17,
        },
        originating_identity: None,
        request_identity: None,
        peer: None,
        trace: None,
    }
}

fn instance(id: &str) -> InstanceId {
    InstanceId::parse(id).expect("an id")
}

fn binding() -> BindingId {
    BindingId::parse("b").expect("an id")
}

fn named(offering: &str) -> (ServiceId, PlanId) {
    (
        ServiceId::parse(&format!("{offering}-id")).expect("an id"),
        PlanId::parse(&format!("{offering}-plan")).expect("an id"),
    )
}

fn provision(offering: &str) -> Provision {
    let (service_id, plan_id) = named(offering);
    Provision {
        service_id,
        plan_id,
        organization: "org".to_owned(),
        space: "space".to_owned(),
        context: Secret::default(),
        parameters: Secret::default(),
        maintenance_version: None,
        accepts_incomplete: true,
    }
}

fn removal(offering: &str) -> Removal {
    let (service, plan) = named(offering);
    Removal {
        service_id: Ok(service),
        plan_id: Ok(plan),
        accepts_incomplete: true,
    }
}

fn bind(offering: &str) -> Bind {
    Bind {
        named: Some(named(offering)),
        accepts_incomplete: true,
        ..Bind::default()
    }
}

fn update(offering: &str) -> Update {
    let (service_id, plan_id) = named(offering);
    Update {
        service_id,
        plan_id: Some(plan_id),
        context: None,
        parameters: None,
        maintenance_version: None,
        previous: catalog_broker::domain::broker::Previous::default(),
        accepts_incomplete: true,
    }
}

/// Asks for everything about an instance: what was answered and what the store was asked, call by call.
async fn everything(
    broker: &Broker,
    store: &Counting,
    caller: &Caller,
    id: &str,
) -> Vec<(String, Vec<&'static str>)> {
    let mut all = Vec::new();
    let at = || Subject::Instance(instance(id));
    let bound = || Subject::Binding(instance(id), binding());
    macro_rules! call {
        ($call:expr) => {{
            store.asked.lock().expect("the list").clear();
            let answer = format!("{:?}", $call.await).replace(id, "ID");
            let asked = store.asked.lock().expect("the list").clone();
            all.push((answer, asked));
        }};
    }
    call!(broker.fetch_instance(caller, instance(id)));
    call!(broker.fetch_binding(caller, instance(id), binding()));
    call!(broker.poll(caller, at(), None));
    call!(broker.poll(caller, bound(), None));
    for offering in ["blue", "green"] {
        call!(broker.update(caller, instance(id), update(offering)));
        call!(broker.bind(caller, instance(id), binding(), bind(offering)));
        call!(broker.unbind(caller, instance(id), binding(), removal(offering)));
        call!(broker.deprovision(caller, instance(id), removal(offering)));
    }
    call!(broker.provision(caller, instance(id), provision("blue")));
    all
}

#[test]
fn as_many_looks_into_the_store_as_for_what_is_not_there() {
    let folder = Folder::new();
    let path = folder.path().join("broker.db");
    let store = Arc::new(Counting {
        store: SqliteStore::open(&path, &Keys::default()).expect("a store"),
        asked: Mutex::default(),
    });
    let loaded = load_texts(
        vec![("catalog.yaml", CATALOG.to_owned())],
        &Environment::default(),
        Vec::<(&str, &str)>::new(),
        Memory::Remembers,
    );
    let broker = Broker::new(
        Arc::new(Live::new(loaded.catalog.expect("a catalog"))),
        Arc::clone(&store) as Arc<dyn Store>,
        Arc::new(LogWitness::default()),
        clock,
        Arc::new(Bells::default()),
        Duration::from_secs(10),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (blue, green) = (caller("blue"), caller("green"));
        let made = broker.provision(&blue, instance("theirs"), provision("blue"));
        made.await.expect("an instance");
        let bound = broker.bind(&blue, instance("theirs"), binding(), bind("blue"));
        bound.await.expect("a binding");
        let theirs = everything(&broker, &store, &green, "theirs").await;
        let nobody = everything(&broker, &store, &green, "nobody").await;
        assert_eq!(theirs, nobody);
        let looks: usize = theirs.iter().map(|(_, asked)| asked.len()).sum();
        assert!(
            looks >= theirs.len(),
            "each looks at least once: {theirs:#?}"
        );
        // One whose it is asks as often for what is there, and is told of it.
        let own = everything(&broker, &store, &blue, "theirs").await;
        assert_ne!(own, theirs);
        assert_eq!(own[0].1, theirs[0].1);
        assert_eq!(own[1].1, theirs[1].1);
    });
}
