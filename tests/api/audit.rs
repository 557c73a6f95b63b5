//! The account of changes: a line for each, nothing confidential in it, and a chain that shows what was done to it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, Setup, at_binding, at_instance, basic, with};
use crate::http::{Connection, Request, Response};
use crate::page::Page;

/// No machine is so busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

const CATALOG: &str = r#"
services:
  - id: s
    name: service
    description: Both ways
    bindable: true
    plan_updateable: true
    instances_retrievable: true
    bindings_retrievable: true
    binding:
      values: { drawn: "MARKED-{{ random_password(16) }}" }
      credentials: { password: "{{ binding.values.drawn }}", role: "{{ binding.parameters.role }}" }
    plans:
      - { id: now, name: now, description: At once }
      - { id: later, name: later, description: Later, respond: async }
      - id: strict
        name: strict
        description: Has a schema
        schemas: { service_instance: { create: { parameters: { $schema: "http://json-schema.org/draft-04/schema#", type: object, properties: { size: { type: integer } } } } } }
"#;

pub fn audited() -> Setup {
    Setup::new(CATALOG)
        .env("BROKER_AUDIT__TO", "file:audit.log")
        .env("BROKER_AUTH__LOGINS__WATCHER__TOKEN", "token-of-watcher")
        .env("BROKER_AUTH__LOGINS__WATCHER__ROLE", "metrics")
}

pub fn parsed(text: &str) -> Vec<Value> {
    let lines = text
        .lines()
        .filter(|line| line.starts_with("{\"seq\"") && line.ends_with("\"}"));
    lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// The lines of a file, as soon as they are so many with this event.
fn awaited(file: &Path, event: &str, count: usize) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text.ends_with('\n') {
            let lines = parsed(&text);
            if lines.iter().filter(|line| line["event"] == event).count() >= count {
                return lines;
            }
        }
        assert!(Instant::now() < until, "not {count} of {event}:\n{text}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn log_of(broker: &Broker) -> std::path::PathBuf {
    broker.folder.path().join("audit.log")
}

/// The last line of an event.
fn last(broker: &Broker, event: &str, count: usize) -> Value {
    let lines = awaited(&log_of(broker), event, count);
    let mut of_it = lines.into_iter().filter(|line| line["event"] == event);
    of_it.next_back().expect("a line")
}

/// Verifies files of a folder: the exit code, what was printed, what was complained of.
pub fn verify(folder: &Folder, arguments: &[&str]) -> (i32, String, String) {
    let setup = Setup::default().arg("audit").arg("verify");
    let setup = arguments
        .iter()
        .fold(setup, |setup, argument| setup.arg(argument));
    let (status, out, complaint) = setup.run_in(folder);
    (status.code().expect("a code"), out, complaint)
}

pub fn holds(folder: &Folder, files: &[&str]) -> String {
    let (code, out, complaint) = verify(folder, files);
    assert_eq!(code, 0, "{out}{complaint}");
    complaint
}

pub fn stopped(mut broker: Broker) -> Arc<Folder> {
    broker.signal("TERM");
    assert!(broker.wait().success(), "{}", broker.log());
    Arc::clone(&broker.folder)
}

/// Somebody of a platform.
fn asked(broker: &Broker, method: &str, path: &str) -> Request {
    // {"user_id":"u-1","email":"MARKED-EMAIL"}
    let user = "eyJ1c2VyX2lkIjoidS0xIiwiZW1haWwiOiJNQVJLRUQtRU1BSUwifQ==";
    broker
        .request(method, path)
        .header(
            "X-Broker-API-Originating-Identity",
            &format!("cloudfoundry {user}"),
        )
        .header("X-Broker-API-Request-Identity", "request-1")
}

pub fn body(plan: &str) -> Value {
    with(
        provision_of("s", plan),
        "parameters",
        json!({ "secret": "MARKED-PARAMETER" }),
    )
}

pub fn has(line: &Value, expected: &Value) {
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&line[key], value, "{key} of {line}");
    }
}

#[test]
fn each_change_has_a_line_that_says_who_did_what() {
    let broker = audited().start();
    let who = json!({
        "login": "default", "platform": "cloudfoundry", "user": "u-1", "request_identity": "request-1", "from": "127.0.0.1",
    });
    let named = provision_of("s", "now");
    let place = json!({ "organization": named["organization_guid"], "space": named["space_guid"] });
    let query = "service_id=s&plan_id=now";
    let bind = with(
        bind_of("s", "now"),
        "parameters",
        json!({ "role": "MARKED-ROLE" }),
    );
    let update = json!({ "service_id": "s", "plan_id": "strict", "parameters": { "size": 1 } });
    let steps = [
        (
            "PUT",
            at_instance("i"),
            Some(body("now")),
            201,
            json!({ "kind": "provision", "plan": "now" }),
        ),
        (
            "PUT",
            at_binding("i", "b"),
            Some(bind),
            201,
            json!({ "kind": "bind", "binding": "b", "plan": "now" }),
        ),
        (
            "DELETE",
            format!("{}?{query}", at_binding("i", "b")),
            None,
            200,
            json!({ "kind": "unbind", "binding": "b", "plan": "now" }),
        ),
        (
            "PATCH",
            at_instance("i"),
            Some(update),
            200,
            json!({ "kind": "update", "plan": "strict" }),
        ),
        (
            "DELETE",
            format!("{}?service_id=s&plan_id=strict", at_instance("i")),
            None,
            200,
            json!({ "kind": "deprovision", "plan": "strict" }),
        ),
    ];
    for (count, (method, path, body, status, expected)) in steps.into_iter().enumerate() {
        let mut request = asked(&broker, method, &path);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = broker.send(&request);
        assert_eq!(answer.status, status, "{}", answer.text());
        let line = last(&broker, "began", count + 1);
        for expected in [&expected, &who, &place] {
            has(&line, expected);
        }
        has(
            &line,
            &json!({ "instance": "i", "service": "s", "result": "succeeded" }),
        );
        assert!(line["operation"].is_string(), "{line}");
        let hashed = line["parameters"].as_str().map(str::len);
        assert_eq!(hashed, body.map(|_| 64), "{line}");
    }
    let file = log_of(&broker);
    let folder = stopped(broker);
    let text = fs::read_to_string(file).expect("the file");
    assert!(
        !text.contains("MARKED") && !text.contains("\"role\""),
        "{text}"
    );
    assert!(
        text.lines()
            .next()
            .is_some_and(|line| line.contains("started"))
    );
    assert!(
        text.lines()
            .last()
            .is_some_and(|line| line.contains("stopped"))
    );
    holds(&folder, &["audit.log"]);
}

#[test]
fn what_takes_time_has_a_line_when_it_is_decided_and_one_when_it_is_over() {
    let broker = audited().start();
    let request = asked(
        &broker,
        "PUT",
        &format!("{}?accepts_incomplete=true", at_instance("i")),
    );
    assert_eq!(broker.send(&request.json(&body("later"))).status, 202);
    let began = last(&broker, "began", 1);
    let ended = last(&broker, "ended", 1);
    has(
        &began,
        &json!({ "kind": "provision", "result": "in progress", "user": "u-1" }),
    );
    has(
        &ended,
        &json!({ "kind": "provision", "result": "succeeded", "login": "default", "plan": "later" }),
    );
    assert_eq!(began["operation"], ended["operation"]);
    assert!(began["seq"].as_u64() < ended["seq"].as_u64());
}

#[test]
fn what_is_refused_to_somebody_who_is_known_has_a_line() {
    let broker = audited().start();
    assert_eq!(broker.provision("there", &body("now")).status, 201);
    let put =
        |broker: &Broker, id: &str, body: &Value| asked(broker, "PUT", &at_instance(id)).json(body);
    let other = with(body("now"), "space_guid", json!("elsewhere"));
    let wrong = with(body("strict"), "parameters", json!({ "size": "MARKED" }));
    let gone = format!("{}?service_id=s&plan_id=now", at_instance("gone"));
    let late = put(&broker, "new", &body("now")).without("X-Broker-API-Version");
    let watcher = put(&broker, "new", &body("now"))
        .without("Authorization")
        .header("Authorization", "Bearer token-of-watcher");
    let cases = [
        (
            put(&broker, "new", &with(body("now"), "service_id", json!("x"))),
            "provision",
            "new",
            "ServiceNotInCatalog",
        ),
        (
            put(&broker, "new", &wrong),
            "provision",
            "new",
            "ParametersInvalid",
        ),
        (
            put(&broker, "there", &other),
            "provision",
            "there",
            "InstanceConflict",
        ),
        (
            put(&broker, "new", &body("later")),
            "provision",
            "new",
            "AsyncRequired",
        ),
        (
            asked(&broker, "PUT", &at_instance("new")).body("{"),
            "provision",
            "new",
            "InvalidBody",
        ),
        (
            asked(&broker, "PATCH", &at_instance("new")).json(&json!({ "service_id": "s" })),
            "update",
            "new",
            "InstanceNotFound",
        ),
        (
            asked(&broker, "PUT", &at_binding("new", "b")).json(&bind_of("s", "now")),
            "bind",
            "new",
            "InstanceNotFound",
        ),
        (
            asked(&broker, "DELETE", &gone),
            "deprovision",
            "gone",
            "Gone",
        ),
        (late, "provision", "new", "ApiVersionUnsupported"),
        (watcher, "provision", "new", "Forbidden"),
    ];
    let count = cases.len();
    for (at, (request, kind, instance, error)) in cases.into_iter().enumerate() {
        let answer = broker.send_unchecked(&request);
        let line = last(&broker, "refused", at + 1);
        let login = if error == "Forbidden" {
            "watcher"
        } else {
            "default"
        };
        has(
            &line,
            &json!({
                "kind": kind, "instance": instance, "error": error, "status": answer.status, "login": login,
                "user": "u-1", "from": "127.0.0.1",
            }),
        );
    }
    // Who is not known has none, nor has what changes nothing.
    let nobody = put(&broker, "new", &body("now"))
        .without("Authorization")
        .header("Authorization", &basic("platform", "wrong"));
    assert_eq!(broker.send_unchecked(&nobody).status, 401);
    assert_eq!(broker.fetch("new").status, 404);
    let folder = stopped(broker);
    let lines = awaited(&folder.path().join("audit.log"), "stopped", 1);
    assert_eq!(
        lines
            .iter()
            .filter(|line| line["event"] == "refused")
            .count(),
        count
    );
    assert!(!lines.iter().any(|line| line.to_string().contains("MARKED")));
}

#[test]
fn a_reload_has_a_line_and_so_has_one_that_was_refused() {
    let broker = audited().env("BROKER_RELOAD__EVERY", "0").start();
    broker
        .folder
        .write("catalog.yaml", &CATALOG.replace("At once", "Right away"));
    broker.signal("HUP");
    has(
        &last(&broker, "reload", 1),
        &json!({ "result": "succeeded" }),
    );
    broker.folder.write("catalog.yaml", "services: 7");
    broker.signal("HUP");
    has(
        &last(&broker, "reload", 2),
        &json!({ "result": "refused", "error": "document" }),
    );
}

#[test]
fn what_an_operator_does_by_command_stands_in_the_same_chain() {
    let broker = audited().start();
    assert_eq!(broker.provision("i", &body("now")).status, 201);
    awaited(&log_of(&broker), "began", 1);
    let forget = audited()
        .arg("instances")
        .arg("forget")
        .arg("i")
        .arg("--yes");
    let (status, _, complaint) = forget.run_in(&broker.folder);
    assert!(status.success(), "{complaint}");
    let line = last(&broker, "intervened", 1);
    has(
        &line,
        &json!({ "by": "command", "instance": "i", "result": "forgotten" }),
    );
    assert!(line["uid"].is_u64(), "{line}");
    // To look at what there is needs no account of it.
    let list = audited()
        .env("BROKER_AUDIT__TO", "file:/nowhere/at/all")
        .arg("instances")
        .arg("list");
    assert_eq!(
        list.run_in(&broker.folder).0.code(),
        Some(1),
        "nothing found"
    );
    assert_eq!(broker.provision("j", &body("now")).status, 201);
    awaited(&log_of(&broker), "began", 2);
    // What cannot be told of is not done.
    let forget = audited().env("BROKER_AUDIT__TO", "file:/nowhere/at/all");
    let forget = forget.arg("instances").arg("forget").arg("j").arg("--yes");
    let (status, _, complaint) = forget.run_in(&broker.folder);
    assert_eq!(status.code(), Some(2));
    assert!(complaint.contains("/nowhere/at/all"), "{complaint}");
    assert_eq!(broker.fetch("j").status, 200);
    holds(&stopped(broker), &["audit.log"]);
}

/// A chain of some lines, its broker stopped.
fn chain() -> (Arc<Folder>, Vec<String>) {
    let broker = audited().start();
    for number in 0..6 {
        assert_eq!(
            broker.provision(&format!("i{number}"), &body("now")).status,
            201
        );
    }
    let folder = stopped(broker);
    let text = fs::read_to_string(folder.path().join("audit.log")).expect("the file");
    let lines = text.lines().map(str::to_owned).collect();
    (folder, lines)
}

#[test]
fn whatever_is_done_to_a_line_shows() {
    type Tampering = fn(&mut Vec<String>, &[String]);
    let (folder, lines) = chain();
    let (_elsewhere, foreign) = chain();
    assert_eq!(lines.len(), 8, "started, six changes, stopped");
    let cases: &[(&str, Tampering, &str)] = &[
        (
            "removed",
            |lines, _| drop(lines.remove(3)),
            "audit.log:4: line 4 is missing",
        ),
        (
            "several removed",
            |lines, _| drop(lines.drain(2..5)),
            "audit.log:3: lines 3 to 5 are missing",
        ),
        (
            "the first removed",
            |lines, _| drop(lines.remove(0)),
            "begins with line 2",
        ),
        (
            "changed",
            |lines, _| lines[3] = lines[3].replace("i2", "i9"),
            "audit.log:4: line 4 was changed",
        ),
        (
            "changed in its number",
            |lines, _| lines[3] = lines[3].replace("\"seq\":4", "\"seq\":9"),
            "was changed",
        ),
        (
            "swapped",
            |lines, _| lines.swap(3, 4),
            "audit.log:4: line 4 is missing",
        ),
        (
            "twice",
            |lines, _| lines.insert(3, lines[2].clone()),
            "audit.log:4: line 3 stands where line 4 is due",
        ),
        (
            "put in by hand",
            |lines, _| lines.insert(3, "{\"event\":\"began\"}".to_owned()),
            "audit.log:4: no line of an audit",
        ),
        (
            "added by hand",
            |lines, _| lines.push("{\"event\":\"began\"}".to_owned()),
            "audit.log:9: no line of an audit",
        ),
        (
            "added with a hash made up",
            |lines, _| {
                let made_up = lines[7].replace("\"seq\":8", "\"seq\":9");
                lines.push(made_up);
            },
            "audit.log:9: line 9 was changed",
        ),
        (
            "taken from another chain",
            |lines, foreign| lines[3] = foreign[3].clone(),
            "audit.log:4: line 4 does not follow",
        ),
        (
            "another chain behind",
            |lines, foreign| lines.extend(foreign.iter().cloned()),
            "audit.log:9: another chain begins",
        ),
        (
            "cut in the middle",
            |lines, _| {
                let half = lines[7].len() / 2;
                lines[7].truncate(half);
            },
            "audit.log:8: no line of an audit",
        ),
        (
            "emptied line",
            |lines, _| lines[3].clear(),
            "audit.log:4: no line of an audit",
        ),
    ];
    for (what, tamper, complaint) in cases {
        let mut tampered = lines.clone();
        tamper(&mut tampered, &foreign);
        folder.write("audit.log", &(tampered.join("\n") + "\n"));
        let (code, out, said) = verify(&folder, &["audit.log"]);
        assert!(said.contains(complaint), "{what}: {out}{said}");
        // Of a beginning the file before may know.
        assert_eq!(
            code,
            i32::from(!said.contains("note:")),
            "{what}: {out}{said}"
        );
    }
    folder.write("audit.log", &(lines.join("\n") + "\n"));
    holds(&folder, &["audit.log"]);
}

#[test]
fn an_end_that_was_cut_off_shows_to_who_has_noted_it() {
    let (folder, lines) = chain();
    let hash = |line: &str| line[line.len() - 66..line.len() - 2].to_owned();
    let end = hash(&lines[7]);
    assert_eq!(verify(&folder, &["audit.log", "--has", &end]).0, 0);
    folder.write("audit.log", &(lines[..7].join("\n") + "\n"));
    let (code, _, said) = verify(&folder, &["audit.log", "--has", &end]);
    assert!(code == 1 && said.contains("--has"), "{said}");
    assert_eq!(verify(&folder, &["nothing.log"]).0, 2);
}

#[test]
fn a_line_that_was_torn_is_told_and_the_chain_goes_on_behind_it() {
    let (folder, lines) = chain();
    let torn = lines.join("\n") + "\n" + &lines[7].replace("\"seq\":8", "\"seq\":9")[..90];
    folder.write("audit.log", &torn);
    let (code, _, said) = verify(&folder, &["audit.log"]);
    assert!(code == 1 && said.contains("audit.log:9: torn"), "{said}");
    let broker = audited().start_in(&folder);
    has(&last(&broker, "torn", 1), &json!({ "seq": 9, "bytes": 90 }));
    assert_eq!(broker.provision("after", &body("now")).status, 201);
    let folder = stopped(broker);
    let said = holds(&folder, &["audit.log"]);
    assert!(said.contains("audit.log:9: note: torn"), "{said}");
    // Another piece in its place is not what the line behind it tells of.
    let text = fs::read_to_string(folder.path().join("audit.log")).expect("the file");
    let piece = text.lines().nth(8).expect("the piece");
    folder.write(
        "audit.log",
        &text.replace(&format!("\n{piece}\n"), &format!("\n{}x\n", &piece[1..])),
    );
    assert_eq!(verify(&folder, &["audit.log"]).0, 1);
}

#[test]
fn a_line_that_lacks_but_its_end_is_a_line() {
    let (folder, lines) = chain();
    folder.write("audit.log", &lines.join("\n"));
    holds(&folder, &["audit.log"]);
    let folder = stopped(audited().start_in(&folder));
    holds(&folder, &["audit.log"]);
    let text = fs::read_to_string(folder.path().join("audit.log")).expect("the file");
    assert!(
        !text.contains("\"torn\"") && text.lines().count() == 10,
        "{text}"
    );
}

/// Changes by several at once, until told to stop: how many were answered with 201.
pub fn load(
    broker: &Broker,
    name: &str,
    stop: &Arc<AtomicBool>,
) -> Vec<thread::JoinHandle<Vec<String>>> {
    (0..4)
        .map(|client| {
            let (address, stop, name) = (broker.address, Arc::clone(stop), name.to_owned());
            let template = broker.request("PUT", "/");
            thread::spawn(move || {
                let mut made = Vec::new();
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = format!("{name}-{client}-{number}");
                    let mut request = template.clone().json(&body("now"));
                    request.path = at_instance(&id);
                    match crate::http::send(address, &request) {
                        Ok(Response { status: 201, .. }) => made.push(id),
                        Ok(other) => panic!("{}: {}", other.status, other.text()),
                        // It was killed.
                        Err(_) => break,
                    }
                }
                made
            })
        })
        .collect()
}

pub fn joined(clients: Vec<thread::JoinHandle<Vec<String>>>) -> Vec<String> {
    let made = clients
        .into_iter()
        .map(|client| client.join().expect("a client"));
    made.flatten().collect()
}

#[test]
fn a_broker_killed_in_the_middle_goes_on_with_its_chain() {
    let mut broker = audited().start();
    for round in 0..4 {
        let before = fs::read_to_string(log_of(&broker)).map_or(0, |text| text.lines().count());
        let stop = Arc::new(AtomicBool::new(false));
        let clients = load(&broker, &format!("r{round}"), &stop);
        let until = Instant::now() + PATIENCE;
        while fs::read_to_string(log_of(&broker)).map_or(0, |text| text.lines().count())
            < before + 20
        {
            assert!(Instant::now() < until, "no lines under load");
            thread::sleep(Duration::from_millis(5));
        }
        broker.kill();
        stop.store(true, Ordering::Relaxed);
        joined(clients);
        broker = broker.restarted();
        awaited(&log_of(&broker), "started", round + 2);
    }
    let folder = stopped(broker);
    holds(&folder, &["audit.log"]);
}

#[test]
fn no_change_is_without_a_line_while_the_file_is_renamed_under_load() {
    let broker = audited().start();
    let stop = Arc::new(AtomicBool::new(false));
    let clients = load(&broker, "i", &stop);
    let path = broker.folder.path();
    for number in 1..=3 {
        awaited(&log_of(&broker), "began", 10);
        fs::rename(log_of(&broker), path.join(format!("audit.log.{number}"))).expect("renamed");
    }
    awaited(&log_of(&broker), "began", 10);
    stop.store(true, Ordering::Relaxed);
    let made = joined(clients);
    let folder = stopped(broker);
    let files = ["audit.log.1", "audit.log.2", "audit.log.3", "audit.log"];
    holds(&folder, &files);
    let texts = files.map(|name| fs::read_to_string(folder.path().join(name)).expect("a file"));
    let lines = parsed(&texts.concat());
    let began = lines.iter().filter(|line| line["event"] == "began").count();
    assert_eq!(began, made.len());
    assert_eq!(
        lines
            .iter()
            .filter(|line| line["event"] == "rotated")
            .count(),
        3
    );
    // One left out shows.
    assert_eq!(
        verify(&folder, &["audit.log.1", "audit.log.3", "audit.log"]).0,
        1
    );
}

#[test]
fn a_file_that_is_renamed_in_the_quiet_is_begun_anew_by_itself() {
    let broker = audited().start();
    awaited(&log_of(&broker), "started", 1);
    fs::rename(log_of(&broker), broker.folder.path().join("old.log")).expect("renamed");
    awaited(&log_of(&broker), "rotated", 1);
    holds(&stopped(broker), &["old.log", "audit.log"]);
}

#[test]
fn two_brokers_have_chains_of_their_own_and_may_share_one() {
    let (one, other) = (audited().start(), audited().start());
    for broker in [&one, &other] {
        assert_eq!(broker.provision("i", &body("now")).status, 201);
        assert_eq!(broker.provision("j", &body("now")).status, 201);
    }
    let hash = |broker: &Broker| last(broker, "began", 2)["parameters"].clone();
    let lines = awaited(&log_of(&one), "began", 2);
    let of_one: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "began")
        .collect();
    assert_eq!(
        of_one[0]["parameters"], of_one[1]["parameters"],
        "the same parameters"
    );
    assert_ne!(hash(&one), hash(&other), "the key is the store's");
    let (one, other) = (stopped(one), stopped(other));
    holds(&one, &["audit.log"]);
    holds(&other, &["audit.log"]);
    let shared = one.path().join("audit.log");
    let to = format!("file:{}", shared.display());
    let first = audited().env("BROKER_AUDIT__TO", &to).start_in(&one);
    let second = audited().env("BROKER_AUDIT__TO", &to).start_in(&other);
    let stop = Arc::new(AtomicBool::new(false));
    let clients = [load(&first, "first", &stop), load(&second, "second", &stop)];
    awaited(&shared, "began", 100);
    // What one has written to the file that was renamed, the other goes on behind.
    fs::rename(&shared, one.path().join("renamed.log")).expect("renamed");
    awaited(&shared, "began", 50);
    stop.store(true, Ordering::Relaxed);
    let made: usize = clients
        .into_iter()
        .map(|clients| joined(clients).len())
        .sum();
    stopped(second);
    let folder = stopped(first);
    holds(&folder, &["renamed.log", "audit.log"]);
    let texts = ["renamed.log", "audit.log"]
        .map(|name| fs::read_to_string(folder.path().join(name)).expect("a file"));
    let lines = parsed(&texts.concat());
    let began = lines.iter().filter(|line| line["event"] == "began");
    assert_eq!(began.count(), made + 2);
}

#[test]
fn with_a_full_disk_changes_go_on_and_the_broker_is_not_ready_until_it_is_told_of_them() {
    let folder = Arc::new(Folder::new());
    let file = folder.path().join("audit.log");
    symlink("/dev/full", &file).expect("a link");
    let broker = audited().watched().start_in(&folder);
    broker.wait_for_log("the audit cannot be written to audit.log");
    assert_eq!(broker.provision("i", &body("now")).status, 201);
    assert_eq!(broker.get("/readyz").status, 503);
    let counted = || {
        let page = Page::of(&broker);
        let lines = |result| page.sum("audit_lines_total", &[("result", result)]);
        let behind = page.sum("audit_behind", &[]);
        let errors = page.sum("audit_errors_total", &[]);
        (lines("written"), lines("lost"), errors, behind)
    };
    let (written, lost, errors, behind) = counted();
    assert_eq!((written, lost, behind), (Some(0.0), Some(0.0), Some(1.0)));
    assert!(errors >= Some(1.0), "{errors:?}");
    assert_eq!(broker.get("/healthz").status, 200);
    fs::remove_file(&file).expect("taken away");
    has(&last(&broker, "began", 1), &json!({ "instance": "i" }));
    let until = Instant::now() + PATIENCE;
    while broker.get("/readyz").status != 200 {
        assert!(Instant::now() < until, "{}", broker.log());
        thread::sleep(Duration::from_millis(20));
    }
    let (written, lost, _, behind) = counted();
    // What the file says of itself is none of the lines that it was given.
    let lines = parsed(&fs::read_to_string(&file).expect("lines"));
    let given = lines.iter().filter(|line| line["event"] != "rotated");
    assert_eq!(
        written.map(|written| written.to_string()),
        Some(given.count().to_string())
    );
    assert_eq!((lost, behind), (Some(0.0), Some(0.0)));
    holds(&stopped(broker), &["audit.log"]);
}

#[test]
fn a_place_that_cannot_be_written_to_is_told_at_the_start() {
    for (to, complaint) in [
        (
            "file:/nowhere/at/all",
            "the audit cannot be written to /nowhere/at/all",
        ),
        ("file:catalog.yaml", "its last line is none of an audit"),
        ("file:", "does not name a file"),
        ("syslog", "is no place for an audit"),
    ] {
        let (status, _, said) = audited().env("BROKER_AUDIT__TO", to).run();
        assert_eq!(status.code(), Some(2), "{to}");
        assert!(said.contains(complaint), "{to}: {said}");
    }
}

#[test]
fn on_standard_output_lines_stand_among_those_of_the_log() {
    let broker = audited()
        .env("BROKER_AUDIT__TO", "stdout")
        .env("BROKER_LOG__FORMAT", "json")
        .start();
    assert_eq!(broker.provision("i", &body("now")).status, 201);
    broker.wait_for_log("\"event\":\"began\"");
    let log = broker.log();
    let folder = stopped(broker);
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.starts_with("{\"seq\":"))
        .collect();
    let mut file = fs::File::create(folder.path().join("captured.log")).expect("a file");
    file.write_all((lines.join("\n") + "\n").as_bytes())
        .expect("written");
    holds(&folder, &["captured.log"]);
    assert!(!folder.path().join("audit.log").exists());
}

/// What nobody asked for by name, and what fails.
const OTHERS: &str = r"
services:
  - id: s
    name: service
    description: What happens by itself
    bindable: true
    bindings_retrievable: true
    binding: { credentials: { user: u } }
    plans:
      - { id: known, name: known, description: Was there before, adopt: true }
      - { id: soon, name: soon, description: Ends soon, binding: { ttl: 1s } }
      - { id: fails, name: fails, description: Fails, respond: sync, backend: { command: { run: [/bin/false] } } }
";

#[test]
fn what_is_adopted_what_ends_and_what_fails_has_lines() {
    let broker = Setup::new(OTHERS)
        .env("BROKER_AUDIT__TO", "file:audit.log")
        .env("BROKER_OPERATIONS__LOOK_EVERY", "50ms")
        .env("BROKER_BINDINGS__GRACE", "0s")
        .start();
    let bind = |instance: &str, plan: &str| broker.bind(instance, "b", &bind_of("s", plan)).status;
    assert_eq!(bind("old", "known"), 201);
    has(
        &last(&broker, "adopted", 1),
        &json!({ "login": "default", "instance": "old", "plan": "known" }),
    );
    assert_eq!(
        broker.provision("i", &provision_of("s", "soon")).status,
        201
    );
    assert_eq!(bind("i", "soon"), 201);
    let expired = last(&broker, "expired", 1);
    has(
        &expired,
        &json!({ "by": "broker", "kind": "unbind", "instance": "i", "binding": "b" }),
    );
    assert_eq!(last(&broker, "ended", 1)["operation"], expired["operation"]);
    let failed = broker.provision("f", &provision_of("s", "fails"));
    assert_eq!((failed.status, &*failed.word()), (500, "OperationFailed"));
    has(
        &last(&broker, "ended", 2),
        &json!({ "kind": "provision", "instance": "f", "result": "failed" }),
    );
    let lines = awaited(&log_of(&broker), "began", 4);
    let of_it = lines.iter().filter(|line| line["instance"] == "f");
    let events: Vec<_> = of_it.map(|line| line["event"].clone()).collect();
    assert_eq!(
        events,
        ["began", "ended"],
        "it was recorded, so it was not refused"
    );
    holds(&stopped(broker), &["audit.log"]);
}

#[test]
fn a_client_that_goes_away_leaves_no_change_without_a_line() {
    let broker = audited().start();
    let ids: Vec<_> = (0..300).map(|number| format!("i{number}")).collect();
    for (number, id) in (0..).zip(&ids) {
        let mut connection = Connection::open(broker.address).expect("a connection");
        let alive = broker.request("GET", "/healthz").to_bytes();
        connection.write(&alive).expect("sent");
        connection.stream().peek(&mut [0]).expect("an answer");
        let request = broker.request("PUT", &at_instance(id)).json(&body("now"));
        connection.write(&request.to_bytes()).expect("sent");
        // Closed with an answer that was not read it is reset, at another moment of the request each time.
        thread::sleep(Duration::from_micros(number * 10));
    }
    // Behind all of them in the store.
    assert_eq!(broker.provision("last", &body("now")).status, 201);
    let made: Vec<_> = ids
        .iter()
        .filter(|id| broker.fetch(id).status == 200)
        .collect();
    let folder = stopped(broker);
    let lines = awaited(&folder.path().join("audit.log"), "stopped", 1);
    for id in made {
        let told = lines
            .iter()
            .any(|line| line["event"] == "began" && line["instance"] == id.as_str());
        assert!(told, "no line of {id}");
    }
    holds(&folder, &["audit.log"]);
}

#[test]
fn lines_that_are_taken_away_while_the_broker_runs_show() {
    type Shortening = fn(&Path, &str);
    let ways: [Shortening; 2] = [
        |file, shorter| fs::write(file, shorter).expect("written"),
        // As `sed -i` does.
        |file, shorter| {
            let other = file.with_extension("new");
            fs::write(&other, shorter).expect("written");
            fs::rename(other, file).expect("renamed");
        },
    ];
    for shorten in ways {
        let broker = audited().start();
        for number in 0..3 {
            assert_eq!(
                broker.provision(&format!("i{number}"), &body("now")).status,
                201
            );
        }
        awaited(&log_of(&broker), "began", 3);
        let text = fs::read_to_string(log_of(&broker)).expect("the file");
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        shorten(&log_of(&broker), &lines[..3].concat());
        assert_eq!(broker.provision("next", &body("now")).status, 201);
        awaited(&log_of(&broker), "began", 3);
        let folder = stopped(broker);
        let (code, _, said) = verify(&folder, &["audit.log"]);
        assert!(
            code == 1 && said.contains("audit.log:4: line 4 is missing"),
            "{said}"
        );
    }
}

#[test]
fn behind_a_proxy_that_is_trusted_both_addresses_are_told() {
    for (trusted, forwarded) in [
        ("127.0.0.0/8", json!("203.0.113.5")),
        ("10.0.0.0/8", Value::Null),
    ] {
        let broker = audited()
            .env("BROKER_SERVER__TRUSTED_PROXIES", trusted)
            .start();
        let at = |id: &str| {
            asked(&broker, "PUT", &at_instance(id)).header("X-Forwarded-For", "203.0.113.5")
        };
        assert_eq!(broker.send(&at("i").json(&body("now"))).status, 201);
        assert_eq!(broker.send(&at("i").json(&body("strict"))).status, 409);
        for event in ["began", "refused"] {
            let expected = json!({ "from": "127.0.0.1", "forwarded": forwarded });
            has(&last(&broker, event, 1), &expected);
        }
    }
}
