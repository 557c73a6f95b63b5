//! What a bind asks for: what there is of it, whether it may be had, and what tells one request from another.

use serde_json::{Value, json};

use crate::domain::answer::{BindTarget, BindingAnswer};
use crate::domain::binding::{Binding, BindingDetails};
use crate::domain::broker::{Bind, choose, parameters_fit};
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::json::{Fingerprint, FingerprintKey, Object};
use crate::domain::offering::Chosen;
use crate::domain::operation::State;
use crate::secret::Secret;

/// Offering, plan, parameters, application, `bind_resource` and predecessor; context may change between repeats.
pub(in crate::domain::broker) fn fingerprint(
    key: &FingerprintKey,
    request: &Bind,
    service: &ServiceId,
    plan: &PlanId,
) -> Fingerprint {
    let (service, plan) = request
        .named
        .as_ref()
        .map_or((service, plan), |(service, plan)| (service, plan));
    key.of(&json!([
        service.as_str(),
        plan.as_str(),
        request
            .parameters
            .as_ref()
            .map(Secret::expose)
            .cloned()
            .unwrap_or_default(),
        request
            .bind_resource
            .as_ref()
            .map(Secret::expose)
            .cloned()
            .unwrap_or_default(),
        request.predecessor.as_ref().map(BindingId::as_str),
    ]))
}

/// Row 10: nothing is made of an instance that is being changed, or was never made to its end.
pub(super) fn usable(instance: &Instance) -> Result<(), BrokerError> {
    match instance.last_operation.state {
        State::InProgress => Err(BrokerError::Concurrency),
        _ if instance.is_broken() => Err(BrokerError::InstanceNotUsable),
        _ => Ok(()),
    }
}

/// Row 6: what is named is of the catalog or of the instance's record, and can be bound and rotated.
pub(super) fn offered(
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

pub(in crate::domain::broker) fn bindable<'a>(
    chosen: Chosen<'a>,
    request: &Bind,
) -> Result<Chosen<'a>, BrokerError> {
    if !chosen.bindable() {
        return Err(BrokerError::NotBindable(chosen.plan.id.clone()));
    }
    if request.predecessor.is_some() && !chosen.rotatable() {
        return Err(BrokerError::NotRotatable(chosen.plan.id.clone()));
    }
    Ok(chosen)
}

/// Row 9: what is named is what the instance is of; and that can be bound still.
pub(super) fn agreed<'a>(
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
pub(in crate::domain::broker) fn fits(
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
pub(in crate::domain::broker) fn asked(
    request: &Bind,
    predecessor: Option<&Binding>,
) -> BindingDetails {
    let inherited = predecessor.map(|binding| binding.details.expose());
    BindingDetails {
        unmade: false,
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
            (Some(sent), _) => sent.expose().clone(),
            (None, inherited) => inherited
                .map(|details| details.bind_resource.clone())
                .unwrap_or_default(),
        },
        ends: None,
        predecessor: request.predecessor.as_ref().map(ToString::to_string),
        values: Object::new(),
        outputs: Object::new(),
        state: None,
        key_version: None,
        answer: BindingAnswer::default(),
    }
}

pub(in crate::domain::broker) fn app_guid(details: &BindingDetails) -> Option<&str> {
    details.bind_resource.get("app_guid")?.as_str()
}
