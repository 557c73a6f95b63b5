//! Updates see what was and what is to be: plans, parameters, maintenance. And what they say of themselves when they fail.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::harness::Setup;
use crate::http::Response;
use crate::stage::{Admin, Stage};

const CATALOG: &str = r#"
backends:
  pg: { sql: { server: "${PG_ADMIN}", timeout: 5s } }
services:
  - id: db
    name: db
    description: d
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    plan_updateable: true
    accept: [statements-move]
    respond: sync
    max_attempts: 1
    backend: { use: pg }
    instance: { dashboard_url: "https://h/{{ instance.maintenance_info.version | default('none') }}" }
    plans:
      - id: small
        name: small
        description: Writes down what it is told
        maintenance_info: { version: "VERSION" }
        backend:
          statements: &said
            update:
              - INSERT INTO public.said VALUES ({{ previous.plan.id | literal }} || ' ' || {{ previous.plan.name | literal }} || ' ' || {{ previous.parameters.size | default('none') | literal }} || ' ' || {{ previous.maintenance_info.version | default('none') | literal }} || ' to ' || {{ plan.name | literal }} || ' ' || {{ instance.parameters.size | default('none') | literal }} || ' ' || {{ instance.maintenance_info.version | default('none') | literal }})
              - SELECT 1 / count(*) FROM public.works
              - SELECT {{ instance.parameters.size | default('1') | literal }}::int
      - id: large
        name: large
        description: The same
        maintenance_info: { version: 9.0.0 }
        backend: { statements: *said }
      - id: parts
        name: parts
        description: Not in one piece
        backend:
          statements:
            update:
              - statement: INSERT INTO public.said VALUES ('begun')
                transaction: false
              - DROP TABLE public.nothing
      - id: slow
        name: slow
        description: Waits for a lock
        respond: async
        max_attempts: 1000
        backend: { statements: { update: [ "LOCK TABLE public.gate", *INSERTED ] } }
"#;

/// The same, with the catalog at another version of `small`.
fn catalog(version: &str) -> String {
    let insert = CATALOG
        .lines()
        .find(|line| line.contains("- INSERT INTO public.said VALUES ({{"));
    let insert = insert.expect("a statement").trim().trim_start_matches("- ");
    CATALOG
        .replace("VERSION", version)
        .replace("*INSERTED", &format!("\"{insert}\""))
}

fn stage() -> Stage {
    let stage = Stage::with(Cluster::start(&[]), Admin::Super, &catalog("1.0.0"));
    stage.cluster.sql(
        "shared",
        "CREATE TABLE public.said (what text); CREATE TABLE public.gate (); CREATE TABLE public.works (w int);
         INSERT INTO public.works VALUES (1)",
    );
    stage
}

fn setup(stage: &Stage, catalog: &str) -> Setup {
    Setup::new(catalog)
        .env("PG_ADMIN", &stage.cluster.url("shared"))
        .env("BROKER_OPERATIONS__LEASE", "1s")
        .env("BROKER_OPERATIONS__LOOK_EVERY", "50ms")
}

/// The same stage with another document.
fn with_catalog(mut stage: Stage, catalog: &str) -> Stage {
    stage.broker.kill();
    let folder = Arc::clone(&stage.broker.folder);
    stage.broker = setup(&stage, catalog).start_in(&folder);
    stage
}

fn said(stage: &Stage) -> String {
    let said = "WITH gone AS (DELETE FROM public.said RETURNING what) SELECT string_agg(what, '|') FROM gone";
    stage.cluster.sql("shared", said)
}

fn patch(stage: &Stage, fields: &Value) -> Response {
    let mut body = json!({ "service_id": "db" });
    for (key, value) in fields.as_object().expect("fields") {
        body[key] = value.clone();
    }
    stage.broker.update("one", &body)
}

fn version(stage: &Stage) -> Value {
    stage.broker.fetch("one").json()["maintenance_info"]["version"].clone()
}

fn flags(said: &Value) -> (Option<bool>, Option<bool>) {
    let flag = |name: &str| said.get(name).and_then(Value::as_bool);
    (flag("instance_usable"), flag("update_repeatable"))
}

#[test]
fn an_upgrade_sees_both_versions_and_a_failed_one_keeps_the_old() {
    let stage = stage();
    stage.provisioned("one", "small");
    assert_eq!(version(&stage), "1.0.0");
    let stage = with_catalog(stage, &catalog("2.0.0"));
    assert_eq!(
        version(&stage),
        "1.0.0",
        "the catalog moved, the instance did not"
    );
    // Parameters alone are no upgrade.
    assert_eq!(
        patch(&stage, &json!({ "parameters": { "size": "3" } })).status,
        200
    );
    assert_eq!(said(&stage), "small small none 1.0.0 to small 3 1.0.0");
    let upgrade = json!({ "maintenance_info": { "version": "2.0.0" } });
    stage.cluster.sql("shared", "DELETE FROM public.works");
    let failed = patch(&stage, &upgrade);
    assert_eq!(
        (failed.status, failed.word().as_str()),
        (500, "OperationFailed")
    );
    assert_eq!(version(&stage), "1.0.0");
    assert_eq!(
        stage.broker.fetch("one").json()["dashboard_url"],
        "https://h/1.0.0"
    );
    assert_eq!(said(&stage), "", "what was begun was taken back");
    stage
        .cluster
        .sql("shared", "INSERT INTO public.works VALUES (1)");
    let other = patch(
        &stage,
        &json!({ "maintenance_info": { "version": "1.0.0" } }),
    );
    assert_eq!(
        (other.status, other.word().as_str()),
        (422, "MaintenanceInfoConflict")
    );
    let done = patch(&stage, &upgrade);
    assert_eq!(done.status, 200, "{}\n{}", done.text(), stage.broker.log());
    assert_eq!(done.json()["dashboard_url"], "https://h/2.0.0");
    assert_eq!(said(&stage), "small small 3 1.0.0 to small 3 2.0.0");
    assert_eq!(version(&stage), "2.0.0");
    // A move brings the maintenance of the plan that is moved to.
    assert_eq!(patch(&stage, &json!({ "plan_id": "large" })).status, 200);
    assert_eq!(said(&stage), "small small 3 2.0.0 to large 3 9.0.0");
    assert_eq!(version(&stage), "9.0.0");
}

/// The plan that an instance had may be hidden by the time that its update is carried out.
#[test]
fn a_hidden_plan_has_its_name() {
    let stage = stage();
    stage.provisioned("one", "small");
    let mut lock = crate::stage::client(
        &stage.cluster,
        &stage.cluster.url("shared"),
        "BEGIN; LOCK TABLE public.gate; SELECT pg_sleep(600)",
    )
    .spawn()
    .expect("psql");
    let locked =
        "SELECT count(*) FROM pg_locks WHERE relation = 'public.gate'::regclass AND granted";
    wait(|| stage.cluster.sql("shared", locked) == "1");
    let body =
        json!({ "service_id": "db", "plan_id": "slow", "previous_values": { "plan_id": "small" } });
    let path = format!(
        "{}?accepts_incomplete=true",
        crate::harness::at_instance("one")
    );
    let accepted = stage.broker.patch(&path, &body);
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    let hidden = catalog("1.0.0").replace(
        "      - id: small\n",
        "      - id: small\n        offered: false\n",
    );
    let stage = with_catalog(stage, &hidden);
    assert!(!stage.broker.catalog().text().contains("Writes down"));
    stage.cluster.sql(
        "shared",
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = 'public.gate'::regclass AND granted AND pid <> pg_backend_pid()",
    );
    let _ = lock.wait();
    wait(|| stage.broker.poll("one").json()["state"] != "in progress");
    assert_eq!(
        stage.broker.poll("one").json()["state"],
        "succeeded",
        "{}",
        stage.broker.log()
    );
    assert_eq!(said(&stage), "small small none 1.0.0 to slow none none");
}

fn wait(is_so: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed().as_secs() < 120, "waited in vain");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// In the answer, and in the polls after it.
#[test]
fn a_failed_update_says_what_it_leaves() {
    let stage = stage();
    stage.provisioned("one", "small");
    let both = |failed: &Response, status: u16, expected: (Option<bool>, Option<bool>)| {
        assert_eq!(failed.status, status, "{}", failed.text());
        assert_eq!(flags(&failed.json()), expected, "{}", failed.text());
        let polled = stage.broker.poll("one").json();
        assert_eq!(
            (&polled["state"], flags(&polled)),
            (&json!("failed"), expected)
        );
        assert_eq!(stage.broker.fetch("one").json()["plan_id"], "small");
    };
    // The value is to blame: the same again would fail again.
    let failed = patch(&stage, &json!({ "parameters": { "size": "many" } }));
    both(&failed, 500, (Some(true), Some(false)));
    // It fits no statement: nothing was run.
    let refused = patch(&stage, &json!({ "parameters": { "size": { "a": 1 } } }));
    both(&refused, 422, (Some(true), Some(false)));
    // The operator can mend what the server has; of one transaction nothing stays.
    stage
        .cluster
        .sql("shared", "ALTER TABLE public.works RENAME TO broken");
    let failed = patch(&stage, &json!({ "parameters": { "size": "2" } }));
    both(&failed, 500, (Some(true), Some(true)));
    // What is not one transaction may have been done by half.
    let failed = patch(&stage, &json!({ "plan_id": "parts" }));
    both(&failed, 500, (None, Some(true)));
    assert_eq!(said(&stage), "begun");
    // A provision says nothing of the kind.
    stage
        .cluster
        .sql("shared", "ALTER TABLE public.broken RENAME TO works");
    assert_eq!(
        patch(&stage, &json!({ "parameters": { "size": "2" } })).status,
        200
    );
    let polled = stage.broker.poll("one").json();
    assert_eq!(
        (&polled["state"], flags(&polled)),
        (&json!("succeeded"), (None, None))
    );
}

/// A server that is away for longer than there are attempts: it may be asked again.
#[test]
fn an_update_that_was_given_up_may_be_asked_again() {
    let stage = stage();
    stage.provisioned("one", "small");
    let closed = "ALTER DATABASE shared ALLOW_CONNECTIONS false";
    stage.cluster.sql("postgres", closed);
    stage.cluster.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shared'",
    );
    let failed = patch(&stage, &json!({ "parameters": { "size": "2" } }));
    assert_eq!(failed.status, 500, "{}", failed.text());
    assert_eq!(flags(&failed.json()).1, Some(true), "{}", failed.text());
    stage
        .cluster
        .sql("postgres", &closed.replace("false", "true"));
    assert_eq!(
        patch(&stage, &json!({ "parameters": { "size": "2" } })).status,
        200
    );
}
