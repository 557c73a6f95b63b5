//! Where spans are sent: what a build that sends none says of it. What one says that does is in `tests/otlp/settings.rs`.

use super::*;

const OURS: &str = "BROKER_TRACES__ENDPOINT";
const USUAL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const URL: &str = "http://collector:4318";

#[test]
fn nothing_is_sent_where_nobody_says_so() {
    assert_eq!(load_env(&[]).unwrap().traces, None);
    assert_eq!(load_env(&[(OURS, "none")]).unwrap().traces, None);
    let named = [(OURS, "none"), (USUAL, URL)];
    assert_eq!(load_env(&named).unwrap().traces, None);
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_build_that_sends_none_refuses_a_collector() {
    for errors in [
        error_of(load_env(&[(OURS, URL)])),
        error_of(load_yaml("traces: { endpoint: 'http://collector:4318' }")),
    ] {
        assert!(errors.starts_with("traces.endpoint: "), "{errors}");
        assert!(errors.contains("--features otlp"), "{errors}");
    }
    // The rest says nothing of a collector, and the usual variable may be there for others.
    assert!(load_yaml("traces: { service_name: a, sample: 0.5 }").is_ok());
    let loaded = try_load("", &with_login(&[(USUAL, URL)]), &Flags::default()).unwrap();
    assert_eq!(loaded.settings.traces, None);
    let warnings = loaded.warnings.join("\n");
    assert!(
        warnings.contains(USUAL) && warnings.contains("--features otlp"),
        "{warnings}"
    );
}

/// A command that serves nobody needs no file that a header is in.
#[test]
fn who_serves_nobody_asks_for_nothing_of_it() {
    let folder = Folder::new();
    let yaml = "traces: { headers: ['a=${file:/nowhere}'] }";
    let flags = Flags {
        config: Some(folder.file("broker.yaml", yaml).into()),
        ..Flags::default()
    };
    let environment = Environment::default();
    assert!(load_for_document(&flags, &environment, is_document_variable).is_ok());
    assert!(load_for_store(&flags, &environment, is_document_variable).is_ok());
    let with = with_login(&[]).into_iter().collect();
    assert!(load(&flags, &with, is_document_variable).is_err());
}
