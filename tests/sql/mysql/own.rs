//! Statements of the operator's own: what they may name, where and when they run, and what becomes of their trouble.

use serde_json::json;

use super::{Admin, Stage};
use crate::harness::Setup;
use crate::server::Server;
use crate::stage::{asked, asked_bind, assert_same};

const CATALOG: &str = r#"
backends:
  my: { sql: { server: "${MY_ADMIN}", connections: 1 } }
services:
  - id: db
    name: db
    description: d
    bindable: true
    bindings_retrievable: true
    respond: sync
    max_attempts: 1
    backend: { use: my }
    plans:
      - id: said
        name: said
        description: Says what it knows
        backend:
          with: { size: "{{ instance.parameters.size | default(1) }}" }
          statements:
            provision:
              - INSERT INTO said VALUES (CONCAT('provision ', {{ instance.id | literal }}, ' ', {{ with.size | literal }}, ' ', {{ server.database | literal }}))
              - statement: INSERT INTO said VALUES ('never')
                only_if: SELECT 1 FROM DUAL WHERE {{ 3 | int }} > 3
              - statement: INSERT INTO said VALUES ('never')
                unless: SELECT 1 FROM DUAL WHERE {{ 3 | int }} = 3
              - statement: INSERT INTO said VALUES ('elsewhere')
                database: "{{ 'else' ~ 'where' }}"
              - statement: INSERT INTO said VALUES (CONCAT('each ', {{ row | literal }}))
                each: SELECT what FROM numbers WHERE what > {{ 1 | int }} ORDER BY what
            deprovision:
              - statement: DROP TABLE said
                database: gone
              - INSERT INTO said VALUES ('deprovision')
      - id: half
        name: half
        description: Fails in the middle
        backend: { statements: { provision: [ INSERT INTO said VALUES ('half'), INSERT INTO numbers VALUES ('no number') ] } }
      - id: commits
        name: commits
        description: A statement in it commits by itself
        backend: { statements: { provision: [ INSERT INTO said VALUES ('before'), CREATE TABLE made (n int), INSERT INTO said VALUES ('behind'), INSERT INTO numbers VALUES ('no number') ] } }
      - id: two
        name: two
        description: Two statements in one
        backend: { statements: { provision: [ "SELECT 1; DROP TABLE said" ] } }
      - id: forbidden
        name: forbidden
        description: Needs more than it has
        backend: { statements: { provision: [ GRANT ALL ON mysql.* TO admin@'%' ] } }
      - id: telling
        name: telling
        description: The server would tell what is written
        backend: { statements: { provision: [ "INSERT INTO numbers VALUES ({{ instance.parameters.secret | literal }})" ] } }
      - id: broken
        name: broken
        description: The server would repeat what it cannot read
        backend: { statements: { provision: [ "SELECT 1 1 {{ instance.parameters.secret | literal }}" ] } }
      - id: leaves
        name: leaves
        description: Sets what it likes
        backend:
          statements:
            provision:
              - SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'
              - SET NAMES latin1
              - SET autocommit = 0
              - SET @mine = 5
              - CREATE TEMPORARY TABLE said (what int)
      - id: finds
        name: finds
        description: Says what it finds
        backend: { statements: { provision: [ "INSERT INTO said VALUES (CONCAT(@@sql_mode, ' ', @@character_set_client, ' ', COALESCE(@mine, 'none')))" ] } }
      - id: named
        name: named
        description: Lets users choose names
        instance: { values: { database: "{{ instance.parameters.name | default('d_named') }}" } }
        binding: { values: { username: "{{ binding.parameters.name }}" } }
        backend: { statements: mysql/database }
"#;

fn stage(admin: Admin) -> Stage {
    let server = Server::start(&[]);
    for database in ["d_own", "elsewhere"] {
        server.sql(&format!(
            "CREATE DATABASE {database}; CREATE TABLE {database}.said (what varchar(200)); CREATE TABLE {database}.numbers (what int)"
        ));
    }
    server.sql("INSERT INTO d_own.numbers VALUES (1), (2), (3)");
    let stage = Stage::with(server, admin, CATALOG);
    if admin == Admin::Super {
        return with_database(stage, crate::server::ROOT, "p%40ss");
    }
    stage.server.sql("GRANT ALL ON elsewhere.* TO admin@'%'");
    with_database(stage, "admin", super::WORD)
}

/// The same, with a URL that names a database.
fn with_database(mut stage: Stage, user: &str, password: &str) -> Stage {
    stage.broker.kill();
    let folder = std::sync::Arc::clone(&stage.broker.folder);
    stage.broker = Setup::new(CATALOG)
        .env(
            "MY_ADMIN",
            &crate::server::url(stage.server.port, user, password, "d_own"),
        )
        .env("RUST_LOG", "trace,mio=off,actix=off")
        .start_in(&folder);
    stage
}

fn said(stage: &Stage, database: &str) -> String {
    stage.server.sql(&format!(
        "SELECT COALESCE(GROUP_CONCAT(what SEPARATOR '|'), '') FROM {database}.said"
    ))
}

#[test]
fn statements_know_what_they_are_for_and_run_where_they_say() {
    let stage = stage(Admin::Plain);
    stage.provisioned("one", "said");
    assert_eq!(said(&stage, "d_own"), "provision one 1 d_own|each 2|each 3");
    assert_eq!(said(&stage, "elsewhere"), "elsewhere");
    stage.server.sql("DELETE FROM d_own.said");
    // A database that is gone is in no way of what removes.
    stage.server.sql("GRANT ALL ON gone.* TO admin@'%'");
    stage.deprovisioned("one", "said");
    assert_eq!(said(&stage, "d_own"), "deprovision");
}

/// Of an operation that fails nothing stays but what the server commits by itself, and the user reads what the operator
/// can mend.
#[test]
fn what_the_server_refuses_fails_with_a_sentence() {
    let stage = stage(Admin::Plain);
    for (plan, words, left) in [
        (
            "half",
            "statement 2 of `provision`: a value does not fit (error 1366)",
            "",
        ),
        (
            "commits",
            "statement 4 of `provision`: a value does not fit (error 1366)",
            "before",
        ),
        (
            "two",
            "statement 1 of `provision`: it has a syntax error (error 1064)",
            "before",
        ),
        (
            "forbidden",
            "statement 1 of `provision`: its login has not the privilege (error 1044)",
            "before",
        ),
    ] {
        let refused = stage.provision(plan, plan);
        assert_eq!(
            (refused.status, refused.word().as_str()),
            (500, "OperationFailed")
        );
        assert!(
            refused.description().contains(words),
            "{}",
            refused.description()
        );
        assert_eq!(said(&stage, "d_own"), left, "{plan}");
    }
}

/// What the server quotes of a statement goes to no log and no answer; its own words do.
#[test]
fn a_refusal_does_not_tell_the_value() {
    let stage = stage(Admin::Plain);
    for (plan, words) in [
        ("telling", "Incorrect integer value"),
        ("broken", "error in your SQL syntax"),
    ] {
        let mut body = asked(plan);
        let secret = format!("it's \\MARKED {}", "and long ".repeat(40));
        body["parameters"] = json!({ "secret": secret });
        let refused = stage.broker.provision(plan, &body);
        assert_eq!(refused.status, 500, "{}", refused.text());
        let log = stage.broker.log();
        assert!(log.contains(words), "{log}");
        assert!(
            !log.contains("MARKED") && !refused.text().contains("MARKED"),
            "{log}"
        );
    }
}

/// What a statement sets on a connection is gone before the next operation, which may be any plan's.
#[test]
fn what_a_statement_sets_ends_with_its_operation() {
    let stage = stage(Admin::Super);
    stage.provisioned("one", "leaves");
    stage.provisioned("two", "finds");
    assert_eq!(
        said(&stage, "d_own"),
        "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION utf8mb4 none"
    );
}

/// A login or a database that was there before is not handed out, not changed and not dropped, whatever names are made of;
/// not those of another instance either.
#[test]
fn what_is_somebodys_is_left_alone() {
    let stage = stage(Admin::Super);
    stage.server.sql(
        "CREATE USER precious@'%' IDENTIFIED BY 'kept'; CREATE USER near@localhost IDENTIFIED BY 'kept';
         CREATE DATABASE precious; CREATE TABLE precious.t (n int)",
    );
    let before = stage.server.dump();
    for (instance, name) in [("one", "precious"), ("two", "mysql")] {
        let mut body = asked("named");
        body["parameters"] = json!({ "name": name });
        let refused = stage.broker.provision(instance, &body);
        assert_eq!(refused.status, 500, "{}", refused.text());
        let why = refused.description();
        assert!(
            why.contains("something of that name is there already"),
            "{why}"
        );
        stage.deprovisioned(instance, "named");
    }
    assert_same(&stage.server.dump(), &before);
    stage.provisioned("three", "named");
    let again = stage.provision("four", "named");
    assert_eq!(again.status, 500, "{}", again.text());
    stage.deprovisioned("four", "named");
    for name in ["precious", "near", "root", crate::server::ROOT] {
        let mut body = asked_bind("named");
        body["parameters"] = json!({ "name": name });
        let refused = stage.broker.bind("three", name, &body);
        assert_eq!(refused.status, 500, "{name}");
        let why = refused.description();
        assert!(
            why.contains("something of that name is there already"),
            "{why}"
        );
        stage.unbound("three", name, "named");
    }
    stage.deprovisioned("three", "named");
    assert_same(&stage.server.dump(), &before);
    assert_eq!(stage.notes(), "0");
}
