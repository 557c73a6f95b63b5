//! The counter-proof of the checker: what it must take, and for each of its rules an answer that it must refuse.

use serde_json::{Value, json};

use crate::checker::check;
use crate::http::{Request, Response};

const REQUIRES: [&str; 3] = ["syslog_drain", "route_forwarding", "volume_mount"];

const INSTANCE: &str = "/v2/service_instances/i";
const BINDING: &str = "/base/v2/service_instances/i/service_bindings/b?x=1";
const POLL: &str = "/v2/service_instances/i/service_bindings/b/last_operation";

fn answer(status: u16, body: &Value) -> Response {
    Response {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

fn with(mut response: Response, name: &str, value: &str) -> Response {
    response.headers.push((name.to_owned(), value.to_owned()));
    response
}

fn checked(method: &str, path: &str, response: &Response, requires: &[&str]) -> Result<(), String> {
    let requires: Vec<String> = requires.iter().map(|word| (*word).to_owned()).collect();
    check(&Request::new(method, path), response, &requires)
}

fn refusal(word: &str) -> Value {
    json!({ "error": word, "description": "Do something else instead." })
}

fn catalog() -> Value {
    json!({ "services": [
        { "id": "s", "name": "s", "description": "d", "bindable": true, "metadata": {}, "plans": [
            { "id": "p", "name": "p", "description": "d", "free": true, "schemas": {}, "maximum_polling_duration": 5 },
            { "id": "q", "name": "q", "description": "d" },
        ] },
        { "id": "t", "name": "t", "description": "d", "bindable": false, "plans": [
            { "id": "r", "name": "p", "description": "d" },
        ] },
    ] })
}

fn bound() -> Value {
    json!({
        "credentials": { "nothing": null },
        "syslog_drain_url": "",
        "route_service_url": "https://x:443/y",
        "volume_mounts": [{ "driver": "d", "container_dir": "/c", "mode": "rw", "device_type": "shared",
            "device": { "volume_id": "v", "mount_config": {} } }],
        "endpoints": [{ "host": "h", "ports": ["1"] }, { "host": "h", "ports": ["1-2"], "protocol": "all" }],
        "metadata": { "expires_at": "2030-01-01T00:00:00.0Z", "renew_before": "2029-01-01T00:00:00.123Z" },
    })
}

fn fetched() -> Value {
    json!({ "service_id": "s", "plan_id": "p", "parameters": { "a": null }, "maintenance_info": { "version": "1.0.0" },
        "dashboard_url": "https://x", "metadata": { "labels": {}, "attributes": {} } })
}

#[test]
fn it_takes_what_is_right() {
    let mut fetched_binding = bound();
    fetched_binding["parameters"] = json!({});
    for (method, path, response) in [
        ("GET", "/v2/catalog", answer(200, &catalog())),
        ("PUT", INSTANCE, answer(201, &json!({}))),
        (
            "PUT",
            INSTANCE,
            answer(
                200,
                &json!({ "dashboard_url": "x", "metadata": { "labels": {} } }),
            ),
        ),
        ("PATCH", INSTANCE, answer(200, &json!({}))),
        ("GET", INSTANCE, answer(200, &fetched())),
        ("DELETE", INSTANCE, answer(200, &json!({}))),
        ("PUT", BINDING, answer(201, &bound())),
        ("PUT", BINDING, answer(200, &json!({}))),
        ("GET", BINDING, answer(200, &fetched_binding)),
        ("DELETE", BINDING, answer(200, &json!({}))),
        (
            "GET",
            POLL,
            answer(
                200,
                &json!({ "state": "in progress", "description": "soon" }),
            ),
        ),
        ("GET", "/healthz", answer(200, &json!({ "status": "ok" }))),
        (
            "PUT",
            INSTANCE,
            answer(422, &refusal("MaintenanceInfoConflict")),
        ),
        ("PUT", BINDING, answer(422, &refusal("RequiresApp"))),
        (
            "PATCH",
            INSTANCE,
            answer(422, &refusal("PlanChangeNotSupported")),
        ),
        ("DELETE", BINDING, answer(410, &refusal("Gone"))),
        (
            "GET",
            "/x",
            with(
                answer(401, &refusal("Unauthorized")),
                "www-authenticate",
                "Basic",
            ),
        ),
        (
            "POST",
            INSTANCE,
            with(answer(405, &refusal("MethodNotAllowed")), "allow", "GET"),
        ),
        (
            "PUT",
            INSTANCE,
            with(
                answer(503, &refusal("StoreUnavailable")),
                "retry-after",
                "5",
            ),
        ),
        ("GET", "/readyz", answer(503, &refusal("NotReady"))),
        (
            "HEAD",
            "/v2/catalog",
            Response {
                status: 200,
                headers: vec![],
                body: vec![],
            },
        ),
        (
            "GET",
            "/v2/catalog",
            Response {
                status: 304,
                headers: vec![],
                body: vec![],
            },
        ),
    ] {
        assert_eq!(
            checked(method, path, &response, &REQUIRES),
            Ok(()),
            "{method} {path} {}",
            response.text()
        );
    }
    let asked = Request::new("GET", "/healthz").header("X-Broker-API-Request-Identity", "a");
    let told = with(
        answer(200, &json!({})),
        "X-Broker-Api-Request-Identity",
        "a",
    );
    assert_eq!(check(&asked, &told, &[]), Ok(()));
}

/// A right answer with the value at `pointer` replaced; absent where it is null and the last step is a key.
fn broken(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).expect("a place");
    match parent {
        Value::Object(object) if value == json!("ABSENT") => {
            object.remove(key);
        }
        Value::Object(object) => {
            object.insert(key.to_owned(), value);
        }
        Value::Array(items) => items[key.parse::<usize>().expect("an index")] = value,
        _ => panic!("{pointer} leads nowhere"),
    }
    body
}

type Case = (&'static str, &'static str, Response, &'static str);

#[expect(clippy::too_many_lines, reason = "a table")]
fn general() -> Vec<Case> {
    let text = Response {
        headers: vec![],
        ..answer(200, &json!({}))
    };
    let poll = |body: Value| ("GET", POLL, answer(200, &body));
    let mut cases = vec![
        (
            "GET",
            "/x",
            answer(200, &json!([])),
            "every answer is a JSON object",
        ),
        (
            "GET",
            "/x",
            Response {
                body: vec![],
                ..answer(404, &json!({}))
            },
            "every answer is a JSON object",
        ),
        (
            "GET",
            "/x",
            text,
            "an answer with a body says that it is JSON",
        ),
        (
            "GET",
            "/x",
            answer(200, &json!({ "key": null })),
            "`key` is null: leave it out",
        ),
        (
            "GET",
            "/x",
            with(
                answer(200, &json!({})),
                "x-broker-api-request-identity",
                "a",
            ),
            "the request identity comes back on every answer",
        ),
        (
            "PUT",
            INSTANCE,
            answer(202, &json!({ "operation": "x" })),
            "202 is for a platform that sends `accepts_incomplete=true`",
        ),
        (
            "GET",
            "/v2/service_instances/i?accepts_incomplete=true",
            answer(202, &json!({ "operation": "x" })),
            "the status is one of the specification's for this request",
        ),
        (
            "DELETE",
            "/v2/service_instances/i?accepts_incomplete=true",
            answer(202, &json!({})),
            "`operation` of a 202 is a string",
        ),
        (
            "PUT",
            "/v2/service_instances/i/service_bindings/b?accepts_incomplete=true",
            answer(202, &json!({ "operation": "x", "credentials": {} })),
            "a 202 has no `credentials`",
        ),
        (
            "GET",
            "/v2/service_instances/i/last_operation",
            answer(200, &json!({ "state": "failed", "instance_usable": "yes" })),
            "a flag is a boolean",
        ),
        (
            "GET",
            INSTANCE,
            answer(201, &fetched()),
            "the status is one of the specification's for this request",
        ),
        (
            "PATCH",
            INSTANCE,
            answer(204, &json!({})),
            "the status is one of the specification's for this request",
        ),
        (
            "PUT",
            INSTANCE,
            answer(200, &json!({ "error": "X" })),
            "a success has no fields of errors",
        ),
        (
            "PATCH",
            INSTANCE,
            answer(200, &json!({ "instance_usable": true })),
            "a success has no fields of errors",
        ),
        (
            "DELETE",
            INSTANCE,
            answer(200, &json!({ "a": 1 })),
            "the body of a removal is `{}`",
        ),
        (
            "DELETE",
            BINDING,
            answer(200, &json!({ "operation": "x" })),
            "the body of a removal is `{}`",
        ),
    ];
    for (body, complaint) in [
        (json!({}), "`state` is one of the three words"),
        (
            json!({ "state": "done" }),
            "`state` is one of the three words",
        ),
        (
            json!({ "state": "failed", "description": "" }),
            "`description` is a string that is not empty",
        ),
        (
            json!({ "state": "failed", "description": 5 }),
            "`description` is a string that is not empty",
        ),
    ] {
        let (method, path, response) = poll(body);
        cases.push((method, path, response, complaint));
    }
    cases
}

fn of_instances() -> Vec<Case> {
    let breaks = [
        ("/dashboard_url", json!(5), "`dashboard_url` is a string"),
        ("/operation", json!(5), "`operation` is a string"),
        ("/metadata", json!([]), "`metadata` is an object"),
        ("/metadata/labels", json!([]), "`labels` is an object"),
        (
            "/metadata/attributes",
            json!("x"),
            "`attributes` is an object",
        ),
    ];
    let only_fetched = [
        ("/service_id", json!("ABSENT"), "`service_id` is a string"),
        ("/plan_id", json!(5), "`plan_id` is a string"),
        ("/parameters", json!("ABSENT"), "`parameters` is an object"),
        (
            "/maintenance_info",
            json!({}),
            "`maintenance_info.version` is a string",
        ),
    ];
    let mut cases = Vec::new();
    for (pointer, value, complaint) in breaks.iter().chain(&only_fetched) {
        let body = broken(fetched(), pointer, value.clone());
        cases.push(("GET", INSTANCE, answer(200, &body), *complaint));
    }
    for (pointer, value, complaint) in breaks {
        let body = broken(json!({ "metadata": {} }), pointer, value);
        cases.push(("PUT", INSTANCE, answer(201, &body), complaint));
        cases.push(("PATCH", INSTANCE, answer(200, &body), complaint));
    }
    cases
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn of_bindings() -> Vec<Case> {
    let mut cases = Vec::new();
    for (pointer, value, complaint) in [
        ("/credentials", json!("x"), "`credentials` is an object"),
        (
            "/syslog_drain_url",
            json!(5),
            "`syslog_drain_url` is a string",
        ),
        (
            "/route_service_url",
            json!("http://x"),
            "`route_service_url` is an https URL with a host",
        ),
        (
            "/route_service_url",
            json!("https:///x"),
            "`route_service_url` is an https URL with a host",
        ),
        (
            "/route_service_url",
            json!(5),
            "`route_service_url` is an https URL with a host",
        ),
        ("/volume_mounts", json!({}), "`volume_mounts` is a list"),
        (
            "/volume_mounts/0/device_type",
            json!(""),
            "a mount's `device_type` is a string",
        ),
        (
            "/volume_mounts/0/mode",
            json!(5),
            "a mount's `mode` is a string",
        ),
        (
            "/volume_mounts/0/container_dir",
            json!("ABSENT"),
            "a mount's `container_dir` is a string",
        ),
        (
            "/volume_mounts/0/driver",
            json!(""),
            "a mount's `driver` is a string",
        ),
        (
            "/volume_mounts/0/mode",
            json!("w"),
            "a mount's `mode` is `r` or `rw`",
        ),
        (
            "/volume_mounts/0/device",
            json!({}),
            "a mount's `device.volume_id` is a string",
        ),
        (
            "/volume_mounts/0/device/mount_config",
            json!([]),
            "`mount_config` is an object",
        ),
        ("/endpoints", json!({}), "`endpoints` is a list"),
        (
            "/endpoints/0/host",
            json!(""),
            "an endpoint's `host` is a string",
        ),
        (
            "/endpoints/0/ports",
            json!([]),
            "an endpoint's `ports` are strings, at least one",
        ),
        (
            "/endpoints/0/ports",
            json!([443]),
            "an endpoint's `ports` are strings, at least one",
        ),
        (
            "/endpoints/1/protocol",
            json!("http"),
            "an endpoint's `protocol` is tcp, udp or all",
        ),
        (
            "/endpoints/1/protocol",
            json!(6),
            "an endpoint's `protocol` is tcp, udp or all",
        ),
        (
            "/metadata/expires_at",
            json!("2030-01-01T00:00:00Z"),
            "`metadata.expires_at` is `yyyy-mm-ddThh:mm:ss.sZ`",
        ),
        (
            "/metadata/expires_at",
            json!("2030-01-01T00:00:00.0+01:00"),
            "`metadata.expires_at` is `yyyy-mm-ddThh:mm:ss.sZ`",
        ),
        (
            "/metadata/renew_before",
            json!(5),
            "`metadata.renew_before` is `yyyy-mm-ddThh:mm:ss.sZ`",
        ),
        (
            "/metadata/renew_before",
            json!("2031-01-01T00:00:00.0Z"),
            "`renew_before` is not after `expires_at`",
        ),
    ] {
        let mut body = broken(bound(), pointer, value);
        cases.push(("PUT", BINDING, answer(201, &body), complaint));
        body["parameters"] = json!({});
        cases.push(("GET", BINDING, answer(200, &body), complaint));
    }
    cases.push((
        "GET",
        BINDING,
        answer(200, &bound()),
        "`parameters` is an object",
    ));
    cases
}

fn of_refusals() -> Vec<Case> {
    let usable = broken(refusal("X"), "/instance_usable", json!(true));
    let repeatable = broken(refusal("X"), "/update_repeatable", json!(true));
    let known = "a PUT is 422 only with a word that Cloud Controller knows";
    vec![
        (
            "GET",
            "/x",
            answer(404, &json!({ "description": "Long enough, but no word." })),
            "`error` is one word in camel case",
        ),
        (
            "GET",
            "/x",
            answer(404, &refusal("notFound")),
            "`error` is one word in camel case",
        ),
        (
            "GET",
            "/x",
            answer(404, &refusal("Not Found")),
            "`error` is one word in camel case",
        ),
        (
            "GET",
            "/x",
            answer(404, &json!({ "error": "X", "description": "short" })),
            "`description` tells a person what to do",
        ),
        (
            "PUT",
            INSTANCE,
            answer(400, &usable),
            "`instance_usable` is not for this",
        ),
        (
            "DELETE",
            BINDING,
            answer(400, &usable),
            "`instance_usable` is not for this",
        ),
        (
            "DELETE",
            INSTANCE,
            answer(400, &repeatable),
            "`update_repeatable` is not for this",
        ),
        (
            "PUT",
            INSTANCE,
            answer(422, &refusal("PlanChangeNotSupported")),
            known,
        ),
        ("PUT", INSTANCE, answer(422, &refusal("RequiresApp")), known),
        (
            "PUT",
            BINDING,
            answer(422, &refusal("MaintenanceInfoConflict")),
            known,
        ),
        (
            "PUT",
            BINDING,
            answer(410, &refusal("Gone")),
            "410 on a PUT starts orphan mitigation",
        ),
        (
            "PUT",
            INSTANCE,
            answer(410, &refusal("Gone")),
            "410 on a PUT starts orphan mitigation",
        ),
        (
            "GET",
            "/x",
            answer(401, &refusal("Unauthorized")),
            "401 comes with a challenge",
        ),
        (
            "GET",
            "/x",
            answer(429, &refusal("TooManyLogins")),
            "429 says when to come again",
        ),
        (
            "GET",
            "/x",
            answer(405, &refusal("MethodNotAllowed")),
            "405 says what is allowed",
        ),
        (
            "GET",
            "/x",
            answer(503, &refusal("StoreUnavailable")),
            "503 says when to come again",
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn of_catalogs() -> Vec<Case> {
    let private = [
        "values",
        "instance",
        "binding",
        "backend",
        "offered",
        "accept",
        "plan_defaults",
        "extensions",
    ];
    let private = private.map(|key| {
        let complaint: &str =
            Box::leak(format!("`{key}` is private and not published").into_boxed_str());
        (format!("/services/0/plans/0/{key}"), json!({}), complaint)
    });
    let flag =
        |key: &str| -> &'static str { Box::leak(format!("`{key}` is a boolean").into_boxed_str()) };
    let plain = [
        ("/services", json!({}), "`services` is a list"),
        ("/services", json!([]), "there is at least one service"),
        ("/services/1/id", json!("s"), "`id` is unique"),
        ("/services/1/name", json!("s"), "`name` is unique"),
        ("/services/1/plans/0/id", json!("p"), "`id` is unique"),
        ("/services/0/plans/1/name", json!("p"), "`name` is unique"),
        (
            "/services/0/bindable",
            json!("ABSENT"),
            "`bindable` of a service is present",
        ),
        ("/services/0/bindable", json!("yes"), flag("bindable")),
        (
            "/services/0/plan_updateable",
            json!(1),
            flag("plan_updateable"),
        ),
        (
            "/services/0/bindings_retrievable",
            json!("x"),
            flag("bindings_retrievable"),
        ),
        (
            "/services/0/instances_retrievable",
            json!("x"),
            flag("instances_retrievable"),
        ),
        (
            "/services/0/allow_context_updates",
            json!("x"),
            flag("allow_context_updates"),
        ),
        ("/services/0/plans", json!({}), "`plans` is a list"),
        (
            "/services/1/plans",
            json!([]),
            "a service has at least one plan",
        ),
        ("/services/0/plans/0/free", json!("x"), flag("free")),
        ("/services/0/plans/0/bindable", json!("x"), flag("bindable")),
        (
            "/services/0/plans/0/plan_updateable",
            json!("x"),
            flag("plan_updateable"),
        ),
        (
            "/services/0/plans/0/binding_rotatable",
            json!("x"),
            flag("binding_rotatable"),
        ),
        (
            "/services/0/plans/0/maximum_polling_duration",
            json!(1.5),
            "`maximum_polling_duration` is an integer",
        ),
        (
            "/services/0/plans/0/schemas",
            json!([]),
            "`schemas` is an object",
        ),
        ("/services/0/metadata", json!([]), "`metadata` is an object"),
        (
            "/services/0/plans/0/metadata",
            json!("x"),
            "`metadata` is an object",
        ),
        (
            "/services/0/id",
            json!(5),
            "`id` is a string that is not blank",
        ),
        (
            "/services/0/name",
            json!("ABSENT"),
            "`name` is a string that is not blank",
        ),
        (
            "/services/0/plans/0/description",
            json!(" "),
            "`description` is a string that is not blank",
        ),
        (
            "/services/0/description",
            json!("x".repeat(10_001)),
            "a description has at most 10,000 characters",
        ),
    ];
    let plain = plain.map(|(pointer, value, complaint)| (pointer.to_owned(), value, complaint));
    private
        .into_iter()
        .chain(plain)
        .map(|(pointer, value, complaint)| {
            let body = broken(catalog(), &pointer, value);
            ("GET", "/v2/catalog", answer(200, &body), complaint)
        })
        .collect()
}

fn cases() -> Vec<Case> {
    [
        general(),
        of_instances(),
        of_bindings(),
        of_refusals(),
        of_catalogs(),
    ]
    .concat()
}

#[test]
fn it_refuses_what_is_wrong() {
    for (method, path, response, complaint) in cases() {
        let said = checked(method, path, &response, &REQUIRES);
        assert_eq!(
            said,
            Err(complaint.to_owned()),
            "{method} {path} {}",
            response.text()
        );
    }
    for (key, permission) in [
        ("syslog_drain_url", "syslog_drain"),
        ("route_service_url", "route_forwarding"),
        ("volume_mounts", "volume_mount"),
    ] {
        let others: Vec<&str> = REQUIRES
            .into_iter()
            .filter(|word| *word != permission)
            .collect();
        let said = checked("PUT", BINDING, &answer(201, &bound()), &others);
        assert_eq!(
            said,
            Err(format!("`{key}` needs `requires: [{permission}]`"))
        );
    }
    let asked = Request::new("GET", "/healthz").header("X-Broker-API-Request-Identity", "a");
    for told in [
        answer(200, &json!({})),
        with(
            answer(200, &json!({})),
            "x-broker-api-request-identity",
            "b",
        ),
    ] {
        assert!(
            check(&asked, &told, &[]).is_err(),
            "another identity, or none"
        );
    }
}

/// Every complaint that the checker's source can make is made above: a rule without a case fails here.
#[test]
fn no_rule_of_it_is_without_a_case() {
    let made: Vec<&str> = cases()
        .iter()
        .map(|case| case.3)
        .chain(["` needs `requires: [` ]`"])
        .collect();
    let complaints = complaints(include_str!("checker.rs"));
    assert!(complaints.len() > 35, "found only {}", complaints.len());
    for complaint in complaints {
        let fragments: Vec<&str> = complaint.split(['{', '}']).step_by(2).collect();
        let is_made = made
            .iter()
            .any(|text| fragments.iter().all(|fragment| text.contains(fragment)));
        assert!(is_made, "no answer trips {complaint:?}");
    }
}

/// The sentences among the string literals of a source.
fn complaints(source: &str) -> Vec<&str> {
    let code = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2))
        .filter(|text| text.contains(' ') && *text != "in progress")
        .collect()
}

#[test]
fn the_search_for_complaints_sees_them() {
    let source = "// \"not this one\"\nensure(x, \"a rule\")?;\nlet word = \"word\";\n";
    assert_eq!(complaints(source), ["a rule"]);
}
