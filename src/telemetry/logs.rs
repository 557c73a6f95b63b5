//! The log: one line an event, text or JSON, to standard output.

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
    let message = one_line(&record.args().to_string());
    write!(
        out,
        "{} {:5} {}: {message}",
        clock(),
        record.level(),
        record.target()
    )?;
    let mut pairs = Pairs(Vec::new());
    let _ = record.key_values().visit(&mut pairs);
    for (key, value) in pairs.0 {
        match value {
            Json::String(text) if plain(&text) => write!(out, " {key}={text}")?,
            value => write!(out, " {key}={value}")?,
        }
    }
    writeln!(out)
}

fn json(out: &mut impl Write, record: &Record<'_>, clock: Clock) -> io::Result<()> {
    let mut line = Map::new();
    line.insert("time".to_owned(), clock().to_string().into());
    line.insert(
        "level".to_owned(),
        record.level().as_str().to_ascii_lowercase().into(),
    );
    line.insert("target".to_owned(), record.target().into());
    line.insert("message".to_owned(), record.args().to_string().into());
    let mut pairs = Pairs(Vec::new());
    let _ = record.key_values().visit(&mut pairs);
    line.extend(pairs.0);
    writeln!(out, "{}", Json::Object(line))
}

/// Nobody outside can begin a line of the log.
fn one_line(message: &str) -> String {
    message
        .chars()
        .flat_map(|char| {
            let escaped = char.is_control().then(|| char.escape_default());
            let plain = (!char.is_control()).then_some(char);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

fn plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|char| char.is_alphanumeric() || "-_.:/{}".contains(char))
}

struct Pairs(Vec<(String, Json)>);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let value = if let Some(number) = value.to_u64() {
            number.into()
        } else if let Some(number) = value.to_f64() {
            number.into()
        } else {
            value.to_string().into()
        };
        self.0.push((key.as_str().to_owned(), value));
        Ok(())
    }
}
