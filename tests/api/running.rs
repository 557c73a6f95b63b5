//! Starting, stopping, and what is said where the broker cannot start.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Broker, CATALOG, Folder, PLAN, SERVICE, Setup, at_instance, provision_body};
use crate::http::Connection;

/// Starts what must not start: its exit code, and what it said on standard error. One that serves all the same is
/// ended, and fails the test.
pub fn refused(setup: &Setup, folder: &Folder) -> (i32, String) {
    let mut child = setup
        .command(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut errors = child.stderr.take().expect("its errors");
    let reading = thread::spawn(move || {
        let mut said = String::new();
        errors.read_to_string(&mut said).map(|_| said)
    });
    let until = Instant::now() + Duration::from_secs(20);
    let status = loop {
        if let Some(status) = child.try_wait().expect("its status") {
            break status;
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it serves: {:?}", setup.command(folder));
        }
        thread::sleep(Duration::from_millis(5));
    };
    let said = reading.join().expect("a thread").expect("what it said");
    (status.code().unwrap_or(-1), said)
}

/// One line, in the broker's name, that says `words`; exit code 2.
pub fn assert_one_line(setup: &Setup, folder: &Folder, words: &[&str]) {
    let (code, said) = refused(setup, folder);
    assert_eq!(code, 2, "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("catalog-broker: "), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

fn is_ready(broker: &Broker) -> bool {
    broker.get("/readyz").status == 200
}

fn nobody_listens(broker: &Broker) -> bool {
    match Connection::open(broker.address) {
        Err(error) => error.kind() == ErrorKind::ConnectionRefused,
        Ok(_) => false,
    }
}

/// Waits until `what` holds.
pub fn wait_until(broker: &Broker, why: &str, what: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(15);
    while !what() {
        assert!(Instant::now() < until, "{why}:\n{}", broker.log());
        thread::sleep(Duration::from_millis(10));
    }
}

/// After the signal `/readyz` says no while all else is answered, then nobody listens any more, what is under way is
/// answered, and the store is closed.
#[test]
fn a_signal_drains_and_then_stops() {
    for signal in ["TERM", "INT"] {
        let mut broker = Setup::new(CATALOG)
            .env("BROKER_SERVER__DRAIN_DELAY", "3s")
            .start();
        assert_eq!(broker.provision("i-1", &provision_body()).status, 201);
        assert!(is_ready(&broker));
        let _idle = Connection::open(broker.address).expect("an idle connection");
        let mut kept = Connection::open(broker.address).expect("a kept connection");
        let alive = broker.request("GET", "/healthz");
        assert_eq!(kept.send(&alive).expect("an answer").status, 200);
        let mut slow = Connection::open(broker.address).expect("a slow connection");
        let request = broker
            .request("PUT", &at_instance("i-slow"))
            .json(&provision_body())
            .to_bytes();
        let (first, rest) = request.split_at(request.len() - 20);
        slow.write(first).expect("the first part is sent");
        thread::sleep(Duration::from_millis(100));

        let signalled = Instant::now();
        broker.signal(signal);
        wait_until(&broker, "ready after the signal", || !is_ready(&broker));
        assert!(signalled.elapsed() < Duration::from_secs(2), "at once");
        assert_eq!(broker.get("/readyz").word(), "NotReady");
        assert_eq!(broker.get("/healthz").status, 200, "while it drains");
        assert_eq!(broker.provision("i-2", &provision_body()).status, 201);
        assert!(
            signalled.elapsed() < Duration::from_secs(3),
            "too slow to tell"
        );

        wait_until(&broker, "still listening", || nobody_listens(&broker));
        assert!(signalled.elapsed() >= Duration::from_secs(3));
        slow.write(rest).expect("the rest is taken");
        assert_eq!(
            slow.read("PUT").expect("its answer").status,
            201,
            "{signal}"
        );
        let status = broker.wait();
        assert_eq!(status.code(), Some(0), "{signal}: {}", broker.log());
        assert!(
            signalled.elapsed() < Duration::from_secs(10),
            "idle connections hold nobody up: {:?}",
            signalled.elapsed()
        );
        let data = broker.folder.path().join("data");
        let left: Vec<_> = fs::read_dir(&data)
            .expect("its folder")
            .map(|entry| entry.expect("an entry").file_name())
            .filter(|name| name != "broker.db" && name != "broker.db.lock")
            .collect();
        assert!(left.is_empty(), "the store was not closed: {left:?}");
        let broker = broker.restarted();
        for instance in ["i-1", "i-2", "i-slow"] {
            assert_eq!(broker.fetch(instance).status, 200, "{instance}");
        }
    }
}

/// A client that never ends its request is cut off when the time is over: the exit is 0 all the same, the store closed.
#[test]
fn a_stuck_client_does_not_hold_the_stop_up() {
    let mut broker = Setup::new(CATALOG)
        .env("BROKER_SERVER__SHUTDOWN_TIMEOUT", "1500ms")
        .start();
    assert_eq!(broker.provision("i-1", &provision_body()).status, 201);
    let mut stuck = Connection::open(broker.address).expect("a connection");
    stuck
        .write(
            &broker
                .request("PUT", &at_instance("i-stuck"))
                .header("Content-Length", "1000")
                .body("{")
                .to_bytes(),
        )
        .expect("its first byte");
    thread::sleep(Duration::from_millis(200));
    broker.signal("TERM");
    let signalled = Instant::now();
    let status = broker.wait();
    assert_eq!(status.code(), Some(0), "{}", broker.log());
    let took = signalled.elapsed();
    assert!(
        took > Duration::from_millis(1300),
        "it was waited for: {took:?}"
    );
    assert!(took < Duration::from_secs(5), "not for ever: {took:?}");
    assert!(!broker.folder.path().join("data/broker.db-wal").exists());
    let broker = broker.restarted();
    assert_eq!(broker.fetch("i-1").status, 200);
    assert_eq!(broker.fetch("i-stuck").status, 404);
}

#[test]
fn what_cannot_start_says_why_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let good = || Setup::new(CATALOG);
    let cases: Vec<(Setup, &[&str])> = vec![
        (
            good().env("PORT", &port),
            &["in use", "--port", "127.0.0.1"],
        ),
        (
            good().env("BROKER_SERVER__ADDRESS", "192.0.2.1"),
            &["192.0.2.1", "--address"],
        ),
        (
            good().env("BROKER_AUTH__PASSWORD", ""),
            &["BROKER_AUTH__PASSWORD"],
        ),
        (
            good().env("BROKER_SERVER__PROT", "1"),
            &["BROKER_SERVER__PROT"],
        ),
        (
            good().env("BROKER_SERVER__WORKERS", "0"),
            &["server.workers"],
        ),
        (
            good().env("BROKER_SERVER__WORKERS", "1000"),
            &["server.workers"],
        ),
        (
            good().env("BROKER_SERVER__TRUSTED_PROXIES", "10.0.0.0/33"),
            &["server.trusted_proxies"],
        ),
        (
            good().env("BROKER_LOG__FORMAT", "xml"),
            &["log.format", "text", "json"],
        ),
        (
            good().env("RUST_LOG", "request=loud"),
            &["RUST_LOG", "log level"],
        ),
        (
            good().arg("--config").arg("nowhere.yaml"),
            &["nowhere.yaml"],
        ),
        (
            good().arg("--store").arg("mongodb://x"),
            &["store.url", "sqlite:"],
        ),
        (
            good().env("VCAP_APPLICATION", "{}"),
            &[
                "sqlite",
                "restart",
                "BROKER_STORE__URL=none",
                "BROKER_STORE__EPHEMERAL_OK=true",
            ],
        ),
    ];
    for (setup, words) in cases {
        let folder = Folder::new();
        folder.write("catalog.yaml", CATALOG);
        assert_one_line(&setup, &folder, words);
    }
}

#[test]
fn a_catalog_that_is_not_there_or_wrong_does_not_start() {
    let folder = Folder::new();
    let (code, said) = refused(&Setup::default(), &folder);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("catalog.yaml"), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("catalog-broker: the catalog has errors"),
        "{said}"
    );

    folder.write(
        "catalog.yaml",
        &CATALOG.replace("name: small", "nmae: small"),
    );
    let (code, said) = refused(&Setup::default(), &folder);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("nmae") && said.contains("catalog.yaml:"),
        "{said}"
    );
    assert!(!folder.path().join("data").exists(), "nothing was begun");
}

/// On Cloud Foundry a file is lost at every restart: only who says that it may be has one.
#[test]
fn a_file_on_cloud_foundry_must_be_wanted() {
    let broker = Setup::new(CATALOG)
        .env("VCAP_APPLICATION", "{}")
        .env("BROKER_STORE__EPHEMERAL_OK", "true")
        .start();
    assert_eq!(broker.provision("i-1", &provision_body()).status, 201);
}

#[test]
fn a_base_path_is_before_everything() {
    let broker = Setup::new(CATALOG)
        .env("BROKER_SERVER__BASE_PATH", "/brokers/one")
        .start();
    let bare = |path: &str| broker.send(&crate::http::Request::new("GET", path)).status;
    assert_eq!(bare("/brokers/one/healthz"), 200);
    assert_eq!(bare("/brokers/one/readyz"), 200);
    assert_eq!(bare("/healthz"), 401, "it is not the broker's to say");
    assert_eq!(bare("/brokers/one/v2/catalog"), 401);
    assert_eq!(broker.get("/brokers/one/v2/catalog").status, 200);
    assert_eq!(broker.get("/v2/catalog").status, 404);
    let path = format!("/brokers/one{}", at_instance("i-1"));
    assert_eq!(broker.put(&path, &provision_body()).status, 201);
    let gone = format!("{path}?service_id={SERVICE}&plan_id={PLAN}");
    assert_eq!(broker.delete(&gone).status, 200);
}

/// As many threads as the setting says take requests.
#[test]
fn workers_are_as_many_as_were_asked_for() {
    for workers in [1, 3] {
        let broker = Setup::new(CATALOG)
            .env("BROKER_SERVER__WORKERS", &workers.to_string())
            .env("BROKER_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1")
            .start();
        let tasks = format!("/proc/{}/task", broker.pid());
        let named = fs::read_dir(tasks)
            .expect("its threads")
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|name| name.starts_with("actix-rt|system"))
            .count();
        assert_eq!(named, workers);
    }
}

/// A broker that starts in the place of one that ends finds all that it left.
#[test]
fn one_broker_follows_another() {
    let mut first = Setup::new(CATALOG).start();
    assert_eq!(first.provision("i-1", &provision_body()).status, 201);
    first.signal("TERM");
    assert_eq!(first.wait().code(), Some(0));
    let folder = Arc::clone(&first.folder);
    let second = Setup::new("").start_in(&folder);
    assert_eq!(second.provision("i-1", &provision_body()).status, 200);
}
