//! Rotation of a binding (specification, "Binding Rotation").

use serde_json::{Value, json};

use crate::acting::{Stage, refused};
use crate::documents::{bind_of, provisioned, wide};
use crate::harness::{Broker, Setup, at_binding, with};
use crate::later::{accepted, accepting, awaited};

fn first(broker: &Broker) -> Value {
    provisioned(broker, "i", "wide", "rotated");
    let body = with(
        bind_of("wide", "rotated"),
        "parameters",
        json!({ "level": "high" }),
    );
    let body = with(
        body,
        "context",
        json!({ "platform": "cloudfoundry", "space_guid": "s" }),
    );
    let bound = broker.bind("i", "b1", &body);
    assert_eq!(bound.status, 201);
    bound.json()["credentials"].clone()
}

fn successor_of(id: &str) -> Value {
    json!({ "predecessor_binding_id": id })
}

#[test]
fn a_successor_inherits_what_the_platform_need_not_store() {
    let broker = wide();
    let old = first(&broker);
    let made = broker.bind("i", "b2", &successor_of("b1"));
    assert_eq!(made.status, 201, "{}", made.text());
    let new = made.json()["credentials"].clone();
    for inherited in ["app", "level", "platform", "space"] {
        assert_eq!(new[inherited], old[inherited], "{inherited}");
    }
    assert_eq!(new["user"], "u_b2");
    assert_ne!(new["password"], old["password"]);
    assert_eq!(
        broker.fetch_binding("i", "b2").json()["parameters"],
        json!({ "level": "high" })
    );
    // Both are valid, each goes alone, and a successor has successors.
    assert_eq!(broker.fetch_binding("i", "b1").json()["credentials"], old);
    assert_eq!(broker.unbind("i", "b1", "wide", "rotated").status, 200);
    assert_eq!(broker.fetch_binding("i", "b2").json()["credentials"], new);
    assert_eq!(broker.bind("i", "b3", &successor_of("b2")).status, 201);
    assert_eq!(
        broker.fetch_binding("i", "b3").json()["parameters"],
        json!({ "level": "high" })
    );
}

#[test]
fn a_successor_may_say_it_all_itself() {
    let broker = wide();
    first(&broker);
    let body = with(
        bind_of("wide", "rotated"),
        "predecessor_binding_id",
        json!("b1"),
    );
    let body = with(body, "parameters", json!({ "level": "low" }));
    let made = broker.bind("i", "b2", &body);
    assert_eq!(
        (made.status, &made.json()["credentials"]["level"]),
        (201, &json!("low"))
    );
    let emptied = with(successor_of("b1"), "parameters", json!({}));
    assert_eq!(broker.bind("i", "b3", &emptied).status, 201);
    assert_eq!(
        broker.fetch_binding("i", "b3").json()["parameters"],
        json!({}),
        "an empty object is said, not absent"
    );
}

#[test]
fn a_repeat_of_a_rotation_is_compared() {
    let broker = wide();
    first(&broker);
    let made = broker.bind("i", "b2", &successor_of("b1")).json();
    let full = with(successor_of("b1"), "service_id", json!("wide"));
    let full = with(full, "plan_id", json!("rotated"));
    for same in [successor_of("b1"), full] {
        let again = broker.bind("i", "b2", &same);
        assert_eq!((again.status, again.json()), (200, made.clone()), "{same}");
    }
    assert_eq!(broker.bind("i", "b3", &successor_of("b1")).status, 201);
    for other in [
        successor_of("b3"),
        bind_of("wide", "rotated"),
        with(successor_of("b1"), "parameters", json!({ "level": "low" })),
    ] {
        assert_eq!(broker.bind("i", "b2", &other).status, 409, "{other}");
    }
    // What was answered is answered still when the predecessor is gone.
    assert_eq!(broker.unbind("i", "b1", "wide", "rotated").status, 200);
    assert_eq!(broker.bind("i", "b2", &successor_of("b1")).status, 200);
}

#[test]
fn a_predecessor_must_be_a_binding_of_the_instance() {
    let broker = wide();
    first(&broker);
    provisioned(&broker, "j", "wide", "rotated");
    assert_eq!(
        broker.bind("j", "of-j", &bind_of("wide", "rotated")).status,
        201
    );
    for (body, answer) in [
        (successor_of("none"), (400, "PredecessorInvalid")),
        (successor_of("of-j"), (400, "PredecessorInvalid")),
        (successor_of("b2"), (400, "PredecessorInvalid")),
        (successor_of(""), (400, "InvalidField")),
        (
            json!({ "predecessor_binding_id": 7 }),
            (400, "InvalidField"),
        ),
        (
            json!({ "predecessor_binding_id": null }),
            (400, "InvalidField"),
        ),
        (
            with(successor_of("b1"), "service_id", json!("wide")),
            (400, "InvalidField"),
        ),
        (
            with(successor_of("b1"), "plan_id", json!("rotated")),
            (400, "InvalidField"),
        ),
    ] {
        let response = broker.bind("i", "b2", &body);
        assert_eq!(
            (response.status, response.word().as_str()),
            answer,
            "{body}"
        );
    }
    let itself = broker.bind("i", "b1", &successor_of("b1"));
    assert_eq!(
        (itself.status, itself.word().as_str()),
        (409, "BindingConflict")
    );
    assert_eq!(
        broker.bind("none", "b2", &successor_of("b1")).word(),
        "InstanceNotFound"
    );
    assert_eq!(broker.fetch_binding("i", "b2").status, 404);
}

#[test]
fn a_plan_says_whether_its_bindings_have_successors() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    assert_eq!(
        broker.bind("i", "b1", &bind_of("wide", "plain")).status,
        201
    );
    let full = with(
        bind_of("wide", "plain"),
        "predecessor_binding_id",
        json!("b1"),
    );
    for body in [successor_of("b1"), full] {
        let response = broker.bind("i", "b2", &body);
        assert_eq!(
            (response.status, response.word().as_str()),
            (400, "NotRotatable"),
            "{body}"
        );
    }
    // By the plan that the instance has: the binding may have been made under another.
    assert_eq!(
        broker
            .update("i", &json!({ "service_id": "wide", "plan_id": "rotated" }))
            .status,
        200
    );
    assert_eq!(broker.bind("i", "b2", &successor_of("b1")).status, 201);
}

/// Inherited parameters were held against the schema when they came; sent ones are now.
#[test]
fn a_successor_is_held_against_the_plan() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "strict");
    let body = with(
        bind_of("wide", "strict"),
        "parameters",
        json!({ "level": "x" }),
    );
    assert_eq!(broker.bind("i", "b1", &body).status, 201);
    let bad = with(successor_of("b1"), "parameters", json!({ "level": 5 }));
    assert_eq!(broker.bind("i", "b2", &bad).word(), "ParametersInvalid");
    assert_eq!(
        broker.bind("i", "b2", &successor_of("b1")).status,
        201,
        "the application is inherited too"
    );
}

const EXPIRING: &str = r#"
services:
  - id: s
    name: s
    description: Bindings end
    bindable: true
    bindings_retrievable: true
    plans:
      - { id: past, name: past, description: Ended, binding_rotatable: true, binding: { credentials: { a: b }, metadata: { expires_at: "2020-01-31T12:00:00.0Z" } } }
      - { id: future, name: future, description: Will end, binding_rotatable: true, binding: { credentials: { a: b }, metadata: { expires_at: "2999-01-31T12:00:00.0Z", renew_before: "2998-01-31T12:00:00.0Z" } } }
"#;

#[test]
fn an_expired_binding_has_no_successor() {
    let broker = Setup::new(EXPIRING).start();
    for (plan, answer) in [("past", 400), ("future", 201)] {
        provisioned(&broker, plan, "s", plan);
        assert_eq!(broker.bind(plan, "b1", &bind_of("s", plan)).status, 201);
        let response = broker.bind(plan, "b2", &successor_of("b1"));
        assert_eq!(response.status, answer, "{}", response.text());
        if answer == 400 {
            assert_eq!(response.word(), "PredecessorInvalid");
            assert!(
                response.description().contains("expired"),
                "{}",
                response.text()
            );
        }
    }
}

/// What was never made to its end is no binding, as a fetch has it; what is being made or unmade may come to one or not.
#[test]
fn a_predecessor_is_made_to_its_end() {
    let rotated = "name: async, description: Never waits";
    let stage = Stage::made(
        |document| document.replace(rotated, &format!("{rotated}, binding_rotatable: true")),
        |setup| setup,
    );
    let (broker, first) = (&stage.broker, at_binding("i", "b1"));
    let made = accepted(&stage.provision("i", "async"));
    awaited(broker, &crate::harness::at_instance("i"), &made);
    let rotate = || broker.put(&accepting(&at_binding("i", "b2")), &successor_of("b1"));

    stage.does("bind", "fail");
    let failed = accepted(&stage.bind("b1", "async"));
    awaited(broker, &first, &failed);
    assert_eq!(broker.fetch_binding("i", "b1").status, 404);
    refused(&rotate(), 400, "PredecessorInvalid");

    stage.does("bind", "wait");
    let again = accepted(&stage.bind("b1", "async"));
    refused(&rotate(), 422, "ConcurrencyError");
    stage.go();
    awaited(broker, &first, &again);
    assert_eq!(broker.fetch_binding("i", "b1").status, 200);

    stage.halt();
    stage.does("unbind", "wait");
    let goes = accepted(&stage.delete(&first, "async"));
    refused(&rotate(), 422, "ConcurrencyError");
    stage.go();
    awaited(broker, &first, &goes);
    refused(&rotate(), 400, "PredecessorInvalid");

    // What one has that is there.
    let made = accepted(&stage.bind("b1", "async"));
    awaited(broker, &first, &made);
    let successor = accepted(&rotate());
    awaited(broker, &at_binding("i", "b2"), &successor);
    assert_eq!(broker.fetch_binding("i", "b2").status, 200);
}

const INHERITING: &str = r#"
services:
  - id: s
    name: s
    description: Schemas that outlive a login
    bindable: true
    bindings_retrievable: true
    plans:
      - id: p
        name: p
        description: The same schema, a new password
        binding_rotatable: true
        binding:
          inherits: [schema]
          values: { schema: "s_{{ random_password(20) }}", user: "u_{{ random_password(20) }}" }
          credentials: { schema: "{{ binding.values.schema }}", user: "{{ binding.values.user }}" }
"#;

#[test]
fn a_successor_has_those_values_of_its_predecessor_that_the_plan_names() {
    let broker = Setup::new(INHERITING).start();
    provisioned(&broker, "i", "s", "p");
    let made = |id: &str, body: &Value| {
        let made = broker.bind("i", id, body);
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["credentials"].clone()
    };
    let first = made("b1", &bind_of("s", "p"));
    let second = made("b2", &successor_of("b1"));
    assert_eq!(second["schema"], first["schema"]);
    assert_ne!(second["user"], first["user"]);
    // Down the line, though the first is gone; and only down the line.
    assert_eq!(broker.unbind("i", "b1", "s", "p").status, 200);
    let third = made("b3", &successor_of("b2"));
    assert_eq!(third["schema"], first["schema"]);
    assert_ne!(third["user"], second["user"]);
    let stranger = made("b4", &bind_of("s", "p"));
    assert_ne!(stranger["schema"], first["schema"]);
    let again = broker.bind("i", "b2", &successor_of("b1"));
    assert_eq!((again.status, &again.json()["credentials"]), (200, &second));
    assert_eq!(
        broker.fetch_binding("i", "b2").json()["credentials"],
        second
    );
}
