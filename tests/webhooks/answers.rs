//! What each status means, and what is made of the body.

use std::time::Duration;

use catalog_broker::domain::backend::Backend as _;
use catalog_broker::domain::operation::Kind;
use serde_json::json;

use crate::harness::{Task, again, done, failed, hook, plain, refused, settings};
use crate::server::{Server, reply};

#[test]
fn what_is_asked_is_the_contract_and_what_is_done_is_read() {
    let body = r#"{"outputs":{"host":"h"},"state":{"n":1},"description":"made","later":"field"}"#;
    let server = Server::start(move |_, _| reply(200, body));
    let task = Task::new(Kind::Bind);
    let made = done(task.by(&plain(&server.url("/hook?token=1"))));
    assert_eq!(made.outputs.expose().get("host"), Some(&json!("h")));
    assert_eq!(made.state.expect("a state").into_exposed(), json!({"n": 1}));
    assert_eq!(made.description.as_deref(), Some("made"));

    let asked = &server.requests()[0];
    assert_eq!((&*asked.method, &*asked.path), ("POST", "/hook?token=1"));
    assert_eq!(asked.headers["content-type"], "application/json");
    assert_eq!(asked.headers["idempotency-key"], task.operation.as_str());
    assert_eq!(asked.headers["x-broker-attempt"], "1");
    let told: serde_json::Value = serde_json::from_slice(&asked.body).expect("JSON");
    assert_eq!(told["contract"], 1);
    assert_eq!(told["operation"]["kind"], "bind");
    assert_eq!(told["operation"]["id"], task.operation.as_str());
    assert!(told["binding"]["id"].is_string());
    assert!(!asked.headers.contains_key("authorization"));
    assert!(!asked.headers.contains_key("x-broker-signature"));
}

#[test]
fn nothing_is_an_answer() {
    for (status, body) in [(200, ""), (201, " \n"), (204, ""), (200, "{}")] {
        let server = Server::start(move |_, _| reply(status, body));
        let made = done(Task::new(Kind::Provision).by(&plain(&server.url("/"))));
        assert!(made.outputs.expose().is_empty());
        assert!(made.description.is_none());
    }
}

#[test]
fn what_is_refused_tells_why_and_never_how() {
    let body = r#"{"description":"A database has 100 GB at most.","error":"internal-7"}"#;
    for status in [400, 401, 404, 409, 410, 422, 451] {
        let server = Server::start(move |_, _| reply(status, body));
        let why = refused(Task::new(Kind::Provision).by(&plain(&server.url("/"))));
        assert_eq!(why, "A database has 100 GB at most.", "{status}");
    }
    let server = Server::start(|_, _| reply(400, r#"{"error":"internal-7"}"#));
    let why = refused(Task::new(Kind::Update).by(&plain(&server.url("/"))));
    assert!(
        why.contains("refused") && !why.contains("internal-7"),
        "{why}"
    );
    let server = Server::start(|_, _| reply(403, "<html>"));
    let why = refused(Task::new(Kind::Unbind).by(&plain(&server.url("/"))));
    assert!(why.contains("does not let the broker in"), "{why}");
}

#[test]
fn what_is_gone_already_needs_no_removal() {
    for status in [404, 410] {
        let server = Server::start(move |_, _| reply(status, "<html>"));
        for kind in [Kind::Deprovision, Kind::Unbind] {
            done(Task::new(kind).by(&plain(&server.url("/"))));
        }
        for kind in [Kind::Provision, Kind::Update, Kind::Bind] {
            refused(Task::new(kind).by(&plain(&server.url("/"))));
        }
    }
}

#[test]
fn what_passes_is_tried_again() {
    for status in [408, 425, 429, 500, 502, 503, 504, 599] {
        let server = Server::start(move |_, _| reply(status, "<html>").with("Retry-After", "7"));
        let (after, why) = again(Task::new(Kind::Deprovision).by(&plain(&server.url("/"))));
        assert_eq!(after, Some(Duration::from_secs(7)), "{status}");
        assert!(why.contains("at the moment"), "{why}");
        assert_eq!(server.requests().len(), 1, "the worker tries again");
    }
    let server = Server::start(|_, _| {
        reply(
            503,
            r#"{"description":"Disks are being changed.","retry_after":2.5}"#,
        )
    });
    let (after, why) = again(Task::new(Kind::Bind).by(&plain(&server.url("/"))));
    assert_eq!(after, Some(Duration::from_millis(2500)));
    assert_eq!(why, "Disks are being changed.");
    let server = Server::start(|_, _| reply(429, "").with("Retry-After", "0"));
    let (after, _) = again(Task::new(Kind::Bind).by(&plain(&server.url("/"))));
    assert_eq!(after, None, "no time at all is left to the broker");
}

#[test]
fn a_500_may_say_that_it_is_for_good() {
    let body = r#"{"failed":true,"description":"No disk left.","instance_usable":false,"update_repeatable":true}"#;
    let server = Server::start(move |_, _| reply(500, body));
    let task = Task::new(Kind::Update);
    let failure = failed(task.by(&plain(&server.url("/"))));
    assert_eq!(failure.description, "No disk left.");
    assert_eq!(failure.instance_usable, Some(false));
    assert_eq!(failure.update_repeatable, Some(true));
    assert!(task.log().contains("WARN backend failed"), "{}", task.log());

    let server = Server::start(move |_, _| reply(503, body));
    again(Task::new(Kind::Update).by(&plain(&server.url("/"))));
}

#[test]
fn what_is_done_must_be_understood() {
    for (body, log) in [
        ("<html>s3cret</html>", "not JSON (line 1, column 1)"),
        (r#"{"outputs":{"password":"s3cret""#, "ends too early"),
        (r#"{"outputs":"s3cret"}"#, "no reply of the contract"),
    ] {
        let server = Server::start(move |_, _| reply(200, body));
        let task = Task::new(Kind::Provision);
        let failure = failed(task.by(&plain(&server.url("/"))));
        assert!(failure.description.contains("does not understand"));
        assert!(task.log().contains(log), "{}", task.log());
        assert!(!task.log().contains("s3cret"), "{}", task.log());
    }
    for status in [206, 300, 304, 302] {
        let server = Server::start(move |_, _| reply(status, ""));
        let failure = failed(Task::new(Kind::Provision).by(&plain(&server.url("/"))));
        assert!(
            failure.description.contains("does not understand"),
            "{status}"
        );
    }
}

#[test]
fn it_carries_out_what_it_is_for() {
    let mut settings = settings("https://hook.example/");
    settings.operations = vec![Kind::Bind, Kind::Unbind];
    settings.concurrency = Some(3);
    let hook = hook(settings);
    assert!(hook.carries_out(Kind::Bind) && !hook.carries_out(Kind::Provision));
    assert_eq!((hook.kind(), hook.name()), ("webhook", "hook"));
    assert_eq!(hook.concurrency(), Some(3));
}
