//! The trace of a request: in its line of the log, in every line of the operation that it began, whoever works on that, and
//! on to programs and webhooks. One that is not to the letter is no trace, and no reason to refuse anything.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::acting::Stage;
use crate::documents::{WIDE, bind_of, provision_of};
use crate::harness::{Broker, Setup, at_instance};
use crate::http::Request;
use crate::later::{accepted, accepting, awaited};
use crate::running::wait_until;

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn w3c() -> String {
    format!("00-{ID}-{SPAN}-01")
}

/// The lines of the log that hold a text.
fn lines(broker: &Broker, text: &str) -> Vec<String> {
    let log = broker.log();
    log.lines()
        .filter(|line| line.contains(text))
        .map(str::to_owned)
        .collect()
}

fn traced(request: Request) -> Request {
    request
        .header("traceparent", &w3c())
        .header("tracestate", "rojo=1, congo=2")
}

#[test]
fn a_request_is_found_by_its_trace() {
    let broker = Setup::new(WIDE).start();
    let of = |name: &str, headers: &[(&str, &str)]| {
        let request = broker.request("GET", &at_instance(name));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        assert_eq!(broker.send(&request).status, 404, "{headers:?}");
        wait_until(&broker, "no line", || {
            lines(&broker, &format!("instance={name}")).len() == 1
        });
        let line = lines(&broker, &format!("instance={name}")).remove(0);
        line.split(" trace=")
            .nth(1)
            .map(|rest| rest.split(' ').next().unwrap_or_default().to_owned())
    };
    let whole = Some(ID.to_owned());
    assert_eq!(of("w3c", &[("traceparent", &w3c())]), whole);
    assert_eq!(of("single", &[("b3", &format!("{ID}-{SPAN}"))]), whole);
    // As Cloud Foundry's router sends them.
    assert_eq!(
        of(
            "several",
            &[
                ("X-B3-TraceId", ID),
                ("X-B3-SpanId", SPAN),
                ("X-B3-Sampled", "1")
            ]
        ),
        whole
    );
    let half = Some(format!("0000000000000000{SPAN}"));
    assert_eq!(
        of("half", &[("X-B3-TraceId", SPAN), ("X-B3-SpanId", SPAN)]),
        half
    );
    assert_eq!(of("none", &[]), None);
    for (name, bad) in [
        ("upper", w3c().to_uppercase()),
        ("short", w3c()[..54].to_owned()),
        ("zeros", format!("00-{}-{SPAN}-01", "0".repeat(32))),
        ("forged", format!("{ID} level=ERROR")),
        ("long", "f".repeat(8_000)),
    ] {
        assert_eq!(of(name, &[("traceparent", &bad)]), None, "{bad:?}");
    }
    let refused = traced(
        broker
            .request("GET", "/v2/catalog")
            .without("Authorization"),
    );
    assert_eq!(broker.send(&refused).status, 401);
    wait_until(&broker, "no line", || {
        lines(&broker, ID)
            .iter()
            .any(|line| line.contains("status=401"))
    });
}

/// A program is told where it is in the trace: the same trace in every attempt, and each time a place of its own. All lines
/// have it: those of the attempts that were made again, of what the program says, of the end.
#[test]
fn an_operation_and_its_program_are_of_the_trace() {
    let stage = Stage::new();
    let broker = &stage.broker;
    stage.does("provision", "thrice");
    let request =
        traced(broker.request("PUT", &at_instance("i"))).json(&provision_of("acting", "auto"));
    assert_eq!(broker.send(&request).status, 201);
    let told = std::fs::read_to_string(stage.file("requests")).expect("what it was told");
    let traces: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["trace"].clone())
        .collect();
    assert_eq!(traces.len(), 3);
    let mut spans: Vec<&str> = Vec::new();
    for trace in &traces {
        assert_eq!(trace["tracestate"], "rojo=1,congo=2");
        let parent = trace["traceparent"].as_str().expect("a text");
        let span = parent
            .strip_prefix(&format!("00-{ID}-"))
            .expect("the same trace");
        let span = span.strip_suffix("-01").expect("sampled as it was");
        assert!(span.len() == 16 && span != SPAN, "{span}");
        spans.push(span);
    }
    spans.sort_unstable();
    spans.dedup();
    assert_eq!(spans.len(), 3, "a place for each attempt");
    wait_until(broker, "not all lines", || {
        lines(broker, " operation: ").len() >= 3
    });
    for line in lines(broker, " operation: ") {
        assert!(line.contains(&format!("trace={ID}")), "{line}");
    }
    // What belongs to no trace is told of none.
    stage.does("bind", "");
    assert_eq!(
        broker.bind("i", "b", &bind_of("acting", "auto")).status,
        201
    );
    let told = std::fs::read_to_string(stage.file("requests")).expect("what it was told");
    let last: Value = serde_json::from_str(told.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last.get("trace"), None);
}

/// The process that began it is killed: the next one knows the trace all the same.
#[test]
fn who_takes_an_operation_up_knows_its_trace() {
    let mut stage = Stage::new();
    stage.does("provision", "wait");
    let path = accepting(&at_instance("i"));
    let request = traced(stage.broker.request("PUT", &path)).json(&provision_of("acting", "async"));
    let operation = accepted(&stage.broker.send(&request));
    stage.wait_for_calls("provision", 1);
    stage.broker.kill();
    stage.go();
    stage.broker = stage.broker.restarted();
    awaited(&stage.broker, &at_instance("i"), &operation);
    let broker = &stage.broker;
    wait_until(broker, "no end", || {
        let ends = lines(broker, &format!("operation={operation}"));
        ends.iter()
            .any(|line| line.contains("succeeded") && line.contains(ID))
    });
}

/// Answers `{}` to everybody, and keeps what they said.
fn listener() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&heard);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut all = String::new();
            let mut chunk = [0; 4096];
            while !all.contains("\r\n\r\n{") || !all.ends_with('}') {
                let read = stream.read(&mut chunk).expect("a request");
                assert!(read > 0, "cut off: {all}");
                all.push_str(&String::from_utf8_lossy(&chunk[..read]));
            }
            keeps.lock().expect("a lock").push(all);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).expect("an answer");
        }
    });
    (port, heard)
}

#[test]
fn a_webhook_gets_the_trace_as_headers() {
    let (port, heard) = listener();
    let document = format!(
        "services:\n  - id: s\n    name: s\n    description: d\n    bindable: false\n    backend: {{ webhook: {{ url: \"http://127.0.0.1:{port}/\", allow_http: true }} }}\n    plans: [{{ id: p, name: p, description: d }}]\n"
    );
    let broker = Setup::new(&document).start();
    let b3 = broker
        .request("PUT", &at_instance("i"))
        .header("b3", &format!("{ID}-{SPAN}-1"))
        .json(&provision_of("s", "p"));
    assert_eq!(broker.send(&b3).status, 201);
    assert_eq!(broker.provision("j", &provision_of("s", "p")).status, 201);
    let heard = heard.lock().expect("a lock").clone();
    let header = |request: &str, name: &str| {
        let line = request
            .lines()
            .find(|line| line.to_lowercase().starts_with(&format!("{name}: ")))?;
        Some(line.split_once(": ")?.1.to_owned())
    };
    let parent = header(&heard[0], "traceparent").expect("a trace");
    assert!(
        parent.starts_with(&format!("00-{ID}-")) && parent.ends_with("-01"),
        "{parent}"
    );
    assert!(!parent.contains(SPAN), "a place of its own: {parent}");
    assert!(
        heard[0].contains(&format!("\"traceparent\":\"{parent}\"")),
        "the body says the same"
    );
    assert_eq!(header(&heard[0], "tracestate"), None);
    assert_eq!(
        header(&heard[1], "traceparent"),
        None,
        "where there was none"
    );
}
