//! The log: one line an event, text or JSON. There is one for each request: so a line is put together
//! in a string of its own, by as few formatters as can be, and written at once.

use std::fmt;
use std::io::Write as _;

use env_logger::{Builder, Target};
use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, Record};

use crate::domain::time::{Clock, Timestamp};

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one object a line.
    Json,
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output: of a broker, whose only output it is.
    Standard,
    /// Standard error: of a command, whose output is its answer.
    Errors,
}

/// Starts the log. `filter` is in the form of `RUST_LOG`: `info`, `debug,request=off`. A second start is ignored: the
/// log is the process's.
pub fn start(format: Format, output: Output, filter: &str, clock: Clock) {
    let started = Builder::new()
        .parse_filters(filter)
        .target(match output {
            Output::Standard => Target::Stdout,
            Output::Errors => Target::Stderr,
        })
        .format(move |out, record| {
            if is_wire(record.target()) {
                return Ok(());
            }
            out.write_all(line(format, record, clock()).as_bytes())
        })
        .try_init();
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            // The message may hold what was worked on; the place does not.
            let place = panic
                .location()
                .map_or_else(String::new, ToString::to_string);
            log::error!("the broker panicked at {place}");
        }));
    }
}

/// The HTTP client writes what goes over the wire, at `trace` byte by byte: logins and credentials. Whoever calls with it
/// says what came of it.
fn is_wire(target: &str) -> bool {
    target.starts_with("ureq")
}

/// What most lines have room in.
const USUAL: usize = 384;

fn line(format: Format, record: &Record<'_>, time: Timestamp) -> String {
    let mut line = String::with_capacity(USUAL);
    match format {
        Format::Text => text(&mut line, record, time),
        Format::Json => json(&mut line, record, time),
    }
    line.push('\n');
    line
}

fn text(out: &mut String, record: &Record<'_>, time: Timestamp) {
    shown(out, time);
    push(out, [" ", wide(record.level()), " ", record.target(), ": "]);
    match record.args().as_str() {
        // Out of the code, so there is nothing in it to escape.
        Some(message) => out.push_str(message),
        None => shown(
            &mut Escaping {
                out,
                is_special: is_order,
            },
            record.args(),
        ),
    }
    pairs(out, record, Format::Text);
}

fn json(out: &mut String, record: &Record<'_>, time: Timestamp) {
    out.push_str(r#"{"time":""#);
    shown(out, time);
    push(
        out,
        [r#"","level":""#, lower(record.level()), r#"","target":"#],
    );
    quoted(out, record.target());
    out.push_str(r#","message":"#);
    match record.args().as_str() {
        Some(message) => quoted(out, message),
        None => quoted_display(out, record.args()),
    }
    pairs(out, record, Format::Json);
    out.push('}');
}

fn push<const N: usize>(out: &mut String, parts: [&str; N]) {
    for part in parts {
        out.push_str(part);
    }
}

/// A string takes all that is written to it.
fn shown(out: &mut impl fmt::Write, value: impl fmt::Display) {
    let _ = write!(out, "{value}");
}

/// As wide as the widest.
const fn wide(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARN ",
        Level::Info => "INFO ",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    }
}

const fn lower(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

fn pairs(out: &mut String, record: &Record<'_>, format: Format) {
    // It never fails, as no pair does.
    let _ = record.key_values().visit(&mut Pairs { out, format });
}

struct Pairs<'o> {
    out: &'o mut String,
    format: Format,
}

impl<'kvs> VisitSource<'kvs> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        match self.format {
            Format::Text => push(self.out, [" ", key.as_str(), "="]),
            Format::Json => push(self.out, [r#",""#, key.as_str(), r#"":"#]),
        }
        match value.to_borrowed_str() {
            Some(text) if self.format == Format::Text && is_plain(text) => self.out.push_str(text),
            Some(text) => quoted(self.out, text),
            None if value.to_f64().is_some_and(f64::is_finite) => shown(self.out, value),
            None => quoted_display(self.out, value),
        }
        Ok(())
    }
}

/// A word that needs no quotes.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/{}".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

/// What some reader takes for the end of a line, or a terminal for an order: nobody outside writes it into the log.
fn is_order(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_special(char: char) -> bool {
    matches!(char, '"' | '\\') || is_order(char)
}

/// A JSON string.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    escape(out, text, is_special);
    out.push('"');
}

fn quoted_display(out: &mut String, value: impl fmt::Display) {
    out.push('"');
    shown(&mut Escaping { out, is_special }, value);
    out.push('"');
}

struct Escaping<'o> {
    out: &'o mut String,
    is_special: fn(char) -> bool,
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.out, text, self.is_special);
        Ok(())
    }
}

fn escape(out: &mut String, text: &str, is_special: fn(char) -> bool) {
    // Nearly every text is like this, and seen to be by a look at its bytes.
    if text.bytes().all(is_harmless) {
        return out.push_str(text);
    }
    for char in text.chars() {
        if is_special(char) {
            escape_char(out, char);
        } else {
            out.push(char);
        }
    }
}

/// Printable ASCII that has a meaning in no format.
const fn is_harmless(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// As JSON escapes; all that is special lies below U+10000.
fn escape_char(out: &mut String, char: char) {
    match char {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => shown(out, format_args!("\\u{:04x}", u32::from(char))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format, message: &str, user: &str) -> String {
        let pairs = [("user", Value::from(user)), ("ms", Value::from(1.25))];
        let arguments = format_args!("{message}");
        let record = Record::builder()
            .level(Level::Warn)
            .target("t")
            .args(arguments)
            .key_values(&pairs)
            .build();
        super::line(format, &record, Timestamp(0))
    }

    #[test]
    fn text_is_quoted_where_it_must_be() {
        for (user, written) in [
            ("u-1", "u-1"),
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("a\nb\u{85}c\u{2028}\u{7f}", r#""a\nb\u0085c\u2028\u007f""#),
            (r#"a"\"#, r#""a\"\\""#),
            ("ü", r#""ü""#),
        ] {
            let expected =
                format!("1970-01-01T00:00:00.000Z WARN  t: it\\r \"so\" user={written} ms=1.25\n");
            assert_eq!(line(Format::Text, "it\r \"so\"", user), expected);
        }
    }

    #[test]
    fn what_goes_over_the_wire_is_no_line() {
        for target in ["ureq", "ureq_proto"] {
            assert!(is_wire(target), "{target}");
        }
        assert!(!is_wire("backend"));
    }

    #[test]
    fn json_reads_back_as_it_was() {
        let every: String = ('\0'..='\u{3000}').collect();
        let line = line(Format::Json, &every, &every);
        assert_eq!(line.find(is_order), Some(line.len() - 1), "its end alone");
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["message"], every.as_str());
        assert_eq!(value["user"], every.as_str());
        assert_eq!(
            (&value["ms"], &value["level"]),
            (&1.25.into(), &"warn".into())
        );
    }
}
