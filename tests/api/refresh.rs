//! `refresh`: a fetch gives what the document says now, of the values that are stored.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Setup};

const CATALOG: &str = r#"
services:
  - id: s
    name: refreshed
    description: What is fetched
    bindable: true
    bindings_retrievable: true
    values: { host: old.example.com }
    binding:
      ttl: 90d
      values: { password: "{{ random_password(20) }}", made_for: "{{ values.host }}" }
      credentials:
        host: "{{ values.host }}"
        password: "{{ binding.values.password }}"
        made_for: "{{ binding.values.made_for }}"
        level: "{{ binding.parameters.level }}"
    plans:
      - { id: anew, name: anew, description: Is rendered anew, binding: { refresh: true } }
      - { id: kept, name: kept, description: Is kept }
"#;

/// The broker on the same state with another document.
fn served(broker: Broker, catalog: &str) -> Broker {
    let folder = Arc::clone(&broker.folder);
    drop(broker);
    Setup::new(catalog).start_in(&folder)
}

fn fetched(broker: &Broker, plan: &str) -> Value {
    let fetched = broker.fetch_binding(plan, "b");
    assert_eq!(fetched.status, 200, "{}", fetched.text());
    let mut body = fetched.json();
    assert_eq!(body["parameters"], json!({ "level": "high" }));
    body.as_object_mut()
        .expect("an object")
        .remove("parameters");
    body
}

#[test]
fn a_fetch_gives_what_the_document_says_now_and_draws_nothing() {
    let mut broker = Setup::new(CATALOG).start();
    let mut bound = Vec::new();
    for plan in ["anew", "kept"] {
        assert_eq!(broker.provision(plan, &provision_of("s", plan)).status, 201);
        let mut body = bind_of("s", plan);
        body["parameters"] = json!({ "level": "high" });
        let made = broker.bind(plan, "b", &body);
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(fetched(&broker, plan), made.json());
        bound.push((plan, body, made.json()));
    }
    let (_, _, first) = &bound[0];
    broker = served(
        broker,
        &CATALOG
            .replace("old.example.com", "new.example.com")
            .replace("level:", "degree:"),
    );
    let mut expected = first.clone();
    expected["credentials"]["host"] = json!("new.example.com");
    let level = expected["credentials"]
        .as_object_mut()
        .expect("credentials")
        .remove("level");
    expected["credentials"]["degree"] = level.expect("a level");
    assert_eq!(fetched(&broker, "anew"), expected);
    assert_eq!(fetched(&broker, "anew"), expected, "each time the same");
    assert_eq!(fetched(&broker, "kept"), bound[1].2);
    // What is stored stays as it was: a repeat answers it, and a document that goes back gives it again.
    for (plan, body, made) in &bound {
        let again = broker.bind(plan, "b", body);
        assert_eq!((again.status, &again.json()), (200, made));
    }
    broker = served(broker, CATALOG);
    assert_eq!(fetched(&broker, "anew"), *first);
}

#[test]
fn what_cannot_be_rendered_anew_is_fetched_as_it_was() {
    let mut broker = Setup::new(CATALOG).start();
    assert_eq!(
        broker.provision("anew", &provision_of("s", "anew")).status,
        201
    );
    let mut body = bind_of("s", "anew");
    body["parameters"] = json!({ "level": "high" });
    let made = broker.bind("anew", "b", &body).json();
    // A value that this binding has never had.
    let more = CATALOG
        .replace(
            "made_for: \"{{ values.host }}\"",
            "made_for: \"x\", later: \"y\"",
        )
        .replace(
            "host: \"{{ values.host }}\"",
            "host: \"at-{{ binding.values.later }}\"",
        );
    broker = served(broker, &more);
    assert_eq!(fetched(&broker, "anew"), made);
    broker.wait_for_log("fetched as it was");
    let log = broker.log();
    let password = made["credentials"]["password"]
        .as_str()
        .expect("a password");
    assert!(!log.contains(password));
    // The plan is gone: what it gave can still be fetched.
    let gone = CATALOG.replace("id: anew, name: anew", "id: other, name: other");
    broker = served(broker, &gone);
    assert_eq!(fetched(&broker, "anew"), made);
}
