//! Unbind (specification, "Unbinding").

use super::{Broker, Removal, Removed, beside_the_point};
use crate::domain::binding::Binding;
use crate::domain::caller::Caller;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId, PlanId};
use crate::domain::instance::Instance;
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::{Act, Begun, Change, Lookup};

impl Broker {
    /// Takes a binding away.
    pub async fn unbind(
        &self,
        caller: &Caller,
        instance: InstanceId,
        id: BindingId,
        named: Removal,
    ) -> Result<Removed, BrokerError> {
        let catalog = self.catalog();
        let plan = match self.store.binding(instance.clone(), id.clone()).await? {
            Lookup::Absent | Lookup::Found((_, None)) => return Ok(Removed::Before),
            Lookup::Unknowable => named.names()?.1.clone(),
            Lookup::Found((instance, Some(binding))) => agreed(&named, instance, &binding)?,
        };
        let chosen = catalog.find(&plan);
        let operation = self.operation(
            chosen.map(|chosen| chosen.plan),
            Kind::Unbind,
            Subject::Binding(instance, id),
        )?;
        let subject = operation.subject.clone();
        match self
            .store
            .begin(Change {
                operation,
                act: Act::Unbind,
            })
            .await?
        {
            Begun::Done | Begun::Unrecorded => {
                self.tell(
                    caller,
                    Kind::Unbind,
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

/// Rows 5 and 9. The plan may also be the one that the binding was made with.
fn agreed(named: &Removal, instance: Instance, binding: &Binding) -> Result<PlanId, BrokerError> {
    let as_bound = named
        .names()
        .is_ok_and(|names| names == (&binding.service_id, &binding.plan_id));
    if !as_bound {
        named.agrees(&instance)?;
    }
    Ok(instance.plan_id)
}
