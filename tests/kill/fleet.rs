//! The brokers of a run, and their store as it is on disk.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value as Json;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::cluster::Cluster;
use crate::harness::{Broker, Folder, PASSWORD, SERVER, Setup, USER, at_binding, basic};
use crate::http::{self, Request};
use crate::lendings::Holder;
use crate::proxy::{Cut, Proxy};

/// How long a blow waits for an operation to hit: longer than a busy machine lets one wait for its turn.
const AIM: Duration = Duration::from_secs(20);

/// How long anything may take that must come to its end.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where the state is.
pub enum Place {
    /// One broker on a file.
    Sqlite,
    /// Several on a database of the server that all tests share.
    Shared(usize),
    /// The same, over connections that can be cut.
    Cut(usize),
    /// Several on a server of their own.
    Own(usize),
}

enum Store {
    Sqlite(PathBuf),
    Shared(Box<Eyes>, Option<Proxy>),
    Own(Box<Mutex<Cluster>>, String),
}

/// A connection that is kept: between a look and a blow there is no time to start a program.
struct Eyes {
    runtime: Runtime,
    client: Client,
}

impl Eyes {
    fn on(url: &str) -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let connected = runtime.block_on(tokio_postgres::connect(url, NoTls));
        let (client, connection) = connected.expect("a connection");
        runtime.spawn(connection);
        Self { runtime, client }
    }

    fn ask(&self, statement: &str) -> Vec<Vec<String>> {
        let said = self.runtime.block_on(self.client.simple_query(statement));
        said.expect("an answer")
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(
                    (0..row.len())
                        .map(|column| row.get(column).unwrap_or_default().to_owned())
                        .collect(),
                ),
                _ => None,
            })
            .collect()
    }
}

/// Brokers that come and go.
pub struct Fleet {
    slots: Vec<Mutex<Option<Broker>>>,
    addresses: RwLock<Vec<Option<SocketAddr>>>,
    store: Store,
    /// What those have said that were killed.
    past: Mutex<Vec<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet {
    pub fn start(catalog: &str, place: &Place) -> Self {
        let setup = Setup::new(catalog)
            .env("BROKER_OPERATIONS__LEASE", "1s")
            .env("BROKER_OPERATIONS__LOOK_EVERY", "100ms")
            .env("BROKER_STORE__TIMEOUT", "2s")
            .env("BROKER_SERVER__REQUEST_TIMEOUT", "10s")
            .env("BROKER_SERVER__SHUTDOWN_TIMEOUT", "1s");
        let mut url = None;
        let (count, store) = match place {
            Place::Sqlite => (1, None),
            Place::Shared(count) | Place::Cut(count) => {
                let database = SERVER.database();
                let eyes = Eyes::on(&SERVER.socket_url(&database));
                let proxy = matches!(place, Place::Cut(_)).then(|| Proxy::to(SERVER.port));
                let port = proxy.as_ref().map_or(SERVER.port, |proxy| proxy.port);
                let direct = SERVER.url(&database);
                let there = direct.replace(&format!(":{}/", SERVER.port), &format!(":{port}/"));
                url = Some(there);
                (*count, Some(Store::Shared(Box::new(eyes), proxy)))
            }
            Place::Own(count) => {
                let server = Cluster::start(&[]);
                let database = server.database();
                url = Some(server.url(&database));
                (
                    *count,
                    Some(Store::Own(Box::new(Mutex::new(server)), database)),
                )
            }
        };
        let setup = match &url {
            Some(url) => setup.env("BROKER_STORE__URL", url),
            None => setup,
        };
        let brokers: Vec<Broker> = (0..count)
            .map(|_| {
                let folder = Arc::new(Folder::new());
                setup.clone().start_in(&folder)
            })
            .collect();
        let store =
            store.unwrap_or_else(|| Store::Sqlite(brokers[0].folder.path().join("data/broker.db")));
        Self {
            addresses: RwLock::new(brokers.iter().map(|broker| Some(broker.address)).collect()),
            slots: brokers
                .into_iter()
                .map(|broker| Mutex::new(Some(broker)))
                .collect(),
            store,
            past: Mutex::default(),
        }
    }

    pub const fn size(&self) -> usize {
        self.slots.len()
    }

    /// Whether a request may come to its end in the database after the broker that sent it is gone.
    pub const fn is_shared(&self) -> bool {
        !matches!(self.store, Store::Sqlite(_))
    }

    /// Where one of them listens; nothing while it is down.
    pub fn address(&self, number: usize) -> Option<SocketAddr> {
        let addresses = self
            .addresses
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        addresses[number]
    }

    fn listens(&self, number: usize, address: Option<SocketAddr>) {
        let mut addresses = self
            .addresses
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        addresses[number] = address;
    }

    /// Kills one, at a moment when it carries something out if there is one soon; whether it did.
    pub fn kill(&self, number: usize) -> bool {
        let mut slot = locked(&self.slots[number]);
        let mut broker = slot.take().expect("a broker that runs");
        let owner = owner(&broker);
        let until = Instant::now() + AIM;
        while self.leased_to(&owner) == 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        broker.kill();
        // Its leases stand as it left them, until others take up what it had.
        let hit = self.leased_to(&owner) > 0;
        self.listens(number, None);
        *slot = Some(broker);
        hit
    }

    /// Starts one again that was killed.
    pub fn revive(&self, number: usize) {
        let mut slot = locked(&self.slots[number]);
        let broker = slot.take().expect("a broker that was killed");
        locked(&self.past).push(broker.log());
        let broker = broker.restarted();
        self.listens(number, Some(broker.address));
        *slot = Some(broker);
    }

    /// Lets one sleep for a while, in the middle of something if it can be; whether it was.
    pub fn sleep(&self, number: usize, time: Duration) -> bool {
        let slot = locked(&self.slots[number]);
        let broker = slot.as_ref().expect("a broker that runs");
        let owner = owner(broker);
        let until = Instant::now() + AIM;
        while self.leased_to(&owner) == 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        broker.signal("STOP");
        let hit = self.leased_to(&owner) > 0;
        thread::sleep(time);
        broker.signal("CONT");
        hit
    }

    /// Stops the database as if its machine had died, and starts it again after a while; whether operations were under way.
    pub fn strike_database(&self, time: Duration) -> bool {
        let Store::Own(server, _) = &self.store else {
            panic!("these brokers have no server of their own");
        };
        let hit = self.await_work();
        let mut server = locked(server);
        server.stop();
        thread::sleep(time);
        server.restart();
        hit
    }

    /// Lets the database sleep for a while; whether operations were under way.
    pub fn let_database_sleep(&self, time: Duration) -> bool {
        let Store::Own(server, _) = &self.store else {
            panic!("these brokers have no server of their own");
        };
        let hit = self.await_work();
        let server = locked(server);
        signal_all(&server, "-STOP");
        thread::sleep(time);
        signal_all(&server, "-CONT");
        hit
    }

    /// Cuts the connection that commits next; whether operations were under way.
    pub fn cut(&self, cut: Cut) -> bool {
        let Store::Shared(_, Some(proxy)) = &self.store else {
            panic!("these connections cannot be cut");
        };
        let hit = self.leased() > 0;
        proxy.cut(cut);
        hit
    }

    /// Waits until all of them can work; whether they can.
    pub fn are_ready(&self) -> bool {
        let until = Instant::now() + PATIENCE;
        let ready = |address| {
            let answer = http::send(address, &Request::new("GET", "/readyz"));
            answer.is_ok_and(|response| response.status == 200)
        };
        (0..self.size()).all(|number| {
            while !self.address(number).is_some_and(ready) {
                if Instant::now() > until {
                    return false;
                }
                thread::sleep(Duration::from_millis(20));
            }
            true
        })
    }

    /// All that they have written.
    pub fn logs(&self) -> String {
        let mut logs = locked(&self.past).clone();
        let slots = self.slots.iter().map(locked);
        logs.extend(slots.map(|slot| slot.as_ref().map(Broker::log).unwrap_or_default()));
        logs.join("\n--- the next broker\n")
    }

    /// Waits until somebody carries something out; whether somebody does.
    pub fn await_work(&self) -> bool {
        let until = Instant::now() + AIM;
        while Instant::now() < until {
            if self.leased() > 0 {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn leased_to(&self, owner: &str) -> u64 {
        self.count(&format!(
            "SELECT count(*) FROM operations WHERE state = 'in progress' AND owner = '{owner}'"
        ))
    }

    fn leased(&self) -> u64 {
        self.count(
            "SELECT count(*) FROM operations WHERE state = 'in progress' AND owner IS NOT NULL",
        )
    }

    /// How many operations are not over.
    pub fn in_progress(&self) -> u64 {
        self.count("SELECT count(*) FROM operations WHERE state = 'in progress'")
    }

    /// How many operations are remembered, by state.
    pub fn operations(&self) -> BTreeMap<String, u64> {
        let rows = self.ask("SELECT state, count(*) FROM operations GROUP BY state");
        rows.into_iter()
            .map(|row| (row[0].clone(), row[1].parse().expect("a number")))
            .collect()
    }

    /// Instances by id: plan, kind and state of the last operation.
    pub fn instances(&self) -> BTreeMap<String, String> {
        let rows = self.ask("SELECT id, plan_id || ' ' || kind || ' ' || state FROM instances");
        rows.into_iter()
            .map(|row| (row[0].clone(), row[1].clone()))
            .collect()
    }

    /// Bindings by instance and id: plan, kind and state of the last operation.
    pub fn bindings(&self) -> BTreeMap<(String, String), String> {
        let rows = self
            .ask("SELECT instance_id, id, plan_id || ' ' || kind || ' ' || state FROM bindings");
        rows.into_iter()
            .map(|row| ((row[0].clone(), row[1].clone()), row[2].clone()))
            .collect()
    }

    /// What a binding gives, as its broker says.
    pub fn credentials(&self, (instance, binding): &(String, String)) -> Option<Json> {
        let request = Request::new("GET", &at_binding(instance, binding))
            .header("Authorization", &basic(USER, PASSWORD))
            .header("X-Broker-API-Version", "2.17");
        let answer = http::send(self.address(0)?, &request).ok()?;
        (answer.status == 200).then(|| answer.json()["credentials"].clone())
    }

    /// What is lent: pool, entry, and who has it.
    pub fn lent(&self) -> Vec<(String, String, Holder)> {
        let rows = self.ask(
            "SELECT pool, entry, instance_id, binding_id FROM lendings WHERE returned_at IS NULL",
        );
        rows.into_iter()
            .map(|row| {
                let binding = (!row[3].is_empty()).then(|| row[3].clone());
                (row[0].clone(), row[1].clone(), (row[2].clone(), binding))
            })
            .collect()
    }

    fn count(&self, statement: &str) -> u64 {
        self.ask(statement)[0][0].parse().expect("a number")
    }

    /// The statement names tables as sqlite has them.
    fn ask(&self, statement: &str) -> Vec<Vec<String>> {
        let there = |text: &str| {
            let rows = text
                .lines()
                .map(|line| line.split('|').map(str::to_owned).collect());
            rows.collect()
        };
        let named = statement.replace("FROM ", "FROM broker_");
        match &self.store {
            Store::Sqlite(path) => from_file(path, statement),
            Store::Shared(eyes, _) => eyes.ask(&named),
            Store::Own(server, database) => there(&locked(server).sql(database, &named)),
        }
    }
}

/// To all processes of a database: nobody is told goodbye. The first stops first, so that it makes no more of them.
pub fn signal_all(server: &Cluster, signal: &str) {
    let file = fs::read_to_string(server.folder().join("data/postmaster.pid")).expect("its number");
    let first = file.lines().next().expect("a line").trim().to_owned();
    let send = |to: &[&str]| {
        // One that has ended by itself meanwhile is not missed.
        let _ = Command::new("kill").arg(signal).args(to).output();
    };
    send(&[&first]);
    let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
    send(
        &children
            .expect("its children")
            .split_whitespace()
            .collect::<Vec<_>>(),
    );
}

/// Reads only: what is to be recovered is the broker's to recover.
fn from_file(path: &Path, statement: &str) -> Vec<Vec<String>> {
    let database =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database");
    database
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .expect("a setting");
    database
        .busy_timeout(Duration::from_secs(10))
        .expect("patience");
    let mut statement = database.prepare(statement).expect("a statement");
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        (0..width)
            .map(|column| {
                Ok(match row.get(column)? {
                    Value::Integer(number) => number.to_string(),
                    Value::Text(text) => text,
                    other => format!("{other:?}"),
                })
            })
            .collect()
    });
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

/// Its name in leases, which it says when it starts.
fn owner(broker: &Broker) -> String {
    let log = broker.log();
    let named = log
        .split("takes operations up as ")
        .nth(1)
        .expect("its name");
    named.chars().take_while(char::is_ascii_hexdigit).collect()
}
