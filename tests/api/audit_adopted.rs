//! What a platform names and the store did not know: the audit says who named it, also where they went away meanwhile.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection as Database;
use serde_json::{Value, json};

use crate::audit::{has, parsed, stopped};
use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Setup, at_binding};
use crate::http::{Connection, Request};

const CATALOG: &str = r"
services:
  - id: s
    name: service
    description: Takes over
    bindable: true
    instances_retrievable: true
    binding: { credentials: { user: u } }
    plans:
      - { id: known, name: known, description: Was there before, adopt: true }
";

/// Less than the broker waits for a file that somebody else writes to.
const WHILE: Duration = Duration::from_millis(400);

fn start() -> Broker {
    Setup::new(CATALOG)
        .env("BROKER_AUDIT__TO", "file:audit.log")
        .env("BROKER_STORE__URL", "sqlite:broker.db")
        .start()
}

/// Somebody binds an instance that the broker does not know.
fn asked(broker: &Broker, instance: &str) -> Request {
    // {"user_id":"u-1"}
    broker
        .request("PUT", &at_binding(instance, "b"))
        .header(
            "X-Broker-API-Originating-Identity",
            "cloudfoundry eyJ1c2VyX2lkIjoidS0xIn0=",
        )
        .json(&bind_of("s", "known"))
}

/// The line of what was adopted, when the broker has stopped.
fn told(broker: Broker) -> Vec<Value> {
    let folder = stopped(broker);
    let audit = fs::read_to_string(folder.path().join("audit.log")).expect("the audit");
    let lines = parsed(&audit).into_iter();
    lines.filter(|line| line["event"] == "adopted").collect()
}

fn who() -> Value {
    json!({
        "login": "default", "platform": "cloudfoundry", "user": "u-1", "from": "127.0.0.1", "instance": "i", "plan": "known",
    })
}

#[test]
fn who_named_it_is_told() {
    let broker = start();
    assert_eq!(broker.send(&asked(&broker, "i")).status, 201);
    let told = told(broker);
    assert_eq!(told.len(), 1, "{told:?}");
    has(&told[0], &who());
}

#[test]
fn it_is_told_of_though_its_client_goes_away() {
    let broker = start();
    let database = Database::open(broker.folder.path().join("broker.db")).expect("the file");
    database
        .busy_timeout(Duration::from_secs(60))
        .expect("patience");
    let until = Instant::now() + Duration::from_secs(120);
    let request = asked(&broker, "i").to_bytes();
    for tries in 0.. {
        assert!(Instant::now() < until, "it never came so far");
        // While nothing can be written, it is asked for, and who asked resets the connection.
        database.execute_batch("BEGIN IMMEDIATE").expect("held");
        let mut connection = Connection::open(broker.address).expect("a connection");
        let alive = broker.request("GET", "/healthz").to_bytes();
        connection.write(&alive).expect("sent");
        connection.stream().peek(&mut [0]).expect("an answer");
        connection.write(&request).expect("sent");
        thread::sleep(WHILE);
        drop(connection);
        thread::sleep(WHILE);
        database.execute_batch("COMMIT").expect("let go");
        // Behind it in the store.
        let behind = broker.provision(&format!("behind-{tries}"), &provision_of("s", "known"));
        assert_eq!(behind.status, 201);
        if broker.fetch("i").status == 200 {
            break;
        }
    }
    let told = told(broker);
    assert_eq!(told.len(), 1, "{told:?}");
    has(&told[0], &who());
}
