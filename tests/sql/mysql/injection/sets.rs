//! The same of a ready-made set: whatever ids are and names are made of, noted in a table too.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

use super::super::{Admin, Stage};
use super::{can_be_granted, can_be_named, encoded, everything, hex, text};
use crate::harness::{at_binding, at_instance};
use crate::server::Server;
use crate::stage::Login;

/// Users choose all names.
const CATALOG: &str = r#"
services:
  - id: db
    name: db
    description: What users write, in ready-made statements
    bindable: true
    respond: sync
    max_attempts: 1
    plans:
      - id: database
        name: database
        description: d
        instance: { values: { database: "{{ instance.parameters.name }}" } }
        binding: { values: { username: "{{ binding.parameters.name }}" } }
        backend:
          sql: { server: "${MY_ADMIN}" }
          statements: mysql/database
          with: { connections: "{{ instance.parameters.connections | default(2) }}" }
"#;

#[derive(Clone, Debug)]
struct Life {
    instance: String,
    binding: String,
    database: String,
    user: String,
}

fn life() -> impl Strategy<Value = Life> {
    let id = || text(1..6).prop_map(|text| format!("i{}", text.replace(char::is_control, "")));
    // Nobody else's.
    let name = |first: &'static str| text(1..5).prop_map(move |name| format!("{first}{name}."));
    (id(), id(), name("d"), name("u")).prop_map(|(instance, binding, database, user)| Life {
        instance,
        binding,
        database,
        user,
    })
}

/// One life; how many of its two subjects were made.
fn live(stage: &Stage, empty: &[String], life: &Life) -> Result<u32, TestCaseError> {
    let Stage { server, broker } = stage;
    let instance = encoded(&life.instance);
    let names = json!({ "service_id": "db", "plan_id": "database", "organization_guid": "o", "space_guid": "s", "parameters": { "name": life.database } });
    let made = broker.provision(&instance, &names);
    let fits = can_be_named(&life.database, 64);
    let expected = if fits { 201 } else { 400 };
    prop_assert_eq!(made.status, expected, "{}", broker.log());
    let mut expected = empty.to_vec();
    let mut count = 0;
    if fits {
        count += 1;
        expected.push(format!("database {}", hex(&life.database)));
        expected.sort();
        prop_assert_eq!(everything(server), expected.clone());
        count += bound(stage, &instance, life, &expected)?;
    }
    prop_assert_eq!(everything(server), expected);
    let place = at_instance(&instance);
    let gone = broker.delete(&format!("{place}?service_id=db&plan_id=database"));
    let expected = if fits { 200 } else { 410 };
    prop_assert_eq!(gone.status, expected, "{}\n{}", gone.text(), broker.log());
    prop_assert_eq!(everything(server), empty);
    prop_assert_eq!(stage.notes(), "0");
    Ok(count)
}

fn bound(
    stage: &Stage,
    instance: &str,
    life: &Life,
    before: &[String],
) -> Result<u32, TestCaseError> {
    let Stage { server, broker } = stage;
    let binding = encoded(&life.binding);
    let names =
        json!({ "service_id": "db", "plan_id": "database", "parameters": { "name": life.user } });
    let made = broker.bind(instance, &binding, &names);
    if !(can_be_named(&life.user, 32) && can_be_granted(&life.database)) {
        prop_assert_eq!(made.status, 400, "{}", made.text());
        return Ok(0);
    }
    prop_assert_eq!(made.status, 201, "{}\n{}", made.text(), broker.log());
    let mut expected = before.to_vec();
    let user = hex(&life.user);
    expected.push(format!("login {user} 25N"));
    let signs = ['\\', '_', '%'].iter();
    let escaped = signs.fold(life.database.clone(), |name, sign| {
        name.replace(*sign, &format!("\\{sign}"))
    });
    expected.push(format!("right {} {user}Y", hex(&escaped)));
    expected.sort();
    prop_assert_eq!(everything(server), expected.clone());
    prop_assert_eq!(stage.notes(), "2");
    // Another limit, and nothing else. The client takes a name in a charset of its own.
    let more = json!({ "service_id": "db", "parameters": { "connections": 5 } });
    let more = broker.update(instance, &more);
    prop_assert_eq!(more.status, 200, "{}\n{}", more.text(), broker.log());
    let limited =
        "SELECT HEX(CONVERT(user USING utf8mb4)) FROM mysql.user WHERE max_user_connections = 5";
    prop_assert_eq!(server.sql(limited), user);
    prop_assert_eq!(everything(server), expected);
    if life.user.is_ascii() {
        let login: Value = made.json()["credentials"].clone();
        let said = stage.says_in(&Login(login), "", "SELECT HEX(CURRENT_USER())");
        prop_assert_eq!(said, Ok(hex(&format!("{}@%", life.user))));
    }
    let place = at_binding(instance, &binding);
    let gone = broker.delete(&format!("{place}?service_id=db&plan_id=database"));
    prop_assert_eq!(gone.status, 200, "{}\n{}", gone.text(), broker.log());
    Ok(1)
}

#[test]
fn ready_made_statements_make_what_was_meant_and_nothing_else() {
    let stage = Stage::with(Server::start(&[]), Admin::Super, CATALOG);
    stage
        .server
        .sql("CREATE TABLE shared.said (id int, text int, n int)");
    let first = Life {
        instance: "first".to_owned(),
        binding: "first".to_owned(),
        database: "first".to_owned(),
        user: "first".to_owned(),
    };
    // The table of notes is made with the first, and stays.
    let names = json!({ "service_id": "db", "plan_id": "database", "organization_guid": "o", "space_guid": "s", "parameters": { "name": "zero" } });
    assert_eq!(stage.broker.provision("zero", &names).status, 201);
    stage.deprovisioned("zero", "database");
    let empty = everything(&stage.server);
    let made = live(&stage, &empty, &first).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(made, 2);
    let (made, next) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config {
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
        made.get() > next.get() / 2,
        "hardly anything was made: {}",
        made.get()
    );
}
