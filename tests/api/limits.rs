//! `limits`: how much there may be, decided by the store, whoever asks and however many at once.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};

use crate::checker;
use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, SERVER, Setup, at_binding, at_instance, with};
use crate::http::{Connection, Request, Response};

const MANY: usize = 64;

const LIMITED: &str = r#"
services:
  - id: s
    name: queues
    description: Queues
    bindable: true
    plan_updateable: true
    limits: { instances: 20, contact: queues@example.com }
    binding: { credentials: { user: "u_{{ binding.id }}" } }
    plans:
      - { id: small, name: small, description: Small, limits: { per_organization: 3, per_space: 2, bindings_per_instance: 4 } }
      - { id: large, name: large, description: Large, limits: { instances: 2, bindings_per_instance: 1, contact: the storage team } }
      - { id: free, name: free, description: Free of limits of its own }
  - id: t
    name: topics
    description: Topics
    bindable: true
    binding: { credentials: { user: "u_{{ binding.id }}" } }
    plans: [{ id: topic, name: topic, description: Topic, limits: { instances: 7, bindings_per_instance: 5 } }]
  - id: u
    name: files
    description: Files
    bindable: false
    plan_updateable: true
    plans:
      - { id: u-free, name: free, description: Free of limits }
      - { id: u-all, name: all, description: Limited over all, limits: { instances: 6 } }
      - { id: u-organization, name: organization, description: Limited there, limits: { per_organization: 4 } }
      - { id: u-space, name: space, description: Limited there, limits: { per_space: 5 } }
"#;

fn body(plan: &str, organization: &str, space: &str) -> Value {
    let service = match plan {
        "topic" => "t",
        files if files.starts_with("u-") => "u",
        _ => "s",
    };
    let body = with(
        provision_of(service, plan),
        "organization_guid",
        json!(organization),
    );
    with(body, "space_guid", json!(space))
}

/// The store that it is without a word, and three brokers on one PostgreSQL.
fn fleets() -> [Vec<Broker>; 2] {
    let url = SERVER.url(&SERVER.database());
    let on_database = Setup::new(LIMITED).env("BROKER_STORE__URL", &url);
    [
        vec![Setup::new(LIMITED).start()],
        (0..3).map(|_| on_database.clone().start()).collect(),
    ]
}

/// All at once, each to the next of the brokers; how many answers had which status.
fn together(brokers: &[Broker], requests: &[Request]) -> BTreeMap<(u16, String), usize> {
    let gate = Barrier::new(requests.len());
    let answers: Vec<Response> = thread::scope(|scope| {
        let sent: Vec<_> = requests
            .iter()
            .zip(brokers.iter().cycle())
            .map(|(request, broker)| {
                let gate = &gate;
                scope.spawn(move || {
                    let mut connection = Connection::open(broker.address).expect("a connection");
                    gate.wait();
                    let answer = connection.send(request).expect("an answer");
                    checker::check(request, &answer, &broker.requires).expect("what may be said");
                    answer
                })
            })
            .collect();
        let answered = sent.into_iter().map(thread::ScopedJoinHandle::join);
        answered.map(|answer| answer.expect("its answer")).collect()
    });
    let mut counts = BTreeMap::new();
    for answer in answers {
        let word = match answer.status {
            200 | 201 => String::new(),
            _ => answer.word(),
        };
        *counts.entry((answer.status, word)).or_default() += 1;
    }
    counts
}

fn told(response: &Response, status: u16, words: &[&str]) {
    assert_eq!(
        (response.status, &*response.word()),
        (status, "QuotaExceeded")
    );
    let description = response.json()["description"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for word in words {
        assert!(description.contains(word), "{word}: {description}");
    }
}

#[test]
fn a_limit_is_told_with_whom_to_ask() {
    for brokers in fleets() {
        let broker = &brokers[0];
        let made =
            |id: &str, body: &Value| assert_eq!(broker.provision(id, body).status, 201, "{id}");
        made("a", &body("small", "o-1", "s-1"));
        made("b", &body("small", "o-1", "s-1"));
        let third = broker.provision("c", &body("small", "o-1", "s-1"));
        told(
            &third,
            400,
            &["`small`", "at most 2", "one space", "queues@example.com"],
        );
        assert_eq!(
            broker.provision("b", &body("small", "o-1", "s-1")).status,
            200,
            "a repeat"
        );
        made("c", &body("small", "o-1", "s-2"));
        let fourth = broker.provision("d", &body("small", "o-1", "s-3"));
        told(&fourth, 400, &["`small`", "at most 3", "one organization"]);
        made("d", &body("small", "o-2", "s-4"));
        assert_eq!(broker.fetch("e").status, 404);

        for name in ["1", "2", "3", "4"] {
            assert_eq!(broker.bind("a", name, &bind_of("s", "small")).status, 201);
        }
        let fifth = broker.bind("a", "5", &bind_of("s", "small"));
        told(&fifth, 400, &["at most 4", "bindings", "`small`"]);
        assert_eq!(broker.bind("a", "4", &bind_of("s", "small")).status, 200);
        assert_eq!(broker.unbind("a", "4", "s", "small").status, 200);
        assert_eq!(broker.bind("a", "5", &bind_of("s", "small")).status, 201);

        // A move counts for the plan that is moved to.
        let to = |plan: &str| json!({ "service_id": "s", "plan_id": plan });
        told(
            &broker.update("a", &to("large")),
            422,
            &["at most 1", "bindings", "the storage team"],
        );
        assert_eq!(broker.update("b", &to("large")).status, 200);
        assert_eq!(broker.update("c", &to("large")).status, 200);
        told(
            &broker.update("d", &to("large")),
            422,
            &["`large`", "at most 2", "the storage team"],
        );
        assert_eq!(
            broker.update("c", &to("large")).status,
            200,
            "it is there already"
        );
        made("e", &body("small", "o-1", "s-1"));
    }
}

/// 64 clients, one broker on a file and three on a database: never one too many, and a restart changes nothing.
#[test]
fn of_64_at_once_as_many_get_in_as_there_is_room_for() {
    for mut brokers in fleets() {
        let put = |path: String, body: &Value| brokers[0].request("PUT", &path).json(body);
        let provisions: Vec<_> = (0..MANY)
            .map(|at| put(at_instance(&format!("i-{at}")), &body("topic", "o", "s")))
            .collect();
        let split = |made: usize| {
            BTreeMap::from([
                ((201, String::new()), made),
                ((400, "QuotaExceeded".to_owned()), MANY - made),
            ])
        };
        assert_eq!(together(&brokers, &provisions), split(7));
        let there = (0..MANY).map(|at| format!("i-{at}"));
        let there = there.filter(|id| brokers[0].poll(id).status == 200);
        let there: Vec<String> = there.collect();
        assert_eq!(there.len(), 7, "{there:?}");
        let binds: Vec<_> = (0..MANY)
            .map(|at| {
                put(
                    at_binding(&there[0], &format!("b-{at}")),
                    &bind_of("t", "topic"),
                )
            })
            .collect();
        assert_eq!(together(&brokers, &binds), split(5));
        // Those that are not limited by themselves meet the offering's limit.
        let others: Vec<_> = (0..MANY)
            .map(|at| put(at_instance(&format!("j-{at}")), &body("free", "o", "s")))
            .collect();
        assert_eq!(together(&brokers, &others), split(20));

        brokers = brokers.into_iter().map(Broker::restarted).collect();
        let again = brokers[0].provision("one-more", &body("topic", "o", "s"));
        told(&again, 400, &["at most 7"]);
        assert_eq!(brokers[0].deprovision(&there[1], "t", "topic").status, 200);
        let again = brokers[0].provision("one-more", &body("topic", "o", "s"));
        assert_eq!(again.status, 201, "{}", again.text());
    }
}

/// As many as `made` did, and who was refused reads why.
fn split(made: usize, of: usize, [done, refused]: [u16; 2]) -> BTreeMap<(u16, String), usize> {
    BTreeMap::from([
        ((done, String::new()), made),
        ((refused, "QuotaExceeded".to_owned()), of - made),
    ])
}

#[test]
fn of_64_at_once_as_many_get_into_an_organization_or_a_space_as_there_is_room_for() {
    for brokers in fleets() {
        let provisions = |prefix: &str, plan: &str, place: fn(usize) -> (String, String)| {
            let all = (0..MANY).map(|at| {
                let (organization, space) = place(at);
                let path = at_instance(&format!("{prefix}-{at}"));
                let body = body(plan, &organization, &space);
                brokers[0].request("PUT", &path).json(&body)
            });
            all.collect::<Vec<_>>()
        };
        let spaces = |at| ("o".to_owned(), format!("s-{at}"));
        let all = together(&brokers, &provisions("o", "u-organization", spaces));
        assert_eq!(all, split(4, MANY, [201, 400]));
        let one = |_| ("p".to_owned(), "p".to_owned());
        let all = together(&brokers, &provisions("s", "u-space", one));
        assert_eq!(all, split(5, MANY, [201, 400]));
        // Of two places at once each has its room.
        let two = |at| ("q".to_owned(), format!("q-{}", at % 2));
        let all = together(&brokers, &provisions("t", "u-space", two));
        assert_eq!(all, split(10, MANY, [201, 400]));
    }
}

/// Who moves to a plan counts there as who is made there, and stays where it was if there is no room.
#[test]
fn of_64_that_move_at_once_as_many_get_in_as_there_is_room_for() {
    for brokers in fleets() {
        let path = |at: usize| at_instance(&format!("i-{at}"));
        let provision = |at: usize, plan: &str| {
            let body = body(plan, "o", "s");
            brokers[0].request("PUT", &path(at)).json(&body)
        };
        let free: Vec<_> = (0..MANY).map(|at| provision(at, "u-free")).collect();
        let made = BTreeMap::from([((201, String::new()), MANY)]);
        assert_eq!(together(&brokers, &free), made);
        let moves = |plan: &str| {
            let body = json!({ "service_id": "u", "plan_id": plan });
            let all = (0..MANY).map(|at| brokers[0].request("PATCH", &path(at)).json(&body));
            all.collect::<Vec<_>>()
        };
        let room = [("u-all", 6), ("u-organization", 4), ("u-space", 5)];
        for (plan, most) in room {
            let all = together(&brokers, &moves(plan));
            assert_eq!(all, split(most, MANY, [200, 422]), "{plan}");
        }
        // Whoever moved on made room where it was: the plan that was moved to last is full, and no other has too many.
        let leaves = |at: usize| {
            let gone = brokers[0].delete(&format!("{}?service_id=u&plan_id=u-space", path(at)));
            gone.status == 200
        };
        assert_eq!((0..MANY).filter(|at| leaves(*at)).count(), 5);
        // Some are made while others move there.
        let mut both = moves("u-space");
        both.truncate(MANY / 2);
        both.extend((MANY..MANY + MANY / 2).map(|at| provision(at, "u-space")));
        let counts = together(&brokers, &both);
        let count = |status: u16, word: &str| {
            let key = (status, word.to_owned());
            counts.get(&key).copied().unwrap_or_default()
        };
        assert_eq!(count(200, "") + count(201, ""), 5, "{counts:?}");
    }
}

/// What instances are counted by is there before the first request, which would have to wait for it; and only where
/// something is limited.
#[test]
fn what_is_counted_by_is_made_before_anybody_is_served() {
    let question = "SELECT count(*) FROM pg_indexes WHERE indexname = 'broker_instances_counted'";
    let unlimited = "services: [{ id: s, name: s, description: d, bindable: false, plans: [{ id: p, name: p, description: d, \
                     limits: { bindings_per_instance: 4 } }] }]";
    for (document, expected) in [(unlimited, "0"), (LIMITED, "1")] {
        let database = SERVER.database();
        let setup = Setup::new(document).env("BROKER_STORE__URL", &SERVER.url(&database));
        for _ in 0..2 {
            let broker = setup.clone().start();
            assert_eq!(
                SERVER.sql(&database, question),
                expected,
                "{}",
                broker.log()
            );
        }
    }
}
