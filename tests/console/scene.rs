//! A broker with an offering like a real one, and instances of it: some are well, some fail for as long as a file lies there.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::{Broker, Folder, Setup};

pub const CATALOG: &str = include_str!("catalog.yaml");

pub const POSTGRES: (&str, &str) = (
    "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10",
    "0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11",
);
pub const LARGE: (&str, &str) = (
    "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10",
    "4c4f5a52-6a9c-4b0f-8c0e-0f8e1fd0a5b7",
);
pub const BUCKET: (&str, &str) = (
    "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f20",
    "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f21",
);
pub const SEAT: (&str, &str) = (
    "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f30",
    "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f31",
);

pub const ORGANIZATION: &str = "8b1f0c7e-2a4d-4e5f-9b6a-1c2d3e4f5a60";
pub const SPACE: &str = "5d2e9f10-7a3b-4c8d-8e9f-0a1b2c3d4e50";

/// An instance that is bound to applications, and one whose backend fails.
pub const ORDERS: &str = "1f3a5b7c-0d2e-4f6a-8b9c-000000000001";
pub const UPLOADS: &str = "3e5d7c9b-1a2f-4b4c-8d6e-000000000008";
pub const APP: &str = "a0000000-aaaa-4bbb-8ccc-000000000001";
pub const BINDING: &str = "b0000000-1111-4222-8333-000000000001";

/// What the operator and the viewer sign in with.
pub const PASSWORD: &str = "hers & his";

/// With logins for an operator, `anna`, and a viewer, `vera`.
pub fn with_logins(setup: Setup) -> Setup {
    let mut setup = setup.env("BROKER_AUDIT__TO", "file:audit.log");
    for (name, role) in [("ANNA", "operator"), ("VERA", "viewer")] {
        setup = setup
            .env(
                &format!("BROKER_AUTH__LOGINS__{name}__USERNAME"),
                &name.to_lowercase(),
            )
            .env(&format!("BROKER_AUTH__LOGINS__{name}__PASSWORD"), PASSWORD)
            .env(&format!("BROKER_AUTH__LOGINS__{name}__ROLE"), role);
    }
    setup
}

/// A broker with the catalog of this folder, empty.
pub fn empty() -> Broker {
    let folder = Folder::new();
    folder.write("broken", "");
    let place = folder.path().to_str().expect("text").to_owned();
    with_logins(Setup::new(CATALOG).env("FOLDER", &place)).start_in(&Arc::new(folder))
}

/// The same with instances, bindings and operations of all kinds.
pub fn full() -> Broker {
    let broker = empty();
    for (number, name) in ["orders", "customers", "invoices", "stock"]
        .iter()
        .enumerate()
    {
        let id = format!("1f3a5b7c-0d2e-4f6a-8b9c-00000000000{}", number + 1);
        provision(&broker, &id, POSTGRES, name, 201);
    }
    for (number, name) in ["analytics", "archive", "search"].iter().enumerate() {
        let id = format!("7c9e1b3d-5f7a-4c2e-9d4b-00000000000{}", number + 5);
        provision(&broker, &id, LARGE, name, 201);
    }
    for number in 1..=3 {
        bind(&broker, ORDERS, &number.to_string(), POSTGRES);
    }
    for (number, name) in ["uploads", "exports"].iter().enumerate() {
        let id = format!("3e5d7c9b-1a2f-4b4c-8d6e-00000000000{}", number + 8);
        provision(&broker, &id, BUCKET, name, 202);
    }
    let board = "9a8b7c6d-5e4f-4a3b-8c2d-000000000001";
    provision(&broker, board, SEAT, "board", 201);
    for number in 1..=3 {
        bind(&broker, board, &number.to_string(), SEAT);
    }
    broker
}

fn provision(broker: &Broker, id: &str, plan: (&str, &str), name: &str, status: u16) {
    let path = format!("/v2/service_instances/{id}?accepts_incomplete=true");
    let answer = broker.put(&path, &of(plan, name));
    assert_eq!(answer.status, status, "{}", answer.text());
}

fn bind(broker: &Broker, instance: &str, number: &str, plan: (&str, &str)) {
    let binding = format!("{}{number}", &BINDING[..BINDING.len() - 1]);
    let app = format!("{}{number}", &APP[..APP.len() - 1]);
    let body = json!({
        "service_id": plan.0, "plan_id": plan.1, "app_guid": app,
        "parameters": { "secret": "MARKED-parameter" },
    });
    let answer = broker.bind(instance, &binding, &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert!(answer.text().contains("MARKED"), "{}", answer.text());
}

/// The body of a provision, with much that is nobody's business.
pub fn of((service, plan): (&str, &str), name: &str) -> Value {
    json!({
        "service_id": service, "plan_id": plan, "organization_guid": ORGANIZATION, "space_guid": SPACE,
        "context": {
            "platform": "cloudfoundry", "organization_guid": ORGANIZATION, "organization_name": "retail",
            "space_guid": SPACE, "space_name": "production", "instance_name": name,
            "instance_annotations": { "token": "MARKED-context" }, "password": "MARKED-context",
        },
        "parameters": { "password": "MARKED-parameter" },
    })
}

/// What the backend of the buckets failed at is mended.
pub fn mend(broker: &Broker) {
    fs::remove_file(broker.folder.path().join("broken")).expect("it was broken");
}
