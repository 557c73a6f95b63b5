//! Merged lines as what the desk takes over.

use serde_json::Value;

use super::fields::Fields;
use super::piece::Piece;
use crate::document::{Findings, Place};
use crate::domain::answer::BindingField;
use crate::domain::broker::{Bind, Provision};
use crate::domain::catalog::Catalog;
use crate::domain::desk::takeover::{Known, OldBinding, OldInstance};
use crate::domain::id::{BindingId, InstanceId, PlanId, ServiceId};
use crate::domain::json::Object;
use crate::secret::Secret;

const OF_INSTANCES: &str = "id, service_id, plan_id, organization_guid, space_guid, context, parameters, dashboard_url, values, outputs, state";
const OF_BINDINGS: &str = "instance_id, id, app_guid, bind_resource, context, parameters, credentials and the other fields of a bind's answer, values, outputs, state";

const PLAN: &str = "write the broker's id of the plan; for Cloud Foundry's lists give what `cf curl /v3/service_plans` prints as well";
const SERVICE: &str = "write the broker's id of the offering: the catalog has none with this plan";
const ORGANIZATION: &str =
    "write it; for Cloud Foundry's lists give what `cf curl /v3/spaces` prints as well";
const IT: &str = "write it";

/// An instance as its line says it; nothing where the line is wrong.
pub(super) fn instance(
    piece: Piece,
    catalog: &Catalog,
    findings: &mut Findings,
) -> Option<(Place, OldInstance)> {
    let mut fields = Fields::new(piece, findings);
    let place = fields.place.clone();
    let id = fields.id("id", InstanceId::parse);
    let id = fields.require("id", id, IT);
    let plan_id = fields.id("plan_id", PlanId::parse);
    let plan_id = fields.require("plan_id", plan_id, PLAN);
    let by_plan = || Some(catalog.find(plan_id.as_ref()?)?.offering.id.clone());
    let service_id = fields.id("service_id", ServiceId::parse).or_else(by_plan);
    let service_id = fields.require("service_id", service_id, SERVICE);
    let organization = fields.text("organization_guid");
    let organization = fields.require("organization_guid", organization, ORGANIZATION);
    let space = fields.text("space_guid");
    let space = fields.require("space_guid", space, IT);
    let context = fields.object("context").unwrap_or_default();
    let parameters = fields.object("parameters").unwrap_or_default();
    let dashboard_url = fields.text("dashboard_url");
    let known = known(&mut fields);
    let sound = fields.end(OF_INSTANCES);
    let old = OldInstance {
        id: id?,
        request: Provision {
            service_id: service_id?,
            plan_id: plan_id?,
            organization: organization?,
            space: space?,
            context: Secret::new(context),
            parameters: Secret::new(parameters),
            maintenance_version: None,
            accepts_incomplete: false,
        },
        known,
        dashboard_url,
    };
    sound.then_some((place, old))
}

/// A binding as its line says it; nothing where the line is wrong.
pub(super) fn binding(piece: Piece, findings: &mut Findings) -> Option<(Place, OldBinding)> {
    let mut fields = Fields::new(piece, findings);
    let place = fields.place.clone();
    let instance = fields.id("instance_id", InstanceId::parse);
    let instance = fields.require("instance_id", instance, IT);
    let id = fields.id("id", BindingId::parse);
    let id = fields.require("id", id, IT);
    let bind_resource = bind_resource(&mut fields);
    let context = fields.object("context");
    let parameters = fields.object("parameters");
    let answer = answer(&mut fields);
    let known = known(&mut fields);
    let sound = fields.end(OF_BINDINGS);
    let old = OldBinding {
        instance: instance?,
        id: id?,
        request: Bind {
            named: None,
            predecessor: None,
            context: context.map(Secret::new),
            bind_resource: bind_resource.map(Secret::new),
            parameters: parameters.map(Secret::new),
            accepts_incomplete: false,
        },
        known,
        answer: Secret::new(answer),
    };
    sound.then_some((place, old))
}

fn known(fields: &mut Fields<'_>) -> Known {
    Known {
        values: Secret::new(fields.object("values").unwrap_or_default()),
        outputs: Secret::new(fields.object("outputs").unwrap_or_default()),
        state: fields.value("state").map(Secret::new),
    }
}

/// As a bind is read: the deprecated `app_guid` beside `bind_resource` is put into it.
fn bind_resource(fields: &mut Fields<'_>) -> Option<Object> {
    let app_guid = fields.text("app_guid");
    let mut resource = fields.object("bind_resource");
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

fn answer(fields: &mut Fields<'_>) -> Object {
    let mut answer = Object::new();
    for field in BindingField::ALL {
        match fields.value(field.name()) {
            Some(value) if field.takes(&value) => {
                answer.insert(field.name().to_owned(), value);
            }
            Some(_) => fields.wrong(
                field.name(),
                &format!("is not {}", field.kind()),
                "mend its type",
            ),
            None => {}
        }
    }
    answer
}
