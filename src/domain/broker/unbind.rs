//! Unbind (specification, "Unbinding").

use super::removal::Removable;
use super::{Broker, Removal, Removed, TRIES};
use crate::domain::binding::Binding;
use crate::domain::caller::Caller;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId};
use crate::domain::instance::Instance;
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::{Act, Lookup};

impl Broker {
    /// Takes a binding away. One that is still being made is cancelled.
    pub async fn unbind(
        &self,
        caller: &Caller,
        instance: InstanceId,
        id: BindingId,
        named: Removal,
    ) -> Result<Removed, BrokerError> {
        let subject = Subject::Binding(instance.clone(), id.clone());
        for _ in 0..TRIES {
            let target = match self
                .binding_for(caller, instance.clone(), id.clone())
                .await?
            {
                Lookup::Absent => {
                    if self.adopt_to_unbind(caller, &instance, &named).await? {
                        continue;
                    }
                    return Ok(Removed::Before);
                }
                Lookup::Found((instance, None)) => {
                    if self.adopt_unbound(caller, &instance, &id, &named).await? {
                        continue;
                    }
                    return Ok(Removed::Before);
                }
                Lookup::Unknowable => Removable::unremembered(Kind::Unbind, &named)?,
                Lookup::Found((instance, Some(binding))) => {
                    agreed(&named, &instance, &binding)?;
                    if instance.last_operation.in_progress() {
                        return Err(BrokerError::Concurrency);
                    }
                    removable(instance, binding)
                }
            };
            if let Some(removed) = self.remove(caller, &subject, target, &named).await? {
                return Ok(removed);
            }
        }
        Err(BrokerError::Concurrency)
    }
}

fn removable(instance: Instance, binding: Binding) -> Removable {
    Removable {
        kind: Kind::Unbind,
        undoes: Kind::Bind,
        act: Act::Unbind {
            expected: binding.last_operation.id.clone(),
        },
        last: Some(binding.last_operation),
        backend: instance.backend,
        service: instance.service_id,
        plan: instance.plan_id,
        place: (instance.organization, instance.space),
    }
}

/// Rows 5 and 9. The plan may also be the one that the binding was made with.
fn agreed(named: &Removal, instance: &Instance, binding: &Binding) -> Result<(), BrokerError> {
    let as_bound = named
        .names()
        .is_ok_and(|names| names == (&binding.service_id, &binding.plan_id));
    if as_bound {
        Ok(())
    } else {
        named.agrees(instance)
    }
}
