//! Bindings that end, in real seconds: what a platform is told of the end, and what it finds after it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, SERVER, Setup, at_binding};
use crate::http::Response;

/// No machine is so busy.
const PATIENCE: Duration = Duration::from_secs(90);

const ENDING: &str = r#"
backends:
  seat: { pool: { entries: [{ name: only, credentials: { user: only } }] } }
services:
  - id: s
    name: ending
    description: What ends
    bindable: true
    bindings_retrievable: true
    binding:
      values: { password: "{{ random_password(20) }}" }
      credentials: { password: "{{ binding.values.password }}" }
    plans:
      - { id: soon, name: soon, description: Ends soon, binding_rotatable: true, binding: { ttl: 2s, renew_before: 500ms } }
      - { id: late, name: late, description: Ends late, binding_rotatable: true, binding: { ttl: 90d, renew_before: 7d } }
      - { id: never, name: never, description: Never ends }
      - { id: seat, name: seat, description: Is lent, backend: { use: seat }, binding: { ttl: 2s } }
"#;

fn setup() -> Setup {
    Setup::new(ENDING)
        .env("BROKER_OPERATIONS__LOOK_EVERY", "50ms")
        .env("BROKER_BINDINGS__GRACE", "0s")
}

/// The store that it is without a word, and three brokers on one PostgreSQL.
fn fleets() -> [Vec<Broker>; 2] {
    let url = SERVER.url(&SERVER.database());
    let on_database = setup().env("BROKER_STORE__URL", &url);
    [
        vec![setup().start()],
        (0..3).map(|_| on_database.clone().start()).collect(),
    ]
}

fn provisioned(broker: &Broker, plan: &str) {
    let made = broker.provision(plan, &provision_of("s", plan));
    assert_eq!(made.status, 201, "{}", made.text());
}

fn bound(broker: &Broker, plan: &str, id: &str) -> Value {
    let bound = broker.bind(plan, id, &bind_of("s", plan));
    assert_eq!(bound.status, 201, "{}", bound.text());
    bound.json()
}

/// The milliseconds of a time as the specification writes it, which it must be.
fn millis(time: &Value) -> i64 {
    let text = time.as_str().expect("a time");
    assert!(text.contains('.'), "{text} has no fraction");
    catalog_broker::template::time::parse_utc(text).expect(text)
}

/// A bind as a platform of an older version asks for it.
fn bound_by(broker: &Broker, version: &str, plan: &str, id: &str) -> Response {
    let request = broker.request("PUT", &at_binding(plan, id));
    let request = request.header("X-Broker-API-Version", version);
    broker.send(&request.json(&bind_of("s", plan)))
}

fn await_gone(broker: &Broker, plan: &str, id: &str) {
    let until = Instant::now() + PATIENCE;
    while broker.fetch_binding(plan, id).status != 404 {
        assert!(
            Instant::now() < until,
            "{id} does not end\n{}",
            broker.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How often the brokers say that they unbind it.
fn said(brokers: &[Broker], id: &str) -> usize {
    let of_it = format!("binding={id} ");
    let logs = brokers.iter().map(Broker::log);
    logs.map(|log| {
        let lines = log.lines();
        lines
            .filter(|line| line.contains("expired: the broker unbinds it") && line.contains(&of_it))
            .count()
    })
    .sum()
}

#[test]
fn a_binding_ends_when_it_was_told_and_one_broker_unbinds_it() {
    for brokers in fleets() {
        let (first, last) = (&brokers[0], &brokers[brokers.len() - 1]);
        for plan in ["soon", "never"] {
            provisioned(first, plan);
        }
        bound(first, "never", "b");
        let ids: Vec<String> = (0..20).map(|at| format!("b{at}")).collect();
        let answers: Vec<Value> = ids.iter().map(|id| bound(first, "soon", id)).collect();
        for (id, answer) in ids.iter().zip(&answers) {
            let [end, renew] =
                ["expires_at", "renew_before"].map(|key| millis(&answer["metadata"][key]));
            assert_eq!(end - renew, 500);
            // The same for as long as it is there.
            let again = last.bind("soon", id, &bind_of("s", "soon"));
            if again.status == 200 {
                assert_eq!(again.json(), *answer);
            }
            let fetched = last.fetch_binding("soon", id);
            if fetched.status == 200 {
                assert_eq!(fetched.json()["metadata"], answer["metadata"]);
            }
        }
        for id in &ids {
            await_gone(last, "soon", id);
            assert_eq!(first.unbind("soon", id, "s", "soon").status, 410);
            assert_eq!(last.poll_binding("soon", id).status, 410);
        }
        for id in ids.iter().take(1) {
            // A bind of an id that is gone is a new one.
            let new = first.bind("soon", id, &bind_of("s", "soon")).json();
            assert!(new["credentials"]["password"].is_string());
            assert_ne!(new["credentials"], answers[0]["credentials"]);
            await_gone(last, "soon", id);
        }
        for (id, times) in ids.iter().zip([2].into_iter().chain([1; 19])) {
            // A repeat above may have come after the end, and have bound it anew. A line may come after its answer.
            let until = Instant::now() + Duration::from_secs(30);
            while said(&brokers, id) < times {
                assert!(Instant::now() < until, "{id}");
                thread::sleep(Duration::from_millis(20));
            }
        }
        assert_eq!(first.fetch_binding("never", "b").status, 200);
        let metadata = &first.fetch_binding("never", "b").json()["metadata"];
        assert_eq!(*metadata, Value::Null);
    }
}

#[test]
fn an_entry_of_a_pool_comes_back_with_the_end() {
    for brokers in fleets() {
        let broker = &brokers[0];
        provisioned(broker, "seat");
        bound(broker, "seat", "b1");
        let until = Instant::now() + PATIENCE;
        loop {
            let next = broker.bind("seat", "b2", &bind_of("s", "seat"));
            if next.status == 201 {
                break;
            }
            assert_eq!(next.word(), "PoolExhausted");
            assert!(Instant::now() < until, "{}", broker.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(broker.fetch_binding("seat", "b1").status, 404);
        assert_eq!(said(&brokers, "b1"), 1);
    }
}

#[test]
fn a_platform_that_knows_no_end_keeps_what_it_has() {
    let broker = setup().start();
    provisioned(&broker, "soon");
    let old = bound_by(&broker, "2.15", "soon", "old");
    assert_eq!(old.status, 201, "{}", old.text());
    bound(&broker, "soon", "new");
    // It ended before the other one, and is there still when that has gone.
    await_gone(&broker, "soon", "new");
    let fetched = broker.fetch_binding("soon", "old");
    assert_eq!(fetched.status, 200);
    assert_eq!(
        fetched.json()["metadata"],
        old.json()["metadata"],
        "who asks is told"
    );
    assert_eq!(said(std::slice::from_ref(&broker), "old"), 0);
    assert_eq!(broker.unbind("soon", "old", "s", "soon").status, 200);
}

#[test]
fn an_operator_may_let_all_end_or_none() {
    let all = setup()
        .env("BROKER_BINDINGS__UNBIND_EXPIRED", "all")
        .start();
    provisioned(&all, "soon");
    assert_eq!(bound_by(&all, "2.15", "soon", "old").status, 201);
    await_gone(&all, "soon", "old");

    let none = setup()
        .env("BROKER_BINDINGS__UNBIND_EXPIRED", "none")
        .start();
    provisioned(&none, "soon");
    let answer = bound(&none, "soon", "b");
    // It has ended by its own word, and stays.
    let until = Instant::now() + PATIENCE;
    while none
        .bind("soon", "next", &json!({ "predecessor_binding_id": "b" }))
        .status
        != 400
    {
        none.unbind("soon", "next", "s", "soon");
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(100));
    }
    let fetched = none.fetch_binding("soon", "b");
    assert_eq!(
        (fetched.status, &fetched.json()["metadata"]),
        (200, &answer["metadata"])
    );
}

/// As long as the grace lasts the platform may go on with it, but for what the specification forbids.
#[test]
fn what_has_ended_is_there_until_its_grace_is_over() {
    let broker = setup().env("BROKER_BINDINGS__GRACE", "1h").start();
    provisioned(&broker, "soon");
    bound(&broker, "soon", "b");
    let until = Instant::now() + PATIENCE;
    loop {
        let next = broker.bind("soon", "next", &json!({ "predecessor_binding_id": "b" }));
        if next.status == 400 {
            assert_eq!(next.word(), "PredecessorInvalid");
            assert!(next.description().contains("expired"), "{}", next.text());
            break;
        }
        broker.unbind("soon", "next", "s", "soon");
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(broker.fetch_binding("soon", "b").status, 200);
    let repeat = broker.bind("soon", "b", &bind_of("s", "soon"));
    assert_eq!(repeat.status, 200);
    assert_eq!(broker.unbind("soon", "b", "s", "soon").status, 200);
}

#[test]
fn a_successor_ends_later_than_what_it_succeeds() {
    let broker = setup().start();
    provisioned(&broker, "late");
    let first = bound(&broker, "late", "b1");
    let next = broker.bind("late", "b2", &json!({ "predecessor_binding_id": "b1" }));
    assert_eq!(next.status, 201, "{}", next.text());
    let end = |answer: &Value| millis(&answer["metadata"]["expires_at"]);
    assert!(end(&next.json()) >= end(&first));
    assert_eq!(
        end(&first) - millis(&first["metadata"]["renew_before"]),
        7 * 86_400_000
    );
    // Both go on, and each goes alone.
    assert_eq!(broker.fetch_binding("late", "b1").status, 200);
    assert_eq!(broker.unbind("late", "b1", "s", "late").status, 200);
    assert_eq!(broker.fetch_binding("late", "b2").status, 200);
}

/// Writes down what it is told, and does an unbind the second time only.
const PROGRAM: &str = r#"#!/bin/sh
request=$(cat)
printf '%s\n' "$request" >> "$ROOT/journal"
case $request in
*'"kind":"unbind"'*'"attempt":1'[,}]*|*'"attempt":1,'*'"kind":"unbind"'*) echo '{ "retry_after": 0.05 }'; exit 75 ;;
esac
echo '{}'
"#;

const ACTING: &str = r#"
services:
  - id: s
    name: acting
    description: A program takes away what has ended
    bindable: true
    bindings_retrievable: true
    respond: sync
    backend: { command: { run: ["PROGRAM"], env: { ROOT: "FOLDER", PATH: /usr/bin:/bin } } }
    binding: { ttl: 3s, credentials: { a: b } }
    plans: [{ id: soon, name: soon, description: Ends soon }]
"#;

#[test]
fn of_three_brokers_one_lets_the_backend_act_and_tries_again_what_it_did_not_do() {
    let folder = Folder::new();
    let program = folder.write("program.sh", PROGRAM);
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(&program, executable).expect("an executable");
    let catalog = ACTING
        .replace("PROGRAM", &program.display().to_string())
        .replace("FOLDER", &folder.path().display().to_string());
    let setup = Setup::new(&catalog)
        .env("BROKER_STORE__URL", &SERVER.url(&SERVER.database()))
        .env("BROKER_OPERATIONS__LOOK_EVERY", "20ms")
        .env("BROKER_BINDINGS__GRACE", "0s");
    let brokers: Vec<Broker> = (0..3).map(|_| setup.clone().start()).collect();
    provisioned(&brokers[0], "soon");
    let ids: Vec<String> = (0..8).map(|at| format!("b{at}")).collect();
    for id in &ids {
        bound(&brokers[0], "soon", id);
    }
    for id in &ids {
        await_gone(&brokers[1], "soon", id);
    }
    let until = Instant::now() + PATIENCE;
    for id in &ids {
        while brokers[2].poll_binding("soon", id).status != 410 {
            assert!(Instant::now() < until, "{}", brokers[2].log());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(brokers[0].unbind("soon", id, "s", "soon").status, 410);
        assert_eq!(said(&brokers, id), 1, "{id}");
    }
    let journal = fs::read_to_string(folder.path().join("journal")).expect("a journal");
    let told = journal
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let told: Vec<Value> = told.collect();
    for id in &ids {
        let unbinds = told
            .iter()
            .filter(|told| told["operation"]["kind"] == "unbind" && told["binding"]["id"] == **id);
        let operations: BTreeSet<&str> = unbinds
            .clone()
            .map(|told| told["operation"]["id"].as_str().expect("an id"))
            .collect();
        assert_eq!(
            operations.len(),
            1,
            "{id} is taken away once: {operations:?}"
        );
        assert_eq!(unbinds.count(), 2, "{id}");
    }
}
