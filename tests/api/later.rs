//! Operations that are answered with 202, or waited for in place: whole lives, repeats, and what a platform must send.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Setup, at_binding, at_instance};
use crate::http::Response;

/// A plan for each way to answer, with a backend that has nothing to do.
const LATER: &str = r#"
services:
  - id: later
    name: later
    description: Answers later
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    plan_updateable: true
    plan_defaults: { poll_every: 3s }
    instance: { dashboard_url: "https://example.com/{{ instance.id }}" }
    binding:
      values: { drawn: "{{ random_password(16) }}" }
      credentials: { user: "u_{{ binding.id }}", password: "{{ binding.values.drawn }}" }
    plans:
      - { id: async, name: async, description: Always later, respond: async }
      - { id: other, name: other, description: Always later too, respond: async, maximum_polling_duration: 60 }
      - { id: mixed, name: mixed, description: Only some, respond: { provision: async, unbind: async } }
      - { id: auto, name: auto, description: Nothing to wait for }
"#;

pub fn accepting(path: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}accepts_incomplete=true")
}

/// Polls until an operation is over, and gives its last answer.
pub fn awaited(broker: &Broker, path: &str, operation: &str) -> Response {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let polled = broker.get(&format!("{path}/last_operation?operation={operation}"));
        let running = polled.status == 200 && polled.json()["state"] == "in progress";
        if !running {
            return polled;
        }
        assert!(Instant::now() < until, "never over:\n{}", broker.log());
        thread::sleep(Duration::from_millis(20));
    }
}

/// The operation that a 202 names.
pub fn accepted(response: &Response) -> String {
    assert_eq!(response.status, 202, "{}", response.text());
    let body = response.json();
    assert!(body.get("credentials").is_none(), "a 202 has none");
    body["operation"].as_str().expect("an operation").to_owned()
}

fn put(broker: &Broker, path: &str, body: &Value) -> Response {
    broker.put(&accepting(path), body)
}

fn delete(broker: &Broker, path: &str, plan: &str) -> Response {
    broker.delete(&accepting(&format!(
        "{path}?service_id=later&plan_id={plan}"
    )))
}

#[test]
fn a_whole_life_later() {
    let broker = Setup::new(LATER).start();
    let (instance, binding) = (at_instance("i"), at_binding("i", "b"));
    for _ in 0..2 {
        let made = put(&broker, &instance, &provision_of("later", "async"));
        assert_eq!(made.json()["dashboard_url"], "https://example.com/i");
        let over = awaited(&broker, &instance, &accepted(&made));
        assert_eq!(over.json()["state"], "succeeded");
        assert_eq!(broker.fetch("i").json()["plan_id"], "async");

        let bound = put(&broker, &binding, &bind_of("later", "async"));
        let over = awaited(&broker, &binding, &accepted(&bound));
        assert_eq!(over.json()["state"], "succeeded");
        let fetched = broker.fetch_binding("i", "b").json();
        assert_eq!(fetched["credentials"]["user"], "u_b");
        let again = put(&broker, &binding, &bind_of("later", "async"));
        assert_eq!(again.status, 200);
        assert_eq!(again.json()["credentials"], fetched["credentials"]);

        let body = json!({ "service_id": "later", "plan_id": "other", "parameters": { "a": 1 } });
        let changed = broker.patch(&accepting(&instance), &body);
        let over = awaited(&broker, &instance, &accepted(&changed));
        assert_eq!(over.json()["state"], "succeeded");
        let now = broker.fetch("i").json();
        assert_eq!(
            (&now["plan_id"], &now["parameters"]),
            (&json!("other"), &json!({ "a": 1 }))
        );

        let gone = delete(&broker, &binding, "async");
        assert_eq!(awaited(&broker, &binding, &accepted(&gone)).status, 410);
        assert_eq!(broker.fetch_binding("i", "b").status, 404);
        let gone = delete(&broker, &instance, "async");
        assert_eq!(awaited(&broker, &instance, &accepted(&gone)).status, 410);
        assert_eq!(broker.fetch("i").status, 404);
        assert_eq!(delete(&broker, &instance, "async").status, 410);
    }
}

#[test]
fn a_platform_that_takes_no_202_is_told() {
    let broker = Setup::new(LATER).start();
    let body = provision_of("later", "async");
    for query in [
        "",
        "?accepts_incomplete=false",
        "?accepts_incomplete=TRUE",
        "?accepts_incomplete=",
    ] {
        let refused = broker.put(&format!("{}{query}", at_instance("i")), &body);
        assert_eq!(
            (refused.status, refused.word().as_str()),
            (422, "AsyncRequired"),
            "{query}"
        );
    }
    let made = put(&broker, &at_instance("i"), &body);
    awaited(&broker, &at_instance("i"), &accepted(&made));
    for refused in [
        broker.bind("i", "b", &bind_of("later", "async")),
        broker.update(
            "i",
            &json!({ "service_id": "later", "parameters": { "a": 1 } }),
        ),
        broker.deprovision("i", "later", "async"),
    ] {
        assert_eq!(
            (refused.status, refused.word().as_str()),
            (422, "AsyncRequired")
        );
    }
    // A repeat of what is over needs no 202.
    assert_eq!(broker.provision("i", &body).status, 200);
}

#[test]
fn each_operation_may_have_its_own_way() {
    let broker = Setup::new(LATER).start();
    let (instance, binding) = (at_instance("i"), at_binding("i", "b"));
    let made = put(&broker, &instance, &provision_of("later", "mixed"));
    awaited(&broker, &instance, &accepted(&made));
    assert_eq!(
        put(&broker, &binding, &bind_of("later", "mixed")).status,
        201
    );
    let gone = delete(&broker, &binding, "mixed");
    awaited(&broker, &binding, &accepted(&gone));
    assert_eq!(delete(&broker, &instance, "mixed").status, 200);
    assert_eq!(
        put(&broker, &instance, &provision_of("later", "auto")).status,
        201
    );
}

#[test]
fn a_plan_that_answers_later_says_how_long_to_poll_and_how_often() {
    let broker = Setup::new(LATER).start();
    let catalog = broker.catalog().json();
    let polling: Vec<&Value> = catalog["services"][0]["plans"]
        .as_array()
        .expect("plans")
        .iter()
        .map(|plan| &plan["maximum_polling_duration"])
        .collect();
    assert_eq!(
        polling,
        [&json!(7200), &json!(60), &json!(7200), &Value::Null]
    );
}
