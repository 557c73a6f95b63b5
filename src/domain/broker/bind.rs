//! Bind and rotation (specification, "Binding" and "Binding Rotation").

use serde_json::{Value, json};

use super::{
    Bind, Bound, Broker, TRIES, answer_of, beside_the_point, choose, parameters_fit, render,
};
use crate::domain::answer::{BindTarget, BindingAnswer};
use crate::domain::binding::{Binding, BindingDetails};
use crate::domain::caller::Caller;
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId, PlanId, ServiceId};
use crate::domain::instance::{Instance, InstanceDetails};
use crate::domain::json::Fingerprint;
use crate::domain::offering::Chosen;
use crate::domain::operation::{Kind, State, Subject};
use crate::domain::store::{Act, Begun, Change, Lookup};
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::template::time::parse_utc;

impl Broker {
    /// Makes a binding: what it returns is rendered once, stored, and the same for every repeat and fetch.
    pub async fn bind(
        &self,
        caller: &Caller,
        instance: InstanceId,
        id: BindingId,
        request: Bind,
    ) -> Result<Bound, BrokerError> {
        let catalog = self.catalog();
        let mut turn = None;
        for _ in 0..TRIES {
            let (instance, existing) =
                match self.store.binding(instance.clone(), id.clone()).await? {
                    Lookup::Found(found) => found,
                    Lookup::Absent => {
                        offered(&catalog, &request, None)?;
                        return Err(BrokerError::InstanceNotFound);
                    }
                    Lookup::Unknowable => {
                        return self.bind_unremembered(caller, &catalog, instance, &id, &request);
                    }
                };
            offered(&catalog, &request, Some(&instance))?;
            if let Some(existing) = existing {
                return self.compared(&existing, &request);
            }
            if let Some(bound) = self
                .try_bind(caller, &catalog, &instance, id.clone(), &request)
                .await?
            {
                return Ok(bound);
            }
            if turn.is_none() {
                turn = Some(self.turns.take(&instance.id).await);
            }
        }
        Err(BrokerError::Concurrency)
    }

    /// One try; nothing where others changed the instance meanwhile.
    async fn try_bind(
        &self,
        caller: &Caller,
        catalog: &Catalog,
        instance: &Instance,
        id: BindingId,
        request: &Bind,
    ) -> Result<Option<Bound>, BrokerError> {
        let chosen = agreed(catalog, instance, request)?;
        let predecessor = self.predecessor(instance, request).await?;
        let details = asked(request, predecessor.as_ref());
        fits(chosen, request, &details)?;
        let binding = self.new_binding(caller, chosen, instance, id, request, details)?;
        let answer = answer_of(&binding);
        let operation = self.operation(
            Some(chosen.plan),
            Kind::Bind,
            Subject::Binding(instance.id.clone(), binding.id.clone()),
        )?;
        let subject = operation.subject.clone();
        let act = Act::Bind {
            binding: Box::new(binding),
            expected_version: instance.version,
        };
        match self.store.begin(Change { operation, act }).await? {
            Begun::Done => {
                self.tell(
                    caller,
                    Kind::Bind,
                    &subject,
                    Some(&instance.service_id),
                    Some(&instance.plan_id),
                );
                Ok(Some(Bound::Created(answer)))
            }
            Begun::BindingThere(existing) => self.compared(&existing, request).map(Some),
            Begun::Stale => Ok(None),
            Begun::Absent => Err(BrokerError::InstanceNotFound),
            other => Err(beside_the_point(&other)),
        }
    }

    /// Row 8.
    fn compared(&self, existing: &Binding, request: &Bind) -> Result<Bound, BrokerError> {
        let asked = self.bind_fingerprint(request, &existing.service_id, &existing.plan_id);
        if existing.fingerprint == asked {
            Ok(Bound::AlreadyThere(answer_of(existing)))
        } else {
            Err(BrokerError::BindingConflict)
        }
    }

    async fn predecessor(
        &self,
        instance: &Instance,
        request: &Bind,
    ) -> Result<Option<Binding>, BrokerError> {
        let Some(id) = &request.predecessor else {
            return Ok(None);
        };
        match self.store.binding(instance.id.clone(), id.clone()).await? {
            Lookup::Found((_, Some(binding))) if expired(&binding, (self.clock)()) => Err(
                BrokerError::PredecessorInvalid("names a service binding that has expired"),
            ),
            Lookup::Found((_, Some(binding))) => Ok(Some(binding)),
            _ => Err(BrokerError::PredecessorInvalid(
                "names no service binding of this service instance",
            )),
        }
    }

    fn new_binding(
        &self,
        caller: &Caller,
        chosen: Chosen<'_>,
        instance: &Instance,
        id: BindingId,
        request: &Bind,
        mut details: BindingDetails,
    ) -> Result<Binding, BrokerError> {
        let now = (self.clock)();
        let scope = render::BindingScope {
            instance: render::InstanceScope {
                caller,
                chosen,
                id: &instance.id,
                organization: &instance.organization,
                space: &instance.space,
            },
            details: instance.details.expose(),
            id: &id,
        };
        (details.values, details.answer) = scope.render(&details, now)?;
        Ok(Binding {
            instance_id: instance.id.clone(),
            id,
            service_id: instance.service_id.clone(),
            plan_id: instance.plan_id.clone(),
            app_guid: app_guid(&details).map(str::to_owned),
            state: State::Succeeded,
            fingerprint: self.bind_fingerprint(request, &instance.service_id, &instance.plan_id),
            created_at: now,
            details: Secret::new(details),
        })
    }

    /// With nothing remembered, the same ids come to the same answer because it is made of the ids and the document.
    fn bind_unremembered(
        &self,
        caller: &Caller,
        catalog: &Catalog,
        instance: InstanceId,
        id: &BindingId,
        request: &Bind,
    ) -> Result<Bound, BrokerError> {
        let chosen = match &request.named {
            Some((service, plan)) => bindable(choose(catalog, service, plan)?, request)?,
            None => {
                return Err(BrokerError::PredecessorInvalid(
                    "names no service binding that is remembered",
                ));
            }
        };
        let mut details = asked(request, None);
        fits(chosen, request, &details)?;
        let scope = render::BindingScope {
            instance: render::InstanceScope {
                caller,
                chosen,
                id: &instance,
                organization: "",
                space: "",
            },
            details: &InstanceDetails::default(),
            id,
        };
        (details.values, details.answer) = scope.render(&details, (self.clock)())?;
        let subject = Subject::Binding(instance, id.clone());
        self.tell(
            caller,
            Kind::Bind,
            &subject,
            Some(&chosen.offering.id),
            Some(&chosen.plan.id),
        );
        Ok(Bound::Created(Secret::new(details.answer)))
    }

    /// Offering, plan, parameters, application, `bind_resource` and predecessor; context may change between repeats.
    fn bind_fingerprint(&self, request: &Bind, service: &ServiceId, plan: &PlanId) -> Fingerprint {
        let (service, plan) = request
            .named
            .as_ref()
            .map_or((service, plan), |(service, plan)| (service, plan));
        self.store.fingerprint_key().of(&json!([
            service.as_str(),
            plan.as_str(),
            request
                .parameters
                .as_ref()
                .map(Secret::expose)
                .cloned()
                .unwrap_or_default(),
            request.bind_resource.clone().unwrap_or_default(),
            request.predecessor.as_ref().map(BindingId::as_str),
        ]))
    }
}

/// Row 6: what is named is of the catalog or of the instance's record, and can be bound and rotated.
fn offered(
    catalog: &Catalog,
    request: &Bind,
    instance: Option<&Instance>,
) -> Result<(), BrokerError> {
    let Some((service, plan)) = &request.named else {
        return Ok(());
    };
    match choose(catalog, service, plan) {
        Ok(chosen) => bindable(chosen, request).map(|_| ()),
        Err(_)
            if instance.is_some_and(|instance| {
                instance.service_id == *service && instance.knows_plan(plan)
            }) =>
        {
            Ok(())
        }
        Err(missing) => Err(missing),
    }
}

pub(super) fn bindable<'a>(chosen: Chosen<'a>, request: &Bind) -> Result<Chosen<'a>, BrokerError> {
    if !chosen.bindable() {
        return Err(BrokerError::NotBindable(chosen.plan.id.clone()));
    }
    if request.predecessor.is_some() && !chosen.rotatable() {
        return Err(BrokerError::NotRotatable(chosen.plan.id.clone()));
    }
    Ok(chosen)
}

/// Row 9: what is named is what the instance is of; and that can be bound still.
fn agreed<'a>(
    catalog: &'a Catalog,
    instance: &Instance,
    request: &Bind,
) -> Result<Chosen<'a>, BrokerError> {
    if let Some((service, plan)) = &request.named {
        if *service != instance.service_id {
            return Err(BrokerError::ServiceMismatch);
        }
        if *plan != instance.plan_id {
            return Err(BrokerError::PlanMismatch);
        }
    }
    let chosen = catalog
        .choose(&instance.service_id, &instance.plan_id)
        .map_err(|_| BrokerError::PlanWithdrawn(instance.plan_id.clone()))?;
    bindable(chosen, request)
}

/// What the plan asks of a bind, and row 13. What is inherited from a predecessor was held against the schema then.
pub(super) fn fits(
    chosen: Chosen<'_>,
    request: &Bind,
    details: &BindingDetails,
) -> Result<(), BrokerError> {
    for target in &chosen.plan.binding.requires {
        let there = match target {
            BindTarget::App => app_guid(details).is_some(),
            BindTarget::Route => details
                .bind_resource
                .get("route")
                .is_some_and(Value::is_string),
        };
        if !there {
            return Err(BrokerError::Requires(*target));
        }
    }
    match (&request.parameters, &request.predecessor) {
        (None, Some(_)) => Ok(()),
        _ => parameters_fit(
            chosen.plan.schemas.binding_create.as_ref(),
            &details.parameters,
        ),
    }
}

/// What is asked for, with what a successor inherits.
pub(super) fn asked(request: &Bind, predecessor: Option<&Binding>) -> BindingDetails {
    let inherited = predecessor.map(|binding| binding.details.expose());
    BindingDetails {
        parameters: match (&request.parameters, inherited) {
            (Some(sent), _) => sent.expose().clone(),
            (None, inherited) => inherited
                .map(|details| details.parameters.clone())
                .unwrap_or_default(),
        },
        context: match (&request.context, inherited) {
            (Some(sent), _) => sent.expose().clone(),
            (None, inherited) => inherited
                .map(|details| details.context.clone())
                .unwrap_or_default(),
        },
        bind_resource: match (&request.bind_resource, inherited) {
            (Some(sent), _) => sent.clone(),
            (None, inherited) => inherited
                .map(|details| details.bind_resource.clone())
                .unwrap_or_default(),
        },
        predecessor: request.predecessor.as_ref().map(ToString::to_string),
        values: serde_json::Map::new(),
        answer: BindingAnswer::default(),
    }
}

fn app_guid(details: &BindingDetails) -> Option<&str> {
    details.bind_resource.get("app_guid")?.as_str()
}

fn expired(binding: &Binding, now: Timestamp) -> bool {
    let metadata = binding.details.expose().answer.0.get("metadata");
    metadata
        .and_then(|metadata| metadata.get("expires_at")?.as_str())
        .and_then(parse_utc)
        .is_some_and(|expires_at| expires_at <= now.0)
}
