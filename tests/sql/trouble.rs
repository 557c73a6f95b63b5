//! A server that goes away, an administrator whose password changes, a broker that is killed: an operation waits, goes on,
//! and leaves nothing behind.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::harness::{Broker, Setup, at_binding, at_instance};
use crate::http::{self, Response};
use crate::stage::{Admin, Stage, WORD, asked, asked_bind, assert_same, dump, url};

/// Answers at once, and tries for as long as the tests may take.
const CATALOG: &str = r#"
backends:
  pg: { sql: { server: "${PG_ADMIN}", connections: 3, timeout: 20s } }
services:
  - id: db
    name: db
    description: d
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    respond: async
    max_attempts: 60
    backend: { use: pg, statements: postgresql/database }
    plans:
      - { id: database, name: database, description: d }
      - id: slow
        name: slow
        description: Takes its time
        backend: { statements: { provision: [ CREATE ROLE slow, SELECT pg_sleep(600) ], deprovision: [ SELECT 1 ], bind: [], unbind: [] } }
      - id: asks
        name: asks
        description: Asks before it removes
        backend: { statements: { provision: [ SELECT 1 ], deprovision: [ { statement: DROP ROLE asked_for, only_if: SELECT 1 } ], bind: [], unbind: [] } }
      - id: lists
        name: lists
        description: Removes what it was told of
        backend: { statements: { provision: [ SELECT 1 ], deprovision: [ { statement: "DROP ROLE {{ row | ident }}", each: SELECT 'listed' } ], bind: [], unbind: [] } }
      - id: plain
        name: plain
        description: Removes without a question
        backend: { statements: { provision: [ SELECT 1 ], deprovision: [ DROP ROLE asked_for ], bind: [], unbind: [] } }
"#;

pub(crate) fn asked_for(
    broker: &Broker,
    method: &str,
    path: &str,
    body: &Value,
) -> Option<Response> {
    let sign = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{sign}accepts_incomplete=true");
    let request = broker.request(method, &path);
    let request = if body.is_null() {
        request
    } else {
        request.json(body)
    };
    http::send(broker.address, &request).ok()
}

/// Waits for the end of the latest operation there; its last word.
pub(crate) fn awaited(broker: &Broker, path: &str) -> Response {
    let until = Instant::now() + Duration::from_secs(180);
    loop {
        let polled = broker.get(&format!("{path}/last_operation"));
        if polled.status != 200 || polled.json()["state"] != "in progress" {
            return polled;
        }
        assert!(Instant::now() < until, "never over:\n{}", broker.log());
        thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn succeeded(broker: &Broker, path: &str) {
    let polled = awaited(broker, path);
    assert_eq!(
        polled.json()["state"],
        "succeeded",
        "{}\n{}",
        polled.text(),
        broker.log()
    );
}

pub(crate) fn wait_for_description(broker: &Broker, path: &str, words: &str) {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let polled = broker.get(&format!("{path}/last_operation"));
        if polled.description().contains(words) {
            assert_eq!(polled.json()["state"], "in progress");
            return;
        }
        assert!(Instant::now() < until, "never told: {}", polled.text());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_server_that_is_away_is_waited_for() {
    let mut stage = Stage::with(Cluster::start(&[]), Admin::Plain, CATALOG);
    let before = dump(&stage.cluster);
    stage.cluster.stop();
    let one = at_instance("one");
    let made = asked_for(&stage.broker, "PUT", &one, &asked("database")).expect("an answer");
    assert_eq!(made.status, 202);
    wait_for_description(&stage.broker, &one, "cannot be reached");
    stage.cluster.restart();
    succeeded(&stage.broker, &one);
    let gone = format!("{one}?service_id=db&plan_id=database");
    asked_for(&stage.broker, "DELETE", &gone, &Value::Null).expect("an answer");
    assert_eq!(awaited(&stage.broker, &one).status, 410);
    assert_same(&dump(&stage.cluster), &before);
}

/// Under load: operations wait and say why, without a word of any password, and a broker that is started with the new one
/// goes on with all of them.
#[test]
fn a_password_that_was_changed_under_load_is_said_and_its_successor_goes_on() {
    let stage = Stage::with(Cluster::start(&[]), Admin::Plain, CATALOG);
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
        let until = Instant::now() + Duration::from_secs(60);
        while made(&stage.cluster).is_empty() {
            assert!(Instant::now() < until, "nothing is made:\n{}", broker.log());
        }
        // Sessions end when the new password holds: whoever logs in before that would stay.
        stage
            .cluster
            .sql("postgres", "ALTER ROLE admin PASSWORD 'n3w'");
        let end_sessions = || {
            stage.cluster.sql(
                "postgres",
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'admin'",
            );
        };
        end_sessions();
        let refusals = || {
            broker
                .log()
                .matches("password authentication failed")
                .count()
        };
        let until = Instant::now() + Duration::from_secs(60);
        while refusals() < 5 {
            assert!(Instant::now() < until, "never refused:\n{}", broker.log());
            thread::sleep(Duration::from_millis(50));
        }
        // One that was being made just then has come to be by now.
        end_sessions();
        stop.store(true, Ordering::Relaxed);
    });
    // What was under way waits, and what is asked for now, too.
    let path = at_binding("one", "first");
    asked_for(&stage.broker, "PUT", &path, &asked_bind("database")).expect("an answer");
    wait_for_description(&stage.broker, &path, "refuses the broker's own login");
    let described = stage.broker.get(&format!("{path}/last_operation"));
    assert!(
        described
            .description()
            .contains("its password may have been changed")
    );
    let Stage {
        cluster,
        mut broker,
    } = stage;
    broker.signal("TERM");
    broker.wait();
    for told in [broker.log(), described.text()] {
        assert!(!told.contains(WORD) && !told.contains("n3w"), "{told}");
    }
    let admin = url(cluster.port, "admin", "n3w", "shared");
    let next = Setup::new(CATALOG)
        .env("PG_ADMIN", &admin)
        .start_in(&broker.folder);
    succeeded(&next, &path);
    let login = next.get(&path).json()["credentials"]["uri"].clone();
    let login = login.as_str().expect("a uri");
    assert_eq!(
        crate::stage::psql(&cluster, login, "SELECT 1"),
        Ok("1".to_owned())
    );
    let mut bindings = bindings;
    bindings.push(("one".to_owned(), "first".to_owned()));
    settle(&next, &cluster, &bindings);
}

/// A statement of an attempt that died may have its effect after the next one has asked: what is gone then is asked for
/// once more. Who removes without asking is told by the server.
#[test]
fn what_was_there_a_moment_ago_is_asked_for_again() {
    let stage = Stage::with(Cluster::start(&[]), Admin::Plain, CATALOG);
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
    stage.cluster.sql(
        "postgres",
        "CREATE ROLE asked_for; GRANT asked_for TO admin WITH ADMIN OPTION;
         CREATE ROLE listed; GRANT listed TO admin WITH ADMIN OPTION",
    );
    for plan in ["asks", "lists"] {
        assert_eq!(awaited(&stage.broker, &at_instance(plan)).status, 410);
    }
}

/// A delete stops what runs on the server, and what it had done is undone.
#[test]
fn a_statement_ends_with_its_operation() {
    let catalog = CATALOG.replace("timeout: 20s", "timeout: 600s");
    let stage = Stage::with(Cluster::start(&[]), Admin::Plain, &catalog);
    let before = dump(&stage.cluster);
    let sleeping = |count: &str| {
        let question = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'admin' AND query LIKE 'SELECT pg_sleep%' AND state = 'active'";
        let until = Instant::now() + Duration::from_secs(60);
        while stage.cluster.sql("postgres", question) != count {
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
    assert_same(&dump(&stage.cluster), &before);
}

/// However much is to be done at once, the server has no more connections of the broker's than it was given.
#[test]
fn the_server_has_no_more_connections_than_were_given() {
    let stage = Stage::with(Cluster::start(&[]), Admin::Plain, CATALOG);
    let one = at_instance("one");
    asked_for(&stage.broker, "PUT", &one, &asked("database")).expect("an answer");
    succeeded(&stage.broker, &one);
    let bindings = bindings();
    let question =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'catalog-broker sql'";
    let mut most = 0;
    for (method, body) in [("PUT", asked_bind("database")), ("DELETE", Value::Null)] {
        let query = if method == "PUT" {
            ""
        } else {
            "?service_id=db&plan_id=database"
        };
        for (instance, binding) in &bindings {
            let path = format!("{}{query}", at_binding(instance, binding));
            asked_for(&stage.broker, method, &path, &body).expect("an answer");
        }
        let running = || {
            bindings.iter().any(|(instance, binding)| {
                let polled = stage
                    .broker
                    .get(&format!("{}/last_operation", at_binding(instance, binding)));
                polled.status == 200 && polled.json()["state"] == "in progress"
            })
        };
        loop {
            let count = stage.cluster.sql("postgres", question);
            most = most.max(count.parse::<u32>().expect("a number"));
            if !running() {
                break;
            }
        }
    }
    assert!((1..=3).contains(&most), "{most}");
    assert!(made(&stage.cluster).is_empty());
}

/// The names of all logins that bindings hold, as the broker tells them.
pub(crate) fn held(broker: &Broker, bindings: &[(String, String)]) -> BTreeSet<String> {
    let fetched = bindings
        .iter()
        .map(|(instance, binding)| broker.get(&at_binding(instance, binding)));
    fetched
        .filter(|fetched| fetched.status == 200)
        .map(|fetched| {
            let body = fetched.json();
            body["credentials"]["username"]
                .as_str()
                .expect("a name")
                .to_owned()
        })
        .collect()
}

/// Those that the server has.
fn made(cluster: &Cluster) -> BTreeSet<String> {
    let names = cluster.sql(
        "postgres",
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'u\\_%'",
    );
    names.lines().map(str::to_owned).collect()
}

/// Lives of bindings on one instance until told to stop; what goes wrong on the way is the harm of the moment.
pub(crate) fn load(
    at: impl Fn() -> Option<std::net::SocketAddr>,
    broker: &Broker,
    bindings: &[(String, String)],
    stop: &AtomicBool,
) {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        let (instance, binding) = &bindings[turn % bindings.len()];
        let path = at_binding(instance, binding);
        let remove = (turn / bindings.len()) % 2 == 1;
        let request = if remove {
            broker.request(
                "DELETE",
                &format!("{path}?service_id=db&plan_id=database&accepts_incomplete=true"),
            )
        } else {
            broker
                .request("PUT", &format!("{path}?accepts_incomplete=true"))
                .json(&asked_bind("database"))
        };
        if let Some(address) = at() {
            let _ = http::send(address, &request);
        }
        turn += 1;
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until nothing is under way, then holds what bindings there are against what logins there are: as it came, and
/// with all of them bound.
fn settle(broker: &Broker, cluster: &Cluster, bindings: &[(String, String)]) {
    for (instance, binding) in bindings {
        awaited(broker, &at_binding(instance, binding));
    }
    assert_eq!(made(cluster), held(broker, bindings), "{}", broker.log());
    for (instance, binding) in bindings {
        let path = at_binding(instance, binding);
        asked_for(broker, "PUT", &path, &asked_bind("database")).expect("an answer");
        succeeded(broker, &path);
    }
    let logins = made(cluster);
    assert_eq!(logins.len(), bindings.len());
    assert_eq!(logins, held(broker, bindings));
}

pub(crate) fn bindings() -> Vec<(String, String)> {
    (0..12)
        .map(|n| ("one".to_owned(), format!("b{n}")))
        .collect()
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
    assert_same(&dump(&stage.cluster), before);
}

#[test]
fn a_server_that_is_killed_under_load_has_a_login_for_each_binding_in_the_end() {
    let mut stage = Stage::with(Cluster::start(&[]), Admin::Super, CATALOG);
    let before = dump(&stage.cluster);
    asked_for(
        &stage.broker,
        "PUT",
        &at_instance("one"),
        &asked("database"),
    )
    .expect("an answer");
    succeeded(&stage.broker, &at_instance("one"));
    let (stop, bindings) = (AtomicBool::new(false), bindings());
    thread::scope(|scope| {
        let broker = &stage.broker;
        for part in bindings.chunks(4) {
            let stop = &stop;
            scope.spawn(move || load(|| Some(broker.address), broker, part, stop));
        }
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(600));
            stage.cluster.stop();
            stage.cluster.restart();
        }
        stop.store(true, Ordering::Relaxed);
    });
    settle(&stage.broker, &stage.cluster, &bindings);
    ended(&stage, &bindings, &before);
}

/// `KILLS` says how often.
#[test]
fn a_broker_that_is_killed_under_load_leaves_a_login_for_each_binding_in_the_end() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the environment of the tests, not of the broker"
    )]
    let kills = std::env::var("SQL_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(3);
    let cluster = Cluster::start(&[]);
    cluster.sql("postgres", "CREATE DATABASE shared");
    let before = dump(&cluster);
    let setup = Setup::new(CATALOG)
        .env("PG_ADMIN", &cluster.url("shared"))
        .env("BROKER_OPERATIONS__LEASE", "2s");
    let broker = setup.start();
    asked_for(&broker, "PUT", &at_instance("one"), &asked("database")).expect("an answer");
    succeeded(&broker, &at_instance("one"));
    let mut stage = Stage { cluster, broker };
    let bindings = bindings();
    for _ in 0..kills {
        let stop = AtomicBool::new(false);
        let port = AtomicUsize::new(usize::from(stage.broker.address.port()));
        thread::scope(|scope| {
            let broker = &stage.broker;
            for part in bindings.chunks(4) {
                let (stop, port) = (&stop, &port);
                let at = move || (port.load(Ordering::Relaxed) > 0).then_some(broker.address);
                scope.spawn(move || load(at, broker, part, stop));
            }
            thread::sleep(Duration::from_millis(700));
            broker.signal("KILL");
            port.store(0, Ordering::Relaxed);
            stop.store(true, Ordering::Relaxed);
        });
        let Stage { cluster, broker } = stage;
        stage = Stage {
            cluster,
            broker: broker.restarted(),
        };
    }
    settle(&stage.broker, &stage.cluster, &bindings);
    ended(&stage, &bindings, &before);
}
