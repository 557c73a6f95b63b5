//! What another catalog would break of what a backend has made: it keeps its kind and its name, and acts elsewhere, by other
//! statements, or not at all. And what is on its way to a plan, or was adopted by one.

use serde_json::{Value, json};

use crate::acting::Stage;
use crate::breaking::reloaded;
use crate::documents::{bind_of, provision_of, provisioned};
use crate::harness::{Broker, Setup, at_instance, with};
use crate::later::{accepted, accepting, awaited};

/// Nobody listens at port 1: what is to be made there is in progress for as long as the test lasts, and lives.
const BEFORE: &str = r#"
backends:
  pg: { sql: { server: "postgres://admin:w0rd@127.0.0.1:1/shared?sslmode=disable" } }
  my: { sql: { server: "mysql://admin:w0rd@127.0.0.1:1/shared" } }
  program: { command: { run: [/bin/echo, '{}'], operations: [provision, deprovision, bind, unbind] } }
services:
  - id: s1
    name: databases
    description: Made by statements
    bindable: true
    bindings_retrievable: true
    respond: async
    plans:
      - { id: p1, name: postgres, description: On PostgreSQL, backend: { use: pg, statements: postgresql/database } }
      - { id: p2, name: mysql, description: On MySQL, backend: { use: my, statements: mysql/database } }
      - { id: p3, name: own, description: By own statements, backend: { use: pg, statements: { provision: [SELECT 1], deprovision: [SELECT 2] } } }
  - id: s2
    name: things
    description: Made by a program, or lent
    bindable: true
    bindings_retrievable: true
    respond: sync
    plans:
      - { id: q1, name: made, description: Made, backend: { use: program } }
      - { id: q2, name: asked, description: Asked for, respond: { provision: async }, backend: { webhook: { url: "https://one.example.com:1/a-s3cret" } } }
  - id: s3
    name: seats
    description: Lent
    bindable: true
    plans:
      - { id: r1, name: seat, description: Lent, backend: { pool: { entries: [{ name: a, credentials: { n: 1 } }, { name: b, credentials: { n: 2 } }] } } }
"#;

/// What is changed, and the plan and the words that refuse it; nothing where it is served.
struct Case {
    what: &'static str,
    from: &'static str,
    to: &'static str,
    refused: Option<(&'static str, &'static str)>,
}

const CASES: &[Case] = &[
    Case {
        what: "another password",
        from: "w0rd@127.0.0.1:1/shared?sslmode",
        to: "an0ther@127.0.0.1:1/shared?sslmode",
        refused: None,
    },
    Case {
        what: "another user, another way to the same server",
        from: "admin:w0rd@127.0.0.1:1/shared?sslmode=disable",
        to: "root:w0rd@127.0.0.1:1/shared?sslmode=prefer&connect_timeout=3",
        refused: None,
    },
    Case {
        what: "another server of PostgreSQL",
        from: "127.0.0.1:1/shared?",
        to: "127.0.0.2:1/shared?",
        refused: Some(("databases/postgres", "another server")),
    },
    Case {
        what: "another port",
        from: "127.0.0.1:1/shared?",
        to: "127.0.0.1:2/shared?",
        refused: Some(("databases/own", "another server")),
    },
    Case {
        what: "another database of the same server",
        from: "127.0.0.1:1/shared?",
        to: "127.0.0.1:1/private?",
        refused: Some(("databases/postgres", "another server")),
    },
    Case {
        what: "another server of MySQL",
        from: "mysql://admin:w0rd@127.0.0.1:1/",
        to: "mysql://admin:w0rd@127.0.0.2:1/",
        refused: Some(("databases/mysql", "another server")),
    },
    Case {
        what: "another ready-made set",
        from: "postgresql/database",
        to: "postgresql/schema",
        refused: Some((
            "databases/postgres",
            "postgresql/database and are postgresql/schema",
        )),
    },
    Case {
        what: "own statements in place of a set",
        from: "statements: postgresql/database",
        to: "statements: { provision: [SELECT 1], deprovision: [SELECT 2], unbind: [SELECT 3] }",
        refused: Some((
            "databases/postgres",
            "postgresql/database and are of the plan alone",
        )),
    },
    Case {
        what: "a statement beside those of the set",
        from: "statements: postgresql/database",
        to: "statements: { set: postgresql/database, update: [SELECT 1] }",
        refused: None,
    },
    Case {
        what: "another statement",
        from: "SELECT 2",
        to: "SELECT 3",
        refused: None,
    },
    Case {
        what: "nothing removes what statements have made",
        from: ", deprovision: [SELECT 2]",
        to: "",
        refused: Some(("databases/own", "no deprovision any more")),
    },
    Case {
        what: "a program is not told of an unbind any more",
        from: "[provision, deprovision, bind, unbind]",
        to: "[provision, deprovision, bind]",
        refused: Some(("things/made", "no unbind any more")),
    },
    Case {
        what: "a program is told of updates, too",
        from: "[provision, deprovision, bind, unbind]",
        to: "[provision, update, deprovision, bind, unbind]",
        refused: None,
    },
    Case {
        what: "another secret of an endpoint",
        from: "a-s3cret",
        to: "an0ther",
        refused: None,
    },
    Case {
        what: "an endpoint elsewhere, where nobody knows what there is",
        from: "one.example.com",
        to: "two.example.com",
        refused: Some(("things/asked", "at another host")),
    },
    Case {
        what: "a pool lends to instances",
        from: "pool: { entries",
        to: "pool: { lend: instance, entries",
        refused: Some((
            "seats/seat",
            "lent to each binding and lends to each instance",
        )),
    },
    Case {
        what: "an entry more",
        from: "[{ name: a,",
        to: "[{ name: c, credentials: { n: 3 } }, { name: a,",
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

fn filled(broker: &Broker) {
    for (service, plan) in [("s1", "p1"), ("s1", "p2"), ("s1", "p3"), ("s2", "q2")] {
        let path = accepting(&at_instance(plan));
        let made = broker.put(&path, &provision_of(service, plan));
        assert_eq!(made.status, 202, "{}", made.text());
    }
    for (service, plan) in [("s2", "q1"), ("s3", "r1")] {
        provisioned(broker, plan, service, plan);
        let bound = broker.bind(plan, "b", &bind_of(service, plan));
        assert_eq!(bound.status, 201, "{}", bound.text());
    }
}

#[test]
fn a_backend_that_would_not_find_what_it_made_is_refused() {
    let broker = Setup::new(BEFORE).env("BROKER_RELOAD__EVERY", "0").start();
    filled(&broker);
    for case in CASES {
        let log = reloaded(&broker, &after(case));
        match case.refused {
            None => assert!(
                log.contains("reloaded the catalog:"),
                "{}: {log}",
                case.what
            ),
            Some((plan, words)) => {
                assert!(log.contains("was not reloaded"), "{}: {log}", case.what);
                let begin = format!("backend-changed: {plan}: ");
                let line = log.lines().find(|line| line.contains(&begin));
                let line = line.unwrap_or_else(|| panic!("{}: {log}", case.what));
                assert!(line.contains(words), "{}: {line}", case.what);
            }
        }
        for secret in ["w0rd", "s3cret"] {
            assert!(!log.contains(secret), "{log}");
        }
        // What was served is the begin of the next case.
        let log = reloaded(&broker, BEFORE);
        assert!(
            log.contains("reloaded the catalog:"),
            "{}: {log}",
            case.what
        );
    }
    assert!(CASES.iter().filter(|case| case.refused.is_some()).count() >= 9);
}

/// With nothing that lives each of these is served.
#[test]
fn without_instances_a_backend_may_become_another() {
    let broker = Setup::new(BEFORE).env("BROKER_RELOAD__EVERY", "0").start();
    for case in CASES {
        let log = reloaded(&broker, &after(case));
        assert!(
            log.contains("reloaded the catalog:"),
            "{}: {log}",
            case.what
        );
    }
}

/// An instance that is on its way to a plan is of that plan as soon as its update is over, whatever was served meanwhile.
#[test]
fn a_plan_that_an_instance_is_on_its_way_to_does_not_leave() {
    let stage = Stage::with(|setup| setup.env("BROKER_RELOAD__EVERY", "0"));
    let broker = &stage.broker;
    provisioned(broker, "i", "acting", "auto");
    stage.does("update", "wait");
    let to = json!({ "service_id": "acting", "plan_id": "async" });
    let goes = accepted(&broker.patch(&accepting(&at_instance("i")), &to));
    stage.wait_for_calls("update", 1);
    let document = std::fs::read_to_string(broker.folder.path().join("catalog.yaml"));
    let document = document.expect("the catalog");
    let line = document.lines().find(|line| line.contains("id: async,"));
    let less = document.replace(line.expect("the plan"), "");
    let log = reloaded(broker, &less);
    assert!(
        log.contains("was not reloaded") && log.contains("plan-in-use: the plan `async`"),
        "{log}"
    );
    stage.go();
    awaited(broker, &at_instance("i"), &goes);
    assert_eq!(broker.fetch("i").json()["plan_id"], "async");
    let gone = format!("{}?service_id=acting&plan_id=async", at_instance("i"));
    assert_eq!(broker.delete(&accepting(&gone)).status, 202);
}

const ADOPTS: &str = r#"
services:
  - id: s
    name: service
    description: Lived elsewhere
    bindable: true
    plans:
      - id: p
        name: plan
        description: Adopts
        adopt: true
        schemas: { service_instance: { create: { parameters: { $schema: "http://json-schema.org/draft-04/schema#", type: object, properties: { size: { type: integer } } } } } }
"#;

/// Of what was adopted the parameters are not known: no schema is too narrow for it, and none is held against it.
#[test]
fn a_schema_is_not_held_against_what_was_adopted() {
    let broker = Setup::new(ADOPTS).env("BROKER_RELOAD__EVERY", "0").start();
    assert_eq!(broker.bind("old", "b", &bind_of("s", "p")).status, 201);
    let narrowed = ADOPTS.replace("type: object,", "type: object, required: [size],");
    assert_ne!(narrowed, ADOPTS);
    let log = reloaded(&broker, &narrowed);
    assert!(log.contains("reloaded the catalog:"), "{log}");
    // The counter-proof: of what was made here they are.
    let log = reloaded(&broker, ADOPTS);
    assert!(log.contains("reloaded the catalog:"), "{log}");
    provisioned(&broker, "new", "s", "p");
    let log = reloaded(&broker, &narrowed);
    assert!(
        log.contains("schema-narrowed: service/plan") && log.contains(" 1 service instance "),
        "{log}"
    );
}

/// An operator who asks over HTTP reads of which organizations the instances are, whatever the rule.
#[test]
fn who_is_hit_is_named_by_each_rule() {
    let broker = Setup::new(BEFORE)
        .env("BROKER_RELOAD__EVERY", "0")
        .env("BROKER_AUTH__LOGINS__OPS__TOKEN", "0perator")
        .env("BROKER_AUTH__LOGINS__OPS__ROLE", "operator")
        .start();
    for (instance, organization) in [("i1", "org-a"), ("i2", "org-b"), ("i3", "org-b")] {
        let body = with(
            provision_of("s2", "q1"),
            "organization_guid",
            json!(organization),
        );
        assert_eq!(broker.provision(instance, &body).status, 201);
    }
    let plan = "      - { id: q1, name: made, description: Made, backend: { use: program } }\n";
    let other = "      - { id: q9, name: other, description: Another }\n";
    assert!(BEFORE.contains(plan));
    broker
        .folder
        .write("catalog.yaml", &BEFORE.replace(plan, other));
    let ask = crate::http::Request::new("POST", "/admin/reload");
    let ask = ask.header("Authorization", "Bearer 0perator");
    let answer = broker.send_unchecked(&ask);
    assert_eq!((answer.status, &*answer.word()), (409, "CatalogBreaks"));
    let told = answer.json();
    let breach: &Value = &told["breaches"][0];
    assert_eq!(breach["rule"], "plan-in-use");
    assert_eq!(breach["organizations"], 2);
    assert_eq!(
        breach["hits"],
        json!([
            { "organization": "org-b", "instances": 2 },
            { "organization": "org-a", "instances": 1 },
        ])
    );
    let description = answer.description();
    assert!(
        description.contains("3 service instances of 2 organizations: org-b (2), org-a (1)"),
        "{description}"
    );
}
