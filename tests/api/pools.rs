//! The backend `pool`: each entry lent to one, taken back, and decided by the store, whoever asks and however many at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, SERVER, Setup, at_binding};
use crate::http::{Connection, Request};

const MANY: usize = 64;

/// Ten for bindings, two for instances, and one that never comes back.
const POOLS: &str = r#"
backends:
  ten: { pool: { entries: "${json:TEN}" } }
  two: { pool: { folder: "${dir:FOLDER}", lend: instance } }
  once: { pool: { entries: [{ name: only, credentials: { user: only } }], reuse: never } }
  later: { pool: { entries: [{ name: rests, credentials: { user: rests } }], reuse: { after: 2s } } }
services:
  - id: s
    name: seats
    description: Seats
    bindable: true
    bindings_retrievable: true
    instances_retrievable: true
    plans:
      - { id: plain, name: plain, description: What is lent is the answer, backend: { use: ten } }
      - id: made
        name: made
        description: What is lent is made into something
        backend: { use: ten }
        binding: { credentials: { uri: "seat://{{ binding.outputs.user | urlencode }}@{{ instance.id }}", entry: "{{ binding.outputs.user }}" } }
      - { id: once, name: once, description: Never again, backend: { use: once } }
      - { id: later, name: later, description: After a rest, backend: { use: later } }
      - id: whole
        name: whole
        description: An instance has one
        backend: { use: two }
        instance: { dashboard_url: "https://{{ instance.outputs.user }}.example.com" }
"#;

fn entries(names: &[&str]) -> String {
    let entry = |name: &&str| json!({ "name": name, "credentials": { "user": name, "port": 7 } });
    names.iter().map(entry).collect::<Value>().to_string()
}

const TEN: [&str; 10] = ["e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8", "e/9"];

fn setup(folder: &Folder) -> Setup {
    folder.write("two/a.json", r#"{ "user": "a" }"#);
    folder.write("two/b.json", r#"{ "user": "b" }"#);
    let document = POOLS.replace("FOLDER", &folder.path().join("two").to_string_lossy());
    Setup::new(&document).env("TEN", &entries(&TEN))
}

/// The store that it is without a word, and three brokers on one PostgreSQL.
fn fleets(folder: &Folder) -> [Vec<Broker>; 2] {
    let url = SERVER.url(&SERVER.database());
    let on_database = setup(folder).env("BROKER_STORE__URL", &url);
    [
        vec![setup(folder).start()],
        (0..3).map(|_| on_database.clone().start()).collect(),
    ]
}

fn provisioned(broker: &Broker, id: &str, plan: &str) {
    let made = broker.provision(id, &provision_of("s", plan));
    assert_eq!(made.status, 201, "{}", made.text());
}

/// What a bind gives; nothing where the pool is exhausted.
fn bound(broker: &Broker, instance: &str, binding: &str, plan: &str) -> Option<Value> {
    let answer = broker.bind(instance, binding, &bind_of("s", plan));
    if answer.status == 400 {
        assert_eq!(answer.word(), "PoolExhausted");
        assert!(
            answer.text().contains("ask the operator"),
            "{}",
            answer.text()
        );
        return None;
    }
    assert_eq!(answer.status, 201, "{}", answer.text());
    Some(answer.json()["credentials"].clone())
}

fn unbound(broker: &Broker, instance: &str, binding: &str, plan: &str) {
    assert_eq!(broker.unbind(instance, binding, "s", plan).status, 200);
}

#[test]
fn an_entry_is_lent_and_taken_back() {
    let folder = Folder::new();
    for brokers in fleets(&folder) {
        let broker = &brokers[0];
        provisioned(broker, "i", "plain");
        provisioned(broker, "m", "made");
        let first = bound(broker, "i", "b0", "plain");
        assert_eq!(first, Some(json!({ "user": "e0", "port": 7 })));
        let again = broker.bind("i", "b0", &bind_of("s", "plain"));
        assert_eq!(
            (again.status, &again.json()["credentials"]),
            (200, &first.clone().expect("one"))
        );
        let fetched = broker.fetch_binding("i", "b0").json();
        assert_eq!(Some(&fetched["credentials"]), first.as_ref());
        for at in 1..9 {
            assert!(bound(broker, "i", &format!("b{at}"), "plain").is_some());
        }
        let made = bound(broker, "m", "b", "made").expect("the last one");
        assert_eq!(
            made,
            json!({ "uri": "seat://e%2F9@m", "entry": "e/9" }),
            "one pool for both plans"
        );
        assert_eq!(bound(broker, "i", "more", "plain"), None);
        assert_eq!(broker.fetch_binding("i", "more").status, 404);

        unbound(broker, "i", "b3", "plain");
        assert_eq!(
            bound(broker, "m", "more", "made").expect("it is free")["entry"],
            "e3"
        );
        // With their instance all come back.
        assert_eq!(broker.deprovision("i", "s", "plain").status, 200);
        provisioned(broker, "i", "plain");
        for at in 0..8 {
            assert!(bound(broker, "i", &format!("n{at}"), "plain").is_some());
        }
        assert_eq!(bound(broker, "i", "more", "plain"), None);
    }
}

#[test]
fn an_instance_has_its_entry_for_its_life() {
    let folder = Folder::new();
    for brokers in fleets(&folder) {
        let broker = &brokers[0];
        let made = broker.provision("a", &provision_of("s", "whole"));
        assert_eq!(
            (made.status, &made.json()["dashboard_url"]),
            (201, &json!("https://a.example.com"))
        );
        provisioned(broker, "b", "whole");
        let third = broker.provision("c", &provision_of("s", "whole"));
        assert_eq!((third.status, &*third.word()), (400, "PoolExhausted"));
        assert_eq!(broker.fetch("c").status, 404);
        assert_eq!(
            broker.provision("a", &provision_of("s", "whole")).status,
            200
        );
        for binding in ["x", "y"] {
            assert_eq!(
                bound(broker, "b", binding, "whole"),
                Some(json!({ "user": "b" }))
            );
        }
        assert_eq!(broker.deprovision("b", "s", "whole").status, 200);
        provisioned(broker, "c", "whole");
        assert_eq!(
            bound(broker, "c", "x", "whole"),
            Some(json!({ "user": "b" }))
        );
    }
}

#[test]
fn what_came_back_rests_as_long_as_it_is_to() {
    let folder = Folder::new();
    for brokers in fleets(&folder) {
        let broker = &brokers[0];
        for plan in ["once", "later"] {
            provisioned(broker, plan, plan);
            assert!(bound(broker, plan, "a", plan).is_some());
            unbound(broker, plan, "a", plan);
        }
        assert_eq!(bound(broker, "once", "b", "once"), None);
        let mut rounds = 0;
        while bound(broker, "later", "b", "later").is_none() {
            rounds += 1;
            assert!(rounds < 600, "it never comes back");
            thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(bound(broker, "once", "b", "once"), None, "never is never");
    }
}

/// What is taken out of the list stays with its holder, and is not lent again.
#[test]
fn what_is_withdrawn_stays_with_its_holder() {
    let folder = Folder::new();
    let store = std::sync::Arc::new(Folder::new());
    let first = setup(&folder)
        .env("TEN", &entries(&["old", "kept"]))
        .start_in(&store);
    provisioned(&first, "i", "plain");
    let held = bound(&first, "i", "a", "plain").expect("the first");
    assert_eq!(held["user"], "old");
    drop(first);
    let broker = setup(&folder)
        .env("TEN", &entries(&["kept", "new"]))
        .start_in(&store);
    assert_eq!(broker.fetch_binding("i", "a").json()["credentials"], held);
    assert_eq!(
        bound(&broker, "i", "b", "plain").expect("one")["user"],
        "kept"
    );
    assert_eq!(
        bound(&broker, "i", "c", "plain").expect("one")["user"],
        "new"
    );
    unbound(&broker, "i", "a", "plain");
    assert_eq!(
        bound(&broker, "i", "d", "plain"),
        None,
        "`old` is not lent again"
    );
}

/// A list without entries lends nothing more, takes back what is lent, and can be filled again.
#[test]
fn a_pool_can_be_emptied() {
    let folder = Folder::new();
    let url = SERVER.url(&SERVER.database());
    for setup in [
        setup(&folder),
        setup(&folder).env("BROKER_STORE__URL", &url),
    ] {
        let store = std::sync::Arc::new(Folder::new());
        let two = folder.path().join("two");
        let broker = setup.clone().start_in(&store);
        for plan in ["plain", "whole"] {
            provisioned(&broker, plan, plan);
            assert!(bound(&broker, plan, "a", plan).is_some());
        }
        drop(broker);
        for file in ["a.json", "b.json"] {
            std::fs::remove_file(two.join(file)).expect("a file less");
        }
        let broker = setup.clone().env("TEN", "[]").start_in(&store);
        broker.wait_for_log("pool-empty");
        assert_eq!(bound(&broker, "plain", "b", "plain"), None);
        let more = broker.provision("more", &provision_of("s", "whole"));
        assert_eq!((more.status, &*more.word()), (400, "PoolExhausted"));
        assert_eq!(broker.fetch_binding("plain", "a").status, 200);
        unbound(&broker, "plain", "a", "plain");
        assert_eq!(bound(&broker, "plain", "b", "plain"), None);
        unbound(&broker, "whole", "a", "whole");
        assert_eq!(broker.deprovision("whole", "s", "whole").status, 200);
        drop(broker);
        for file in ["a.json", "b.json"] {
            folder.write(&format!("two/{file}"), r#"{ "user": "again" }"#);
        }
        let broker = setup.start_in(&store);
        assert!(bound(&broker, "plain", "b", "plain").is_some());
        provisioned(&broker, "more", "whole");
    }
}

/// All at once, each to the next of the brokers; the answers that came.
fn together(brokers: &[Broker], requests: &[Request]) -> Vec<Option<crate::http::Response>> {
    let gate = Barrier::new(requests.len());
    thread::scope(|scope| {
        let sent: Vec<_> = requests
            .iter()
            .zip(brokers.iter().cycle())
            .map(|(request, broker)| {
                let (gate, address) = (&gate, broker.address);
                scope.spawn(move || {
                    // Where a broker is killed it may be gone by now.
                    let connection = Connection::open(address);
                    gate.wait();
                    connection.ok()?.send(request).ok()
                })
            })
            .collect();
        let answered = sent.into_iter().map(thread::ScopedJoinHandle::join);
        answered.map(|answer| answer.expect("its end")).collect()
    })
}

fn binds(broker: &Broker, prefix: &str) -> Vec<Request> {
    let one = |at: usize| {
        let path = at_binding("i", &format!("{prefix}-{at}"));
        broker.request("PUT", &path).json(&bind_of("s", "plain"))
    };
    (0..MANY).map(one).collect()
}

/// Who has which entry, as a fetch of each binding says.
fn held(broker: &Broker, prefix: &str) -> BTreeMap<String, String> {
    let fetched = (0..MANY).map(|at| {
        let id = format!("{prefix}-{at}");
        let answer = broker.fetch_binding("i", &id);
        let user = answer.json()["credentials"]["user"]
            .as_str()
            .map(str::to_owned);
        user.map(|user| (id, user))
    });
    fetched.flatten().collect()
}

#[test]
fn of_64_binds_ten_get_one_of_ten_entries() {
    let folder = Folder::new();
    for brokers in fleets(&folder) {
        provisioned(&brokers[0], "i", "plain");
        for round in ["a", "b"] {
            let answers = together(&brokers, &binds(&brokers[0], round));
            let mut counts = BTreeMap::new();
            for answer in answers.iter().flatten() {
                *counts.entry(answer.status).or_insert(0) += 1;
            }
            assert_eq!(counts, BTreeMap::from([(201, 10), (400, MANY - 10)]));
            let held = held(&brokers[0], round);
            let users: BTreeSet<_> = held.values().collect();
            assert_eq!((held.len(), users.len()), (10, 10), "{held:?}");
            for id in held.keys() {
                unbound(&brokers[0], "i", id, "plain");
            }
        }
    }
}

/// Brokers are killed while 64 bind: then every entry is free or held by one, and what was answered holds.
#[test]
fn a_kill_in_between_loses_no_entry_and_lends_none_twice() {
    let folder = Folder::new();
    for mut brokers in fleets(&folder) {
        provisioned(&brokers[0], "i", "plain");
        for round in 0..3 {
            let prefix = format!("k{round}");
            let requests = binds(&brokers[0], &prefix);
            let answers = thread::scope(|scope| {
                let answers = scope.spawn(|| together(&brokers, &requests));
                thread::sleep(Duration::from_millis(20 + 15 * round));
                for broker in &brokers {
                    broker.signal("KILL");
                }
                answers.join().expect("their end")
            });
            brokers = brokers.into_iter().map(Broker::restarted).collect();
            let held = held(&brokers[0], &prefix);
            let users: BTreeSet<_> = held.values().cloned().collect();
            assert_eq!(users.len(), held.len(), "none twice: {held:?}");
            for (at, answer) in answers.iter().enumerate() {
                if let Some(answer) = answer.as_ref().filter(|answer| answer.status == 201) {
                    let id = format!("{prefix}-{at}");
                    let user = answer.json()["credentials"]["user"]
                        .as_str()
                        .map(str::to_owned);
                    assert_eq!(held.get(&id), user.as_ref(), "{id} was answered");
                }
            }
            let free = (0..).take_while(|at| {
                bound(&brokers[0], "i", &format!("{prefix}-more-{at}"), "plain").is_some()
            });
            let free = free.count();
            assert_eq!(free + held.len(), 10, "none is lost");
            assert_eq!(brokers[0].deprovision("i", "s", "plain").status, 200);
            provisioned(&brokers[0], "i", "plain");
        }
    }
}

const SHARED: &str = r"
backends:
  seats: { pool: { entries: [{ name: a, credentials: { n: 1 } }, { name: b, credentials: { n: 2 } }], reuse: { after: 1h } } }
services:
  - id: s
    name: seats
    description: Seats
    bindable: true
    plans:
      - { id: quick, name: quick, description: Lends again at once, backend: { use: seats, pool: { reuse: at_once } } }
      - { id: slow, name: slow, description: After a rest, backend: { use: seats } }
";

/// What one of its plans may lend is free, though it rests for the other; and who has what was taken out of the list has it.
#[test]
fn a_pool_of_several_plans_is_shown_as_the_store_counts_it() {
    let broker = Setup::new(SHARED)
        .watched()
        .env("BROKER_RELOAD__EVERY", "0")
        .env("BROKER_STORE__URL", "sqlite:broker.db")
        .start();
    for instance in ["i", "j"] {
        let made = broker.provision(instance, &provision_of("s", "slow"));
        assert_eq!(made.status, 201);
        assert_eq!(
            broker.bind(instance, "b", &bind_of("s", "slow")).status,
            201
        );
    }
    assert_eq!(broker.unbind("i", "b", "s", "slow").status, 200);
    let less = SHARED.replace(", { name: b, credentials: { n: 2 } }", "");
    assert_ne!(less, SHARED);
    broker.folder.write("catalog.yaml", &less);
    broker.signal("HUP");
    broker.wait_for_log("reloaded the catalog:");
    let page = crate::page::Page::of(&broker);
    let stats = Setup::default()
        .env("BROKER_STORE__URL", "sqlite:broker.db")
        .arg("store")
        .arg("stats")
        .run_in(&broker.folder);
    for (state, count) in [("free", 1), ("held", 1), ("resting", 0)] {
        let labels = [("pool", "seats"), ("state", state)];
        let shown = page.sum("pool_entries", &labels);
        assert_eq!(shown, Some(f64::from(count)), "{state}");
        let line = stats
            .1
            .lines()
            .find(|line| line.starts_with("pool") && line.contains(state));
        let line = line.unwrap_or_else(|| panic!("{stats:?}"));
        assert!(line.ends_with(&format!(" {count}")), "{line}");
    }
}
