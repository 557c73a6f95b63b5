//! What an operator does: it asks first, needs the role and the form of the session, and is written down with the login.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::bindings::lines;
use crate::harness::Broker;
use crate::http::Request;
use crate::scene::{self, BINDING, ORDERS, UPLOADS};
use crate::visitor::{Visitor, encoded, hidden};

/// The operation of an instance that its platform polls.
fn operation(visitor: &mut Visitor<'_>, instance: &str) -> String {
    let page = visitor.get(&format!("/instance?id={instance}")).text();
    let (_, rest) = page
        .split_once("/console/operation?id=")
        .expect("an operation");
    rest.split('"').next().expect("an id").to_owned()
}

fn state(broker: &Broker) -> String {
    let polled = broker.poll(UPLOADS).json();
    polled["state"].as_str().unwrap_or("gone").to_owned()
}

#[test]
fn a_step_asks_first_and_is_written_down() {
    let broker = scene::full();
    let mut visitor = Visitor::signed_in(&broker, "anna");
    let id = operation(&mut visitor, UPLOADS);
    let question = visitor.get(&format!("/operation/retry?id={id}"));
    assert_eq!(question.status, 200);
    assert!(
        !broker.log().contains("by the operator"),
        "asking did it: {}",
        broker.log()
    );
    let token = hidden(&question.text(), "token");
    let page = format!("/operation/retry?id={id}");
    // An attempt that runs just then cannot be retried: the page says so, and it is tried again.
    let until = Instant::now() + Duration::from_secs(60);
    let retry = |visitor: &mut Visitor<'_>| {
        assert!(Instant::now() < until, "{}", broker.log());
        let answer = visitor.post(&page, &[("token", &token)]);
        assert!([303, 409].contains(&answer.status), "{}", answer.text());
        answer.status == 303
    };
    while !retry(&mut visitor) {}
    broker.wait_for_log("let go on by the operator");
    let told = broker.log();
    let line = told
        .lines()
        .find(|line| line.contains("let go on by the operator"))
        .expect("a line");
    assert!(line.contains("login=anna") && line.contains(&id), "{line}");
    let account = |id: &str| {
        let lines = fs::read_to_string(broker.folder.path().join("audit.log")).unwrap_or_default();
        let mut lines = lines.lines();
        lines.any(|line| {
            [
                "\"event\":\"intervened\"",
                "\"login\":\"anna\"",
                "\"from\":\"127.0.0.1\"",
                id,
            ]
            .iter()
            .all(|part| line.contains(part))
        })
    };
    // It is written by a thread of its own.
    while !account(&id) {
        assert!(Instant::now() < until, "no line of it in the audit");
        thread::sleep(Duration::from_millis(10));
    }
    assert!(!account("anybody"), "the search is blind");
    scene::mend(&broker);
    while state(&broker) == "in progress" {
        retry(&mut visitor);
    }
    assert_eq!(state(&broker), "succeeded");
    let late = visitor.post(&format!("/operation/retry?id={id}"), &[("token", &token)]);
    assert_eq!(late.status, 409);
    assert!(late.text().contains("succeeded"), "{}", late.text());
    let told = lines(&broker, "\"refused\"", 1);
    let line = told.last().expect("a line");
    assert_eq!(
        (&line["login"], &line["status"], &line["error"]),
        (&"anna".into(), &409.into(), &"Conflict".into()),
        "{line}"
    );
}

#[test]
fn an_operation_is_given_up_with_a_reason_for_its_user() {
    let broker = scene::full();
    let mut visitor = Visitor::signed_in(&broker, "anna");
    let id = operation(&mut visitor, UPLOADS);
    let page = format!("/operation/give-up?id={id}");
    let question = visitor.get(&page).text();
    assert!(
        question.contains("The operator of the broker has given it up."),
        "{question}"
    );
    let token = hidden(&question, "token");
    let long = "x".repeat(501);
    assert_eq!(
        visitor
            .post(&page, &[("token", &token), ("why", &long)])
            .status,
        400
    );
    assert_eq!(state(&broker), "in progress");
    let answer = visitor.post(
        &page,
        &[("token", &token), ("why", " The disks are <full>. ")],
    );
    assert_eq!(answer.status, 303);
    let polled = broker.poll(UPLOADS).json();
    assert_eq!(
        (&polled["state"], &polled["description"]),
        (&"failed".into(), &"The disks are <full>.".into())
    );
    let shown = visitor
        .get(answer.header("location").expect("a page"))
        .text();
    assert!(
        shown.contains("role=\"status\"") && shown.contains("The disks are &lt;full&gt;."),
        "{shown}"
    );
    assert!(shown.contains("given up by anna"), "{shown}");
    broker.wait_for_log("given up by the operator");
    let told = broker.log();
    let line = told
        .lines()
        .find(|line| line.contains("given up by the operator"))
        .expect("a line");
    assert!(line.contains("login=anna") && line.contains(&id), "{line}");
}

#[test]
fn an_instance_is_forgotten_when_that_is_meant() {
    let broker = scene::full();
    let mut visitor = Visitor::signed_in(&broker, "anna");
    let page = format!("/instance/forget?id={ORDERS}");
    let question = visitor.get(&page).text();
    assert!(question.contains("its 3 bindings"), "{question}");
    assert_eq!(broker.fetch(ORDERS).status, 200);
    let answer = visitor.post(&page, &[("token", &hidden(&question, "token"))]);
    assert_eq!(answer.status, 303);
    assert_eq!(broker.fetch(ORDERS).status, 404);
    let list = visitor
        .get(answer.header("location").expect("a page"))
        .text();
    assert!(
        list.contains("is forgotten") && !list.contains(ORDERS),
        "{list}"
    );
    broker.wait_for_log("forgotten by the operator");
    // What is counted does not lag behind what was done.
    assert!(
        visitor.get("").text().contains("<dt>Instances</dt><dd>9"),
        "{}",
        visitor.get("").text()
    );
}

#[test]
fn a_step_needs_the_form_of_its_session() {
    let broker = scene::full();
    let mut visitor = Visitor::signed_in(&broker, "anna");
    let others = Visitor::signed_in(&broker, "anna").token();
    let own = visitor.token();
    assert_ne!(own, others);
    let id = operation(&mut visitor, UPLOADS);
    let pages = [
        format!("/operation/retry?id={id}"),
        format!("/operation/give-up?id={id}"),
        format!("/instance/forget?id={ORDERS}"),
        format!("/binding/expire?id={ORDERS}&binding={BINDING}"),
    ];
    for page in &pages {
        for token in ["", "x", &others] {
            let answer = visitor.post(page, &[("token", token)]);
            assert_eq!(answer.status, 403, "{page} {token}");
            assert!(
                answer.text().contains("not of your session"),
                "{}",
                answer.text()
            );
        }
        for site in ["cross-site", "same-site"] {
            let request = visitor
                .form(page, &[("token", &own)])
                .header("Sec-Fetch-Site", site);
            assert_eq!(visitor.send(request).status, 403, "{page} {site}");
        }
        // Neither the question nor a token in the address does anything.
        visitor.get(&format!("{page}&token={}", encoded(&own)));
        let body = format!("token={}&x={}", encoded(&own), "x".repeat(20_000));
        let request = Request::new("POST", &format!("/console{page}")).body(body);
        assert_eq!(visitor.send(request).status, 403, "too long");
    }
    assert_eq!(state(&broker), "in progress");
    assert_eq!(broker.fetch(ORDERS).status, 200);
    assert_eq!(broker.fetch_binding(ORDERS, BINDING).status, 200);
    assert!(
        !broker.log().contains("by the operator"),
        "{}",
        broker.log()
    );
}

#[test]
fn a_viewer_sees_and_does_nothing() {
    let broker = scene::full();
    let mut visitor = Visitor::signed_in(&broker, "vera");
    let id = operation(&mut visitor, UPLOADS);
    let token = visitor.token();
    for page in [
        format!("/operation/retry?id={id}"),
        format!("/operation/give-up?id={id}"),
        format!("/instance/forget?id={ORDERS}"),
        format!("/binding/expire?id={ORDERS}&binding={BINDING}"),
    ] {
        for answer in [
            visitor.get(&page),
            visitor.post(&page, &[("token", &token)]),
        ] {
            assert_eq!(answer.status, 403, "{page}");
            assert!(
                answer.text().contains("takes the role operator"),
                "{}",
                answer.text()
            );
        }
    }
    assert_eq!(state(&broker), "in progress");
    assert_eq!(broker.fetch(ORDERS).status, 200);
    assert_eq!(broker.fetch_binding(ORDERS, BINDING).status, 200);
    // Each that was tried has a line.
    let told = lines(&broker, "\"refused\"", 4);
    assert_eq!(told.len(), 4, "{told:?}");
    for (line, kind) in told
        .iter()
        .zip(["provision", "provision", "deprovision", "unbind"])
    {
        for (key, value) in [
            ("by", "operator"),
            ("login", "vera"),
            ("from", "127.0.0.1"),
            ("kind", kind),
            ("error", "Forbidden"),
        ] {
            assert_eq!(line[key], value, "{line}");
        }
        assert_eq!(line["status"], 403, "{line}");
    }
    assert_eq!(
        (&told[0]["operation"], &told[0]["instance"]),
        (&id.into(), &UPLOADS.into())
    );
    assert_eq!(told[3]["binding"], BINDING);
    assert!(
        !broker.log().contains("by the operator"),
        "{}",
        broker.log()
    );
}
