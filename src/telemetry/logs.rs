//! The log: one line an event, text or JSON, to standard output. A line is written piece by piece into the logger's
//! buffer: there is one for each request.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use env_logger::{Builder, Target};
use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, Record};

use crate::domain::time::Clock;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one object a line.
    Json,
}

/// Starts the log. `filter` is in the form of `RUST_LOG`: `info`, `debug,request=off`. A second start is ignored: the
/// log is the process's.
pub fn start(format: Format, filter: &str, clock: Clock) {
    let started = Builder::new()
        .parse_filters(filter)
        .target(Target::Stdout)
        .format(move |out, record| match format {
            _ if is_wire(record.target()) => Ok(()),
            Format::Text => text(out, record, clock),
            Format::Json => json(out, record, clock),
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

fn text(out: &mut impl Write, record: &Record<'_>, clock: Clock) -> io::Result<()> {
    let (time, level, target) = (clock(), record.level(), record.target());
    write!(out, "{time} {level:5} {target}: ")?;
    match record.args().as_str() {
        // Out of the code, so there is nothing in it to escape.
        Some(message) => out.write_all(message.as_bytes())?,
        None => escaped(out, record.args(), is_order)?,
    }
    pairs(out, record, Format::Text)?;
    out.write_all(b"\n")
}

fn json(out: &mut impl Write, record: &Record<'_>, clock: Clock) -> io::Result<()> {
    let (time, level) = (clock(), lower(record.level()));
    write!(out, r#"{{"time":"{time}","level":"{level}","target":"#)?;
    quoted(out, record.target())?;
    out.write_all(br#","message":"#)?;
    quoted(out, record.args())?;
    pairs(out, record, Format::Json)?;
    out.write_all(b"}\n")
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

fn pairs(out: &mut impl Write, record: &Record<'_>, format: Format) -> io::Result<()> {
    let mut pairs = Pairs {
        out,
        format,
        written: Ok(()),
    };
    // What fails is writing alone, and that is kept.
    let _ = record.key_values().visit(&mut pairs);
    pairs.written
}

struct Pairs<'o, W> {
    out: &'o mut W,
    format: Format,
    written: io::Result<()>,
}

impl<'kvs, W: Write> VisitSource<'kvs> for Pairs<'_, W> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        if self.written.is_ok() {
            self.written = self.pair(key.as_str(), &value);
        }
        Ok(())
    }
}

impl<W: Write> Pairs<'_, W> {
    fn pair(&mut self, key: &str, value: &Value<'_>) -> io::Result<()> {
        match self.format {
            Format::Text => write!(self.out, " {key}=")?,
            Format::Json => write!(self.out, r#","{key}":"#)?,
        }
        let number = value.to_f64().is_some_and(f64::is_finite);
        match value.to_borrowed_str() {
            Some(text) if self.format == Format::Text && is_plain(text) => {
                self.out.write_all(text.as_bytes())
            }
            Some(text) => quoted(self.out, text),
            None if number => write!(self.out, "{value}"),
            None => quoted(self.out, value),
        }
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

/// A JSON string.
fn quoted(out: &mut impl Write, text: impl fmt::Display) -> io::Result<()> {
    out.write_all(b"\"")?;
    escaped(out, text, |char| {
        matches!(char, '"' | '\\') || is_order(char)
    })?;
    out.write_all(b"\"")
}

fn escaped(
    out: &mut impl Write,
    text: impl fmt::Display,
    is_special: fn(char) -> bool,
) -> io::Result<()> {
    write!(Escaping { out, is_special }, "{text}").map_err(io::Error::other)
}

struct Escaping<'o, W> {
    out: &'o mut W,
    is_special: fn(char) -> bool,
}

impl<W: Write> fmt::Write for Escaping<'_, W> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while let Some((at, char)) = text
            .char_indices()
            .find(|(_, char)| (self.is_special)(*char))
        {
            let (before, from) = text.split_at(at);
            self.out
                .write_all(before.as_bytes())
                .and_then(|()| escape(self.out, char))
                .map_err(|_| fmt::Error)?;
            text = &from[char.len_utf8()..];
        }
        self.out.write_all(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// As JSON escapes; all that is special lies below U+10000.
fn escape(out: &mut impl Write, char: char) -> io::Result<()> {
    match char {
        '"' | '\\' => write!(out, "\\{char}"),
        '\n' => out.write_all(b"\\n"),
        '\r' => out.write_all(b"\\r"),
        '\t' => out.write_all(b"\\t"),
        _ => write!(out, "\\u{:04x}", u32::from(char)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn line(format: Format, message: &str, user: &str) -> String {
        let pairs = [("user", Value::from(user)), ("ms", Value::from(1.25))];
        let mut out = Vec::new();
        let arguments = format_args!("{message}");
        let record = Record::builder()
            .level(Level::Warn)
            .target("t")
            .args(arguments)
            .key_values(&pairs)
            .build();
        let clock = || Timestamp(0);
        match format {
            Format::Text => text(&mut out, &record, clock),
            Format::Json => json(&mut out, &record, clock),
        }
        .expect("a line");
        String::from_utf8(out).expect("text")
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
