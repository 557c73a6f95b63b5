//! Deprovision (specification, "Deprovisioning").

use super::{Broker, Removal, Removed, beside_the_point};
use crate::domain::caller::Caller;
use crate::domain::error::BrokerError;
use crate::domain::id::InstanceId;
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::{Act, Begun, Change, Lookup};

impl Broker {
    /// Takes an instance away, and its bindings first.
    pub async fn deprovision(
        &self,
        caller: &Caller,
        id: InstanceId,
        named: Removal,
    ) -> Result<Removed, BrokerError> {
        let catalog = self.catalog();
        let plan = match self.store.instance(id.clone()).await? {
            Lookup::Absent => return Ok(Removed::Before),
            Lookup::Unknowable => named.names()?.1.clone(),
            Lookup::Found(instance) => {
                named.agrees(&instance)?;
                instance.plan_id
            }
        };
        let chosen = catalog.find(&plan);
        let operation = self.operation(
            chosen.map(|chosen| chosen.plan),
            Kind::Deprovision,
            Subject::Instance(id),
        )?;
        let subject = operation.subject.clone();
        match self
            .store
            .begin(Change {
                operation,
                act: Act::Deprovision,
            })
            .await?
        {
            Begun::Done | Begun::Unrecorded => {
                self.tell(
                    caller,
                    Kind::Deprovision,
                    &subject,
                    named.service_id.as_ref().ok(),
                    Some(&plan),
                );
                Ok(Removed::Now)
            }
            Begun::Absent => Ok(Removed::Before),
            other => Err(beside_the_point(&other)),
        }
    }
}
