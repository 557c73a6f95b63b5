//! Text of others, as it may stand where people read it.

use serde_json::Value;

use crate::secret::MASK;

/// Text of others without what a terminal or a log would take for more than text: line ends, escape sequences.
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Whether a key sounds like that of a secret: what stands there is never shown, published or not.
pub fn sounds_secret(key: &str) -> bool {
    let key = key.to_lowercase().replace(['-', '_', '.'], "");
    let sounds = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "privatekey",
        "apikey",
        "accesskey",
    ];
    sounds.iter().any(|sound| key.contains(sound))
}

/// The value without what stands under a name that sounds like a secret: for what is published or typed, and lands in logs
/// (a catalog publishes a secret, of `dashboard_client`). `key` is the name that the value itself stands under.
pub fn masked(key: &str, value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .map(|(key, value)| {
                    let value = masked(&key, value);
                    (key, value)
                })
                .collect(),
        ),
        Value::String(_) | Value::Number(_) | Value::Array(_) if sounds_secret(key) => MASK.into(),
        Value::Array(items) => items.into_iter().map(|item| masked(key, item)).collect(),
        other => other,
    }
}
