//! Adoption: what a platform names and the store does not know counts as existing, where its plan says so. So a broker
//! that remembered nothing may begin to, and another one's place may be taken.
//!
//! Whatever request names it, it is recorded as if it had been made just now, by the templates as they are, and the request
//! looks again. What the store remembers to be gone stays gone: the store decides that, and who of several is first. A
//! fetch and a poll adopt nothing.

use std::sync::Arc;

use super::provision::{self, first_version};
use super::{Bind, Broker, Provision, Removal, Update, beside_the_point, bind, takeover};
use crate::domain::audit::Who;
use crate::domain::caller::Caller;
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::json::Object;
use crate::domain::offering::Chosen;
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::{Act, Begun, Change, Lookup, StoreError};
use crate::domain::witness::Adopted;
use crate::secret::Secret;

/// Each of these says whether to look again: it was adopted, or others were quicker.
impl Broker {
    /// The instance that a bind names.
    pub(super) async fn adopt_to_bind(
        &self,
        caller: &Caller,
        catalog: &Catalog,
        id: &InstanceId,
        request: &Bind,
    ) -> Result<bool, BrokerError> {
        let Some((service, plan)) = &request.named else {
            return Ok(false);
        };
        let context = exposed(request.context.as_ref());
        let resource = exposed(request.bind_resource.as_ref());
        let space = guid(&context, "space_guid").or_else(|| guid(&resource, "space_guid"));
        let known = known(service, plan, (None, space), context);
        self.adopt_instance(caller, catalog, id, known).await
    }

    /// The instance that an update names. The plan that it has is the one before the update, where the platform says that.
    pub(super) async fn adopt_to_update(
        &self,
        caller: &Caller,
        catalog: &Catalog,
        id: &InstanceId,
        request: &Update,
    ) -> Result<bool, BrokerError> {
        let previous = &request.previous;
        let service = &request.service_id;
        let offered = |plan: &&PlanId| catalog.choose(service, plan).is_ok();
        let plan = previous.plan_id.as_ref().filter(offered);
        let Some(plan) = plan.or(request.plan_id.as_ref()) else {
            return Ok(false);
        };
        let place = (previous.organization.clone(), previous.space.clone());
        let known = known(service, plan, place, exposed(request.context.as_ref()));
        self.adopt_instance(caller, catalog, id, known).await
    }

    /// The instance that is to be taken away.
    pub(super) async fn adopt_to_deprovision(
        &self,
        caller: &Caller,
        id: &InstanceId,
        named: &Removal,
    ) -> Result<bool, BrokerError> {
        let catalog = self.catalog_for(caller);
        let Ok((service, plan)) = named.names() else {
            return Ok(false);
        };
        let known = known(service, plan, (None, None), Object::new());
        let adopted = self.adopt_instance(caller, &catalog, id, known);
        never_in_the_way(adopted.await)
    }

    /// The instance whose binding is to be taken away.
    pub(super) async fn adopt_to_unbind(
        &self,
        caller: &Caller,
        id: &InstanceId,
        named: &Removal,
    ) -> Result<bool, BrokerError> {
        let catalog = self.catalog_for(caller);
        let Ok((service, plan)) = named.names() else {
            return Ok(false);
        };
        // What cannot be bound has no binding to be taken away.
        if !(catalog.choose(service, plan)).is_ok_and(|chosen| chosen.bindable()) {
            return Ok(false);
        }
        let known = known(service, plan, (None, None), Object::new());
        let adopted = self.adopt_instance(caller, &catalog, id, known);
        never_in_the_way(adopted.await)
    }

    /// The binding of an instance that is to be taken away.
    pub(super) async fn adopt_unbound(
        &self,
        caller: &Caller,
        instance: &Instance,
        id: &BindingId,
        named: &Removal,
    ) -> Result<bool, BrokerError> {
        let catalog = self.catalog();
        let Ok(chosen) = catalog.choose(&instance.service_id, &instance.plan_id) else {
            return Ok(false);
        };
        let was_made = !instance.is_broken();
        if named.agrees(instance).is_err() || !was_made {
            return Ok(false);
        }
        let adopted = self.adopt_binding(caller, chosen, instance, id);
        never_in_the_way(adopted.await)
    }

    /// The binding that a new one is to succeed.
    pub(super) async fn adopt_predecessor(
        &self,
        caller: &Caller,
        chosen: Chosen<'_>,
        instance: &Instance,
        id: &BindingId,
    ) -> Result<bool, BrokerError> {
        if !chosen.plan.adopt.at((self.clock)()) {
            return Ok(false);
        }
        match self.store.binding(instance.id.clone(), id.clone()).await? {
            Lookup::Found((_, None)) => self.adopt_binding(caller, chosen, instance, id).await,
            _ => Ok(false),
        }
    }

    async fn adopt_instance(
        &self,
        caller: &Caller,
        catalog: &Catalog,
        id: &InstanceId,
        known: Provision,
    ) -> Result<bool, BrokerError> {
        let now = (self.clock)();
        let chosen = catalog.choose(&known.service_id, &known.plan_id).ok();
        let Some(chosen) = chosen.filter(|chosen| chosen.plan.adopt.at(now)) else {
            return Ok(false);
        };
        let subject = Subject::Instance(id.clone());
        let operation = takeover::over(Kind::Provision, subject.clone(), now)?;
        let identity = caller.originating_identity.as_ref();
        let mut details = provision::details(identity, chosen, id, &known, (now, None), false)?;
        details.adopted = true;
        details.maintenance_version = None;
        let key = self.store.fingerprint_key();
        let fingerprint =
            provision::known_fingerprint(key, &known, (&known.organization, &known.space));
        let instance = Instance {
            id: id.clone(),
            service_id: known.service_id,
            plan_id: known.plan_id,
            organization: known.organization,
            space: known.space,
            last_operation: operation.standing(),
            version: first_version()?,
            backend: Self::acting(chosen.plan),
            fingerprint,
            created_at: now,
            updated_at: now,
            details: Secret::new(details),
        };
        let change = Change {
            operation,
            act: Act::Adopt {
                instance: Box::new(instance),
            },
            job: None,
            guards: Vec::new(),
        };
        self.adopted(caller, chosen, &subject, change).await
    }

    /// Of a plan that adopts. It is rendered as it would be today for a bind that says nothing.
    async fn adopt_binding(
        &self,
        caller: &Caller,
        chosen: Chosen<'_>,
        instance: &Instance,
        id: &BindingId,
    ) -> Result<bool, BrokerError> {
        let now = (self.clock)();
        if !chosen.plan.adopt.at(now) || !chosen.bindable() {
            return Ok(false);
        }
        let subject = Subject::Binding(instance.id.clone(), id.clone());
        if instance.last_operation.in_progress() {
            return match self.store.operation(subject, None).await? {
                Lookup::Found(_) => Ok(false),
                _ => Err(BrokerError::Concurrency),
            };
        }
        let operation = takeover::over(Kind::Bind, subject.clone(), now)?;
        let said = Bind::default();
        let details = bind::asked(&said, None);
        let binding =
            self.new_binding(caller, chosen, instance, &operation, &said, details, false)?;
        let change = Change {
            operation,
            act: Act::AdoptBinding {
                binding: Box::new(binding),
                expected_version: instance.version,
            },
            job: None,
            guards: Vec::new(),
        };
        self.adopted(caller, chosen, &subject, change).await
    }

    async fn adopted(
        &self,
        caller: &Caller,
        chosen: Chosen<'_>,
        subject: &Subject,
        change: Change,
    ) -> Result<bool, BrokerError> {
        let recorded = self.recorded_and_told(caller, chosen, subject, change);
        // Who asked may go away meanwhile: what is recorded is told of all the same.
        let recorded = tokio::spawn(recorded).await;
        let recorded =
            recorded.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())));
        match recorded? {
            // One that the caller does not see is as good as gone: nothing is there to look at again.
            Begun::InstanceThere(there) => Ok(self.sees(caller, &there.service_id)),
            Begun::Done | Begun::BindingThere(_) | Begun::Stale => Ok(true),
            // It is gone, or its instance is.
            Begun::Absent => Ok(false),
            other => Err(beside_the_point(&other)),
        }
    }

    fn recorded_and_told(
        &self,
        caller: &Caller,
        chosen: Chosen<'_>,
        subject: &Subject,
        change: Change,
    ) -> impl Future<Output = Result<Begun, StoreError>> + Send + use<> {
        let (store, witness) = (Arc::clone(&self.store), Arc::clone(&self.witness));
        let (caller, subject) = (caller.clone(), subject.clone());
        let (service, plan) = (chosen.offering.id.clone(), chosen.plan.id.clone());
        async move {
            let begun = store.begin(change).await;
            if matches!(begun, Ok(Begun::Done)) {
                witness.adopted(&Adopted {
                    who: Who::from(&caller),
                    subject: &subject,
                    service: &service,
                    plan: &plan,
                });
            }
            begun
        }
    }
}

/// What is known of an instance that is to be adopted, as the provision that would have said it.
fn known(
    service: &ServiceId,
    plan: &PlanId,
    (organization, space): (Option<String>, Option<String>),
    context: Object,
) -> Provision {
    let or_context = |said: Option<String>, name| said.or_else(|| guid(&context, name));
    Provision {
        service_id: service.clone(),
        plan_id: plan.clone(),
        organization: or_context(organization, "organization_guid").unwrap_or_default(),
        space: or_context(space, "space_guid").unwrap_or_default(),
        context: Secret::new(context),
        parameters: Secret::default(),
        maintenance_version: None,
        accepts_incomplete: false,
    }
}

fn guid(object: &Object, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

fn exposed(object: Option<&Secret<Object>>) -> Object {
    object.map(Secret::expose).cloned().unwrap_or_default()
}

/// A delete goes on without what cannot be adopted: a template must not block a clean-up.
fn never_in_the_way(adopted: Result<bool, BrokerError>) -> Result<bool, BrokerError> {
    match adopted {
        Err(BrokerError::Render(why) | BrokerError::ParametersUnusable(why)) => {
            log::error!("what is deleted cannot be adopted, and counts as gone: {why}");
            Ok(false)
        }
        adopted => adopted,
    }
}
