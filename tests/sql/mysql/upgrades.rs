//! Updates see what was and what is to be; and what they say of themselves when they fail, on a server that commits by itself.

use serde_json::{Value, json};

use super::{Admin, Stage};
use crate::http::Response;
use crate::server::Server;

const CATALOG: &str = r#"
backends:
  my: { sql: { server: "${MY_ADMIN}" } }
services:
  - id: db
    name: db
    description: d
    bindable: true
    instances_retrievable: true
    plan_updateable: true
    accept: [statements-move]
    respond: sync
    max_attempts: 1
    backend: { use: my }
    plans:
      - id: small
        name: small
        description: Writes down what it is told
        backend:
          statements:
            update:
              - INSERT INTO said VALUES (CONCAT({{ previous.plan.name | literal }}, ' ', {{ previous.parameters.size | default('none') | literal }}, ' to ', {{ plan.name | literal }}, ' ', {{ instance.parameters.size | default('none') | literal }}))
              - INSERT INTO numbers VALUES ({{ instance.parameters.size | default('1') | literal }})
      - id: commits
        name: commits
        description: A statement in it commits by itself
        backend: { statements: { update: [ INSERT INTO said VALUES ('before'), CREATE TABLE made (n int), DROP TABLE nothing ] } }
"#;

fn patch(stage: &Stage, fields: &Value) -> Response {
    let mut body = json!({ "service_id": "db" });
    for (key, value) in fields.as_object().expect("fields") {
        body[key] = value.clone();
    }
    stage.broker.update("one", &body)
}

fn said(stage: &Stage) -> String {
    let said = stage
        .server
        .sql("SELECT COALESCE(GROUP_CONCAT(what SEPARATOR '|'), '') FROM shared.said");
    stage.server.sql("DELETE FROM shared.said");
    said
}

/// That the instance is as it was is said of nothing that was run: what was made in the middle stays made.
#[test]
fn a_failed_update_says_what_it_leaves() {
    let stage = Stage::with(Server::start(&[]), Admin::Super, CATALOG);
    stage.server.sql(
        "CREATE TABLE shared.said (what varchar(200)); CREATE TABLE shared.numbers (what int)",
    );
    stage.provisioned("one", "small");
    let failed = |fields: &Value, status: u16, usable: Option<bool>, repeatable: bool| {
        let failed = patch(&stage, fields);
        assert_eq!(failed.status, status, "{}", failed.text());
        for told in [failed.json(), stage.broker.poll("one").json()] {
            let said = told.get("instance_usable").and_then(Value::as_bool);
            assert_eq!(said, usable, "{told}");
            assert_eq!(told["update_repeatable"], repeatable, "{told}");
        }
    };
    let size = |size: Value| json!({ "parameters": { "size": size } });
    // The value is to blame: the same again would fail again.
    failed(&size(json!("many")), 500, None, false);
    assert_eq!(said(&stage), "");
    // It fits no statement: nothing was run.
    failed(&size(json!({ "a": 1 })), 422, Some(true), false);
    // The operator can mend what the server has.
    stage
        .server
        .sql("RENAME TABLE shared.numbers TO shared.broken");
    failed(&size(json!("2")), 500, None, true);
    stage
        .server
        .sql("RENAME TABLE shared.broken TO shared.numbers");
    failed(&json!({ "plan_id": "commits" }), 500, None, true);
    assert_eq!(said(&stage), "before");
    let done = patch(&stage, &size(json!("2")));
    assert_eq!(done.status, 200, "{}\n{}", done.text(), stage.broker.log());
    assert_eq!(said(&stage), "small none to small 2");
}
