//! The catalog that the tests of the API share, and what is asked of it. Its ids are words, so that a test can be read.

use serde_json::{Value, json};

use crate::harness::{Broker, Setup};

/// One plan for each thing that a request can be refused for.
pub const WIDE: &str = r#"
minimum_api_version: "2.10"
services:
  - id: wide
    name: wide
    description: One plan for each thing
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    plan_updateable: true
    binding:
      values: { drawn: "{{ random_password(16) }}" }
      credentials:
        user: "u_{{ binding.id }}"
        password: "{{ binding.values.drawn }}"
        app: "{{ binding.app_guid }}"
        level: "{{ binding.parameters.level }}"
        platform: "{{ platform }}"
        space: "{{ binding.context.space_guid }}"
    plans:
      - { id: plain, name: plain, description: Nothing special }
      - { id: other, name: other, description: Nothing special either }
      - { id: still, name: still, description: Cannot be changed, plan_updateable: false }
      - { id: kept, name: kept, description: Is maintained, maintenance_info: { version: "2.0.0+b", description: New roof } }
      - { id: unbound, name: unbound, description: Cannot be bound, bindable: false }
      - { id: routed, name: routed, description: For routes, binding: { requires: [route] } }
      - { id: apps, name: apps, description: For applications, binding: { requires: [app] } }
      - { id: rotated, name: rotated, description: Bindings have successors, binding_rotatable: true }
      - id: strict
        name: strict
        description: Has everything that can be broken
        binding_rotatable: true
        maintenance_info: { version: "3.1.0" }
        binding: { requires: [app] }
        schemas:
          service_instance:
            create: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", type: object, properties: { size: { type: integer, maximum: 9 } }, required: [size] } }
            update: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", type: object, properties: { size: { type: integer } } } }
          service_binding:
            create: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", type: object, properties: { level: { type: string } } } }
  - id: narrow
    name: narrow
    description: Cannot be fetched
    bindable: true
    binding: { credentials: { user: narrow } }
    plans:
      - { id: narrow-plan, name: narrow-plan, description: The only one, binding_rotatable: true }
"#;

pub fn wide() -> Broker {
    Setup::new(WIDE).start()
}

/// The body of a provision.
pub fn provision_of(service: &str, plan: &str) -> Value {
    json!({
        "service_id": service,
        "plan_id": plan,
        "organization_guid": "org-1",
        "space_guid": "space-1",
    })
}

/// The body of a bind for an application.
pub fn bind_of(service: &str, plan: &str) -> Value {
    json!({
        "service_id": service,
        "plan_id": plan,
        "bind_resource": { "app_guid": "app-1" },
    })
}

/// An instance that is there from now on.
pub fn provisioned(broker: &Broker, instance: &str, service: &str, plan: &str) {
    let mut body = provision_of(service, plan);
    if plan == "strict" {
        body["parameters"] = json!({ "size": 1 });
    }
    let made = broker.provision(instance, &body);
    assert_eq!(made.status, 201, "{}", made.text());
}

/// The broker as it should be after whatever happened: it serves its catalog.
pub fn serves(broker: &Broker) {
    assert_eq!(broker.catalog().status, 200);
}
