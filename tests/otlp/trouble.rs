//! A collector that is away, silent, or unwilling: no request waits for it nor fails, what is lost is told of, and the broker
//! stops all the same.

use std::net::TcpListener;
use std::path::Path;

use crate::certificates::Authority;
use crate::collector::Collector;
use crate::harness::{Broker, CATALOG, Setup, at_instance, provision_body};

/// More than wait for the collector.
const MANY: usize = 2600;

fn asked(broker: &Broker, count: usize) {
    for _ in 0..count {
        assert_eq!(broker.fetch("nowhere").status, 404);
    }
}

fn stops(broker: &mut Broker) {
    broker.signal("TERM");
    assert!(broker.wait().success(), "{}", broker.log());
}

#[test]
fn a_collector_that_is_away_changes_nothing() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let url = format!("http://127.0.0.1:{port}");
    let setup = Setup::new(CATALOG).env("BROKER_TRACES__ENDPOINT", &url);
    let mut broker = setup.start();
    assert_eq!(broker.provision("i", &provision_body()).status, 201);
    broker.wait_for_log("spans were lost: the collector: ");
    asked(&broker, 20);
    stops(&mut broker);
}

/// It takes the connection and never answers: what does not fit any more is lost, and nobody waits.
#[test]
fn a_silent_collector_keeps_nobody_waiting() {
    let collector = Collector::start();
    collector.is_silent();
    let mut broker = collector.setup(CATALOG).start();
    asked(&broker, MANY);
    stops(&mut broker);
    let log = broker.log();
    let line = log.lines().find(|line| line.contains("spans were lost"));
    assert!(line.is_some(), "{log}");
}

#[test]
fn a_collector_that_fails_is_told_of_once_and_taken_up_again() {
    let collector = Collector::start();
    collector.answers(500);
    let mut broker = collector.setup(CATALOG).start();
    asked(&broker, 1);
    broker.wait_for_log("spans were lost: the collector answered 500");
    // While it goes on, there is no second line.
    let before = collector.server.requests().len();
    asked(&broker, 1);
    while collector.server.requests().len() == before {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    collector.takes();
    asked(&broker, 1);
    broker.wait_for_log("the collector takes spans again");
    assert_eq!(broker.log().matches("spans were lost").count(), 1);
    assert!(!collector.spans().is_empty());
    stops(&mut broker);
}

#[test]
fn what_the_collector_rejects_is_told_of() {
    let collector = Collector::start();
    collector.rejects();
    let mut broker = collector.setup(CATALOG).start();
    asked(&broker, 1);
    broker.wait_for_log("spans were lost: the collector rejected them");
    assert!(!broker.log().contains("not today"), "what it says besides");
    stops(&mut broker);
}

#[test]
fn a_collector_is_trusted_for_its_authority() {
    let authority = Authority::new();
    let collector = Collector::start_tls(authority.sign("localhost", 2).server(None));
    let folder = crate::harness::Folder::new();
    let pem = String::from_utf8(authority.pem()).expect("PEM");
    let ca = folder.write("ca.pem", &pem);
    let trusting = |ca: &Path| {
        let ca = ca.display().to_string();
        collector.setup(CATALOG).env("BROKER_TRACES__CA", &ca)
    };
    let broker = trusting(&ca).start();
    assert_eq!(broker.get(&at_instance("i")).status, 404);
    collector.one(&broker, "GET /v2/service_instances/{instance_id}");
    drop(broker);
    let distrustful = collector.setup(CATALOG).start();
    assert_eq!(distrustful.get(&at_instance("j")).status, 404);
    distrustful.wait_for_log("spans were lost: the collector: ");
    // A file that is none is told of at start.
    let (status, _, said) = trusting(&folder.path().join("none.pem")).run();
    assert!(!status.success());
    assert!(
        said.contains("spans cannot be sent: ") && said.contains("none.pem"),
        "{said}"
    );
}
