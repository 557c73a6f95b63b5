//! `store copy` from one engine to another, and what keeps a state from being served while it moves.

use std::sync::Arc;

use crate::desk::{CATALOG, of};
use crate::engines::{Engine, Scene, run_on};
use crate::harness::{Broker, Folder, KEY, KEYS, SERVER, Setup};
use crate::runner::{Ran, run_with};

/// A broker on one store: told of three instances, one of which it took away, with bindings, and of one that takes time.
fn lived(engine: Engine) -> (Scene, serde_json::Value) {
    let scene = Scene::on(engine, Setup::new(CATALOG));
    for name in ["i", "j", "gone"] {
        assert_eq!(scene.provision(name, &of("now")).status, 201);
    }
    let bound = scene.bind("i", "b", &of("now")).json();
    assert_eq!(scene.bind("gone", "b", &of("now")).status, 201);
    assert_eq!(scene.deprovision("gone", "s", "now").status, 200);
    let later = "/v2/service_instances/later?accepts_incomplete=true";
    assert_eq!(scene.put(later, &of("later")).status, 202);
    (scene, bound)
}

fn copy(folder: &Arc<Folder>, from: &str, to: &str, more: &[&str]) -> Ran {
    run_on(
        folder,
        from,
        &[&["store", "copy", from, to][..], more].concat(),
    )
}

fn stop(broker: &mut Broker) {
    broker.signal("TERM");
    broker.wait();
}

/// There, and back again: after each move a broker goes on where the last one stopped.
#[test]
fn a_state_goes_from_engine_to_engine_and_lives_on() {
    let (mut scene, bound) = lived(Engine::Sqlite);
    let folder = Arc::clone(&scene.folder);
    let first = Engine::Postgres.url();
    let second = Engine::Postgres.url();
    let moves = [&first, &second, &"sqlite:back/broker.db".to_owned()].map(Clone::clone);
    let mut from = scene.url.clone();
    stop(&mut scene.broker);
    for (number, to) in moves.iter().enumerate() {
        let copied = copy(&folder, &from, to, &[]).exits(0);
        assert!(
            copied.out.contains("3 instances, 1 bindings"),
            "{}",
            copied.out
        );
        let mut broker = Setup::new(CATALOG)
            .env("BROKER_STORE__URL", to)
            .env(KEYS, KEY)
            .start_in(&folder);
        for name in ["i", "j"] {
            let again = broker.provision(name, &of("now"));
            assert_eq!(again.status, 200, "the same fingerprint");
        }
        assert_eq!(broker.bind("i", "b", &of("now")).json(), bound);
        assert_eq!(broker.poll("gone").status, 410);
        assert_eq!(broker.poll_binding("gone", "b").status, 410);
        assert_eq!(broker.poll("later").json()["state"], "succeeded");
        // What it does goes with the next move.
        let name = format!("b{number}");
        assert_eq!(broker.bind("j", &name, &of("now")).status, 201);
        assert_eq!(broker.unbind("j", &name, "s", "now").status, 200);
        stop(&mut broker);
        from.clone_from(to);
    }
}

#[test]
fn a_database_that_is_served_is_not_copied() {
    let (mut scene, _) = lived(Engine::Postgres);
    let folder = Arc::clone(&scene.folder);
    let to = "sqlite:new/broker.db";
    let refused = copy(&folder, &scene.url, to, &[]).exits(2);
    let said = "FROM seems to be served: ";
    assert!(refused.err.contains(said), "{}", refused.err);
    assert!(
        refused.err.contains("connections of brokers are open"),
        "{}",
        refused.err
    );
    // Neither is one that is written to.
    let (other, _) = lived(Engine::Sqlite);
    let from = "sqlite:data/broker.db";
    let mut stopped = other.broker;
    stop(&mut stopped);
    let empty = Scene::on(Engine::Postgres, Setup::new(CATALOG));
    let refused = copy(&stopped.folder, from, &empty.url, &[]).exits(2);
    assert!(
        refused.err.contains("TO seems to be served"),
        "{}",
        refused.err
    );

    // One whose broker died is served until its leases have run out.
    scene.broker.kill();
    let database = scene.url.rsplit('/').next().expect("a name").to_owned();
    let lease = "UPDATE broker_operations SET owner = 'dead', due_at = 4102444800000 WHERE instance_id = 'later'";
    SERVER.sql(&database, lease);
    let gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'catalog-broker' AND datname = current_database()";
    while SERVER.sql(&database, gone) != "0" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let refused = copy(&folder, &scene.url, to, &[]).exits(2);
    let said = "leased until 2100-01-01T00:00:00";
    assert!(refused.err.contains(said), "{}", refused.err);
    let stats = ["store", "stats", "--format", "json", "--store", to];
    let stats = run_with(&folder, &stats, &[(KEYS, KEY)]).exits(0);
    assert_eq!(
        stats.json()["instances"],
        serde_json::json!([]),
        "nothing was written"
    );
    let copied = copy(&folder, &scene.url, to, &["--force"]).exits(0);
    assert!(
        copied.out.contains("3 instances, 1 bindings"),
        "{}",
        copied.out
    );
}

/// A copy whose source cannot be read to its end leaves what nobody serves, and says how to go on.
#[test]
fn what_was_not_copied_to_its_end_is_served_by_nobody() {
    let (mut scene, _) = lived(Engine::Postgres);
    stop(&mut scene.broker);
    let folder = Arc::clone(&scene.folder);
    let database = scene.url.rsplit('/').next().expect("a name").to_owned();
    SERVER.sql(&database, "UPDATE broker_bindings SET details = '\\x07'");
    for engine in Engine::BOTH {
        let to = match engine {
            Engine::Sqlite => "sqlite:half/broker.db".to_owned(),
            Engine::Postgres => engine.url(),
        };
        let failed = copy(&folder, &scene.url, &to, &[]).exits(2);
        assert!(failed.err.contains("cannot be read"), "{}", failed.err);
        for arguments in [&["store", "stats"][..], &["serve"]] {
            let refused = run_on(&folder, &to, arguments).exits(2);
            let said = "a copy into it did not come to its end";
            assert!(refused.err.contains(said), "{}", refused.err);
            assert!(!refused.err.contains("p%40ss"), "{}", refused.err);
        }
    }
}

#[test]
fn a_url_may_hold_references() {
    let (mut scene, _) = lived(Engine::Sqlite);
    stop(&mut scene.broker);
    let to = Engine::Postgres.url();
    scene.folder.write("password", "p%40ss\n");
    let file = scene.folder.path().join("password");
    let by_file = to.replace("p%40ss", &format!("${{file:{}}}", file.display()));
    for (url, code, said) in [
        ("${NOT_THERE}", 2, "NOT_THERE"),
        ("${TARGET}", 0, ""),
        (&by_file, 2, "name a store that is empty"),
    ] {
        let arguments = ["store", "copy", "sqlite:data/broker.db", url];
        let ran = run_with(&scene.folder, &arguments, &[("TARGET", &to)]).exits(code);
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

#[test]
fn what_a_database_cannot_do_is_said() {
    let scene = Scene::on(Engine::Postgres, Setup::new(CATALOG));
    let refused = scene.run(&["store", "backup", "copy.db"]).exits(2);
    assert!(refused.err.contains("pg_dump"), "{}", refused.err);
    let empty = Engine::Postgres.url();
    for arguments in [
        &["store", "copy", &empty, "sqlite:new.db"][..],
        &["store", "stats", "--store", &empty],
        &["instances", "list", "--store", &empty],
    ] {
        let refused = scene.run(arguments).exits(2);
        let said = "there are no tables of a broker in it";
        assert!(refused.err.contains(said), "{}", refused.err);
        assert!(!refused.err.contains("p%40ss"), "{}", refused.err);
    }
    assert!(!scene.folder.path().join("new.db").exists());
    let database = empty.rsplit('/').next().expect("a name");
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'broker%'";
    assert_eq!(
        SERVER.sql(database, tables),
        "0",
        "nothing is made by looking"
    );
}
