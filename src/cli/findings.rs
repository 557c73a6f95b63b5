//! Findings for people: place, weight, sentence, mend; and how many there are.

use std::fmt::Write as _;

use crate::document::{Finding, Findings, Severity};

/// One finding in two lines: `catalog.yaml:12:5: error: ... [rule]` and its mend.
pub(super) fn sentence(finding: &Finding) -> String {
    format!(
        "{}: {}: {} [{}]\n    mend: {}",
        place(finding),
        word(finding.severity),
        message(finding),
        finding.rule,
        finding.mend
    )
}

/// `catalog.yaml:12:5`; what stands in no file is the environment's.
pub(super) fn place(finding: &Finding) -> String {
    finding
        .place
        .as_ref()
        .map_or_else(|| "environment".to_owned(), ToString::to_string)
}

/// The message behind the way to the value.
pub(super) fn message(finding: &Finding) -> String {
    let path = finding.path.to_string();
    if path.is_empty() {
        finding.message.clone()
    } else {
        format!("{path}: {}", finding.message)
    }
}

/// The word for a weight.
pub(super) const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// All of them, and a closing line that counts them; nothing where there are none.
pub(super) fn listing(findings: &Findings) -> String {
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "{}", sentence(finding));
    }
    if !findings.is_empty() {
        let _ = writeln!(text, "{}", count(findings));
    }
    text
}

/// `2 errors, 1 warning`.
fn count(findings: &Findings) -> String {
    let weights = [Severity::Error, Severity::Warning, Severity::Note];
    let counted = weights.into_iter().filter_map(|severity| {
        let of_it = |finding: &&Finding| finding.severity == severity;
        match findings.iter().filter(of_it).count() {
            0 => None,
            1 => Some(format!("1 {}", word(severity))),
            many => Some(format!("{many} {}s", word(severity))),
        }
    });
    counted.collect::<Vec<_>>().join(", ")
}
