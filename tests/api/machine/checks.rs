//! The checks that the model's calls share, and when two JSON values are the same.

use serde_json::{Map, Value, json};

use super::offer::{self, Plan, SHOP, VAULT};
use super::steps::{Ask, Slip};

/// Status and word.
pub type Refused = (u16, &'static str);

/// Rows 2, 3 and the first half of 5: one slip a call, so that their order does not matter here.
pub fn gate(ask: &Ask) -> Result<(), Refused> {
    match ask.slip {
        Slip::NoLogin | Slip::WrongPassword => Err((401, "Unauthorized")),
        Slip::NoVersion | Slip::Version(_) => Err((412, "ApiVersionUnsupported")),
        Slip::NotJson | Slip::NotAnObject if ask.act.has_body() => Err((400, "InvalidBody")),
        _ => Ok(()),
    }
}

pub fn once(ask: &Ask) -> Result<(), Refused> {
    match ask.slip {
        Slip::NameTwice => Err((400, "InvalidQuery")),
        _ => Ok(()),
    }
}

pub fn present(name: Option<&String>) -> Result<(), Refused> {
    match name.map(String::as_str) {
        None | Some("") => Err((400, "InvalidField")),
        Some(_) => Ok(()),
    }
}

pub fn typed(ask: &Ask) -> Result<(), Refused> {
    match ask.slip {
        Slip::ParametersAreAList => Err((400, "InvalidField")),
        _ => Ok(()),
    }
}

pub fn chosen(service: Option<&str>, plan: Option<&str>) -> Result<&'static Plan, Refused> {
    if ![Some(SHOP), Some(VAULT)].contains(&service) {
        return Err((400, "ServiceNotInCatalog"));
    }
    plan.and_then(offer::plan)
        .filter(|plan| Some(plan.service) == service)
        .ok_or((400, "PlanNotInCatalog"))
}

pub fn version(ask: &Ask) -> Option<&str> {
    ask.maintenance.as_ref()?.get("version")?.as_str()
}

pub fn maintained(plan: &Plan, ask: &Ask) -> Result<(), Refused> {
    match version(ask) {
        Some(version) if plan.maintenance != Some(version) => Err((422, "MaintenanceInfoConflict")),
        _ => Ok(()),
    }
}

pub fn bindable(plan: &Plan, ask: &Ask) -> Result<(), Refused> {
    if !plan.bindable {
        return Err((400, "NotBindable"));
    }
    if ask.predecessor.is_some() && !plan.rotatable {
        return Err((400, "NotRotatable"));
    }
    Ok(())
}

pub fn parameters(sent: Option<&Value>) -> Map<String, Value> {
    sent.and_then(Value::as_object).cloned().unwrap_or_default()
}

pub fn name(context: Option<&Value>) -> Option<Value> {
    context?.get("instance_name").cloned()
}

/// The schema for provision.
pub fn creatable(parameters: &Map<String, Value>) -> bool {
    parameters
        .get("size")
        .and_then(Value::as_f64)
        .is_some_and(|size| size >= 1.0)
}

/// The schema for update.
pub fn updatable(sent: &Map<String, Value>) -> bool {
    sent.iter()
        .all(|(key, value)| key == "size" && value.is_number())
}

/// `bind_resource` with the deprecated `app_guid` in it.
pub fn sent_resource(ask: &Ask) -> Option<Map<String, Value>> {
    let sent = ask.bind_resource.as_ref().and_then(Value::as_object);
    match (sent.cloned(), &ask.app_guid) {
        (sent, None) => sent,
        (sent, Some(app)) => {
            let mut sent = sent.unwrap_or_default();
            sent.insert("app_guid".to_owned(), app.clone());
            Some(sent)
        }
    }
}

/// One value for all ways to write it: `1.0` as `1`. The order of keys means nothing to begin with.
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 1e9 => {
                json!(format!("{float:.0}#"))
            }
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.clone(), canonical(value)))
            .collect::<Map<_, _>>()
            .into(),
        _ => value.clone(),
    }
}
