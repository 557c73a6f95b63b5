//! Another catalog without a restart: at once and whole, or not at all.

use std::fs;
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::documents::{bind_of, provision_of, provisioned};
use crate::harness::{Broker, Folder, Setup, at_binding, at_instance};
use crate::http::Connection;

/// A catalog in which everything says its number, but for the ids.
fn numbered(number: usize) -> String {
    format!(
        r#"
services:
  - id: service
    name: service-{number}
    description: number {number}
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    binding: {{ credentials: {{ one: "{number}", other: "{number}" }} }}
    plans:
      - {{ id: plan, name: plan-{number}, description: number {number} }}
"#
    )
}

/// Refused by a rule.
const BAD: &str =
    "services: [{ id: service, name: service, description: \"\", bindable: true, plns: [] }]\n";

/// Waits until the published catalog is that one.
fn wait_for(broker: &Broker, number: usize) {
    let name = format!("service-{number}");
    let until = Instant::now() + Duration::from_secs(30);
    while broker.catalog().json()["services"][0]["name"] != name.as_str() {
        assert!(
            Instant::now() < until,
            "{name} never came:\n{}",
            broker.log()
        );
        thread::sleep(Duration::from_millis(10));
    }
}

fn watched(catalog: &str) -> Setup {
    Setup::new(catalog).env("BROKER_RELOAD__EVERY", "50ms")
}

#[test]
fn what_changes_on_disk_is_served_and_what_has_errors_is_not() {
    let broker = watched(&numbered(1)).start();
    provisioned(&broker, "i", "service", "plan");
    let before = broker.catalog();

    broker.folder.write("catalog.yaml", &numbered(2));
    wait_for(&broker, 2);
    let after = broker.catalog();
    assert_ne!(after.header("ETag"), before.header("ETag"));
    let bound = broker.bind("i", "b", &bind_of("service", "plan"));
    assert_eq!(bound.json()["credentials"]["one"], "2");

    broker.folder.write("catalog.yaml", BAD);
    broker.wait_for_log("the catalog was not reloaded");
    let log = broker.log();
    assert!(log.contains("catalog.yaml:1:"), "{log}");
    assert!(log.contains("plns"), "{log}");
    assert_eq!(broker.catalog().text(), after.text());
    assert_eq!(broker.fetch("i").status, 200);

    broker.folder.write("catalog.yaml", &numbered(3));
    wait_for(&broker, 3);
}

#[test]
fn what_was_bound_keeps_what_it_got() {
    let broker = watched(&numbered(1)).start();
    provisioned(&broker, "i", "service", "plan");
    broker.bind("i", "b", &bind_of("service", "plan"));
    broker.folder.write("catalog.yaml", &numbered(2));
    wait_for(&broker, 2);
    let again = broker.bind("i", "b", &bind_of("service", "plan"));
    assert_eq!(
        (again.status, &again.json()["credentials"]["one"]),
        (200, &"1".into())
    );
    assert_eq!(
        broker.fetch_binding("i", "b").json()["credentials"]["one"],
        "1"
    );
}

#[test]
fn a_secret_that_is_rotated_counts_for_new_bindings() {
    let folder = Arc::new(Folder::new());
    let secret = folder.write("password", "before\n");
    let catalog = numbered(1).replace(
        r#"one: "1""#,
        &format!("one: \"${{file:{}}}\"", secret.display()),
    );
    let broker = watched(&catalog).start_in(&folder);
    provisioned(&broker, "i", "service", "plan");
    let bound = |binding: &str| {
        broker
            .bind("i", binding, &bind_of("service", "plan"))
            .json()["credentials"]["one"]
            .clone()
    };
    assert_eq!(bound("b1"), "before");
    folder.write("password", "hunter2-after\n");
    broker.wait_for_log("reloaded the catalog");
    assert_eq!(bound("b2"), "hunter2-after");
    assert!(!broker.log().contains("hunter2"), "{}", broker.log());

    fs::remove_file(&secret).expect("no file");
    broker.wait_for_log("was not reloaded");
    assert_eq!(bound("b3"), "hunter2-after");
}

/// As the kubelet does it: files are links through `..data`, and `..data` is a link that is replaced.
#[test]
fn a_config_map_that_is_swapped_is_never_read_in_part() {
    let folder = Arc::new(Folder::new());
    let mounted = folder.path().join("catalog.d");
    let version = |number: usize| {
        let of = format!("catalog.d/..{number}");
        folder.write(&format!("{of}/a.yaml"), "minimum_api_version: \"2.10\"\n");
        folder.write(&format!("{of}/b.yaml"), &numbered(number));
        let new = mounted.join("..data_tmp");
        symlink(format!("..{number}"), &new).expect("a link");
        fs::rename(&new, mounted.join("..data")).expect("the swap");
    };
    version(1);
    for name in ["a.yaml", "b.yaml"] {
        symlink(format!("..data/{name}"), mounted.join(name)).expect("a link");
    }
    let broker = Setup::default()
        .env("BROKER_RELOAD__EVERY", "50ms")
        .env("BROKER_CATALOG", "catalog.d")
        .start_in(&folder);
    wait_for(&broker, 1);
    for number in 2..6 {
        version(number);
        fs::remove_dir_all(mounted.join(format!("..{}", number - 1))).expect("the last one goes");
        wait_for(&broker, number);
    }
    assert!(!broker.log().contains("not reloaded"), "{}", broker.log());
}

/// A mounted Secret: the file that a reference names is a link through `..data`, which is replaced.
#[test]
fn a_secret_that_is_swapped_counts_for_new_bindings() {
    let folder = Arc::new(Folder::new());
    let mounted = folder.path().join("run/secrets/db");
    let version = |number: usize| {
        folder.write(
            &format!("run/secrets/db/..{number}/password"),
            &format!("pw{number}\n"),
        );
        let new = mounted.join("..data_tmp");
        symlink(format!("..{number}"), &new).expect("a link");
        fs::rename(&new, mounted.join("..data")).expect("the swap");
    };
    version(1);
    let file = mounted.join("password");
    symlink("..data/password", &file).expect("a link");
    let catalog = numbered(1).replace(
        r#"one: "1", other: "1""#,
        &format!(
            "one: \"${{file:{}}}\", other: \"${{dir:{}#/password}}\"",
            file.display(),
            mounted.display()
        ),
    );
    let broker = watched(&catalog).start_in(&folder);
    provisioned(&broker, "i", "service", "plan");
    for number in 1..4 {
        if number > 1 {
            let before = broker.log().matches("reloaded the catalog:").count();
            version(number);
            fs::remove_dir_all(mounted.join(format!("..{}", number - 1))).expect("the last goes");
            crate::running::wait_until(&broker, "it was never read", || {
                broker.log().matches("reloaded the catalog:").count() > before
            });
        }
        let body = bind_of("service", "plan");
        let bound = broker.bind("i", &format!("b{number}"), &body).json();
        let password = Value::from(format!("pw{number}"));
        assert_eq!(bound["credentials"]["one"], password);
        assert_eq!(bound["credentials"]["other"], password);
    }
    let log = broker.log();
    assert!(
        !log.contains("not reloaded") && !log.contains("pw3"),
        "{log}"
    );
}

/// What lies beside the documents of a folder is no part of the catalog: a database that grows there, or a log.
#[test]
fn what_is_no_document_of_the_folder_is_no_reason_for_a_reload() {
    let folder = Arc::new(Folder::new());
    folder.write("catalog.d/catalog.yaml", &numbered(1));
    folder.write("catalog.d/notes.txt", "0");
    let broker = Setup::default()
        .env("BROKER_RELOAD__EVERY", "20ms")
        .env("BROKER_CATALOG", "catalog.d")
        .start_in(&folder);
    for number in 2..6 {
        folder.write("catalog.d/notes.txt", &number.to_string());
        // As long as several looks take.
        thread::sleep(Duration::from_millis(100));
        folder.write("catalog.d/catalog.yaml", &numbered(number));
        wait_for(&broker, number);
        crate::running::wait_until(&broker, "it was never told", || {
            broker.log().matches("reloaded the catalog:").count() >= number - 1
        });
    }
    let log = broker.log();
    assert_eq!(log.matches("reloaded the catalog:").count(), 4, "{log}");
}

/// Who is asked to reload before it serves does not end by that, and reads again what it has begun to read.
#[test]
fn a_signal_during_the_start_is_kept_until_it_serves() {
    let folder = Folder::new();
    let pipe = folder.path().join("catalog.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let mut child = Setup::default()
        .env("BROKER_RELOAD__EVERY", "0")
        .command(&folder)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary starts");
    // This waits until the broker reads.
    let mut written = fs::OpenOptions::new()
        .write(true)
        .open(&pipe)
        .expect("a reader");
    let signalled = std::process::Command::new("kill")
        .args(["-s", "HUP", &child.id().to_string()])
        .status();
    assert!(signalled.expect("kill runs").success());
    folder.write("next.yaml", &numbered(2));
    fs::rename(folder.path().join("next.yaml"), &pipe).expect("a file in its place");
    let told = written.write_all(numbered(1).as_bytes());
    drop(written);
    let out = std::io::BufReader::new(child.stdout.take().expect("its output"));
    let mut lines = out.lines().map_while(Result::ok);
    let reloaded = lines.find(|line| line.contains("reloaded the catalog:"));
    let _ = child.kill();
    let _ = child.wait();
    assert!(told.is_ok() && reloaded.is_some(), "it ended: {told:?}");
}

#[test]
fn a_signal_asks_for_it_where_nobody_looks() {
    let broker = Setup::new(&numbered(1))
        .env("BROKER_RELOAD__EVERY", "0")
        .start();
    broker.folder.write("catalog.yaml", &numbered(2));
    thread::sleep(Duration::from_millis(300));
    wait_for(&broker, 1);
    broker.signal("HUP");
    wait_for(&broker, 2);
}

#[test]
fn settings_that_need_a_restart_are_told() {
    let folder = Arc::new(Folder::new());
    folder.write("config/broker.yaml", "server: { drain_delay: 0 }\n");
    let broker = watched(&numbered(1)).start_in(&folder);
    folder.write("config/broker.yaml", "server: { drain_delay: 1s }\n");
    broker.wait_for_log("the settings below `server` have changed");
    folder.write("config/broker.yaml", "bindings: { grace: 2h }\n");
    broker.wait_for_log("the settings below `bindings` have changed");
    folder.write("config/broker.yaml", "console: { enabled: false }\n");
    broker.wait_for_log("the settings below `console` have changed");
    folder.write("config/broker.yaml", "server: { drain_dely: 1s }\n");
    broker.wait_for_log("was not reloaded");
    assert!(broker.log().contains("drain_dely"), "{}", broker.log());
}

/// A plan with a program may not leave while there are instances of it: neither at start nor under way.
#[test]
fn a_plan_in_use_does_not_leave() {
    let folder = Arc::new(Folder::new());
    let acting = numbered(1).replace(
        "description: number 1 }",
        "description: number 1, backend: { command: { run: [/bin/echo, '{}'] } } }",
    );
    let broker = watched(&acting).start_in(&folder);
    provisioned(&broker, "i", "service", "plan");
    folder.write(
        "catalog.yaml",
        &numbered(2).replace("id: plan,", "id: another,"),
    );
    broker.wait_for_log("was not reloaded");
    assert!(
        broker.log().contains("plan-in-use: the plan `plan`"),
        "{}",
        broker.log()
    );
    wait_for(&broker, 1);
    assert_eq!(broker.deprovision("i", "service", "plan").status, 200);
    // What was refused is looked at again when somebody asks.
    broker.signal("HUP");
    wait_for(&broker, 2);
}

/// `RELOADS=1000` is the whole proof.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment of the tests, not of the broker"
)]
fn reloads() -> usize {
    std::env::var("RELOADS").map_or(60, |text| text.parse().expect("a number"))
}

const CLIENTS: usize = 32;

/// A change that the guard refuses as long as there is an instance.
struct Breaking {
    rule: &'static str,
    from: &'static str,
    to: &'static str,
}

impl Breaking {
    fn of(&self, number: usize) -> String {
        let document = numbered(number);
        assert!(
            document.contains(self.from),
            "{}: nothing to change",
            self.rule
        );
        document.replacen(self.from, self.to, 1)
    }
}

const BREAKS: [Breaking; 3] = [
    Breaking {
        rule: "bindable-withdrawn",
        from: "bindable: true",
        to: "bindable: false",
    },
    Breaking {
        rule: "retrievable-withdrawn",
        from: "    instances_retrievable: true\n",
        to: "",
    },
    Breaking {
        rule: "backend-changed",
        from: "id: plan, ",
        to: "id: plan, backend: { command: { run: [/bin/true] } }, ",
    },
];

/// Good, bad and breaking documents one after the other, while 32 clients live whole lives: no request fails, and none
/// sees two catalogs at once.
#[test]
fn no_request_sees_two_catalogs() {
    let broker = Setup::new(&numbered(0))
        .env("BROKER_RELOAD__EVERY", "0")
        .start();
    // What breaks by a breaking document, whatever the clients have at that moment.
    provisioned(&broker, "lives", "service", "plan");
    let bound = broker.bind("lives", "b", &bind_of("service", "plan"));
    assert_eq!(bound.status, 201, "{}", bound.text());
    let (over, requests) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut memory = Vec::new();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (broker, over, requests) = (&broker, &over, &requests);
            scope.spawn(move || {
                let mut connection = Connection::open(broker.address).expect("a connection");
                let mut life = 0;
                while !over.load(Ordering::Relaxed) {
                    live(broker, &mut connection, &format!("i-{client}-{life}"));
                    requests.fetch_add(6, Ordering::Relaxed);
                    life += 1;
                }
            });
        }
        let stop = Stop(&over);
        for number in 1..=reloads() {
            let is_good = number % 4 < 2;
            let document = match number % 4 {
                2 => BAD.to_owned(),
                3 => BREAKS[number / 4 % BREAKS.len()].of(number),
                _ => numbered(number),
            };
            let refused = broker.log().matches("was not reloaded").count();
            broker.folder.write("catalog.yaml", &document);
            broker.signal("HUP");
            if is_good {
                wait_for(&broker, number);
            } else {
                let until = Instant::now() + Duration::from_secs(30);
                while broker.log().matches("was not reloaded").count() == refused {
                    assert!(Instant::now() < until, "{}", broker.log());
                    thread::sleep(Duration::from_millis(2));
                }
            }
            memory.push(resident(broker.pid()));
        }
        drop(stop);
    });
    let log = broker.log();
    for broken in &BREAKS {
        assert!(
            log.contains(&format!("{}: service-", broken.rule)),
            "{}",
            broken.rule
        );
    }
    assert_eq!(broker.fetch_binding("lives", "b").status, 200);
    let part = |of_six: usize| memory[(memory.len() - 1) * of_six / 6];
    println!(
        "{} reloads under {} requests; KiB of memory after each sixth: {:?}",
        memory.len(),
        requests.load(Ordering::Relaxed),
        (1..=6).map(part).collect::<Vec<_>>()
    );
    let (early, late) = (part(2), part(6));
    assert!(late < early + early / 2, "memory grows: {memory:?}");
}

/// Ends the clients' work, also where the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn live(broker: &Broker, connection: &mut Connection, instance: &str) {
    let mut send = |method: &str, path: &str, body: Option<Value>, status: u16| {
        let mut request = broker.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = connection.send(&request).expect("an answer");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        answer
    };
    let catalog = send("GET", "/v2/catalog", None, 200).json();
    let service = &catalog["services"][0];
    let number = |text: &Value| {
        let text = text.as_str().expect("a text");
        text.rsplit(['-', ' ']).next().expect("a number").to_owned()
    };
    let expected = number(&service["name"]);
    for told in [
        &service["description"],
        &service["plans"][0]["name"],
        &service["plans"][0]["description"],
    ] {
        assert_eq!(number(told), expected, "a mixture: {catalog}");
    }
    let (at, bound) = (at_instance(instance), at_binding(instance, "b"));
    let query = "?service_id=service&plan_id=plan";
    send("PUT", &at, Some(provision_of("service", "plan")), 201);
    let binding = send("PUT", &bound, Some(bind_of("service", "plan")), 201).json();
    let credentials = &binding["credentials"];
    assert_eq!(credentials["one"], credentials["other"], "a mixture");
    let fetched = send("GET", &bound, None, 200).json();
    assert_eq!(&fetched["credentials"], credentials);
    send("DELETE", &format!("{bound}{query}"), None, 200);
    send("DELETE", &format!("{at}{query}"), None, 200);
}

/// The memory that a process has of its own, in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let line = line.expect("its memory");
    let kib = line.split_whitespace().nth(1).expect("a number");
    kib.parse().expect("a number")
}

#[test]
fn a_command_asks_the_broker_that_runs_here() {
    let folder = Arc::new(Folder::new());
    let broker = Setup::new(&numbered(1))
        .env("BROKER_RELOAD__EVERY", "0")
        .env("BROKER_STORE__URL", "sqlite:broker.db")
        .start_in(&folder);
    let reload = || {
        Setup::default()
            .env("BROKER_STORE__URL", "sqlite:broker.db")
            .arg("reload")
            .run_in(&folder)
    };
    folder.write("catalog.yaml", BAD);
    let (status, _, complaint) = reload();
    assert_eq!(status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("plns"), "{complaint}");
    folder.write("catalog.yaml", &numbered(2));
    let (status, said, complaint) = reload();
    assert_eq!(status.code(), Some(0), "{complaint}");
    assert!(said.contains(&broker.pid().to_string()), "{said}");
    wait_for(&broker, 2);
    drop(broker);
    let (status, _, complaint) = reload();
    assert_eq!(status.code(), Some(2), "{complaint}");
    assert!(complaint.contains("--pid"), "{complaint}");
}
