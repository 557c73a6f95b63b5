//! Races: many connections, released together, and the database decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use serde_json::{Value, json};

use crate::checker;
use crate::harness::{
    Broker, CATALOG, PLAN, SERVICE, Setup, at_binding, at_instance, bind_body, provision_body, with,
};
use crate::http::{Connection, Request, Response};

const LARGE: &str = "4c4f5a52-6a9c-4b0f-8c0e-0f8e1fd0a5b7";
const MANY: usize = 64;

/// Sends each request on a connection of its own; all of them are open before the first is sent.
fn together(broker: &Broker, requests: &[Request]) -> Vec<Response> {
    let gate = Arc::new(Barrier::new(requests.len()));
    thread::scope(|scope| {
        let sent: Vec<_> = requests
            .iter()
            .map(|request| {
                let gate = Arc::clone(&gate);
                scope.spawn(move || {
                    let mut connection =
                        Connection::open(broker.address).expect("a connection of its own");
                    gate.wait();
                    let response = connection.send(request).expect("an answer");
                    checker::check(request, &response, &broker.requires).expect("what may be said");
                    response
                })
            })
            .collect();
        sent.into_iter()
            .map(|thread| thread.join().expect("its answer"))
            .collect()
    })
}

/// How many answers had which status.
fn counted(responses: &[Response]) -> BTreeMap<u16, usize> {
    responses
        .iter()
        .fold(BTreeMap::new(), |mut counts, response| {
            *counts.entry(response.status).or_default() += 1;
            counts
        })
}

fn one_wins(winner: u16, others: u16) -> BTreeMap<u16, usize> {
    BTreeMap::from([(winner, 1), (others, MANY - 1)])
}

fn bodies(responses: &[Response], statuses: &[u16]) -> BTreeSet<String> {
    let taken = responses
        .iter()
        .filter(|response| statuses.contains(&response.status));
    taken.map(Response::text).collect()
}

fn put(broker: &Broker, path: &str, body: &Value) -> Request {
    broker.request("PUT", path).json(body)
}

fn delete(broker: &Broker, path: &str) -> Request {
    let named = format!("{path}?service_id={SERVICE}&plan_id={PLAN}");
    broker.request("DELETE", &named)
}

/// Equal ones: the first makes it, all others find it. Different ones: the first makes it, all others conflict.
/// Deletes: the first takes it, all others find it gone.
#[test]
fn of_64_at_once_one_wins() {
    let broker = Setup::new(CATALOG).start();
    let differing = |body: Value, number: usize| with(body, "parameters", json!({ "n": number }));
    assert_eq!(broker.provision("parent", &provision_body()).status, 201);
    let cases = [
        (at_instance("i"), provision_body()),
        (at_binding("parent", "b"), bind_body()),
    ];
    for round in 0..4 {
        for (path, body) in &cases {
            let path = format!("{path}-{round}");
            let deletes = vec![delete(&broker, &path); MANY];

            let equal = together(&broker, &vec![put(&broker, &path, body); MANY]);
            assert_eq!(counted(&equal), one_wins(201, 200), "equal, {path}");
            assert_eq!(
                bodies(&equal, &[200, 201]).len(),
                1,
                "all of them read the same answer, {path}"
            );
            let gone = counted(&together(&broker, &deletes));
            assert_eq!(gone, one_wins(200, 410), "deletes, {path}");

            let different: Vec<_> = (0..MANY)
                .map(|number| put(&broker, &path, &differing(body.clone(), number)))
                .collect();
            let answers = together(&broker, &different);
            assert_eq!(counted(&answers), one_wins(201, 409), "different, {path}");
            let won = answers.iter().position(|answer| answer.status == 201);
            assert_eq!(
                broker.get(&path).json()["parameters"],
                json!({ "n": won.expect("a winner") }),
                "what is stored is the winner's, {path}"
            );
            let gone = counted(&together(&broker, &deletes));
            assert_eq!(gone, one_wins(200, 410), "deletes, {path}");
        }
    }
}

/// Each update sets a key of its own: whoever read 200 finds the key, and none is turned away.
#[test]
fn updates_at_once_lose_no_parameter() {
    let broker = Setup::new(CATALOG).start();
    assert_eq!(broker.provision("i-1", &provision_body()).status, 201);
    let updates: Vec<_> = (0..MANY)
        .map(|number| {
            let parameters: Value = json!({ format!("key{number}"): number });
            broker
                .request("PATCH", &at_instance("i-1"))
                .json(&json!({ "service_id": SERVICE, "parameters": parameters }))
        })
        .collect();
    let answers = together(&broker, &updates);
    assert_eq!(counted(&answers), BTreeMap::from([(200, MANY)]));
    let stored = broker.fetch("i-1").json()["parameters"].clone();
    let keys: Value = (0..MANY)
        .map(|number| (format!("key{number}"), json!(number)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(stored, keys);
}

/// Binds race a deprovision: a bind that won is gone with its instance, one that lost is refused, and an instance that
/// is made of the same id afterwards has none of them.
#[test]
fn no_binding_outlives_its_instance() {
    let broker = Setup::new(CATALOG).start();
    let mut won = 0;
    for round in 0..12 {
        let instance = format!("i-{round}");
        assert_eq!(broker.provision(&instance, &provision_body()).status, 201);
        let mut requests: Vec<_> = (0..MANY - 1)
            .map(|number| {
                let path = at_binding(&instance, &format!("b-{number}"));
                put(&broker, &path, &bind_body())
            })
            .collect();
        requests.insert(round * 5, delete(&broker, &at_instance(&instance)));
        let answers = together(&broker, &requests);
        for (request, answer) in requests.iter().zip(&answers) {
            let expected: &[u16] = match request.method.as_str() {
                "DELETE" => &[200],
                _ => &[201, 404],
            };
            assert!(
                expected.contains(&answer.status),
                "{} {}",
                request.path,
                answer.text()
            );
        }
        won += counted(&answers).get(&201).unwrap_or(&0);
        for again in [false, true] {
            if again {
                assert_eq!(broker.provision(&instance, &provision_body()).status, 201);
            }
            for number in 0..MANY - 1 {
                let binding = format!("b-{number}");
                assert_eq!(broker.fetch_binding(&instance, &binding).status, 404);
            }
        }
    }
    assert!(won > 0, "no bind ever came before the deprovision");
}

/// Binds race plan changes: what a binding holds is what the plan renders that it named, never a mix, and a plan that
/// the instance does not have is refused.
#[test]
fn credentials_are_of_the_plan_that_the_instance_had() {
    const CONNECTIONS: usize = 8;
    let broker = Setup::new(CATALOG).start();
    assert_eq!(broker.provision("i-1", &provision_body()).status, 201);
    let moving = AtomicBool::new(true);
    let made: Vec<Vec<(String, bool, Value)>> = thread::scope(|scope| {
        let binding: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let (broker, moving) = (&broker, &moving);
                scope.spawn(move || bind_while(broker, moving, number))
            })
            .collect();
        for round in 0..60 {
            let plan = [LARGE, PLAN][round % 2];
            let change = json!({ "service_id": SERVICE, "plan_id": plan });
            assert_eq!(broker.update("i-1", &change).status, 200);
        }
        moving.store(false, Ordering::Relaxed);
        binding
            .into_iter()
            .map(|thread| thread.join().expect("its bindings"))
            .collect()
    });
    let mut of_plan: BTreeMap<bool, usize> = BTreeMap::new();
    for (id, small, credentials) in made.into_iter().flatten() {
        assert_eq!(credentials.get("password").is_some(), small, "{id}");
        assert_eq!(
            broker.fetch_binding("i-1", &id).json()["credentials"],
            credentials
        );
        *of_plan.entry(small).or_default() += 1;
    }
    assert_eq!(of_plan.len(), 2, "binds of one plan only: {of_plan:?}");
}

/// Binds one plan and the other in turn as long as the instance moves: what was bound, to which plan.
fn bind_while(broker: &Broker, moving: &AtomicBool, number: usize) -> Vec<(String, bool, Value)> {
    let mut connection = Connection::open(broker.address).expect("a connection of its own");
    let mut made = Vec::new();
    for turn in (0..).take_while(|_| moving.load(Ordering::Relaxed)) {
        let small = turn % 2 == 0;
        let body = with(
            bind_body(),
            "plan_id",
            json!(if small { PLAN } else { LARGE }),
        );
        let id = format!("b-{number}-{turn}");
        let request = put(broker, &at_binding("i-1", &id), &body);
        let answer = connection.send(&request).expect("an answer");
        match answer.status {
            201 => made.push((id, small, answer.json()["credentials"].clone())),
            400 => assert_eq!(answer.word(), "PlanMismatch"),
            status => panic!("{status} {}", answer.text()),
        }
    }
    made
}

/// One id is deprovisioned and made again with the other plan, over and over, while others bind: what was
/// made of the one before is not found on the one that is there.
#[test]
fn an_instance_made_again_is_another_one() {
    const CONNECTIONS: usize = 6;
    let broker = Setup::new(CATALOG).start();
    let mut remaking = Connection::open(broker.address).expect("a connection");
    let mut send = |request: &Request| remaking.send(request).expect("an answer").status;
    let mut bound = 0;
    let made = put(&broker, &at_instance("i-1"), &provision_body());
    assert_eq!(send(&made), 201);
    for round in 0..300 {
        let small = round % 2 == 0;
        let (plan, other) = if small { (PLAN, LARGE) } else { (LARGE, PLAN) };
        let path = at_instance("i-1");
        let gone = format!("{path}?service_id={SERVICE}&plan_id={plan}");
        let gone = broker.request("DELETE", &gone);
        let again = with(provision_body(), "plan_id", json!(other));
        let again = put(&broker, &path, &again);
        let (going, started) = (AtomicBool::new(true), Barrier::new(CONNECTIONS + 1));
        let ids: Vec<String> = thread::scope(|scope| {
            let binding: Vec<_> = (0..CONNECTIONS)
                .map(|number| {
                    let (broker, going, started) = (&broker, &going, &started);
                    let name = format!("{round}-{number}");
                    scope.spawn(move || bind_old(broker, plan, &name, going, started))
                })
                .collect();
            started.wait();
            assert_eq!(send(&gone), 200);
            assert_eq!(send(&again), 201);
            going.store(false, Ordering::Relaxed);
            let bound = binding.into_iter();
            bound
                .flat_map(|thread| thread.join().expect("what it bound"))
                .collect()
        });
        bound += ids.len();
        for id in ids {
            let found = broker.fetch_binding("i-1", &id);
            assert_eq!(found.status, 404, "round {round}, {id}: {}", found.text());
        }
    }
    assert!(bound > 0, "no bind ever came in time");
}

/// Binds with the old plan until the instance was made again: the ids that were bound.
fn bind_old(
    broker: &Broker,
    plan: &str,
    name: &str,
    going: &AtomicBool,
    started: &Barrier,
) -> Vec<String> {
    let mut connection = Connection::open(broker.address).expect("a connection of its own");
    let body = with(bind_body(), "plan_id", json!(plan));
    started.wait();
    let mut bound = Vec::new();
    for turn in (0..).take_while(|_| going.load(Ordering::Relaxed)) {
        let id = format!("b-{name}-{turn}");
        let bind = put(broker, &at_binding("i-1", &id), &body);
        if connection.send(&bind).expect("an answer").status == 201 {
            bound.push(id);
        }
    }
    bound
}
