//! A request is a span: below who sent it, in the trace that its line in the log names.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::collector::{Arrived, Collector, ID, SPAN, w3c};
use crate::harness::{Broker, CATALOG, PLAN, SERVICE, at_binding, at_instance, provision_body};

const INSTANCE: &str = "PUT /v2/service_instances/{instance_id}";

/// The trace in the line of the log that holds a text.
fn logged(broker: &Broker, text: &str) -> String {
    broker.wait_for_log(text);
    let log = broker.log();
    let line = log.lines().find(|line| line.contains(text)).expect("it");
    let (_, rest) = line.split_once(" trace=").expect("a trace");
    rest.split(' ').next().unwrap_or_default().to_owned()
}

fn attributes(span: &Arrived) -> Vec<(&str, &str)> {
    let pairs = span.attributes.iter();
    pairs.map(|(name, text)| (&**name, &**text)).collect()
}

#[test]
fn a_request_is_a_span_below_who_sent_it() {
    let collector = Collector::start();
    let broker = collector.setup(CATALOG).start();
    let request = broker
        .request("PUT", &at_instance("i"))
        .json(&provision_body())
        .header("traceparent", &w3c("01"))
        .header("tracestate", "rojo=1, congo=2");
    assert_eq!(broker.send(&request).status, 201);
    let span = collector.one(&broker, INSTANCE);
    assert_eq!(span.trace, ID);
    assert_eq!(span.parent, SPAN);
    assert!(span.id != SPAN && span.id.len() == 16, "{span:?}");
    assert_eq!(span.state, "rojo=1,congo=2");
    assert_eq!(span.kind, SpanKind::Server);
    assert!(!span.is_error && !span.took.is_zero(), "{span:?}");
    assert_eq!(
        attributes(&span),
        [
            ("http.request.method", "PUT"),
            ("http.response.status_code", "201"),
            ("http.route", "/v2/service_instances/{instance_id}"),
            ("osb.instance.id", "i"),
            ("osb.plan.id", PLAN),
            ("osb.service.id", SERVICE),
        ]
    );
    assert_eq!(logged(&broker, "instance=i "), ID);
    assert_eq!(span.resource["service.name"], "catalog-broker");
    assert_eq!(span.resource["service.version"], env!("CARGO_PKG_VERSION"));
    let instance = &span.resource["service.instance.id"];
    broker.wait_for_log(&format!("takes operations up as {instance}"));
}

#[test]
fn a_request_that_is_of_no_trace_begins_one() {
    let collector = Collector::start();
    let broker = collector.setup(CATALOG).start();
    assert_eq!(broker.provision("i", &provision_body()).status, 201);
    let span = collector.one(&broker, INSTANCE);
    assert_eq!(span.parent, "");
    assert_eq!(span.trace, logged(&broker, "instance=i "));
    assert!(span.trace != ID && span.trace.len() == 32, "{span:?}");
    // The next one another.
    assert_eq!(broker.provision("j", &provision_body()).status, 201);
    let both = collector.wait_for(&broker, 2, |span| span.name == INSTANCE);
    assert_ne!(both[0].trace, both[1].trace);
}

#[test]
fn refusals_are_told_and_failures_are_errors() {
    let collector = Collector::start();
    let document = CATALOG.replacen(
        "        name: small\n",
        "        name: small\n        respond: sync\n        backend: { command: { run: [/bin/false] } }\n",
        1,
    );
    let broker = collector.setup(&document).start();
    assert_eq!(broker.fetch("nowhere").status, 404);
    let bare = broker.request("GET", "/v2/catalog");
    assert_eq!(broker.send(&bare.without("Authorization")).status, 401);
    assert_eq!(broker.get("/v2/else").status, 404);
    assert_eq!(broker.provision("i", &provision_body()).status, 500);
    let of = |status: &str, name: &str| {
        let holds =
            |span: &Arrived| span.has("http.response.status_code", status) && span.name == name;
        collector.wait_for(&broker, 1, holds).remove(0)
    };
    let absent = of("404", "GET /v2/service_instances/{instance_id}");
    assert!(
        !absent.is_error && absent.has("osb.error", "InstanceNotFound"),
        "{absent:?}"
    );
    let refused = of("401", "GET /v2/catalog");
    assert!(
        !refused.is_error && refused.has("osb.error", "Unauthorized"),
        "{refused:?}"
    );
    let nowhere = of("404", "GET");
    assert!(
        !nowhere.attributes.contains_key("http.route"),
        "{nowhere:?}"
    );
    let failed = of("500", INSTANCE);
    assert!(failed.is_error, "{failed:?}");
    assert_eq!(failed.message, "OperationFailed");
    assert!(failed.has("error.type", "OperationFailed"), "{failed:?}");
}

/// Whoever asks for health does so every few seconds; who sends a trace along wants to see it all the same.
#[test]
fn health_begins_no_trace() {
    let collector = Collector::start();
    let broker = collector.setup(CATALOG).start();
    assert_eq!(broker.get("/healthz").status, 200);
    assert_eq!(broker.get("/readyz").status, 200);
    let traced = broker
        .request("GET", "/readyz")
        .header("traceparent", &w3c("01"));
    assert_eq!(broker.send(&traced).status, 200);
    let span = collector.one(&broker, "GET /readyz");
    assert_eq!(span.parent, SPAN);
    let of_health = |span: &Arrived| span.has("http.route", "/healthz");
    // Spans come in the order in which they were over.
    assert!(!collector.spans().iter().any(of_health));
}

#[test]
fn methods_that_nobody_knows_are_one() {
    let collector = Collector::start();
    let broker = collector.setup(CATALOG).start();
    let strange = broker.request("BREW", &at_binding("i", "b"));
    assert_eq!(broker.send_unchecked(&strange).status, 405);
    let name = "HTTP /v2/service_instances/{instance_id}/service_bindings/{binding_id}";
    let span = collector.one(&broker, name);
    assert!(span.has("http.request.method", "_OTHER"), "{span:?}");
    assert!(span.has("osb.binding.id", "b"), "{span:?}");
}

/// What waits goes out before the process ends.
#[test]
fn a_broker_that_stops_hands_over_what_it_has() {
    let collector = Collector::start();
    let mut broker = collector.setup(CATALOG).start();
    for count in 0..20 {
        let name = format!("i{count}");
        assert_eq!(broker.provision(&name, &provision_body()).status, 201);
    }
    broker.signal("TERM");
    assert!(broker.wait().success());
    let spans = collector.spans();
    let provisions = spans.iter().filter(|span| span.name == INSTANCE);
    assert_eq!(provisions.count(), 20);
    assert!(!broker.log().contains("lost"), "{}", broker.log());
}
