//! What an operator asks of a broker that runs: `POST /admin/reload`, and the command that sends it.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of, provisioned};
use crate::harness::{Broker, Folder, Setup, basic};
use crate::http::{Request, Response};
use crate::page::Page;

const OPERATOR: &str = "Bearer 0perator";

fn catalog(number: usize) -> String {
    format!(
        "services: [{{ id: service, name: service, accept: [id-guid], description: Number {number}, bindable: true, binding: {{ credentials: {{ a: b }} }}, plans: [{{ id: plan, name: plan, accept: [id-guid], description: A plan }}] }}]\n"
    )
}

/// Nobody looks at the files but who is asked to.
fn setup() -> Setup {
    Setup::new(&catalog(1))
        .watched()
        .env("BROKER_RELOAD__EVERY", "0")
        .env("BROKER_AUDIT__TO", "file:audit.log")
        .env("BROKER_AUTH__LOGINS__OPS__TOKEN", "0perator")
        .env("BROKER_AUTH__LOGINS__OPS__ROLE", "operator")
}

fn asking() -> Request {
    Request::new("POST", "/admin/reload")
        .header("Authorization", OPERATOR)
        .header("X-Broker-API-Request-Identity", "asked-1")
}

fn asked(broker: &Broker) -> Response {
    broker.send_unchecked(&asking())
}

fn described(broker: &Broker) -> String {
    let catalog = broker.catalog().json();
    let told = catalog["services"][0]["description"].as_str();
    told.expect("a description").to_owned()
}

/// The lines of the audit about reloads, as soon as there are so many.
fn audited(broker: &Broker, count: usize) -> Vec<Value> {
    let file = broker.folder.path().join("audit.log");
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let lines = text.lines().filter(|line| line.ends_with('}'));
        let lines: Vec<Value> = lines
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .filter(|line: &Value| line["event"] == "reload")
            .collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < until, "not {count}:\n{text}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_is_new_is_taken_and_told() {
    let broker = setup().start();
    let answer = asked(&broker);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.header("X-Broker-API-Request-Identity"),
        Some("asked-1")
    );
    let same = answer.json();
    assert_eq!(
        (&same["result"], &same["offerings"], &same["plans"]),
        (&json!("unchanged"), &json!(1), &json!(1))
    );
    assert_eq!(same["changes"], json!([]));

    broker.folder.write("catalog.yaml", &catalog(2));
    assert_eq!(described(&broker), "Number 1");
    let new = asked(&broker).json();
    assert_eq!(new["result"], "taken", "{new}");
    // It holds by the time that it is answered.
    assert_eq!(described(&broker), "Number 2");
    let change = new["changes"][0].as_str().expect("a change");
    assert!(change.contains("Number 2"), "{change}");
    assert_eq!(new["needs_restart"], json!([]));
    assert_eq!(asked(&broker).json()["result"], "unchanged");

    let lines = audited(&broker, 3);
    for line in &lines {
        assert_eq!(line["login"], "ops", "{line}");
        assert_eq!(line["from"], "127.0.0.1", "{line}");
        assert_eq!(line["request_identity"], "asked-1", "{line}");
        assert_eq!(line["result"], "succeeded", "{line}");
    }
    // Nobody's name is on one that a signal brought.
    broker.signal("HUP");
    let lines = audited(&broker, 4);
    assert!(lines[3]["login"].is_null(), "{}", lines[3]);
}

#[test]
fn findings_are_told_and_weigh() {
    let broker = setup().start();
    let warned = catalog(2).replace("binding: { credentials: { a: b } }, ", "");
    broker.folder.write("catalog.yaml", &warned);
    let (status, checked, _) = Setup::default()
        .arg("check")
        .arg("--format=json")
        .run_in(&broker.folder);
    assert_eq!(status.code(), Some(0));
    let checked: Value = serde_json::from_str(&checked).expect("JSON");
    let answer = asked(&broker).json();
    assert_eq!(answer["result"], "taken", "{answer}");
    assert_eq!(answer["findings"], checked["findings"]);
    assert_ne!(checked["findings"], json!([]), "nothing to warn of");

    broker
        .folder
        .write("catalog.yaml", &catalog(3).replace("plans:", "plns:"));
    let (_, checked, _) = Setup::default()
        .arg("check")
        .arg("--format=json")
        .run_in(&broker.folder);
    let checked: Value = serde_json::from_str(&checked).expect("JSON");
    let answer = asked(&broker);
    assert_eq!(
        (answer.status, &*answer.word()),
        (422, "DocumentInvalid"),
        "{}",
        answer.text()
    );
    assert_eq!(answer.json()["findings"], checked["findings"]);
    assert_eq!(described(&broker), "Number 2");
    let page = Page::of(&broker);
    assert_eq!(
        page.sum("reloads_total", &[("result", "refused")]),
        Some(1.0)
    );
    let line = &audited(&broker, 2)[1];
    assert_eq!(
        (&line["login"], &line["result"], &line["error"]),
        (&json!("ops"), &json!("refused"), &json!("document"))
    );
}

#[test]
fn settings_with_errors_are_told_without_their_values() {
    let folder = Arc::new(Folder::new());
    folder.write("config/broker.yaml", "log: { level: info }\n");
    let broker = setup().start_in(&folder);
    folder.write(
        "config/broker.yaml",
        "auth: { logins: { x: { username: x, pasword: hunter2 } } }\n",
    );
    let answer = asked(&broker);
    assert_eq!(
        (answer.status, &*answer.word()),
        (422, "SettingsInvalid"),
        "{}",
        answer.text()
    );
    let text = answer.json()["findings"].to_string();
    assert!(text.contains("did you mean password?"), "{text}");
    assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    folder.write("config/broker.yaml", "operations: { keep: 1d }\n");
    let answer = asked(&broker).json();
    assert_eq!(answer["needs_restart"], json!(["operations"]), "{answer}");
}

#[test]
fn what_would_break_is_told_with_who_lives_by_it() {
    let broker = setup().start();
    provisioned(&broker, "i", "service", "plan");
    broker.folder.write(
        "catalog.yaml",
        &catalog(2).replace("id: plan,", "id: other,"),
    );
    let answer = asked(&broker);
    assert_eq!(
        (answer.status, &*answer.word()),
        (409, "CatalogBreaks"),
        "{}",
        answer.text()
    );
    let body = answer.json();
    let breach = &body["breaches"][0];
    assert_eq!(
        (&breach["rule"], &breach["plan"], &breach["instances"]),
        (&json!("id-changed"), &json!("plan"), &json!(1))
    );
    assert_eq!(breach["hits"][0]["instances"], 1, "{breach}");
    let told = body["description"].as_str().expect("a description");
    assert!(told.contains("--allow-breaking id-changed"), "{told}");
    assert_eq!(audited(&broker, 1)[0]["error"], "breaks");
    assert_eq!(
        broker.bind("i", "b", &bind_of("service", "plan")).status,
        201
    );
}

/// A key that the store is sealed with is missed before a start fails for it.
#[test]
fn a_key_that_the_store_is_sealed_with_may_not_go() {
    let (first, second) = (STANDARD.encode([b'1'; 32]), STANDARD.encode([b'2'; 32]));
    let folder = Arc::new(Folder::new());
    let keys = |keys: &str| {
        folder.write(
            "config/broker.yaml",
            &format!("store: {{ keys: [{keys}] }}\n"),
        )
    };
    keys(&format!("\"{first}\""));
    let broker = setup().start_in(&folder);
    provisioned(&broker, "i", "service", "plan");
    keys(&format!("\"{second}\""));
    let answer = asked(&broker);
    assert_eq!(
        (answer.status, &*answer.word()),
        (422, "SettingsInvalid"),
        "{}",
        answer.text()
    );
    let finding = answer.json()["findings"][0].clone();
    let message = finding["message"].as_str().expect("a message");
    assert!(
        message.starts_with("store-key-gone: the store is sealed with "),
        "{finding}"
    );
    assert!(!answer.text().contains(&first), "{}", answer.text());
    // Behind another one it is there.
    keys(&format!("\"{second}\", \"{first}\""));
    let answer = asked(&broker).json();
    assert_eq!(answer["needs_restart"], json!(["store"]), "{answer}");
    // What is refused at a reload is refused at a start.
    keys(&format!("\"{second}\""));
    drop(broker);
    let (status, _, complaint) = setup().run_in(&folder);
    assert_eq!(status.code(), Some(2));
    let id = message
        .split(' ')
        .nth(6)
        .expect("an id")
        .trim_end_matches(',');
    assert!(complaint.contains(id), "{id}: {complaint}");
}

/// Many at once: each is answered, and none before what was there when it asked is served.
#[test]
fn all_who_ask_at_once_are_answered() {
    let broker = setup().start();
    broker.folder.write("catalog.yaml", &catalog(2));
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                let answer = asked(&broker);
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert_eq!(described(&broker), "Number 2");
            });
        }
    });
    let lines = audited(&broker, 40);
    assert_eq!(lines.len(), 40, "a line for each");
    let page = Page::of(&broker);
    let reloads = page.sum("reloads_total", &[("result", "taken")]);
    assert!(reloads >= Some(1.0) && reloads <= Some(40.0), "{reloads:?}");
    assert_eq!(
        broker
            .provision("i", &provision_of("service", "plan"))
            .status,
        201
    );
}

/// An operator of some offerings only learns nothing of the others.
#[test]
fn who_is_for_some_offerings_reloads_none() {
    let broker = setup()
        .env("BROKER_AUTH__LOGINS__SOME__TOKEN", "s0me")
        .env("BROKER_AUTH__LOGINS__SOME__ROLE", "operator")
        .env("BROKER_AUTH__LOGINS__SOME__OFFERINGS", "service")
        .start();
    broker.folder.write("catalog.yaml", &catalog(2));
    let request = asking().header("Authorization", "Bearer s0me");
    let answer = broker.send(&request);
    assert_eq!((answer.status, &*answer.word()), (403, "Forbidden"));
    assert_eq!(described(&broker), "Number 1");
}

/// A file that holds something else each time that it is read.
#[test]
fn files_that_are_being_written_are_asked_for_again() {
    let broker = setup().start();
    let restless = catalog(2).replace("Number 2", "\"${file:/proc/sys/kernel/random/uuid}\"");
    broker.folder.write("catalog.yaml", &restless);
    let answer = asked(&broker);
    assert_eq!(
        (answer.status, &*answer.word()),
        (503, "FilesUnsettled"),
        "{}",
        answer.text()
    );
    assert_eq!(answer.header("Retry-After"), Some("1"));
    assert_eq!(described(&broker), "Number 1");
    broker.folder.write("catalog.yaml", &catalog(3));
    assert_eq!(asked(&broker).json()["result"], "taken");
    assert_eq!(audited(&broker, 1).len(), 1, "it was not over before");
}

/// The command on the machine of somebody else: it tells what came of it by its exit status, too.
#[test]
fn a_command_asks_by_url() {
    let broker = setup().env("BROKER_SERVER__BASE_PATH", "/one").start();
    let url = format!("http://{}/one", broker.address);
    let elsewhere = Folder::new();
    elsewhere.write("pw", "hers\n");
    let reload = |more: &[&str]| {
        let setup = Setup::default()
            .env("BROKER_AUTH__LOGINS__OPS__TOKEN", "0perator")
            .env("BROKER_AUTH__LOGINS__OPS__ROLE", "operator")
            .arg("reload")
            .arg(&format!("--url={url}"));
        let setup = more.iter().fold(setup, |setup, more| setup.arg(more));
        let (status, said, complaint) = setup.run_in(&elsewhere);
        (status.code().expect("a code"), said, complaint)
    };
    let (code, said, complaint) = reload(&[]);
    assert_eq!((code, &*complaint), (0, ""), "{said}");
    assert!(said.contains("nothing has changed: 1 offerings"), "{said}");

    broker.folder.write("catalog.yaml", &catalog(2));
    let (code, said, _) = reload(&[]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("Number 2") && said.contains("reloaded:"),
        "{said}"
    );

    let bad = catalog(3).replace("plans:", "plns:");
    broker.folder.write("catalog.yaml", &bad);
    let (code, said, complaint) = reload(&[]);
    assert_eq!((code, &*said), (1, ""), "{complaint}");
    for part in ["catalog.yaml:1:", "plns", "mend:", "served on"] {
        assert!(complaint.contains(part), "{part}: {complaint}");
    }

    let made = broker.put(
        "/one/v2/service_instances/i",
        &provision_of("service", "plan"),
    );
    assert_eq!(made.status, 201);
    let breaking = catalog(4).replace("id: plan,", "id: other,");
    broker.folder.write("catalog.yaml", &breaking);
    let (code, said, complaint) = reload(&[]);
    assert_eq!((code, &*said), (3, ""), "{complaint}");
    assert!(
        complaint.contains("\nTake back what breaks them."),
        "{complaint}"
    );

    let (code, _, complaint) = reload(&["--username=ops", "--password-file=pw"]);
    assert_eq!(code, 2);
    assert!(
        complaint.contains("401") && !complaint.contains("hers"),
        "{complaint}"
    );
    let (code, _, complaint) = reload(&["--pid=1"]);
    assert_eq!(code, 2);
    assert!(complaint.contains("--url"), "{complaint}");
    let (status, _, complaint) = Setup::default()
        .arg("reload")
        .arg(&format!("--url={url}"))
        .run_in(&elsewhere);
    assert_eq!(status.code(), Some(2));
    assert!(complaint.contains("role operator"), "{complaint}");
    let (status, _, complaint) = Setup::default()
        .env("BROKER_AUTH__LOGINS__OPS__TOKEN", "0perator")
        .env("BROKER_AUTH__LOGINS__OPS__ROLE", "operator")
        .arg("reload")
        .arg(&format!("--url=http://{}", broker.address))
        .run_in(&elsewhere);
    assert_eq!(status.code(), Some(2));
    assert!(complaint.contains("answers 403"), "{complaint}");
    assert!(!complaint.contains("0perator"), "{complaint}");
}

/// With a password in place of a token.
#[test]
fn a_user_of_the_console_may_ask_too() {
    let broker = setup()
        .env("BROKER_AUTH__LOGINS__ANNA__USERNAME", "anna")
        .env("BROKER_AUTH__LOGINS__ANNA__PASSWORD", "hers")
        .env("BROKER_AUTH__LOGINS__ANNA__ROLE", "operator")
        .start();
    broker.folder.write("catalog.yaml", &catalog(2));
    let request = asking().header("Authorization", &basic("anna", "hers"));
    assert_eq!(broker.send_unchecked(&request).json()["result"], "taken");
    assert_eq!(audited(&broker, 1)[0]["login"], "anna");
}
