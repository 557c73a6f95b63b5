//! A binding that an operator ends: asked first, done as what ends by itself is, and written down with the login.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Broker, Folder, SERVER, Setup, at_binding, provision_body, with};
use crate::scene::{self, BINDING, ORDERS, SEAT};
use crate::visitor::{Visitor, hidden};

const BOARD: &str = "9a8b7c6d-5e4f-4a3b-8c2d-000000000001";
const PATIENCE: Duration = Duration::from_secs(60);

fn page(instance: &str, binding: &str) -> String {
    format!("/binding/expire?id={instance}&binding={binding}")
}

fn ended(visitor: &mut Visitor<'_>, instance: &str, binding: &str) -> u16 {
    let page = page(instance, binding);
    let question = visitor.get(&page);
    assert_eq!(question.status, 200, "{}", question.text());
    let token = hidden(&question.text(), "token");
    visitor.post(&page, &[("token", &token)]).status
}

/// The lines of the audit with this in them, as soon as there are so many.
pub fn lines(broker: &Broker, part: &str, count: usize) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(broker.folder.path().join("audit.log"));
        let text = text.unwrap_or_default();
        let lines: Vec<Value> = text
            .lines()
            .filter(|line| line.contains(part))
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < until, "not {count} of {part}: {text}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_binding_is_ended_when_that_is_meant() {
    let broker = scene::full();
    let mut visitor = Visitor::signed_in(&broker, "anna");
    let shown = visitor.get(&format!("/instance?id={ORDERS}")).text();
    assert!(shown.contains("End it…"), "{shown}");
    let question = visitor.get(&page(ORDERS, BINDING)).text();
    assert!(
        question.contains(BINDING) && question.contains("orders"),
        "{question}"
    );
    assert_eq!(
        broker.fetch_binding(ORDERS, BINDING).status,
        200,
        "asking did it"
    );
    let token = hidden(&question, "token");
    let answer = visitor.post(&page(ORDERS, BINDING), &[("token", &token)]);
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(broker.fetch_binding(ORDERS, BINDING).status, 404);
    let shown = visitor
        .get(answer.header("location").expect("a page"))
        .text();
    assert!(
        shown.contains("The binding is ended") && shown.contains("Unbind succeeded"),
        "{shown}"
    );
    broker.wait_for_log("ended by the operator");
    let line = &lines(&broker, "\"intervened\"", 1)[0];
    for (key, value) in [
        ("by", "operator"),
        ("login", "anna"),
        ("kind", "unbind"),
        ("instance", ORDERS),
        ("binding", BINDING),
        ("result", "ended"),
    ] {
        assert_eq!(line[key], value, "{line}");
    }
    // Its platform is told as of any that is gone, and what is gone cannot be ended.
    let (service, plan) = scene::POSTGRES;
    assert_eq!(broker.unbind(ORDERS, BINDING, service, plan).status, 410);
    let late = visitor.post(&page(ORDERS, BINDING), &[("token", &token)]);
    assert_eq!(late.status, 404, "{}", late.text());
    // The others are as they were, and the same can be bound anew.
    let other = format!("{}2", &BINDING[..BINDING.len() - 1]);
    assert_eq!(broker.fetch_binding(ORDERS, &other).status, 200);
    let bind = json!({ "service_id": service, "plan_id": plan });
    assert_eq!(broker.bind(ORDERS, BINDING, &bind).status, 201);
}

/// An entry of a pool comes back with it.
#[test]
fn what_was_lent_comes_back() {
    let broker = scene::full();
    let bind = json!({ "service_id": SEAT.0, "plan_id": SEAT.1 });
    assert_eq!(broker.bind(BOARD, "fourth", &bind).status, 201);
    assert_eq!(broker.bind(BOARD, "fifth", &bind).status, 400);
    let mut visitor = Visitor::signed_in(&broker, "anna");
    assert_eq!(ended(&mut visitor, BOARD, "fourth"), 303);
    assert_eq!(broker.bind(BOARD, "fifth", &bind).status, 201);
}

const ACTING: &str = r#"
services:
  - id: s
    name: service
    description: Takes its time
    bindable: true
    bindings_retrievable: true
    plans:
      - id: p
        name: plan
        description: Asks a program
        backend: { command: { run: [/bin/sh, -c, "cat > last; test ! -e $FOLDER/closed || exit 75"], env: { FOLDER: "${FOLDER}" } } }
        max_attempts: 100
        respond: async
"#;

fn acting(setup: impl FnOnce(Setup) -> Setup) -> Broker {
    let folder = Folder::new();
    let place = folder.path().to_str().expect("text").to_owned();
    let setup = setup(scene::with_logins(Setup::new(ACTING).env("FOLDER", &place)));
    setup.start_in(&std::sync::Arc::new(folder))
}

fn settled(broker: &Broker, path: &str, state: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let polled = broker.get(path);
        let is_so = match state {
            "gone" => polled.status == 410,
            state => polled.json()["state"] == state,
        };
        if is_so {
            return;
        }
        assert!(Instant::now() < until, "{path}: {}", polled.text());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Where its backend has to act a worker does it, and nothing else is begun meanwhile.
fn a_backend_acts(broker: &Broker) {
    let body = with(provision_body(), "service_id", json!("s"));
    let body = with(body, "plan_id", json!("p"));
    let instance = "/v2/service_instances/i";
    let put = format!("{instance}?accepts_incomplete=true");
    assert_eq!(broker.put(&put, &body).status, 202);
    settled(broker, &format!("{instance}/last_operation"), "succeeded");
    let bind = json!({ "service_id": "s", "plan_id": "p" });
    let binding = at_binding("i", "b");
    assert_eq!(
        broker
            .put(&format!("{binding}?accepts_incomplete=true"), &bind)
            .status,
        202
    );
    let polled = format!("{binding}/last_operation");
    settled(broker, &polled, "succeeded");

    broker.folder.write("closed", "");
    let mut visitor = Visitor::signed_in(broker, "anna");
    assert_eq!(ended(&mut visitor, "i", "b"), 303);
    settled(broker, &polled, "in progress");
    let token = visitor.token();
    let again = visitor.post(&page("i", "b"), &[("token", &token)]);
    assert_eq!(again.status, 409);
    assert!(again.text().contains("is under way"), "{}", again.text());
    std::fs::remove_file(broker.folder.path().join("closed")).expect("it was there");
    settled(broker, &polled, "gone");
    let ends = lines(broker, "\"ended\"", 4);
    let line = ends
        .iter()
        .find(|line| line["event"] == "ended" && line["kind"] == "unbind");
    let line = line.expect("its end");
    assert_eq!(
        (&line["login"], &line["result"]),
        (&json!("anna"), &json!("succeeded"))
    );
}

#[test]
fn a_backend_acts_on_sqlite() {
    a_backend_acts(&acting(|setup| setup));
}

#[test]
fn a_backend_acts_on_postgres() {
    let url = SERVER.url(&SERVER.database());
    a_backend_acts(&acting(|setup| setup.env("BROKER_STORE__URL", &url)));
}
