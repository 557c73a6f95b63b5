//! Files as pieces: JSON lines of the operator's, and what `cf curl` prints of Cloud Foundry's own lists.

use std::path::Path as FilePath;
use std::sync::Arc;

use serde_json::Value;

use super::piece::{Piece, Source, What};
use super::platform::Lists;
use crate::document::{Finding, Findings, Path, Place};

/// All that the files say.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) pieces: Vec<Piece>,
    pub(super) lists: Lists,
    pub(super) findings: Findings,
}

impl Reading {
    /// Reads a file: one document with `resources`, or one JSON object a line.
    pub(super) fn file(&mut self, path: &FilePath) -> Result<(), std::io::Error> {
        let text = std::fs::read_to_string(path)?;
        let file: Arc<str> = path.display().to_string().into();
        match serde_json::from_str::<Value>(&text) {
            Ok(whole) if whole.get("resources").is_some() => {
                self.list(
                    &Source {
                        file: &file,
                        text: &text,
                        line: 1,
                    },
                    &whole,
                );
            }
            _ => {
                for (at, line) in text.lines().enumerate() {
                    let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
                    self.line(&Source {
                        file: &file,
                        text: line,
                        line: number,
                    });
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, source: &Source<'_>) {
        if source.text.trim().is_empty() {
            return;
        }
        let place = source.place();
        let object = match serde_json::from_str(source.text) {
            Ok(Value::Object(object)) => object,
            Ok(_) => {
                return self.complain(
                    &place,
                    "import-line",
                    "the line is JSON, but no object",
                    SHAPE,
                );
            }
            Err(error) => {
                let message = format!("the line is no JSON: {error}");
                return self.complain(&place, "import-line", message, SHAPE);
            }
        };
        if object.contains_key("resources") {
            return self.list(source, &Value::Object(object));
        }
        let mut entries = object.into_iter();
        match (entries.next(), entries.next()) {
            (Some((key, Value::Object(object))), None) => {
                let what = [What::Instance, What::Binding]
                    .into_iter()
                    .find(|what| what.name() == key);
                match what {
                    Some(what) => self.pieces.push(Piece {
                        what,
                        place,
                        object,
                        listed: false,
                    }),
                    None => self.complain(
                        &place,
                        "import-line",
                        "the line is of no kind that is known",
                        SHAPE,
                    ),
                }
            }
            _ => self.complain(
                &place,
                "import-line",
                "the line is no object with one key",
                SHAPE,
            ),
        }
    }

    fn list(&mut self, source: &Source<'_>, list: &Value) {
        let pieces = self.lists.read(source, list, &mut self.findings);
        self.pieces.extend(pieces);
    }

    fn complain(
        &mut self,
        place: &Place,
        rule: &'static str,
        message: impl Into<String>,
        mend: &str,
    ) {
        self.findings
            .push(Finding::error(rule, &Path::root(), place, message, mend));
    }
}

/// What a line must be.
const SHAPE: &str =
    "write {\"instance\": {...}} or {\"binding\": {...}}, each on a line of its own";
