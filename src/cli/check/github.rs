//! Findings as workflow commands of GitHub Actions: they stand on the pull request's page beside the line.

use std::fmt::Write as _;

use crate::cli::findings;
use crate::document::{Finding, Severity};

/// `::error file=catalog.yaml,line=12,col=5,title=rule::message`.
pub(super) fn command(finding: &Finding) -> String {
    let mut text = format!("::{} ", word(finding.severity));
    if let Some(place) = &finding.place {
        let _ = write!(
            text,
            "file={},line={},col={},",
            property(&place.file),
            place.line,
            place.column
        );
    }
    let said = format!("{}; mend: {}", findings::message(finding), finding.mend);
    let _ = writeln!(text, "title={}::{}", property(finding.rule), data(&said));
    text
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    }
}

/// The per cent sign goes first: it is what the others are written with.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_github_is_escaped() {
        assert_eq!(data("50%\r\na: b, c"), "50%25%0D%0Aa: b, c");
        assert_eq!(property("a:b,c%\n"), "a%3Ab%2Cc%25%0A");
    }
}
