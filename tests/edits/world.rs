//! A broker on a store of its own, in this process, whose backends only note what they were asked for.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use catalog_broker::app::Verdict;
use catalog_broker::catalog::{Memory, load_texts};
use catalog_broker::document::Environment;
use catalog_broker::domain::backend::{Acting, Backend, Done, Outcome, Progress, Work};
use catalog_broker::domain::bells::Bells;
use catalog_broker::domain::breaking::{Rule, Served};
use catalog_broker::domain::broker::{
    Bind, Bound, Broker, Provision, Provisioned, Removal, Removed,
};
use catalog_broker::domain::caller::Caller;
use catalog_broker::domain::catalog::Catalog;
use catalog_broker::domain::expiry::{Expiry, Unbinds};
use catalog_broker::domain::id::{BindingId, InstanceId, PlanId, ServiceId};
use catalog_broker::domain::live::Live;
use catalog_broker::domain::offering::Offering;
use catalog_broker::domain::operation::Kind;
use catalog_broker::domain::scope::Scope;
use catalog_broker::domain::store::Store as _;
use catalog_broker::domain::version::ApiVersion;
use catalog_broker::domain::worker::{Terms, Worker, Working};
use catalog_broker::secret::Secret;
use catalog_broker::settings::Breaking;
use catalog_broker::store::Keys;
use catalog_broker::store::sqlite::SqliteStore;
use catalog_broker::telemetry::LogWitness;
use serde_json::{Value, json};

use crate::document::{Document, NAMES};

/// What was asked for of which backend: its kind, and its name where it has one of its own.
type Asked = (Kind, &'static str, Option<String>);

#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<Vec<Asked>>>);

impl Notes {
    fn taken(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// In place of a program.
#[derive(Debug)]
struct Noting {
    kind: &'static str,
    name: String,
    notes: Notes,
}

impl Backend for Noting {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn carries_out(&self, _: Kind) -> bool {
        true
    }

    fn carry_out<'a>(&'a self, work: Work<'a>, _: &'a dyn Progress) -> Acting<'a> {
        let own = NAMES.contains(&&*self.name).then(|| self.name.clone());
        let mut notes = self.notes.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.push((work.kind, self.kind, own));
        Box::pin(std::future::ready(Outcome::Done(Done::default())))
    }
}

/// The catalog, where the document has no error.
fn catalog(document: &Document, notes: &Notes) -> Option<Arc<Catalog>> {
    let none: Vec<(&str, &str)> = Vec::new();
    let environment = Environment::new(Vec::<(String, String)>::new());
    let files = vec![("catalog.yaml", document.text())];
    let catalog = load_texts(files, &environment, none, Memory::Remembers).catalog?;
    let oldest = catalog.minimum_api_version();
    let (offered, hidden) = (catalog.offerings().to_vec(), catalog.hidden().to_vec());
    drop(catalog);
    let noting = |offering: Arc<Offering>| {
        let mut offering = Arc::into_inner(offering).expect("the only one");
        let plans = offering.plans.into_iter().map(|plan| {
            let mut plan = Arc::into_inner(plan).expect("the only one");
            if plan.backend.carries_out(Kind::Bind) {
                plan.backend = Arc::new(Noting {
                    kind: plan.backend.kind(),
                    name: plan.backend.name().to_owned(),
                    notes: notes.clone(),
                });
            }
            Arc::new(plan)
        });
        offering.plans = plans.collect();
        Arc::new(offering)
    };
    let offered = offered.into_iter().map(noting).collect();
    let hidden = hidden.into_iter().map(noting).collect();
    Some(Arc::new(Catalog::new(oldest, offered).with_hidden(hidden)))
}

/// What came of an edit.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    /// One of the documents has an error: no broker serves it.
    Unsound,
    /// The guard refuses it.
    Refused,
    /// It is served, and what lives goes on as before.
    Served,
    /// It is served, and this is another thing now.
    Changed(String),
}

/// An instance that lives.
#[derive(Clone)]
struct Instance {
    id: String,
    service: ServiceId,
    plan: PlanId,
    names: (String, String),
    bound: bool,
}

/// How a call went: in a word, and what acted for it.
#[derive(Debug)]
struct Went {
    call: &'static str,
    well: bool,
    answer: String,
    acted: Vec<Asked>,
}

/// Two of each plan, one with a binding and one without, go through all calls before the edit, and their twins after it.
pub async fn lived(file: &Path, old: &Document, new: &Document, allowed: &[Breaking]) -> Came {
    let notes = Notes::default();
    let (Some(old), Some(new)) = (catalog(old, &notes), catalog(new, &notes)) else {
        return Came::Unsound;
    };
    let store = Arc::new(SqliteStore::open(file, &Keys::default()).expect("a store"));
    let live = Arc::new(Live::new(Arc::clone(&old)));
    let (broker, working) = started(&live, &store);
    let (before, after) = (
        made(&broker, &old, "before").await,
        made(&broker, &old, "after").await,
    );
    let (was, is) = (Served::of(&old), Served::of(&new));
    let verdict = Verdict::of(Some(&was), &is, Some(&new), &*store, allowed).await;
    let verdict = verdict.expect("a store");
    let came = if verdict.refused.is_nothing() {
        notes.taken();
        let mut seen = Vec::new();
        for instance in &before {
            seen.push(all_calls(&broker, instance, &notes).await);
        }
        live.replace(Arc::clone(&new));
        let mut came = Came::Served;
        for (instance, before) in after.iter().zip(&seen) {
            let after = all_calls(&broker, instance, &notes).await;
            // It is hidden, or it has left: nobody is to bind to it any more, and the log says so.
            let left = is_gone(&verdict, instance) || is_hidden(&new, instance);
            if let Some(change) = change(before, &after, left) {
                came = Came::Changed(format!("{:?}, {}: {change}", instance.names, instance.id));
                break;
            }
        }
        came
    } else {
        Came::Refused
    };
    working.stop().await;
    store.close().await.expect("a store");
    came
}

fn is_gone(verdict: &Verdict, instance: &Instance) -> bool {
    verdict.told.breaches().iter().any(|breach| {
        let is_it = (&breach.service, &breach.plan) == (&instance.names.0, &instance.names.1);
        is_it && breach.rule == Rule::PlanGone
    })
}

fn is_hidden(catalog: &Catalog, instance: &Instance) -> bool {
    let is_it =
        |service: &ServiceId, plan: &PlanId| *service == instance.service && *plan == instance.plan;
    let hidden = catalog.hidden().iter();
    hidden
        .flat_map(|offering| offering.plans.iter().map(move |plan| (offering, plan)))
        .any(|(offering, plan)| is_it(&offering.id, &plan.id))
}

/// What went well before and does not now, or is done by something else.
fn change(before: &[Went], after: &[Went], left: bool) -> Option<String> {
    let differs = |(before, after): &(&Went, &Went)| {
        let meant = left && before.call.starts_with("bind");
        let same_name = |one: &Option<String>, other: &Option<String>| {
            one.is_none() || other.is_none() || one == other
        };
        let acted = before.acted.len() == after.acted.len()
            && before.acted.iter().zip(&after.acted).all(|(one, other)| {
                (one.0, one.1) == (other.0, other.1) && same_name(&one.2, &other.2)
            });
        before.well && !meant && !(before.answer == after.answer && acted)
    };
    let (before, after) = before.iter().zip(after).find(differs)?;
    Some(format!("{before:?} before, {after:?} after"))
}

fn started(live: &Arc<Live>, store: &Arc<SqliteStore>) -> (Broker, Working) {
    let bells = Arc::new(Bells::default());
    let witness = Arc::new(LogWitness::default());
    let clock = catalog_broker::app::clock;
    let terms = Terms {
        owner: "edits".into(),
        lease: Duration::from_secs(60),
        at_once: 8,
        look_every: Duration::from_secs(1),
        keep: Duration::from_secs(600),
        expiry: Expiry {
            unbinds: Unbinds::Told,
            grace: Duration::from_secs(60),
        },
    };
    let worker = Worker::new(
        Arc::clone(live),
        Arc::clone(store) as _,
        Arc::clone(&witness) as _,
        clock,
        Arc::clone(&bells),
        terms,
    );
    let patience = Duration::from_secs(60);
    let store = Arc::clone(store);
    let broker = Broker::new(Arc::clone(live), store, witness, clock, bells, patience);
    (broker, worker.start())
}

fn caller() -> Caller {
    Caller {
        login: "edits".into(),
        scope: Scope::All,
        api_version: ApiVersion {
            major: 2,
            minor: 17,
        },
        originating_identity: None,
        request_identity: None,
        trace: None,
        peer: None,
    }
}

fn object(value: Value) -> Secret<serde_json::Map<String, Value>> {
    match value {
        Value::Object(object) => Secret::new(object),
        other => panic!("{other} is no object"),
    }
}

async fn made(broker: &Broker, catalog: &Catalog, twin: &str) -> Vec<Instance> {
    let mut all = Vec::new();
    for offering in catalog.offerings() {
        for plan in &offering.plans {
            for bound in [true, false] {
                let mut instance = Instance {
                    id: format!("{twin}-{}-{bound}", plan.id),
                    service: offering.id.clone(),
                    plan: plan.id.clone(),
                    names: (offering.name.to_string(), plan.name.to_string()),
                    bound,
                };
                let made = broker
                    .provision(&caller(), instance.id(), instance.provision())
                    .await;
                assert!(matches!(made, Ok(Provisioned::Created(_))), "{made:?}");
                if bound {
                    let made = instance
                        .bind(broker, "b0", json!({ "app_guid": "app" }))
                        .await;
                    // Of one that is not bindable there is none.
                    instance.bound = made.is_ok();
                }
                all.push(instance);
            }
        }
    }
    all
}

impl Instance {
    fn id(&self) -> InstanceId {
        InstanceId::parse(&self.id).expect("an id")
    }

    fn provision(&self) -> Provision {
        Provision {
            service_id: self.service.clone(),
            plan_id: self.plan.clone(),
            organization: "organization".to_owned(),
            space: "space".to_owned(),
            context: object(json!({})),
            parameters: object(json!({ "size": 5 })),
            maintenance_version: None,
            accepts_incomplete: true,
        }
    }

    async fn bind(&self, broker: &Broker, id: &str, resource: Value) -> Result<String, String> {
        let request = Bind {
            named: Some((self.service.clone(), self.plan.clone())),
            bind_resource: Some(object(resource)),
            accepts_incomplete: true,
            ..Bind::default()
        };
        let id = BindingId::parse(id).expect("an id");
        let bound = broker.bind(&caller(), self.id(), id, request).await;
        let bound = bound.map(|bound| match bound {
            Bound::Created(_) => "created",
            Bound::AlreadyThere(_) => "already there",
            Bound::Accepted(_) => "accepted",
        });
        told(bound)
    }

    fn removal(&self) -> Removal {
        Removal {
            service_id: Ok(self.service.clone()),
            plan_id: Ok(self.plan.clone()),
            accepts_incomplete: true,
        }
    }
}

/// The outcome in a word: what is rendered may change, for the document says so.
fn told<E: std::fmt::Debug>(outcome: Result<&str, E>) -> Result<String, String> {
    outcome.map(str::to_owned).map_err(|error| {
        let whole = format!("{error:?}");
        let end = whole.find(|char: char| !char.is_alphanumeric());
        whole[..end.unwrap_or(whole.len())].to_owned()
    })
}

fn removed(removed: &Removed) -> &'static str {
    match removed {
        Removed::Now => "now",
        Removed::Before => "before",
        Removed::Accepted(_) => "accepted",
    }
}

/// All that a platform asks for of an instance, to its end.
async fn all_calls(broker: &Broker, instance: &Instance, notes: &Notes) -> Vec<Went> {
    let caller = caller();
    let first = || BindingId::parse("b0").expect("an id");
    let mut all = Vec::new();
    let mut note = |call, outcome: Result<String, String>| {
        let well = outcome.is_ok();
        let answer = outcome.unwrap_or_else(|error| error);
        let mut acted = notes.taken();
        acted.sort_by_key(|asked| asked.0.to_string());
        all.push(Went {
            call,
            well,
            answer,
            acted,
        });
    };
    let fetched = broker.fetch_instance(&caller, instance.id()).await;
    note("fetch", told(fetched.map(|_| "found")));
    if instance.bound {
        let fetched = broker.fetch_binding(&caller, instance.id(), first()).await;
        note("fetch the binding", told(fetched.map(|_| "found")));
        let gone = broker
            .unbind(&caller, instance.id(), first(), instance.removal())
            .await;
        note("unbind", told(gone.as_ref().map(removed)));
    }
    note(
        "bind",
        instance
            .bind(broker, "b1", json!({ "app_guid": "app" }))
            .await,
    );
    note(
        "bind a route",
        instance
            .bind(broker, "b2", json!({ "route": "r.example.com" }))
            .await,
    );
    // Each deprovision has no binding to take along, whether that could be made or not.
    for id in ["b1", "b2"] {
        let id = BindingId::parse(id).expect("an id");
        let gone = broker
            .unbind(&caller, instance.id(), id, instance.removal())
            .await;
        assert!(gone.is_ok(), "{gone:?}");
    }
    notes.taken();
    let gone = broker
        .deprovision(&caller, instance.id(), instance.removal())
        .await;
    note("deprovision", told(gone.as_ref().map(removed)));
    all
}
