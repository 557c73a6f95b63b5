//! Programs and endpoints that misbehave, through the real broker: what the platform's user reads, what becomes of the
//! operation, and that the log has the whole story and no secret. What each does to processes and connections is in
//! `tests/backends` and `tests/webhooks`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::documents::provision_of;
use crate::harness::{Broker, Folder, Setup, at_instance};
use crate::later::{accepted, accepting, awaited};
use crate::running::wait_until;

const MARK: &str = "MARKED";

/// Each mode is a plan of the same name.
const PROGRAM: &str = r#"#!/bin/sh
cat > /dev/null
case $1 in
hang) trap '' TERM; echo "here it hangs" >&2; sleep 600 ;;
flood) while :; do echo "$SECRET$SECRET$SECRET"; done ;;
signal) echo "{ \"description\": \"$SECRET\" }"; kill -9 $$ ;;
half) printf '{ "outputs": { "password": "%s"' "$SECRET" ;;
leaves) (sleep 600) & (setsid sleep 600) & echo '{ "description": "It is made." }' ;;
says) echo "no room on shelf 7" >&2; echo '{ "description": "No room left." }'; exit 1 ;;
esac
"#;

/// Plan; how it ends; what its user reads; what the log says of it.
const PROGRAMS: &[(&str, &str, &str, &[&str])] = &[
    (
        "hang",
        "failed",
        "took longer than it may",
        &["took longer than it may and was killed", "here it hangs"],
    ),
    (
        "flood",
        "failed",
        "said more than it may",
        &["its output is longer than it may be"],
    ),
    (
        "signal",
        "failed",
        "stopped before its end",
        &["ended by signal 9"],
    ),
    (
        "half",
        "failed",
        "did not answer in the form",
        &["no JSON object of the contract"],
    ),
    ("leaves", "succeeded", "It is made.", &[]),
    (
        "says",
        "failed",
        "No room left.",
        &["exit code 1", "no room on shelf 7"],
    ),
];

const ENDPOINTS: &[(&str, &str, &str, &[&str])] = &[
    ("slow", "failed", "did not answer in time", &["timeout"]),
    ("lies", "failed", "broke off", &["gave no answer"]),
    ("redirects", "failed", "", &["another host"]),
    ("garbles", "failed", "not HTTP", &[]),
    ("denies", "failed", "", &["503"]),
];

fn catalog(root: &Folder, port: u16) -> String {
    let program = root.path().join("program.sh").display().to_string();
    let plan = |mode: &str, backend: &str| {
        format!(
            "      - {{ id: {mode}, name: {mode}, description: It does, backend: {{ {backend} }} }}\n"
        )
    };
    let programs = PROGRAMS.iter().map(|(mode, ..)| {
        let command = format!(
            "command: {{ run: [\"{program}\", {mode}], env: {{ PATH: /usr/bin:/bin, SECRET: \"{MARK}\" }}, timeout: 2s }}"
        );
        plan(mode, &command)
    });
    let endpoints = ENDPOINTS.iter().map(|(mode, ..)| {
        let url = format!("http://localhost:{port}/{mode}?token={MARK}");
        let webhook = format!(
            "webhook: {{ url: \"{url}\", allow_http: true, secret: \"{MARK}-signing\", timeout: 2s }}"
        );
        plan(mode, &webhook)
    });
    let plans: String = programs.chain(endpoints).collect();
    format!(
        "services:\n  - id: s\n    name: s\n    description: Misbehaves\n    bindable: false\n    plan_defaults: {{ respond: async, \
         max_attempts: 2 }}\n    plans:\n{plans}"
    )
}

/// Does as its path says.
fn endpoint() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its number").port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || misbehave(stream));
        }
    });
    port
}

fn misbehave(mut stream: TcpStream) {
    let mut head = vec![0; 64 * 1024];
    let read = stream.read(&mut head).unwrap_or_default();
    let head = String::from_utf8_lossy(&head[..read]).into_owned();
    let mode = head.split(['/', '?']).nth(1).unwrap_or_default();
    let answer = match mode {
        "slow" => {
            thread::sleep(Duration::from_secs(20));
            String::new()
        }
        "lies" => format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{{\"state\":\"{MARK}\""),
        "redirects" => format!(
            "HTTP/1.1 307 Go\r\nLocation: http://{MARK}.example.com/\r\nContent-Length: 0\r\n\r\n"
        ),
        "garbles" => format!("SSH-2.0-{MARK}\r\n\r\n"),
        _ => format!("HTTP/1.1 503 Busy\r\nContent-Length: 6\r\n\r\n{MARK}"),
    };
    let _ = stream.write_all(answer.as_bytes());
}

fn started() -> (Broker, Arc<Folder>) {
    let root = Arc::new(Folder::new());
    let program = root.write("program.sh", PROGRAM);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("an executable");
    let broker = Setup::new(&catalog(&root, endpoint()))
        .env("BROKER_OPERATIONS__LOOK_EVERY", "50ms")
        .env("BROKER_LOG__FORMAT", "json")
        .start();
    (broker, root)
}

/// What the log says of one operation.
fn story(broker: &Broker, operation: &str) -> Vec<Value> {
    let log = broker.log();
    let lines = log.lines().filter(|line| line.starts_with('{'));
    lines
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["operation"] == operation)
        .collect()
}

#[test]
fn each_misbehaviour_is_told_to_the_user_and_to_the_log() {
    let (broker, _root) = started();
    let begun: Vec<_> = PROGRAMS
        .iter()
        .chain(ENDPOINTS)
        .map(|case| {
            let body = provision_of("s", case.0);
            let answer = broker.put(&accepting(&at_instance(case.0)), &body);
            (case, accepted(&answer))
        })
        .collect();
    for ((plan, state, reads, logged), operation) in begun {
        let over = awaited(&broker, &at_instance(plan), &operation).json();
        assert_eq!(over["state"], *state, "{plan}: {over}");
        let description = over["description"].as_str().expect("a sentence");
        assert!(description.contains(reads), "{plan}: {description}");
        assert!(
            description.len() > 10 && description.contains(' '),
            "{plan}: {description}"
        );
        wait_until(&broker, "its end is in the log", || {
            let ends = |line: &Value| line["message"] == *state;
            story(&broker, &operation).iter().any(ends)
        });
        let told = story(&broker, &operation);
        let text = told
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        for words in *logged {
            assert!(text.contains(words), "{plan}: {words}\n{text}");
        }
        // The last line says how it ended, and what the user was told of it.
        let last = told.last().expect("lines");
        assert_eq!(last["message"], *state, "{plan}: {text}");
        assert_eq!(last["description"], description, "{plan}: {text}");
        // What may pass is tried again.
        let again = ["hang", "signal", "slow", "lies", "garbles", "denies"].contains(plan);
        let attempts = told.iter().filter_map(|line| line["attempt"].as_u64());
        let attempts = attempts.max();
        if again {
            assert_eq!(attempts, Some(2), "{plan}: {text}");
            assert!(
                description.ends_with("(given up after 2 attempts)"),
                "{plan}: {description}"
            );
        }
        assert!(!description.contains(MARK), "{plan}: {description}");
    }
    assert!(!broker.log().contains(MARK), "{}", broker.log());
}

/// The counter-proof: a program that tells its secret where the log hears it is heard.
#[test]
fn the_search_for_the_secret_is_not_blind() {
    let program = PROGRAM.replace("here it hangs", "$SECRET");
    assert_ne!(program, PROGRAM);
    let (broker, root) = started();
    root.write("program.sh", &program);
    let body = provision_of("s", "hang");
    accepted(&broker.put(&accepting(&at_instance("hang")), &body));
    broker.wait_for_log(MARK);
}
