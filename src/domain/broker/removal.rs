//! What unbind and deprovision share: the names in the query of a DELETE, and the removal itself.

use super::{Broker, Removed, beside_the_point};
use crate::domain::caller::Caller;
use crate::domain::error::{BrokerError, NameProblem};
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::{Act, Begun, Change};

/// Offering and plan as a DELETE names them. Nothing is said of them before it is known that there is something to
/// remove, so what is wrong with them is kept until then.
#[derive(Clone, Debug)]
pub struct Removal {
    /// `service_id`.
    pub service_id: Result<ServiceId, NameProblem>,
    /// `plan_id`.
    pub plan_id: Result<PlanId, NameProblem>,
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

impl Broker {
    /// What is there by the look-up goes; the store says whether it still was.
    pub(super) async fn remove(
        &self,
        caller: &Caller,
        kind: Kind,
        subject: Subject,
        act: Act,
        named: &Removal,
        plan: &PlanId,
    ) -> Result<Removed, BrokerError> {
        let catalog = self.catalog();
        let chosen = catalog.find(plan).map(|chosen| chosen.plan);
        let operation = self.operation(chosen, kind, subject.clone())?;
        match self.store.begin(Change { operation, act }).await? {
            Begun::Done | Begun::Unrecorded => {
                let service = named.service_id.as_ref().ok();
                self.tell(caller, kind, &subject, service, Some(plan));
                Ok(Removed::Now)
            }
            Begun::Absent => Ok(Removed::Before),
            other => Err(beside_the_point(&other)),
        }
    }
}
