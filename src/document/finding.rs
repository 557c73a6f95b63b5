//! What there is to say of a document.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::node::{Path, Place};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something that must be switched on elsewhere; never raised to an error.
    Note,
    /// Likely not what the operator wants.
    Warning,
    /// The broker does not start with it.
    Error,
}

/// One thing a rule has to say of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// The rule's name, kebab case: `plan-id-unique`.
    pub rule: &'static str,
    /// Where; absent for what is in no file (an override that names nothing).
    pub place: Option<Place>,
    /// The way to the value.
    pub path: Path,
    /// What is wrong, in one sentence without a secret in it.
    pub message: String,
    /// What to do about it.
    pub mend: String,
    /// The one mend that loses nothing, as changes of the file's text; empty where there is no such mend.
    pub edits: Vec<Edit>,
}

/// A change of a file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file, as in [`Place::file`].
    pub file: std::sync::Arc<str>,
    /// The bytes that go.
    pub range: std::ops::Range<usize>,
    /// What comes in their place.
    pub text: String,
}

/// In one line, for a log: place, way, message, rule, mend.
impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(out, "{place}: ")?,
            None => out.write_str("environment: ")?,
        }
        let path = self.path.to_string();
        if !path.is_empty() {
            write!(out, "{path}: ")?;
        }
        write!(out, "{} [{}]; mend: {}", self.message, self.rule, self.mend)
    }
}

/// Findings as they are gathered.
#[derive(Clone, Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Finding {
    /// An error.
    pub fn error(
        rule: &'static str,
        path: &Path,
        place: &Place,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Error, rule, path, place, message, mend)
    }

    /// A warning.
    pub fn warning(
        rule: &'static str,
        path: &Path,
        place: &Place,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, rule, path, place, message, mend)
    }

    /// A note.
    pub fn note(
        rule: &'static str,
        path: &Path,
        place: &Place,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Note, rule, path, place, message, mend)
    }

    /// An error of what stands in no file: an environment variable.
    pub fn nowhere(
        rule: &'static str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            rule,
            place: None,
            path: Path::root(),
            message: message.into(),
            mend: mend.into(),
            edits: Vec::new(),
        }
    }

    fn new(
        severity: Severity,
        rule: &'static str,
        path: &Path,
        place: &Place,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            rule,
            place: Some(place.clone()),
            path: path.clone(),
            message: message.into(),
            mend: mend.into(),
            edits: Vec::new(),
        }
    }

    /// The same with the edits that mend it.
    #[must_use]
    pub fn with_edits(mut self, edits: Vec<Edit>) -> Self {
        self.edits = edits;
        self
    }
}

impl Findings {
    /// Adds one.
    pub fn push(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The findings in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// Keeps those that `keep` says yes to.
    pub fn retain(&mut self, keep: impl FnMut(&Finding) -> bool) {
        self.0.retain(keep);
    }

    /// Puts them in the order of the document, what stands nowhere last; equal ones once.
    pub fn sort(&mut self) {
        self.0.sort_by(|a, b| {
            (a.place.is_none(), &a.place, a.rule).cmp(&(b.place.is_none(), &b.place, b.rule))
        });
        self.0.dedup();
    }
}

impl Extend<Finding> for Findings {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        self.0.extend(findings);
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Finding", 8)?;
        object.serialize_field("severity", &self.severity)?;
        object.serialize_field("rule", self.rule)?;
        object.serialize_field("file", &self.place.as_ref().map(|place| &*place.file))?;
        object.serialize_field("line", &self.place.as_ref().map(|place| place.line))?;
        object.serialize_field("column", &self.place.as_ref().map(|place| place.column))?;
        object.serialize_field("path", &self.path.to_string())?;
        object.serialize_field("message", &self.message)?;
        object.serialize_field("mend", &self.mend)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rule: &'static str, line: u32) -> Finding {
        let place = Place {
            file: "f.yaml".into(),
            line,
            column: 1,
            start: 0,
            end: 0,
        };
        Finding::warning(rule, &Path::root().key("a"), &place, "message", "mend")
    }

    #[test]
    fn findings_come_in_the_order_of_the_document_and_once() {
        let mut findings = Findings::default();
        findings.push(Finding::nowhere("z", "message", "mend"));
        findings.extend([
            finding("b", 2),
            finding("a", 2),
            finding("c", 1),
            finding("b", 2),
        ]);
        findings.sort();
        assert_eq!(
            findings
                .iter()
                .map(|finding| finding.rule)
                .collect::<Vec<_>>(),
            ["c", "a", "b", "z"]
        );
        assert!(findings.has_errors());
        findings.retain(|finding| finding.rule != "z");
        assert!(!findings.has_errors() && !findings.is_empty());
    }

    #[test]
    fn a_finding_has_one_shape_as_json() {
        let json = serde_json::json!({
            "severity": "warning", "rule": "b", "file": "f.yaml", "line": 2, "column": 1, "path": "a",
            "message": "message", "mend": "mend",
        });
        assert_eq!(serde_json::to_value(finding("b", 2)).unwrap(), json);
        let nowhere = serde_json::to_value(Finding::nowhere("z", "message", "mend")).unwrap();
        assert!(nowhere["file"].is_null() && nowhere["line"].is_null());
    }
}
