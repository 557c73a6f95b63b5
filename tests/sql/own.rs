//! Statements of the operator's own: what they may name, where and when they run, and what becomes of their trouble.

use serde_json::json;

use crate::cluster::Cluster;
use crate::stage::{Admin, Stage, asked, asked_bind, assert_same, dump};

const CATALOG: &str = r#"
backends:
  pg: { sql: { server: "${PG_ADMIN}" } }
services:
  - id: db
    name: db
    description: d
    bindable: true
    bindings_retrievable: true
    plan_updateable: true
    accept: [statements-move]
    respond: sync
    max_attempts: 1
    backend: { use: pg }
    values: { level: 3 }
    plans:
      - id: said
        name: said
        description: Says what it knows
        backend:
          with: { size: "{{ instance.parameters.size | default(1) }}" }
          statements: &said
            provision:
              - INSERT INTO public.said VALUES ('provision ' || {{ instance.id | literal }} || ' ' || {{ with.size | literal }} || ' ' || {{ server.database | literal }} || ' ' || {{ server.username | literal }})
              - statement: INSERT INTO public.said VALUES ('never')
                only_if: SELECT WHERE {{ values.level | int }} > 3
              - statement: INSERT INTO public.said VALUES ('never')
                unless: SELECT WHERE {{ values.level | int }} = 3
              - statement: INSERT INTO public.said VALUES ('elsewhere')
                database: "{{ 'else' ~ 'where' }}"
            update:
              - INSERT INTO public.said VALUES ('update ' || {{ previous.plan.name | literal }} || ' to ' || {{ plan.name | literal }} || ' ' || {{ previous.parameters.size | default('none') | literal }} || ' to ' || {{ with.size | literal }})
            deprovision:
              - statement: DROP TABLE public.said
                database: gone
              - INSERT INTO public.said VALUES ('deprovision')
      - { id: more, name: more, description: The same, backend: { statements: *said, with: { size: "{{ instance.parameters.size | default(1) }}" } } }
      - id: half
        name: half
        description: Fails in the middle
        backend:
          statements:
            provision:
              - INSERT INTO public.said VALUES ('half')
              - SELECT 1/0
              - INSERT INTO public.said VALUES ('more')
      - id: racing
        name: racing
        description: Another attempt is quicker the first time
        max_attempts: 2
        backend:
          statements:
            provision:
              - statement: SELECT nextval('public.tries')
                transaction: false
              - statement: CREATE ROLE racing
                unless: SELECT last_value FROM public.tries WHERE last_value > 1
      - id: plainly
        name: plainly
        description: Does not ask before
        max_attempts: 2
        backend:
          statements:
            provision:
              - statement: SELECT nextval('public.tries')
                transaction: false
              - CREATE ROLE racing
      - id: rows
        name: rows
        description: Runs a statement for each row
        backend:
          statements:
            provision:
              - statement: INSERT INTO public.said VALUES ('each ' || {{ row | literal }})
                each: SELECT generate_series(2, {{ values.level | int }})
              - statement: INSERT INTO public.said VALUES ('alone ' || {{ row | literal }})
                each: SELECT 'a' UNION SELECT 'b' ORDER BY 1
                transaction: false
      - id: unfit
        name: unfit
        description: A row fits no statement
        backend:
          statements:
            provision:
              - INSERT INTO public.said VALUES ('begun')
              - statement: INSERT INTO public.said VALUES ({{ row | int }})
                each: SELECT 'no number'
      - id: two
        name: two
        description: Two statements in one
        backend: { statements: { provision: [ "SELECT 1; DROP TABLE public.said" ] } }
      - id: temporary
        name: temporary
        description: Names a function of somebody's
        backend: { statements: { provision: [ "INSERT INTO public.said VALUES (repeat('ours'::text, 1::smallint))" ] } }
      - id: forbidden
        name: forbidden
        description: Needs more than it has
        backend: { statements: { provision: [ CREATE ROLE more SUPERUSER ] } }
      - id: telling
        name: telling
        description: The server would tell what is written
        backend: { statements: { provision: [ "SELECT {{ instance.parameters.secret | literal }}::int" ] } }
      - id: named
        name: named
        description: Lets users choose names
        binding: { values: { username: "{{ binding.parameters.name }}" } }
        backend: { statements: postgresql/database }
"#;

fn stage(admin: Admin) -> Stage {
    let stage = Stage::with(Cluster::start(&[]), admin, CATALOG);
    stage.cluster.sql("postgres", "CREATE DATABASE elsewhere");
    for database in ["shared", "elsewhere"] {
        stage.cluster.sql(
            database,
            "CREATE TABLE public.said (what text); GRANT ALL ON public.said TO PUBLIC",
        );
    }
    stage
}

fn said(stage: &Stage, database: &str) -> String {
    stage
        .cluster
        .sql(database, "SELECT string_agg(what, '|') FROM public.said")
}

#[test]
fn statements_know_what_they_are_for_and_run_where_they_say() {
    let stage = stage(Admin::Plain);
    stage.provisioned("one", "said");
    assert_eq!(said(&stage, "shared"), "provision one 1 shared admin");
    assert_eq!(said(&stage, "elsewhere"), "elsewhere");
    stage.cluster.sql("shared", "DELETE FROM public.said");
    let moved = json!({ "service_id": "db", "plan_id": "more", "parameters": { "size": 9 } });
    assert_eq!(
        stage.broker.update("one", &moved).status,
        200,
        "{}",
        stage.broker.log()
    );
    assert_eq!(said(&stage, "shared"), "update said to more none to 9");
    stage.cluster.sql("shared", "DELETE FROM public.said");
    // A database that is gone is in no way of what removes.
    stage.deprovisioned("one", "more");
    assert_eq!(said(&stage, "shared"), "deprovision");
    stage.cluster.sql("shared", "DELETE FROM public.said");
    stage.provisioned("two", "rows");
    assert_eq!(said(&stage, "shared"), "each 2|each 3|alone a|alone b");
}

/// Of an operation that fails nothing stays, and the user reads what the operator can mend.
#[test]
fn what_the_server_refuses_fails_with_a_sentence() {
    let stage = stage(Admin::Plain);
    for (plan, words) in [
        (
            "half",
            "statement 2 of `provision`: a value does not fit (SQLSTATE 22012)",
        ),
        (
            "unfit",
            "Statement 2 of `provision` cannot be made of what the database server answered",
        ),
        (
            "two",
            "statement 1 of `provision`: it has a syntax error (SQLSTATE 42601)",
        ),
        (
            "forbidden",
            "statement 1 of `provision`: its login has not the privilege (SQLSTATE 42501)",
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
    }
    assert_eq!(said(&stage, "shared"), "");
}

/// What is there although `unless` said that it is not, was made in between: the next attempt finds it. Without an
/// `unless` there is nothing to wait for.
#[test]
fn what_was_made_in_between_is_found_by_the_next_attempt() {
    let stage = stage(Admin::Plain);
    stage.cluster.sql(
        "shared",
        "CREATE ROLE racing; CREATE SEQUENCE public.tries; GRANT ALL ON SEQUENCE public.tries TO admin",
    );
    stage.provisioned("one", "racing");
    let tries = "SELECT last_value FROM public.tries";
    assert_eq!(stage.cluster.sql("shared", tries), "2");
    let refused = stage.provision("two", "plainly");
    assert_eq!(refused.status, 500, "{}", refused.text());
    assert!(
        refused.description().contains("(SQLSTATE 42710)"),
        "{}",
        refused.description()
    );
    assert_eq!(stage.cluster.sql("shared", tries), "3");
}

/// What the server quotes of a statement goes to no log and no answer; its own words do.
#[test]
fn a_refusal_does_not_tell_the_value() {
    let stage = stage(Admin::Plain);
    let mut body = asked("telling");
    body["parameters"] = json!({ "secret": "it's MARKED" });
    let refused = stage.broker.provision("one", &body);
    assert_eq!(refused.status, 500);
    let log = stage.broker.log();
    assert!(
        log.contains("invalid input syntax for type integer"),
        "{log}"
    );
    assert!(
        !log.contains("MARKED") && !refused.text().contains("MARKED"),
        "{log}"
    );
}

/// Who may make functions in the shared database does not get the administrator to call them.
#[test]
fn a_function_of_somebody_is_not_called() {
    let stage = stage(Admin::Super);
    stage.cluster.sql(
        "shared",
        "ALTER DATABASE shared SET search_path = public;
         CREATE FUNCTION public.repeat(text, smallint) RETURNS text LANGUAGE sql AS $$ SELECT 'theirs' $$",
    );
    let call = "SELECT repeat('ours'::text, 1::smallint)";
    assert_eq!(stage.cluster.sql("shared", call), "theirs");
    stage.provisioned("one", "temporary");
    assert_eq!(said(&stage, "shared"), "ours");
}

const LEAVING: &str = r#"
backends:
  pg: { sql: { server: "${PG_ADMIN}", connections: 1 } }
services:
  - id: db
    name: db
    description: d
    bindable: false
    respond: sync
    max_attempts: 1
    backend: { use: pg }
    plans:
      - { id: role, name: role, description: Becomes somebody else, backend: { statements: { provision: [ &here "INSERT INTO public.said VALUES (pg_backend_pid())", SET ROLE pg_monitor ] } } }
      - { id: path, name: path, description: Looks elsewhere, backend: { statements: { provision: [ *here, SET search_path = public ] } } }
      - { id: table, name: table, description: Hides what the server says, backend: { statements: { provision: [ *here, CREATE TEMPORARY TABLE pg_roles (rolname text) ] } } }
      - { id: lock, name: lock, description: Keeps a lock, backend: { statements: { provision: [ *here, SELECT pg_advisory_lock(7) ] } } }
      - id: plain
        name: plain
        description: Says what it finds
        backend:
          statements:
            provision:
              - *here
              - INSERT INTO public.found SELECT current_user || ' ' || current_setting('search_path') || ' ' || bool_or(rolname = 'admin') FROM pg_roles
"#;

/// What a statement sets on a connection is gone before the next operation, which may be any plan's.
#[test]
fn what_a_statement_sets_ends_with_its_operation() {
    let stage = Stage::with(Cluster::start(&[]), Admin::Plain, LEAVING);
    stage.cluster.sql(
        "shared",
        "GRANT pg_monitor TO admin;
         CREATE TABLE public.said (what text); GRANT ALL ON public.said TO admin;
         CREATE TABLE public.found (what text); GRANT ALL ON public.found TO admin",
    );
    for plan in ["role", "path", "table", "lock"] {
        stage.provisioned(plan, plan);
        stage.provisioned(&format!("after-{plan}"), "plain");
        let found = "DELETE FROM public.found RETURNING what";
        assert_eq!(
            stage.cluster.sql("shared", found),
            "admin \"\" true",
            "after {plan}"
        );
    }
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(stage.cluster.sql("shared", locks), "0");
    // It was one connection all the time.
    let connections = "SELECT count(DISTINCT what) || ' of ' || count(*) FROM public.said";
    assert_eq!(stage.cluster.sql("shared", connections), "1 of 8");
}

/// A role that was there before is not handed out, not changed and not dropped, whatever names are made of.
#[test]
fn a_role_of_somebody_is_left_alone() {
    let stage = stage(Admin::Super);
    stage
        .cluster
        .sql("postgres", "CREATE ROLE precious LOGIN PASSWORD 'kept'");
    let before = dump(&stage.cluster);
    stage.provisioned("one", "named");
    for name in ["precious", crate::cluster::USER] {
        let mut body = asked_bind("named");
        body["parameters"] = json!({ "name": name });
        let refused = stage.broker.bind("one", name, &body);
        assert_eq!(refused.status, 500, "{name}");
        let why = refused.description();
        assert!(
            why.contains("something of that name is there already"),
            "{why}"
        );
        stage.unbound("one", name, "named");
    }
    stage.deprovisioned("one", "named");
    assert_same(&dump(&stage.cluster), &before);
}
