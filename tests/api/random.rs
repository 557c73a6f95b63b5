//! Whatever is asked: no 5xx, and the process goes on.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::documents::{provisioned, wide};
use crate::harness::{Broker, PASSWORD, USER, basic};
use crate::http::{Connection, Request};

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["i", "j", "b", "c", "..", "%2F", "%00", "%FF", "%25", "", "v2", "last_operation"])
            .prop_map(str::to_owned),
        1 => "[A-Za-z0-9_.~!$&'()*+,;=:@-]{0,12}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    let shape = prop::sample::select(vec![
        "/v2/service_instances/A",
        "/v2/service_instances/A/last_operation",
        "/v2/service_instances/A/service_bindings/B",
        "/v2/service_instances/A/service_bindings/B/last_operation",
        "/v2/catalog",
        "/A/B",
    ]);
    let query = prop_oneof![
        Just(String::new()),
        Just("?service_id=wide&plan_id=plain".to_owned()),
        "\\?(service_id|plan_id|operation|accepts_incomplete|x)=[a-z%0-9]{0,6}(&plan_id=[a-z%0-9]{0,6})?",
    ];
    (shape, segment(), segment(), query).prop_map(|(shape, a, b, query)| {
        format!("{}{query}", shape.replace('A', &a).replace('B', &b))
    })
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        prop::sample::select(vec![
            "wide", "narrow", "plain", "strict", "rotated", "apps", "b", "2.0.0+b"
        ])
        .prop_map(Value::from),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,5}", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// A body that is good, with some of its fields replaced by anything.
fn object() -> impl Strategy<Value = Value> {
    let fields = [
        "service_id",
        "plan_id",
        "organization_guid",
        "space_guid",
        "context",
        "parameters",
        "maintenance_info",
        "bind_resource",
        "app_guid",
        "predecessor_binding_id",
        "previous_values",
    ];
    prop::collection::vec((prop::sample::select(fields.to_vec()), any_json()), 0..3).prop_map(|changes| {
        let mut body = json!({
            "service_id": "wide", "plan_id": "plain", "organization_guid": "o", "space_guid": "s",
            "bind_resource": { "app_guid": "a" },
        });
        for (field, value) in changes {
            body[field] = value;
        }
        body
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => object().prop_map(|body| body.to_string().into_bytes()),
        1 => any_json().prop_map(|body| body.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        1 => (object(), any::<prop::sample::Index>()).prop_map(|(body, at)| {
            let mut bytes = body.to_string().into_bytes();
            bytes.truncate(at.index(bytes.len()));
            bytes
        }),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let method = prop::sample::select(vec![
        "GET", "PUT", "PUT", "PUT", "PATCH", "DELETE", "POST", "HEAD",
    ]);
    let names = prop::sample::select(vec![
        "X-Broker-API-Originating-Identity",
        "X-Broker-API-Request-Identity",
        "Content-Type",
        "Accept-Encoding",
        "If-None-Match",
        "If-Modified-Since",
        "X-Broker-API-Version",
        "Content-Encoding",
        "X-Anything",
    ]);
    let header = prop::option::weighted(0.3, (names, "[ -~]{0,20}"));
    (method, path(), header, body()).prop_map(|(method, path, header, body)| {
        let mut request = Request::new(method, &path)
            .header("Authorization", &basic(USER, PASSWORD))
            .header("X-Broker-API-Version", "2.17")
            .body(body);
        if let Some((name, value)) = header {
            request = request.header(name, value.trim());
        }
        request
    })
}

/// Holds for many cases, all of them at one broker: what one of them breaks, the next one sees.
fn hold<S: Strategy>(cases: &S, test: impl Fn(&Broker, S::Value) -> Result<(), TestCaseError>) {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let held = runner.run(cases, |case| test(&broker, case));
    held.unwrap_or_else(|why| panic!("{why}"));
}

/// Every answer goes through the checker, as everywhere.
#[test]
fn no_request_breaks_the_broker() {
    hold(&request(), |broker, request| {
        let response = broker.send(&request);
        prop_assert!(response.status < 500, "{request:?}: {}", response.text());
        prop_assert_eq!(broker.catalog().status, 200);
        Ok(())
    });
}

/// Bytes that need not be HTTP.
#[test]
fn no_bytes_break_the_broker() {
    let noise = prop::collection::vec(any::<u8>(), 1..8);
    let cases = (request(), any::<prop::sample::Index>(), noise);
    hold(&cases, |broker, (request, at, noise)| {
        let mut bytes = request.to_bytes();
        let at = at.index(bytes.len());
        bytes.splice(at..at, noise);
        let mut connection = Connection::open(broker.address).expect("a connection");
        connection.write(&bytes).expect("sent");
        connection
            .stream()
            .shutdown(std::net::Shutdown::Write)
            .expect("an end");
        while let Ok(response) = connection.read(&request.method) {
            prop_assert!(response.status < 500, "{request:?}: {}", response.text());
        }
        prop_assert_eq!(broker.catalog().status, 200);
        Ok(())
    });
}
