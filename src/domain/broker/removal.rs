//! What unbind and deprovision share: the names in the query of a DELETE.

use crate::domain::error::BrokerError;
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::instance::Instance;

/// Offering and plan as a DELETE names them. Nothing is said of them before it is known that there is something to
/// remove, so what is wrong with them is kept until then.
#[derive(Clone, Debug)]
pub struct Removal {
    /// `service_id`.
    pub service_id: Result<ServiceId, NameProblem>,
    /// `plan_id`.
    pub plan_id: Result<PlanId, NameProblem>,
}

/// What can be wrong with a name in a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameProblem {
    /// It is missing or empty.
    Missing,
    /// It is given more than once.
    Twice,
    /// It is no UTF-8 or has control characters in it.
    Unreadable,
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
