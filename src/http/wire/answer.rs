//! Domain values as bodies of answers.

use serde_json::{Value, json};

use crate::domain::answer::InstanceAnswer;
use crate::domain::binding::Binding;
use crate::domain::broker::Accepted;
use crate::domain::catalog::Catalog;
use crate::domain::instance::Instance;
use crate::domain::json::Object;
use crate::domain::lifecycle::LifecycleState;
use crate::domain::offering::{MaintenanceInfo, Offering, Plan};
use crate::domain::operation::{Report, State};

/// Specification, "Provisioning" and "Updating a Service Instance", body of a success.
pub(in crate::http) fn instance_answer(answer: &InstanceAnswer) -> Object {
    let mut body = Object::new();
    put(&mut body, "dashboard_url", answer.dashboard_url.clone());
    put(&mut body, "metadata", answer.metadata.clone());
    body
}

/// Specification, "Fetching a Service Instance", body of a success.
pub(in crate::http) fn instance(instance: &Instance) -> Object {
    let details = instance.details.expose();
    let mut body = Object::new();
    put(&mut body, "service_id", Some(instance.service_id.as_str()));
    put(&mut body, "plan_id", Some(instance.plan_id.as_str()));
    body.extend(instance_answer(&details.answer));
    put(&mut body, "parameters", Some(details.parameters.clone()));
    put(
        &mut body,
        "maintenance_info",
        details
            .maintenance_version
            .as_ref()
            .map(|version| json!({ "version": version })),
    );
    body
}

/// Specification, "Fetching a Service Binding", body of a success.
pub(in crate::http) fn binding(binding: &Binding) -> Object {
    let details = binding.details.expose();
    let mut body = details.answer.0.clone();
    put(&mut body, "parameters", Some(details.parameters.clone()));
    body
}

/// Specification, body of a 202.
pub(in crate::http) fn accepted(accepted: &Accepted) -> Object {
    let mut body = Object::new();
    put(&mut body, "operation", Some(accepted.operation.as_str()));
    body
}

/// Specification, "Provisioning" and "Updating a Service Instance", body of a 202.
pub(in crate::http) fn instance_accepted(operation: &Accepted, answer: &InstanceAnswer) -> Object {
    let mut body = instance_answer(answer);
    body.extend(accepted(operation));
    body
}

/// Specification, "Polling Last Operation", body of a success.
pub(in crate::http) fn last_operation(state: State, report: &Report) -> Object {
    let mut body = Object::new();
    put(&mut body, "state", Some(state.name()));
    body.extend(told(report));
    body
}

/// What is told of an operation, in a poll or in an error.
pub(in crate::http) fn told(report: &Report) -> Object {
    let mut body = Object::new();
    put(&mut body, "description", report.description.clone());
    put(&mut body, "instance_usable", report.instance_usable);
    put(&mut body, "update_repeatable", report.update_repeatable);
    body
}

/// The published catalog: what the specification knows, and `extensions` flat beside it.
pub fn catalog(catalog: &Catalog) -> Value {
    json!({ "services": catalog.offerings().iter().map(|offering| service(offering)).collect::<Vec<_>>() })
}

fn service(offering: &Offering) -> Object {
    let mut body = Object::new();
    put(&mut body, "id", Some(offering.id.as_str()));
    put(&mut body, "name", Some(&*offering.name));
    put(&mut body, "description", Some(&*offering.description));
    put(&mut body, "tags", offering.tags.clone());
    put(&mut body, "requires", offering.requires.clone());
    put(&mut body, "bindable", Some(offering.bindable));
    put(
        &mut body,
        "instances_retrievable",
        offering.instances_retrievable,
    );
    put(
        &mut body,
        "bindings_retrievable",
        offering.bindings_retrievable,
    );
    put(
        &mut body,
        "allow_context_updates",
        offering.allow_context_updates,
    );
    put(&mut body, "metadata", offering.metadata.clone());
    put(
        &mut body,
        "dashboard_client",
        offering.dashboard_client.clone(),
    );
    put(&mut body, "plan_updateable", offering.plan_updateable);
    body.extend(offering.extensions.clone());
    put(
        &mut body,
        "plans",
        Some(
            offering
                .plans
                .iter()
                .map(|entry| plan(entry))
                .collect::<Value>(),
        ),
    );
    body
}

fn plan(plan: &Plan) -> Value {
    let mut body = Object::new();
    put(&mut body, "id", Some(plan.id.as_str()));
    put(&mut body, "name", Some(&*plan.name));
    put(&mut body, "description", Some(described(plan)));
    put(&mut body, "metadata", metadata(plan));
    put(&mut body, "free", plan.free);
    put(&mut body, "bindable", plan.bindable);
    put(&mut body, "binding_rotatable", plan.binding_rotatable);
    put(&mut body, "plan_updateable", plan.plan_updateable);
    put(&mut body, "schemas", plan.schemas.published.clone());
    put(
        &mut body,
        "maximum_polling_duration",
        plan.maximum_polling_duration,
    );
    put(
        &mut body,
        "maintenance_info",
        plan.maintenance_info.as_ref().map(maintenance_info),
    );
    body.extend(plan.extensions.clone());
    body.into()
}

/// With what users need to know of its life.
fn described(plan: &Plan) -> String {
    match plan.lifecycle.told() {
        Some(told) => format!("{} ({told})", plan.description),
        None => plan.description.clone(),
    }
}

/// The same for those who read it by program: `lifecycle` beside what the document says.
fn metadata(plan: &Plan) -> Option<Object> {
    let life = &plan.lifecycle;
    if life.state == LifecycleState::Active {
        return plan.metadata.clone();
    }
    let mut body = Object::new();
    put(&mut body, "state", Some(life.state.name()));
    put(&mut body, "note", life.note.clone());
    put(&mut body, "successor", life.successor.clone());
    let after = life.after.as_ref();
    put(&mut body, "after", after.map(|after| after.text.clone()));
    let mut metadata = plan.metadata.clone().unwrap_or_default();
    metadata.insert("lifecycle".to_owned(), body.into());
    Some(metadata)
}

fn maintenance_info(info: &MaintenanceInfo) -> Object {
    let mut body = Object::new();
    put(&mut body, "version", Some(info.version.to_string()));
    put(&mut body, "description", info.description.clone());
    body
}

/// A null would be refused by platforms where the key alone is optional: what is absent is left out.
fn put(body: &mut Object, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(key.to_owned(), value.into());
    }
}
