//! A server of the test's own, a broker that makes logins on it, and what a platform asks for.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::cluster::{self, Cluster};
use crate::harness::{Broker, Setup};
use crate::http::Response;

/// A plan for each ready-made set.
pub const CATALOG: &str = r#"
backends:
  pg: { sql: { server: "${PG_ADMIN}", connections: 3 } }
services:
  - id: db
    name: db
    description: What is made on a server
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    plan_updateable: true
    respond: sync
    max_attempts: 6
    backend: { use: pg }
    plans:
      - { id: database, name: database, description: A database, backend: { statements: postgresql/database } }
      - { id: schema, name: schema, description: A schema, backend: { statements: postgresql/schema } }
      - { id: read-only, name: read-only, description: To read, backend: { statements: postgresql/read-only, with: { schema: library } } }
"#;

/// Who makes roles and databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// Who may do everything.
    Super,
    /// Who may make roles and databases, as it is on servers that others run.
    Plain,
}

/// The password of [`Admin::Plain`].
pub const WORD: &str = "adm1n";

pub struct Stage {
    pub cluster: Cluster,
    pub broker: Broker,
}

impl Stage {
    pub fn new(admin: Admin) -> Self {
        Self::with(Cluster::start(&[]), admin, CATALOG)
    }

    /// The server's database `shared`, which belongs to the administrator, is where its URL leads to.
    pub fn with(cluster: Cluster, admin: Admin, catalog: &str) -> Self {
        let owner = match admin {
            Admin::Super => crate::cluster::USER,
            Admin::Plain => {
                let role = format!("CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD '{WORD}'");
                cluster.sql("postgres", &role);
                "admin"
            }
        };
        cluster.sql("postgres", &format!("CREATE DATABASE shared OWNER {owner}"));
        let url = match admin {
            Admin::Super => cluster.url("shared"),
            Admin::Plain => url(cluster.port, "admin", WORD, "shared"),
        };
        // What the broker tells in all its detail is held against secrets in every life.
        let broker = Setup::new(catalog)
            .env("PG_ADMIN", &url)
            .env("RUST_LOG", "trace,mio=off,actix=off")
            .start();
        Self { cluster, broker }
    }

    pub fn provision(&self, instance: &str, plan: &str) -> Response {
        self.broker.provision(instance, &asked(plan))
    }

    /// The credentials of a new binding.
    pub fn bound(&self, instance: &str, binding: &str, plan: &str) -> Login {
        let bound = self.broker.bind(instance, binding, &asked_bind(plan));
        let log = self.broker.log();
        assert_eq!(bound.status, 201, "{}\n{log}", bound.text());
        let login = Login(bound.json()["credentials"].clone());
        assert!(log.contains(" TRACE "), "is the log blind?");
        for secret in [login.text("password"), WORD, "p@ss", "p%40ss"] {
            assert!(!log.contains(secret), "the log has a password");
        }
        login
    }

    pub fn unbound(&self, instance: &str, binding: &str, plan: &str) {
        let gone = self.broker.unbind(instance, binding, "db", plan);
        assert_eq!(gone.status, 200, "{}\n{}", gone.text(), self.broker.log());
    }

    pub fn deprovisioned(&self, instance: &str, plan: &str) {
        let gone = self.broker.deprovision(instance, "db", plan);
        assert_eq!(gone.status, 200, "{}\n{}", gone.text(), self.broker.log());
    }

    pub fn provisioned(&self, instance: &str, plan: &str) {
        let made = self.provision(instance, plan);
        assert_eq!(made.status, 201, "{}\n{}", made.text(), self.broker.log());
    }

    /// What a statement of whoever has these credentials comes to.
    pub fn says(&self, login: &Login, statement: &str) -> Result<String, String> {
        psql(&self.cluster, &login.uri(), statement)
    }
}

/// What `psql` says to a statement of whoever the URL names, or what the server says against it.
pub fn psql(cluster: &Cluster, url: &str, statement: &str) -> Result<String, String> {
    let output = client(cluster, url, statement).output().expect("psql runs");
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(cluster::said(&output))
    }
}

/// `psql` with a statement, to be run.
pub fn client(cluster: &Cluster, url: &str, statement: &str) -> Command {
    let mut client = cluster.program("psql");
    client
        .args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", url])
        .args(["-c", statement]);
    client
}

/// All that is on a server, as statements.
pub fn dump(cluster: &Cluster) -> String {
    let output = cluster
        .program("pg_dumpall")
        .args(["-U", cluster::USER, "-p", &cluster.port.to_string(), "-h"])
        .arg(cluster.folder())
        .output()
        .expect("pg_dumpall runs");
    assert!(output.status.success(), "{}", cluster::said(&output));
    // A word that is drawn anew each time guards what psql may read of it.
    let drawn = [r"\restrict ", r"\unrestrict "];
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines();
    let lines = lines.filter(|line| !drawn.iter().any(|word| line.starts_with(word)));
    lines.collect::<Vec<_>>().join("\n")
}

/// What a server has written to its log.
pub fn log(cluster: &Cluster) -> String {
    fs::read_to_string(cluster.folder().join("log")).unwrap_or_default()
}

/// Two dumps, told by what is in one and not in the other.
pub fn assert_same(now: &str, before: &str) {
    let missing = |of: &str, all: &str| -> Vec<String> {
        let lines = of
            .lines()
            .filter(|line| !all.lines().any(|other| other == *line));
        lines.map(str::to_owned).collect()
    };
    assert!(
        now == before,
        "left behind: {:#?}\ngone: {:#?}",
        missing(now, before),
        missing(before, now)
    );
}

/// The credentials of a binding.
pub struct Login(pub Value);

impl Login {
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().expect(key)
    }

    pub fn uri(&self) -> String {
        self.text("uri").to_owned()
    }

    /// The same login, to another database.
    pub fn to(&self, database: &str) -> String {
        let port = self.0["port"].as_u64().expect("a port");
        let port = u16::try_from(port).expect("a port");
        url(port, self.text("username"), self.text("password"), database)
    }
}

pub fn url(port: u16, user: &str, password: &str, database: &str) -> String {
    format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
}

pub fn asked(plan: &str) -> Value {
    json!({ "service_id": "db", "plan_id": plan, "organization_guid": "o", "space_guid": "s" })
}

pub fn asked_bind(plan: &str) -> Value {
    json!({ "service_id": "db", "plan_id": plan, "app_guid": "app", "bind_resource": { "app_guid": "app" } })
}
