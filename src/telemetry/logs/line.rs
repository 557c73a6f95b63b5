//! How a line looks. There is one for each request: so it is put together in a string of its own, by as few formatters as
//! can be.

use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, Record};

use super::Format;
use crate::domain::time::Timestamp;
use crate::telemetry::quoted::{Escaping, is_order, quoted, quoted_display, shown};

/// What most lines have room in.
const USUAL: usize = 384;

/// The line of a record, with its end.
pub(super) fn line(format: Format, record: &Record<'_>, time: Timestamp) -> String {
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
