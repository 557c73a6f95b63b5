//! The account of changes in the store: one chain of all who write to it, on both engines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::audit::{PATIENCE, audited, body, has, holds, joined, load, stopped, verify};
use crate::cluster::Cluster;
use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, SERVER, Setup, with};

/// Where the lines of a test are.
enum Place {
    File(Arc<Folder>),
    Database(String),
}

impl Place {
    fn sqlite() -> Self {
        Self::File(Arc::new(Folder::new()))
    }

    fn postgres() -> Self {
        Self::Database(SERVER.database())
    }

    fn setup(&self) -> Setup {
        let setup = audited().env("BROKER_AUDIT__TO", "store");
        match self {
            Self::File(_) => setup.env("BROKER_STORE__URL", "sqlite:broker.db"),
            Self::Database(name) => setup.env("BROKER_STORE__URL", &SERVER.url(name)),
        }
    }

    fn start(&self) -> Broker {
        self.started(self.setup())
    }

    fn started(&self, setup: Setup) -> Broker {
        match self {
            Self::File(folder) => setup.start_in(folder),
            Self::Database(_) => setup.start(),
        }
    }

    /// Does something to the table.
    fn sql(&self, statement: &str) {
        match self {
            Self::File(folder) => {
                let file = Connection::open(folder.path().join("broker.db")).expect("the file");
                file.busy_timeout(PATIENCE).expect("patience");
                file.execute_batch(statement).expect(statement);
            }
            Self::Database(name) => {
                SERVER.sql(name, &statement.replace(" audit", " broker_audit"));
            }
        }
    }

    fn texts(&self) -> Vec<String> {
        match self {
            Self::File(folder) => {
                let file = Connection::open(folder.path().join("broker.db")).expect("the file");
                file.busy_timeout(PATIENCE).expect("patience");
                let mut lines = file
                    .prepare("SELECT line FROM audit ORDER BY seq")
                    .expect("a table");
                let lines = lines.query_map([], |row| row.get(0)).expect("rows");
                lines.collect::<Result<_, _>>().expect("lines")
            }
            Self::Database(name) => {
                let lines = SERVER.sql(name, "SELECT line FROM broker_audit ORDER BY seq");
                lines.lines().map(str::to_owned).collect()
            }
        }
    }

    fn lines(&self) -> Vec<Value> {
        let texts = self.texts();
        let lines = texts.iter().map(|line| serde_json::from_str(line));
        lines.collect::<Result<_, _>>().expect("JSON")
    }

    fn awaited(&self, event: &str, count: usize) -> Vec<Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines();
            if lines.iter().filter(|line| line["event"] == event).count() >= count {
                return lines;
            }
            assert!(Instant::now() < until, "not {count} of {event}: {lines:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What `audit verify` says, with the settings of the broker.
    fn verified(&self, arguments: &[&str]) -> (i32, String, String) {
        let setup = self.setup().arg("audit").arg("verify");
        let setup = arguments
            .iter()
            .fold(setup, |setup, argument| setup.arg(argument));
        let (status, out, complaint) = match self {
            Self::File(folder) => setup.run_in(folder),
            Self::Database(_) => setup.run(),
        };
        (status.code().expect("a code"), out, complaint)
    }

    fn holds(&self) -> (String, String) {
        let (code, out, complaint) = self.verified(&[]);
        assert_eq!(code, 0, "{out}{complaint}");
        (out, complaint)
    }
}

fn each_change_has_a_line(place: &Place) {
    let broker = place.start();
    assert_eq!(broker.provision("i", &body("now")).status, 201);
    let bind = with(
        bind_of("s", "now"),
        "parameters",
        json!({ "role": "MARKED-ROLE" }),
    );
    assert_eq!(broker.bind("i", "b", &bind).status, 201);
    let wrong = with(body("strict"), "parameters", json!({ "size": "MARKED" }));
    assert_eq!(broker.provision("j", &wrong).status, 400);
    place.awaited("refused", 1);
    let forget = place.setup().arg("instances").arg("forget");
    let forget = forget.arg("i").arg("--yes");
    let (status, _, complaint) = forget.run_in(&broker.folder);
    assert!(status.success(), "{complaint}");
    // The command has written its own before it was over.
    assert!(
        place
            .lines()
            .iter()
            .any(|line| line["result"] == "forgotten")
    );
    // It can be verified while the broker runs.
    place.holds();
    stopped(broker);
    let lines = place.lines();
    let expected = [
        json!({ "seq": 1, "event": "started" }),
        json!({ "event": "began", "kind": "provision", "instance": "i", "login": "default", "result": "succeeded" }),
        json!({ "event": "began", "kind": "bind", "instance": "i", "binding": "b" }),
        json!({ "event": "refused", "instance": "j", "error": "ParametersInvalid" }),
        json!({ "event": "intervened", "by": "command", "instance": "i" }),
        json!({ "seq": 6, "event": "stopped" }),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, expected) in lines.iter().zip(&expected) {
        has(line, expected);
        assert!(!line.to_string().contains("MARKED"), "{line}");
    }
    let (out, _) = place.holds();
    assert!(out.starts_with("6 lines, the chain holds"), "{out}");
    // After a restart it goes on.
    stopped(place.start());
    let (out, _) = place.holds();
    assert!(out.starts_with("8 lines, the chain holds"), "{out}");
}

#[test]
fn each_change_has_a_line_in_sqlite() {
    each_change_has_a_line(&Place::sqlite());
}

#[test]
fn each_change_has_a_line_in_postgres() {
    each_change_has_a_line(&Place::postgres());
}

fn whatever_is_done_to_a_row_shows(place: &Place) {
    let broker = place.start();
    for number in 0..6 {
        let id = format!("i{number}");
        assert_eq!(broker.provision(&id, &body("now")).status, 201);
    }
    stopped(broker);
    let (out, _) = place.holds();
    let end = out.rsplit(' ').next().expect("a hash").trim().to_owned();
    let whole = place.texts();
    let quoted = |line: &str| line.replace('\'', "''");
    let other = whole[3].replace("\"i2\"", "\"i9\"");
    assert_ne!(other, whole[3]);
    let cases = [
        (
            "DELETE FROM audit WHERE seq = 4".to_owned(),
            "line 4 is missing",
        ),
        (
            "DELETE FROM audit WHERE seq IN (3, 4, 5)".to_owned(),
            "lines 3 to 5 are missing",
        ),
        (
            format!("UPDATE audit SET line = '{}' WHERE seq = 4", quoted(&other)),
            "store:4: line 4 was changed",
        ),
        (
            format!(
                "UPDATE audit SET line = '{}' WHERE seq = 4",
                quoted(&whole[4])
            ),
            "store:4: line 4 is missing",
        ),
        (
            "UPDATE audit SET line = 'x' WHERE seq = 4".to_owned(),
            "store:4: no line of an audit",
        ),
        (
            "UPDATE audit SET instance_id = 'other' WHERE seq = 4".to_owned(),
            "store:4: stands in its row under another instance",
        ),
        (
            "DELETE FROM audit WHERE seq < 4".to_owned(),
            "store:4: begins here, and no line says",
        ),
    ];
    for (statement, complaint) in cases {
        place.sql(&statement);
        let (code, out, said) = place.verified(&[]);
        assert_eq!(code, 1, "{statement}: {out}{said}");
        assert!(said.contains(complaint), "{statement}: {said}");
        put_back(place, &whole);
        place.holds();
    }
    // An end that was cut off shows to who has noted it.
    assert_eq!(place.verified(&["--has", &end]).0, 0);
    place.sql("DELETE FROM audit WHERE seq = 8");
    place.holds();
    assert_eq!(place.verified(&["--has", &end]).0, 1);
}

fn put_back(place: &Place, lines: &[String]) {
    place.sql("DELETE FROM audit WHERE seq > 0");
    for (number, line) in (1..).zip(lines) {
        let parsed: Value = serde_json::from_str(line).expect("JSON");
        let instance = parsed["instance"]
            .as_str()
            .map_or("NULL".to_owned(), |id| format!("'{id}'"));
        place.sql(&format!(
            "INSERT INTO audit (seq, at, instance_id, line) VALUES ({number}, 0, {instance}, '{line}')"
        ));
    }
}

#[test]
fn whatever_is_done_to_a_row_of_sqlite_shows() {
    whatever_is_done_to_a_row_shows(&Place::sqlite());
}

#[test]
fn whatever_is_done_to_a_row_of_postgres_shows() {
    whatever_is_done_to_a_row_shows(&Place::postgres());
}

/// Three brokers under load, one of them killed: one chain, and no change without a line of those that go on.
#[test]
fn three_brokers_write_one_chain() {
    let place = Place::postgres();
    let mut brokers: Vec<Broker> = (0..3).map(|_| place.start()).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = brokers
        .iter()
        .zip(["a", "b", "c"])
        .map(|(broker, name)| load(broker, name, &stop))
        .collect();
    let until = Instant::now() + PATIENCE;
    let tells_of = |lines: &[Value], name: &str| {
        let instances = lines.iter().filter_map(|line| line["instance"].as_str());
        instances.filter(|id| id.starts_with(name)).count() >= 20
    };
    while !["a-", "b-", "c-"]
        .iter()
        .all(|name| tells_of(&place.lines(), name))
    {
        assert!(Instant::now() < until, "not all have lines");
        thread::sleep(Duration::from_millis(20));
    }
    let mut killed = brokers.remove(0);
    killed.kill();
    let before = place.lines().len();
    while place.lines().len() < before + 100 {
        assert!(Instant::now() < until, "no lines after the kill");
        thread::sleep(Duration::from_millis(20));
    }
    stop.store(true, Ordering::Relaxed);
    let made: Vec<String> = clients.into_iter().flat_map(joined).collect();
    for broker in brokers {
        stopped(broker);
    }
    place.holds();
    let lines = place.lines();
    let told: Vec<&str> = lines
        .iter()
        .filter(|line| line["event"] == "began")
        .filter_map(|line| line["instance"].as_str())
        .collect();
    for id in made.iter().filter(|id| !id.starts_with("a-")) {
        let count = told.iter().filter(|told| *told == id).count();
        assert_eq!(count, 1, "{id}");
    }
}

#[test]
fn a_broker_on_sqlite_killed_in_the_middle_goes_on_with_its_chain() {
    let place = Place::sqlite();
    let mut broker = place.start();
    for round in 0..3 {
        let before = place.lines().len();
        let stop = Arc::new(AtomicBool::new(false));
        let clients = load(&broker, &format!("r{round}"), &stop);
        let until = Instant::now() + PATIENCE;
        while place.lines().len() < before + 30 {
            assert!(Instant::now() < until, "no lines under load");
            thread::sleep(Duration::from_millis(5));
        }
        broker.kill();
        stop.store(true, Ordering::Relaxed);
        joined(clients);
        broker = broker.restarted();
        place.awaited("started", round + 2);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let clients = load(&broker, "last", &stop);
    place.awaited("started", 4);
    thread::sleep(Duration::from_millis(50));
    stop.store(true, Ordering::Relaxed);
    let made = joined(clients);
    stopped(broker);
    place.holds();
    let lines = place.lines();
    for id in made {
        let of_it = lines.iter().filter(|line| line["instance"] == *id);
        assert_eq!(of_it.count(), 1, "{id}");
    }
}

/// What is refused while the database is away has its line when it is back.
#[test]
fn lines_wait_for_a_database_that_is_away() {
    let mut server = Cluster::start(&[]);
    let database = server.database();
    let setup = audited()
        .env("BROKER_AUDIT__TO", "store")
        .env("BROKER_STORE__TIMEOUT", "1s")
        .env("BROKER_STORE__URL", &server.url(&database));
    let broker = setup.start();
    assert_eq!(broker.provision("i", &body("now")).status, 201);
    server.stop();
    assert_eq!(broker.provision("j", &body("now")).status, 503);
    broker.wait_for_log("the audit cannot be written to the store");
    server.restart();
    let until = Instant::now() + PATIENCE;
    let told = || server.sql(&database, "SELECT line FROM broker_audit ORDER BY seq");
    while !told().contains("StoreUnavailable") {
        assert!(Instant::now() < until, "{}\n{}", told(), broker.log());
        thread::sleep(Duration::from_millis(50));
    }
    broker.wait_for_log("the audit is written again");
    stopped(broker);
    let lines = told();
    assert_eq!(lines.matches("\"instance\":\"i\"").count(), 1, "{lines}");
    assert_eq!(lines.matches("\"event\":\"stopped\"").count(), 1, "{lines}");
    let verify = Setup::default().arg("audit").arg("verify");
    let verify = verify.arg("--store").arg(&server.url(&database));
    let (status, out, complaint) = verify.run();
    assert!(status.success(), "{out}{complaint}");
}

fn old_lines_go(place: &Place) {
    let broker = place.start();
    for number in 0..3 {
        let id = format!("i{number}");
        assert_eq!(broker.provision(&id, &body("now")).status, 201);
    }
    stopped(broker);
    // As if it had been long ago; of the last row, too, which stays for the chain.
    place.sql("UPDATE audit SET at = at - 86400000 WHERE seq < 6");
    let broker = place.started(place.setup().env("BROKER_AUDIT__KEEP", "12h"));
    let lines = place.awaited("swept", 1);
    let swept = lines.last().expect("a line");
    has(swept, &json!({ "event": "swept" }));
    stopped(broker);
    let lines = place.lines();
    assert!(lines[0]["seq"].as_u64() > Some(4), "{lines:?}");
    let (_, complaint) = place.holds();
    assert!(
        complaint.contains("what came before was older than audit.keep"),
        "{complaint}"
    );
    // More than that shows.
    let first = &lines[0]["seq"];
    place.sql(&format!("DELETE FROM audit WHERE seq = {first}"));
    assert_eq!(place.verified(&[]).0, 1);
}

#[test]
fn old_lines_go_from_sqlite_and_a_line_says_so() {
    old_lines_go(&Place::sqlite());
}

#[test]
fn old_lines_go_from_postgres_and_a_line_says_so() {
    old_lines_go(&Place::postgres());
}

#[test]
fn a_store_that_keeps_nothing_keeps_no_account() {
    let setup = audited()
        .env("BROKER_AUDIT__TO", "store")
        .env("BROKER_STORE__URL", "none");
    let (status, _, complaint) = setup.run();
    assert_eq!(status.code(), Some(2), "{complaint}");
    assert!(
        complaint.contains("audit.to")
            && complaint.contains("store.url is none, which keeps nothing"),
        "{complaint}"
    );
}

/// `store copy` takes the chain along, and it goes on there.
#[test]
fn a_copy_of_the_store_has_the_chain() {
    let from = Place::sqlite();
    let Place::File(folder) = &from else {
        panic!("a file");
    };
    let broker = from.start();
    assert_eq!(broker.provision("i", &provision_of("s", "now")).status, 201);
    stopped(broker);
    let to = Place::postgres();
    let Place::Database(name) = &to else {
        panic!("a database");
    };
    let copy = Setup::default().arg("store").arg("copy");
    let copy = copy.arg("sqlite:broker.db").arg(&SERVER.url(name));
    let (status, out, complaint) = copy.run_in(folder);
    assert!(status.success(), "{complaint}");
    assert!(out.contains(", 3 lines of the audit"), "{out}");
    assert_eq!(from.texts(), to.texts());
    stopped(to.start());
    let (out, _) = to.holds();
    assert!(out.starts_with("5 lines, the chain holds"), "{out}");
}

#[test]
fn what_is_to_be_verified_is_named_once() {
    let place = Place::sqlite();
    let Place::File(folder) = &place else {
        panic!("a file");
    };
    stopped(place.start());
    let (code, _, complaint) = verify(folder, &["audit.log", "--store", "sqlite:broker.db"]);
    assert_eq!(code, 2);
    assert!(complaint.contains("not both"), "{complaint}");
    // Without anything it is what the settings say.
    let (code, _, complaint) = verify(folder, &[]);
    assert_eq!(code, 2);
    assert!(complaint.contains("audit.to"), "{complaint}");
    let setup = audited().arg("audit").arg("verify");
    folder.write("audit.log", "");
    assert!(setup.run_in(folder).0.success());
    assert_eq!(verify(folder, &["--store", "sqlite:nowhere.db"]).0, 2);
    holds(folder, &["--store", "sqlite:broker.db"]);
}
