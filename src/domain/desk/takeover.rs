//! Instances and bindings of another broker, recorded as if this one had made them. First all is weighed, then all is
//! written: who reads what was weighed decides in between.

use std::collections::HashMap;

use serde_json::Value;

use super::DeskError;
use crate::domain::broker::takeover;
use crate::domain::broker::{Bind, Provision};
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::json::Object;
use crate::domain::offering::Schemas;
use crate::domain::operation::Operation;
use crate::domain::pool::Lend;
use crate::domain::schema::{Schema, Violation};
use crate::domain::store::{Act, Begun, Change, Lookup, Store};
use crate::domain::time::Timestamp;
use crate::domain::witness::{Intervened, Witness};
use crate::secret::Secret;

pub use crate::domain::broker::takeover::Known;

/// An instance to be taken over.
#[derive(Clone, Debug)]
pub struct OldInstance {
    /// Its id.
    pub id: InstanceId,
    /// The request that made it.
    pub request: Provision,
    /// What else is known of it.
    pub known: Known,
    /// Where its user manages it, if it is not where the plan says.
    pub dashboard_url: Option<String>,
}

/// A binding to be taken over.
#[derive(Clone, Debug)]
pub struct OldBinding {
    /// The instance it is of.
    pub instance: InstanceId,
    /// Its id.
    pub id: BindingId,
    /// The request that made it. Offering and plan are those of its instance.
    pub request: Bind,
    /// What else is known of it.
    pub known: Known,
    /// The fields of its answer; without one it is rendered.
    pub answer: Secret<Object>,
}

/// What there is to be done for one of them.
#[derive(Clone, Debug)]
pub enum Weighed {
    /// It is to be recorded; and where its parameters do not fit the plan's schema: it is there all the same.
    New(Box<Change>, Vec<Violation>),
    /// Something with its id is in the store: that stays as it is.
    There,
}

/// Why one of them cannot be taken over.
#[derive(Debug)]
pub enum Unfit {
    /// The broker's rules: it is not in the catalog, cannot be bound, or a template fails.
    Broker(BrokerError),
    /// Its instance is neither in the store nor taken over with it.
    NoInstance(InstanceId),
    /// Its instance cannot be taken over.
    InstanceUnfit(InstanceId),
    /// It has an entry of its plan's pool, and the line does not say which.
    NoEntry(PlanId),
    /// Its instance is being changed, or was never made to its end.
    InstanceNotUsable(InstanceId),
}

/// How many were recorded, and how many were there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Recorded.
    pub new: u64,
    /// Left as they are.
    pub there: u64,
}

/// Weighs what is to be taken over into a store, instances before bindings.
pub struct Takeover<'a> {
    store: &'a dyn Store,
    catalog: &'a Catalog,
    now: Timestamp,
    // Those that have been weighed; nothing for one that is unfit.
    instances: HashMap<InstanceId, Option<Instance>>,
}

impl<'a> Takeover<'a> {
    /// Into `store`, of what `catalog` offers.
    pub fn new(store: &'a dyn Store, catalog: &'a Catalog, now: Timestamp) -> Self {
        Self {
            store,
            catalog,
            now,
            instances: HashMap::new(),
        }
    }

    /// Weighs an instance.
    pub async fn instance(
        &mut self,
        old: &OldInstance,
    ) -> Result<Result<Weighed, Unfit>, DeskError> {
        if let Lookup::Found(there) = self.store.instance(old.id.clone()).await? {
            self.instances.insert(old.id.clone(), Some(there));
            return Ok(Ok(Weighed::There));
        }
        let (service, plan) = (&old.request.service_id, &old.request.plan_id);
        if self.lacks_entry((service, plan), Lend::Instance, &old.known) {
            self.instances.insert(old.id.clone(), None);
            return Ok(Err(Unfit::NoEntry(plan.clone())));
        }
        let change = takeover::instance(
            self.store.fingerprint_key(),
            self.catalog,
            &old.id,
            &old.request,
            (&old.known, old.dashboard_url.as_deref()),
            self.now,
        );
        let made = change.as_ref().ok().and_then(made);
        self.instances.insert(old.id.clone(), made);
        let schemas = self.schemas(service, plan);
        let schema = schemas.and_then(|schemas| schemas.instance_create.as_ref());
        let violations = violations(schema, Some(&old.request.parameters));
        Ok(new(change, violations))
    }

    /// Weighs a binding of an instance that was weighed before, or is in the store.
    pub async fn binding(&mut self, old: &OldBinding) -> Result<Result<Weighed, Unfit>, DeskError> {
        let found = self.store.binding(old.instance.clone(), old.id.clone());
        let stored = match found.await? {
            Lookup::Found((_, Some(_))) => return Ok(Ok(Weighed::There)),
            Lookup::Found((instance, None)) => Some(instance),
            Lookup::Absent | Lookup::Unknowable => None,
        };
        let instance = match (&stored, self.instances.get(&old.instance)) {
            (Some(instance), _) | (None, Some(Some(instance))) => instance,
            (None, Some(None)) => return Ok(Err(Unfit::InstanceUnfit(old.instance.clone()))),
            (None, None) => return Ok(Err(Unfit::NoInstance(old.instance.clone()))),
        };
        let last = &instance.last_operation;
        if last.in_progress() || instance.is_broken() {
            return Ok(Err(Unfit::InstanceNotUsable(old.instance.clone())));
        }
        let (service, plan) = (&instance.service_id, &instance.plan_id);
        if self.lacks_entry((service, plan), Lend::Binding, &old.known) {
            return Ok(Err(Unfit::NoEntry(plan.clone())));
        }
        let change = takeover::binding(
            self.store.fingerprint_key(),
            self.catalog,
            instance,
            (&old.id, &old.request),
            (&old.known, &old.answer),
            self.now,
        );
        let schemas = self.schemas(&instance.service_id, &instance.plan_id);
        let schema = schemas.and_then(|schemas| schemas.binding_create.as_ref());
        let violations = violations(schema, old.request.parameters.as_ref());
        Ok(new(change, violations))
    }

    fn lacks_entry(&self, (service, plan): (&ServiceId, &PlanId), to: Lend, known: &Known) -> bool {
        let chosen = self.catalog.choose(service, plan);
        chosen.is_ok_and(|chosen| takeover::lacks_entry(chosen.plan, to, known))
    }

    fn schemas(&self, service: &ServiceId, plan: &PlanId) -> Option<&Schemas> {
        let chosen = self.catalog.choose(service, plan).ok()?;
        Some(&chosen.plan.schemas)
    }
}

/// Where parameters do not fit; what is not given is an empty object, as in a request.
fn violations(schema: Option<&Schema>, parameters: Option<&Secret<Object>>) -> Vec<Violation> {
    let given = parameters.map(|parameters| parameters.expose().clone());
    schema.map_or_else(Vec::new, |schema| {
        schema.violations(&Value::Object(given.unwrap_or_default()))
    })
}

fn new(change: Result<Change, BrokerError>, violations: Vec<Violation>) -> Result<Weighed, Unfit> {
    match change {
        Ok(change) => Ok(Weighed::New(Box::new(change), violations)),
        Err(error) => Err(Unfit::Broker(error)),
    }
}

fn made(change: &Change) -> Option<Instance> {
    match &change.act {
        Act::Provision { instance, .. } => Some((**instance).clone()),
        _ => None,
    }
}

/// Records what was weighed, in that order, and tells of each. Each is a transaction of its own: what others made meanwhile
/// is left as it is, so that it can be run again after whatever ended it.
pub async fn record(
    store: &dyn Store,
    witness: &dyn Witness,
    weighed: Vec<Weighed>,
) -> Result<TakenOver, DeskError> {
    let mut taken = TakenOver::default();
    for one in weighed {
        let Weighed::New(change, _) = one else {
            taken.there += 1;
            continue;
        };
        let operation = change.operation.clone();
        match store.begin(*change).await? {
            Begun::Done | Begun::Lent(_) => {
                taken.new += 1;
                tell(witness, &operation);
            }
            Begun::InstanceThere(_) | Begun::BindingThere(_) => taken.there += 1,
            _ => return Err(DeskError::Changed),
        }
    }
    Ok(taken)
}

fn tell(witness: &dyn Witness, operation: &Operation) {
    witness.intervened(&Intervened {
        operation: &operation.id,
        kind: operation.kind,
        subject: &operation.subject,
        what: "taken over",
        login: None,
        peer: None,
    });
}
