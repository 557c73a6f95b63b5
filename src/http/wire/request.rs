//! Bodies and queries as domain requests.

use serde_json::Value;

use super::fields::{Fields, refusal};
use crate::domain::broker::{Bind, Previous, Provision, Removal, Update};
use crate::domain::id::{BindingId, PlanId, ServiceId};
use crate::domain::json::Object;
use crate::http::error::Refusal;
use crate::http::input::{Body, Query};
use crate::secret::Secret;

/// Specification, "Provisioning", request body.
pub(in crate::http) fn provision(Body(body): Body, query: &Query) -> Result<Provision, Refusal> {
    let mut problems = Vec::new();
    let mut fields = Fields::new(body, "", &mut problems);
    let service_id = required_id(&mut fields, "service_id", ServiceId::parse);
    let plan_id = required_id(&mut fields, "plan_id", PlanId::parse);
    let organization = required_text(&mut fields, "organization_guid");
    let space = required_text(&mut fields, "space_guid");
    let context = fields.object("context");
    let parameters = fields.object("parameters");
    let maintenance_version = maintenance_version(&mut fields);
    match (
        service_id,
        plan_id,
        organization,
        space,
        problems.is_empty(),
    ) {
        (Some(service_id), Some(plan_id), Some(organization), Some(space), true) => Ok(Provision {
            service_id,
            plan_id,
            organization,
            space,
            context: Secret::new(context.unwrap_or_default()),
            parameters: Secret::new(parameters.unwrap_or_default()),
            maintenance_version,
            accepts_incomplete: query.accepts_incomplete(),
        }),
        _ => Err(refusal(&problems)),
    }
}

/// Specification, "Updating a Service Instance", request body. Whatever `previous_values` says, it is no mistake.
pub(in crate::http) fn update(Body(body): Body, query: &Query) -> Result<Update, Refusal> {
    let mut problems = Vec::new();
    let mut fields = Fields::new(body, "", &mut problems);
    let service_id = required_id(&mut fields, "service_id", ServiceId::parse);
    let plan_id = fields.id("plan_id", PlanId::parse);
    let context = fields.object("context").map(Secret::new);
    let parameters = fields.object("parameters").map(Secret::new);
    let maintenance_version = maintenance_version(&mut fields);
    let previous = previous(&fields.taken("previous_values"));
    match service_id {
        Some(service_id) if problems.is_empty() => Ok(Update {
            service_id,
            plan_id,
            context,
            parameters,
            maintenance_version,
            previous,
            accepts_incomplete: query.accepts_incomplete(),
        }),
        _ => Err(refusal(&problems)),
    }
}

fn previous(values: &Value) -> Previous {
    let text = |name: &str| values.get(name)?.as_str().filter(|text| !text.is_empty());
    Previous {
        plan_id: text("plan_id").and_then(|text| PlanId::parse(text).ok()),
        organization: text("organization_id").map(str::to_owned),
        space: text("space_id").map(str::to_owned),
    }
}

/// Specification, "Binding" and "Rotating a Service Binding", request bodies: a rotation may name its predecessor alone.
pub(in crate::http) fn bind(Body(body): Body, query: &Query) -> Result<Bind, Refusal> {
    let mut problems = Vec::new();
    let mut fields = Fields::new(body, "", &mut problems);
    let predecessor = fields.id("predecessor_binding_id", BindingId::parse);
    let service_id = fields.id("service_id", ServiceId::parse);
    let plan_id = fields.id("plan_id", PlanId::parse);
    let alone = predecessor.is_some() && service_id.is_none() && plan_id.is_none();
    let named = if alone {
        None
    } else {
        let service_id = fields.require("service_id", service_id);
        let plan_id = fields.require("plan_id", plan_id);
        service_id.zip(plan_id)
    };
    let context = fields.object("context").map(Secret::new);
    let parameters = fields.object("parameters").map(Secret::new);
    let bind_resource = bind_resource(&mut fields).map(Secret::new);
    if problems.is_empty() {
        Ok(Bind {
            named,
            predecessor,
            context,
            bind_resource,
            parameters,
            accepts_incomplete: query.accepts_incomplete(),
        })
    } else {
        Err(refusal(&problems))
    }
}

/// The deprecated `app_guid` beside `bind_resource` is put into it, where it is not there already.
fn bind_resource(fields: &mut Fields<'_>) -> Option<Object> {
    let app_guid = fields.text("app_guid");
    let mut resource = fields.object("bind_resource");
    if let Some(resource) = &resource {
        let mut inner = Fields::new(resource.clone(), "bind_resource.", fields.problems());
        inner.text("app_guid");
        inner.text("route");
    }
    if let Some(app_guid) = app_guid {
        let known = resource
            .get_or_insert_default()
            .entry("app_guid")
            .or_insert(Value::Null);
        if known.is_null() {
            *known = app_guid.into();
        }
    }
    resource
}

/// `maintenance_info.version`; an object without one names no version.
fn maintenance_version(fields: &mut Fields<'_>) -> Option<String> {
    let info = fields.object("maintenance_info")?;
    Fields::new(info, "maintenance_info.", fields.problems()).text("version")
}

fn required_id<T, E: ToString>(
    fields: &mut Fields<'_>,
    name: &str,
    parse: fn(&str) -> Result<T, E>,
) -> Option<T> {
    let id = fields.id(name, parse);
    fields.require(name, id)
}

fn required_text(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    let text = fields.text(name);
    fields.require(name, text)
}

/// The names in the query of a DELETE.
pub(in crate::http) fn removal(query: &Query) -> Removal {
    Removal {
        service_id: query.required("service_id", ServiceId::parse),
        plan_id: query.required("plan_id", PlanId::parse),
        accepts_incomplete: query.accepts_incomplete(),
    }
}
