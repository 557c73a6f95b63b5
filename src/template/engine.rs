//! The template library behind one door: its environment, our filters, values in and out.
//!
//! An expression works on a budget (`FUEL`): the library counts every step and every byte it makes before it makes it,
//! our filters count theirs. So `'x' * 10**9` is refused, not attempted.

use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Object, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use super::derive::{Alphabet, Deriving};
use super::draw::{Draw, Function, LENGTHS, NoChance};
use super::scan::JOINED;

/// The filters there are.
pub(super) const FILTERS: [&str; 8] = [
    "urlencode",
    "base64",
    "json",
    "default",
    "replace",
    "lower",
    "upper",
    "int",
];

/// What one expression may use up: a step is 1, and so are 64 bytes. About 4 MiB.
const FUEL: u64 = 65_536;

/// All but the unreserved signs of RFC 3986, so that the result fits any part of a URI.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Read-only from its first use on.
pub(super) fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        environment.add_filter("urlencode", |value: &Value| {
            map_text("urlencode", value, |text| {
                Ok(utf8_percent_encode(text, RESERVED).to_string())
            })
        });
        environment.add_filter("base64", |value: &Value| {
            map_text("base64", value, |text| Ok(STANDARD.encode(text)))
        });
        environment.add_filter("lower", |value: &Value| {
            map_text("lower", value, |text| Ok(text.to_lowercase()))
        });
        environment.add_filter("upper", |value: &Value| {
            map_text("upper", value, |text| Ok(text.to_uppercase()))
        });
        environment.add_filter("json", |value: &Value| -> Result<String, Error> {
            from_engine(value)
                .map(|value| value.to_string())
                .ok_or_else(|| said("cannot be written as JSON"))
        });
        environment.add_filter("default", default);
        environment.add_filter("replace", replace);
        environment.add_filter("int", int);
        environment
    })
}

/// As JSON writes it; the library would write `True`.
fn truth(value: &Value) -> &'static str {
    if value.is_true() { "true" } else { "false" }
}

fn is_null(value: &Value) -> bool {
    value.is_none() || value.is_undefined()
}

/// Applies `change` to the text of a scalar; null stays null.
fn map_text(
    filter: &str,
    value: &Value,
    change: impl Fn(&str) -> Result<String, Error>,
) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Value::from(())),
        ValueKind::String => change(value.as_str().unwrap_or_default()).map(Value::from),
        ValueKind::Bool => change(truth(value)).map(Value::from),
        ValueKind::Number => change(&value.to_string()).map(Value::from),
        _ => Err(said(format!(
            "gives `{filter}` a list or a map: put `json` before it"
        ))),
    }
}

/// `default(fallback)` stands in for null; `default(fallback, true)` for what is empty, zero or false too.
fn default(value: &Value, fallback: Option<Value>, also_empty: Option<bool>) -> Value {
    if is_null(value) || (also_empty == Some(true) && !value.is_true()) {
        return fallback.unwrap_or_else(|| Value::from(""));
    }
    value.clone()
}

fn replace(state: &State, value: &Value, from: &Value, to: &Value) -> Result<Value, Error> {
    let (Some(from), Some(to)) = (from.as_str().filter(|from| !from.is_empty()), to.as_str())
    else {
        return Err(said(
            "gives `replace` something else than two texts, or an empty one to look for",
        ));
    };
    map_text("replace", value, |text| {
        let longer = text
            .matches(from)
            .count()
            .saturating_mul(to.len())
            .saturating_add(text.len());
        state.consume_fuel(longer as u64 / 64)?;
        Ok(text.replace(from, to))
    })
}

fn int(value: &Value) -> Result<Value, Error> {
    let whole = match value.kind() {
        ValueKind::Undefined | ValueKind::None => return Ok(Value::from(())),
        ValueKind::Bool => Some(Value::from(i64::from(value.is_true()))),
        ValueKind::Number if value.is_integer() => Some(value.clone()),
        ValueKind::Number => f64::try_from(value.clone()).ok().and_then(truncated),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default().trim();
            text.parse()
                .ok()
                .map(|whole: i64| Value::from(whole))
                .or_else(|| truncated(text.parse().ok()?))
        }
        _ => None,
    };
    whole.ok_or_else(|| said("gives `int` what is no number"))
}

/// The whole part of a number that a double holds to the last digit.
fn truncated(number: f64) -> Option<Value> {
    let whole = number.trunc();
    let exact = whole.abs() <= 9_007_199_254_740_991.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked on the line above")]
    exact.then(|| Value::from(whole as i64))
}

/// What we say ourselves of an error. The library's own words may quote values; ours never do.
#[derive(Debug)]
pub(super) struct Said(pub String);

impl fmt::Display for Said {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Said {}

fn said(sentence: impl Into<String>) -> Error {
    Error::from(ErrorKind::InvalidOperation).with_source(Said(sentence.into()))
}

/// The sentence for a person: ours where it is ours, else the kind alone.
pub(super) fn sentence(error: &Error) -> String {
    let ours = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Said>());
    match (ours, error.kind()) {
        (Some(Said(sentence)), _) => sentence.clone(),
        (None, ErrorKind::OutOfFuel) => "would take too much time or space".to_owned(),
        (None, ErrorKind::InvalidOperation) => {
            "does not work with these values: an operator or a filter meets a type or a size that it cannot take".to_owned()
        }
        (None, kind) => format!("does not work with these values ({kind})"),
    }
}

/// The variables `p0`, `q1`, ... and the functions of one evaluation.
pub(super) struct Frame {
    pub values: Vec<Value>,
    pub draw: Option<Draw>,
}

impl fmt::Debug for Frame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Frame")
    }
}

impl Object for Frame {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let mut letters = key.chars();
        let kind = letters.next()?;
        if let Ok(index) = letters.as_str().parse::<usize>() {
            let value = self.values.get(index)?;
            // An error as a value: raised only where the expression comes to it.
            return Some(if kind == JOINED {
                joinable(value)
            } else {
                value.clone()
            });
        }
        let function = Function::named(key)?;
        Some(Value::from_object(Call {
            function,
            draw: self.draw.clone()?,
        }))
    }
}

fn joinable(value: &Value) -> Value {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Value::from(said(NULL_IN_TEXT)),
        ValueKind::Bool => Value::from(truth(value)),
        ValueKind::String | ValueKind::Number => value.clone(),
        _ => Value::from(said(MAP_IN_TEXT)),
    }
}

/// What is said of a null in a longer text.
pub(super) const NULL_IN_TEXT: &str =
    "is null in the middle of a text: give it a value with `default`";

/// What is said of a list or a map in a longer text.
pub(super) const MAP_IN_TEXT: &str =
    "is a list or a map in the middle of a text: write it with `json`";

struct Call {
    function: Function,
    draw: Draw,
}

impl fmt::Debug for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.function)
    }
}

impl Object for Call {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        match (self.function, arguments) {
            (Function::Now, []) => Ok(Value::from(self.draw.now())),
            (Function::Now, _) => Err(said("gives `now()` an argument: it takes none")),
            (Function::RandomPassword, [length]) => {
                let length = length.as_usize().filter(|length| LENGTHS.contains(length));
                let length = length.ok_or_else(|| {
                    said("gives `random_password(n)` a length that is not from 8 to 256")
                })?;
                drawn(self.draw.random_password(length))
            }
            (Function::RandomPassword, _) => Err(said(
                "calls `random_password(n)` without its one argument, the length",
            )),
            (Function::RandomUsername, []) => drawn(self.draw.random_username()),
            (Function::Uuid, []) => drawn(self.draw.uuid()),
            (Function::Derive, [label, length]) => self.derive(label, length, None),
            (Function::Derive, [label, length, alphabet]) => {
                self.derive(label, length, Some(alphabet))
            }
            (Function::Derive, _) => Err(said(
                "calls `derive('label', n)` with other arguments: a label, the length, and perhaps an alphabet",
            )),
            (Function::DeriveVersion, []) => Ok(Value::from(self.keys()?.version.to_string())),
            (Function::RandomUsername | Function::Uuid | Function::DeriveVersion, _) => {
                let function = self.function;
                Err(said(format!(
                    "gives `{function}` an argument: it takes none"
                )))
            }
        }
    }
}

impl Call {
    fn keys(&self) -> Result<&Deriving, Error> {
        self.draw.keys().ok_or_else(|| {
            said("needs a key: write `derive: { keys: { v1: \"${file:/path}\" } }` in the document")
        })
    }

    fn derive(
        &self,
        label: &Value,
        length: &Value,
        alphabet: Option<&Value>,
    ) -> Result<Value, Error> {
        let label = label
            .as_str()
            .ok_or_else(|| said("gives `derive` a label that is no text"))?;
        // What is no length at all is one that is too great.
        let length = length.as_usize().unwrap_or(usize::MAX);
        let alphabet = match alphabet {
            None => Alphabet::default(),
            Some(name) => name.as_str().and_then(Alphabet::named).ok_or_else(|| {
                let known = Alphabet::ALL.map(Alphabet::name).join(", ");
                said(format!(
                    "gives `derive` an alphabet that is not known: there are {known}"
                ))
            })?,
        };
        let text = self.keys()?.derive(label, length, alphabet);
        text.map(Value::from).map_err(said)
    }
}

fn drawn(text: Result<String, NoChance>) -> Result<Value, Error> {
    text.map(Value::from)
        .map_err(|_| said("needs chance, and the system gives none"))
}

/// A JSON value as the library's.
pub(super) fn to_engine(value: &Json) -> Value {
    match value {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(to_engine).collect(),
        Json::Object(entries) => Value::from_pairs(
            entries
                .iter()
                .map(|(key, value)| (key.as_str(), to_engine(value))),
        ),
    }
}

/// The library's value as JSON; `None` for what JSON has no word for. Undefined is null.
pub(super) fn from_engine(value: &Value) -> Option<Json> {
    if is_null(value) {
        return Some(Json::Null);
    }
    if let Some(text) = value.as_str() {
        return Some(Json::String(text.to_owned()));
    }
    serde_json::to_value(value)
        .ok()
        .filter(|json| !json.is_null())
}
