//! Nothing confidential is in a span; what the collector is sent to let the broker in goes to it alone.

use serde_json::json;

use crate::collector::{Collector, w3c};
use crate::harness::{PASSWORD, at_binding, at_instance};
use crate::server::{Request, Server, reply};

const HEADER: &str = "m4rk-header";
const SIGNED: &str = "m4rk-signed";
const MADE: &str = "m4rk-made";
const ASKED: &str = "m4rk-asked";
const STATE: &str = "m4rk-state";
const WRONG: &str = "m4rk-wrong";
const QUERY: &str = "m4rk-query";
const USER: &str = "m4rk-user";

fn in_body(requests: &[Request], text: &str) -> bool {
    let holds = |body: &[u8]| body.windows(text.len()).any(|part| part == text.as_bytes());
    requests.iter().any(|request| holds(&request.body))
}

#[test]
fn no_span_holds_a_secret() {
    let collector = Collector::start();
    let hook = Server::start(|_, before| match before {
        0 => reply(
            200,
            &format!("{{ \"outputs\": {{ \"key\": \"{MADE}\" }}, \"state\": \"{STATE}\" }}"),
        ),
        1 => reply(
            200,
            &format!("{{ \"outputs\": {{ \"key\": \"{MADE}\" }} }}"),
        ),
        _ => reply(
            422,
            &format!("{{ \"description\": \"Not with {MADE}, choose another name.\" }}"),
        ),
    });
    let url = hook.url("/");
    let document = format!(
        "services:
  - id: s
    name: s
    description: Acts
    bindable: true
    bindings_retrievable: true
    backend: {{ webhook: {{ url: \"{url}{SIGNED}\", allow_http: true, secret: {SIGNED} }} }}
    binding: {{ credentials: {{ key: \"{{{{ binding.outputs.key }}}}\", other: {MADE} }} }}
    plans: [{{ id: p, name: p, description: d, answer_within: 20s }}]
"
    );
    let setup = collector.setup(&document);
    let mut broker = setup
        .env(
            "BROKER_TRACES__HEADERS",
            &format!("X-Team=a%2Cb,Authorization=Bearer%20{HEADER}"),
        )
        .env("BROKER_LOG__LEVEL", "trace")
        .start();
    let body = json!({
        "service_id": "s", "plan_id": "p", "organization_guid": "o", "space_guid": "p",
        "parameters": { "password": ASKED }, "context": { "instance_name": USER },
    });
    let bind = json!({
        "service_id": "s", "plan_id": "p", "bind_resource": { "app_guid": "a" },
        "parameters": { "password": ASKED },
    });
    let identity = "cloudfoundry eyJ1c2VyX2lkIjogIm00cmstdXNlciJ9";
    let send = |method: &str, path: &str, body: &serde_json::Value| {
        let request = broker.request(method, &format!("{path}?secret={QUERY}"));
        let request = request.json(body).header("traceparent", &w3c("01"));
        broker.send(&request.header("X-Broker-API-Originating-Identity", identity))
    };
    assert_eq!(send("PUT", &at_instance("i-42"), &body).status, 201);
    let bound = send("PUT", &at_binding("i-42", "b"), &bind);
    assert!(bound.status == 201 && bound.text().contains(MADE));
    assert_eq!(send("PUT", &at_instance("other"), &body).status, 400);
    let wrong = crate::harness::basic("platform", WRONG);
    let wrong = broker
        .request("GET", "/v2/catalog")
        .header("Authorization", &wrong);
    assert_eq!(broker.send(&wrong).status, 401);
    assert_eq!(broker.get(&format!("/v2/{WRONG}")).status, 404);
    broker.signal("TERM");
    assert!(broker.wait().success());

    let requests = collector.server.requests();
    // The search is not blind: names are found, and the header's value where it belongs.
    for there in ["i-42", "osb.plan.id", "provision webhook", "Unauthorized"] {
        assert!(in_body(&requests, there), "{there}");
    }
    for request in &requests {
        assert_eq!(request.headers["authorization"], format!("Bearer {HEADER}"));
        assert_eq!(request.headers["x-team"], "a,b");
    }
    for secret in [
        HEADER, SIGNED, MADE, ASKED, STATE, WRONG, QUERY, USER, PASSWORD,
    ] {
        assert!(!in_body(&requests, secret), "{secret} was sent");
    }
    let log = broker.log();
    assert!(log.contains("sends spans to "), "{log}");
    assert!(!log.contains(HEADER), "the header is in the log");
}
