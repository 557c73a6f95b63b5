//! What is recorded while a catalog is held against what lives is held against it, too.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::documents::provision_of;
use crate::harness::{Broker, Setup, at_instance};
use crate::http::{Connection, Request};

/// A plan of one name, with this id.
fn catalog(id: &str) -> String {
    format!(
        "services: [{{ id: service, name: service, description: A service, bindable: false, plans: [{{ id: {id}, name: plan, description: A plan }}] }}]\n"
    )
}

/// How often the plan's id changes. Each change is refused as long as there is an instance.
const CHANGES: usize = 20;

/// A client makes an instance and takes it away, again and again: one that it has made and has not taken away yet is of a plan
/// that is there. Without a second look a catalog is taken that was looked at just before an instance was made.
#[test]
fn no_instance_slips_in_between_the_look_and_the_change() {
    let broker = Setup::new(&catalog("a"))
        .env("BROKER_RELOAD__EVERY", "0")
        .env("BROKER_AUTH__LOGINS__OPS__TOKEN", "0perator")
        .env("BROKER_AUTH__LOGINS__OPS__ROLE", "operator")
        .start();
    let (over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut refused = 0;
    thread::scope(|scope| {
        for client in 0..2 {
            let (broker, over, made) = (&broker, &over, &made);
            scope.spawn(move || {
                let _stop = Stop(over);
                let mut connection = Connection::open(broker.address).expect("a connection");
                while !over.load(Ordering::Relaxed) {
                    for plan in ["a", "b"] {
                        let id = format!("i-{client}");
                        if lives(broker, &mut connection, &id, plan) {
                            made.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
        let _stop = Stop(&over);
        for number in 1..=CHANGES {
            let id = if number % 2 == 0 { "a" } else { "b" };
            broker.folder.write("catalog.yaml", &catalog(id));
            loop {
                let ask = Request::new("POST", "/admin/reload");
                let ask = ask.header("Authorization", "Bearer 0perator");
                let answer = broker.send_unchecked(&ask);
                if answer.status == 200 {
                    break;
                }
                assert_eq!(answer.word(), "CatalogBreaks", "{}", answer.text());
                assert!(!over.load(Ordering::Relaxed), "a client has failed");
                refused += 1;
            }
        }
    });
    let made = made.load(Ordering::Relaxed);
    println!("{CHANGES} changes, {refused} refused, {made} instances");
    assert!(made > 10, "{made}");
    assert!(
        !broker.log().contains("was not looked at"),
        "{}",
        broker.log()
    );
}

/// Makes an instance and takes it away, if the plan is offered at the moment; whether it was.
fn lives(broker: &Broker, connection: &mut Connection, id: &str, plan: &str) -> bool {
    let mut send = |request: Request| connection.send(&request).expect("an answer");
    let at = at_instance(id);
    let made = send(
        broker
            .request("PUT", &at)
            .json(&provision_of("service", plan)),
    );
    if made.status != 201 {
        assert_eq!(made.word(), "PlanNotInCatalog", "{}", made.text());
        return false;
    }
    let catalog = send(broker.request("GET", "/v2/catalog")).json();
    let offered = &catalog["services"][0]["plans"][0]["id"];
    assert_eq!(offered, plan, "its plan has left while it is there");
    let query = format!("{at}?service_id=service&plan_id={plan}");
    assert_eq!(send(broker.request("DELETE", &query)).status, 200);
    true
}

/// Ends the work of all, also where one fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
