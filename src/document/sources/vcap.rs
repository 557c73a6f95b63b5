//! Services bound to the broker itself on Cloud Foundry.

use serde_json::Value as Json;

use super::{Environment, Missing, files};
use crate::document::reference::Reference;

const VARIABLE: &str = "VCAP_SERVICES";
const FILE: &str = "VCAP_SERVICES_FILE_PATH";

/// The bound service that is addressed: by its instance's name, else by its binding's.
pub(super) fn service(
    environment: &Environment,
    reference: &Reference,
) -> Result<Option<Json>, Missing> {
    let Some(text) = text(environment, reference)? else {
        return Ok(None);
    };
    let Ok(Json::Object(offerings)) = serde_json::from_str::<Json>(&text) else {
        let message = format!("{VARIABLE} is not a JSON object");
        return Err(Missing::broken(
            reference,
            message,
            "let the platform set it",
        ));
    };
    let services: Vec<&Json> = offerings
        .values()
        .filter_map(Json::as_array)
        .flatten()
        .collect();
    let name = &reference.address;
    for keys in [&["instance_name", "name"][..], &["binding_name"]] {
        let mut named = services
            .iter()
            .filter(|service| keys.iter().any(|key| service[key] == **name));
        match (named.next(), named.next()) {
            (Some(service), None) => return Ok(Some((*service).clone())),
            (Some(_), Some(_)) => return Err(two(reference)),
            (None, _) => {}
        }
    }
    Ok(None)
}

fn two(reference: &Reference) -> Missing {
    let message = format!("two bound services have the name {}", reference.address);
    Missing::broken(
        reference,
        message,
        "give the bindings names of their own and use one of these",
    )
}

/// The file that it is read from, where it is one.
pub(super) fn file(environment: &Environment) -> Option<&str> {
    let variable = |name| environment.get(name).filter(|text| !text.is_empty());
    match variable(VARIABLE) {
        Some(_) => None,
        None => variable(FILE),
    }
}

fn text(environment: &Environment, reference: &Reference) -> Result<Option<String>, Missing> {
    let variable = |name| environment.get(name).filter(|text| !text.is_empty());
    match (variable(VARIABLE), variable(FILE)) {
        (Some(text), _) => Ok(Some(text.to_owned())),
        (None, Some(path)) => files::text(path, reference),
        (None, None) => Ok(None),
    }
}
