//! `database` of a statement: the one that is named, and no other.

use serde_json::json;

use crate::cluster::Cluster;
use crate::http::Response;
use crate::stage::{Admin, Stage, asked};

/// The second statement runs where a user says.
pub const CATALOG: &str = r#"
backends:
  at: { sql: { server: "${PG_ADMIN}" } }
services:
  - id: db
    name: db
    description: d
    bindable: false
    respond: sync
    max_attempts: 1
    plans:
      - id: there
        name: there
        description: Where a user says
        backend:
          use: at
          statements:
            provision:
              - statement: INSERT INTO said VALUES ('here')
                transaction: false
                database: shared
              - statement: INSERT INTO said VALUES ('there')
                database: "{{ instance.parameters.name }}"
"#;

/// What the users' instances are asked for with.
pub fn named(name: &str) -> serde_json::Value {
    let mut body = asked("there");
    body["parameters"] = json!({ "name": name });
    body
}

/// It was refused for its name, and the sentence says what is wrong with it.
pub fn assert_refused(refused: &Response, word: &str) {
    assert_eq!(refused.status, 400, "{}", refused.text());
    let why = refused.description();
    assert!(why.contains(word), "{why}");
}

/// PostgreSQL would cut a longer name off, and the statement would run in another database.
#[test]
fn a_statement_runs_in_no_other_database_than_the_one_that_is_named() {
    let catalog = CATALOG.replace("INTO said", "INTO public.said");
    let stage = Stage::with(Cluster::start(&[]), Admin::Super, &catalog);
    let longest = "d".repeat(63);
    // 63 bytes, and 32 characters.
    let wide = format!("{}d", "ä".repeat(31));
    for name in [&longest, &wide] {
        let sql = format!("CREATE DATABASE \"{name}\"");
        stage.cluster.sql("postgres", &sql);
    }
    for name in ["shared", &longest, &wide] {
        stage
            .cluster
            .sql(name, "CREATE TABLE public.said (what text)");
    }
    let said = |database: &str| {
        let all = "SELECT string_agg(what, '|') FROM public.said";
        stage.cluster.sql(database, all)
    };
    for name in [&longest, &wide] {
        for more in ["d", "ddd"] {
            let refused = stage
                .broker
                .provision("long", &named(&format!("{name}{more}")));
            assert_refused(
                &refused,
                "is longer than a name of the server's can be, which is 63 bytes",
            );
        }
    }
    assert_refused(&stage.broker.provision("empty", &named("")), "is empty");
    assert_refused(&stage.broker.provision("nul", &named("d\0")), "NUL");
    // Nothing was run, neither there nor in the database of the statement before.
    for database in ["shared", &longest, &wide] {
        assert_eq!(said(database), "", "{database}");
    }
    for (instance, name) in [("one", &longest), ("two", &wide)] {
        let made = stage.broker.provision(instance, &named(name));
        assert_eq!(made.status, 201, "{}\n{}", made.text(), stage.broker.log());
        assert_eq!(said(name), "there");
    }
    assert_eq!(said("shared"), "here|here");
}
