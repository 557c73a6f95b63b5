//! The log: one line an event, text or JSON, to standard output.

use std::borrow::Cow;
use std::io::{self, Write};

use env_logger::{Builder, Target};
use log::Record;
use log::kv::{Error, Key, Value, VisitSource};
use serde_json::{Map, Value as Json};

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

fn text(out: &mut impl Write, record: &Record<'_>, clock: Clock) -> io::Result<()> {
    write!(
        out,
        "{} {:5} {}: ",
        clock(),
        record.level(),
        record.target()
    )?;
    match record.args().as_str() {
        Some(message) => out.write_all(message.as_bytes())?,
        None => out.write_all(one_line(&record.args().to_string()).as_bytes())?,
    }
    // What fails here fails again in the next line, and is told then.
    let _ = record.key_values().visit(&mut Pairs(out));
    writeln!(out)
}

/// Nobody outside can begin a line of the log.
fn one_line(message: &str) -> Cow<'_, str> {
    if message.chars().any(char::is_control) {
        message.escape_debug().to_string().into()
    } else {
        message.into()
    }
}

/// Whether a value needs no quotes to be told from its neighbours.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/{}".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

/// Writes ` key=value` for each pair.
struct Pairs<'o, W>(&'o mut W);

impl<'kvs, W: Write> VisitSource<'kvs> for Pairs<'_, W> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let out = &mut *self.0;
        match value.to_borrowed_str() {
            Some(text) if is_plain(text) => write!(out, " {key}={text}")?,
            Some(text) => write!(out, " {key}={}", Json::from(text))?,
            None => write!(out, " {key}={value}")?,
        }
        Ok(())
    }
}

fn json(out: &mut impl Write, record: &Record<'_>, clock: Clock) -> io::Result<()> {
    let mut line = Map::new();
    line.insert("time".to_owned(), clock().to_string().into());
    let level = record.level().as_str().to_ascii_lowercase();
    line.insert("level".to_owned(), level.into());
    line.insert("target".to_owned(), record.target().into());
    line.insert("message".to_owned(), record.args().to_string().into());
    let _ = record.key_values().visit(&mut Fields(&mut line));
    writeln!(out, "{}", Json::Object(line))
}

/// Puts each pair into an object.
struct Fields<'o>(&'o mut Map<String, Json>);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let json = if let Some(number) = value.to_u64() {
            number.into()
        } else if let Some(number) = value.to_f64() {
            number.into()
        } else {
            value.to_string().into()
        };
        self.0.insert(key.as_str().to_owned(), json);
        Ok(())
    }
}
