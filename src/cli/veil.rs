//! What a store keeps under lock, shown without it: the keys stay, every value is `***`, for nobody can tell a secret by
//! its looks.

use serde_json::Value;

use crate::secret::MASK;

pub(super) use crate::domain::text::masked as named;

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
