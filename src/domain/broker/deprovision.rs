//! Deprovision (specification, "Deprovisioning").

use super::removal::Removable;
use super::{Broker, Removal, Removed, TRIES};
use crate::domain::caller::Caller;
use crate::domain::error::BrokerError;
use crate::domain::id::InstanceId;
use crate::domain::instance::Instance;
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::{Act, Lookup};

impl Broker {
    /// Takes an instance away, and its bindings first. One that is still being made is cancelled.
    pub async fn deprovision(
        &self,
        caller: &Caller,
        id: InstanceId,
        named: Removal,
    ) -> Result<Removed, BrokerError> {
        let subject = Subject::Instance(id);
        for _ in 0..TRIES {
            let target = match self
                .instance_for(caller, subject.instance().clone())
                .await?
            {
                Lookup::Absent => {
                    if self
                        .adopt_to_deprovision(caller, subject.instance(), &named)
                        .await?
                    {
                        continue;
                    }
                    return Ok(Removed::Before);
                }
                Lookup::Unknowable => Removable::unremembered(Kind::Deprovision, &named)?,
                Lookup::Found(instance) => {
                    named.agrees(&instance)?;
                    removable(instance)
                }
            };
            if let Some(removed) = self.remove(caller, &subject, target, &named).await? {
                return Ok(removed);
            }
        }
        Err(BrokerError::Concurrency)
    }
}

fn removable(instance: Instance) -> Removable {
    Removable {
        kind: Kind::Deprovision,
        undoes: Kind::Provision,
        act: Act::Deprovision {
            expected_version: instance.version,
        },
        last: Some(instance.last_operation),
        backend: instance.backend,
        service: instance.service_id,
        plan: instance.plan_id,
        place: (instance.organization, instance.space),
    }
}
