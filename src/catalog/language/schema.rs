//! The JSON schema of the document, for editors: out of the same table as the checks.

use serde_json::{Map, Value, json};

use super::table::DOCUMENT;
use super::{Key, Others, Reading, Record, Shape};

/// A reference that is the whole value and keeps its type. A bare name of capitals is an environment variable, and that
/// is always text; another one comes from a vars file.
const TYPED_REFERENCE: &str =
    r"^\$\{((json|dir|vcap):[^}]+|[A-Za-z0-9_-]*[a-z.][A-Za-z0-9_.-]*([#|:][^}]*)?)\}$";

/// A time with its unit, or a reference that brings one.
const TIME: &str = r"^([0-9]+ ?(ms|s|m|h|d)?|.*\$\{.*)$";

/// One template that is the whole value.
const ONE_TEMPLATE: &str = r"^\{\{.*\}\}$";

/// The document's schema, draft 7. What may be inherited is not required here; `check` sees the whole.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    let root = record(&DOCUMENT, &mut definitions);
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A catalog of catalog-broker",
        "description": "Open Service Broker API 2.17 catalog, with private keys.",
    });
    if let (Some(schema), Value::Object(root)) = (schema.as_object_mut(), root) {
        schema.extend(root);
        schema.insert("definitions".to_owned(), Value::Object(definitions));
    }
    schema
}

fn record(record: &'static Record, definitions: &mut Map<String, Value>) -> Value {
    let properties: Map<String, Value> = record
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key, definitions)))
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    match record.others {
        Others::Passed => {}
        Others::Anchors => {
            schema["patternProperties"] =
                json!({ "^x-": { "description": "A home for anchors." } });
            schema["additionalProperties"] = false.into();
        }
        Others::Refused | Others::Extensions => schema["additionalProperties"] = false.into(),
    }
    schema
}

fn property(key: &'static Key, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = value(key.shape, key.reading, key.name != "values", definitions);
    let absent = json!({ "type": "null" });
    match schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        Some(choices) => choices.push(absent),
        None => schema = json!({ "anyOf": [schema, absent] }),
    }
    schema["description"] = key.doc.into();
    schema
}

/// A value of that shape, or what a reference or a template brings of it.
fn value(
    shape: Shape,
    reading: Reading,
    may_be_template: bool,
    definitions: &mut Map<String, Value>,
) -> Value {
    let plain = match shape {
        Shape::Text => return json!({ "type": "string" }),
        Shape::Any => return json!({}),
        Shape::Schema => return json!({ "type": "object" }),
        Shape::ApiVersion => json!({ "type": "string", "pattern": r"^(\d+\.\d+|.*\$\{.*)$" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer => json!({ "type": "integer", "minimum": 0 }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Duration => {
            json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": TIME }] })
        }
        Shape::TextOr(inner) => {
            let inner = value(Shape::Record(inner), reading, false, definitions);
            return json!({ "anyOf": [{ "type": "string" }, inner] });
        }
        Shape::WordOr(words, inner) => {
            let inner = value(Shape::Record(inner), reading, false, definitions);
            json!({ "anyOf": [{ "enum": words }, inner] })
        }
        Shape::BoolOr(inner) => {
            let inner = value(Shape::Record(inner), reading, false, definitions);
            json!({ "anyOf": [{ "type": "boolean" }, inner] })
        }
        Shape::Named(inner) => json!({
            "type": "object",
            "additionalProperties": value(Shape::Record(inner), reading, false, definitions),
        }),
        Shape::Free => json!({ "type": "object" }),
        Shape::List(item) => {
            json!({ "type": "array", "items": value(*item, reading, true, definitions) })
        }
        Shape::Record(inner) => {
            let name = inner.name.replace(' ', "-");
            if !definitions.contains_key(&name) {
                definitions.insert(name.clone(), Value::Null);
                let schema = record(inner, definitions);
                definitions.insert(name.clone(), schema);
            }
            json!({ "$ref": format!("#/definitions/{name}") })
        }
    };
    let mut choices = vec![plain];
    if reading != Reading::Verbatim && !matches!(shape, Shape::ApiVersion) {
        let pattern = if matches!(shape, Shape::Word(_)) {
            r"\$\{"
        } else {
            TYPED_REFERENCE
        };
        choices.push(json!({ "type": "string", "pattern": pattern }));
    }
    if reading.renders() && may_be_template {
        let pattern = if matches!(shape, Shape::Word(_)) {
            r"\{\{"
        } else {
            ONE_TEMPLATE
        };
        choices.push(json!({ "type": "string", "pattern": pattern }));
    }
    if choices.len() == 1 {
        choices.remove(0)
    } else {
        json!({ "anyOf": choices })
    }
}
