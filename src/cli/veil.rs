//! What a store keeps under lock, shown without it: the keys stay, every value is `***`, for nobody can tell a secret by
//! its looks.

use serde_json::Value;

use super::sounds_secret;
use crate::secret::MASK;

/// The value, or what may be seen of it.
pub(super) fn shown(value: Value, reveal: bool) -> Value {
    if reveal { value } else { veiled(value) }
}

fn veiled(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .map(|(key, value)| (key, veiled(value)))
            .collect(),
        Value::Null => Value::Null,
        _ => MASK.into(),
    }
}

/// The value without what stands under a name that sounds like a secret: for what is published or typed, and lands in logs
/// (a catalog publishes a secret, of `dashboard_client`). `key` is the name that the value itself stands under.
pub(super) fn named(key: &str, value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .map(|(key, value)| {
                    let value = named(&key, value);
                    (key, value)
                })
                .collect(),
        ),
        Value::String(_) | Value::Number(_) | Value::Array(_) if sounds_secret(key) => MASK.into(),
        Value::Array(items) => items.into_iter().map(|item| named(key, item)).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_stay_and_values_go() {
        let value = json!({ "a": "s1", "b": { "c": 2, "d": [{ "e": "s3" }], "f": null, "g": true }, "h": {} });
        let seen =
            json!({ "a": MASK, "b": { "c": MASK, "d": MASK, "f": null, "g": MASK }, "h": {} });
        assert_eq!(shown(value.clone(), false), seen);
        assert_eq!(shown(value.clone(), true), value);
    }
}
