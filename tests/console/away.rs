//! Who sends a step and goes away before it is answered: what was done is written down all the same.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection as Database;

use crate::harness::{Broker, CATALOG, Setup, provision_body};
use crate::http::{Connection, Request};
use crate::scene;
use crate::visitor::Visitor;

/// Less than the broker waits for a file that somebody else writes to.
const WHILE: Duration = Duration::from_millis(400);

/// Sends a step while the store takes none, and goes away with an answer that was not read, so that the connection is reset.
fn sent_and_gone(broker: &Broker, database: &Database, step: &Request) {
    database.execute_batch("BEGIN IMMEDIATE").expect("held");
    let mut connection = Connection::open(broker.address).expect("a connection");
    let alive = Request::new("GET", "/healthz").to_bytes();
    connection.write(&alive).expect("sent");
    connection.stream().peek(&mut [0]).expect("an answer");
    connection.write(&step.to_bytes()).expect("sent");
    thread::sleep(WHILE);
    drop(connection);
    thread::sleep(WHILE);
    database.execute_batch("COMMIT").expect("let go");
}

/// Whether it is gone, as soon as what waits for the store has been done.
fn is_gone(broker: &Broker, instance: &str, tries: u32) -> bool {
    let behind = format!("behind-{tries}");
    assert_eq!(broker.provision(&behind, &provision_body()).status, 201);
    broker.fetch(instance).status == 404
}

#[test]
fn a_step_whose_sender_goes_away_is_written_down() {
    let broker = scene::with_logins(Setup::new(CATALOG))
        .env("BROKER_STORE__URL", "sqlite:broker.db")
        .start();
    assert_eq!(broker.provision("i", &provision_body()).status, 201);
    let mut anna = Visitor::signed_in(&broker, "anna");
    let token = anna.token();
    let session = &anna.cookies["catalog-broker-session"];
    let step = anna
        .form("/instance/forget?id=i", &[("token", &token)])
        .header("Cookie", &format!("catalog-broker-session={session}"));
    let database = Database::open(broker.folder.path().join("broker.db")).expect("the file");
    database
        .busy_timeout(Duration::from_secs(60))
        .expect("patience");
    let until = Instant::now() + Duration::from_secs(120);
    let mut tries = 0;
    sent_and_gone(&broker, &database, &step);
    while !is_gone(&broker, "i", tries) {
        tries += 1;
        sent_and_gone(&broker, &database, &step);
        assert!(
            Instant::now() < until,
            "it never came so far: {}",
            broker.log()
        );
    }
    let mut broker = broker;
    broker.signal("TERM");
    assert!(broker.wait().success(), "{}", broker.log());
    let audit = fs::read_to_string(broker.folder.path().join("audit.log")).expect("the audit");
    let told = audit.lines().find(|line| line.contains("\"intervened\""));
    let told = told.unwrap_or_else(|| panic!("no line of it:\n{audit}"));
    for part in [
        "\"login\":\"anna\"",
        "\"instance\":\"i\"",
        "\"from\":\"127.0.0.1\"",
        "\"result\":\"forgotten\"",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(
        broker.log().contains("forgotten by the operator"),
        "{}",
        broker.log()
    );
}
