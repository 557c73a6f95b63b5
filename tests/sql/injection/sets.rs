//! The same of ready-made sets: whatever ids are and names are made of, on databases of such names too.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;

use super::{can_be_named, encoded, everything, hex, sorted, stage_of, text};
use crate::harness::{at_binding, at_instance};
use crate::stage::{Login, Stage};

/// Users choose all names.
const CATALOG: &str = r#"
services:
  - id: db
    name: db
    description: What users write, in ready-made statements
    bindable: true
    respond: sync
    max_attempts: 1
    backend: { sql: { server: "${PG_ADMIN}" }, with: { connections: "{{ instance.parameters.connections | default(2) }}" } }
    binding: { values: { username: "{{ binding.parameters.name }}" } }
    plans:
      - id: database
        name: database
        description: d
        instance: { values: { database: "{{ instance.parameters.name }}" } }
        backend: { statements: postgresql/database }
      - id: schema
        name: schema
        description: d
        instance: { values: { schema: "{{ instance.parameters.name }}" } }
        backend: { statements: postgresql/schema }
      - id: read-only
        name: read-only
        description: d
        instance: { values: { reader: "{{ instance.parameters.name }}" } }
        backend: { statements: postgresql/read-only }
"#;

#[derive(Clone, Debug)]
struct Life {
    plan: &'static str,
    instance: String,
    binding: String,
    name: String,
    login: String,
}

fn life() -> impl Strategy<Value = Life> {
    let id = || text(1..6).prop_map(|text| format!("i{}", text.replace(char::is_control, "")));
    // Nobody else's, and not each other's.
    let name = |first: &'static str| {
        let rest = prop_oneof![6 => text(1..5), 1 => text(0..30)];
        rest.prop_map(move |rest| format!("{first}{rest}"))
    };
    let plan = prop::sample::select(&["database", "schema", "read-only"][..]);
    let all = (plan, id(), id(), name("n"), name("u"));
    all.prop_map(|(plan, instance, binding, name, login)| Life {
        plan,
        instance,
        binding,
        name,
        login,
    })
}

/// One life; how many of its two subjects were made.
fn live(stage: &Stage, empty: &str, life: &Life) -> Result<u32, TestCaseError> {
    let Stage { cluster, broker } = stage;
    let (instance, plan) = (encoded(&life.instance), life.plan);
    let names = json!({ "service_id": "db", "plan_id": plan, "organization_guid": "o", "space_guid": "s", "parameters": { "name": life.name } });
    let made = broker.provision(&instance, &names);
    let fits = can_be_named(&life.name);
    let expected = if fits { 201 } else { 400 };
    prop_assert_eq!(made.status, expected, "{}", broker.log());
    let mut expected = sorted(empty);
    let mut count = 0;
    if fits {
        count += 1;
        let name = hex(&life.name);
        expected.push(format!("role {name}falsefalse"));
        match plan {
            "database" => expected.push(format!("database {name}")),
            "schema" => expected.push(format!("schema {name} .")),
            _ => {}
        }
        expected.sort();
        prop_assert_eq!(sorted(&everything(cluster)), expected.clone());
        count += bound(stage, &instance, life, &expected)?;
    }
    prop_assert_eq!(sorted(&everything(cluster)), expected);
    let gone = format!("{}?service_id=db&plan_id={plan}", at_instance(&instance));
    let gone = broker.delete(&gone);
    let expected = if fits { 200 } else { 410 };
    prop_assert_eq!(gone.status, expected, "{}\n{}", gone.text(), broker.log());
    prop_assert_eq!(everything(cluster), empty);
    Ok(count)
}

fn bound(
    stage: &Stage,
    instance: &str,
    life: &Life,
    before: &[String],
) -> Result<u32, TestCaseError> {
    let Stage { cluster, broker } = stage;
    let (binding, plan) = (encoded(&life.binding), life.plan);
    let names =
        json!({ "service_id": "db", "plan_id": plan, "parameters": { "name": life.login } });
    let made = broker.bind(instance, &binding, &names);
    if !can_be_named(&life.login) {
        prop_assert_eq!(made.status, 400, "{}", made.text());
        return Ok(0);
    }
    prop_assert_eq!(made.status, 201, "{}\n{}", made.text(), broker.log());
    let mut expected = before.to_vec();
    expected.push(format!("role {}falsefalse", hex(&life.login)));
    expected.sort();
    prop_assert_eq!(sorted(&everything(cluster)), expected.clone());
    let login = Login(made.json()["credentials"].clone());
    prop_assert_eq!(
        stage.says(
            &login,
            "SELECT encode(convert_to(session_user, 'UTF8'), 'hex')"
        ),
        Ok(hex(&life.login))
    );
    // Another limit, and nothing else.
    let limits = || {
        let all = "SELECT encode(convert_to(rolname, 'UTF8'), 'hex') || ' ' || rolconnlimit FROM pg_roles ORDER BY 1";
        cluster.sql("shared", all)
    };
    let [two, five] = [2, 5].map(|most| format!("{} {most}", hex(&life.login)));
    let before = limits();
    let changed = before.replace(&two, &five);
    prop_assert_ne!(&before, &changed);
    let more = json!({ "service_id": "db", "parameters": { "connections": 5 } });
    let more = broker.update(instance, &more);
    prop_assert_eq!(more.status, 200, "{}\n{}", more.text(), broker.log());
    prop_assert_eq!(limits(), changed);
    prop_assert_eq!(sorted(&everything(cluster)), expected);
    if plan != "read-only" {
        let made = stage.says(&login, "CREATE TABLE t (n int); DROP TABLE t");
        prop_assert!(made.is_ok(), "{:?}", made);
    }
    let gone = format!(
        "{}?service_id=db&plan_id={plan}",
        at_binding(instance, &binding)
    );
    let gone = broker.delete(&gone);
    prop_assert_eq!(gone.status, 200, "{}\n{}", gone.text(), broker.log());
    Ok(1)
}

#[test]
fn ready_made_statements_make_what_was_meant_and_nothing_else() {
    let stage = stage_of(CATALOG);
    let empty = everything(&stage.cluster);
    let (made, next) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config {
        // A database takes a while.
        cases: (Config::default().cases / 4).clamp(1, 100_000),
        failure_persistence: None,
        // What a life that failed has left would be in the way of a smaller one.
        max_shrink_iters: 0,
        ..Config::default()
    });
    let outcome = runner.run(&life(), |mut life| {
        next.set(next.get() + 1);
        life.instance += &next.get().to_string();
        life.binding = format!("{}b{}", life.binding, next.get());
        made.set(made.get() + live(&stage, &empty, &life)?);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        made.get() > next.get(),
        "hardly anything was made: {}",
        made.get()
    );
}
