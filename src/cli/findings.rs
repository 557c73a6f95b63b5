//! A finding for people: place, weight, sentence, mend.

use crate::document::{Finding, Severity};

/// One finding in two lines at most: `catalog.yaml:12:5: error: ... [rule]` and its mend.
pub(super) fn sentence(finding: &Finding) -> String {
    let place = finding
        .place
        .as_ref()
        .map_or_else(|| "environment".to_owned(), ToString::to_string);
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let path = finding.path.to_string();
    let at = if path.is_empty() {
        String::new()
    } else {
        format!("{path}: ")
    };
    format!(
        "{place}: {severity}: {at}{} [{}]\n    mend: {}",
        finding.message, finding.rule, finding.mend
    )
}
