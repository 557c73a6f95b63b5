//! Update of an instance: what is absent stays.

use serde_json::{Value, json};

use crate::documents::{bind_of, provisioned, wide};
use crate::harness::{Broker, Setup, with};

fn refused(broker: &Broker, instance: &str, body: &Value, answer: (u16, &str)) {
    let before = broker.fetch(instance).json();
    let response = broker.update(instance, body);
    assert_eq!(
        (response.status, response.word().as_str()),
        answer,
        "{body}: {}",
        response.text()
    );
    assert_eq!(
        broker.fetch(instance).json(),
        before,
        "{body}: a refusal changes nothing"
    );
}

#[test]
fn what_is_absent_stays() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    let update = |body: Value| {
        let response = broker.update("i", &with(body, "service_id", json!("wide")));
        assert_eq!(
            (response.status, response.json()),
            (200, json!({})),
            "{}",
            response.text()
        );
        let there = broker.fetch("i").json();
        (there["plan_id"].clone(), there["parameters"].clone())
    };
    let plain = json!("plain");
    assert_eq!(update(json!({})), (plain.clone(), json!({})));
    assert_eq!(
        update(json!({ "parameters": { "a": 1, "b": { "c": 2 } } })),
        (plain.clone(), json!({ "a": 1, "b": { "c": 2 } }))
    );
    // Top-level keys replace, and nothing below them is merged.
    let merged = json!({ "a": 1, "b": { "d": 3 }, "e": null });
    assert_eq!(
        update(json!({ "parameters": { "b": { "d": 3 }, "e": null } })),
        (plain.clone(), merged.clone())
    );
    assert_eq!(
        update(json!({ "parameters": {} })),
        (plain.clone(), merged.clone())
    );
    assert_eq!(
        update(json!({ "context": { "platform": "x" } })),
        (plain.clone(), merged.clone())
    );
    assert_eq!(
        update(json!({ "plan_id": "plain" })),
        (plain, merged.clone())
    );
    assert_eq!(
        update(json!({ "plan_id": "other" })),
        (json!("other"), merged.clone())
    );
    assert_eq!(
        update(json!({ "plan_id": null, "parameters": null, "context": null })),
        (json!("other"), merged)
    );
}

#[test]
fn a_plan_is_changed_where_the_plan_it_has_says_so() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "still");
    let body = |plan: &str| json!({ "service_id": "wide", "plan_id": plan });
    refused(
        &broker,
        "i",
        &body("plain"),
        (422, "PlanChangeNotSupported"),
    );
    // Cloud Controller always sends the plan, also when only parameters change.
    let same = with(body("still"), "parameters", json!({ "a": 1 }));
    assert_eq!(broker.update("i", &same).status, 200);
    assert_eq!(broker.fetch("i").json()["parameters"], json!({ "a": 1 }));

    provisioned(&broker, "j", "wide", "plain");
    for (plan, status) in [
        ("plain", 200),
        ("unbound", 200),
        ("kept", 200),
        ("still", 200),
        ("plain", 422),
    ] {
        assert_eq!(broker.update("j", &body(plan)).status, status, "{plan}");
    }
    // Any plan that it had is known to a removal.
    assert_eq!(broker.deprovision("j", "wide", "routed").status, 400);
    assert_eq!(broker.deprovision("j", "wide", "unbound").status, 200);
}

#[test]
fn what_an_update_names_must_be_there() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    for (body, answer) in [
        (json!({}), (400, "InvalidField")),
        (json!({ "service_id": "" }), (400, "InvalidField")),
        (
            json!({ "service_id": "none" }),
            (400, "ServiceNotInCatalog"),
        ),
        (
            json!({ "service_id": "none", "plan_id": "plain" }),
            (400, "ServiceNotInCatalog"),
        ),
        (
            json!({ "service_id": "wide", "plan_id": "" }),
            (400, "InvalidField"),
        ),
        (
            json!({ "service_id": "wide", "plan_id": "none" }),
            (400, "PlanNotInCatalog"),
        ),
        (
            json!({ "service_id": "wide", "plan_id": "narrow-plan" }),
            (400, "PlanNotInCatalog"),
        ),
        (json!({ "service_id": "narrow" }), (400, "ServiceMismatch")),
        (
            json!({ "service_id": "narrow", "plan_id": "narrow-plan" }),
            (400, "ServiceMismatch"),
        ),
    ] {
        refused(&broker, "i", &body, answer);
    }
    let missing = broker.update("none", &json!({ "service_id": "wide" }));
    assert_eq!(
        (missing.status, missing.word().as_str()),
        (404, "InstanceNotFound")
    );
}

/// Whatever stands in it, `previous_values` says nothing that the broker does not know.
#[test]
fn previous_values_are_never_looked_at() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    for previous in [
        json!({ "plan_id": "none", "service_id": "none", "organization_id": "x", "space_id": "y" }),
        json!({ "maintenance_info": { "version": "0.0.0" } }),
        json!({ "plan_id": 7 }),
        json!("nonsense"),
        json!([]),
    ] {
        let body =
            json!({ "service_id": "wide", "parameters": { "a": 1 }, "previous_values": previous });
        assert_eq!(broker.update("i", &body).status, 200, "{body}");
    }
}

#[test]
fn maintenance_is_that_of_the_plan_that_is_moved_to() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    let body = |plan: Value, info: Value| {
        with(
            with(json!({ "service_id": "wide" }), "plan_id", plan),
            "maintenance_info",
            info,
        )
    };
    let conflict = (422, "MaintenanceInfoConflict");
    refused(
        &broker,
        "i",
        &body(Value::Null, json!({ "version": "2.0.0+b" })),
        conflict,
    );
    refused(
        &broker,
        "i",
        &body(json!("plain"), json!({ "version": "2.0.0+b" })),
        conflict,
    );
    refused(
        &broker,
        "i",
        &body(json!("kept"), json!({ "version": "2.0.0" })),
        conflict,
    );
    refused(
        &broker,
        "i",
        &body(json!("strict"), json!({ "version": "2.0.0+b" })),
        conflict,
    );
    assert_eq!(
        broker.update("i", &body(Value::Null, json!({}))).status,
        200
    );
    assert_eq!(broker.fetch("i").json().get("maintenance_info"), None);

    assert_eq!(
        broker
            .update("i", &body(json!("kept"), json!({ "version": "2.0.0+b" })))
            .status,
        200
    );
    assert_eq!(
        broker.fetch("i").json()["maintenance_info"],
        json!({ "version": "2.0.0+b" })
    );
    // A repeat of what is done, with the version that the catalog has and with an outdated one.
    assert_eq!(
        broker
            .update("i", &body(json!("kept"), json!({ "version": "2.0.0+b" })))
            .status,
        200
    );
    refused(
        &broker,
        "i",
        &body(json!("kept"), json!({ "version": "1.0.0" })),
        conflict,
    );
    assert_eq!(
        broker
            .update("i", &body(json!("plain"), Value::Null))
            .status,
        200
    );
    assert_eq!(broker.fetch("i").json().get("maintenance_info"), None);
}

/// An instance keeps the version it has until an update names the catalog's.
#[test]
fn maintenance_is_had_when_it_is_asked_for() {
    let document = crate::documents::WIDE;
    let broker = Setup::new(document).start();
    provisioned(&broker, "i", "wide", "kept");
    broker
        .folder
        .write("catalog.yaml", &document.replace("2.0.0+b", "2.1.0"));
    let broker = broker.restarted();
    let version = || broker.fetch("i").json()["maintenance_info"]["version"].clone();
    assert_eq!(version(), "2.0.0+b");
    assert_eq!(
        broker
            .update(
                "i",
                &json!({ "service_id": "wide", "parameters": { "a": 1 } })
            )
            .status,
        200
    );
    assert_eq!(version(), "2.0.0+b", "parameters are no maintenance");
    refused(
        &broker,
        "i",
        &json!({ "service_id": "wide", "maintenance_info": { "version": "2.0.0+b" } }),
        (422, "MaintenanceInfoConflict"),
    );
    assert_eq!(
        broker
            .update(
                "i",
                &json!({ "service_id": "wide", "maintenance_info": { "version": "2.1.0" } })
            )
            .status,
        200
    );
    assert_eq!(version(), "2.1.0");
}

/// Bindings are never rendered again.
#[test]
fn an_update_leaves_bindings_alone() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    let bound = broker.bind("i", "b", &bind_of("wide", "plain")).json();
    let update = json!({ "service_id": "wide", "plan_id": "other", "context": { "platform": "x" }, "parameters": { "a": 1 } });
    assert_eq!(broker.update("i", &update).status, 200);
    assert_eq!(
        broker.fetch_binding("i", "b").json()["credentials"],
        bound["credentials"]
    );
    assert_eq!(
        broker.bind("i", "b", &bind_of("wide", "plain")).json(),
        bound,
        "a repeat names what it named"
    );
    let as_now = broker.bind("i", "b", &bind_of("wide", "other"));
    assert_eq!(
        (as_now.status, as_now.word().as_str()),
        (409, "BindingConflict")
    );
    // A removal may name the plan that the instance has, or had when the binding was made.
    assert_eq!(broker.unbind("i", "b", "wide", "still").status, 400);
    assert_eq!(broker.unbind("i", "b", "wide", "plain").status, 200);
}

/// Moves that the plan does not name are refused with those that it does; what stays in its plan is no move.
#[test]
fn an_instance_moves_where_its_plan_says() {
    let document = r"
services:
  - id: s
    name: s
    description: Steps
    bindable: false
    plan_updateable: true
    plans:
      - { id: one, name: small, description: Small, updates_to: [medium, large] }
      - { id: two, name: medium, description: Medium, updates_to: [] }
      - { id: three, name: large, description: Large }
      - { id: four, name: huge, description: Huge }
";
    let broker = Setup::new(document).start();
    let body =
        json!({ "service_id": "s", "plan_id": "one", "organization_guid": "o", "space_guid": "p" });
    let to = |plan: &str| json!({ "service_id": "s", "plan_id": plan });
    assert_eq!(broker.provision("i", &body).status, 201);
    let refused = broker.update("i", &to("four"));
    assert_eq!(
        (refused.status, &*refused.word()),
        (422, "PlanChangeNotSupported")
    );
    assert!(
        refused.text().contains("`medium`, `large`"),
        "{}",
        refused.text()
    );
    assert_eq!(broker.update("i", &to("one")).status, 200);
    assert_eq!(broker.update("i", &to("three")).status, 200);
    assert_eq!(
        broker.update("i", &to("four")).status,
        200,
        "it names none, so any"
    );
    assert_eq!(broker.update("i", &to("two")).status, 200);
    let refused = broker.update("i", &to("one"));
    assert_eq!(
        (refused.status, &*refused.word()),
        (422, "PlanChangeNotSupported")
    );
    assert!(
        refused.text().contains("cannot be changed for another"),
        "{}",
        refused.text()
    );
    assert_eq!(broker.update("i", &to("two")).status, 200);
}
