//! `adopt`: what a platform names and the store does not know counts as existing. Each test on sqlite and on PostgreSQL.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, SERVER, Setup, at_binding, at_instance, with};
use crate::http::{Connection, Request, Response};
use crate::later::{accepted, accepting, awaited};

const ADOPTS: &str = r#"
services:
  - id: s
    name: service
    description: Lived elsewhere
    bindable: true
    plan_updateable: true
    instances_retrievable: true
    bindings_retrievable: true
    adopt: true
    instance:
      values: { database: "cf_{{ instance.id }}" }
      dashboard_url: "https://example.com/{{ instance.values.database }}"
    binding:
      values: { drawn: "{{ random_password(16) }}" }
      credentials:
        database: "{{ instance.values.database }}"
        user: "u_{{ binding.id }}"
        password: "{{ binding.values.drawn }}"
        space: "{{ instance.space }}"
        platform: "{{ platform }}"
    plans:
      - { id: p, name: p, description: Adopts, binding_rotatable: true }
      - { id: q, name: q, description: Adopts too }
      - { id: never, name: never, description: Does not, adopt: false, binding_rotatable: true }
      - { id: over, name: over, description: Not any more, adopt: { until: 2020-02-29 } }
      - { id: still, name: still, description: For some time yet, adopt: { until: "2999-12-31T23:59:59Z" } }
      - { id: later, name: later, description: Answers later, respond: async }
      - { id: unbound, name: unbound, description: Cannot be bound, bindable: false }
      - id: strict
        name: strict
        description: Has a schema
        maintenance_info: { version: "1.2.3" }
        schemas:
          service_instance:
            create: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", type: object, required: [size] } }
            update: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", type: object, properties: { size: { type: integer } } } }
"#;

/// A broker on each engine.
fn each(test: impl Fn(&Broker)) {
    for setup in setups(ADOPTS) {
        test(&setup.start());
    }
}

fn setups(document: &str) -> [Setup; 2] {
    let database = SERVER.url(&SERVER.database());
    let setup = || Setup::new(document);
    [setup(), setup().env("BROKER_STORE__URL", &database)]
}

fn context() -> Value {
    json!({ "platform": "cloudfoundry", "organization_guid": "org-1", "space_guid": "space-1" })
}

fn bind_with_context(plan: &str) -> Value {
    with(bind_of("s", plan), "context", context())
}

fn update(plan: &str) -> Value {
    json!({ "service_id": "s", "plan_id": plan })
}

#[track_caller]
fn answers(response: &Response, status: u16, word: &str) {
    let said = (response.status, response.word());
    assert_eq!(said, (status, word.to_owned()), "{}", response.text());
}

/// Lines of the log that tell of an adoption, up to now: what a request wrote stands before the line of a later one.
fn adoptions(broker: &Broker) -> Vec<String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mark = format!("mark-{}-", NEXT.fetch_add(1, Ordering::Relaxed));
    let request = broker.request("GET", "/v2/catalog");
    broker.send(&request.header("X-Broker-API-Request-Identity", &mark));
    broker.wait_for_log(&mark);
    let log = broker.log();
    let lines = log.lines().filter(|line| line.contains("adopted: "));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_bind_adopts_its_instance() {
    each(|broker| {
        assert_eq!(broker.fetch("i").status, 404, "a fetch adopts nothing");
        assert_eq!(broker.poll("i").status, 404, "a poll neither");
        let bound = broker.bind("i", "b", &bind_with_context("p"));
        assert_eq!(bound.status, 201, "{}", bound.text());
        let credentials = &bound.json()["credentials"];
        assert_eq!(credentials["database"], "cf_i");
        assert_eq!(credentials["space"], "space-1");
        assert_eq!(credentials["platform"], "cloudfoundry");
        let again = broker.bind("i", "b", &bind_with_context("p"));
        assert_eq!((again.status, again.json()), (200, bound.json()));

        let found = broker.fetch("i").json();
        assert_eq!(
            (&found["service_id"], &found["plan_id"]),
            (&json!("s"), &json!("p"))
        );
        assert_eq!(found["dashboard_url"], "https://example.com/cf_i");
        assert_eq!(broker.poll("i").json()["state"], "succeeded");
        let told = adoptions(broker);
        assert_eq!(told.len(), 1, "{told:?}");
        for word in [
            "INFO",
            "instance=i",
            "binding=-",
            "service=s",
            "plan=p",
            "login=default",
            "count=1",
        ] {
            assert!(told[0].contains(word), "{word}: {}", told[0]);
        }
        assert_eq!(broker.unbind("i", "b", "s", "p").status, 200);
        assert_eq!(broker.deprovision("i", "s", "p").status, 200);
        assert_eq!(adoptions(broker).len(), 1, "all of it was known");
    });
}

#[test]
fn a_delete_adopts_what_it_takes_away() {
    each(|broker| {
        // A binding of an instance of which nobody knows.
        assert_eq!(broker.unbind("i", "b", "s", "p").status, 200);
        assert_eq!(adoptions(broker).len(), 2);
        assert_eq!(broker.fetch("i").status, 200, "its instance lives on");
        answers(&broker.unbind("i", "b", "s", "p"), 410, "Gone");
        assert_eq!(broker.poll_binding("i", "b").status, 410);
        // Another one of it, by now.
        assert_eq!(broker.fetch_binding("i", "c").status, 404);
        assert_eq!(broker.unbind("i", "c", "s", "p").status, 200);
        assert_eq!(adoptions(broker).len(), 3);
        assert_eq!(broker.deprovision("i", "s", "p").status, 200);
        answers(&broker.deprovision("i", "s", "p"), 410, "Gone");

        assert_eq!(broker.deprovision("j", "s", "p").status, 200);
        assert_eq!(adoptions(broker).len(), 4);
        answers(&broker.deprovision("j", "s", "p"), 410, "Gone");
        assert_eq!(broker.poll("j").status, 410);

        // What is known to be gone stays gone, whoever names it.
        for gone in ["i", "j"] {
            answers(
                &broker.bind(gone, "b", &bind_of("s", "p")),
                404,
                "InstanceNotFound",
            );
            answers(&broker.update(gone, &update("p")), 404, "InstanceNotFound");
            answers(&broker.unbind(gone, "d", "s", "p"), 410, "Gone");
        }
        assert_eq!(adoptions(broker).len(), 4);
        // Its id may be used again, and is an instance like any other then.
        assert_eq!(broker.provision("i", &provision_of("s", "p")).status, 201);
        answers(&broker.unbind("i", "b", "s", "p"), 410, "Gone");
        assert_eq!(broker.unbind("i", "e", "s", "p").status, 200);
    });
}

#[test]
fn an_update_adopts_what_it_changes() {
    each(|broker| {
        assert_eq!(broker.update("i", &update("p")).status, 200);
        assert_eq!(broker.fetch("i").json()["plan_id"], "p");
        assert_eq!(broker.update("i", &update("q")).status, 200);
        assert_eq!(broker.fetch("i").json()["plan_id"], "q");

        // The plan before it is the one that is adopted.
        let previous = json!({ "plan_id": "p", "organization_id": "org-2", "space_id": "space-2" });
        let moved = with(update("q"), "previous_values", previous);
        assert_eq!(broker.update("j", &moved).status, 200);
        assert_eq!(broker.fetch("j").json()["plan_id"], "q");
        assert!(
            adoptions(broker)[1].contains("plan=p"),
            "{:?}",
            adoptions(broker)
        );
        assert_eq!(
            broker.deprovision("j", "s", "p").status,
            200,
            "it had that plan"
        );
        // One that is not offered is none.
        let odd = with(update("q"), "previous_values", json!({ "plan_id": "gone" }));
        assert_eq!(broker.update("k", &odd).status, 200);
        for nothing in [
            json!({ "plan_id": 7 }),
            json!([]),
            json!("x"),
            json!({ "plan_id": "" }),
        ] {
            let odd = with(update("q"), "previous_values", nothing);
            assert_eq!(broker.update("k", &odd).status, 200, "it is no mistake");
        }
        // Without any plan there is nothing that could be recorded.
        answers(
            &broker.update("l", &json!({ "service_id": "s" })),
            404,
            "InstanceNotFound",
        );
        let from_never = with(
            update("q"),
            "previous_values",
            json!({ "plan_id": "never" }),
        );
        answers(&broker.update("l", &from_never), 404, "InstanceNotFound");
        assert_eq!(adoptions(broker).len(), 3);
    });
}

/// The parameters that an adopted instance has are not known, nor is its maintenance.
#[test]
fn what_is_not_known_is_not_asked_for() {
    each(|broker| {
        let larger = |size: Value| with(update("strict"), "parameters", json!({ "size": size }));
        answers(
            &broker.update("i", &larger(json!("x"))),
            400,
            "ParametersInvalid",
        );
        let other = with(update("strict"), "parameters", json!({ "colour": "red" }));
        assert_eq!(
            broker.update("i", &other).status,
            200,
            "size is known to whoever made it"
        );
        let found = broker.fetch("i").json();
        assert_eq!(found["parameters"], json!({ "colour": "red" }));
        assert_eq!(found.get("maintenance_info"), None);
        let outdated = with(
            update("strict"),
            "maintenance_info",
            json!({ "version": "1.0.0" }),
        );
        answers(
            &broker.update("i", &outdated),
            422,
            "MaintenanceInfoConflict",
        );
        let upgrade = with(
            update("strict"),
            "maintenance_info",
            json!({ "version": "1.2.3" }),
        );
        assert_eq!(broker.update("i", &upgrade).status, 200);
        let found = broker.fetch("i").json();
        assert_eq!(found["maintenance_info"], json!({ "version": "1.2.3" }));
        // The counter-proof: of one that was made here they are.
        let made = with(
            provision_of("s", "strict"),
            "parameters",
            json!({ "size": 1 }),
        );
        assert_eq!(broker.provision("j", &made).status, 201);
        let unmade = with(provision_of("s", "p"), "parameters", json!({}));
        assert_eq!(broker.provision("k", &unmade).status, 201);
        answers(&broker.update("k", &other), 400, "ParametersInvalid");
    });
}

/// A provision that is sent again is held against what is known.
#[test]
fn a_provision_finds_what_was_adopted() {
    each(|broker| {
        assert_eq!(broker.bind("i", "b", &bind_with_context("p")).status, 201);
        assert_eq!(broker.unbind("j", "b", "s", "p").status, 200);
        let body = |plan: &str| with(provision_of("s", plan), "parameters", json!({ "any": 1 }));
        for name in ["i", "j"] {
            let again = broker.provision(name, &body("p"));
            assert_eq!(again.status, 200, "{}", again.text());
            let dashboard = format!("https://example.com/cf_{name}");
            assert_eq!(again.json()["dashboard_url"], dashboard);
            answers(&broker.provision(name, &body("q")), 409, "InstanceConflict");
        }
        let elsewhere = with(body("p"), "space_guid", json!("space-2"));
        answers(&broker.provision("i", &elsewhere), 409, "InstanceConflict");
        assert_eq!(
            broker.provision("j", &elsewhere).status,
            200,
            "nobody said where it is"
        );
        assert_eq!(broker.provision("new", &body("p")).status, 201);
        assert_eq!(adoptions(broker).len(), 3);
    });
}

#[test]
fn a_rotation_adopts_the_predecessor() {
    each(|broker| {
        let successor = |of: &str| with(bind_of("s", "p"), "predecessor_binding_id", json!(of));
        let bound = broker.bind("i", "b2", &successor("b1"));
        assert_eq!(bound.status, 201, "{}", bound.text());
        assert_eq!(adoptions(broker).len(), 2, "the instance and the binding");
        let old = broker.fetch_binding("i", "b1").json();
        assert_eq!(old["credentials"]["database"], "cf_i");
        // Of an instance that is known the predecessor alone.
        let alone = json!({ "predecessor_binding_id": "b3" });
        assert_eq!(broker.bind("i", "b4", &alone).status, 201);
        for gone in ["b1", "b3"] {
            assert_eq!(broker.unbind("i", gone, "s", "p").status, 200);
            let refused = broker.bind("i", "b5", &successor(gone));
            answers(&refused, 400, "PredecessorInvalid");
        }
        answers(&broker.bind("j", "b4", &alone), 404, "InstanceNotFound");
        assert_eq!(adoptions(broker).len(), 3);
    });
}

#[test]
fn what_does_not_adopt_is_as_it_was() {
    each(|broker| {
        for plan in ["never", "over"] {
            answers(
                &broker.bind("i", "b", &bind_of("s", plan)),
                404,
                "InstanceNotFound",
            );
            answers(&broker.update("i", &update(plan)), 404, "InstanceNotFound");
            answers(&broker.unbind("i", "b", "s", plan), 410, "Gone");
            answers(&broker.deprovision("i", "s", plan), 410, "Gone");
        }
        // Known, but its plan takes in no binding.
        assert_eq!(
            broker.provision("n", &provision_of("s", "never")).status,
            201
        );
        answers(&broker.unbind("n", "b", "s", "never"), 410, "Gone");
        let rotation = with(bind_of("s", "never"), "predecessor_binding_id", json!("x"));
        answers(&broker.bind("n", "b", &rotation), 400, "PredecessorInvalid");

        // Names that name nothing, and those of another one.
        assert_eq!(broker.provision("k", &provision_of("s", "p")).status, 201);
        answers(
            &broker.bind("i", "b", &bind_of("s", "nowhere")),
            400,
            "PlanNotInCatalog",
        );
        answers(
            &broker.bind("i", "b", &bind_of("t", "p")),
            400,
            "ServiceNotInCatalog",
        );
        answers(
            &broker.bind("i", "b", &bind_of("s", "unbound")),
            400,
            "NotBindable",
        );
        answers(
            &broker.update("i", &update("nowhere")),
            400,
            "PlanNotInCatalog",
        );
        for (service, plan) in [("s", "nowhere"), ("t", "p")] {
            answers(&broker.unbind("i", "b", service, plan), 410, "Gone");
            answers(&broker.deprovision("i", service, plan), 410, "Gone");
            answers(&broker.unbind("k", "b", service, plan), 410, "Gone");
        }
        answers(&broker.unbind("i", "b", "s", "unbound"), 410, "Gone");
        answers(&broker.unbind("k", "b", "s", "q"), 410, "Gone");
        for path in [at_instance("i"), at_binding("i", "b"), at_binding("k", "b")] {
            answers(&broker.delete(&path), 410, "Gone");
            answers(
                &broker.delete(&format!("{path}?service_id=s&plan_id=p&plan_id=p")),
                410,
                "Gone",
            );
        }
        assert_eq!(adoptions(broker), Vec::<String>::new());
        // The counter-proof.
        assert_eq!(broker.bind("i", "b", &bind_of("s", "still")).status, 201);
        assert_eq!(adoptions(broker).len(), 1);
    });
}

#[test]
fn a_plan_that_answers_later_adopts_too() {
    each(|broker| {
        let named = "service_id=s&plan_id=later";
        let path = at_binding("i", "b");
        let delete = format!("{path}?{named}");
        answers(&broker.delete(&delete), 422, "AsyncRequired");
        assert_eq!(broker.fetch("i").status, 200, "it is there all the same");
        let operation = accepted(&broker.delete(&accepting(&delete)));
        assert_eq!(awaited(broker, &path, &operation).status, 410);
        let path = at_instance("j");
        let operation = accepted(&broker.delete(&accepting(&format!("{path}?{named}"))));
        assert_eq!(awaited(broker, &path, &operation).status, 410);
        assert_eq!(adoptions(broker).len(), 3);
    });
}

/// Sends each request on a connection of its own, at the same moment, to the brokers in turn.
fn together(brokers: &[Broker], requests: &[Request]) -> BTreeMap<u16, usize> {
    let gate = Barrier::new(requests.len());
    thread::scope(|scope| {
        let sent: Vec<_> = requests
            .iter()
            .zip(brokers.iter().cycle())
            .map(|(request, broker)| {
                let gate = &gate;
                scope.spawn(move || {
                    let mut connection = Connection::open(broker.address).expect("a connection");
                    gate.wait();
                    connection.send(request).expect("an answer").status
                })
            })
            .collect();
        let statuses = sent
            .into_iter()
            .map(|thread| thread.join().expect("its answer"));
        statuses.fold(BTreeMap::new(), |mut counts, status| {
            *counts.entry(status).or_default() += 1;
            counts
        })
    })
}

/// Many that name one at once: it is adopted once, and each is answered as if it had been there.
#[test]
fn of_many_that_adopt_one_is_first_and_all_are_right() {
    const MANY: usize = 24;
    let [sqlite, postgres] = setups(ADOPTS);
    for brokers in [
        vec![sqlite.start()],
        vec![
            postgres.clone().start(),
            postgres.clone().start(),
            postgres.start(),
        ],
    ] {
        let one = &brokers[0];
        for round in 0..4 {
            let name = format!("i{round}");
            let binds: Vec<Request> = (0..MANY)
                .map(|number| {
                    let path = at_binding(&name, &format!("b{number}"));
                    one.request("PUT", &path).json(&bind_with_context("p"))
                })
                .collect();
            assert_eq!(together(&brokers, &binds), BTreeMap::from([(201, MANY)]));
            let named = "service_id=s&plan_id=p";
            // The same binding, of which nobody knows, is taken away by many; then the instance is.
            for path in [at_binding(&name, "old"), at_instance(&name)] {
                let delete = one.request("DELETE", &format!("{path}?{named}"));
                let counts = together(&brokers, &vec![delete; MANY]);
                assert_eq!(
                    counts,
                    BTreeMap::from([(200, 1), (410, MANY - 1)]),
                    "{path}"
                );
            }
            // And what nobody ever knew.
            let path = at_instance(&format!("j{round}"));
            let delete = one.request("DELETE", &format!("{path}?{named}"));
            let counts = together(&brokers, &vec![delete; MANY]);
            assert_eq!(
                counts,
                BTreeMap::from([(200, 1), (410, MANY - 1)]),
                "{path}"
            );
        }
        let told: usize = brokers.iter().map(|broker| adoptions(broker).len()).sum();
        assert_eq!(told, 4 * 3, "an instance, a binding, an instance");
    }
}

/// While an instance is changed nothing is said of a binding that nobody knows, but of one that is known to be gone.
#[test]
fn nothing_is_adopted_of_an_instance_that_is_being_changed() {
    let database = SERVER.database();
    let setup = Setup::new(ADOPTS).env("BROKER_STORE__URL", &SERVER.url(&database));
    let broker = setup.start();
    assert_eq!(broker.unbind("i", "gone", "s", "p").status, 200);
    let stands = |kind: &str, state: &str| {
        let set = format!("UPDATE broker_instances SET kind = '{kind}', state = '{state}'");
        SERVER.sql(&database, &set);
    };
    stands("update", "in progress");
    answers(&broker.unbind("i", "b", "s", "p"), 422, "ConcurrencyError");
    answers(&broker.unbind("i", "gone", "s", "p"), 410, "Gone");
    stands("provision", "failed");
    answers(&broker.unbind("i", "b", "s", "p"), 410, "Gone");
    stands("update", "failed");
    assert_eq!(broker.unbind("i", "b", "s", "p").status, 200);
}

#[test]
fn the_environment_has_the_last_word() {
    let adopt = "BROKER_SERVICES__SERVICE__PLANS__NEVER__ADOPT";
    for (name, value, status) in [
        (adopt, "true", 201),
        (&format!("{adopt}__UNTIL"), "2999-01-01", 201),
        (&format!("{adopt}__UNTIL"), "1999-01-01", 404),
        ("BROKER_SERVICES__SERVICE__ADOPT", "false", 404),
    ] {
        let document = ADOPTS.replace("adopt: false", "values: {}");
        let document = if name.ends_with("UNTIL") {
            document.replace("adopt: true", "adopt: { until: 2000-01-01 }")
        } else {
            document
        };
        let broker = Setup::new(&document).env(name, value).start();
        let bound = broker.bind("i", "b", &bind_of("s", "never"));
        assert_eq!(bound.status, status, "{name}={value}: {}", bound.text());
    }
}

/// What may be served without a memory.
const MODEST: &str = r#"
services:
  - id: s
    name: service
    description: Remembered by nobody
    bindable: true
    adopt: true
    binding: { credentials: { database: "cf_{{ instance.id }}", user: "u_{{ binding.id }}" } }
    plans:
      - { id: p, name: p, description: The only one }
"#;

/// A broker that remembered nothing begins to: what it made is known from the first request on.
#[test]
fn a_broker_without_a_memory_gets_one() {
    for setup in setups(MODEST) {
        let folder = Arc::new(Folder::new());
        let before = Setup::new(MODEST).env("BROKER_STORE__URL", "none");
        let mut broker = before.start_in(&folder);
        assert_eq!(broker.provision("i", &provision_of("s", "p")).status, 201);
        let bound = broker.bind("i", "b", &bind_with_context("p"));
        assert_eq!(bound.status, 201, "{}", bound.text());
        broker.kill();
        let broker = setup.start_in(&folder);
        let more = broker.bind("i", "c", &bind_with_context("p"));
        assert_eq!(
            more.json()["credentials"]["database"],
            bound.json()["credentials"]["database"]
        );
        for name in ["b", "c"] {
            assert_eq!(broker.unbind("i", name, "s", "p").status, 200);
        }
        assert_eq!(broker.deprovision("i", "s", "p").status, 200);
        assert_eq!(adoptions(&broker).len(), 2);
    }
}
