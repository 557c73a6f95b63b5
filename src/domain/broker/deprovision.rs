//! Deprovision (specification, "Deprovisioning").

use super::{Broker, Removal, Removed};
use crate::domain::caller::Caller;
use crate::domain::error::BrokerError;
use crate::domain::id::InstanceId;
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::{Act, Lookup};

impl Broker {
    /// Takes an instance away, and its bindings first.
    pub async fn deprovision(
        &self,
        caller: &Caller,
        id: InstanceId,
        named: Removal,
    ) -> Result<Removed, BrokerError> {
        let plan = match self.store.instance(id.clone()).await? {
            Lookup::Absent => return Ok(Removed::Before),
            Lookup::Unknowable => named.names()?.1.clone(),
            Lookup::Found(instance) => {
                named.agrees(&instance)?;
                instance.plan_id
            }
        };
        self.remove(
            caller,
            Kind::Deprovision,
            Subject::Instance(id),
            Act::Deprovision,
            &named,
            &plan,
        )
        .await
    }
}
