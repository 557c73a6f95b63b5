//! The store's file: made, refused, and kept through kills under load.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection as Database, OpenFlags};
use serde_json::{Value, json};

use crate::harness::{
    Broker, CATALOG, Folder, Setup, at_binding, at_instance, bind_body, provision_body,
};
use crate::http::{Connection, Request};
use crate::running::assert_one_line;

/// The file in its default place, for a look at it from outside.
pub fn database(folder: &Folder) -> Database {
    let path = folder.path().join("data/broker.db");
    Database::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the broker's file")
}

/// The file is sound, and no binding is without its instance.
pub fn assert_sound(folder: &Folder) {
    let database = database(folder);
    let verdict: String = database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("a verdict");
    assert_eq!(verdict, "ok");
    let orphans: i64 = database
        .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| {
            row.get(0)
        })
        .expect("a count");
    assert_eq!(orphans, 0, "bindings without an instance");
}

/// Where nothing is, the file is made, with all folders on the way to it.
#[test]
fn the_file_is_made_with_its_folders() {
    for path in ["data/broker.db", "a/b/c/broker.db", "plain.db"] {
        let setup = Setup::new(CATALOG).env("BROKER_STORE__URL", &format!("sqlite:{path}"));
        let broker = setup.start();
        assert_eq!(broker.provision("i-1", &provision_body()).status, 201);
        let file = broker.folder.path().join(path);
        assert!(file.is_file(), "{path}");
    }
}

/// What the file holds is credentials: nobody but its owner reads it.
#[test]
fn the_file_is_its_owners_alone() {
    let broker = Setup::new(CATALOG).start();
    assert_eq!(broker.provision("i-1", &provision_body()).status, 201);
    for name in ["broker.db", "broker.db-wal", "broker.db-shm"] {
        let path = broker.folder.path().join("data").join(name);
        let mode = fs::metadata(&path).expect(name).permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} is {mode:o}");
    }
}

#[test]
fn what_is_no_store_of_this_broker_is_refused_and_left_as_it_was() {
    type Make = fn(&Path);
    let cases: &[(&str, Make, &[&str])] = &[
        (
            "text",
            |path| fs::write(path, "dear diary, ".repeat(1000)).expect("a file"),
            &["not a SQLite database"],
        ),
        (
            "another program's",
            |path| sql(path, "CREATE TABLE songs (title TEXT)"),
            &["another program"],
        ),
        (
            "another program's, by its mark",
            |path| sql(path, "PRAGMA application_id = 42"),
            &["another program"],
        ),
        (
            "another program's with a version",
            |path| sql(path, "PRAGMA user_version = 1"),
            &["another program"],
        ),
        (
            "a newer broker's",
            |path| {
                let newer = "PRAGMA application_id = 0x4342524b; PRAGMA user_version = 99; CREATE TABLE t (x)";
                sql(path, newer);
            },
            &["newer", "99"],
        ),
        (
            "a folder",
            |path| fs::create_dir(path).expect("a folder"),
            &["cannot be opened"],
        ),
    ];
    for (what, make, words) in cases {
        let folder = Folder::new();
        folder.write("catalog.yaml", CATALOG);
        let path = folder.path().join("data/broker.db");
        fs::create_dir_all(path.parent().expect("a folder")).expect("its folder");
        make(&path);
        let before = fs::read(&path).ok();
        assert_one_line(
            &Setup::default(),
            &folder,
            &[words, &["sqlite:"][..]].concat(),
        );
        assert!(fs::read(&path).ok() == before, "{what}: it was written to");
    }
}

fn sql(path: &Path, statements: &str) {
    let database = Database::open(path).expect("a database");
    database.execute_batch(statements).expect("its statements");
}

#[test]
fn a_place_that_cannot_be_used_is_refused() {
    let folder = Folder::new();
    folder.write("catalog.yaml", CATALOG);
    folder.write("occupied", "a file where a folder should be");
    let store = |url: &str| Setup::default().env("BROKER_STORE__URL", url);
    let below_a_file = store("sqlite:occupied/broker.db");
    assert_one_line(&below_a_file, &folder, &["folder", "occupied"]);
    // A place where nobody makes files, root neither.
    let in_proc = store("sqlite:/proc/broker.db");
    assert_one_line(&in_proc, &folder, &["/proc/broker.db"]);
}

/// A second broker on the same file is refused and names the lock; other programs may read it meanwhile.
#[test]
fn one_broker_holds_the_file() {
    let broker = Setup::new(CATALOG).start();
    assert_eq!(broker.provision("i-1", &provision_body()).status, 201);
    assert_one_line(
        &Setup::default(),
        &broker.folder,
        &["another broker", "data/broker.db.lock"],
    );
    let count: i64 = database(&broker.folder)
        .query_row("SELECT count(*) FROM instances", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(count, 1);
    let broker = broker.restarted();
    assert_eq!(
        broker.fetch("i-1").status,
        200,
        "a kill lets go of the lock"
    );
}

/// Root reads everything, so this is shown as somebody else where the tests run as root.
#[test]
fn a_file_that_may_not_be_read_is_refused() {
    let folder = Folder::new();
    folder.write("catalog.yaml", CATALOG);
    let path = folder.write("data/broker.db", "");
    let lock = folder.write("data/broker.db.lock", "");
    fs::set_permissions(&path, Permissions::from_mode(0o000)).expect("its mode");
    fs::set_permissions(lock, Permissions::from_mode(0o666)).expect("its mode");
    let mut setup = Setup::default();
    if File::open(&path).is_ok() {
        setup = as_nobody(&folder);
    }
    assert_one_line(&setup, &folder, &["data/broker.db"]);
}

/// The broker's binary, run by a script as a user without rights.
fn as_nobody(folder: &Folder) -> Setup {
    let binary = folder.path().join("catalog-broker");
    fs::copy(env!("CARGO_BIN_EXE_catalog-broker"), &binary).expect("a copy that all may run");
    let script = format!(
        "#!/bin/sh\nexec /usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups {} \"$@\"\n",
        binary.display()
    );
    let script = folder.write("as-nobody", &script);
    for path in [&script, &binary] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("its mode");
    }
    Setup::default().binary(&script)
}

const CLIENTS: usize = 32;

/// What a client was answered with 2xx, in order: the last word on each path.
type Answered = BTreeMap<String, (bool, Value)>;

/// Kills under load: all that was answered is there, and nothing is there by half.
#[test]
fn what_was_answered_is_there_after_kills_under_load() {
    let mut broker = Setup::new(CATALOG).start();
    let folder = Arc::clone(&broker.folder);
    let (mut answered, mut cut) = (Answered::new(), 0);
    for round in 0..6 {
        let in_flight = AtomicUsize::new(0);
        let results: Vec<(Answered, bool)> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let (broker, in_flight) = (&broker, &in_flight);
                    let name = format!("{round}-{client}");
                    scope.spawn(move || live_until_killed(broker, &name, in_flight))
                })
                .collect();
            // A client that fails sends no more: then the kill comes all the same, and what failed is told.
            let until = Instant::now() + Duration::from_secs(20);
            while in_flight.load(Ordering::Relaxed) < CLIENTS * 4 && Instant::now() < until {
                thread::sleep(Duration::from_millis(1));
            }
            thread::sleep(Duration::from_millis(20 * round));
            broker.signal("KILL");
            clients
                .into_iter()
                .map(|client| client.join().expect("what it was answered"))
                .collect()
        });
        for (known, was_cut) in results {
            answered.extend(known);
            cut += usize::from(was_cut);
        }
        broker = broker.restarted();
        assert_sound(&folder);
        assert_remembered(&broker, &answered);
    }
    assert!(
        cut > CLIENTS,
        "only {cut} requests were under way in the kills"
    );
    assert!(
        answered.len() > CLIENTS * 6,
        "only {} answers",
        answered.len()
    );
}

/// Provisions, binds, unbinds and deprovisions until the connection breaks: what it was answered, and whether a request
/// was under way in the end. What was asked and not answered may be or not be.
fn live_until_killed(broker: &Broker, name: &str, sent: &AtomicUsize) -> (Answered, bool) {
    let mut answered = Answered::new();
    let Ok(mut connection) = Connection::open(broker.address) else {
        return (answered, false);
    };
    for number in 0.. {
        let instance = at_instance(&format!("i-{name}-{number}"));
        let binding = at_binding(&format!("i-{name}-{number}"), "b");
        let gone = |path: &str| {
            let named = format!(
                "{path}?service_id={}&plan_id={}",
                crate::harness::SERVICE,
                crate::harness::PLAN
            );
            broker.request("DELETE", &named)
        };
        let mut steps = vec![
            (
                &instance,
                broker.request("PUT", &instance).json(&provision_body()),
            ),
            (&binding, broker.request("PUT", &binding).json(&bind_body())),
        ];
        if number % 3 == 0 {
            steps.push((&binding, gone(&binding)));
            steps.push((&instance, gone(&instance)));
        }
        for (path, request) in steps {
            sent.fetch_add(1, Ordering::Relaxed);
            let Ok(answer) = connection.send(&request) else {
                answered.remove(path);
                return (answered, true);
            };
            assert!(answer.status < 300, "{}", answer.text());
            answered.insert(path.clone(), (request.method == "PUT", answer.json()));
        }
    }
    (answered, false)
}

fn assert_remembered(broker: &Broker, answered: &Answered) {
    let mut connection = Connection::open(broker.address).expect("a connection");
    let mut get = |path: &str| -> (u16, Value) {
        let request: Request = broker.request("GET", path);
        let answer = connection.send(&request).expect("an answer");
        (answer.status, answer.json())
    };
    for (path, (there, body)) in answered {
        let (status, found) = get(path);
        assert_eq!(status, if *there { 200 } else { 404 }, "{path}");
        for (key, value) in body.as_object().into_iter().flatten() {
            assert_eq!(&found[key], value, "{path}: {key}");
        }
        let (status, poll) = get(&format!("{path}/last_operation"));
        let expected = if *there {
            (200, json!("succeeded"))
        } else {
            (410, Value::Null)
        };
        assert_eq!((status, poll["state"].clone()), expected, "{path}");
    }
}

/// Many writers share a commit: with many at once, the log of the database grows by fewer pages for each change than
/// with one after the other.
#[test]
fn writers_at_once_share_commits() {
    let alone = frames_of(1, 256);
    let together = frames_of(CLIENTS, 8);
    assert!(
        together * 3 < alone * 2,
        "256 provisions at once wrote {together} pages, one by one {alone}"
    );
}

/// How many pages the write-ahead log has after `clients` have made `each` instances, each client one by one.
fn frames_of(clients: usize, each: usize) -> u64 {
    let broker = Setup::new(CATALOG).start();
    thread::scope(|scope| {
        for client in 0..clients {
            let broker = &broker;
            scope.spawn(move || {
                let mut connection = Connection::open(broker.address).expect("a connection");
                for number in 0..each {
                    let path = at_instance(&format!("i-{client}-{number}"));
                    let request = broker.request("PUT", &path).json(&provision_body());
                    assert_eq!(connection.send(&request).expect("an answer").status, 201);
                }
            });
        }
    });
    let log = broker.folder.path().join("data/broker.db-wal");
    fs::metadata(log).expect("the log").len() / 4096
}
