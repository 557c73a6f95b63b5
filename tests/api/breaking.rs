//! What another catalog would break of what lives: a table of before, after, what lives, and the verdict, at a reload and
//! at a start.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, Setup, with};

/// The catalog before each change.
const BEFORE: &str = r#"
services:
  - id: s1
    name: databases
    description: Before
    bindable: true
    plan_updateable: true
    requires: [syslog_drain, route_forwarding]
    instances_retrievable: true
    bindings_retrievable: true
    binding: { credentials: { user: someone } }
    plans:
      - id: p1
        name: small
        description: Small
        schemas: { service_instance: { create: { parameters: { $schema: "http://json-schema.org/draft-04/schema#", type: object, properties: { size: { type: integer, maximum: 9 } } } } } }
      - { id: p2, name: large, description: Large, binding: { syslog_drain_url: "syslog://logs.example.com:514" } }
      - { id: p3, name: acting, description: Acts, respond: { bind: sync }, backend: { command: { run: [/bin/echo, '{}'] } } }
      - { id: p5, name: derived, description: Derived, derive: { current: v1, keys: { v1: "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", v2: "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=" } }, binding: { credentials: { password: "{{ derive('db', 24) }}" } } }
"#;

/// One change, and what comes of it with one instance of each plan in organizations of their own.
struct Case {
    what: &'static str,
    from: &'static str,
    to: &'static str,
    /// The rule that refuses it, the plan that it names, and the organization that has the instance; nothing where it is
    /// served.
    refused: Option<(&'static str, &'static str, &'static str)>,
}

const CASES: &[Case] = &[
    Case {
        what: "a description",
        from: "description: Small",
        to: "description: Tiny",
        refused: None,
    },
    Case {
        what: "a name, same id",
        from: "name: small",
        to: "name: tiny",
        refused: None,
    },
    Case {
        what: "a plan that was not there",
        from: "      - { id: p2,",
        to: "      - { id: p4, name: new, description: New }\n      - { id: p2,",
        refused: None,
    },
    Case {
        what: "an id under a name",
        from: "id: p1",
        to: "id: p9",
        refused: Some(("id-changed", "databases/small", "org-p1")),
    },
    Case {
        what: "an offering's id under its name",
        from: "id: s1",
        to: "id: s9",
        refused: Some(("id-changed", "databases/large", "org-p2")),
    },
    Case {
        what: "a plan that nothing acts for has left: a warning",
        from: "      - { id: p2, name: large, description: Large, binding: { syslog_drain_url: \"syslog://logs.example.com:514\" } }\n",
        to: "",
        refused: None,
    },
    Case {
        what: "a plan that a program acts for has left",
        from: "      - { id: p3, name: acting, description: Acts, respond: { bind: sync }, backend: { command: { run: [/bin/echo, '{}'] } } }\n",
        to: "",
        refused: Some(("plan-in-use", "`p3`", "1 organization")),
    },
    Case {
        what: "one such plan is hidden",
        from: "description: Acts,",
        to: "description: Acts, offered: false,",
        refused: None,
    },
    Case {
        what: "a plan is not bindable",
        from: "name: small\n",
        to: "name: small\n        bindable: false\n",
        refused: Some(("bindable-withdrawn", "databases/small", "org-p1")),
    },
    Case {
        what: "a permission goes that bindings have",
        from: "[syslog_drain, route_forwarding]",
        to: "[syslog_drain]",
        refused: Some(("requires-withdrawn", "databases/small", "org-p1")),
    },
    Case {
        what: "a permission comes",
        from: "[syslog_drain, route_forwarding]",
        to: "[syslog_drain, route_forwarding, volume_mount]",
        refused: None,
    },
    Case {
        what: "instances cannot be fetched",
        from: "    instances_retrievable: true\n",
        to: "",
        refused: Some(("retrievable-withdrawn", "databases/small", "org-p1")),
    },
    Case {
        what: "bindings cannot be fetched",
        from: "    bindings_retrievable: true\n",
        to: "",
        refused: Some(("retrievable-withdrawn", "databases/acting", "org-p3")),
    },
    Case {
        what: "updates go",
        from: "    plan_updateable: true\n",
        to: "",
        refused: Some(("updates-withdrawn", "databases/small", "org-p1")),
    },
    Case {
        what: "updates of one plan go",
        from: "name: large,",
        to: "name: large, plan_updateable: false,",
        refused: Some(("updates-withdrawn", "databases/large", "org-p2")),
    },
    Case {
        what: "fewer plans to move to",
        from: "name: large,",
        to: "name: large, updates_to: [small],",
        refused: Some(("updates-withdrawn", "databases/large", "org-p2")),
    },
    Case {
        what: "all the plans to move to, by their names",
        from: "name: large,",
        to: "name: large, updates_to: [derived, acting, small],",
        refused: None,
    },
    Case {
        what: "a schema that what lives does not fit",
        from: "maximum: 9",
        to: "maximum: 4",
        refused: Some(("schema-narrowed", "databases/small", "org-p1")),
    },
    Case {
        what: "a narrower schema that what lives fits",
        from: "maximum: 9",
        to: "maximum: 5",
        refused: None,
    },
    Case {
        what: "a schema goes",
        from: "        schemas: { service_instance: { create: { parameters: { $schema: \"http://json-schema.org/draft-04/schema#\", type: object, properties: { size: { type: integer, maximum: 9 } } } } } }\n",
        to: "",
        refused: None,
    },
    Case {
        what: "a program for what nothing acted for",
        from: "name: large,",
        to: "name: large, backend: { command: { run: [/bin/echo, '{}'] } },",
        refused: Some(("backend-changed", "databases/large", "org-p2")),
    },
    Case {
        what: "nothing for what a program acted for",
        from: ", backend: { command: { run: [/bin/echo, '{}'] } }",
        to: "",
        refused: Some(("backend-changed", "databases/acting", "org-p3")),
    },
    Case {
        what: "a key that bindings rest on goes",
        from: "current: v1, keys: { v1: \"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\", ",
        to: "current: v2, keys: { ",
        refused: Some(("derive-key-gone", "databases/derived", "org-p5")),
    },
    Case {
        what: "another key in its place",
        from: "v1: \"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\"",
        to: "v1: \"Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M=\"",
        refused: Some(("derive-key-gone", "databases/derived", "org-p5")),
    },
    Case {
        what: "a key that nothing rests on goes",
        from: ", v2: \"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=\"",
        to: "",
        refused: None,
    },
    Case {
        what: "another key counts for what is new",
        from: "current: v1,",
        to: "current: v2,",
        refused: None,
    },
    Case {
        what: "a plan derives nothing any more",
        from: "derive: { current: v1, keys: { v1: \"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\", v2: \"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=\" } }, binding: { credentials: { password: \"{{ derive('db', 24) }}\" } }",
        to: "binding: { credentials: { password: fixed } }",
        refused: None,
    },
    Case {
        what: "another program of the same kind",
        from: "'{}'] }",
        to: "'{ }'] }",
        refused: None,
    },
];

fn after(case: &Case) -> String {
    assert!(
        BEFORE.contains(case.from),
        "{}: nothing to change",
        case.what
    );
    BEFORE.replacen(case.from, case.to, 1)
}

/// One instance of each plan, with a binding.
fn filled(broker: &Broker) {
    for plan in ["p1", "p2", "p3", "p5"] {
        let body = with(
            provision_of("s1", plan),
            "organization_guid",
            json!(format!("org-{plan}")),
        );
        let body = if plan == "p1" {
            with(body, "parameters", json!({ "size": 5 }))
        } else {
            body
        };
        assert_eq!(broker.provision(plan, &body).status, 201);
        assert_eq!(broker.bind(plan, "b", &bind_of("s1", plan)).status, 201);
    }
}

fn by_signal() -> Setup {
    Setup::new(BEFORE).env("BROKER_RELOAD__EVERY", "0")
}

/// Asks for a reload, and waits for what comes of it: what was logged.
pub fn reloaded(broker: &Broker, catalog: &str) -> String {
    let before = broker.log().len();
    broker.folder.write("catalog.yaml", catalog);
    broker.signal("HUP");
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let log = broker.log()[before..].to_owned();
        if log.contains("reloaded the catalog:") || log.contains("was not reloaded") {
            return log;
        }
        assert!(Instant::now() < until, "{log}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_reload_refuses_what_breaks_and_nothing_else() {
    for case in CASES {
        let broker = by_signal().start();
        filled(&broker);
        let log = reloaded(&broker, &after(case));
        match case.refused {
            None => assert!(
                log.contains("reloaded the catalog:"),
                "{}: {log}",
                case.what
            ),
            Some((rule, plan, organization)) => {
                assert!(log.contains("was not reloaded"), "{}: {log}", case.what);
                let line = log
                    .lines()
                    .find(|line| line.contains(&format!("{rule}: ")) && line.contains(plan));
                let line = line.unwrap_or_else(|| panic!("{}: {log}", case.what));
                assert!(line.contains(organization), "{}: {line}", case.what);
                assert!(log.contains("--allow-breaking"), "{}: {log}", case.what);
            }
        }
    }
    assert!(CASES.iter().filter(|case| case.refused.is_some()).count() >= 9);
}

/// What lives of nothing is broken by nothing.
#[test]
fn without_instances_everything_may_change() {
    let broker = by_signal().start();
    for case in CASES {
        let log = reloaded(&broker, &after(case));
        assert!(
            log.contains("reloaded the catalog:"),
            "{}: {log}",
            case.what
        );
    }
}

#[test]
fn a_start_is_held_against_what_was_served_before() {
    let folder = Arc::new(Folder::new());
    let broker = by_signal().start_in(&folder);
    filled(&broker);
    drop(broker);
    let narrowed = BEFORE.replace("maximum: 9", "maximum: 4");
    folder.write("catalog.yaml", &narrowed);
    let (status, _, complaint) = Setup::default().run_in(&folder);
    assert_eq!(status.code(), Some(2), "{complaint}");
    for part in [
        "schema-narrowed: databases/small",
        "1 service instance of 1 organization: org-p1 (1)",
        "--allow-breaking schema-narrowed",
    ] {
        assert!(complaint.contains(part), "{part}: {complaint}");
    }
    // Allowed once, it is what was served last from then on.
    let allowed = Setup::default()
        .arg("--allow-breaking=schema-narrowed")
        .start_in(&folder);
    allowed.wait_for_log("schema-narrowed: databases/small");
    drop(allowed);
    let broker = Setup::default().start_in(&folder);
    assert!(
        !broker.log().contains("schema-narrowed"),
        "{}",
        broker.log()
    );
}

/// What a broker of another version kept may be of a form that this one does not know: it starts, and says what it did not do.
#[test]
fn what_was_served_and_cannot_be_read_is_told() {
    let folder = Arc::new(Folder::new());
    folder.write("catalog.yaml", BEFORE);
    let broker = sqlite_of(&folder);
    filled(&broker);
    drop(broker);
    let file = rusqlite::Connection::open(folder.path().join("broker.db")).expect("its store");
    let strange = [&[0][..], br#"{"offerings":[]}"#].concat();
    let rows = file.execute(
        "UPDATE meta SET value = ?1 WHERE name = 'served'",
        [strange],
    );
    assert_eq!(rows.expect("an update"), 1);
    drop(file);
    folder.write("catalog.yaml", &BEFORE.replace("maximum: 9", "maximum: 4"));
    let broker = sqlite_of(&folder);
    broker.wait_for_log("what was served last cannot be read");
    // From then on it is the one that is served now.
    let log = reloaded(&broker, &BEFORE.replace("maximum: 9", "maximum: 3"));
    assert!(log.contains("schema-narrowed: databases/small"), "{log}");
}

/// A broker with what the folder has.
fn sqlite_of(folder: &Arc<Folder>) -> Broker {
    Setup::default()
        .env("BROKER_RELOAD__EVERY", "0")
        .env("BROKER_STORE__URL", "sqlite:broker.db")
        .start_in(folder)
}

/// What is allowed at the start is allowed at reloads, too, and nothing else is.
#[test]
fn what_is_allowed_passes_and_is_told() {
    let broker = by_signal()
        .arg("--allow-breaking=updates-withdrawn")
        .start();
    filled(&broker);
    let less = BEFORE.replace("    plan_updateable: true\n", "");
    let log = reloaded(&broker, &less);
    assert!(log.contains("reloaded the catalog:"), "{log}");
    assert!(
        log.contains("updates-withdrawn") && log.contains("(allowed)"),
        "{log}"
    );
    let log = reloaded(
        &broker,
        &less.replace("name: small\n", "name: small\n        bindable: false\n"),
    );
    assert!(log.contains("was not reloaded"), "{log}");
}

/// A plan that nothing acted for may leave; what comes back in its place must not act for the instances that it had.
#[test]
fn a_plan_that_comes_back_acts_for_nothing_that_it_did_not_make() {
    let large = "      - { id: p2, name: large, description: Large, binding: { syslog_drain_url: \"syslog://logs.example.com:514\" } }\n";
    let broker = by_signal().start();
    filled(&broker);
    let log = reloaded(&broker, &BEFORE.replace(large, ""));
    assert!(log.contains("reloaded the catalog:"), "{log}");
    let acting = large.replace(
        "name: large,",
        "name: large, backend: { command: { run: [/bin/echo, '{}'] } },",
    );
    let log = reloaded(&broker, &BEFORE.replace(large, &acting));
    assert!(
        log.contains("was not reloaded") && log.contains("backend-changed: databases/large"),
        "{log}"
    );
    let log = reloaded(&broker, BEFORE);
    assert!(log.contains("reloaded the catalog:"), "{log}");
}

/// An instance rests on its key as long as what an update answers is derived of it; one that only its bindings derive of, not.
#[test]
fn an_instance_rests_on_a_key_by_what_it_answers() {
    let two = "derive: { current: v1, keys: { v1: \"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\", v2: \"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=\" } }";
    let one = "derive: { keys: { v2: \"QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=\" } }";
    let by_url = BEFORE.replace(
        "description: Derived,",
        "description: Derived, instance: { dashboard_url: \"https://x/{{ derive('url', 24) }}\" },",
    );
    for (before, refused) in [(&*by_url, true), (BEFORE, false)] {
        let broker = Setup::new(before).env("BROKER_RELOAD__EVERY", "0").start();
        let made = broker.provision("i", &provision_of("s1", "p5"));
        assert_eq!(made.status, 201, "{}", made.text());
        assert!(before.contains(two));
        let log = reloaded(&broker, &before.replace(two, one));
        assert_eq!(log.contains("derive-key-gone"), refused, "{log}");
        assert_eq!(log.contains("was not reloaded"), refused, "{log}");
        assert!(
            !log.contains("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
                && !log.contains("QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="),
            "{log}"
        );
    }
}
