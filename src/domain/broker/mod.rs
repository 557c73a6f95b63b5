//! The platform's door: what may happen, in what order.
//!
//! One file a call. The order of checks is the contract's (rows 6 to 14); rows 1 to 5 are HTTP's. A row is named where it
//! is checked, so that the order can be read off the code.

mod adopt;
pub(in crate::domain) mod again;
mod begin;
mod bind;
mod deprovision;
mod fetch;
mod later;
mod lend;
mod limits;
mod poll;
mod preview;
mod probe;
mod provision;
mod removal;
mod sight;
pub(in crate::domain) mod takeover;
mod turns;
mod unbind;
mod update;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::answer::{BindingAnswer, InstanceAnswer};
use super::bells::Bells;
use super::binding::Binding;
use super::caller::Caller;
use super::catalog::{Catalog, NotOffered};
use super::error::BrokerError;
use super::id::{InstanceId, OperationId, PlanId, ServiceId};
use super::json::Object;
use super::live::Live;
use super::offering::{Chosen, Plan};
use super::operation::{Kind, Operation, Report, State, Subject};
use super::schema::Schema;
use super::store::{Begun, Job, Lookup, Store, StoreError};
use super::time::{Clock, Timestamp};
use super::trace::Trace;
use super::version::ApiVersion;
use super::witness::{Event, Witness};
use crate::secret::Secret;
use turns::Turns;

use later::{Manner, Reached};

pub use later::Accepted;
pub use preview::preview;
pub use probe::{Probed, Tried, probe};
pub use removal::Removal;

/// The platform's door. Every method takes the caller from the first day: who may do what is decided by it.
pub struct Broker {
    live: Arc<Live>,
    store: Arc<dyn Store>,
    witness: Arc<dyn Witness>,
    clock: Clock,
    bells: Arc<Bells>,
    patience: Duration,
    turns: Turns,
}

/// A provision as it was asked for.
#[derive(Clone, Debug)]
pub struct Provision {
    /// The offering.
    pub service_id: ServiceId,
    /// The plan.
    pub plan_id: PlanId,
    /// The platform's organization.
    pub organization: String,
    /// The platform's space.
    pub space: String,
    /// What the platform says around it.
    pub context: Secret<Object>,
    /// What its user says.
    pub parameters: Secret<Object>,
    /// The maintenance that the platform expects, if it says.
    pub maintenance_version: Option<String>,
    /// Whether the platform takes a 202.
    pub accepts_incomplete: bool,
}

/// An update as it was asked for: what is absent stays as it is.
#[derive(Clone, Debug)]
pub struct Update {
    /// The offering.
    pub service_id: ServiceId,
    /// The plan to move to; the one it has counts as none.
    pub plan_id: Option<PlanId>,
    /// What the platform says around it.
    pub context: Option<Secret<Object>>,
    /// Parameters that replace those of the same name.
    pub parameters: Option<Secret<Object>>,
    /// The maintenance to have.
    pub maintenance_version: Option<String>,
    /// What the platform says of the instance before it.
    pub previous: Previous,
    /// Whether the platform takes a 202.
    pub accepts_incomplete: bool,
}

/// What a platform says of an instance before an update. It is never held against what is known; of an instance that is
/// not, it is what is known.
#[derive(Clone, Debug, Default)]
pub struct Previous {
    /// The plan.
    pub plan_id: Option<PlanId>,
    /// The platform's organization.
    pub organization: Option<String>,
    /// The platform's space.
    pub space: Option<String>,
}

/// A bind as it was asked for.
#[derive(Clone, Debug, Default)]
pub struct Bind {
    /// Offering and plan; a rotation may leave them out.
    pub named: Option<(ServiceId, PlanId)>,
    /// The binding to succeed, where this is a rotation.
    pub predecessor: Option<super::id::BindingId>,
    /// What the platform says around it.
    pub context: Option<Secret<Object>>,
    /// What it is for, the application's id in it.
    pub bind_resource: Option<Secret<Object>>,
    /// What its user says.
    pub parameters: Option<Secret<Object>>,
    /// Whether the platform takes a 202.
    pub accepts_incomplete: bool,
}

/// How a provision went.
#[derive(Clone, Debug, PartialEq)]
pub enum Provisioned {
    /// It was made.
    Created(InstanceAnswer),
    /// The same one was there.
    AlreadyThere(InstanceAnswer),
    /// It is being made.
    Accepted(Accepted, InstanceAnswer),
}

/// How an update went.
#[derive(Clone, Debug, PartialEq)]
pub enum Updated {
    /// It was changed.
    Done(InstanceAnswer),
    /// It is being changed.
    Accepted(Accepted, InstanceAnswer),
}

/// How a bind went.
#[derive(Clone, Debug)]
pub enum Bound {
    /// It was made.
    Created(Secret<BindingAnswer>),
    /// The same one was there.
    AlreadyThere(Secret<BindingAnswer>),
    /// It is being made.
    Accepted(Accepted),
}

/// How a removal went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone now.
    Now,
    /// There was none.
    Before,
    /// It is going.
    Accepted(Accepted),
}

/// What a poll answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Polled {
    /// The operation is this far.
    At {
        /// How far.
        state: State,
        /// What is told of it.
        report: Report,
        /// When to ask again, where the plan says so and the operation is not over.
        poll_after: Option<Duration>,
    },
    /// Its subject is gone.
    Gone,
}

/// How often a change is made anew of an instance that others changed meanwhile.
const TRIES: usize = 8;

impl Broker {
    /// A broker of the catalog in `live` that remembers in `store`; a request that waits for a backend waits up to `patience`.
    pub fn new(
        live: Arc<Live>,
        store: Arc<dyn Store>,
        witness: Arc<dyn Witness>,
        clock: Clock,
        bells: Arc<Bells>,
        patience: Duration,
    ) -> Self {
        Self {
            live,
            store,
            witness,
            clock,
            bells,
            patience,
            turns: Turns::default(),
        }
    }

    /// The catalog of this moment: taken once for each request.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.live.now()
    }

    /// The oldest version of the API that is served.
    pub fn minimum_api_version(&self) -> ApiVersion {
        self.live.look().minimum_api_version()
    }

    /// Whether the broker can do its work: whether its store can be used.
    pub async fn ready(&self) -> Result<(), BrokerError> {
        Ok(self.store.health().await?)
    }

    /// A new operation: over already, or in progress where a job is left.
    fn operation(
        &self,
        kind: Kind,
        subject: Subject,
        job: Option<&Job>,
    ) -> Result<Operation, BrokerError> {
        let now = (self.clock)();
        let over = job.is_none();
        Ok(Operation {
            id: OperationId::from_random(random()?),
            kind,
            subject,
            state: if over {
                State::Succeeded
            } else {
                State::InProgress
            },
            report: Report::default(),
            fingerprint: None,
            started_at: now,
            finished_at: over.then_some(now),
        })
    }

    /// What an instance answers by now.
    async fn instance_answer(&self, id: &InstanceId) -> Result<InstanceAnswer, BrokerError> {
        Ok(match self.store.instance(id.clone()).await? {
            Lookup::Found(instance) => instance.details.into_exposed().answer,
            Lookup::Absent | Lookup::Unknowable => InstanceAnswer::default(),
        })
    }

    /// Tells of an operation that was over with its recording; the worker tells of all others.
    fn tell(
        &self,
        caller: &Caller,
        (kind, subject): (Kind, &Subject),
        service: Option<&ServiceId>,
        plan: Option<&PlanId>,
    ) {
        self.witness.happened(&Event {
            operation: None,
            login: &caller.login,
            kind,
            subject,
            service,
            plan,
            state: State::Succeeded,
            report: None,
            trace: caller.trace.as_ref().map(Trace::id),
            took: None,
        });
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Broker")
    }
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], BrokerError> {
    let mut bits = [0; N];
    getrandom::fill(&mut bits).map_err(|_| BrokerError::Chance)?;
    Ok(bits)
}

/// Row 6 for a pair of ids.
fn choose<'a>(
    catalog: &'a Catalog,
    service: &ServiceId,
    plan: &PlanId,
) -> Result<Chosen<'a>, BrokerError> {
    catalog
        .choose(service, plan)
        .map_err(|missing| match missing {
            NotOffered::Service => BrokerError::ServiceNotInCatalog(service.clone()),
            NotOffered::Plan => BrokerError::PlanNotInCatalog(service.clone(), plan.clone()),
        })
}

/// Row 12 of what a plan is asked to take in: it is not retired.
fn takes_in(plan: &Plan, kind: Kind, now: Timestamp) -> Result<(), BrokerError> {
    if !plan.lifecycle.is_retired(now) {
        return Ok(());
    }
    Err(BrokerError::PlanRetired {
        kind,
        plan: plan.name.to_string(),
        successor: plan.lifecycle.successor.clone(),
    })
}

/// Row 11: a version that is named must be the catalog's.
fn maintenance_agrees(plan: Option<&Plan>, named: Option<&str>) -> Result<(), BrokerError> {
    let offered = plan
        .and_then(|plan| plan.maintenance_info.as_ref())
        .map(|info| info.version.to_string());
    match named {
        Some(version) if offered.as_deref() != Some(version) => {
            Err(BrokerError::MaintenanceInfoConflict { offered })
        }
        _ => Ok(()),
    }
}

/// Row 13: parameters against a schema of the plan.
fn parameters_fit(schema: Option<&Schema>, parameters: &Object) -> Result<(), BrokerError> {
    let Some(schema) = schema else { return Ok(()) };
    let violations = schema.violations(&serde_json::Value::Object(parameters.clone()));
    if violations.is_empty() {
        Ok(())
    } else {
        Err(BrokerError::ParametersInvalid(violations))
    }
}

/// A store that answers what the change did not ask.
fn beside_the_point(begun: &Begun) -> BrokerError {
    BrokerError::Store(StoreError::Corrupt(format!(
        "the store's answer does not fit the change: {begun:?}"
    )))
}

fn answer_of(binding: &Binding) -> Secret<BindingAnswer> {
    Secret::new(binding.details.expose().answer.clone())
}
