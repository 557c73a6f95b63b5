//! What a bind gives: seven outputs, and that each is true.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::Cluster;
use crate::proxy::Proxy;
use crate::stage::{Admin, Login, Stage, client};

/// All seven, in a place of their own, where applications come another way than the broker.
const CATALOG: &str = r#"
services:
  - id: db
    name: db
    description: d
    bindable: true
    respond: sync
    backend:
      sql: { server: "${PG_ADMIN}" }
      with: { host: LocalHost, port: WAY, sslmode: disable, connections: 1 }
    binding:
      credentials:
        all: "{{ binding.outputs }}"
        one_by_one: "{{ binding.outputs.host }} {{ binding.outputs.port }} {{ binding.outputs.database }} {{ binding.outputs.username }} {{ binding.outputs.password }} {{ binding.outputs.uri }} {{ binding.outputs.jdbcUrl }}"
    plans:
      - { id: database, name: database, description: d, backend: { statements: postgresql/database } }
      - { id: schema, name: schema, description: d, backend: { statements: postgresql/schema } }
      - { id: read-only, name: read-only, description: d, backend: { statements: postgresql/read-only, with: { schema: library, owner: librarian } } }
"#;

fn await_session(cluster: &Cluster, user: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    let question = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}'");
    while cluster.sql("postgres", &question) != "1" {
        assert!(Instant::now() < until, "{user} has no session");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The outputs of a new binding, each held against the others.
fn bound(stage: &Stage, plan: &str, port: u16) -> Login {
    stage.provisioned(plan, plan);
    let asked = json!({ "service_id": "db", "plan_id": plan });
    let answer = stage.broker.bind(plan, "b", &asked);
    assert_eq!(
        answer.status,
        201,
        "{}\n{}",
        answer.text(),
        stage.broker.log()
    );
    let answer = answer.json();
    let all = &answer["credentials"]["all"];
    let keys: Vec<_> = all.as_object().expect("a map").keys().collect();
    assert_eq!(
        keys,
        [
            "host", "port", "database", "username", "password", "uri", "jdbcUrl"
        ]
    );
    assert_eq!(
        (&all["host"], &all["port"]),
        (&json!("LocalHost"), &json!(port))
    );
    let login = Login(all.clone());
    let [user, password, database, uri, jdbc] =
        ["username", "password", "database", "uri", "jdbcUrl"].map(|key| login.text(key));
    assert_eq!(
        uri,
        format!("postgresql://{user}:{password}@LocalHost:{port}/{database}?sslmode=disable")
    );
    assert_eq!(
        jdbc,
        format!(
            "jdbc:postgresql://LocalHost:{port}/{database}?user={user}&password={password}&sslmode=disable"
        )
    );
    assert_eq!(
        answer["credentials"]["one_by_one"],
        json!(format!(
            "LocalHost {port} {database} {user} {password} {uri} {jdbc}"
        ))
    );
    login
}

#[test]
fn every_output_is_true_of_the_way_that_applications_come() {
    let cluster = Cluster::start(&[]);
    let way = Proxy::to(cluster.port);
    let catalog = CATALOG.replace("WAY", &way.port.to_string());
    let stage = Stage::with(cluster, Admin::Super, &catalog);
    let made = "CREATE ROLE librarian; CREATE SCHEMA library AUTHORIZATION librarian;
        SET ROLE librarian; CREATE TABLE library.books AS SELECT 1 AS n";
    stage.cluster.sql("shared", made);
    for plan in ["database", "schema", "read-only"] {
        let login = bound(&stage, plan, way.port);
        let [user, database] = ["username", "database"].map(|key| login.text(key));
        if plan != "database" {
            assert_eq!(database, "shared");
        }
        let who = "SELECT session_user || ' ' || current_database()";
        assert_eq!(
            stage.says(&login, who),
            Ok(format!("{user} {database}")),
            "{plan}"
        );
        if plan == "read-only" {
            // What the owner makes after the bind is read too, what others make is not.
            let made =
                "SET ROLE librarian; CREATE TABLE library.later AS SELECT 2 AS n; RESET ROLE;
                CREATE TABLE library.others AS SELECT 3 AS n";
            stage.cluster.sql("shared", made);
            for (table, n) in [("books", "1"), ("later", "2")] {
                let read = format!("SELECT n FROM {table}");
                assert_eq!(stage.says(&login, &read), Ok(n.to_owned()));
            }
            let said = stage.says(&login, "SELECT n FROM others");
            let said = said.expect_err("somebody else's");
            assert!(said.contains("permission denied"), "{said}");
        }
        // The most connections of one login.
        let mut first = client(&stage.cluster, &login.uri(), "SELECT pg_sleep(600)")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql runs");
        await_session(&stage.cluster, user);
        let said = stage.says(&login, "SELECT 1").expect_err("one too many");
        assert!(said.contains("too many connections for role"), "{said}");
        stage.unbound(plan, "b", plan);
        assert!(!first.wait().expect("its end").success());
        stage.deprovisioned(plan, plan);
    }
}
