//! The fields of a line, typed; what is wrong with them is gathered.

use serde_json::Value;

use super::piece::Piece;
use crate::document::{Finding, Findings, Path, Place};
use crate::domain::id::IdError;
use crate::domain::json::Object;

/// The fields of one line. Each is taken out, so that those that are left are unknown.
pub(super) struct Fields<'f> {
    object: Object,
    path: Path,
    pub(super) place: Place,
    findings: &'f mut Findings,
    sound: bool,
}

impl<'f> Fields<'f> {
    pub(super) fn new(piece: Piece, findings: &'f mut Findings) -> Self {
        Self {
            object: piece.object,
            path: Path::root().key(piece.what.name()),
            place: piece.place,
            findings,
            sound: true,
        }
    }

    /// Any value but null.
    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.object
            .shift_remove(name)
            .filter(|value| !value.is_null())
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => {
                self.wrong(name, "is no text, or empty", "write it as a string");
                None
            }
        }
    }

    /// An id.
    pub(super) fn id<T>(&mut self, name: &str, parse: fn(&str) -> Result<T, IdError>) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(id) => Some(id),
            Err(error) => {
                self.wrong(name, &error.to_string(), "take it as the platform has it");
                None
            }
        }
    }

    /// An object.
    pub(super) fn object(&mut self, name: &str) -> Option<Object> {
        let Value::Object(object) = self.value(name)? else {
            self.wrong(name, "is no object", "write it as {...}");
            return None;
        };
        Some(object)
    }

    /// What must be there.
    pub(super) fn require<T>(&mut self, name: &str, value: Option<T>, mend: &str) -> Option<T> {
        if value.is_none() && self.sound {
            self.wrong(name, "is missing", mend);
        }
        value
    }

    /// Something is wrong with a field; never what it holds, which may be a secret.
    pub(super) fn wrong(&mut self, name: &str, what: &str, mend: &str) {
        self.sound = false;
        let path = self.path.key(name);
        let message = format!("`{name}` {what}");
        self.findings.push(Finding::error(
            "import-field",
            &path,
            &self.place,
            message,
            mend,
        ));
    }

    /// Whether all was right, and nothing is left that nobody knows.
    pub(super) fn end(mut self, known: &str) -> bool {
        let left: Vec<String> = self.object.keys().cloned().collect();
        for name in left {
            self.wrong(
                &name,
                "is not known here",
                &format!("leave it out; known are {known}"),
            );
        }
        self.sound
    }
}
