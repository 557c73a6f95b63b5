//! `store stats | backup | copy`: a state as a whole.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use catalog_broker::domain::ledger::{Ledger as _, Place, Row};
use catalog_broker::store::Keys;
use catalog_broker::store::sqlite::SqliteStore;
use rusqlite::Connection;
use rusqlite::types::Value as Column;
use serde_json::{Value, json};

use crate::desk::{CATALOG, of};
use crate::engines::{self, Engine, Scene};
use crate::harness::{Broker, Setup};
use crate::runner::run;

fn stats(broker: &Broker, store: &str) -> Value {
    let arguments = ["store", "stats", "--format", "json", "--store", store];
    run(&broker.folder, &arguments).exits(0).json()
}

/// How many instances, bindings and operations.
fn counts(stats: &Value) -> [u64; 3] {
    ["instances", "bindings", "operations"].map(|what| {
        let counts = stats[what].as_array().expect("a list").iter();
        counts.filter_map(|count| count["count"].as_u64()).sum()
    })
}

#[test]
fn a_backup_is_one_moment_of_a_store_that_is_written_to() {
    let broker = Arc::new(Setup::new(CATALOG).start());
    let (stop, made) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let load: Vec<_> = (0..4)
        .map(|client| {
            let (broker, stop, made) = (Arc::clone(&broker), Arc::clone(&stop), Arc::clone(&made));
            thread::spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = format!("{client}-{number}");
                    assert_eq!(broker.provision(&name, &of("now")).status, 201);
                    made.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 0..3 {
        while made.load(Ordering::Relaxed) < 30 * (round + 1) {
            thread::yield_now();
        }
        let name = format!("copy-{round}.db");
        let before = made.load(Ordering::Relaxed);
        run(&broker.folder, &["store", "backup", &name]).exits(0);
        // One more of each client may be on disk and not be counted yet.
        let after = made.load(Ordering::Relaxed) + 4;
        let file = broker.folder.path().join(&name);
        assert_eq!(
            fs::metadata(&file).expect("a file").permissions().mode() & 0o777,
            0o600
        );
        let [instances, bindings, operations] = counts(&stats(&broker, &format!("sqlite:{name}")));
        assert!(
            (before..=after).contains(&instances),
            "{before} {instances} {after}"
        );
        assert_eq!(
            (bindings, operations),
            (0, instances),
            "half of a change is in it"
        );
    }
    stop.store(true, Ordering::Relaxed);
    for client in load {
        client.join().expect("its end");
    }

    let kept = fs::read(broker.folder.path().join("copy-0.db")).expect("a copy");
    let refused = run(&broker.folder, &["store", "backup", "copy-0.db"]).exits(2);
    assert!(refused.err.contains("name another one"), "{}", refused.err);
    assert_eq!(
        fs::read(broker.folder.path().join("copy-0.db")).expect("a copy"),
        kept
    );
    run(&broker.folder, &["store", "backup", "no/folder/copy.db"]).exits(2);
    let left = fs::read_dir(broker.folder.path()).expect("the folder");
    let left = left.filter_map(Result::ok).map(|entry| entry.file_name());
    assert!(
        !left
            .into_iter()
            .any(|name| name.to_string_lossy().ends_with(".part"))
    );
}

/// A broker serves a backup as it served the store.
#[test]
fn a_backup_comes_back() {
    let broker = Setup::new(CATALOG).start();
    assert_eq!(broker.provision("i", &of("now")).status, 201);
    let bound = broker.bind("i", "b", &of("now")).json();
    run(&broker.folder, &["store", "backup", "copy.db"]).exits(0);
    let folder = Arc::clone(&broker.folder);
    let second = Setup::new(CATALOG)
        .env("BROKER_STORE__URL", "sqlite:copy.db")
        .start_in(&folder);
    assert_eq!(
        second.provision("i", &of("now")).status,
        200,
        "the same fingerprint"
    );
    assert_eq!(second.bind("i", "b", &of("now")).json(), bound);
}

#[test]
fn a_copy_keeps_everything() {
    let mut broker = Setup::new(CATALOG).start();
    for name in ["i", "j", "gone"] {
        assert_eq!(broker.provision(name, &of("now")).status, 201);
        assert_eq!(broker.bind(name, "b", &of("now")).status, 201);
    }
    assert_eq!(broker.deprovision("gone", "s", "now").status, 200);
    let later = broker.put(
        "/v2/service_instances/later?accepts_incomplete=true",
        &of("later"),
    );
    assert_eq!(later.status, 202);

    let copy = [
        "store",
        "copy",
        "sqlite:data/broker.db",
        "sqlite:new/copy.db",
    ];
    let refused = run(&broker.folder, &copy).exits(2);
    assert!(
        refused.err.contains("another broker serves it"),
        "{}",
        refused.err
    );
    assert!(!broker.folder.path().join("new").exists());
    broker.signal("TERM");
    broker.wait();
    let copied = run(&broker.folder, &copy).exits(0);
    assert!(
        copied.out.contains("3 instances, 2 bindings"),
        "{}",
        copied.out
    );

    let (old, new) = (
        broker.folder.path().join("data/broker.db"),
        broker.folder.path().join("new/copy.db"),
    );
    let exported = exported(&old);
    assert!(exported.len() > 10, "{}", exported.len());
    assert!(exported == self::exported(&new));
    for table in ["instances", "bindings", "operations", "meta"] {
        let columns = columns(&old, table);
        assert!(!columns.is_empty());
        assert_eq!(columns, self::columns(&new, table), "{table}");
    }

    for (to, said) in [
        ("sqlite:new/copy.db", "name a store that is empty"),
        ("sqlite:data/broker.db", "the same store"),
        ("none", "remembers nothing"),
    ] {
        let refused = run(
            &broker.folder,
            &["store", "copy", "sqlite:data/broker.db", to],
        )
        .exits(2);
        assert!(refused.err.contains(said), "{}", refused.err);
    }
    let absent = ["store", "copy", "sqlite:not-there.db", "sqlite:other.db"];
    assert!(
        run(&broker.folder, &absent)
            .exits(2)
            .err
            .contains("there is no file not-there.db")
    );
    assert!(!broker.folder.path().join("other.db").exists());

    let second = Setup::new(CATALOG)
        .env("BROKER_STORE__URL", "sqlite:new/copy.db")
        .start_in(&Arc::clone(&broker.folder));
    assert_eq!(
        second.provision("i", &of("now")).status,
        200,
        "the same fingerprint"
    );
    assert_eq!(second.bind("j", "b", &of("now")).status, 200);
}

/// Every row as the ledger exports it, in small pages.
fn exported(file: &Path) -> Vec<Row> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let store = SqliteStore::open_beside(file, &Keys::default()).expect("a store");
    let (mut rows, mut next) = (Vec::new(), Some(Place::Start));
    while let Some(from) = next {
        let page = runtime.block_on(store.export(from, 2)).expect("a page");
        rows.extend(page.rows);
        next = page.next;
    }
    for row in &mut rows {
        // The numbers that order operations are drawn anew.
        if let Row::Operation(recorded) = row {
            recorded.turn = 0;
        }
    }
    rows
}

/// Every column of a table, byte for byte, but for the numbers that order operations and what is found by them.
fn columns(file: &Path, table: &str) -> Vec<Vec<Column>> {
    let connection = Connection::open(file).expect("a file");
    let mut statement = connection
        .prepare(&format!("SELECT * FROM {table}"))
        .expect("a table");
    let names: Vec<String> = statement.column_names().map(ToString::to_string).collect();
    let rows = statement.query_map([], |row| {
        let kept = names
            .iter()
            .filter(|name| !["seq", "made_by", "indexed"].contains(&name.as_str()));
        kept.map(|name| row.get(name.as_str()).map(said))
            .collect::<Result<Vec<Column>, _>>()
    });
    let mut rows: Vec<Vec<Column>> = rows.expect("rows").map(|row| row.expect("a row")).collect();
    rows.sort_by_key(|row| format!("{row:?}"));
    rows
}

/// A report that says nothing may stand there or not.
fn said(column: Column) -> Column {
    match column {
        Column::Blob(bytes) if bytes == b"\0{}" => Column::Null,
        column => column,
    }
}

engines::on_both! {
    stats_count_by_plan_and_state,
}

fn stats_count_by_plan_and_state(engine: Engine) {
    let broker = Scene::on(engine, Setup::new(CATALOG));
    assert_eq!(broker.provision("i", &of("now")).status, 201);
    assert_eq!(broker.bind("i", "b", &of("now")).status, 201);
    let stats = stats(&broker, &broker.url);
    assert_eq!(
        stats["instances"],
        json!([{ "service_id": "s", "plan_id": "now", "plan": "service/now", "state": "succeeded", "count": 1 }])
    );
    assert_eq!(counts(&stats), [1, 1, 2]);
    assert!(stats["bytes"].as_u64() > Some(4096));
    assert_eq!(stats["oldest_in_progress"], Value::Null);
    let table = broker.run(&["store", "stats"]).exits(0).out;
    assert!(
        table.contains("instances   service/now  succeeded  1\n"),
        "{table}"
    );
    assert!(table.contains(" KiB on disk"), "{table}");
}
