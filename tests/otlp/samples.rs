//! Which traces are sent: those that who began them wants, and of all others a part.

use crate::collector::{Arrived, Collector, ID, SPAN, w3c};
use crate::harness::{Broker, CATALOG, at_instance};

fn fetch(broker: &Broker, instance: &str, headers: &[(&str, &str)]) {
    let request = broker.request("GET", &at_instance(instance));
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    });
    assert_eq!(broker.send(&request).status, 404);
}

/// The instances of the spans that came, when the one of `last` has.
fn came(collector: &Collector, broker: &Broker, last: &str) -> Vec<String> {
    collector.wait_for(broker, 1, |span| span.has("osb.instance.id", last));
    let of = |span: &Arrived| span.attributes.get("osb.instance.id").cloned();
    collector.spans().iter().filter_map(of).collect()
}

/// Cloud Foundry's router sends B3 without a word on it, which leaves it to the broker.
#[test]
fn who_sent_the_request_decides() {
    let collector = Collector::start();
    let broker = collector.setup(CATALOG).start();
    fetch(&broker, "w3c-not", &[("traceparent", &w3c("00"))]);
    fetch(&broker, "b3-not", &[("b3", &format!("{ID}-{SPAN}-0"))]);
    let several = [("X-B3-TraceId", ID), ("X-B3-SpanId", SPAN)];
    let with = |sampled: &'static str| [several[0], several[1], ("X-B3-Sampled", sampled)];
    fetch(&broker, "several-not", &with("0"));
    fetch(&broker, "w3c", &[("traceparent", &w3c("01"))]);
    fetch(&broker, "b3", &[("b3", &format!("{ID}-{SPAN}"))]);
    fetch(&broker, "several-sampled", &with("1"));
    fetch(&broker, "several", &several);
    let came = came(&collector, &broker, "several");
    assert_eq!(came, ["w3c", "b3", "several-sampled", "several"]);
    for span in collector.spans() {
        let is_ours = span.name.starts_with("GET /v2/service_instances/");
        assert!(
            !is_ours || (span.trace == ID && span.parent == SPAN),
            "{span:?}"
        );
    }
    // The trace is in the log, sampled or not.
    let log = broker.log();
    let line = log.lines().find(|line| line.contains("w3c-not"));
    assert!(line.is_some_and(|line| line.contains(ID)), "{log}");
}

#[test]
fn of_what_nobody_has_decided_on_a_part_is_sent() {
    let collector = Collector::start();
    let setup = collector.setup(CATALOG);
    let broker = setup.clone().env("BROKER_TRACES__SAMPLE", "0").start();
    fetch(&broker, "none", &[]);
    fetch(&broker, "undecided", &[("b3", &format!("{ID}-{SPAN}"))]);
    fetch(&broker, "decided", &[("traceparent", &w3c("01"))]);
    assert_eq!(came(&collector, &broker, "decided"), ["decided"]);
    drop(broker);

    // Of a trace the same is decided everywhere, by its id: of these two one is below the half.
    let broker = setup.env("BROKER_TRACES__SAMPLE", "0.5").start();
    let low = "00000000000000000000000000000001";
    let high = "0000000000000000fffffffffffffffe";
    fetch(&broker, "high", &[("b3", &format!("{high}-{SPAN}"))]);
    fetch(&broker, "low", &[("b3", &format!("{low}-{SPAN}"))]);
    assert_eq!(came(&collector, &broker, "low"), ["decided", "low"]);
}
