//! A full life: provision, fetch, update, bind, fetch, unbind, deprovision.

use serde_json::json;

use crate::harness::{CATALOG, PLAN, SERVICE, Setup, bind_body, provision_body, with};

const LARGE: &str = "4c4f5a52-6a9c-4b0f-8c0e-0f8e1fd0a5b7";

#[test]
fn an_instance_lives_and_dies() {
    let broker = Setup::new(CATALOG).start();

    let made = broker.provision("i-1", &provision_body());
    assert_eq!(
        (made.status, made.json()),
        (
            201,
            json!({ "dashboard_url": "https://pg.example.com/cf_i-1" })
        )
    );
    let again = broker.provision("i-1", &provision_body());
    assert_eq!((again.status, again.json()), (200, made.json()));
    let other = broker.provision(
        "i-1",
        &with(provision_body(), "space_guid", json!("space-2")),
    );
    assert_eq!(
        (other.status, other.word().as_str()),
        (409, "InstanceConflict")
    );

    assert_eq!(broker.poll("i-1").json(), json!({ "state": "succeeded" }));
    let fetched = broker.fetch("i-1").json();
    assert_eq!(fetched["plan_id"], PLAN);
    assert_eq!(fetched["parameters"], json!({}));

    let bound = broker.bind("i-1", "b-1", &bind_body());
    assert_eq!(bound.status, 201);
    let credentials = bound.json()["credentials"].clone();
    assert_eq!(credentials["username"], "u_b-1");
    assert_eq!(credentials["database"], "cf_i-1");
    assert_eq!(credentials["password"].as_str().map(str::len), Some(32));
    let again = broker.bind("i-1", "b-1", &bind_body());
    assert_eq!((again.status, again.json()), (200, bound.json()));
    assert_eq!(
        broker.fetch_binding("i-1", "b-1").json()["credentials"],
        credentials
    );

    let moved = broker.update("i-1", &json!({ "service_id": SERVICE, "plan_id": LARGE }));
    assert_eq!((moved.status, moved.json()), (200, json!({})));
    assert_eq!(broker.fetch("i-1").json()["plan_id"], LARGE);

    assert_eq!(broker.unbind("i-1", "b-1", SERVICE, LARGE).status, 200);
    assert_eq!(broker.unbind("i-1", "b-1", SERVICE, LARGE).status, 410);
    assert_eq!(broker.poll_binding("i-1", "b-1").status, 410);
    assert_eq!(
        broker.deprovision("i-1", SERVICE, PLAN).status,
        200,
        "the plan that it had before is known still"
    );
    assert_eq!(broker.deprovision("i-1", SERVICE, LARGE).status, 410);
    assert_eq!(broker.poll("i-1").status, 410);
    assert_eq!(broker.fetch("i-1").status, 404);
}

#[test]
fn what_was_answered_outlives_a_kill() {
    let broker = Setup::new(CATALOG).start();
    assert_eq!(broker.provision("i-1", &provision_body()).status, 201);
    let bound = broker.bind("i-1", "b-1", &bind_body()).json();
    let broker = broker.restarted();
    assert_eq!(broker.provision("i-1", &provision_body()).status, 200);
    assert_eq!(broker.bind("i-1", "b-1", &bind_body()).json(), bound);
    assert_eq!(
        broker.fetch_binding("i-1", "b-1").json()["credentials"],
        bound["credentials"]
    );
}
