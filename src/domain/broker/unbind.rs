//! Unbind (specification, "Unbinding").

use super::{Broker, Removal, Removed};
use crate::domain::binding::Binding;
use crate::domain::caller::Caller;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId, PlanId};
use crate::domain::instance::Instance;
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::{Act, Lookup};

impl Broker {
    /// Takes a binding away.
    pub async fn unbind(
        &self,
        caller: &Caller,
        instance: InstanceId,
        id: BindingId,
        named: Removal,
    ) -> Result<Removed, BrokerError> {
        let plan = match self.store.binding(instance.clone(), id.clone()).await? {
            Lookup::Absent | Lookup::Found((_, None)) => return Ok(Removed::Before),
            Lookup::Unknowable => named.names()?.1.clone(),
            Lookup::Found((instance, Some(binding))) => agreed(&named, instance, &binding)?,
        };
        self.remove(
            caller,
            Kind::Unbind,
            Subject::Binding(instance, id),
            Act::Unbind,
            &named,
            &plan,
        )
        .await
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
