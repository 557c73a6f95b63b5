//! The request identity comes back on every answer; an originating identity is read, and a malformed one tolerated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::documents::{WIDE, bind_of, provision_of, provisioned, wide};
use crate::harness::{Broker, Setup, at_binding, at_instance, with};
use crate::http::{Connection, Request};

const IDENTITY: &str = "X-Broker-API-Request-Identity";

/// A plan that cannot be rendered without a parameter: what the broker itself cannot do is 500.
const UNRENDERABLE: &str = r#"
services:
  - id: s
    name: s
    description: A template that needs a context of its own
    bindable: true
    plans:
      - id: p
        name: p
        description: The only one
        instance: { dashboard_url: "{{ instance.context.url }}" }
        binding: { credentials: { user: u } }
"#;

/// The harness's checker holds the header of each answer against the request's, so that asking is the test.
#[test]
fn every_answer_carries_the_request_identity() {
    let broker = wide();
    let mut seen = Vec::new();
    for (request, status) in answers(&broker) {
        let response =
            broker.send(&request.header(IDENTITY, "e26cee84-6b38-4456-b34e-d1a9f002c956"));
        assert_eq!(response.status, status, "{}", response.text());
        seen.push(status);
    }
    seen.dedup();
    assert_eq!(
        seen,
        [
            200, 201, 200, 201, 400, 401, 404, 405, 409, 410, 412, 413, 414, 415, 422, 431
        ]
    );
}

fn answers(broker: &Broker) -> Vec<(Request, u16)> {
    let request = |method: &str, path: &str| broker.request(method, path);
    let instance = at_instance("i");
    let put = |body: &Value| request("PUT", &instance).json(body);
    let body = provision_of("wide", "plain");
    let catalog = request("GET", "/v2/catalog");
    vec![
        (catalog.clone(), 200),
        (put(&body), 201),
        (put(&body), 200),
        (request("GET", &instance), 200),
        (
            request("PUT", &at_binding("i", "b")).json(&bind_of("wide", "plain")),
            201,
        ),
        (put(&json!({})), 400),
        (catalog.clone().without("Authorization"), 401),
        (request("GET", "/nothing"), 404),
        (request("GET", &at_instance("none")), 404),
        (request("POST", &instance), 405),
        (put(&with(body.clone(), "space_guid", json!("other"))), 409),
        (request("DELETE", &at_instance("none")), 410),
        (catalog.clone().header("X-Broker-API-Version", "1.0"), 412),
        (put(&body).header("Content-Length", "99999999"), 413),
        (request("GET", &format!("/{}", "x".repeat(20 << 10))), 414),
        (put(&body).header("Content-Encoding", "gzip"), 415),
        (
            request("PATCH", &instance)
                .json(&json!({ "service_id": "wide", "maintenance_info": { "version": "9.9.9" } })),
            422,
        ),
        (catalog.header("X-Long", &"x".repeat(70 << 10)), 431),
    ]
}

#[test]
fn the_answers_of_last_resort_carry_it_too() {
    let broker = Setup::new(UNRENDERABLE).start();
    let context = json!({ "platform": "x", "url": 5 });
    let body = with(provision_of("s", "p"), "context", context);
    let request = broker
        .request("PUT", &at_instance("i"))
        .json(&body)
        .header(IDENTITY, "five hundred");
    let response = broker.send(&request);
    assert_eq!(
        (response.status, response.word().as_str()),
        (500, "InternalError")
    );
    // The log names the place.
    broker.wait_for_log("instance.dashboard_url");
    assert!(
        !response.text().contains("dashboard_url"),
        "the platform need not know: {}",
        response.text()
    );
    // Nothing was made of it: the same id can be had with another request.
    let body = with(
        provision_of("s", "p"),
        "parameters",
        json!({ "url": "https://x" }),
    );
    assert_eq!(broker.provision("i", &body).status, 201);

    let etag = broker.catalog().header("etag").map(str::to_owned);
    let unchanged = broker
        .request("GET", "/v2/catalog")
        .header(IDENTITY, "three hundred");
    let unchanged = broker.send(&unchanged.header("If-None-Match", &etag.unwrap_or_default()));
    assert_eq!(unchanged.status, 304);
    let head = broker
        .request("HEAD", "/v2/catalog")
        .header(IDENTITY, "head");
    assert_eq!(broker.send(&head).status, 200);
    let health = Request::new("GET", "/healthz").header(IDENTITY, "health");
    assert_eq!(broker.send(&health).status, 200);
}

/// It is the platform's: any text comes back as it came.
#[test]
fn an_identity_may_be_anything() {
    let broker = wide();
    for identity in [
        "1",
        "ä€",
        "a b",
        "\"q\", x",
        "{{ x }}",
        "%00",
        &"x".repeat(8000),
    ] {
        let request = broker
            .request("GET", "/v2/catalog")
            .header(IDENTITY, identity);
        assert_eq!(broker.send(&request).status, 200, "{identity}");
    }
    let mut bytes = broker.request("GET", "/v2/catalog").to_bytes();
    bytes.truncate(bytes.len() - 2);
    bytes.extend(b"X-Broker-API-Request-Identity: a\xff\xfeb\r\n\r\n");
    let mut connection = Connection::open(broker.address).expect("a connection");
    connection.write(&bytes).expect("a request");
    let response = connection.read("GET").expect("an answer");
    assert_eq!(response.status, 200);
    assert_eq!(response.header(IDENTITY), Some("a\u{fffd}\u{fffd}b"));
}

#[test]
fn a_malformed_originating_identity_is_no_reason_to_refuse() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    let of = |text: &str| STANDARD.encode(text);
    let cases = [
        (
            format!("cloudfoundry {}", of(r#"{"user_id":"u"}"#)),
            json!("cloudfoundry"),
        ),
        (
            format!("kubernetes {}", of("{}").trim_end_matches('=')),
            json!("kubernetes"),
        ),
        (format!("  x   {}  ", of("{}")), json!("x")),
        (String::new(), Value::Null),
        ("cloudfoundry".to_owned(), Value::Null),
        ("cloudfoundry !!!".to_owned(), Value::Null),
        (format!("cloudfoundry {}", of("[]")), Value::Null),
        (format!("cloudfoundry {}", of("{")), Value::Null),
        (format!("cloudfoundry {}", of("null")), Value::Null),
        (
            format!("cloudfoundry {}", of(&"[".repeat(5000))),
            Value::Null,
        ),
        (of("{}"), Value::Null),
        ("ä ä".to_owned(), Value::Null),
    ];
    for (at, (header, platform)) in cases.iter().enumerate() {
        let request = broker
            .request("PUT", &at_binding("i", &format!("b{at}")))
            .json(&bind_of("wide", "plain"))
            .header("X-Broker-API-Originating-Identity", header);
        let response = broker.send(&request);
        assert_eq!(response.status, 201, "{header}: {}", response.text());
        assert_eq!(
            response.json()["credentials"]["platform"],
            *platform,
            "{header}"
        );
    }
}

/// The context speaks first: the specification wants both the same.
#[test]
fn the_platform_is_that_of_the_context() {
    let broker = Setup::new(WIDE).start();
    provisioned(&broker, "i", "wide", "plain");
    let body = with(
        bind_of("wide", "plain"),
        "context",
        json!({ "platform": "kubernetes", "space_guid": "s" }),
    );
    let request = broker.request("PUT", &at_binding("i", "b")).json(&body);
    let request = request.header(
        "X-Broker-API-Originating-Identity",
        &format!("cloudfoundry {}", STANDARD.encode("{}")),
    );
    let credentials = broker.send(&request).json()["credentials"].clone();
    assert_eq!(
        (&credentials["platform"], &credentials["space"]),
        (&json!("kubernetes"), &json!("s"))
    );
}
