//! Durable provisions at 64 clients against the same SQLite library alone, with the rows that the broker itself wrote,
//! its indexes and its pragmas.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::broker::{self, CATALOG, Folder, provision};
use crate::load::{drive, guid};
use crate::report::{at_least, median, note};

const CLIENTS: usize = 64;
const EACH: usize = 150;
const ROUNDS: usize = 5;
/// Where one commit of one row takes less, the disk does not really wait, and the ratio to it says nothing.
const REAL_COMMIT: Duration = Duration::from_micros(200);

pub fn run() {
    let mut grouped = Vec::new();
    let mut single = Vec::new();
    let mut commit = Duration::MAX;
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let folder = Folder::with(CATALOG);
        let ours = served(&folder);
        let peer = Peer::of(&folder);
        let by_64 = peer.rate(64, 6_400);
        let one = peer.rate(1, 600);
        commit = commit.min(Duration::from_secs_f64(1.0 / one));
        grouped.push(ours / by_64);
        single.push(ours / one);
        rates.push(ours);
    }
    at_least(
        "durable provisions, 64 clients / SQLite alone in groups of 64",
        median(grouped),
        0.35,
        Some(0.5),
        "",
    );
    let single = median(single);
    if commit >= REAL_COMMIT {
        at_least(
            "durable provisions, 64 clients / SQLite alone one by one",
            single,
            1.2,
            None,
            "",
        );
    } else {
        note(
            "durable provisions, 64 clients / SQLite alone one by one",
            &format!("{single:.3} (not judged)"),
        );
    }
    note(
        "durable provisions at 64 clients",
        &format!(
            "{:.0} a second; one commit alone takes {commit:?}",
            median(rates)
        ),
    );
}

/// Provisions a second.
fn served(folder: &Folder) -> f64 {
    let (process, address) = broker::start(folder, "off");
    let took = drive(address, CLIENTS, EACH, 201, |client, number| {
        provision(&guid((client * EACH + number) as u64))
    });
    process.terminate();
    f64::from(u32::try_from(CLIENTS * EACH).expect("a count")) / took.as_secs_f64()
}

/// SQLite alone, on a file of its own with the broker's schema.
struct Peer {
    connection: Connection,
    instance: Vec<Value>,
    operation: Vec<Value>,
}

impl Peer {
    fn of(folder: &Folder) -> Self {
        let broker = Connection::open(folder.0.join("data/broker.db")).expect("the broker's file");
        let connection = fresh(&folder.0.join("peer.db"), &broker);
        Self {
            instance: row(&broker, "instances"),
            operation: row(&broker, "operations"),
            connection,
        }
    }

    /// Rows pairs a second, `group` of them in a commit.
    fn rate(&self, group: u32, total: u32) -> f64 {
        let connection = &self.connection;
        let [instances, operations] =
            ["instances", "operations"].map(|table| insert(connection, table));
        let mut instance = self.instance.clone();
        let mut operation = self.operation.clone();
        let offset = u64::from(group) << 32;
        let began = Instant::now();
        for batch in 0..total / group {
            connection
                .execute_batch("BEGIN IMMEDIATE")
                .expect("a transaction");
            for number in 0..group {
                let id = guid(offset + u64::from(batch * group + number));
                instance[0] = id.clone().into();
                operation[0] = Value::Null;
                operation[3] = id.into();
                connection
                    .prepare_cached(&instances)
                    .expect("a statement")
                    .execute(params_from_iter(&instance))
                    .expect("a row");
                connection
                    .prepare_cached(&operations)
                    .expect("a statement")
                    .execute(params_from_iter(&operation))
                    .expect("a row");
            }
            connection.execute_batch("COMMIT").expect("a commit");
        }
        f64::from(total) / began.elapsed().as_secs_f64()
    }
}

fn fresh(path: &Path, like: &Connection) -> Connection {
    let connection = Connection::open(path).expect("a file");
    for (pragma, value) in [
        ("journal_mode", "wal"),
        ("synchronous", "full"),
        ("foreign_keys", "on"),
        ("cache_size", "-4096"),
        ("wal_autocheckpoint", "4096"),
    ] {
        connection
            .pragma_update(None, pragma, value)
            .expect("a pragma");
    }
    let mut statement = like
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
        .expect("the schema");
    let schema: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .expect("the schema")
        .collect::<Result<_, _>>()
        .expect("the schema");
    connection
        .execute_batch(&schema.join(";"))
        .expect("the same schema");
    connection
}

fn row(connection: &Connection, table: &str) -> Vec<Value> {
    let mut statement = connection
        .prepare(&format!("SELECT * FROM {table} LIMIT 1"))
        .expect("a table");
    let columns = statement.column_count();
    statement
        .query_row([], |row| {
            (0..columns).map(|column| row.get(column)).collect()
        })
        .expect("a row")
}

fn insert(connection: &Connection, table: &str) -> String {
    let statement = connection
        .prepare(&format!("SELECT * FROM {table}"))
        .expect("a table");
    let marks = vec!["?"; statement.column_count()].join(", ");
    format!("INSERT INTO {table} VALUES ({marks})")
}
