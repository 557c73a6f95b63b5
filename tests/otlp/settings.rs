//! What names the collector: settings, and the variables that OpenTelemetry's own programs read.

use std::sync::Arc;

use crate::collector::Collector;
use crate::harness::{Broker, CATALOG, Folder, Setup, at_instance};

const FETCH: &str = "GET /v2/service_instances/{instance_id}";

fn fetched(broker: &Broker) {
    assert_eq!(broker.get(&at_instance("i")).status, 404);
}

#[test]
fn the_usual_variables_do() {
    let collector = Collector::start();
    let broker = Setup::new(CATALOG)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.server.url("/"))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b")
        .env("OTEL_SERVICE_NAME", "blue")
        .start();
    fetched(&broker);
    let span = collector.one(&broker, FETCH);
    assert_eq!(span.resource["service.name"], "blue");
    assert_eq!(collector.server.requests()[0].headers["api-key"], "a b");
}

/// What the settings say wins over variables that are there for all programs, also where it is none.
#[test]
fn the_brokers_own_settings_win() {
    let (meant, other) = (Collector::start(), Collector::start());
    let broker = meant
        .setup(CATALOG)
        .env("BROKER_TRACES__HEADERS", "api-key=ours")
        .env("BROKER_TRACES__SERVICE_NAME", "green")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &other.server.url(""))
        .env(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            &other.server.url("/v1/traces"),
        )
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=theirs,more=theirs")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .env("OTEL_SERVICE_NAME", "blue")
        .start();
    fetched(&broker);
    let span = meant.one(&broker, FETCH);
    assert_eq!(span.resource["service.name"], "green");
    let headers = &meant.server.requests()[0].headers;
    assert_eq!(headers["api-key"], "ours");
    assert!(!headers.contains_key("more"), "{headers:?}");
    drop(broker);

    let mut broker = Setup::new(CATALOG)
        .env("BROKER_TRACES__ENDPOINT", "none")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &other.server.url(""))
        .start();
    fetched(&broker);
    broker.signal("TERM");
    assert!(broker.wait().success());
    assert_eq!(other.server.connections(), 0);
}

#[test]
fn what_is_no_collector_is_refused() {
    for (variable, text, word) in [
        (
            "BROKER_TRACES__ENDPOINT",
            "collector:4318",
            "traces.endpoint",
        ),
        (
            "BROKER_TRACES__ENDPOINT",
            "https://a:m4rk@h",
            "Authorization",
        ),
        ("BROKER_TRACES__HEADERS", "m4rk", "traces.headers"),
        ("BROKER_TRACES__SAMPLE", "2", "traces.sample"),
        ("BROKER_TRACES__SERVICE_NAME", " ", "traces.service_name"),
    ] {
        let setup = Setup::new(CATALOG).env("BROKER_TRACES__ENDPOINT", "http://localhost:4318");
        let (status, _, said) = setup.env(variable, text).run();
        assert!(!status.success(), "{variable}={text}");
        assert!(said.contains(word) && !said.contains("m4rk"), "{said}");
    }
}

/// The settings of the README, with the test's own collector and file.
#[test]
fn the_readme_has_settings_that_work() {
    let collector = Collector::start();
    let folder = Arc::new(Folder::new());
    let token = folder.write("token", "t0ken\n").display().to_string();
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(readme).expect("the README");
    let snippet = readme
        .split("```yaml\n")
        .find(|block| block.starts_with("traces:"))
        .and_then(|block| block.split("```").next())
        .expect("a snippet");
    let settings = snippet
        .replace(
            "https://collector.example.com:4318",
            &collector.server.url(""),
        )
        .replace("/run/secrets/collector_token", &token);
    assert!(
        settings.contains(&token) && settings.contains("localhost"),
        "{settings}"
    );
    folder.write("config/broker.yaml", &settings);
    let broker = Setup::new(CATALOG).start_in(&folder);
    fetched(&broker);
    collector.one(&broker, FETCH);
    assert_eq!(
        collector.server.requests()[0].headers["authorization"],
        "Bearer t0ken"
    );
}
