//! A plan that is on its way out: told, then closed to what is new, and there for what it has.

use serde_json::json;

use crate::documents::{bind_of, provision_of, provisioned};
use crate::harness::{Broker, Setup, with};

const DOCUMENT: &str = r#"
services:
  - id: s
    name: databases
    description: Databases
    bindable: true
    plan_updateable: true
    instances_retrievable: true
    binding: { credentials: { user: someone } }
    plans:
      - { id: active, name: large, description: Large, metadata: { bullets: [1 GB] } }
      - id: deprecated
        name: small
        description: Small
        metadata: { bullets: [1 MB] }
        lifecycle: { state: deprecated, successor: large, note: It is slow, after: "2999-12-31" }
      - { id: retired, name: tiny, description: Tiny, lifecycle: { state: retired, successor: large } }
      - { id: over, name: old, description: Old, lifecycle: { state: deprecated, after: "2020-01-31" } }
"#;

/// With instances of all plans, from before two of them were retired.
fn broker() -> Broker {
    let before = DOCUMENT
        .replace("state: retired", "state: active")
        .replace("2020-01-31", "2999-12-31");
    let broker = Setup::new(&before).env("BROKER_RELOAD__EVERY", "0").start();
    for plan in ["active", "deprecated", "retired", "over"] {
        provisioned(&broker, plan, "s", plan);
    }
    broker.folder.write("catalog.yaml", DOCUMENT);
    broker.signal("HUP");
    broker.wait_for_log("reloaded the catalog");
    broker
}

#[test]
fn what_users_need_to_know_is_published() {
    let broker = broker();
    let catalog = broker.catalog().json();
    let plans = catalog["services"][0]["plans"]
        .as_array()
        .expect("plans")
        .clone();
    let told: Vec<&str> = plans
        .iter()
        .map(|plan| plan["description"].as_str().expect("a text"))
        .collect();
    assert_eq!(
        told,
        [
            "Large",
            "Small (deprecated, retired after 2999-12-31, use large: It is slow)",
            "Tiny (retired, use large)",
            "Old (deprecated, retired after 2020-01-31)",
        ]
    );
    assert_eq!(plans[0]["metadata"], json!({ "bullets": ["1 GB"] }));
    assert_eq!(
        plans[1]["metadata"],
        json!({ "bullets": ["1 MB"], "lifecycle": {
            "state": "deprecated", "note": "It is slow", "successor": "large", "after": "2999-12-31",
        } })
    );
    assert!(plans[1].get("lifecycle").is_none(), "{catalog}");
}

#[test]
fn what_is_retired_makes_nothing_new_and_its_instances_go_on() {
    let broker = broker();
    for (plan, successor) in [
        ("retired", "Use the plan `large`"),
        ("over", "Use another plan"),
    ] {
        let refused = broker.provision("new", &provision_of("s", plan));
        assert_eq!(
            (refused.status, &*refused.word()),
            (400, "PlanRetired"),
            "{plan}"
        );
        assert!(
            refused.description().contains(successor),
            "{}",
            refused.text()
        );
        let refused = broker.update("active", &json!({ "service_id": "s", "plan_id": plan }));
        assert_eq!(
            (refused.status, &*refused.word()),
            (422, "PlanRetired"),
            "{plan}"
        );
        assert!(
            refused.description().contains(successor),
            "{}",
            refused.text()
        );

        // The repeat of what was made before is a repeat, and another one a conflict.
        assert_eq!(broker.provision(plan, &provision_of("s", plan)).status, 200);
        let other = with(provision_of("s", plan), "space_guid", json!("another"));
        assert_eq!(broker.provision(plan, &other).status, 409);
        // Its own updates, binds and the way out go on.
        let same = json!({ "service_id": "s", "plan_id": plan, "parameters": { "a": 1 } });
        assert_eq!(broker.update(plan, &same).status, 200);
        assert_eq!(broker.bind(plan, "b", &bind_of("s", plan)).status, 201);
        assert_eq!(broker.fetch(plan).status, 200);
        assert_eq!(broker.unbind(plan, "b", "s", plan).status, 200);
        assert_eq!(
            broker
                .update(plan, &json!({ "service_id": "s", "plan_id": "active" }))
                .status,
            200
        );
        assert_eq!(broker.deprovision(plan, "s", "active").status, 200);
    }
    assert_eq!(
        broker
            .provision("new", &provision_of("s", "deprecated"))
            .status,
        201
    );
    let to = json!({ "service_id": "s", "plan_id": "deprecated" });
    assert_eq!(broker.update("active", &to).status, 200);
}

#[test]
fn dates_that_are_near_are_told_at_the_check() {
    let (status, said, _) = Setup::new(DOCUMENT).arg("check").run();
    assert_eq!(status.code(), Some(0), "{said}");
    let line = said
        .lines()
        .find(|line| line.contains("[date-near]"))
        .expect("a finding");
    assert!(
        line.contains("2020-01-31 is over: the plan is retired"),
        "{line}"
    );
    assert!(!said.contains("2999"), "{said}");
    // One that plans and offerings inherit is told once, where it stands.
    let inherited = "service_defaults: { adopt: { until: 2020-02-29 }, plan_defaults: { lifecycle: { state: deprecated, after: 2020-03-31 } } }\nservices:\n- { id: s, name: s, description: d, bindable: false, plans: [{ id: p, name: p, description: d }, { id: q, name: q, description: d }] }\n";
    let (status, said, _) = Setup::new(inherited).arg("check").run();
    assert_eq!(status.code(), Some(0), "{said}");
    for (path, what) in [
        (
            "service_defaults.adopt.until",
            "2020-02-29 is over: nothing is adopted",
        ),
        (
            "service_defaults.plan_defaults.lifecycle.after",
            "2020-03-31 is over: the plan is retired",
        ),
    ] {
        let told = format!("{path}: {what}");
        assert_eq!(said.matches(&told).count(), 1, "{told}: {said}");
    }
}
