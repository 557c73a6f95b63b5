//! A sealed store from outside: nothing of what is confidential can be found on its disk, who lacks a key is refused, keys
//! are changed while brokers serve, and what was tampered with is not believed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::desk::{CATALOG, of};
use crate::engines::{self, Engine};
use crate::harness::{Broker, Folder, KEYS, SERVER, Setup, at_binding, at_instance};
use crate::runner::{Ran, run_with};

/// 32 times the digit 1, 2 and 3.
const ONE: &str = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=";
const TWO: &str = "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjI=";
const THREE: &str = "MzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzMzM=";

engines::on_both! {
    a_key_that_is_missing_is_named,
    a_key_is_changed_while_clients_change_things,
    what_was_moved_is_not_believed,
    what_is_no_cell_is_not_believed,
    a_copy_is_sealed_with_the_first_key,
    who_would_seal_what_no_broker_opens_is_refused,
    what_is_taken_over_is_sealed,
}

/// A store, and who works on it with which keys.
struct Sealed {
    url: String,
    folder: Arc<Folder>,
}

impl Sealed {
    fn on(engine: Engine) -> Self {
        Self::at(engine.url())
    }

    fn at(url: String) -> Self {
        let folder = Arc::new(Folder::new());
        folder.write("catalog.yaml", CATALOG);
        Self { url, folder }
    }

    fn setup(&self, keys: &str) -> Setup {
        Setup::new("")
            .env("BROKER_STORE__URL", &self.url)
            .env(KEYS, keys)
    }

    fn serve(&self, keys: &str) -> Broker {
        self.setup(keys).start_in(&self.folder)
    }

    fn run(&self, keys: &str, arguments: &[&str]) -> Ran {
        let environment = [("BROKER_STORE__URL", &*self.url), (KEYS, keys)];
        run_with(&self.folder, arguments, &environment)
    }

    /// What a start says that does not come to serve.
    fn refused(&self, keys: &str) -> String {
        self.run(keys, &["serve"]).exits(2).err
    }

    /// How many cells are sealed with which key; nothing for those that are not.
    fn cells(&self, keys: &str) -> Vec<(Option<String>, u64)> {
        let stats = self.run(keys, &["store", "stats", "--format", "json"]);
        let stats = stats.exits(0).json();
        let sealed = stats["sealed"].as_array().expect("a list").iter();
        let cell = |cells: &Value| cells["cells"].as_u64().expect("a number");
        sealed
            .map(|cells| (cells["key"].as_str().map(str::to_owned), cell(cells)))
            .collect()
    }

    /// The id of the key that all is sealed with.
    fn only_key(&self, keys: &str) -> String {
        match &self.cells(keys)[..] {
            [(Some(key), _)] => key.clone(),
            cells => panic!("{cells:?}"),
        }
    }

    /// Does something to the tables by hand. `{p}` stands for what the names of tables begin with.
    fn tamper(&self, statements: &str) {
        if self.url.starts_with("sqlite:") {
            let file = self.folder.path().join("data/broker.db");
            let database = Connection::open(file).expect("the file");
            database
                .busy_timeout(Duration::from_secs(10))
                .expect("time");
            let statements = statements.replace("{p}", "").replace("'\\x", "x'");
            database.execute_batch(&statements).expect("it is done");
        } else {
            let database = self.url.rsplit('/').next().expect("a name");
            SERVER.sql(database, &statements.replace("{p}", "broker_"));
        }
    }
}

fn stop(mut broker: Broker) {
    broker.signal("TERM");
    assert!(broker.wait().success(), "{}", broker.log());
}

fn body(plan: &str, number: u64) -> Value {
    let mut body = of(plan);
    body["parameters"]["n"] = number.into();
    body
}

/// The files below a folder that hold a text.
fn found(folder: &Path, text: &str) -> Vec<String> {
    let output = Command::new("grep")
        .args([
            "--recursive",
            "--files-with-matches",
            "--text",
            "--fixed-strings",
            "-e",
            text,
        ])
        .arg(folder)
        .env("LC_ALL", "C")
        .output()
        .expect("grep runs");
    // What goes while it is looked for (a server's temporary file) is an error, too, but no match.
    let files = String::from_utf8_lossy(&output.stdout).into_owned();
    files.lines().map(str::to_owned).collect()
}

/// What is confidential of a life with a program: what the platform sends, what the program gives back.
const MARKS: [&str; 8] = [
    "MARKED-parameter",
    "MARKED-context",
    "MARKED-identity",
    "MARKED-bind-parameter",
    "MARKED-output",
    "MARKED-state",
    "MARKED-told",
    "MARKED-credential",
];

/// Gives outputs and a state back, says something of a delete that it refuses, and waits as long as a file is there.
const PROGRAM: &str = r#"#!/bin/sh
request=$(cat)
echo "progress: MARKED-told" >&2
while [ -e "$ROOT/halt" ]; do sleep 0.05; done
case $request in
  *'"deprovision"'*) echo '{"description": "MARKED-told"}'; exit 65 ;;
esac
echo '{"outputs": {"secret": "MARKED-output"}, "state": {"secret": "MARKED-state"}, "description": "MARKED-told"}'
"#;

const ACTING: &str = r#"
backends:
  program: { command: { run: ["FOLDER/program.sh"], env: { ROOT: FOLDER, PATH: /usr/bin:/bin } } }
services:
  - id: acting
    name: acting
    description: Has a program
    bindable: true
    plan_updateable: true
    bindings_retrievable: true
    backend: { use: program }
    binding: { credentials: { password: "MARKED-credential {{ binding.outputs.secret }}" } }
    plans: [{ id: later, name: later, description: Answers later, respond: async }]
"#;

/// A full life: made, changed, bound, and one more that is on its way until it is let go.
fn lives(broker: &Broker, root: &Folder, look: impl Fn()) {
    let request = |parameter: &str| {
        json!({
            "service_id": "acting", "plan_id": "later", "organization_guid": "o", "space_guid": "s",
            "context": { "platform": "cloudfoundry", "secret": "MARKED-context" },
            "parameters": { "secret": parameter },
        })
    };
    let identity = format!(
        "cloudfoundry {}",
        base64(r#"{"user_id": "MARKED-identity"}"#)
    );
    let send = |method: &str, path: &str, parameter: &str| {
        let path = format!("{path}?accepts_incomplete=true&service_id=acting&plan_id=later");
        let request = broker
            .request(method, &path)
            .header("X-Broker-API-Originating-Identity", &identity)
            .json(&request(parameter));
        let response = broker.send(&request);
        assert_eq!(response.status, 202, "{}", response.text());
    };
    let over = |path: &str, state: &str| {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let polled = broker.get(&format!("{path}/last_operation")).json();
            if polled["state"] == state {
                break;
            }
            assert!(Instant::now() < until, "{polled}\n{}", broker.log());
            thread::sleep(Duration::from_millis(20));
        }
    };
    let (i, b, j) = (at_instance("i"), at_binding("i", "b"), at_instance("j"));
    for (method, path, parameter) in [
        ("PUT", &i, "MARKED-parameter"),
        ("PATCH", &i, "MARKED-parameter-2"),
        ("PUT", &b, "MARKED-bind-parameter"),
    ] {
        send(method, path, parameter);
        over(path, "succeeded");
    }
    let credentials = broker.fetch_binding("i", "b").json()["credentials"].clone();
    let expected = json!({ "password": "MARKED-credential MARKED-output" });
    assert_eq!(
        credentials, expected,
        "the life is the one that is looked for"
    );
    root.write("halt", "");
    send("PUT", &j, "MARKED-parameter");
    let until = Instant::now() + Duration::from_secs(60);
    while broker.get(&format!("{j}/last_operation")).json()["description"] != "MARKED-told" {
        assert!(Instant::now() < until, "{}", broker.log());
        thread::sleep(Duration::from_millis(20));
    }
    look();
    fs::remove_file(root.path().join("halt")).expect("it goes on");
    over(&j, "succeeded");
    assert_eq!(broker.unbind("i", "b", "acting", "later").status, 422);
    let delete = format!("{b}?accepts_incomplete=true&service_id=acting&plan_id=later");
    assert_eq!(broker.delete(&delete).status, 202);
    let gone = || broker.poll_binding("i", "b").status == 410;
    while !gone() {
        assert!(Instant::now() < until, "{}", broker.log());
        thread::sleep(Duration::from_millis(20));
    }
    let delete = format!("{i}?accepts_incomplete=true&service_id=acting&plan_id=later");
    assert_eq!(broker.delete(&delete).status, 202);
    over(&i, "failed");
}

fn base64(text: &str) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text)
}

/// A folder with the program, and the catalog that names it.
fn acting() -> (Folder, String) {
    let root = Folder::new();
    let program = root.write("program.sh", PROGRAM);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("an executable");
    let catalog = ACTING.replace("FOLDER", &root.path().display().to_string());
    (root, catalog)
}

#[test]
fn nothing_confidential_is_in_the_files() {
    for keys in [ONE, ""] {
        let (root, catalog) = acting();
        let broker = Setup::new(&catalog).env(KEYS, keys).start();
        let folder = Arc::clone(&broker.folder);
        let data = folder.path().join("data");
        let look = |when: &str| {
            let names = ["broker.db", "broker.db-wal", "broker.db-shm"];
            if when != "stopped" {
                assert!(names.iter().all(|name| data.join(name).exists()), "{when}");
            }
            for mark in MARKS {
                let found = found(&data, mark);
                if keys.is_empty() {
                    // The same search finds all of it where nothing is sealed.
                    assert!(!found.is_empty(), "{when}: no {mark}");
                } else {
                    assert!(found.is_empty(), "{when}: {mark} in {found:?}");
                }
            }
        };
        lives(&broker, &root, || look("halted"));
        look("over");
        let warned = broker.log().contains("lie in the store as they are");
        assert_eq!(warned, keys.is_empty(), "{}", broker.log());
        stop(broker);
        look("stopped");
    }
}

#[test]
fn nothing_confidential_is_in_the_folder_of_the_database() {
    let server = Cluster::start(&[]);
    let name = server.database();
    let (root, catalog) = acting();
    let broker = Setup::new(&catalog)
        .env("BROKER_STORE__URL", &server.url(&name))
        .env(KEYS, ONE)
        .start();
    let data = server.folder().join("data");
    assert!(data.join("pg_wal").is_dir());
    let look = || {
        server.sql("postgres", "CHECKPOINT");
        for mark in MARKS {
            assert_eq!(found(&data, mark), Vec::<String>::new(), "{mark}");
        }
    };
    lives(&broker, &root, look);
    look();
    stop(broker);
    look();
    // The same search finds them in the tables and in the log, where they are written as they are.
    for mark in MARKS {
        let plain = format!(
            "UPDATE broker_instances SET details = convert_to('{{\"secret\": \"{mark}\"}}', 'UTF8')"
        );
        server.sql(&name, &plain);
    }
    server.sql("postgres", "CHECKPOINT");
    for mark in MARKS {
        let found = found(&data, mark);
        assert!(
            found.iter().any(|file| file.contains("/pg_wal/")),
            "{mark}: {found:?}"
        );
        assert!(
            found.iter().any(|file| file.contains("/base/")),
            "{mark}: {found:?}"
        );
    }
}

fn a_key_that_is_missing_is_named(engine: Engine) {
    let store = Sealed::on(engine);
    stop(store.serve(ONE));
    let id = store.only_key(ONE);
    for keys in ["", TWO, &format!("{TWO},{THREE}")] {
        for arguments in [
            &["serve"][..],
            &["store", "stats"],
            &["store", "reseal"],
            &["instances", "list"],
            &["operations", "list"],
            &["store", "copy", &store.url, "sqlite:copy.db"],
        ] {
            let refused = store.run(keys, arguments).exits(2).err;
            let said = format!("it is sealed with a key that is not given, {id}: ");
            assert!(refused.contains(&said), "{arguments:?} {keys}: {refused}");
            let line = refused.lines().find(|line| line.contains(&said));
            assert!(
                line.is_some_and(|line| line.contains("store.keys")),
                "{refused}"
            );
            for key in [ONE, TWO, THREE] {
                assert!(!refused.contains(key), "{refused}");
            }
        }
    }
    assert!(!store.folder.path().join("copy.db").exists());
    // Any that was ever used is needed, until nothing is.
    stop(store.serve(&format!("{TWO},{ONE}")));
    for keys in [ONE, TWO] {
        assert!(store.refused(keys).contains("a key that is not given, "));
    }
    let refused = store.refused(THREE);
    assert!(refused.contains("keys that are not given, "), "{refused}");
    stop(store.serve(&format!("{ONE},{THREE},{TWO}")));
}

#[test]
fn a_database_is_not_used_without_a_key() {
    let store = Sealed::on(Engine::Postgres);
    let file = Sealed {
        url: "sqlite:data/broker.db".to_owned(),
        folder: Arc::clone(&store.folder),
    };
    stop(file.serve(""));
    let copy = ["store", "copy", &file.url, &store.url];
    for arguments in [&["serve"][..], &copy] {
        let refused = store.run("", arguments).exits(2).err;
        assert!(refused.contains("openssl rand -base64 32"), "{refused}");
        assert!(refused.contains("BROKER_STORE__KEYS"), "{refused}");
    }
    let database = store.url.rsplit('/').next().expect("a name");
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'broker%'";
    assert_eq!(SERVER.sql(database, tables), "0", "nothing was made");
}

/// Clients that change things go on while the key is changed, and everything is in the end as they were told.
fn a_key_is_changed_while_clients_change_things(engine: Engine) {
    const MANY: u64 = 120;
    let store = Sealed::on(engine);
    let broker = store.serve(ONE);
    let first = store.only_key(ONE);
    for number in 0..MANY {
        let name = format!("i{number}");
        assert_eq!(broker.provision(&name, &body("now", number)).status, 201);
        assert_eq!(broker.bind(&name, "b", &of("now")).status, 201);
    }
    let bound = broker.bind("i7", "b", &of("now")).json();
    let later = format!("{}?accepts_incomplete=true", at_instance("later"));
    assert_eq!(broker.put(&later, &body("later", 0)).status, 202);
    stop(broker);

    let both = format!("{TWO},{ONE}");
    let broker = store.serve(&both);
    let done = AtomicBool::new(false);
    let told = thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|client| {
                let (broker, done) = (&broker, &done);
                scope.spawn(move || changes(broker, client, MANY, done))
            })
            .collect();
        let mut resealed = String::new();
        for _ in 0..3 {
            resealed += &store.run(&both, &["store", "reseal"]).exits(0).out;
        }
        done.store(true, Ordering::Relaxed);
        assert!(
            resealed.contains(&format!("not needed any more: {first}")),
            "{resealed}"
        );
        assert!(
            !resealed.contains("\n0 cells were sealed anew with it"),
            "{resealed}"
        );
        let ended = clients.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .flat_map(|told| told.expect("what it was told"))
            .collect::<Vec<_>>()
    });
    assert!(!told.is_empty(), "the clients did nothing meanwhile");
    let second = store.only_key(TWO);
    assert_ne!(first, second);
    stop(broker);

    assert!(store.refused(ONE).contains(&second), "the old key alone");
    let broker = store.serve(TWO);
    let mut expected: Vec<u64> = (0..MANY).collect();
    for (number, last) in told {
        expected[usize::try_from(number).expect("a few")] = last;
    }
    for (number, last) in expected.iter().enumerate() {
        let name = format!("i{number}");
        assert_eq!(
            broker.fetch(&name).json()["parameters"]["n"],
            *last,
            "{name}"
        );
        assert_eq!(broker.fetch_binding(&name, "b").status, 200, "{name}");
    }
    assert_eq!(broker.bind("i7", "b", &of("now")).json(), bound);
    assert_eq!(broker.poll("later").status, 200);
}

/// Changes every third instance until it is told to stop; what it last made of each.
fn changes(broker: &Broker, client: u64, many: u64, done: &AtomicBool) -> Vec<(u64, u64)> {
    let mut told = Vec::new();
    for round in 1..1_000 {
        for number in (client..many).step_by(3) {
            if done.load(Ordering::Relaxed) && round > 1 {
                return told;
            }
            let (name, last) = (format!("i{number}"), round * 1_000 + number);
            let change = body("now", last);
            assert_eq!(broker.update(&name, &change).status, 200, "{name}");
            told.retain(|(there, _)| *there != number);
            told.push((number, last));
            let binding = format!("b{round}");
            assert_eq!(broker.bind(&name, &binding, &of("now")).status, 201);
            assert_eq!(broker.unbind(&name, &binding, "s", "now").status, 200);
        }
    }
    told
}

fn what_was_moved_is_not_believed(engine: Engine) {
    let store = Sealed::on(engine);
    let broker = store.serve(ONE);
    for name in ["i", "j", "k"] {
        assert_eq!(broker.provision(name, &body("now", 1)).status, 201);
        assert_eq!(broker.bind(name, "b", &of("now")).status, 201);
    }
    for (table, row) in [("instances", "id"), ("bindings", "instance_id")] {
        store.tamper(&format!(
            "CREATE TABLE {{p}}moved AS SELECT {row} AS id, details FROM {{p}}{table};
             UPDATE {{p}}{table} SET details = (SELECT details FROM {{p}}moved m WHERE m.id = 'j') WHERE {row} = 'i';
             UPDATE {{p}}{table} SET details = (SELECT details FROM {{p}}moved m WHERE m.id = 'i') WHERE {row} = 'j';
             DROP TABLE {{p}}moved"
        ));
    }
    for name in ["i", "j"] {
        for refused in [broker.fetch(name), broker.fetch_binding(name, "b")] {
            assert_eq!(refused.status, 503, "{}", refused.text());
            assert_eq!(refused.word(), "StoreUnavailable");
        }
        let said =
            format!("details of instance {name}: changed or moved since it was sealed with key ");
        broker.wait_for_log(&said);
    }
    assert_eq!(broker.fetch("k").status, 200);
    let row = "SELECT details FROM {p}instances WHERE id = 'k'";
    store.tamper(&format!(
        "UPDATE {{p}}bindings SET details = ({row}) WHERE instance_id = 'k'"
    ));
    assert_eq!(
        broker.fetch_binding("k", "b").status,
        503,
        "of another column"
    );
    broker.wait_for_log("details of binding b of instance k: changed or moved");
    // An operator can let go of it.
    store
        .run(ONE, &["instances", "forget", "i", "--yes"])
        .exits(0);
    assert_eq!(broker.fetch("i").status, 404);
    assert!(!broker.log().contains("panicked"), "{}", broker.log());
}

/// What was put in the place of a sealed cell: cut off, of no kind, or as a store writes it that is not sealed.
fn what_is_no_cell_is_not_believed(engine: Engine) {
    let store = Sealed::on(engine);
    let broker = store.serve(ONE);
    assert_eq!(broker.provision("i", &body("now", 1)).status, 201);
    for (bytes, said) in [
        ("", "written in no way that this broker knows"),
        ("07", "written in no way that this broker knows"),
        ("01", "cut off"),
        ("0101020304050607080910", "cut off"),
        ("007b7d", "not sealed, in a store where all is"),
    ] {
        store.tamper(&format!("UPDATE {{p}}instances SET details = '\\x{bytes}'"));
        assert_eq!(broker.fetch("i").status, 503, "{bytes}");
        broker.wait_for_log(said);
    }
    let foreign = format!("01{}", "ab".repeat(60));
    store.tamper(&format!(
        "UPDATE {{p}}instances SET details = '\\x{foreign}'"
    ));
    assert_eq!(broker.fetch("i").status, 503);
    broker.wait_for_log("sealed with key abababababababab, which is not given");
    let refused = store.run(ONE, &["instances", "show", "i"]).exits(2).err;
    assert!(refused.contains("which is not given"), "{refused}");
    assert!(!broker.log().contains("panicked"), "{}", broker.log());
    // The key of fingerprints is a cell as well.
    stop(broker);
    store.tamper("UPDATE {p}meta SET value = '\\x0102' WHERE name = 'fingerprint key'");
    assert!(store.refused(ONE).contains("key of fingerprints: cut off"));
}

/// FROM is opened with any of them and stays as it is, TO is sealed with the first.
fn a_copy_is_sealed_with_the_first_key(engine: Engine) {
    let store = Sealed::on(engine);
    let broker = store.serve(ONE);
    assert_eq!(broker.provision("i", &body("now", 5)).status, 201);
    let bound = broker.bind("i", "b", &of("now")).json();
    stop(broker);
    for to in Engine::BOTH {
        let to = match to {
            Engine::Sqlite => "sqlite:copy/broker.db".to_owned(),
            Engine::Postgres => to.url(),
        };
        let both = format!("{TWO},{ONE}");
        store
            .run(&both, &["store", "copy", &store.url, &to])
            .exits(0);
        let copy = Sealed {
            url: to,
            folder: Arc::clone(&store.folder),
        };
        assert!(copy.refused(ONE).contains("a key that is not given"));
        let broker = copy.serve(TWO);
        assert_eq!(
            broker.provision("i", &body("now", 5)).status,
            200,
            "the same fingerprint"
        );
        assert_eq!(broker.bind("i", "b", &of("now")).json(), bound);
        stop(broker);
    }
    stop(store.serve(ONE));
}

/// What a command seals, brokers must be able to open: it seals as they do, and reseals with what they have in front.
fn who_would_seal_what_no_broker_opens_is_refused(engine: Engine) {
    let store = Sealed::on(engine);
    let broker = store.serve(ONE);
    let first = store.only_key(ONE);
    let both = format!("{TWO},{ONE}");
    let refused = store.run(&both, &["store", "reseal"]).exits(2).err;
    assert!(
        refused.contains("no broker was started with key "),
        "{refused}"
    );
    let later = format!("{}?accepts_incomplete=true", at_instance("i"));
    assert_eq!(broker.put(&later, &body("later", 0)).status, 202);
    assert_eq!(broker.provision("j", &body("now", 0)).status, 201);
    store
        .run(&both, &["instances", "forget", "j", "--yes"])
        .exits(0);
    assert_eq!(store.only_key(ONE), first);
    stop(broker);
    stop(store.serve(ONE));
}

/// Into a store that is made for it, and into one that is served with a key behind which the command has another one.
fn what_is_taken_over_is_sealed(engine: Engine) {
    let store = Sealed::on(engine);
    let line = |id: &str| {
        let mut instance = body("now", 1);
        instance["id"] = id.into();
        json!({ "instance": instance }).to_string()
    };
    let import = ["store", "import", "old.jsonl"];
    store.folder.write("old.jsonl", &line("i"));
    store.run(ONE, &import).exits(0);
    let first = store.only_key(ONE);
    let broker = store.serve(ONE);
    store.folder.write("old.jsonl", &line("j"));
    store.run(&format!("{TWO},{ONE}"), &import).exits(0);
    assert_eq!(store.only_key(ONE), first);
    for name in ["i", "j"] {
        assert_eq!(broker.provision(name, &body("now", 1)).status, 200);
    }
    if engine == Engine::Sqlite {
        let data = store.folder.path().join("data");
        assert_eq!(found(&data, "MARKED"), Vec::<String>::new());
    }
}

/// Where nothing is remembered there is nothing to seal: keys are passed over, and nothing is warned of.
#[test]
fn the_store_none_has_nothing_to_seal() {
    for keys in [ONE, ""] {
        let catalog = "services: [{ id: s, name: s, description: A service, bindable: true,
            plans: [{ id: now, name: now, description: At once, binding: { credentials: { a: b } } }] }]";
        let broker = Setup::new(catalog)
            .env("BROKER_STORE__URL", "none")
            .env(KEYS, keys)
            .start();
        assert_eq!(broker.provision("i", &of("now")).status, 201);
        assert!(!broker.log().contains("store.keys"), "{}", broker.log());
    }
}

/// From a file that nothing is sealed in to one where all is; and nothing of what it was is left in it.
#[test]
fn a_store_that_was_not_sealed_is_sealed_while_it_is_served() {
    let store = Sealed::on(Engine::Sqlite);
    let data = store.folder.path().join("data");
    let broker = store.serve("");
    for name in ["i", "j"] {
        assert_eq!(broker.provision(name, &body("now", 1)).status, 201);
        assert_eq!(broker.bind(name, "b", &of("now")).status, 201);
    }
    let refused = store.run("", &["store", "reseal"]).exits(2).err;
    assert!(
        refused.contains("there is no key to seal with"),
        "{refused}"
    );
    let refused = store.run(ONE, &["store", "reseal"]).exits(2).err;
    assert!(
        refused.contains("no broker was started with key "),
        "{refused}"
    );
    stop(broker);
    assert!(
        matches!(&store.cells("")[..], [(None, 5)]),
        "{:?}",
        store.cells("")
    );

    let broker = store.serve(ONE);
    assert!(!broker.log().contains("lie in the store as they are"));
    assert_eq!(
        broker.fetch("i").json()["parameters"]["n"],
        1,
        "what was not sealed opens"
    );
    assert_eq!(broker.provision("k", &body("now", 1)).status, 201);
    assert!(
        matches!(&store.cells(ONE)[..], [(None, 5), (Some(_), 1)]),
        "{:?}",
        store.cells(ONE)
    );
    let refused = store.run("", &["instances", "list"]).exits(2).err;
    assert!(refused.contains("it is sealed with a key"), "{refused}");
    assert!(!found(&data, "MARKED-parameter").is_empty());
    let resealed = store.run(ONE, &["store", "reseal"]).exits(0).out;
    assert!(
        resealed.starts_with("5 cells were sealed anew with key "),
        "{resealed}"
    );
    assert!(
        matches!(&store.cells(ONE)[..], [(Some(_), 6)]),
        "{:?}",
        store.cells(ONE)
    );
    for mark in ["MARKED-parameter", "MARKED-context", "MARKED-i"] {
        assert_eq!(found(&data, mark), Vec::<String>::new(), "{mark}");
    }
    for name in ["i", "j", "k"] {
        assert_eq!(
            broker.provision(name, &body("now", 1)).status,
            200,
            "the same fingerprint"
        );
    }
    let again = store.run(ONE, &["store", "reseal"]).exits(0).out;
    assert!(again.starts_with("0 cells"), "{again}");
    stop(broker);

    // From now on nothing is taken for the store's own that is not sealed.
    let broker = store.serve(ONE);
    store.tamper("UPDATE instances SET details = '\\x007b7d' WHERE id = 'i'");
    assert_eq!(broker.fetch("i").status, 503);
    broker.wait_for_log("not sealed, in a store where all is");
}

/// A backup needs no key to be made, and the key to be used.
#[test]
fn a_backup_is_sealed_as_its_store_is() {
    let store = Sealed::on(Engine::Sqlite);
    let broker = store.serve(ONE);
    assert_eq!(broker.provision("i", &body("now", 1)).status, 201);
    store.run("", &["store", "backup", "backup.db"]).exits(0);
    let file = store.folder.path().join("backup.db");
    assert!(!found(&file, "org-1").is_empty() && found(&file, "MARKED").is_empty());
    let backup = Sealed {
        url: "sqlite:backup.db".to_owned(),
        folder: Arc::clone(&store.folder),
    };
    assert!(backup.refused("").contains("it is sealed with a key"));
    let broker = backup.serve(ONE);
    assert_eq!(broker.provision("i", &body("now", 1)).status, 200);
}
