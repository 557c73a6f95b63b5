//! Both `last_operation`s, of operations that are over when they are answered.

use serde_json::json;

use crate::documents::{bind_of, provision_of, provisioned, wide};
use crate::harness::{Broker, at_binding, at_instance};

const HINTS: [&str; 8] = [
    "",
    "?service_id=wide&plan_id=plain",
    "?service_id=none&plan_id=none",
    "?service_id=&plan_id=",
    "?operation=",
    "?operation=made-up",
    "?operation=%00",
    "?operation=00000000000000000000000000000000&accepts_incomplete=true",
];

fn polled(broker: &Broker, path: &str, status: u16) {
    for hint in HINTS {
        let response = broker.get(&format!("{path}/last_operation{hint}"));
        assert_eq!(
            response.status,
            status,
            "{path} {hint}: {}",
            response.text()
        );
        if status == 200 {
            assert_eq!(response.json(), json!({ "state": "succeeded" }));
        }
    }
}

#[test]
fn a_poll_answers_for_the_latest_operation() {
    let broker = wide();
    let (instance, binding) = (at_instance("i"), at_binding("i", "b"));
    polled(&broker, &instance, 404);
    polled(&broker, &binding, 404);
    provisioned(&broker, "i", "wide", "plain");
    polled(&broker, &instance, 200);
    polled(&broker, &binding, 404);
    assert_eq!(broker.bind("i", "b", &bind_of("wide", "plain")).status, 201);
    polled(&broker, &binding, 200);
    assert_eq!(
        broker
            .update("i", &json!({ "service_id": "wide", "plan_id": "other" }))
            .status,
        200
    );
    polled(&broker, &instance, 200);
    // What was refused is no operation.
    assert_eq!(
        broker.provision("i", &provision_of("wide", "still")).status,
        409
    );
    assert_eq!(
        broker.provision("j", &provision_of("wide", "none")).status,
        400
    );
    polled(&broker, &instance, 200);
    polled(&broker, &at_instance("j"), 404);
    let broker = broker.restarted();
    polled(&broker, &instance, 200);
    assert_eq!(broker.unbind("i", "b", "wide", "other").status, 200);
    polled(&broker, &binding, 410);
    polled(&broker, &instance, 200);
    assert_eq!(broker.bind("i", "c", &bind_of("wide", "other")).status, 201);
    assert_eq!(broker.deprovision("i", "wide", "other").status, 200);
    polled(&broker, &instance, 410);
    polled(&broker, &binding, 410);
    let broker = broker.restarted();
    polled(&broker, &instance, 410);
    provisioned(&broker, "i", "wide", "plain");
    polled(&broker, &instance, 200);
}

/// A binding that went with its instance is gone like the instance.
#[test]
fn a_binding_goes_with_its_instance() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    assert_eq!(broker.bind("i", "b", &bind_of("wide", "plain")).status, 201);
    assert_eq!(broker.deprovision("i", "wide", "plain").status, 200);
    polled(&broker, &at_binding("i", "b"), 410);
}

#[test]
fn a_name_is_given_once() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    assert_eq!(broker.bind("i", "b", &bind_of("wide", "plain")).status, 201);
    for path in [at_instance("i"), at_binding("i", "b")] {
        for query in [
            "operation=a&operation=b",
            "service_id=a&service_id=a",
            "plan_id=&plan_id=",
            "operation=%FF",
        ] {
            let response = broker.get(&format!("{path}/last_operation?{query}"));
            assert_eq!(
                (response.status, response.word().as_str()),
                (400, "InvalidQuery"),
                "{query}"
            );
        }
    }
}
