//! What a bind gives to templates as `binding.outputs`: the credentials in the forms that applications read.
//!
//! | output | of |
//! | --- | --- |
//! | `host`, `port` | `with.host`, `with.port`, else those of the server's URL |
//! | `database` | `instance.values.database`, else `with.database`, else that of the server's URL |
//! | `username`, `password` | `binding.values` |
//! | `uri` | `postgresql://USERNAME:PASSWORD@HOST:PORT/DATABASE`, or `mysql://...`, each part percent-encoded |
//! | `jdbcUrl` | `jdbc:postgresql://HOST:PORT/DATABASE?user=...&password=...`, or `jdbc:mysql://...` |
//!
//! `with.sslmode` is added to both URLs, of MySQL as `ssl-mode` and as `sslMode`. A provision gives the first three.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::dialect::Dialect;
use crate::domain::backend::Work;
use crate::domain::json::Object;
use crate::domain::operation::Kind;

/// All but the unreserved signs of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The outputs of an operation.
pub(super) fn outputs(dialect: Dialect, work: &Work<'_>, with: &Object, server: &Object) -> Object {
    let mut outputs = Object::new();
    if work.kind.removes() {
        return outputs;
    }
    let made = &work.instance.details.expose().values;
    let given = |key: &str, of: &Object| of.get(key).filter(|value| !value.is_null()).cloned();
    for key in ["host", "port", "database"] {
        let own = Some(made)
            .filter(|_| key == "database")
            .and_then(|made| given(key, made));
        outputs.extend(
            own.or_else(|| given(key, with))
                .or_else(|| given(key, server))
                .map(|value| (key.to_owned(), value)),
        );
    }
    let bound = work.binding.map(|binding| &binding.details.expose().values);
    if let (Kind::Bind, Some(bound)) = (work.kind, bound) {
        for key in ["username", "password"] {
            outputs.extend(given(key, bound).map(|value| (key.to_owned(), value)));
        }
        let urls = urls(dialect, &outputs, given("sslmode", with));
        outputs.extend(urls.map(|(key, url)| (key.to_owned(), url.into())));
    }
    outputs
}

fn urls(dialect: Dialect, outputs: &Object, mode: Option<Value>) -> [(&'static str, String); 2] {
    let (scheme, [of_uri, of_jdbc]) = match dialect {
        Dialect::Postgres => ("postgresql", ["sslmode", "sslmode"]),
        Dialect::MySql => ("mysql", ["ssl-mode", "sslMode"]),
    };
    let part = |key: &str| {
        let value = outputs.get(key).map(plain).unwrap_or_default();
        utf8_percent_encode(&value, RESERVED).to_string()
    };
    let host = outputs.get("host").map(plain).unwrap_or_default();
    // An IPv6 address has brackets of its own.
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        part("host")
    };
    let place = format!("{host}:{}/{}", part("port"), part("database"));
    let (username, password) = (part("username"), part("password"));
    let mode = mode.map(|mode| utf8_percent_encode(&plain(&mode), RESERVED).to_string());
    let (first, next) = match &mode {
        Some(mode) => (format!("?{of_uri}={mode}"), format!("&{of_jdbc}={mode}")),
        None => (String::new(), String::new()),
    };
    [
        (
            "uri",
            format!("{scheme}://{username}:{password}@{place}{first}"),
        ),
        (
            "jdbcUrl",
            format!("jdbc:{scheme}://{place}?user={username}&password={password}{next}"),
        ),
    ]
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn urls_have_every_part_encoded() {
        let Value::Object(outputs) = json!({
            "host": "::1", "port": 5432, "database": "a/b", "username": "u@", "password": "p:?&"
        }) else {
            panic!("an object");
        };
        let [(_, uri), (_, jdbc)] = urls(Dialect::Postgres, &outputs, Some(json!("require")));
        assert_eq!(
            uri,
            "postgresql://u%40:p%3A%3F%26@[::1]:5432/a%2Fb?sslmode=require"
        );
        assert_eq!(
            jdbc,
            "jdbc:postgresql://[::1]:5432/a%2Fb?user=u%40&password=p%3A%3F%26&sslmode=require"
        );
        let [(_, uri), (_, jdbc)] = urls(Dialect::MySql, &outputs, Some(json!("REQUIRED")));
        assert_eq!(
            uri,
            "mysql://u%40:p%3A%3F%26@[::1]:5432/a%2Fb?ssl-mode=REQUIRED"
        );
        assert_eq!(
            jdbc,
            "jdbc:mysql://[::1]:5432/a%2Fb?user=u%40&password=p%3A%3F%26&sslMode=REQUIRED"
        );
    }
}
