//! Store `none`: nothing is remembered, and what that promises.

use serde_json::{Value, json};

use crate::harness::{
    Broker, PLAN, SERVICE, Setup, at_binding, at_instance, bind_body, provision_body, with,
};

/// What may be served without a memory: answers made of ids and document alone.
const FIXED: &str = r#"
services:
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10
    name: shared-smtp
    description: The mail relay
    bindable: true
    plan_updateable: true
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: standard
        description: For everybody
        maintenance_info: { version: 1.0.0 }
        schemas:
          service_instance:
            create:
              parameters:
                $schema: "http://json-schema.org/draft-04/schema#"
                type: object
                properties: { size: { type: integer } }
        instance:
          dashboard_url: "https://smtp.example.com/{{ instance.id }}"
        binding:
          credentials:
            host: smtp.example.com
            username: "{{ instance.id }}.{{ binding.id }}"
"#;

fn without_memory() -> Setup {
    Setup::new(FIXED).arg("--store").arg("none")
}

fn named() -> String {
    format!("?service_id={SERVICE}&plan_id={PLAN}")
}

/// Whatever came before, each request is answered as if it were the first.
#[test]
fn every_request_is_the_first() {
    let broker = without_memory().start();
    let other = with(provision_body(), "space_guid", json!("another"));
    let update = json!({ "service_id": SERVICE, "plan_id": PLAN, "parameters": { "a": 1 } });
    for _ in 0..2 {
        let made = broker.provision("i", &provision_body());
        let dashboard = json!({ "dashboard_url": "https://smtp.example.com/i" });
        assert_eq!((made.status, made.json()), (201, dashboard));
        assert_eq!(broker.provision("i", &other).status, 201);
        assert_eq!(broker.bind("i", "b", &bind_body()).status, 201);
        assert_eq!(broker.bind("never-made", "b", &bind_body()).status, 201);
        assert_eq!(broker.update("i", &update).status, 200);
        assert_eq!(broker.unbind("i", "b", SERVICE, PLAN).status, 200);
        assert_eq!(broker.deprovision("i", SERVICE, PLAN).status, 200);
        for gone in [broker.fetch("i"), broker.fetch_binding("i", "b")] {
            assert_eq!(gone.status, 404);
        }
        for polled in [broker.poll("i"), broker.poll_binding("i", "b")] {
            assert_eq!(polled.status, 410, "{}", polled.text());
        }
    }
    assert_eq!(broker.get("/readyz").status, 200);
    assert!(
        !broker.folder.path().join("data").exists(),
        "a file was made"
    );
}

/// The same ids get the same credentials: again, after a restart, of another broker; other ids get others.
#[test]
fn the_same_ids_get_the_same_credentials() {
    let credentials = |broker: &Broker, instance: &str, binding: &str| -> Value {
        let bound = broker.bind(instance, binding, &bind_body());
        assert_eq!(bound.status, 201);
        bound.json()
    };
    let broker = without_memory().start();
    let first = credentials(&broker, "i", "b");
    assert_eq!(first["credentials"]["username"], "i.b");
    assert_eq!(credentials(&broker, "i", "b"), first);
    let beside = without_memory().start();
    assert_eq!(credentials(&beside, "i", "b"), first, "of another broker");
    let broker = broker.restarted();
    assert_eq!(credentials(&broker, "i", "b"), first, "after a restart");
    for (instance, binding) in [("i", "c"), ("j", "b")] {
        assert_ne!(credentials(&broker, instance, binding), first);
    }
}

/// What can be checked without a memory is.
#[test]
fn what_needs_no_memory_is_checked() {
    let broker = without_memory().start();
    let unknown = json!("11111111-1111-4111-8111-111111111111");
    let (at_i, at_b) = (at_instance("i"), at_binding("i", "b"));
    let update = || json!({ "service_id": SERVICE });
    let wrong_size = json!({ "size": "large" });
    let outdated = json!({ "version": "0.9.0" });
    let bodies = [
        (
            "PUT",
            &at_i,
            with(provision_body(), "plan_id", unknown.clone()),
            400,
            "PlanNotInCatalog",
        ),
        (
            "PUT",
            &at_i,
            with(provision_body(), "space_guid", Value::Null),
            400,
            "InvalidField",
        ),
        (
            "PUT",
            &at_i,
            with(provision_body(), "parameters", wrong_size),
            400,
            "ParametersInvalid",
        ),
        (
            "PUT",
            &at_i,
            with(provision_body(), "maintenance_info", outdated.clone()),
            422,
            "MaintenanceInfoConflict",
        ),
        (
            "PATCH",
            &at_i,
            with(update(), "plan_id", unknown.clone()),
            400,
            "PlanNotInCatalog",
        ),
        (
            "PATCH",
            &at_i,
            with(update(), "service_id", unknown.clone()),
            400,
            "ServiceNotInCatalog",
        ),
        (
            "PATCH",
            &at_i,
            with(
                with(update(), "plan_id", json!(PLAN)),
                "maintenance_info",
                outdated.clone(),
            ),
            422,
            "MaintenanceInfoConflict",
        ),
        (
            "PUT",
            &at_b,
            with(bind_body(), "service_id", unknown),
            400,
            "ServiceNotInCatalog",
        ),
        (
            "PUT",
            &at_b,
            json!({ "predecessor_binding_id": "a" }),
            400,
            "PredecessorInvalid",
        ),
    ];
    for (method, path, body, status, word) in bodies {
        let answer = broker.send(&broker.request(method, path).json(&body));
        let said = (answer.status, answer.word());
        assert_eq!(said, (status, word.to_owned()), "{method} {path} {body}");
    }
}

/// A DELETE must name offering and plan, but any will do: what left the catalog must not block a clean-up.
#[test]
fn a_delete_names_offering_and_plan() {
    let broker = without_memory().start();
    let table = [
        (named(), 200, ""),
        ("?service_id=gone&plan_id=gone".to_owned(), 200, ""),
        (String::new(), 400, "InvalidQuery"),
        (format!("?service_id={SERVICE}"), 400, "InvalidQuery"),
        (format!("?plan_id={PLAN}"), 400, "InvalidQuery"),
        (format!("?service_id=&plan_id={PLAN}"), 400, "InvalidQuery"),
        (format!("{}&plan_id={PLAN}", named()), 400, "InvalidQuery"),
    ];
    for path in [at_instance("i"), at_binding("i", "b")] {
        for (query, status, word) in &table {
            let answer = broker.delete(&format!("{path}{query}"));
            assert_eq!(
                (answer.status, answer.word().as_str()),
                (*status, *word),
                "{path}{query}"
            );
        }
    }
}

/// An app on Cloud Foundry has no disk that lasts, and needs none here.
#[test]
fn it_runs_on_cloud_foundry_as_it_is() {
    let broker = without_memory().env("VCAP_APPLICATION", "{}").start();
    assert_eq!(broker.provision("i", &provision_body()).status, 201);
}
