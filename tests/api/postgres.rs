//! Several brokers on one PostgreSQL: what one of them was told the others know, whoever of them is asked, and a
//! database that goes away and comes back, or is reached through a pooler.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::checker;
use crate::cluster::{self, Cluster};
use crate::documents::provision_of;
use crate::harness::{
    Broker, CATALOG, Folder, PLAN, SERVER, SERVICE, Setup, at_binding, at_instance, bind_body,
    provision_body, with,
};
use crate::http::{Connection, Request, Response};
use crate::later::{accepted, accepting, awaited};
use crate::running::{assert_one_line, refused, wait_until};

const LARGE: &str = "4c4f5a52-6a9c-4b0f-8c0e-0f8e1fd0a5b7";

fn on(url: &str) -> Setup {
    Setup::new(CATALOG).env("BROKER_STORE__URL", url)
}

/// Brokers that are started at the same moment.
fn brokers(count: usize, url: &str) -> Vec<Broker> {
    thread::scope(|scope| {
        let starting: Vec<_> = (0..count)
            .map(|_| scope.spawn(|| on(url).start()))
            .collect();
        let started = starting.into_iter().map(thread::ScopedJoinHandle::join);
        started.map(|broker| broker.expect("it starts")).collect()
    })
}

/// Sends each request to the next of the brokers, on a connection of its own, all at the same moment.
fn together(brokers: &[Broker], requests: &[Request]) -> Vec<Response> {
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
                    let response = connection.send(request).expect("an answer");
                    checker::check(request, &response, &broker.requires).expect("what may be said");
                    response
                })
            })
            .collect();
        let answered = sent.into_iter().map(thread::ScopedJoinHandle::join);
        answered.map(|answer| answer.expect("its answer")).collect()
    })
}

fn counted(responses: &[Response]) -> BTreeMap<u16, usize> {
    responses
        .iter()
        .fold(BTreeMap::new(), |mut counts, response| {
            *counts.entry(response.status).or_default() += 1;
            counts
        })
}

/// A life, told to one broker and the other in turn.
fn lives(one: &Broker, other: &Broker, instance: &str) {
    assert_eq!(one.provision(instance, &provision_body()).status, 201);
    assert_eq!(other.provision(instance, &provision_body()).status, 200);
    let different = with(provision_body(), "parameters", json!({ "n": 1 }));
    assert_eq!(other.provision(instance, &different).status, 409);
    let bound = one.bind(instance, "b-1", &bind_body());
    assert_eq!(bound.status, 201);
    let again = other.bind(instance, "b-1", &bind_body());
    assert_eq!((again.status, again.json()), (200, bound.json()));
    let found = other.fetch_binding(instance, "b-1").json();
    assert_eq!(found["credentials"], bound.json()["credentials"]);
    let moved = json!({ "service_id": SERVICE, "plan_id": LARGE });
    assert_eq!(other.update(instance, &moved).status, 200);
    assert_eq!(one.fetch(instance).json()["plan_id"], LARGE);
    assert_eq!(one.poll(instance).json()["state"], "succeeded");
    assert_eq!(
        one.poll_binding(instance, "b-1").json()["state"],
        "succeeded"
    );
    assert_eq!(other.unbind(instance, "b-1", SERVICE, PLAN).status, 200);
    assert_eq!(one.unbind(instance, "b-1", SERVICE, PLAN).status, 410);
    assert_eq!(one.deprovision(instance, SERVICE, LARGE).status, 200);
    assert_eq!(other.deprovision(instance, SERVICE, LARGE).status, 410);
    assert_eq!(other.fetch(instance).status, 404);
    assert_eq!(other.poll(instance).status, 410);
}

#[test]
fn a_life_is_known_to_every_broker() {
    let name = SERVER.database();
    // One goes over the network, the other over the socket.
    let pair = [
        on(&SERVER.url(&name)).start(),
        on(&SERVER.socket_url(&name)).start(),
    ];
    for number in 0..3 {
        lives(&pair[0], &pair[1], &format!("i-{number}"));
    }
}

#[test]
fn what_was_answered_outlives_its_broker() {
    let url = SERVER.url(&SERVER.database());
    let mut pair = brokers(2, &url);
    assert_eq!(pair[0].provision("i-1", &provision_body()).status, 201);
    let bound = pair[0].bind("i-1", "b-1", &bind_body()).json();
    pair[0].kill();
    assert_eq!(pair[1].bind("i-1", "b-1", &bind_body()).json(), bound);
    let other = pair.remove(1).restarted();
    assert_eq!(other.bind("i-1", "b-1", &bind_body()).json(), bound);
}

/// 64 clients, three brokers that were started at once on an empty database, one id.
#[test]
fn of_64_at_three_brokers_one_wins() {
    const MANY: usize = 64;
    let url = SERVER.url(&SERVER.database());
    let three = brokers(3, &url);
    let one = |winner: u16, others: u16| BTreeMap::from([(winner, 1), (others, MANY - 1)]);
    assert_eq!(three[0].provision("parent", &provision_body()).status, 201);
    for round in 0..5 {
        for (path, body) in [
            (at_instance(&format!("i-{round}")), provision_body()),
            (at_binding("parent", &format!("b-{round}")), bind_body()),
        ] {
            let put = three[0].request("PUT", &path).json(&body);
            let answers = together(&three, &vec![put; MANY]);
            assert_eq!(counted(&answers), one(201, 200), "{path}");
            let different: Vec<_> = (0..MANY)
                .map(|number| with(body.clone(), "parameters", json!({ "n": number })))
                .map(|body| three[0].request("PUT", &path).json(&body))
                .collect();
            let answers = together(&three, &different);
            assert_eq!(counted(&answers), BTreeMap::from([(409, MANY)]), "{path}");
            let delete = format!("{path}?service_id={SERVICE}&plan_id={PLAN}");
            let delete = three[0].request("DELETE", &delete);
            let answers = together(&three, &vec![delete; MANY]);
            assert_eq!(counted(&answers), one(200, 410), "{path}");
        }
    }
}

#[test]
fn a_database_that_goes_is_told_and_found_again_by_itself() {
    let mut server = Cluster::start(&[]);
    let url = server.url(&server.database());
    let broker = on(&url).env("BROKER_STORE__TIMEOUT", "2s").start();
    let ready = || broker.get("/readyz").status;
    assert_eq!(broker.provision("i-0", &provision_body()).status, 201);
    for round in 1..3 {
        assert_eq!(ready(), 200);
        server.stop();
        let name = format!("i-{round}");
        let refused = broker.provision(&name, &provision_body());
        assert_eq!(refused.status, 503);
        assert_eq!(refused.word(), "StoreUnavailable");
        assert!(
            refused.header("Retry-After").is_some(),
            "when to come again"
        );
        assert_eq!(broker.fetch("i-0").status, 503);
        assert_eq!(broker.catalog().status, 200, "it needs no store");
        assert_eq!(ready(), 503);
        assert_eq!(broker.get("/healthz").status, 200, "no reason to kill it");
        server.restart();
        wait_until(&broker, "it is ready again", || ready() == 200);
        assert_eq!(broker.provision(&name, &provision_body()).status, 201);
        assert_eq!(broker.provision("i-0", &provision_body()).status, 200);
    }
    assert!(!broker.log().contains("p@ss"), "{}", broker.log());
    assert!(!broker.log().contains("p%40ss"), "{}", broker.log());
}

/// Clients that go on while the server dies and comes back: what was answered with 201 is there in the end, and a repeat
/// of what was not is right.
#[test]
fn nothing_that_was_answered_is_lost_with_the_server() {
    let mut server = Cluster::start(&[]);
    let url = server.url(&server.database());
    let pair = brokers(2, &url);
    let stop = Instant::now() + Duration::from_secs(4);
    let made = thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let broker = &pair[client % 2];
                scope.spawn(move || provisions(broker, client, stop))
            })
            .collect();
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(700));
            server.stop();
            thread::sleep(Duration::from_millis(200));
            server.restart();
        }
        let ended = clients.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .map(|made| made.expect("what it made"))
            .collect::<Vec<_>>()
    });
    let (known, unknown): (Vec<_>, Vec<_>) = made.into_iter().unzip();
    let (known, unknown) = (known.concat(), unknown.concat());
    assert!(known.len() > 20 && !unknown.is_empty(), "{unknown:?}");
    for id in &known {
        assert_eq!(pair[0].fetch(id).status, 200, "{id} was answered");
    }
    for id in &unknown {
        let again = pair[1].provision(id, &provision_body()).status;
        assert!([200, 201].contains(&again), "{id}: {again}");
    }
    wait_until(&pair[0], "it is ready again", || {
        pair[0].get("/readyz").status == 200
    });
}

/// What was answered with 201, and what with 503.
fn provisions(broker: &Broker, client: usize, stop: Instant) -> (Vec<String>, Vec<String>) {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for number in 0.. {
        if Instant::now() > stop {
            break;
        }
        let id = format!("i-{client}-{number}");
        match broker.provision(&id, &provision_body()).status {
            201 => known.push(id),
            503 => {
                unknown.push(id);
                thread::sleep(Duration::from_millis(50));
            }
            status => panic!("{id}: {status}"),
        }
    }
    (known, unknown)
}

#[test]
fn a_database_that_cannot_be_used_is_refused_in_one_line_without_its_password() {
    let good = SERVER.url(&SERVER.database());
    let folder = Folder::new();
    folder.write("catalog.yaml", CATALOG);
    for (url, words) in [
        (good.replace("p%40ss", "MARKED"), "password authentication"),
        (
            "postgres://u:MARKED@127.0.0.1:1/d".to_owned(),
            "postgres://127.0.0.1:1/d",
        ),
        ("postgres://u:MARKED@/d".to_owned(), "names no host"),
        (
            format!("{good}?sslmode=verify-all&password=MARKED"),
            "sslmode",
        ),
    ] {
        let setup = on(&url).env("BROKER_STORE__TIMEOUT", "500ms");
        assert_one_line(&setup, &folder, &[words]);
        let (_, said) = refused(&setup, &folder);
        assert!(!said.contains("MARKED"), "{said}");
    }
}

/// A program that takes a moment and writes down when it begins and ends.
const PROGRAM: &str = r#"#!/bin/sh
request=$(cat)
id=$(printf '%s' "$request" | sed -n 's/.*"operation":{[^}]*"id":"\([a-z0-9]*\).*/\1/p')
echo "begin $id" >> "$ROOT/journal"
while [ -e "$ROOT/halt" ]; do sleep 0.02; done
sleep 0.05
echo "end $id" >> "$ROOT/journal"
echo '{}'
"#;

const ACTING: &str = r#"
backends:
  program: { command: { run: ["FOLDER/program.sh"], env: { ROOT: FOLDER, PATH: /usr/bin:/bin }, concurrency: 2 } }
services:
  - id: acting
    name: acting
    description: Has a program
    bindable: false
    backend: { use: program }
    plans: [{ id: later, name: later, description: Answers later, respond: async }]
"#;

/// Brokers on one database that share a program, and the folder that steers it.
fn acting(count: usize) -> (Vec<Broker>, Folder) {
    let root = Folder::new();
    let program = root.write("program.sh", PROGRAM);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("an executable");
    let catalog = ACTING.replace("FOLDER", &root.path().display().to_string());
    let url = SERVER.url(&SERVER.database());
    let start = || {
        Setup::new(&catalog)
            .env("BROKER_STORE__URL", &url)
            .env("BROKER_OPERATIONS__LEASE", "1s")
            .env("BROKER_OPERATIONS__LOOK_EVERY", "50ms")
            .start()
    };
    ((0..count).map(|_| start()).collect(), root)
}

fn journal(root: &Folder) -> Vec<String> {
    let text = fs::read_to_string(root.path().join("journal")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Whoever of them takes an operation up, never more than two run at once, and each is carried out once.
#[test]
fn three_brokers_share_one_limit() {
    let (three, root) = acting(3);
    let operations: Vec<_> = (0..24)
        .map(|number| {
            let path = accepting(&at_instance(&format!("i-{number}")));
            let answer = three[0].put(&path, &provision_of("acting", "later"));
            (number, accepted(&answer))
        })
        .collect();
    for (number, operation) in &operations {
        let path = at_instance(&format!("i-{number}"));
        let over = awaited(&three[number % 3], &path, operation);
        assert_eq!(over.json()["state"], "succeeded", "{}", over.text());
    }
    let mut running = 0;
    for line in journal(&root) {
        running += if line.starts_with("begin") { 1 } else { -1 };
        assert!((0..=2).contains(&running), "{:?}", journal(&root));
    }
    assert_eq!(journal(&root).len(), 48, "each of them once");
}

/// Killed in the middle of it, another takes its operation up; stopped politely, it gives it back at once.
#[test]
fn what_a_dead_broker_left_another_one_finishes() {
    for signal in ["KILL", "TERM"] {
        let (mut pair, root) = acting(1);
        root.write("halt", "");
        let path = accepting(&at_instance("i"));
        let answer = pair[0].put(&path, &provision_of("acting", "later"));
        let operation = accepted(&answer);
        wait_until(&pair[0], "it begins", || !journal(&root).is_empty());
        pair.push(pair[0].another());
        pair[0].signal(signal);
        pair[0].wait();
        fs::remove_file(root.path().join("halt")).expect("it goes on");
        let over = awaited(&pair[1], &at_instance("i"), &operation);
        assert_eq!(over.json()["state"], "succeeded", "{signal}");
    }
}

/// One that slept for longer than its lease finds that its result does not count.
#[test]
fn who_sleeps_through_its_lease_comes_too_late() {
    let (mut pair, root) = acting(1);
    root.write("halt", "");
    let path = accepting(&at_instance("i"));
    let operation = accepted(&pair[0].put(&path, &provision_of("acting", "later")));
    wait_until(&pair[0], "it begins", || !journal(&root).is_empty());
    pair.push(pair[0].another());
    pair[0].signal("STOP");
    wait_until(&pair[1], "the other begins", || journal(&root).len() > 1);
    fs::remove_file(root.path().join("halt")).expect("both go on");
    let over = awaited(&pair[1], &at_instance("i"), &operation);
    assert_eq!(over.json()["state"], "succeeded");
    let gone = format!(
        "{}&service_id=acting&plan_id=later",
        accepting(&at_instance("i"))
    );
    let delete = accepted(&pair[1].delete(&gone));
    assert_eq!(awaited(&pair[1], &at_instance("i"), &delete).status, 410);
    pair[0].signal("CONT");
    pair[0].wait_for_log(&operation);
    assert_eq!(pair[0].fetch("i").status, 404, "it is gone and stays gone");
}

/// PgBouncer in transaction mode, with fewer connections to the server than the brokers have to it.
struct Pooler {
    process: Child,
    url: String,
}

impl Pooler {
    fn before(server: &Cluster, database: &str) -> Self {
        let port = cluster::free_port();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user={} password=p@ss\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 200\n\
             logfile = {folder}/pooler.log\n",
            server.port,
            cluster::USER,
            folder = server.folder().display(),
        );
        let file = server.write(&format!("pooler-{port}.ini"), settings.as_bytes());
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .expect("PgBouncer is installed: tests/run does that");
        let mut command = cluster::unprivileged(Path::new(program));
        command.arg("-q").arg(&file);
        let process = cluster::spawned(command);
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(server.folder().join("pooler.log"));
            assert!(Instant::now() < until, "the pooler does not start: {log:?}");
            thread::sleep(Duration::from_millis(20));
        }
        let url = format!("postgres://anybody@127.0.0.1:{port}/{database}?sslmode=disable");
        Self { process, url }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_pooler_may_stand_between() {
    let pooler = Pooler::before(&SERVER, &SERVER.database());
    let pair = Arc::new(brokers(2, &pooler.url));
    thread::scope(|scope| {
        for client in 0..8 {
            let pair = &pair;
            scope.spawn(move || {
                for number in 0..10 {
                    lives(&pair[0], &pair[1], &format!("i-{client}-{number}"));
                }
            });
        }
    });
}
