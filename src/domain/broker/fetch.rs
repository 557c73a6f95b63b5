//! Fetching an instance and a binding.
//!
//! `service_id` and `plan_id` of the query are hints and never looked at.

use super::Broker;
use crate::domain::binding::Binding;
use crate::domain::caller::Caller;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::offering::Offering;
use crate::domain::operation::{Kind, State};
use crate::domain::store::Lookup;

impl Broker {
    /// The instance (specification, "Fetching a Service Instance").
    pub async fn fetch_instance(
        &self,
        caller: &Caller,
        id: InstanceId,
    ) -> Result<Instance, BrokerError> {
        let Lookup::Found(instance) = self.instance_for(caller, id).await? else {
            return Err(BrokerError::InstanceNotFound);
        };
        let last = &instance.last_operation;
        match (last.kind, last.state) {
            (Kind::Update, State::InProgress) => return Err(BrokerError::Concurrency),
            (Kind::Update, _) | (_, State::Succeeded) => {}
            _ => return Err(BrokerError::InstanceNotFound),
        }
        if self.declares(&instance.service_id, |offering| {
            offering.instances_retrievable
        }) {
            Ok(instance)
        } else {
            Err(BrokerError::InstancesNotRetrievable)
        }
    }

    /// The binding (specification, "Fetching a Service Binding").
    pub async fn fetch_binding(
        &self,
        caller: &Caller,
        instance: InstanceId,
        id: BindingId,
    ) -> Result<Binding, BrokerError> {
        let Lookup::Found((instance, Some(binding))) =
            self.binding_for(caller, instance, id).await?
        else {
            return Err(BrokerError::BindingNotFound);
        };
        let goes = instance
            .last_operation
            .is(Kind::Deprovision, State::InProgress);
        if goes || binding.last_operation.state != State::Succeeded {
            return Err(BrokerError::BindingNotFound);
        }
        if self.declares(&binding.service_id, |offering| {
            offering.bindings_retrievable
        }) {
            Ok(self.refreshed(&instance, binding))
        } else {
            Err(BrokerError::BindingsNotRetrievable)
        }
    }

    /// Whether the offering declares it. One that left the catalog declares nothing any more, and what it had can still
    /// be fetched.
    fn declares(&self, service: &ServiceId, flag: impl Fn(&Offering) -> Option<bool>) -> bool {
        self.catalog()
            .offering(service)
            .is_none_or(|offering| flag(offering).unwrap_or(false))
    }
}
