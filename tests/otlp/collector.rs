//! A collector: takes what OTLP sends over HTTP, and reads the protobuf.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use rustls::ServerConfig;

use crate::harness::{Broker, Setup};
use crate::server::{Reply, Request, Server, reply};

pub const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub const SPAN: &str = "00f067aa0ba902b7";

/// A request that is part of a trace which is sampled.
pub fn w3c(flags: &str) -> String {
    format!("00-{ID}-{SPAN}-{flags}")
}

/// A span as it arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty where it has none.
    pub parent: String,
    pub state: String,
    pub kind: SpanKind,
    /// Numbers as text.
    pub attributes: BTreeMap<String, String>,
    pub resource: BTreeMap<String, String>,
    pub is_error: bool,
    pub message: String,
    pub took: Duration,
}

impl Arrived {
    pub fn has(&self, name: &str, text: &str) -> bool {
        self.attributes.get(name).is_some_and(|known| known == text)
    }
}

/// How it answers.
const TAKES: u16 = 200;
const REJECTS: u16 = 299;
const SILENT: u16 = 0;

pub struct Collector {
    pub server: Server,
    answer: Arc<AtomicU16>,
    /// What it took.
    spans: Arc<Mutex<Vec<Arrived>>>,
}

impl Collector {
    pub fn start() -> Self {
        Self::run(|handler| Server::start(handler))
    }

    pub fn start_tls(config: ServerConfig) -> Self {
        Self::run(|handler| Server::start_tls(config, handler))
    }

    fn run(
        start: impl FnOnce(Box<dyn Fn(&Request, usize) -> Reply + Send + Sync>) -> Server,
    ) -> Self {
        let answer = Arc::new(AtomicU16::new(TAKES));
        let spans: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let (now, keeps) = (Arc::clone(&answer), Arc::clone(&spans));
        let handler = move |request: &Request, _| {
            let read = read(request);
            match now.load(Ordering::SeqCst) {
                TAKES => {
                    keeps.lock().expect("a lock").extend(read);
                    reply(200, "")
                }
                REJECTS => {
                    let partial_success = Some(ExportTracePartialSuccess {
                        rejected_spans: i64::try_from(read.len()).expect("few"),
                        error_message: "not today".to_owned(),
                    });
                    let body = ExportTraceServiceResponse { partial_success };
                    Reply::Http(200, Vec::new(), body.encode_to_vec())
                }
                SILENT => Reply::Silence(Duration::from_secs(600)),
                status => reply(status, "no such luck"),
            }
        };
        Self {
            server: start(Box::new(handler)),
            answer,
            spans,
        }
    }

    /// From now on it answers with this status, and takes nothing.
    pub fn answers(&self, status: u16) {
        self.answer.store(status, Ordering::SeqCst);
    }

    /// From now on it takes all again.
    pub fn takes(&self) {
        self.answers(TAKES);
    }

    /// From now on it rejects each span, and says so in the way that OTLP has for it.
    pub fn rejects(&self) {
        self.answers(REJECTS);
    }

    /// From now on it never answers.
    pub fn is_silent(&self) {
        self.answers(SILENT);
    }

    /// A broker that sends to it.
    pub fn setup(&self, document: &str) -> Setup {
        Setup::new(document)
            .env("BROKER_TRACES__ENDPOINT", &self.server.url(""))
            .env("BROKER_OPERATIONS__LOOK_EVERY", "50ms")
            .env("BROKER_OPERATIONS__LEASE", "1s")
    }

    pub fn spans(&self) -> Vec<Arrived> {
        self.spans.lock().expect("a lock").clone()
    }

    /// Waits for spans of which this holds, so many.
    pub fn wait_for(
        &self,
        broker: &Broker,
        count: usize,
        holds: impl Fn(&Arrived) -> bool,
    ) -> Vec<Arrived> {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let mut found = self.spans();
            found.retain(&holds);
            if found.len() >= count {
                return found;
            }
            assert!(
                Instant::now() < until,
                "only {found:#?} of\n{:#?}\n{}",
                self.spans(),
                broker.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for one with that name.
    pub fn one(&self, broker: &Broker, name: &str) -> Arrived {
        self.wait_for(broker, 1, |span| span.name == name).remove(0)
    }
}

fn read(request: &Request) -> Vec<Arrived> {
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/v1/traces");
    assert_eq!(request.headers["content-type"], "application/x-protobuf");
    let sent = ExportTraceServiceRequest::decode(request.body.as_slice()).expect("protobuf");
    let mut all = Vec::new();
    for of_resource in sent.resource_spans {
        let resource = texts(&of_resource.resource.expect("a resource").attributes);
        for scope in of_resource.scope_spans {
            assert_eq!(scope.scope.expect("a scope").name, "catalog-broker");
            for span in scope.spans {
                let status = span.status.clone().unwrap_or_default();
                let took = span.end_time_unix_nano - span.start_time_unix_nano;
                all.push(Arrived {
                    kind: span.kind(),
                    trace: hexadecimal(&span.trace_id),
                    id: hexadecimal(&span.span_id),
                    parent: hexadecimal(&span.parent_span_id),
                    state: span.trace_state,
                    attributes: texts(&span.attributes),
                    resource: resource.clone(),
                    is_error: status.code() == StatusCode::Error,
                    message: status.message,
                    took: Duration::from_nanos(took),
                    name: span.name,
                });
            }
        }
    }
    all
}

fn texts(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{}: {other:?}", pair.key),
    };
    let pairs = pairs
        .iter()
        .map(|pair| (pair.key.clone(), text(pair).expect("a value")));
    pairs.collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
