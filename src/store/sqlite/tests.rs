//! What only this engine promises: shared commits, one bad change that harms no other, and an index for each look-up.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::database::Database;
use super::{SqliteStore, migrations, reseal};
use crate::domain::ledger::Place;
use crate::domain::store::{Begun, Lookup, Store, StoreError};
use crate::store::Keys;
use crate::store::tests::engines::keys;
use crate::store::tests::{Folder, deprovision, id, instance, provision, run, update};

/// Makes `names` while the database is held, so that all but the first wait together for the next commit; how each
/// went, in order, and how many commits it took.
fn made_together(
    store: &Arc<SqliteStore>,
    folder: &Folder,
    names: &[&'static str],
) -> (Vec<Result<Begun, StoreError>>, usize) {
    let holder = Connection::open(folder.file()).expect("the file");
    holder.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let before = commits(folder);
    let results = run(async {
        let mut waiting = Vec::new();
        for (at, &name) in names.iter().enumerate() {
            let store = Arc::clone(store);
            waiting.push(tokio::spawn(
                async move { store.begin(provision(name)).await },
            ));
            if at == 0 || at + 1 == names.len() {
                // All so far are handed over, and the writer has taken the first by itself.
                tokio::task::yield_now().await;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        holder.execute_batch("ROLLBACK").expect("its end");
        let mut results = Vec::new();
        for one in waiting {
            results.push(one.await.expect("a task"));
        }
        results
    });
    (results, commits(folder) - before)
}

/// How many commits the write-ahead log holds: frames that say how large the database is after them.
fn commits(folder: &Folder) -> usize {
    let log = fs::read(folder.file().with_extension("db-wal")).expect("the log");
    let salt = &log[16..24];
    log[32..]
        .chunks_exact(24 + 4096)
        .take_while(|frame| &frame[8..16] == salt)
        .filter(|frame| frame[4..8] != [0; 4])
        .count()
}

fn is_there(store: &SqliteStore, name: &str) -> bool {
    let found = run(store.instance(id(name))).expect("an answer");
    matches!(found, Lookup::Found(_))
}

#[test]
fn changes_that_wait_share_one_commit() {
    let folder = Folder::new();
    let store = Arc::new(SqliteStore::open(&folder.file(), &Keys::default()).expect("a store"));
    let (results, commits) = made_together(&store, &folder, &["a", "b", "c", "b", "d", "e"]);
    let done = results
        .iter()
        .filter(|result| matches!(result, Ok(Begun::Done)))
        .count();
    assert_eq!(done, 5, "{results:?}");
    assert!(matches!(results[3], Ok(Begun::InstanceThere(_))));
    // The first, and all that waited meanwhile; or all, where the first had to wait for its turn too.
    assert!((1..=2).contains(&commits), "{commits} commits");

    // The count can tell: one after the other each takes its own.
    let before = self::commits(&folder);
    for name in ["f", "g", "h"] {
        run(store.begin(provision(name))).expect("an answer");
    }
    assert_eq!(self::commits(&folder) - before, 3);
}

/// `RAISE(ABORT)` fails one statement, after the instance of its change was inserted; `RAISE(ROLLBACK)` is what SQLite
/// does by itself on a full disk: it gives the whole transaction up.
#[test]
fn a_bad_change_takes_no_other_with_it() {
    for (raise, good, health) in [("ABORT", true, true), ("ROLLBACK", false, true)] {
        let folder = Folder::new();
        let store = Arc::new(SqliteStore::open(&folder.file(), &Keys::default()).expect("a store"));
        let trap = format!(
            "CREATE TRIGGER trap BEFORE INSERT ON operations WHEN NEW.instance_id = 'bad'
             BEGIN SELECT RAISE({raise}, 'trapped'); END"
        );
        let database = Connection::open(folder.file()).expect("the file");
        database.execute_batch(&trap).expect("a trap");
        let (results, _) = made_together(&store, &folder, &["first", "a", "bad", "b"]);
        assert!(matches!(results[0], Ok(Begun::Done)), "{results:?}");
        let refused =
            matches!(&results[2], Err(StoreError::Unavailable(why)) if why.contains("trapped"));
        assert!(refused, "{results:?}");
        assert!(!is_there(&store, "bad"), "{raise}: half of it stayed");
        for (at, name) in [(1, "a"), (3, "b")] {
            assert_eq!(results[at].is_ok(), good, "{raise}: {results:?}");
            assert_eq!(is_there(&store, name), good, "{raise}");
        }
        assert_eq!(run(store.health()).is_ok(), health);
        let later = run(store.begin(provision("later")));
        assert!(matches!(later, Ok(Begun::Done)), "{raise}: {later:?}");
    }
}

/// Every statement of `changes.rs` and `rows.rs`, as SQLite would carry it out: by an index, never row by row through a table.
#[test]
fn every_look_up_has_an_index() {
    let mut connection = Connection::open_in_memory().expect("a database");
    migrations::migrate(&mut connection).expect("a schema");
    let statements: Vec<&str> = concat!(include_str!("changes.rs"), include_str!("rows.rs"))
        .split('"')
        .filter(|text| {
            ["SELECT ", "INSERT ", "UPDATE ", "DELETE "]
                .iter()
                .any(|verb| text.starts_with(verb))
        })
        .collect();
    assert!(
        statements.len() >= 10,
        "is the search blind? {statements:?}"
    );
    for statement in statements {
        let plan = plan(&connection, statement);
        assert!(!plan.contains("SCAN"), "{statement}\n{plan}");
    }
    let blind = plan(&connection, "SELECT id FROM instances WHERE space = ?1");
    assert!(blind.contains("SCAN"), "{blind}");
}

fn plan(connection: &Connection, statement: &str) -> String {
    let mut explained = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
        .expect(statement);
    let parameters = vec![rusqlite::types::Null; explained.parameter_count()];
    let steps = explained
        .query_map(rusqlite::params_from_iter(parameters), |row| {
            row.get("detail")
        })
        .expect(statement);
    let steps: Vec<String> = steps.collect::<Result<_, _>>().expect(statement);
    steps.join("\n")
}

#[test]
fn tables_are_strict_and_bindings_belong_to_an_instance() {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.file(), &Keys::default()).expect("a store");
    run(store.begin(provision("i"))).expect("an answer");
    let database = super::open::connect(&folder.file()).expect("a connection as the writer's");
    let (tables, strict): (i64, i64) = database
        .query_row(
            "SELECT count(*), sum(strict) FROM pragma_table_list
             WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("a count");
    assert_eq!((tables, strict), (6, 6));
    let bind = |instance: &str| {
        database.execute(
            "INSERT INTO bindings (instance_id, id, service_id, plan_id, operation, kind, state, fingerprint, created_at,
                                   details)
             VALUES (?1, 'b', 's', 'p', 'o', 'bind', 'succeeded', x'00', 1, x'00')",
            [instance],
        )
    };
    assert!(bind("nowhere").is_err(), "a binding without an instance");
    assert!(bind("i").is_ok());
    assert!(
        database.execute("DELETE FROM instances", []).is_err(),
        "an instance goes before its binding"
    );
    for (pragma, expected) in [("synchronous", "2"), ("journal_mode", "wal")] {
        let value: String = database
            .query_row(
                &format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}"),
                [],
                |row| row.get(0),
            )
            .expect(pragma);
        assert_eq!(value, expected, "{pragma}");
    }
}

/// Between the reading of a page and its writing a cell changes and another goes: both stay as that left them.
#[test]
fn a_cell_that_changed_is_not_sealed_anew() {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.file(), &keys(&[1])).expect("a store");
    for name in ["i", "j", "k"] {
        run(store.begin(provision(name))).expect("an answer");
    }
    run(store.close()).expect("its end");
    drop(store);
    let store = SqliteStore::open(&folder.file(), &keys(&[2, 1])).expect("a store");
    let read = |connection: &Database| Ok(reseal::page(connection, &Place::instances(), 9)?);
    let page = run(store.readers.ask(read)).expect("a page");
    assert_eq!(page.cells, 3);
    run(store.begin(update("j", 1))).expect("an answer");
    run(store.begin(deprovision("k", 1))).expect("an answer");
    let changes = page.changes;
    let written = store
        .writer
        .step(move |connection| reseal::write(connection, &changes));
    assert_eq!(run(written).expect("an answer"), 1);
    let found = run(store.instance(id("j"))).expect("an answer");
    assert_eq!(found, Lookup::Found(instance("j", 2)));
    let found = run(store.instance(id("k"))).expect("an answer");
    assert_eq!(found, Lookup::Absent);
    let rest = run(store.readers.ask(read)).expect("a page");
    assert_eq!(rest.cells, 0, "all is sealed with the first key");
}

/// A program that a killed broker was just starting has its files until it runs.
#[test]
fn a_lock_that_is_about_to_go_is_waited_for() {
    let folder = Folder::new();
    let keys = keys(&[1]);
    let first = SqliteStore::open(&folder.file(), &keys).expect("a store");
    let path = folder.file();
    let second = std::thread::spawn(move || SqliteStore::open(&path, &self::keys(&[1])).map(drop));
    std::thread::sleep(Duration::from_millis(200));
    assert!(!second.is_finished(), "it is held");
    run(first.close()).expect("its end");
    drop(first);
    second.join().expect("a thread").expect("a store");
    // One that stays is not waited for without end.
    let _first = SqliteStore::open(&folder.file(), &keys).expect("a store");
    let refused = SqliteStore::open(&folder.file(), &keys)
        .err()
        .expect("it is held");
    assert!(
        refused.to_string().contains("another broker serves it"),
        "{refused}"
    );
}

/// Only what is at leisure and alone is not waited for on the disk, and nothing that comes behind it.
#[test]
fn a_change_is_waited_for_on_the_disk_whatever_came_before_it() {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.file(), &Keys::default()).expect("a store");
    let how = |connection: &super::database::Database| -> Result<i64, super::rows::RowError> {
        Ok(connection.pragma_query_value(None, "synchronous", |row| row.get(0))?)
    };
    let (full, normal) = (2, 1);
    for _ in 0..2 {
        assert_eq!(run(store.writer.step(how)).expect("an answer"), full);
        let leisurely = run(store.writer.step_at_leisure(how));
        assert_eq!(leisurely.expect("an answer"), normal);
    }
    run(store.writer.sync()).expect("on disk");
    // The commit that it was put on the disk with was one that is waited for.
    assert_eq!(run(store.writer.step(how)).expect("an answer"), full);
}

/// Only entries of what was asked for are read, and no rows.
#[test]
fn the_fullest_places_are_found_by_the_index_that_counts() {
    use crate::domain::fullest::{Each, FullestQuery};
    use crate::domain::id::{PlanId, ServiceId};
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.file(), &Keys::default()).expect("a store");
    run(store.ready_to_count()).expect("an index");
    let database = super::open::connect(&folder.file()).expect("a connection");
    for plan in [None, Some("p")] {
        for each in [Each::Organization, Each::Space] {
            let query = FullestQuery {
                service: ServiceId::parse("s").expect("an id"),
                plan: plan.map(|plan| PlanId::parse(plan).expect("an id")),
                each,
                most: 3,
            };
            let plan = self::plan(&database, &super::fullest::statement(&query));
            assert!(
                plan.contains("SEARCH instances USING COVERING INDEX instances_counted"),
                "{query:?}: {plan}"
            );
        }
    }
}
