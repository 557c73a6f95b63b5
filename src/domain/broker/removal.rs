//! What unbind and deprovision share: the names in the query of a DELETE, and the removal itself.

use std::sync::Arc;

use super::begin::Wanted;
use super::{Broker, Manner, Reached, Removed, beside_the_point};
use crate::domain::caller::Caller;
use crate::domain::error::{BrokerError, NameProblem};
use crate::domain::id::{OperationId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::operation::{Kind, LastOperation, Subject};
use crate::domain::store::{Act, Begun, Change};

/// Offering and plan as a DELETE names them. Nothing is said of them before it is known that there is something to
/// remove, so what is wrong with them is kept until then.
#[derive(Clone, Debug)]
pub struct Removal {
    /// `service_id`.
    pub service_id: Result<ServiceId, NameProblem>,
    /// `plan_id`.
    pub plan_id: Result<PlanId, NameProblem>,
    /// Whether the platform takes a 202.
    pub accepts_incomplete: bool,
}

impl Removal {
    /// Row 5: both names are there.
    pub(super) fn names(&self) -> Result<(&ServiceId, &PlanId), BrokerError> {
        let bad = |name| move |problem: &NameProblem| BrokerError::BadName(name, *problem);
        let service = self.service_id.as_ref().map_err(bad("service_id"))?;
        let plan = self.plan_id.as_ref().map_err(bad("plan_id"))?;
        Ok((service, plan))
    }

    /// Rows 5 and 9: both names are there, and are those of the instance; the plan may be one that it had.
    pub(super) fn agrees(&self, instance: &Instance) -> Result<(), BrokerError> {
        let (service, plan) = self.names()?;
        if *service != instance.service_id {
            return Err(BrokerError::ServiceMismatch);
        }
        if !instance.knows_plan(plan) {
            return Err(BrokerError::PlanMismatch);
        }
        Ok(())
    }
}

/// What is to be removed, as it was read.
pub(super) struct Removable {
    /// Deprovision or unbind.
    pub(super) kind: Kind,
    /// What it takes back: while that runs it is cancelled.
    pub(super) undoes: Kind,
    /// The change.
    pub(super) act: Act,
    /// The latest operation of it, where that is remembered.
    pub(super) last: Option<LastOperation>,
    /// The name of the backend that made its instance, where one had to act.
    pub(super) backend: Option<Arc<str>>,
    /// The offering of its instance.
    pub(super) service: ServiceId,
    /// The plan of its instance.
    pub(super) plan: PlanId,
    /// Organization and space of its instance, where they are remembered.
    pub(super) place: (String, String),
}

impl Removable {
    /// Store `none`: as it is named, if it is named.
    pub(super) fn unremembered(kind: Kind, named: &Removal) -> Result<Self, BrokerError> {
        let (service, plan) = named.names()?;
        let (undoes, act) = match kind {
            Kind::Unbind => (
                Kind::Bind,
                Act::Unbind {
                    expected: OperationId::from_random([0; 16]),
                },
            ),
            _ => (
                Kind::Provision,
                Act::Deprovision {
                    expected_version: 0,
                },
            ),
        };
        Ok(Self {
            kind,
            undoes,
            act,
            last: None,
            backend: None,
            service: service.clone(),
            plan: plan.clone(),
            place: (String::new(), String::new()),
        })
    }

    /// Row 10: the operation of the same kind that runs already, or the one that is cancelled.
    fn in_the_way(&self) -> Result<InTheWay, BrokerError> {
        match &self.last {
            Some(last) if last.in_progress() && last.kind == self.kind => {
                Ok(InTheWay::Same(last.id.clone()))
            }
            Some(last) if last.in_progress() && last.kind == self.undoes => {
                Ok(InTheWay::Cancelled(last.id.clone()))
            }
            Some(last) if last.in_progress() => Err(BrokerError::Concurrency),
            _ => Ok(InTheWay::Nothing),
        }
    }
}

enum InTheWay {
    Nothing,
    Same(OperationId),
    Cancelled(OperationId),
}

impl Broker {
    /// What was read goes; nothing where that has changed since.
    pub(super) async fn remove(
        &self,
        caller: &Caller,
        subject: &Subject,
        target: Removable,
        named: &Removal,
    ) -> Result<Option<Removed>, BrokerError> {
        let catalog = self.catalog();
        let plan = catalog
            .remover(&target.service, &target.plan)
            .map(|chosen| chosen.plan);
        let manner = Manner {
            kind: target.kind,
            plan,
            accepts_incomplete: named.accepts_incomplete,
        };
        let cancels = match target.in_the_way()? {
            InTheWay::Same(running) => {
                let reached = self.joined(&running, subject, manner).await?;
                return Ok(Some(reached.into()));
            }
            InTheWay::Cancelled(running) => Some(running),
            InTheWay::Nothing => None,
        };
        if plan.is_none() && target.backend.is_some() {
            return Err(BrokerError::BackendGone(target.plan));
        }
        let job = Self::job(caller, manner, None, cancels)?;
        let later = job.is_some();
        let operation = self.operation(target.kind, subject.clone(), job.as_ref())?;
        let id = operation.id.clone();
        let act = target.act;
        let change = Change {
            operation,
            act,
            job,
            guards: Vec::new(),
        };
        let wanted = Wanted {
            service: Some(&target.service),
            plan: Some(&target.plan),
            place: (&target.place.0, &target.place.1),
            parameters: None,
        };
        match self.begin(caller, change, wanted, None).await? {
            Begun::Done if later => {
                let reached = self.reached(&id, subject, manner).await?;
                Ok(Some(reached.into()))
            }
            Begun::Done | Begun::Unrecorded => {
                let service = named.service_id.as_ref().ok();
                self.tell(caller, (target.kind, subject), service, Some(&target.plan));
                Ok(Some(Removed::Now))
            }
            Begun::Absent => Ok(Some(Removed::Before)),
            Begun::Stale => Ok(None),
            Begun::Busy => Err(BrokerError::Concurrency),
            other => Err(beside_the_point(&other)),
        }
    }
}

impl From<Reached> for Removed {
    fn from(reached: Reached) -> Self {
        match reached {
            Reached::Accepted(accepted) => Self::Accepted(accepted),
            Reached::Done => Self::Now,
        }
    }
}
