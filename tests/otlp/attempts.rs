//! What backends do, as spans below the requests that asked for it: whoever works on it, and with the place in the trace that the
//! backend is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::{Value, json};

use crate::collector::{Arrived, Collector, ID, SPAN, w3c};
use crate::harness::{Broker, Folder, at_binding, at_instance};
use crate::http::Connection;
use crate::server::{Reply, Server, reply};

fn document(backend: &str) -> String {
    format!(
        "services:
  - id: s
    name: s
    description: Acts
    bindable: true
    bindings_retrievable: true
    backend: {backend}
    max_attempts: 3
    plans:
      - {{ id: wait, name: wait, description: Waits, answer_within: 20s }}
      - {{ id: later, name: later, description: Later, respond: async }}
"
    )
}

fn webhook(server: &Server) -> String {
    let url = server.url("/");
    document(&format!(
        "{{ webhook: {{ url: \"{url}\", allow_http: true }} }}"
    ))
}

fn body(plan: &str) -> Value {
    json!({ "service_id": "s", "plan_id": plan, "organization_guid": "o", "space_guid": "p" })
}

fn server_span(collector: &Collector, broker: &Broker) -> Arrived {
    collector.one(broker, "PUT /v2/service_instances/{instance_id}")
}

fn provision(broker: &Broker, plan: &str) -> u16 {
    let path = format!("{}?accepts_incomplete=true", at_instance("i"));
    let request = broker.request("PUT", &path).json(&body(plan));
    let request = request.header("traceparent", &w3c("01"));
    broker.send(&request).status
}

#[test]
fn an_attempt_is_below_its_request_and_the_webhook_below_the_attempt() {
    let collector = Collector::start();
    let hook = Server::start(|_, _| reply(200, "{}"));
    // Who keeps account hands on what is told.
    let setup = collector.setup(&webhook(&hook));
    let broker = setup.env("BROKER_AUDIT__TO", "stdout").start();
    assert_eq!(provision(&broker, "later"), 202);
    let attempt = collector.one(&broker, "provision webhook");
    let request = server_span(&collector, &broker);
    assert_eq!((&*request.trace, &*request.parent), (ID, SPAN));
    assert_eq!(
        (&attempt.trace, &attempt.parent),
        (&request.trace, &request.id)
    );
    assert_eq!(attempt.kind, SpanKind::Client);
    assert!(!attempt.is_error, "{attempt:?}");
    for (name, text) in [
        ("osb.attempt", "1"),
        ("osb.backend", "webhook"),
        ("osb.instance.id", "i"),
        ("osb.operation.kind", "provision"),
        ("osb.plan.id", "later"),
        ("osb.result", "done"),
        ("osb.service.id", "s"),
    ] {
        assert!(attempt.has(name, text), "{name}: {attempt:?}");
    }
    // The 202 named the operation, so its span does.
    let operation = &attempt.attributes["osb.operation.id"];
    assert!(request.has("osb.operation.id", operation), "{request:?}");
    let told = &hook.requests()[0].headers["traceparent"];
    assert_eq!(*told, format!("00-{ID}-{}-01", attempt.id));
}

#[test]
fn a_request_that_began_its_trace_is_followed_to_the_webhook() {
    let collector = Collector::start();
    let hook = Server::start(|_, _| reply(200, "{}"));
    let broker = collector.setup(&webhook(&hook)).start();
    assert_eq!(broker.provision("i", &body("wait")).status, 201);
    let attempt = collector.one(&broker, "provision webhook");
    let request = server_span(&collector, &broker);
    assert_eq!(
        (&attempt.trace, &attempt.parent),
        (&request.trace, &request.id)
    );
    let told = &hook.requests()[0].headers["traceparent"];
    assert_eq!(*told, format!("00-{}-{}-01", attempt.trace, attempt.id));
    // The lines of the operation are of the same trace.
    broker.wait_for_log(&format!("trace={}", request.trace));
}

/// What is not sampled is handed on as such, and not sent.
#[test]
fn what_is_not_sampled_is_not_sampled_further_on() {
    let collector = Collector::start();
    let hook = Server::start(|_, _| reply(200, "{}"));
    let setup = collector.setup(&webhook(&hook));
    let broker = setup.env("BROKER_TRACES__SAMPLE", "0").start();
    assert_eq!(broker.provision("i", &body("wait")).status, 201);
    let told = hook.requests()[0].headers["traceparent"].clone();
    assert!(told.ends_with("-00"), "{told}");
    let request = broker.request("PUT", &at_instance("j")).json(&body("wait"));
    let request = request.header("traceparent", &w3c("01"));
    assert_eq!(broker.send(&request).status, 201);
    let attempts = collector.wait_for(&broker, 1, |span| span.name == "provision webhook");
    assert!(attempts[0].has("osb.instance.id", "j"), "{attempts:?}");
}

#[test]
fn each_attempt_has_a_span_and_those_that_failed_are_errors() {
    let collector = Collector::start();
    let hook = Server::start(|_, before| match before {
        0 => reply(503, "{ \"retry_after\": 0.05 }"),
        1 => reply(200, "{}"),
        _ => reply(500, "{ \"description\": \"No room left.\" }"),
    });
    let broker = collector.setup(&webhook(&hook)).start();
    assert_eq!(provision(&broker, "wait"), 201);
    let mut attempts = collector.wait_for(&broker, 2, |span| span.name == "provision webhook");
    attempts.sort_by_key(|span| span.attributes["osb.attempt"].clone());
    let request = server_span(&collector, &broker);
    for attempt in &attempts {
        assert_eq!((&*attempt.trace, &attempt.parent), (ID, &request.id));
    }
    assert_ne!(attempts[0].id, attempts[1].id);
    assert!(attempts[0].is_error && attempts[0].has("osb.result", "again"));
    assert!(attempts[0].has("error.type", "again"));
    assert!(!attempts[1].is_error && attempts[1].has("osb.result", "done"));
}

/// A deprovision that unbinds first: the backend is let act twice, and each is a step.
#[test]
fn what_a_deprovision_unbinds_is_a_step_of_its_own() {
    let collector = Collector::start();
    let hook = Server::start(|_, _| reply(200, "{}"));
    let broker = collector.setup(&webhook(&hook)).start();
    assert_eq!(broker.provision("i", &body("wait")).status, 201);
    let bind =
        json!({ "service_id": "s", "plan_id": "wait", "bind_resource": { "app_guid": "a" } });
    let path = at_binding("i", "b");
    assert_eq!(broker.put(&path, &bind).status, 201);
    assert_eq!(broker.deprovision("i", "s", "wait").status, 200);
    let unbind = collector.one(&broker, "unbind webhook");
    let deprovision = collector.one(&broker, "deprovision webhook");
    let request = collector.one(&broker, "DELETE /v2/service_instances/{instance_id}");
    assert_eq!(
        (&unbind.parent, &deprovision.parent),
        (&request.id, &request.id)
    );
    assert!(unbind.has("osb.binding.id", "b"), "{unbind:?}");
    assert!(!deprovision.attributes.contains_key("osb.binding.id"));
}

/// The process that began it is killed: the next one goes on in the trace, below the same request.
#[test]
fn who_takes_an_operation_up_goes_on_in_its_trace() {
    let collector = Collector::start();
    let folder = Arc::new(Folder::new());
    let go = folder.path().join("go");
    let program = format!(
        "cat >/dev/null; until [ -e {} ]; do sleep 0.02; done; echo '{{}}'",
        go.display()
    );
    let program = serde_json::to_string(&program).expect("JSON");
    let backend = format!(
        "{{ command: {{ run: [/bin/sh, -c, {program}], env: {{ PATH: /usr/bin:/bin }} }} }}"
    );
    let broker = collector.setup(&document(&backend)).start();
    assert_eq!(provision(&broker, "later"), 202);
    let request = server_span(&collector, &broker);
    let broker = broker.restarted();
    folder.write("go", "");
    let attempt = collector.one(&broker, "provision command");
    assert_eq!(attempt.kind, SpanKind::Internal);
    assert_eq!((&*attempt.trace, &attempt.parent), (ID, &request.id));
    assert_ne!(
        attempt.resource["service.instance.id"],
        request.resource["service.instance.id"]
    );
}

/// Where the operation is cancelled, what was stopped is told of, too.
#[test]
fn an_attempt_that_is_stopped_has_a_span() {
    let collector = Collector::start();
    let calls = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&calls);
    let hook = Server::start(move |request, _| {
        let is_first = counts.fetch_add(1, Ordering::SeqCst) == 0;
        let text = String::from_utf8_lossy(&request.body).into_owned();
        if is_first && text.contains("\"provision\"") {
            return Reply::Silence(Duration::from_secs(60));
        }
        reply(200, "{}")
    });
    let broker = collector.setup(&webhook(&hook)).start();
    assert_eq!(provision(&broker, "later"), 202);
    called(&calls);
    let path = format!(
        "{}?service_id=s&plan_id=later&accepts_incomplete=true",
        at_instance("i")
    );
    assert_eq!(broker.delete(&path).status, 202);
    let attempt = collector.one(&broker, "provision webhook");
    assert!(
        attempt.is_error && attempt.has("osb.result", "stopped"),
        "{attempt:?}"
    );
    collector.one(&broker, "deprovision webhook");
}

fn called(calls: &AtomicUsize) {
    while calls.load(Ordering::SeqCst) == 0 {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whoever asked does not wait: its request is over, and what it asked for goes on below it.
#[test]
fn a_request_whose_sender_went_away_has_a_span() {
    let collector = Collector::start();
    let (calls, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counts, waits) = (Arc::clone(&calls), Arc::clone(&gone));
    let hook = Server::start(move |_, _| {
        counts.fetch_add(1, Ordering::SeqCst);
        called(&waits);
        reply(200, "{}")
    });
    let broker = collector.setup(&webhook(&hook)).start();
    let request = broker.request("PUT", &at_instance("i")).json(&body("wait"));
    let request = request.header("traceparent", &w3c("01"));
    let mut connection = Connection::open(broker.address).expect("a connection");
    // An answer that is never read: the connection is then broken off, not merely closed at one end.
    let unread = broker.request("GET", "/v2/catalog").to_bytes();
    connection.write(&unread).expect("a request");
    connection.stream().peek(&mut [0]).expect("an answer");
    connection.write(&request.to_bytes()).expect("a request");
    called(&calls);
    drop(connection);
    let request = server_span(&collector, &broker);
    assert!(
        request.is_error && request.has("error.type", "cancelled"),
        "{request:?}"
    );
    assert!(!request.attributes.contains_key("http.response.status_code"));
    gone.fetch_add(1, Ordering::SeqCst);
    let attempt = collector.one(&broker, "provision webhook");
    assert_eq!(
        (&attempt.trace, &attempt.parent),
        (&request.trace, &request.id)
    );
    assert!(!attempt.is_error, "{attempt:?}");
}
