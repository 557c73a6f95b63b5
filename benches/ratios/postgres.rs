//! PostgreSQL: durable provisions at 64 clients against the database's own rate for equal single-row commits, and three
//! brokers on one database against one.
//!
//! The server syncs its log as it would in earnest. All of it shares the cores: clients, brokers, and the server.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls};

use crate::broker::{self, CATALOG, Folder, provision};
use crate::cluster::Cluster;
use crate::load::{drive, drive_all, guid};
use crate::process::Process;
use crate::report::{at_least, median, note};

/// A broker on PostgreSQL seals what it writes.
const KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";
const CLIENTS: usize = 64;
const EACH: usize = 60;
const ROUNDS: usize = 5;

pub fn run() {
    let server = Cluster::start(&["-c", "fsync=on"]);
    let mut to_own = Vec::new();
    let mut three_to_one = Vec::new();
    let mut rates = Vec::new();
    for round in 0..ROUNDS {
        let database = server.database();
        let (one, _folder) = brokers(&server, &database, 1);
        warm(&one, round);
        let ours = served(&one, round, 1);
        let own = Peer::of(&server, &database).rate();
        let (three, _folders) = brokers(&server, &database, 3);
        warm(&three, round);
        let by_three = served(&three, round, 2);
        let by_one = served(&one, round, 3);
        to_own.push(ours / own);
        three_to_one.push(by_three / by_one.midpoint(ours));
        rates.push((ours, own));
    }
    at_least(
        "postgres: durable provisions, 64 clients / the database's own single-row commits",
        median(to_own),
        0.5,
        None,
        "",
    );
    at_least(
        "postgres: three brokers on one database / one",
        median(three_to_one),
        0.9,
        None,
        "",
    );
    let (ours, own): (Vec<f64>, Vec<f64>) = rates.into_iter().unzip();
    note(
        "postgres: provisions a second, and rows a second of the database alone",
        &format!("{:.0}, {:.0}", median(ours), median(own)),
    );
}

type Serving = Vec<(Process, SocketAddr)>;

/// So many brokers on a database, each with the settings that it has by itself.
fn brokers(server: &Cluster, database: &str, count: usize) -> (Serving, Vec<Folder>) {
    let url = server.url(database);
    let start = |_| {
        let folder = Folder::with(CATALOG);
        let mut command: Command = broker::command(&folder, "off");
        command
            .env("BROKER_STORE__URL", &url)
            .env("BROKER_STORE__KEYS", KEY);
        (Process::listening(&mut command), folder)
    };
    (0..count).map(start).unzip()
}

/// Every connection is there before anything is measured.
fn warm(brokers: &Serving, round: usize) {
    provisions(brokers, 10, round, brokers.len() + 10);
}

/// Provisions a second, the clients spread over the brokers.
fn served(brokers: &Serving, round: usize, part: usize) -> f64 {
    let took = provisions(brokers, EACH, round, part);
    f64::from(u32::try_from(CLIENTS * EACH).expect("a count")) / took.as_secs_f64()
}

fn provisions(brokers: &Serving, each: usize, round: usize, part: usize) -> Duration {
    let addresses: Vec<SocketAddr> = brokers.iter().map(|(_, address)| *address).collect();
    let from = ((round * 100 + part) as u64) << 32;
    let request = move |client, number| provision(&guid(from + (client * EACH + number) as u64));
    match addresses.as_slice() {
        [one] => drive(*one, CLIENTS, each, 201, request),
        all => drive_all(all, CLIENTS, each, 201, request),
    }
}

/// The database alone: a table like the broker's, and the row that a broker wrote, with another id each time.
struct Peer {
    config: Config,
    insert: String,
    details: Vec<u8>,
}

impl Peer {
    fn of(server: &Cluster, database: &str) -> Self {
        server.sql(
            database,
            "CREATE TABLE peer (LIKE broker_instances INCLUDING ALL)",
        );
        let columns = server.sql(
            database,
            "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position) FROM information_schema.columns \
             WHERE table_name = 'peer' AND column_name NOT IN ('id', 'details')",
        );
        let quoted = columns
            .split(", ")
            .map(|column| format!("quote_nullable({column})"))
            .collect::<Vec<_>>()
            .join(" || ', ' || ");
        let values = server.sql(
            database,
            &format!("SELECT {quoted} FROM broker_instances LIMIT 1"),
        );
        let details = server.sql(
            database,
            "SELECT length(details) FROM broker_instances LIMIT 1",
        );
        Self {
            config: server.url(database).parse().expect("a URL"),
            insert: format!("INSERT INTO peer (id, details, {columns}) VALUES ($1, $2, {values})"),
            details: vec![b'x'; details.parse().expect("a length")],
        }
    }

    /// Rows a second, each a commit of its own, over as many connections as there are clients.
    fn rate(self) -> f64 {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let peer = Arc::new(self);
        let took = LocalSet::new().block_on(&runtime, async {
            let mut clients = Vec::new();
            for _ in 0..CLIENTS {
                let (client, connection) = peer.config.connect(NoTls).await.expect("a connection");
                tokio::task::spawn_local(connection);
                clients.push(client);
            }
            let began = Instant::now();
            let running: Vec<_> = clients
                .into_iter()
                .enumerate()
                .map(|(number, client)| {
                    tokio::task::spawn_local(Arc::clone(&peer).commits(client, number))
                })
                .collect();
            for client in running {
                client.await.expect("a client");
            }
            began.elapsed()
        });
        f64::from(u32::try_from(CLIENTS * EACH).expect("a count")) / took.as_secs_f64()
    }

    /// Without named statements, as whoever has to get along with a pooler in transaction mode.
    async fn commits(self: Arc<Self>, client: Client, number: usize) {
        for each in 0..EACH {
            let id = guid((number * EACH + each) as u64);
            let values: [(&(dyn ToSql + Sync), Type); 2] =
                [(&id, Type::TEXT), (&self.details, Type::BYTEA)];
            let added = client.execute_typed(&self.insert, &values).await;
            assert_eq!(added.expect("a row"), 1);
        }
    }
}
