//! The log: one line a request, text or JSON, and nobody outside begins a line of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::{Value, json};

use crate::harness::{
    Broker, CATALOG, PLAN, SERVICE, Setup, at_binding, at_instance, bind_body, provision_body,
};
use crate::http::Request;
use crate::running::wait_until;

/// Lines of requests, once there are as many as were sent; the harness itself has asked for the catalog once.
fn lines(broker: &Broker, sent: usize, of_request: fn(&str) -> bool) -> Vec<String> {
    let gather = || {
        let log = broker.log();
        log.lines()
            .filter(|line| of_request(line))
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    wait_until(broker, "too few lines", || gather().len() >= sent);
    let lines = gather();
    assert_eq!(
        lines.len(),
        sent,
        "one line a request, the last: {:?}",
        lines.last()
    );
    lines
}

fn text_lines(broker: &Broker, sent: usize) -> Vec<String> {
    // After the time: elsewhere in a line it is somebody's forgery.
    lines(broker, sent, |line| {
        line.get(24..)
            .is_some_and(|rest| rest.starts_with(" INFO  request: "))
    })
}

fn json_lines(broker: &Broker, sent: usize) -> Vec<Value> {
    let lines = lines(broker, sent, |line| line.contains(r#""target":"request""#));
    lines.iter().map(|line| parsed(line)).collect()
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn identity(user: &Value) -> String {
    format!("cloudfoundry {}", STANDARD.encode(user.to_string()))
}

/// Requests of every kind, with what their lines say (`-` for what they must not say).
fn a_life(broker: &Broker) -> Vec<Value> {
    let instance = "/v2/service_instances/{instance_id}";
    let binding = "/v2/service_instances/{instance_id}/service_bindings/{binding_id}";
    let removal = format!("?service_id={SERVICE}&plan_id={PLAN}");
    let (at_i, at_b) = (at_instance("i-1"), at_binding("i-1", "123"));
    let put = |path: &str, body: &Value| broker.request("PUT", path).json(body);
    let named = |line: Value| merged(line, &json!({ "service": SERVICE, "plan": PLAN }));
    let of_i = |line: Value| merged(line, &json!({ "route": instance, "instance": "i-1" }));
    let of_b = |line: Value| {
        let ids = json!({ "route": binding, "instance": "i-1", "binding": "123" });
        merged(line, &ids)
    };
    let steps = [
        (
            broker.request("GET", "/v2/catalog"),
            json!({ "method": "GET", "route": "/v2/catalog", "status": 200 }),
        ),
        (
            put(&at_i, &provision_body()),
            named(of_i(json!({ "method": "PUT", "status": 201 }))),
        ),
        (
            put(&at_b, &bind_body()),
            named(of_b(json!({ "method": "PUT", "status": 201 }))),
        ),
        (
            broker.request("GET", &at_b),
            of_b(json!({ "method": "GET", "status": 200 })),
        ),
        (
            broker.request("DELETE", &format!("{at_b}{removal}")),
            named(of_b(json!({ "method": "DELETE", "status": 200 }))),
        ),
        (
            broker.request("DELETE", &format!("{at_i}{removal}")),
            named(of_i(json!({ "method": "DELETE", "status": 200 }))),
        ),
        (
            broker.request("PUT", "/healthz"),
            json!({ "method": "PUT", "route": "/healthz", "status": 405, "error": "MethodNotAllowed" }),
        ),
        (
            broker.request("GET", "/nowhere"),
            json!({ "method": "GET", "route": "-", "status": 404, "error": "NoSuchEndpoint" }),
        ),
        // What the gate refuses has a line as well.
        (
            put(&at_i, &provision_body()).without("Authorization"),
            json!({ "method": "PUT", "route": instance, "status": 401, "error": "Unauthorized" }),
        ),
        (
            put(&at_i, &provision_body()).without("X-Broker-API-Version"),
            json!({ "method": "PUT", "route": instance, "status": 412, "error": "ApiVersionUnsupported" }),
        ),
        (
            broker.request("GET", &format!("/v2/catalog?{}", "x".repeat(20_000))),
            json!({ "method": "GET", "route": "/v2/catalog", "status": 414, "error": "UrlTooLong" }),
        ),
    ];
    let mut expected = Vec::new();
    for (number, (request, line)) in steps.into_iter().enumerate() {
        let request = request
            .header(
                "X-Broker-API-Request-Identity",
                &format!("request {number}"),
            )
            .header(
                "X-Broker-API-Originating-Identity",
                &identity(&json!({ "user_id": "user-1", "email": "a@example.com" })),
            );
        let answer = broker.send(&request);
        assert_eq!(json!(answer.status), line["status"], "{}", answer.text());
        let who = json!({
            "request_identity": format!("request {number}"),
            "platform": "cloudfoundry",
            "user": "user-1",
        });
        expected.push(merged(line, &who));
    }
    expected
}

fn merged(mut line: Value, more: &Value) -> Value {
    let fields = more.as_object().expect("an object").clone();
    line.as_object_mut().expect("an object").extend(fields);
    line
}

#[test]
fn a_request_is_one_line_of_json() {
    let broker = Setup::new(CATALOG).arg("--log-format").arg("json").start();
    let expected = a_life(&broker);
    for (mut line, expected) in json_lines(&broker, expected.len())
        .into_iter()
        .zip(expected)
    {
        let fields = line.as_object_mut().expect("an object");
        let time = fields.remove("time").unwrap_or_default();
        assert!(time.as_str().is_some_and(is_time), "{time}");
        let ms = fields.remove("ms").and_then(|ms| ms.as_f64());
        assert!(ms.is_some_and(|ms| ms > 0.0 && ms < 60_000.0), "{ms:?}");
        let around = json!({ "level": "info", "target": "request", "message": "answered" });
        assert_eq!(line, merged(expected, &around));
    }
    for line in broker.log().lines() {
        assert!(parsed(line)["message"].is_string(), "{line}");
    }
}

#[test]
fn a_request_is_one_line_of_text() {
    let broker = Setup::new(CATALOG).start();
    let expected = a_life(&broker);
    for (line, expected) in text_lines(&broker, expected.len()).iter().zip(expected) {
        assert!(
            is_time(line.split(' ').next().unwrap_or_default()),
            "{line}"
        );
        assert!(line.contains(" ms="), "{line}");
        for (key, value) in expected.as_object().into_iter().flatten() {
            let value = match value {
                Value::String(text) if text.contains(' ') => format!("{key}={text:?}"),
                Value::String(text) => format!("{key}={text}"),
                value => format!("{key}={value}"),
            };
            let there =
                line.ends_with(&format!(" {value}")) || line.contains(&format!(" {value} "));
            assert!(there, "{value} is not in: {line}");
        }
        assert!(
            !line.contains("example.com"),
            "more of the user than its id: {line}"
        );
    }
}

/// `2026-11-23T21:59:01.234Z`.
fn is_time(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|char| if char.is_ascii_digit() { '0' } else { char })
        .collect();
    shape == "0000-00-00T00:00:00.000Z"
}

/// All that some reader of logs takes for the end of a line, or a terminal for an order.
const BREAKS: &[char] = &[
    '\n', '\r', '\u{b}', '\u{c}', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}', '\u{2028}', '\u{2029}',
    '\u{202e}',
];

/// A line that looks like one of the broker's.
const FORGED: &str = "2026-01-01T00:00:00.000Z INFO  request: answered status=200 \"quoted\\";

/// Requests that try to begin a line of their own, from each place of a request that the log speaks of.
fn forgeries(broker: &Broker) -> Vec<Request> {
    let mut requests = Vec::new();
    for sign in BREAKS {
        let forged = format!("a{sign}{FORGED}");
        let encoded = percent_encode(forged.as_bytes(), NON_ALPHANUMERIC);
        let user = identity(&json!({ "user_id": forged }));
        let get = |path: &str| broker.request("GET", path);
        requests.extend([
            get(&at_instance(&encoded.to_string())),
            get(&at_binding("i", &encoded.to_string())),
            get(&format!("/{encoded}")),
            get("/v2/catalog").header("X-Broker-API-Originating-Identity", &user),
            get(&format!(
                "{}?service_id={encoded}&plan_id={encoded}",
                at_instance("i")
            )),
        ]);
        let body = json!({
            "service_id": forged,
            "plan_id": forged,
            "organization_guid": forged,
            "space_guid": forged,
        });
        requests.push(broker.request("PUT", &at_instance("i")).json(&body));
    }
    requests
}

#[test]
fn nobody_outside_begins_a_line() {
    for format in ["text", "json"] {
        let broker = Setup::new(CATALOG)
            .env("BROKER_LOG__FORMAT", format)
            .env("BROKER_LOG__LEVEL", "trace")
            .start();
        let requests = forgeries(&broker);
        for request in &requests {
            broker.send(request);
        }
        let lines = if format == "text" {
            text_lines(&broker, requests.len()).len()
        } else {
            json_lines(&broker, requests.len()).len()
        };
        assert_eq!(lines, requests.len());
        for line in broker.log().split('\n').filter(|line| !line.is_empty()) {
            let whole = if format == "text" {
                is_time(line.split(' ').next().unwrap_or_default())
            } else {
                parsed(line).is_object()
            };
            assert!(whole && !line.contains(BREAKS), "{line:?}");
        }
        assert!(
            broker.log().contains("quoted"),
            "the forgeries never arrived"
        );
    }
}

/// A client fills nobody's disk with one request.
#[test]
fn a_long_value_is_cut() {
    let broker = Setup::new(CATALOG).start();
    let long = "ü".repeat(5_000);
    let encoded = percent_encode(long.as_bytes(), NON_ALPHANUMERIC).to_string();
    let requests = [
        broker.request("GET", &at_instance(&encoded[..15_000])),
        broker
            .request("GET", "/v2/catalog")
            .without("Authorization")
            .header("X-Broker-API-Request-Identity", &"r".repeat(30_000)),
        broker.request("GET", "/v2/catalog").header(
            "X-Broker-API-Originating-Identity",
            &identity(&json!({ "user_id": long })),
        ),
    ];
    for request in &requests {
        broker.send(request);
    }
    for line in text_lines(&broker, requests.len()) {
        assert!(line.len() < 2_000, "{} bytes", line.len());
        assert!(line.contains('…'), "it says that it was cut: {line}");
    }
}

#[test]
fn the_level_decides_what_is_said() {
    let table = [
        (vec![("RUST_LOG", "info")], true, false),
        (vec![("RUST_LOG", "info,request=off")], false, false),
        (vec![("RUST_LOG", "info,operation=debug")], true, true),
        (vec![("RUST_LOG", "debug")], true, true),
        (
            vec![
                ("RUST_LOG", "debug"),
                ("BROKER_LOG__LEVEL", "info,request=warn"),
            ],
            false,
            false,
        ),
    ];
    for (variables, requests, operations) in table {
        let setup = variables
            .iter()
            .fold(Setup::new(CATALOG), |setup, (name, value)| {
                setup.env(name, value)
            });
        let mut broker = setup.start();
        assert_eq!(broker.provision("i-1", &provision_body()).status, 201);
        broker.signal("TERM");
        assert_eq!(broker.wait().code(), Some(0));
        broker.wait_for_log("app: stopped");
        let log = broker.log();
        assert_eq!(
            log.contains(" request: answered"),
            requests,
            "{variables:?}"
        );
        assert_eq!(
            log.contains(" operation: succeeded"),
            operations,
            "{variables:?}"
        );
    }
}
