//! The same on MariaDB: a server of the test's own, a broker that makes logins on it, and clients that use them.

mod elsewhere;
mod injection;
mod lives;
mod long_ids;
mod moves;
mod own;
mod tls;
mod trouble;
mod upgrades;

use std::process::Command;

use crate::harness::{Broker, Setup};
use crate::http::Response;
use crate::server::{self, Server};
use crate::stage::{Login, asked, asked_bind};

/// A plan for each ready-made set.
pub const CATALOG: &str = r#"
backends:
  my: { sql: { server: "${MY_ADMIN}", connections: 3 } }
services:
  - id: db
    name: db
    description: What is made on a server
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    respond: sync
    max_attempts: 6
    backend: { use: my }
    plans:
      - { id: database, name: database, description: A database, backend: { statements: mysql/database } }
      - { id: read-only, name: read-only, description: To read, backend: { statements: mysql/read-only, with: { database: lib_rary } } }
"#;

/// Who makes logins and databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// Who may do everything.
    Super,
    /// Who has what the README says and no more.
    Plain,
}

/// The password of [`Admin::Plain`].
pub const WORD: &str = "adm1n";

/// What the README asks for.
const RIGHTS: &str = r"
    CREATE USER admin@'%' IDENTIFIED BY 'adm1n';
    GRANT CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO admin@'%';
    GRANT SELECT ON mysql.user TO admin@'%';
    GRANT ALL ON catalog_broker.* TO admin@'%';
    GRANT ALL ON `d\_%`.* TO admin@'%' WITH GRANT OPTION;
    GRANT SELECT, SHOW VIEW ON `lib\_rary`.* TO admin@'%' WITH GRANT OPTION";

pub struct Stage {
    pub server: Server,
    pub broker: Broker,
}

impl Stage {
    pub fn new(admin: Admin) -> Self {
        Self::with(Server::start(&[]), admin, CATALOG)
    }

    pub fn with(server: Server, admin: Admin, catalog: &str) -> Self {
        server.sql("CREATE DATABASE shared");
        let url = match admin {
            Admin::Super => server.url("shared"),
            Admin::Plain => {
                server.sql(RIGHTS);
                server::url(server.port, "admin", WORD, "")
            }
        };
        // What the broker tells in all its detail is held against secrets in every life.
        let broker = Setup::new(catalog)
            .env("MY_ADMIN", &url)
            .env("RUST_LOG", "trace,mio=off,actix=off")
            .start();
        Self { server, broker }
    }

    pub fn provision(&self, instance: &str, plan: &str) -> Response {
        self.broker.provision(instance, &asked(plan))
    }

    pub fn provisioned(&self, instance: &str, plan: &str) {
        let made = self.provision(instance, plan);
        assert_eq!(made.status, 201, "{}\n{}", made.text(), self.broker.log());
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

    /// What a statement of whoever has these credentials comes to.
    pub fn says(&self, login: &Login, sql: &str) -> Result<String, String> {
        server::says(self.statement(login, login.text("database"), sql))
    }

    /// The same in another database.
    pub fn says_in(&self, login: &Login, database: &str, sql: &str) -> Result<String, String> {
        server::says(self.statement(login, database, sql))
    }

    /// It, to be run.
    pub fn statement(&self, login: &Login, database: &str, sql: &str) -> Command {
        let (user, password) = (login.text("username"), login.text("password"));
        server::statement(self.server.port, user, password, database, sql)
    }

    /// What the sets have noted.
    pub fn notes(&self) -> String {
        self.server.sql("SELECT COUNT(*) FROM catalog_broker.names")
    }
}
