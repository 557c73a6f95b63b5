//! What platforms do with our answers, as code: every answer of every test goes through here.
//!
//! Out of the specification's tables of statuses and bodies, and of what Cloud Controller and Korifi refuse.

use serde_json::Value;

use crate::http::{Request, Response};

/// What was asked, as far as the rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Catalog,
    Provision,
    FetchInstance,
    Update,
    Deprovision,
    Bind,
    FetchBinding,
    Unbind,
    Poll,
    Other,
}

/// Says what a platform would hold against the answer. `requires` is what the catalog's offerings declare.
pub fn check(request: &Request, response: &Response, requires: &[String]) -> Result<(), String> {
    let asked = asked(request);
    identity(request, response)?;
    if matches!(response.status, 304) || request.method == "HEAD" {
        return Ok(());
    }
    if is_page_of_metrics(asked, response) {
        return Ok(());
    }
    let body = response.json();
    ensure(body.is_object(), "every answer is a JSON object")?;
    let typed = response
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/json"));
    ensure(typed, "an answer with a body says that it is JSON")?;
    no_nulls(&body)?;
    match response.status {
        202 => accepted(asked, request, &body),
        200..=299 => success(asked, response.status, &body, requires),
        _ => refusal(asked, response, &body),
    }
}

/// The one answer that is no JSON: platforms never ask for it.
fn is_page_of_metrics(asked: Asked, response: &Response) -> bool {
    let kind = response.header("content-type").unwrap_or_default();
    asked == Asked::Other
        && response.status == 200
        && kind.starts_with("text/plain;")
        && response.text().contains("catalog_broker_build_info{")
}

fn ensure(holds: bool, complaint: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(complaint.to_owned())
    }
}

fn asked(request: &Request) -> Asked {
    let path = request.path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let Some(v2) = segments.iter().position(|segment| *segment == "v2") else {
        return Asked::Other;
    };
    match (request.method.as_str(), &segments[v2 + 1..]) {
        ("GET", ["catalog"]) => Asked::Catalog,
        ("PUT", ["service_instances", _]) => Asked::Provision,
        ("GET", ["service_instances", _]) => Asked::FetchInstance,
        ("PATCH", ["service_instances", _]) => Asked::Update,
        ("DELETE", ["service_instances", _]) => Asked::Deprovision,
        ("PUT", ["service_instances", _, "service_bindings", _]) => Asked::Bind,
        ("GET", ["service_instances", _, "service_bindings", _]) => Asked::FetchBinding,
        ("DELETE", ["service_instances", _, "service_bindings", _]) => Asked::Unbind,
        ("GET", ["service_instances", .., "last_operation"]) => Asked::Poll,
        _ => Asked::Other,
    }
}

fn identity(request: &Request, response: &Response) -> Result<(), String> {
    let sent = request
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("X-Broker-API-Request-Identity"));
    let back = response.header("x-broker-api-request-identity");
    ensure(
        sent.map(|(_, value)| value.as_str()) == back,
        "the request identity comes back on every answer",
    )
}

/// Cloud Controller takes a null for a value of the wrong type. What operators and users give freely may have them.
fn no_nulls(body: &Value) -> Result<(), String> {
    let mut fields = body.as_object().into_iter().flatten();
    fields.try_for_each(|(key, value)| {
        ensure(!value.is_null(), &format!("`{key}` is null: leave it out"))
    })
}

/// A 202: only for a platform that takes one, with what to poll for and nothing that is not sure yet.
fn accepted(asked: Asked, request: &Request, body: &Value) -> Result<(), String> {
    let takes = request.path.split(['?', '&']);
    ensure(
        takes.clone().any(|pair| pair == "accepts_incomplete=true"),
        "202 is for a platform that sends `accepts_incomplete=true`",
    )?;
    let operation = body["operation"].as_str().unwrap_or_default();
    ensure(
        (1..=10_000).contains(&operation.len()),
        "`operation` of a 202 is a string",
    )?;
    let more: &[&str] = match asked {
        Asked::Provision | Asked::Update => &["dashboard_url", "metadata"],
        Asked::Deprovision | Asked::Bind | Asked::Unbind => &[],
        _ => return Err("the status is one of the specification's for this request".to_owned()),
    };
    let mut keys = body.as_object().into_iter().flatten();
    keys.try_for_each(|(key, _)| {
        let known = key == "operation" || more.contains(&key.as_str());
        ensure(known, &format!("a 202 has no `{key}`"))
    })?;
    provisioned(body)
}

fn success(asked: Asked, status: u16, body: &Value, requires: &[String]) -> Result<(), String> {
    let statuses: &[u16] = match asked {
        Asked::Provision | Asked::Bind => &[200, 201],
        _ => &[200],
    };
    ensure(
        statuses.contains(&status),
        "the status is one of the specification's for this request",
    )?;
    let failed = asked == Asked::Poll && body["state"] == "failed";
    let flagged = ["instance_usable", "update_repeatable"]
        .iter()
        .any(|flag| body.get(*flag).is_some());
    ensure(
        body.get("error").is_none() && (failed || !flagged),
        "a success has no fields of errors",
    )?;
    match asked {
        Asked::Catalog => catalog(body),
        Asked::Provision | Asked::Update => provisioned(body),
        Asked::FetchInstance => fetched_instance(body),
        Asked::Bind => bound(body, requires),
        Asked::FetchBinding => {
            ensure(body["parameters"].is_object(), "`parameters` is an object")?;
            bound(body, requires)
        }
        Asked::Poll => {
            let known = ["in progress", "succeeded", "failed"]
                .iter()
                .any(|state| body["state"] == *state);
            ensure(known, "`state` is one of the three words")?;
            for flag in ["instance_usable", "update_repeatable"] {
                let flag = body.get(flag);
                ensure(flag.is_none_or(Value::is_boolean), "a flag is a boolean")?;
            }
            text_or_absent(body, "description")
        }
        Asked::Deprovision | Asked::Unbind => ensure(
            body == &serde_json::json!({}),
            "the body of a removal is `{}`",
        ),
        Asked::Other => Ok(()),
    }
}

fn text_or_absent(body: &Value, key: &str) -> Result<(), String> {
    match body.get(key) {
        None => Ok(()),
        Some(Value::String(text)) if !text.is_empty() => Ok(()),
        Some(_) => Err(format!("`{key}` is a string that is not empty")),
    }
}

fn object_or_absent(body: &Value, key: &str) -> Result<(), String> {
    ensure(
        body.get(key).is_none_or(Value::is_object),
        &format!("`{key}` is an object"),
    )
}

fn provisioned(body: &Value) -> Result<(), String> {
    ensure(
        body.get("dashboard_url").is_none_or(Value::is_string),
        "`dashboard_url` is a string",
    )?;
    ensure(
        body.get("operation").is_none_or(Value::is_string),
        "`operation` is a string",
    )?;
    object_or_absent(body, "metadata")?;
    let metadata = &body["metadata"];
    object_or_absent(metadata, "labels")?;
    object_or_absent(metadata, "attributes")
}

fn fetched_instance(body: &Value) -> Result<(), String> {
    for key in ["service_id", "plan_id"] {
        ensure(body[key].is_string(), &format!("`{key}` is a string"))?;
    }
    ensure(body["parameters"].is_object(), "`parameters` is an object")?;
    if let Some(info) = body.get("maintenance_info") {
        ensure(
            info["version"].is_string(),
            "`maintenance_info.version` is a string",
        )?;
    }
    provisioned(body)
}

fn bound(body: &Value, requires: &[String]) -> Result<(), String> {
    object_or_absent(body, "credentials")?;
    for (key, permission) in [
        ("syslog_drain_url", "syslog_drain"),
        ("route_service_url", "route_forwarding"),
        ("volume_mounts", "volume_mount"),
    ] {
        let declared = requires.iter().any(|word| word == permission);
        ensure(
            body.get(key).is_none() || declared,
            &format!("`{key}` needs `requires: [{permission}]`"),
        )?;
    }
    ensure(
        body.get("syslog_drain_url").is_none_or(Value::is_string),
        "`syslog_drain_url` is a string",
    )?;
    if let Some(url) = body.get("route_service_url") {
        let host = url
            .as_str()
            .and_then(|url| url.strip_prefix("https://"))
            .map(|rest| rest.split(['/', ':']).next());
        ensure(
            matches!(host, Some(Some(host)) if !host.is_empty()),
            "`route_service_url` is an https URL with a host",
        )?;
    }
    body.get("volume_mounts").map_or(Ok(()), volume_mounts)?;
    body.get("endpoints").map_or(Ok(()), endpoints)?;
    body.get("metadata").map_or(Ok(()), binding_metadata)
}

fn volume_mounts(mounts: &Value) -> Result<(), String> {
    let mounts = mounts.as_array().ok_or("`volume_mounts` is a list")?;
    for mount in mounts {
        for key in ["device_type", "mode", "container_dir", "driver"] {
            ensure(
                mount[key].as_str().is_some_and(|text| !text.is_empty()),
                &format!("a mount's `{key}` is a string"),
            )?;
        }
        ensure(
            mount["mode"] == "r" || mount["mode"] == "rw",
            "a mount's `mode` is `r` or `rw`",
        )?;
        let volume = mount["device"]["volume_id"].as_str();
        ensure(
            volume.is_some_and(|id| !id.is_empty()),
            "a mount's `device.volume_id` is a string",
        )?;
        object_or_absent(&mount["device"], "mount_config")?;
    }
    Ok(())
}

fn endpoints(endpoints: &Value) -> Result<(), String> {
    let endpoints = endpoints.as_array().ok_or("`endpoints` is a list")?;
    for endpoint in endpoints {
        ensure(
            endpoint["host"]
                .as_str()
                .is_some_and(|host| !host.is_empty()),
            "an endpoint's `host` is a string",
        )?;
        let ports = endpoint["ports"].as_array();
        let texts =
            ports.is_some_and(|ports| !ports.is_empty() && ports.iter().all(Value::is_string));
        ensure(texts, "an endpoint's `ports` are strings, at least one")?;
        let protocol = endpoint
            .get("protocol")
            .map_or("tcp", |protocol| protocol.as_str().unwrap_or_default());
        ensure(
            ["tcp", "udp", "all"].contains(&protocol),
            "an endpoint's `protocol` is tcp, udp or all",
        )?;
    }
    Ok(())
}

fn binding_metadata(metadata: &Value) -> Result<(), String> {
    for key in ["expires_at", "renew_before"] {
        if let Some(time) = metadata.get(key) {
            ensure(
                time.as_str().is_some_and(is_time),
                &format!("`metadata.{key}` is `yyyy-mm-ddThh:mm:ss.sZ`"),
            )?;
        }
    }
    let (renew, expires) = (
        metadata["renew_before"].as_str(),
        metadata["expires_at"].as_str(),
    );
    ensure(
        renew.is_none() || expires.is_none() || renew <= expires,
        "`renew_before` is not after `expires_at`",
    )
}

fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|char| if char.is_ascii_digit() { '0' } else { char })
        .collect();
    let (whole, fraction) = shape.split_once('.').unwrap_or_default();
    let digits = fraction.strip_suffix('Z').unwrap_or_default();
    whole == "0000-00-00T00:00:00" && !digits.is_empty() && digits.chars().all(|digit| digit == '0')
}

fn refusal(asked: Asked, response: &Response, body: &Value) -> Result<(), String> {
    let word = body["error"].as_str().unwrap_or_default();
    let one_word = word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.chars().all(|char| char.is_ascii_alphanumeric());
    ensure(one_word, "`error` is one word in camel case")?;
    let described = body["description"]
        .as_str()
        .is_some_and(|text| text.len() > 10);
    ensure(described, "`description` tells a person what to do")?;
    ensure(
        body.get("instance_usable").is_none()
            || matches!(asked, Asked::Update | Asked::Deprovision),
        "`instance_usable` is not for this",
    )?;
    ensure(
        body.get("update_repeatable").is_none() || asked == Asked::Update,
        "`update_repeatable` is not for this",
    )?;
    let unprocessable: &[&str] = match asked {
        Asked::Provision => &[
            "AsyncRequired",
            "ConcurrencyError",
            "MaintenanceInfoConflict",
        ],
        Asked::Bind => &["AsyncRequired", "ConcurrencyError", "RequiresApp"],
        _ => &[],
    };
    match response.status {
        // Cloud Controller deletes what it asked for where it does not know the word.
        422 if matches!(asked, Asked::Provision | Asked::Bind) => ensure(
            unprocessable.contains(&word),
            "a PUT is 422 only with a word that Cloud Controller knows",
        ),
        410 => ensure(
            !matches!(asked, Asked::Provision | Asked::Bind),
            "410 on a PUT starts orphan mitigation",
        ),
        401 => ensure(
            response.header("www-authenticate").is_some(),
            "401 comes with a challenge",
        ),
        405 => ensure(
            response.header("allow").is_some(),
            "405 says what is allowed",
        ),
        429 => ensure(
            response.header("retry-after").is_some(),
            "429 says when to come again",
        ),
        503 if word != "NotReady" => ensure(
            response.header("retry-after").is_some(),
            "503 says when to come again",
        ),
        _ => Ok(()),
    }
}

fn catalog(body: &Value) -> Result<(), String> {
    let services = body["services"].as_array().ok_or("`services` is a list")?;
    ensure(!services.is_empty(), "there is at least one service")?;
    let plans: Vec<&Value> = services
        .iter()
        .flat_map(|service| service["plans"].as_array().into_iter().flatten())
        .collect();
    unique(services, "id")?;
    unique(services, "name")?;
    unique(&plans, "id")?;
    for service in services {
        entry(
            service,
            &[
                "bindable",
                "plan_updateable",
                "bindings_retrievable",
                "instances_retrievable",
                "allow_context_updates",
            ],
        )?;
        ensure(
            service["bindable"].is_boolean(),
            "`bindable` of a service is present",
        )?;
        let plans = service["plans"].as_array().ok_or("`plans` is a list")?;
        ensure(!plans.is_empty(), "a service has at least one plan")?;
        unique(plans, "name")?;
        for plan in plans {
            entry(
                plan,
                &["free", "bindable", "plan_updateable", "binding_rotatable"],
            )?;
            let duration = plan
                .get("maximum_polling_duration")
                .is_none_or(Value::is_u64);
            ensure(duration, "`maximum_polling_duration` is an integer")?;
            object_or_absent(plan, "schemas")?;
        }
    }
    for private in [
        "values",
        "instance",
        "binding",
        "backend",
        "respond",
        "answer_within",
        "poll_every",
        "max_attempts",
        "offered",
        "accept",
        "plan_defaults",
        "extensions",
    ] {
        let published = services
            .iter()
            .chain(plans.iter().copied())
            .any(|entry| entry.get(private).is_some());
        ensure(
            !published,
            &format!("`{private}` is private and not published"),
        )?;
    }
    Ok(())
}

fn entry(entry: &Value, flags: &[&str]) -> Result<(), String> {
    for key in ["id", "name", "description"] {
        let text = entry[key].as_str().unwrap_or_default();
        ensure(
            !text.trim().is_empty(),
            &format!("`{key}` is a string that is not blank"),
        )?;
        ensure(
            text.chars().count() <= 10_000,
            "a description has at most 10,000 characters",
        )?;
    }
    for flag in flags {
        ensure(
            entry.get(*flag).is_none_or(Value::is_boolean),
            &format!("`{flag}` is a boolean"),
        )?;
    }
    object_or_absent(entry, "metadata")
}

fn unique<'v>(
    entries: impl IntoIterator<Item = &'v (impl std::borrow::Borrow<Value> + 'v)>,
    key: &str,
) -> Result<(), String> {
    let mut seen = std::collections::HashSet::new();
    for entry in entries {
        let value = entry.borrow()[key].to_string();
        ensure(seen.insert(value), &format!("`{key}` is unique"))?;
    }
    Ok(())
}
