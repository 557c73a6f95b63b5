//! Binds on `postgresql/database`, asked for over HTTP, against the same statements sent by a bare client: one connection
//! for each client, which is kept, no named statements, and what the server keeps of a password is computed, too. With one
//! client, and with 16.
//!
//! The server syncs its log, and the broker's store its own, as they would in earnest. All of it shares the cores.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use postgres_protocol::password::scram_sha_256;
use serde_json::json;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio_postgres::{Client, Config, NoTls};

use crate::broker::{self, Folder, request};
use crate::cluster::Cluster;
use crate::http::{self, Request};
use crate::load::{drive, guid};
use crate::process::Process;
use crate::report::{at_least, median, note};

const MANY: usize = 16;
const ROUNDS: usize = 7;
/// Binds of a round, all clients together.
const BINDS: usize = 96;

const CATALOG: &str = r#"
backends:
  pg: { sql: { server: "${PG_ADMIN}", connections: 16 } }
services:
  - id: 1f0b7d34-8c52-4e6f-9a1d-3b7c5e2d9f60
    name: postgres
    description: A login for each application
    bindable: true
    bindings_retrievable: true
    respond: sync
    backend: { use: pg }
    plans:
      - id: 1f0b7d34-8c52-4e6f-9a1d-3b7c5e2d9f61
        name: small
        description: A database
        backend: { statements: postgresql/database }
"#;

pub fn run() {
    let server = Cluster::start(&["-c", "fsync=on"]);
    let url = server.url("postgres");
    let folder = Folder::with(CATALOG);
    let (_broker, address) =
        Process::listening(broker::command(&folder, "off").env("PG_ADMIN", &url));
    let made = http::send(address, &provision());
    assert_eq!(made.expect("an answer").status, 201, "a database");
    let mut bare = Bare::on(&server, &url);
    let mut begun = 0;
    for (clients, bar) in [(1, 0.8), (MANY, 0.7)] {
        let mut ratios = Vec::new();
        let mut rates = Vec::new();
        // The first round makes connections, and is not counted.
        for round in 0..=ROUNDS {
            let pair = (
                rate(served(address, clients, begun)),
                rate(bare.drive(clients, begun)),
            );
            begun += BINDS;
            if round > 0 {
                ratios.push(pair.0 / pair.1);
                rates.push(pair);
            }
        }
        let (ours, theirs): (Vec<f64>, Vec<f64>) = rates.into_iter().unzip();
        let counted = if clients == 1 { "client" } else { "clients" };
        at_least(
            &format!("binds: {clients} {counted} over HTTP / the statements alone"),
            median(ratios),
            bar,
            None,
            "",
        );
        note(
            &format!("binds: a second with {clients} {counted}, and by the statements alone"),
            &format!("{:.0}, {:.0}", median(ours), median(theirs)),
        );
    }
}

fn rate(took: Duration) -> f64 {
    BINDS as f64 / took.as_secs_f64()
}

const IDS: [(&str, &str); 2] = [
    ("service_id", "1f0b7d34-8c52-4e6f-9a1d-3b7c5e2d9f60"),
    ("plan_id", "1f0b7d34-8c52-4e6f-9a1d-3b7c5e2d9f61"),
];

fn provision() -> Request {
    let mut body = json!({ "organization_guid": "o", "space_guid": "s" });
    for (key, id) in IDS {
        body[key] = json!(id);
    }
    request("PUT", "/v2/service_instances/benched").json(&body)
}

fn bind(id: &str) -> Request {
    let mut body =
        json!({ "bind_resource": { "app_guid": "1113aa0d-124e-4af2-1526-6bfacf61b111" } });
    for (key, id) in IDS {
        body[key] = json!(id);
    }
    let path = format!("/v2/service_instances/benched/service_bindings/{id}");
    request("PUT", &path).json(&body)
}

fn served(address: SocketAddr, clients: usize, begun: usize) -> Duration {
    let each = BINDS / clients;
    drive(address, clients, each, 201, move |client, number| {
        bind(&guid((begun + client * each + number) as u64))
    })
}

/// Who sends the statements itself.
struct Bare {
    config: Config,
    runtime: tokio::runtime::Runtime,
    local: LocalSet,
    clients: Vec<Client>,
    database: String,
}

impl Bare {
    fn on(server: &Cluster, url: &str) -> Self {
        let database = server.sql(
            "postgres",
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'd\\_%'",
        );
        Self {
            config: url.parse().expect("a URL"),
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
            local: LocalSet::new(),
            clients: Vec::new(),
            database,
        }
    }

    fn drive(&mut self, clients: usize, begun: usize) -> Duration {
        let each = BINDS / clients;
        self.local.block_on(&self.runtime, async {
            while self.clients.len() < clients {
                let (client, connection) = self.config.connect(NoTls).await.expect("a connection");
                tokio::task::spawn_local(connection);
                self.clients.push(client);
            }
            let start = Instant::now();
            let mut running = Vec::new();
            for (number, client) in self.clients.drain(..).enumerate() {
                let database = self.database.clone();
                running.push(tokio::task::spawn_local(async move {
                    for at in 0..if number < clients { each } else { 0 } {
                        make(&client, &database, begun + number * each + at).await;
                    }
                    client
                }));
            }
            for client in running {
                self.clients.push(client.await.expect("a client"));
            }
            start.elapsed()
        })
    }
}

/// What the ready-made set runs for a bind.
async fn make(client: &Client, database: &str, number: usize) {
    let user = format!("bare_{number}");
    let comment = format!("catalog-broker binding benched/{}", guid(number as u64));
    let verifier = scram_sha_256(format!("{user}-of-so-many-characters").as_bytes());
    let question = format!(
        "SELECT FROM pg_roles WHERE rolname = '{user}' AND shobj_description(oid, 'pg_authid') = '{comment}'"
    );
    let statements = [
        "BEGIN".to_owned(),
        question,
        format!("CREATE ROLE \"{user}\" LOGIN PASSWORD '{verifier}' CONNECTION LIMIT -1"),
        format!("COMMENT ON ROLE \"{user}\" IS '{comment}'"),
        format!("GRANT \"{database}\" TO \"{user}\""),
        format!("ALTER ROLE \"{user}\" IN DATABASE \"{database}\" SET role = '{database}'"),
        "COMMIT".to_owned(),
    ];
    for statement in statements {
        client.query_typed(&statement, &[]).await.expect(&statement);
    }
}
