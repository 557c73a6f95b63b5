//! Findings as a SARIF 2.1.0 log, for code scanning.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::cli::findings;
use crate::document::{Finding, Findings};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What a path may hold in a URI as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The log of one run. What stands in no file is put at the document, for viewers show nothing without a file.
pub(super) fn log(findings: &Findings, document: &str) -> Value {
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| result(finding, &rules, document))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "catalog-broker",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| described(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn described(rule: &str) -> Value {
    json!({ "id": rule })
}

fn result(finding: &Finding, rules: &[&str], document: &str) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(document) } });
    if let Some(place) = &finding.place {
        physical = json!({
            "artifactLocation": { "uri": uri(&place.file) },
            "region": { "startLine": place.line, "startColumn": place.column },
        });
    }
    let mut location = json!({ "physicalLocation": physical });
    let path = finding.path.to_string();
    if !path.is_empty() {
        location["logicalLocations"] = json!([{ "fullyQualifiedName": path }]);
    }
    json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.binary_search(&finding.rule).unwrap_or_default(),
        "level": findings::word(finding.severity),
        "message": { "text": format!("{}. Mend: {}", findings::message(finding), finding.mend) },
        "locations": [location],
    })
}

fn uri(file: &str) -> String {
    let encoded = utf8_percent_encode(file.trim_start_matches("./"), PATH).to_string();
    if encoded.starts_with('/') {
        format!("file://{encoded}")
    } else {
        encoded
    }
}
