//! JSON as values: when two are the same, and their one form for a fingerprint.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Number, Value};
use sha2::Sha256;

/// A JSON object.
pub type Object = Map<String, Value>;

/// A keyed hash of a request in its canonical form: equal requests have equal fingerprints, and nobody who reads the
/// store can guess a parameter from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// The key of fingerprints; it belongs to a store and never leaves it.
#[derive(Clone)]
pub struct FingerprintKey(Hmac<Sha256>);

impl FingerprintKey {
    /// A key out of 256 random bits.
    pub fn new(key: &[u8; 32]) -> Self {
        // HMAC pads a key to the block of its hash with zeros; so padded it has the length that the type asks for.
        let mut block = [0; 64];
        block[..key.len()].copy_from_slice(key);
        Self(Hmac::new(&block.into()))
    }

    /// The fingerprint of a value: of its meaning, not of its bytes.
    pub fn of(&self, value: &Value) -> Fingerprint {
        self.of_text(&canonical(value))
    }

    /// The fingerprint of an object as one of a kind: that of `[kind, object]`, which nobody has to put together for it.
    pub fn of_kind(&self, kind: &str, object: &Object) -> Fingerprint {
        let mut text = String::from("[");
        write_text(kind, &mut text);
        text.push(',');
        write_object(object, &mut text);
        text.push_str(",]");
        self.of_text(&text)
    }

    fn of_text(&self, text: &str) -> Fingerprint {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        Fingerprint(mac.finalize().into_bytes().into())
    }
}

/// One text for all ways to write the same value: keys in order, `1.0` as `1`.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => write_number(number, text),
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(object) => write_object(object, text),
        Value::String(string) => write_text(string, text),
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
    }
}

fn write_object(object: &Object, text: &mut String) {
    let mut entries: Vec<(&String, &Value)> = object.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    text.push('{');
    for (key, value) in entries {
        write_text(key, text);
        text.push(':');
        write_canonical(value, text);
        text.push(',');
    }
    text.push('}');
}

// The length in front makes the form unambiguous without escapes.
fn write_text(string: &str, text: &mut String) {
    let _ = write!(text, "\"{}\"", string.len());
    text.push_str(string);
}

/// Integers beyond this are not told apart by a 64-bit float.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn write_number(number: &Number, text: &mut String) {
    let _ = match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT => {
            write!(text, "{float:.0}")
        }
        Some(float) if number.is_f64() => write!(text, "{float:e}"),
        _ => write!(text, "{number}"),
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>()
                .prop_filter_map("JSON has no such number", |float| Number::from_f64(float)
                    .map(Value::Number)),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((".{0,4}", inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn the_same_value_has_one_form() {
        for (a, b) in [
            (
                json!({"a": 1, "b": [true, null]}),
                json!({"b": [true, null], "a": 1.0}),
            ),
            (json!(-0.0), json!(-0.0)),
            (json!(1e3), json!(1000)),
        ] {
            assert_eq!(canonical(&a), canonical(&b));
        }
    }

    #[test]
    fn different_values_have_different_forms() {
        for (a, b) in [
            (json!(1), json!("1")),
            (json!([1, 2]), json!([12])),
            (json!([]), json!({})),
            (json!({"a": "b"}), json!({"a\"1\"b": ""})),
            (json!(null), json!("null")),
            (json!(1.5), json!(1)),
            (
                json!(9_007_199_254_740_993_u64),
                json!(9_007_199_254_740_992_u64),
            ),
        ] {
            assert_ne!(canonical(&a), canonical(&b));
        }
    }

    proptest! {
        #[test]
        fn one_of_a_kind_is_the_pair_of_both(value in any_json()) {
            let key = FingerprintKey::new(&[7; 32]);
            let object = Object::from_iter([("value".to_owned(), value)]);
            prop_assert_eq!(key.of_kind("k", &object), key.of(&json!(["k", object])));
        }

        #[test]
        fn the_order_of_keys_means_nothing(value in any_json()) {
            prop_assert_eq!(canonical(&reversed(&value)), canonical(&value));
        }
    }

    fn reversed(value: &Value) -> Value {
        match value {
            Value::Object(object) => Value::Object(
                object
                    .iter()
                    .rev()
                    .map(|(k, v)| (k.clone(), reversed(v)))
                    .collect(),
            ),
            Value::Array(items) => items.iter().map(reversed).collect(),
            other => other.clone(),
        }
    }
}
