//! Ids that are longer than what a note has room for.

use serde_json::json;

use super::{Admin, Stage};
use crate::server::Server;
use crate::stage::{Login, asked, asked_bind, assert_same};

const CATALOG: &str = r#"
backends:
  my: { sql: { server: "${MY_ADMIN}" } }
services:
  - id: db
    name: db
    description: d
    bindable: true
    respond: sync
    max_attempts: 1
    backend: { use: my }
    plans:
      - id: named
        name: named
        description: Lets users choose the names of logins
        binding: { values: { username: "{{ binding.parameters.name }}" } }
        backend: { statements: mysql/database }
      - id: read-only
        name: read-only
        description: The same
        binding: { values: { username: "{{ binding.parameters.name }}" } }
        backend: { statements: mysql/read-only, with: { database: lib_rary } }
"#;

/// Whose a login is, is known to the last character of an id.
#[test]
fn what_belongs_to_long_ids_is_told_apart() {
    let server = Server::start(&[]);
    server.sql("CREATE DATABASE lib_rary");
    let stage = Stage::with(server, Admin::Plain, CATALOG);
    let broker = &stage.broker;
    // Different in the last character alone.
    let [one, two] = ["1", "2"].map(|last| "i".repeat(4_000) + last);
    let mut before = None;
    for plan in ["named", "read-only"] {
        let mut logins = Vec::new();
        for (instance, name) in [(&one, "first"), (&two, "second")] {
            let made = broker.provision(instance, &asked(plan));
            assert_eq!(made.status, 201, "{}\n{}", made.text(), broker.log());
            let mut body = asked_bind(plan);
            body["parameters"] = json!({ "name": name });
            let bound = broker.bind(instance, &one, &body);
            assert_eq!(bound.status, 201, "{}\n{}", bound.text(), broker.log());
            logins.push(Login(bound.json()["credentials"].clone()));
        }
        // The first one's login is not the second one's, nor another binding's of its own instance.
        for instance in [&one, &two] {
            let mut body = asked_bind(plan);
            body["parameters"] = json!({ "name": "first" });
            let refused = broker.bind(instance, &two, &body);
            assert_eq!(refused.status, 500, "{}", refused.text());
            let why = refused.description();
            assert!(
                why.contains("something of that name is there already"),
                "{why}"
            );
            stage.unbound(instance, &two, plan);
        }
        for login in &logins {
            assert_eq!(stage.says(login, "SELECT 1"), Ok("1".to_owned()));
        }
        for instance in [&one, &two] {
            stage.unbound(instance, &one, plan);
            stage.deprovisioned(instance, plan);
        }
        assert_eq!(stage.notes(), "0");
        // The first plan has made the table of notes.
        let now = stage.server.dump();
        assert_same(&now, before.get_or_insert_with(|| now.clone()));
    }
}
