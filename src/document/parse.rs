//! YAML text into [`Node`]s.
//!
//! Two parsers read the text. The first gives structure and places and stops as soon as a [`Budget`] is spent, so that
//! nothing unbounded reaches the second, which reads the values. Then both trees are walked together, and where they
//! differ that is a finding: a document has one meaning or none.
//!
//! Types are those of YAML 1.2's core schema as `serde_yaml` reads it: `no` and `010` are text. A key is the text that
//! is written: `404: x` has the key `404`.

mod events;
mod lines;
mod spans;
mod unquoted;
mod values;
mod watched;

use self::lines::Lines;
use super::{Finding, Findings, Node, Path, Value};

/// How many blanks may follow each other. libyaml wipes its buffers at every word, as far as they ever grew: a long
/// run of blanks in front of many words would take it hours.
const BLANKS: usize = 4096;

/// How much one file may ask of the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The size of the file in bytes.
    pub bytes: usize,
    /// Lists and maps inside each other.
    pub depth: usize,
    /// Keys and values, with all aliases written out.
    pub nodes: usize,
    /// Bytes of text in keys and values, with all aliases written out.
    pub text: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            depth: 64,
            nodes: 1_000_000,
            text: 64 << 20,
        }
    }
}

/// Reads the bytes of a file, which must be UTF-8; a byte-order mark is skipped.
pub fn parse_bytes(file: &str, bytes: &[u8], budget: &Budget) -> Result<Node, Findings> {
    check_size(file, bytes.len(), budget)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(file, text, budget),
        Err(error) => Err(encoding(file, bytes, error.valid_up_to())),
    }
}

/// Reads a file's text; a byte-order mark is skipped. What is empty is null.
pub fn parse(file: &str, text: &str, budget: &Budget) -> Result<Node, Findings> {
    check_size(file, text.len(), budget)?;
    let content = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let lines = Lines::new(file, content, text.len() - content.len());
    check_blanks(&lines)?;
    let items = sorted(events::read(&lines, budget))?;
    let value = serde_yaml::from_str(content).map_err(|error| unread(&lines, &error))?;
    if items.is_empty() && value == serde_yaml::Value::Null {
        return Ok(Node::new(Value::Null, lines.place(0, 0)));
    }
    sorted(values::join(&lines, &items, value))
}

fn sorted<T>(result: Result<T, Findings>) -> Result<T, Findings> {
    result.map_err(|mut findings| {
        findings.sort();
        findings
    })
}

fn only(finding: Finding) -> Findings {
    let mut findings = Findings::default();
    findings.push(finding);
    findings
}

fn check_size(file: &str, size: usize, budget: &Budget) -> Result<(), Findings> {
    if size <= budget.bytes {
        return Ok(());
    }
    let place = Lines::new(file, "", 0).place(0, 0);
    let message = format!("the file has {size} bytes, more than {}", budget.bytes);
    Err(only(Finding::error(
        "yaml-size",
        &Path::root(),
        &place,
        message,
        "split it into several files",
    )))
}

fn check_blanks(lines: &Lines<'_>) -> Result<(), Findings> {
    let mut run = 0;
    let too_many = lines.text.bytes().position(|byte| {
        run = if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            run + 1
        } else {
            0
        };
        run > BLANKS
    });
    let Some(at) = too_many else {
        return Ok(());
    };
    let place = lines.place(at + 1 - run, at);
    let message = format!("more than {BLANKS} blanks in a row");
    Err(only(Finding::error(
        "yaml-size",
        &Path::root(),
        &place,
        message,
        "remove them",
    )))
}

/// The second parser refuses what the first one took. Its message may quote a value, so it is not passed on.
fn unread(lines: &Lines<'_>, error: &serde_yaml::Error) -> Findings {
    let mut at = error
        .location()
        .map_or(0, |location| location.index().min(lines.text.len()));
    while !lines.text.is_char_boundary(at) {
        at -= 1;
    }
    only(values::two_readings(&Path::root(), &lines.place(at, at)))
}

fn encoding(file: &str, bytes: &[u8], bad: usize) -> Findings {
    let is_utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    let message = if is_utf16 {
        "the file is UTF-16"
    } else {
        "the file is not UTF-8: here is a byte that cannot be"
    };
    let valid = String::from_utf8_lossy(&bytes[..bad]);
    let content = valid.strip_prefix('\u{FEFF}').unwrap_or(&valid);
    let lines = Lines::new(file, content, valid.len() - content.len());
    let place = lines.place(content.len(), content.len());
    only(Finding::error(
        "yaml-encoding",
        &Path::root(),
        &place,
        message,
        "save the file as UTF-8",
    ))
}

#[cfg(test)]
mod tests;
