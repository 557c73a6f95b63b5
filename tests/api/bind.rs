//! Bind, fetch and unbind.

use serde_json::{Value, json};

use crate::documents::{bind_of, provisioned, wide};
use crate::harness::{at_binding, with};

#[test]
fn a_repeat_is_compared_as_values() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    let first = json!({
        "service_id": "wide", "plan_id": "plain", "app_guid": "app-1",
        "bind_resource": { "app_guid": "app-1", "space_guid": "s" },
        "parameters": { "level": 1, "x": { "a": 1, "b": 2 } }, "context": { "platform": "cloudfoundry" },
    });
    let made = broker.bind("i", "b", &first);
    assert_eq!(made.status, 201);
    let changed = |key: &str, value: Value| with(first.clone(), key, value);
    for (what, body, status) in [
        ("the same", first.clone(), 200),
        (
            "another context",
            changed("context", json!({ "platform": "kubernetes" })),
            200,
        ),
        ("no context", changed("context", Value::Null), 200),
        (
            "no deprecated app_guid",
            changed("app_guid", Value::Null),
            200,
        ),
        (
            "the app in the deprecated place",
            changed("bind_resource", json!({ "space_guid": "s" })),
            200,
        ),
        (
            "other key order, 1.0",
            changed(
                "parameters",
                json!({ "x": { "b": 2.0, "a": 1 }, "level": 1.0 }),
            ),
            200,
        ),
        ("an unknown field", changed("x", json!(1)), 200),
        (
            "maintenance_info means nothing here",
            changed("maintenance_info", json!({ "version": "0" })),
            200,
        ),
        (
            "other parameters",
            changed("parameters", json!({ "level": 2 })),
            409,
        ),
        ("no parameters", changed("parameters", Value::Null), 409),
        (
            "another app",
            changed(
                "bind_resource",
                json!({ "app_guid": "app-2", "space_guid": "s" }),
            ),
            409,
        ),
        (
            "another resource",
            changed(
                "bind_resource",
                json!({ "app_guid": "app-1", "space_guid": "t" }),
            ),
            409,
        ),
        ("another plan", changed("plan_id", json!("other")), 409),
        (
            "another service",
            with(
                changed("service_id", json!("narrow")),
                "plan_id",
                json!("narrow-plan"),
            ),
            409,
        ),
    ] {
        let response = broker.bind("i", "b", &body);
        assert_eq!(response.status, status, "{what}: {}", response.text());
        if status == 200 {
            assert_eq!(response.json(), made.json(), "{what}");
        }
    }
}

/// `app_guid` in either place; where both are, the one in `bind_resource` counts, which is not deprecated.
#[test]
fn an_application_is_named_in_either_place() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "apps");
    let base = json!({ "service_id": "wide", "plan_id": "apps" });
    for (at, (field, value, app)) in [
        ("app_guid", json!("a"), Some("a")),
        ("bind_resource", json!({ "app_guid": "b" }), Some("b")),
        ("bind_resource", json!({ "app_guid": null }), None),
        ("bind_resource", json!({}), None),
        (
            "bind_resource",
            json!({ "credential_client_id": "c" }),
            None,
        ),
        ("bind_resource", json!({ "route": "r" }), None),
        ("bind_resource", Value::Null, None),
    ]
    .into_iter()
    .enumerate()
    {
        let response = broker.bind(
            "i",
            &format!("b{at}"),
            &with(base.clone(), field, value.clone()),
        );
        let credentials = &response.json()["credentials"];
        if let Some(app) = app {
            assert_eq!((response.status, &credentials["app"]), (201, &json!(app)));
            continue;
        }
        assert_eq!(
            (response.status, response.word().as_str()),
            (422, "RequiresApp"),
            "{field} {value}"
        );
        assert!(response.description().contains("app_guid"));
        assert_eq!(broker.fetch_binding("i", &format!("b{at}")).status, 404);
    }
    let both = with(
        with(base, "app_guid", json!("x")),
        "bind_resource",
        json!({ "app_guid": "y" }),
    );
    assert_eq!(
        broker.bind("i", "both", &both).json()["credentials"]["app"],
        "y"
    );
}

#[test]
fn a_route_is_asked_for_where_it_must_be() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "routed");
    for resource in [
        Value::Null,
        json!({}),
        json!({ "app_guid": "a" }),
        json!({ "route": null }),
    ] {
        let response = broker.bind(
            "i",
            "b",
            &with(bind_of("wide", "routed"), "bind_resource", resource),
        );
        assert_eq!(
            (response.status, response.word().as_str()),
            (400, "RequiresRoute")
        );
    }
    let body = with(
        bind_of("wide", "routed"),
        "bind_resource",
        json!({ "route": "x.example.com" }),
    );
    assert_eq!(broker.bind("i", "b", &body).status, 201);
}

/// A service key has no application: what is null is left out of the credentials.
#[test]
fn a_service_key_needs_nothing() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    let bound = broker.bind(
        "i",
        "key",
        &json!({ "service_id": "wide", "plan_id": "plain", "bind_resource": {} }),
    );
    let credentials = bound.json()["credentials"].clone();
    let keys: Vec<&str> = credentials
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect();
    assert_eq!((bound.status, keys), (201, vec!["user", "password"]));
    let fetched = broker.fetch_binding("i", "key").json();
    assert_eq!(
        fetched,
        json!({ "credentials": credentials, "parameters": {} })
    );
}

#[test]
fn a_binding_is_of_its_instance() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    provisioned(&broker, "j", "wide", "plain");
    let of_i = broker.bind("i", "b", &bind_of("wide", "plain"));
    let of_j = broker.bind(
        "j",
        "b",
        &with(
            bind_of("wide", "plain"),
            "parameters",
            json!({ "level": "x" }),
        ),
    );
    assert_eq!(
        (of_i.status, of_j.status),
        (201, 201),
        "ids of bindings are unique within an instance, not beyond"
    );
    assert_ne!(
        of_i.json()["credentials"]["password"],
        of_j.json()["credentials"]["password"]
    );
    assert_eq!(broker.unbind("i", "b", "wide", "plain").status, 200);
    assert_eq!(
        broker.fetch_binding("j", "b").json()["credentials"],
        of_j.json()["credentials"]
    );
    assert_eq!(broker.fetch_binding("i", "b").status, 404);
    assert_eq!(broker.unbind("none", "b", "wide", "plain").status, 410);
    assert_eq!(
        broker.bind("none", "b", &bind_of("wide", "plain")).word(),
        "InstanceNotFound"
    );
    assert_eq!(broker.fetch_binding("none", "b").status, 404);
}

#[test]
fn a_plan_that_cannot_be_bound_is_not() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "unbound");
    let response = broker.bind("i", "b", &bind_of("wide", "unbound"));
    assert_eq!(
        (response.status, response.word().as_str()),
        (400, "NotBindable")
    );
    // Named after another plan it cannot be bound either.
    let response = broker.bind("i", "b", &bind_of("wide", "plain"));
    assert_eq!(
        (response.status, response.word().as_str()),
        (400, "PlanMismatch")
    );
    assert_eq!(broker.fetch_binding("i", "b").status, 404);
}

/// Bindings that were made while a plan could be bound outlive a move to one that cannot.
#[test]
fn a_binding_outlives_a_move_to_a_plan_that_cannot_be_bound() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    let bound = broker.bind("i", "b", &bind_of("wide", "plain")).json();
    assert_eq!(
        broker
            .update("i", &json!({ "service_id": "wide", "plan_id": "unbound" }))
            .status,
        200
    );
    assert_eq!(
        broker.fetch_binding("i", "b").json()["credentials"],
        bound["credentials"]
    );
    assert_eq!(broker.bind("i", "b", &bind_of("wide", "plain")).status, 200);
    assert_eq!(
        broker.bind("i", "c", &bind_of("wide", "unbound")).word(),
        "NotBindable"
    );
    assert_eq!(broker.unbind("i", "b", "wide", "unbound").status, 200);
}

#[test]
fn a_removal_names_what_it_removes() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    assert_eq!(broker.bind("i", "b", &bind_of("wide", "plain")).status, 201);
    for (query, word) in [
        ("", "InvalidQuery"),
        ("?service_id=wide", "InvalidQuery"),
        ("?service_id=wide&plan_id=", "InvalidQuery"),
        (
            "?service_id=wide&plan_id=plain&plan_id=plain",
            "InvalidQuery",
        ),
        ("?service_id=narrow&plan_id=plain", "ServiceMismatch"),
        ("?service_id=wide&plan_id=other", "PlanMismatch"),
    ] {
        let response = broker.delete(&format!("{}{query}", at_binding("i", "b")));
        assert_eq!(
            (response.status, response.word().as_str()),
            (400, word),
            "{query}"
        );
    }
    assert_eq!(broker.unbind("i", "b", "wide", "plain").status, 200);
    assert_eq!(
        broker.delete(&at_binding("i", "b")).status,
        410,
        "what is gone needs no names"
    );
}
