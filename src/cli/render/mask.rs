//! The answer of a bind, or of another call, without its secrets.
//!
//! What is shown is what the specification makes public, field by field; all other texts and numbers are `***`, for
//! nobody can tell a secret by its looks. Of a URL, scheme and host are shown: user, path and query may be tokens.

use serde_json::Value;

use crate::domain::json::Object;
use crate::secret::MASK;

/// What is no secret wherever it comes from. List positions are left out.
const PUBLIC: &[&str] = &[
    "metadata.expires_at",
    "metadata.renew_before",
    "volume_mounts.driver",
    "volume_mounts.container_dir",
    "volume_mounts.mode",
    "volume_mounts.device_type",
    "volume_mounts.device.volume_id",
    "endpoints.host",
    "endpoints.ports",
    "endpoints.protocol",
    "service_id",
    "plan_id",
    "operation",
    "state",
    "description",
    "error",
    "maintenance_info.version",
    "maintenance_info.description",
];

const URLS: &[&str] = &["syslog_drain_url", "route_service_url", "dashboard_url"];

/// The answer with `***` for whatever may be a secret. Keys, booleans, nulls and empty texts stay.
pub(in crate::cli) fn masked(answer: Object) -> Value {
    below("", Value::Object(answer))
}

fn below(path: &str, value: Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .map(|(key, value)| {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    (key, below(&path, value))
                })
                .collect(),
        ),
        Value::Array(items) => items.into_iter().map(|item| below(path, item)).collect(),
        Value::String(text) if URLS.contains(&path) => url(&text).into(),
        Value::String(text) if !text.is_empty() && !PUBLIC.contains(&path) => MASK.into(),
        Value::Number(_) if !PUBLIC.contains(&path) => MASK.into(),
        other => other,
    }
}

fn url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return MASK.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{MASK}@{host}"),
        None => authority.to_owned(),
    };
    let behind = match behind {
        "" | "/" => behind.to_owned(),
        _ => format!("/{MASK}"),
    };
    format!("{scheme}://{host}{behind}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let answer = json!({
            "metadata": { "expires_at": "2030-01-01T00:00:00.0Z", "labels": { "x": "s3" } },
            "credentials": { "password": "s1", "deep": [{ "pin": 4711 }, true, null, ""] },
            "syslog_drain_url": "syslog-tls://user:s2@logs.example.com:6514/s5?t=s6",
            "route_service_url": "https://route.example.com",
            "volume_mounts": [{ "driver": "nfs", "device": { "volume_id": "v", "mount_config": { "p": "s4" } } }],
            "endpoints": [{ "host": "db", "ports": ["5432"], "protocol": "tcp" }],
        });
        let shown = json!({
            "metadata": { "expires_at": "2030-01-01T00:00:00.0Z", "labels": { "x": "***" } },
            "credentials": { "password": "***", "deep": [{ "pin": "***" }, true, null, ""] },
            "syslog_drain_url": "syslog-tls://***@logs.example.com:6514/***",
            "route_service_url": "https://route.example.com",
            "volume_mounts": [{ "driver": "nfs", "device": { "volume_id": "v", "mount_config": { "p": "***" } } }],
            "endpoints": [{ "host": "db", "ports": ["5432"], "protocol": "tcp" }],
        });
        let Value::Object(answer) = answer else {
            panic!("an object")
        };
        assert_eq!(masked(answer), shown);
        assert_eq!(url("not a url s7"), MASK);
        assert_eq!(url("https://a@b@h/"), "https://***@h/");
    }
}
