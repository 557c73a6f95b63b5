//! A plan that leaves the catalog, or is not offered any more: what is there of it can still be fetched and removed.

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of, provisioned};
use crate::harness::{Broker, Setup, with};

fn document(leaving: &str) -> String {
    format!(
        r#"
services:
  - id: s
    name: s
    description: One that stays
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    plan_updateable: true
    binding: {{ credentials: {{ user: "u_{{{{ binding.id }}}}" }} }}
    plans:
      - {{ id: stays, name: stays, description: Stays }}
{leaving}"#
    )
}

const PLAN: &str = "      - { id: leaves, name: leaves, description: Leaves, maintenance_info: { version: \"1.0.0\" } }\n";
const SERVICE: &str = "  - id: t
    name: t
    description: Leaves as a whole
    bindable: true
    binding: { credentials: { user: u } }
    plans: [{ id: t-plan, name: t-plan, description: The only one }]
";

fn before() -> Broker {
    let broker = Setup::new(&document(&format!("{PLAN}{SERVICE}"))).start();
    provisioned(&broker, "i", "s", "leaves");
    assert_eq!(broker.bind("i", "b", &bind_of("s", "leaves")).status, 201);
    broker
}

fn edited(broker: Broker, document: &str) -> Broker {
    broker.folder.write("catalog.yaml", document);
    broker.restarted()
}

fn check_withdrawn(broker: &Broker) {
    assert!(!broker.catalog().text().contains("leaves"));
    assert_eq!(broker.fetch("i").json()["plan_id"], "leaves");
    assert_eq!(
        broker.fetch_binding("i", "b").json()["credentials"],
        json!({ "user": "u_b" })
    );
    assert_eq!(broker.poll("i").status, 200);
    // Repeats are what they were; nothing new is made.
    assert_eq!(
        broker.provision("i", &provision_of("s", "leaves")).status,
        200
    );
    assert_eq!(broker.bind("i", "b", &bind_of("s", "leaves")).status, 200);
    let refused = |response: crate::http::Response, answer: (u16, &str)| {
        assert_eq!(
            (response.status, response.word().as_str()),
            answer,
            "{}",
            response.text()
        );
    };
    let other = with(provision_of("s", "leaves"), "space_guid", json!("x"));
    refused(broker.provision("i", &other), (409, "InstanceConflict"));
    refused(
        broker.provision("j", &provision_of("s", "leaves")),
        (400, "PlanNotInCatalog"),
    );
    refused(
        broker.bind("i", "c", &bind_of("s", "leaves")),
        (400, "PlanWithdrawn"),
    );
    refused(
        broker.bind("i", "c", &bind_of("s", "stays")),
        (400, "PlanMismatch"),
    );
    // The platform may tell news of the context; there is no plan to change to or parameters from.
    let update = |fields: Value| {
        let body = fields.as_object().expect("an object").iter();
        let body = body.fold(json!({ "service_id": "s" }), |body, (key, value)| {
            with(body, key, value.clone())
        });
        broker.update("i", &body)
    };
    for fields in [
        json!({}),
        json!({ "context": { "platform": "x" } }),
        json!({ "plan_id": "leaves", "context": {} }),
    ] {
        assert_eq!(update(fields.clone()).status, 200, "{fields}");
    }
    refused(
        update(json!({ "parameters": { "a": 1 } })),
        (422, "UpdateNotSupported"),
    );
    refused(
        update(json!({ "plan_id": "leaves", "parameters": {} })),
        (422, "UpdateNotSupported"),
    );
    refused(
        update(json!({ "plan_id": "stays" })),
        (422, "PlanChangeNotSupported"),
    );
    refused(
        update(json!({ "maintenance_info": { "version": "1.0.0" } })),
        (422, "MaintenanceInfoConflict"),
    );
    assert_eq!(broker.unbind("i", "b", "s", "leaves").status, 200);
    assert_eq!(broker.deprovision("i", "s", "leaves").status, 200);
    refused(broker.deprovision("i", "s", "leaves"), (410, "Gone"));
    refused(
        broker.provision("i", &provision_of("s", "leaves")),
        (400, "PlanNotInCatalog"),
    );
}

#[test]
fn a_plan_leaves_the_catalog() {
    check_withdrawn(&edited(before(), &document(SERVICE)));
}

#[test]
fn a_plan_is_not_offered_any_more() {
    let kept = PLAN.replace("description: Leaves", "description: Leaves, offered: false");
    assert_ne!(kept, PLAN);
    check_withdrawn(&edited(before(), &document(&format!("{kept}{SERVICE}"))));
}

#[test]
fn a_service_leaves_as_a_whole() {
    let broker = before();
    provisioned(&broker, "k", "t", "t-plan");
    assert_eq!(broker.bind("k", "b", &bind_of("t", "t-plan")).status, 201);
    let not_offered = SERVICE.replace(
        "description: Leaves",
        "offered: false\n    description: Leaves",
    );
    let broker = edited(broker, &document(&format!("{PLAN}{not_offered}")));
    assert_eq!(
        broker.provision("k", &provision_of("t", "t-plan")).status,
        200
    );
    let broker = edited(broker, &document(PLAN));
    assert_eq!(
        broker.provision("k", &provision_of("t", "t-plan")).status,
        200
    );
    assert_eq!(
        broker.provision("l", &provision_of("t", "t-plan")).word(),
        "ServiceNotInCatalog"
    );
    assert_eq!(
        broker.bind("k", "c", &bind_of("t", "t-plan")).word(),
        "PlanWithdrawn"
    );
    assert_eq!(
        broker
            .update("k", &json!({ "service_id": "t", "context": {} }))
            .status,
        200
    );
    assert_eq!(broker.unbind("k", "b", "t", "t-plan").status, 200);
    assert_eq!(broker.deprovision("k", "t", "t-plan").status, 200);
}

/// A plan that left and came back is the plan that it was.
#[test]
fn a_plan_comes_back() {
    let broker = edited(before(), &document(SERVICE));
    let broker = edited(broker, &document(&format!("{PLAN}{SERVICE}")));
    assert_eq!(broker.bind("i", "c", &bind_of("s", "leaves")).status, 201);
    let update = json!({ "service_id": "s", "plan_id": "stays", "parameters": { "a": 1 } });
    assert_eq!(broker.update("i", &update).status, 200);
}
