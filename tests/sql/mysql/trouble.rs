//! A server that goes away, an administrator whose password changes, a broker that is killed: an operation waits, goes on,
//! and leaves nothing behind.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Admin, Stage, WORD};
use crate::harness::{Broker, Setup, at_binding, at_instance};
use crate::server::{Server, url};
use crate::stage::{asked, asked_bind, assert_same};
use crate::trouble::{asked_for, awaited, bindings, held, load, succeeded, wait_for_description};

/// Answers at once, and tries for as long as the tests may take.
const CATALOG: &str = r#"
backends:
  my: { sql: { server: "${MY_ADMIN}", connections: 3, timeout: 20s } }
services:
  - id: db
    name: db
    description: d
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    respond: async
    max_attempts: 60
    backend: { use: my, statements: mysql/database }
    plans:
      - { id: database, name: database, description: d }
      - id: slow
        name: slow
        description: Takes its time
        backend: { statements: { provision: [ "DO SLEEP(600)" ], deprovision: [ SELECT 1 ], bind: [], unbind: [] } }
      - id: asks
        name: asks
        description: Asks before it removes
        backend: { statements: { provision: [ SELECT 1 ], deprovision: [ { statement: "DROP USER asked_for@'%'", only_if: SELECT 1 } ], bind: [], unbind: [] } }
      - id: lists
        name: lists
        description: Removes what it was told of
        backend: { statements: { provision: [ SELECT 1 ], deprovision: [ { statement: "DROP DATABASE {{ row | ident }}", each: SELECT 'd_listed' } ], bind: [], unbind: [] } }
      - id: plain
        name: plain
        description: Removes without a question
        backend: { statements: { provision: [ SELECT 1 ], deprovision: [ "DROP USER asked_for@'%'" ], bind: [], unbind: [] } }
"#;

#[test]
fn a_server_that_is_away_is_waited_for() {
    let mut stage = Stage::with(Server::start(&[]), Admin::Plain, CATALOG);
    let before = stage.server.dump();
    stage.server.stop();
    let one = at_instance("one");
    let made = asked_for(&stage.broker, "PUT", &one, &asked("database")).expect("an answer");
    assert_eq!(made.status, 202);
    wait_for_description(&stage.broker, &one, "cannot be reached");
    stage.server.restart();
    succeeded(&stage.broker, &one);
    // A connection that was kept is of no use after it: the next operation makes another one, at once.
    stage.server.stop();
    stage.server.restart();
    let gone = format!("{one}?service_id=db&plan_id=database");
    asked_for(&stage.broker, "DELETE", &gone, &Value::Null).expect("an answer");
    assert_eq!(awaited(&stage.broker, &one).status, 410);
    assert_same(&stage.server.dump(), &before);
}

/// The operation waits and says why; a broker that is started with the new password goes on with it.
#[test]
fn a_password_that_was_changed_is_said_and_its_successor_goes_on() {
    let stage = Stage::with(Server::start(&[]), Admin::Plain, CATALOG);
    let one = at_instance("one");
    asked_for(&stage.broker, "PUT", &one, &asked("database")).expect("an answer");
    succeeded(&stage.broker, &one);
    stage
        .server
        .sql("ALTER USER admin@'%' IDENTIFIED BY 'n3w'; KILL USER admin");
    let path = at_binding("one", "first");
    asked_for(&stage.broker, "PUT", &path, &asked_bind("database")).expect("an answer");
    wait_for_description(&stage.broker, &path, "refuses the broker's own login");
    let log = stage.broker.log();
    assert!(log.contains("Access denied for user 'admin'"), "{log}");
    assert!(!log.contains(WORD), "{log}");
    let Stage { server, mut broker } = stage;
    broker.signal("TERM");
    broker.wait();
    let next = Setup::new(CATALOG)
        .env("MY_ADMIN", &url(server.port, "admin", "n3w", ""))
        .start_in(&broker.folder);
    succeeded(&next, &path);
    let login = crate::stage::Login(next.get(&path).json()["credentials"].clone());
    let stage = Stage {
        server,
        broker: next,
    };
    assert_eq!(stage.says(&login, "SELECT 1"), Ok("1".to_owned()));
}

/// A statement of an attempt that died may have its effect after the next one has asked: what is gone then is asked for
/// once more. Who removes without asking is told by the server.
#[test]
fn what_was_there_a_moment_ago_is_asked_for_again() {
    let stage = Stage::with(Server::start(&[]), Admin::Plain, CATALOG);
    for plan in ["asks", "lists", "plain"] {
        let path = at_instance(plan);
        asked_for(&stage.broker, "PUT", &path, &asked(plan)).expect("an answer");
        succeeded(&stage.broker, &path);
        let gone = format!("{path}?service_id=db&plan_id={plan}");
        asked_for(&stage.broker, "DELETE", &gone, &Value::Null).expect("an answer");
    }
    for plan in ["asks", "lists"] {
        wait_for_description(&stage.broker, &at_instance(plan), "refused statement 1");
    }
    let plain = awaited(&stage.broker, &at_instance("plain"));
    assert_eq!(plain.json()["state"], "failed", "{}", plain.text());
    stage
        .server
        .sql("CREATE USER asked_for@'%'; CREATE DATABASE d_listed");
    for plan in ["asks", "lists"] {
        assert_eq!(awaited(&stage.broker, &at_instance(plan)).status, 410);
    }
}

/// A delete stops what runs on the server.
#[test]
fn a_statement_ends_with_its_operation() {
    let catalog = CATALOG.replace("timeout: 20s", "timeout: 600s");
    let stage = Stage::with(Server::start(&[]), Admin::Plain, &catalog);
    let sleeping = |count: &str| {
        let question = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'admin' AND info LIKE 'DO SLEEP%'";
        let until = Instant::now() + Duration::from_secs(60);
        while stage.server.sql(question) != count {
            assert!(Instant::now() < until, "never {count}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    let one = at_instance("one");
    asked_for(&stage.broker, "PUT", &one, &asked("slow")).expect("an answer");
    sleeping("1");
    let gone = format!("{one}?service_id=db&plan_id=slow");
    asked_for(&stage.broker, "DELETE", &gone, &Value::Null).expect("an answer");
    sleeping("0");
    // A create that a delete cancelled has failed, and the delete is over.
    let polled = awaited(&stage.broker, &one);
    assert!(polled.status == 410 || polled.json()["state"] == "failed");
}

/// However much is to be done at once, the server has no more connections of the broker's than it was given.
#[test]
fn the_server_has_no_more_connections_than_were_given() {
    let stage = Stage::with(Server::start(&[]), Admin::Plain, CATALOG);
    let one = at_instance("one");
    asked_for(&stage.broker, "PUT", &one, &asked("database")).expect("an answer");
    succeeded(&stage.broker, &one);
    let bindings = bindings();
    for (instance, binding) in &bindings {
        let path = at_binding(instance, binding);
        asked_for(&stage.broker, "PUT", &path, &asked_bind("database")).expect("an answer");
    }
    let running = || {
        bindings.iter().any(|(instance, binding)| {
            let polled = stage
                .broker
                .get(&format!("{}/last_operation", at_binding(instance, binding)));
            polled.status == 200 && polled.json()["state"] == "in progress"
        })
    };
    let mut most = 0;
    loop {
        let question = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'admin'";
        let count = stage.server.sql(question);
        most = most.max(count.parse::<u32>().expect("a number"));
        if !running() {
            break;
        }
    }
    assert!((1..=3).contains(&most), "{most}");
    assert_eq!(made(&stage.server).len(), bindings.len());
}

/// The logins that the server has.
fn made(server: &Server) -> BTreeSet<String> {
    let names = server.sql(r"SELECT user FROM mysql.user WHERE user LIKE 'u\_%'");
    names.lines().map(str::to_owned).collect()
}

/// Waits until nothing is under way, then holds what bindings there are against what logins there are: as it came, and
/// with all of them bound.
fn settle(broker: &Broker, server: &Server, bindings: &[(String, String)]) {
    for (instance, binding) in bindings {
        awaited(broker, &at_binding(instance, binding));
    }
    assert_eq!(made(server), held(broker, bindings), "{}", broker.log());
    for (instance, binding) in bindings {
        let path = at_binding(instance, binding);
        asked_for(broker, "PUT", &path, &asked_bind("database")).expect("an answer");
        succeeded(broker, &path);
    }
    let logins = made(server);
    assert_eq!(logins.len(), bindings.len());
    assert_eq!(logins, held(broker, bindings));
}

fn ended(stage: &Stage, bindings: &[(String, String)], before: &str) {
    let one = at_instance("one");
    let gone = format!("{one}?service_id=db&plan_id=database");
    asked_for(&stage.broker, "DELETE", &gone, &Value::Null).expect("an answer");
    assert_eq!(
        awaited(&stage.broker, &one).status,
        410,
        "{}",
        stage.broker.log()
    );
    assert!(held(&stage.broker, bindings).is_empty());
    assert_same(&stage.server.dump(), before);
    assert_eq!(stage.notes(), "0");
}

#[test]
fn a_server_that_is_killed_under_load_has_a_login_for_each_binding_in_the_end() {
    let mut stage = Stage::with(Server::start(&[]), Admin::Super, CATALOG);
    let before = stage.server.dump();
    let one = at_instance("one");
    asked_for(&stage.broker, "PUT", &one, &asked("database")).expect("an answer");
    succeeded(&stage.broker, &one);
    let (stop, bindings) = (AtomicBool::new(false), bindings());
    thread::scope(|scope| {
        let broker = &stage.broker;
        for part in bindings.chunks(4) {
            let stop = &stop;
            scope.spawn(move || load(|| Some(broker.address), broker, part, stop));
        }
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(600));
            stage.server.stop();
            stage.server.restart();
        }
        stop.store(true, Ordering::Relaxed);
    });
    settle(&stage.broker, &stage.server, &bindings);
    ended(&stage, &bindings, &before);
}

/// Killed in the middle of provisions and binds; what it had begun its successor finishes. `SQL_KILLS` says how often.
#[test]
fn a_broker_that_is_killed_leaves_a_login_for_each_binding_and_none_more() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the environment of the tests, not of the broker"
    )]
    let kills = std::env::var("SQL_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(4);
    let server = Server::start(&[]);
    let before = server.dump();
    let setup = Setup::new(CATALOG)
        .env("MY_ADMIN", &server.url("mysql"))
        .env("BROKER_OPERATIONS__LEASE", "2s");
    let mut stage = Stage {
        broker: setup.start(),
        server,
    };
    let one = at_instance("one");
    asked_for(&stage.broker, "PUT", &one, &asked("database")).expect("an answer");
    let bindings = bindings();
    let mut instances = Vec::new();
    for kill in 0..kills {
        let name = format!("more-{kill}");
        asked_for(
            &stage.broker,
            "PUT",
            &at_instance(&name),
            &asked("database"),
        );
        instances.push(name);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let broker = &stage.broker;
            for part in bindings.chunks(4) {
                let stop = &stop;
                scope.spawn(move || load(|| Some(broker.address), broker, part, stop));
            }
            thread::sleep(Duration::from_millis(150 * (kill % 5)));
            broker.signal("KILL");
            stop.store(true, Ordering::Relaxed);
        });
        let Stage { server, broker } = stage;
        stage = Stage {
            server,
            broker: broker.restarted(),
        };
    }
    let one = "one".to_owned();
    for name in instances.iter().chain([&one]) {
        let path = at_instance(name);
        // One whose request the kill was quicker than is asked for now.
        asked_for(&stage.broker, "PUT", &path, &asked("database")).expect("an answer");
        succeeded(&stage.broker, &path);
    }
    let databases =
        r"SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name LIKE 'd\_%'";
    assert_eq!(
        stage.server.sql(databases),
        (instances.len() + 1).to_string()
    );
    settle(&stage.broker, &stage.server, &bindings);
    for name in &instances {
        let path = format!("{}?service_id=db&plan_id=database", at_instance(name));
        asked_for(&stage.broker, "DELETE", &path, &Value::Null).expect("an answer");
        assert_eq!(awaited(&stage.broker, &at_instance(name)).status, 410);
    }
    ended(&stage, &bindings, &before);
}
