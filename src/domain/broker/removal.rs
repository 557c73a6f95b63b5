//! What unbind and deprovision share: the names in the query of a DELETE.

use crate::domain::error::BrokerError;
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::instance::Instance;

/// Offering and plan as a DELETE names them. Nothing is said of them before it is known that there is something to
/// remove, so that they may be missing here.
#[derive(Clone, Debug, Default)]
pub struct Removal {
    /// `service_id`.
    pub service_id: Option<ServiceId>,
    /// `plan_id`.
    pub plan_id: Option<PlanId>,
}

impl Removal {
    /// Row 5: both names are there.
    pub(super) fn names(&self) -> Result<(&ServiceId, &PlanId), BrokerError> {
        let service = self
            .service_id
            .as_ref()
            .ok_or(BrokerError::NameMissing("service_id"))?;
        let plan = self
            .plan_id
            .as_ref()
            .ok_or(BrokerError::NameMissing("plan_id"))?;
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
