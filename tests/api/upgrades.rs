//! Upgrades: a PATCH with a newer `maintenance_info.version`, on a plan whose backend is a program.

use std::fs;

use serde_json::{Value, json};

use crate::acting::{Stage, refused};
use crate::harness::at_instance;
use crate::later::{accepted, awaited};

/// The broker again, with the catalog at another version of the plan `strict`.
fn moved(mut stage: Stage, from: &str, to: &str) -> Stage {
    let folder = &stage.broker.folder;
    let catalog = fs::read_to_string(folder.path().join("catalog.yaml")).expect("a catalog");
    let newer = catalog.replace(
        &format!("version: \"{from}\""),
        &format!("version: \"{to}\""),
    );
    assert_ne!(newer, catalog);
    folder.write("catalog.yaml", &newer);
    let broker = stage.broker.restarted();
    stage.broker = broker;
    stage
}

fn version(stage: &Stage) -> Value {
    stage.broker.fetch("i").json()["maintenance_info"].clone()
}

fn upgrade(to: &str) -> Value {
    json!({ "maintenance_info": { "version": to } })
}

/// What the program was told last.
fn told(stage: &Stage) -> Value {
    let requests = fs::read_to_string(stage.file("requests")).expect("requests");
    serde_json::from_str(requests.lines().last().expect("a line")).expect("JSON")
}

#[test]
fn an_upgrade_runs_the_update_with_both_versions() {
    let stage = Stage::new();
    let operation = accepted(&stage.provision("i", "strict"));
    awaited(&stage.broker, &at_instance("i"), &operation);
    let old = json!({ "version": "1.0.0" });
    let new = json!({ "version": "1.1.0" });
    assert_eq!(told(&stage)["instance"]["maintenance_info"], old);
    let stage = moved(stage, "1.0.0", "1.1.0");
    assert_eq!(version(&stage), old);
    refused(
        &stage.update(&upgrade("1.0.0")),
        422,
        "MaintenanceInfoConflict",
    );
    // A failed one keeps the old version, in the store and for the next attempt.
    stage.does("update", "fail");
    accepted(&stage.update(&upgrade("1.1.0")));
    let failed = stage.wait_for(&at_instance("i"), "failed");
    assert_eq!(
        (&failed["instance_usable"], &failed["update_repeatable"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(version(&stage), old);
    stage.does("update", "refuse");
    accepted(&stage.update(&upgrade("1.1.0")));
    let refusal = stage.wait_for(&at_instance("i"), "failed");
    assert_eq!(
        (&refusal["instance_usable"], &refusal["update_repeatable"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(version(&stage), old);
    stage.does("update", "");
    let operation = accepted(&stage.update(&upgrade("1.1.0")));
    awaited(&stage.broker, &at_instance("i"), &operation);
    let told = told(&stage);
    assert_eq!(
        told["previous"],
        json!({ "plan_id": "strict", "plan_name": "strict", "parameters": {}, "maintenance_info": old })
    );
    assert_eq!(told["instance"]["maintenance_info"], new);
    assert_eq!(version(&stage), new);
    // Neither an update without a word of it nor a newer catalog changes what the instance has.
    let stage = moved(stage, "1.1.0", "1.2.0");
    let operation = accepted(&stage.update(&json!({ "parameters": { "size": 1 } })));
    awaited(&stage.broker, &at_instance("i"), &operation);
    assert_eq!(version(&stage), new);
}

/// A broker that dies in an upgrade: until it is done, the instance has the old version.
#[test]
fn an_upgrade_survives_the_broker() {
    let stage = Stage::new();
    let operation = accepted(&stage.provision("i", "strict"));
    awaited(&stage.broker, &at_instance("i"), &operation);
    let mut stage = moved(stage, "1.0.0", "2.0.0");
    stage.does("update", "wait");
    let operation = accepted(&stage.update(&upgrade("2.0.0")));
    stage.wait_for_calls("update", 1);
    let broker = stage.broker.restarted();
    stage.broker = broker;
    refused(&stage.broker.fetch("i"), 422, "ConcurrencyError");
    stage.wait_for_calls("update", 2);
    let told = told(&stage);
    assert_eq!(told["previous"]["maintenance_info"]["version"], "1.0.0");
    assert_eq!(told["instance"]["maintenance_info"]["version"], "2.0.0");
    stage.go();
    awaited(&stage.broker, &at_instance("i"), &operation);
    assert_eq!(version(&stage), json!({ "version": "2.0.0" }));
}
