//! The world that references reach into: the environment, vars files, files, folders, bound services.
//!
//! What comes out of it is final: no text that a reference brought in is read as a reference or a template again. Texts
//! of vars files are written by the operator, so these may use references themselves, with a scheme only: a bare name
//! could lead back into the vars files, and so in a circle.
//!
//! A default stands in for what is not there. What is there and cannot be read (a file that is no UTF-8, a variable
//! that is no JSON) is an error with a default, too.

mod environment;
mod files;
mod missing;
mod resolve;
mod vcap;

pub use self::environment::Environment;
pub use self::missing::Missing;
pub use self::resolve::{ResolvedText, ResolvedValue, TextError, resolve_text};

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use super::reference::{Encoding, Reference, Scheme};
use super::{Node, Text, Value};

/// What stays as it is in a percent-encoded text: RFC 3986's unreserved characters.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What references may reach.
#[derive(Debug, Default)]
pub struct Sources {
    environment: Environment,
    vars: Vec<Node>,
    /// The files and folders that references named, whether they were there or not.
    named: RefCell<BTreeSet<PathBuf>>,
}

/// What a reference brings in.
#[derive(Clone, PartialEq, Eq)]
pub enum Resolved {
    /// Text.
    Text(String),
    /// A value with its type.
    Json(Json),
}

impl Sources {
    /// The environment and the vars files, of which a later one wins over an earlier one.
    pub fn new(environment: Environment, vars: Vec<Node>) -> Self {
        Self {
            environment,
            vars,
            named: RefCell::default(),
        }
    }

    /// The files and folders that references have named by now.
    pub fn named(&self) -> BTreeSet<PathBuf> {
        self.named.borrow().clone()
    }

    /// What `reference` brings in.
    pub fn resolve(&self, reference: &Reference) -> Result<Resolved, Missing> {
        let found = match self.find(reference)? {
            Some(found) => pick(found, reference)?,
            None => None,
        };
        let value = match (found, &reference.default) {
            (Some(value), _) => value,
            (None, Some(default)) => Resolved::Text(default.clone()),
            (None, None) => return Err(Missing::absent(reference)),
        };
        match reference.encoding {
            Some(encoding) => encode(value, encoding, reference),
            None => Ok(value),
        }
    }

    fn find(&self, reference: &Reference) -> Result<Option<Resolved>, Missing> {
        let address = &reference.address;
        self.note(reference);
        match reference.scheme {
            Scheme::Name => match self.variable(reference) {
                Some(text) => Ok(Some(Resolved::Text(text.to_owned()))),
                None => self.var(address),
            },
            Scheme::File => Ok(files::text(address, reference)?.map(Resolved::Text)),
            Scheme::Dir => Ok(files::folder(address, reference)?.map(Resolved::Json)),
            Scheme::JsonName => self
                .variable(reference)
                .map(|text| json(text, reference))
                .transpose(),
            Scheme::JsonFile => files::text(address, reference)?
                .map(|text| json(&text, reference))
                .transpose(),
            Scheme::Vcap => Ok(vcap::service(&self.environment, reference)?.map(Resolved::Json)),
        }
    }

    fn note(&self, reference: &Reference) {
        let path = match reference.scheme {
            Scheme::File | Scheme::Dir | Scheme::JsonFile => Some(reference.address.as_str()),
            Scheme::Vcap => vcap::file(&self.environment),
            Scheme::Name | Scheme::JsonName => None,
        };
        self.named.borrow_mut().extend(path.map(PathBuf::from));
    }

    /// The variable that is addressed; an empty one counts as absent where there is a default, as in the shell.
    fn variable(&self, reference: &Reference) -> Option<&str> {
        let text = self.environment.get(&reference.address)?;
        (!text.is_empty() || reference.default.is_none()).then_some(text)
    }

    /// The value at a dotted path of the vars files.
    fn var(&self, path: &str) -> Result<Option<Resolved>, Missing> {
        let found = self.vars.iter().rev().find_map(|file| at_path(file, path));
        found
            .map(|node| self.var_json(node).map(Resolved::Json))
            .transpose()
    }

    /// A value of a vars file, with the references of its own strings resolved.
    fn var_json(&self, node: &Node) -> Result<Json, Missing> {
        Ok(match &node.value {
            Value::Text(Text::Written(text)) => resolve::var_text(text, self)?,
            Value::List(items) => Json::Array(
                items
                    .iter()
                    .map(|item| self.var_json(item))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Map(map) => {
                let entries = map
                    .iter()
                    .map(|entry| Ok((entry.key.to_string(), self.var_json(&entry.node)?)));
                Json::Object(entries.collect::<Result<_, Missing>>()?)
            }
            _ => node.to_json(),
        })
    }
}

/// The value below a dotted path; a key with dots in it is found as well. Null is nothing.
fn at_path<'a>(node: &'a Node, path: &str) -> Option<&'a Node> {
    if let Some(found) = node.get(path) {
        return Some(found);
    }
    let mut dots = path.match_indices('.').map(|(at, _)| at);
    dots.find_map(|at| at_path(node.get(&path[..at])?, &path[at + 1..]))
}

fn json(text: &str, reference: &Reference) -> Result<Resolved, Missing> {
    serde_json::from_str(text)
        .map(Resolved::Json)
        .map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let message = format!(
                "what {} names is not JSON: line {line}, column {column}",
                reference.source
            );
            Missing::broken(
                reference,
                message,
                "put valid JSON there; a text needs quotes of its own",
            )
        })
}

/// The part that the pointer means.
fn pick(value: Resolved, reference: &Reference) -> Result<Option<Resolved>, Missing> {
    let Some(pointer) = &reference.pointer else {
        return Ok(Some(value));
    };
    if let Resolved::Json(mut value @ (Json::Object(_) | Json::Array(_))) = value {
        let part = value.pointer_mut(pointer);
        return Ok(part.map(|part| Resolved::Json(part.take())));
    }
    let message = format!("{} picks a part of what has no parts", reference.source);
    let mend = "leave the pointer out, or read JSON: ${json:...#/part}";
    Err(Missing::broken(reference, message, mend))
}

fn encode(value: Resolved, encoding: Encoding, reference: &Reference) -> Result<Resolved, Missing> {
    let Some(text) = value.into_text() else {
        let message = format!("{} encodes what is no text", reference.source);
        return Err(Missing::broken(
            reference,
            message,
            "pick a text with a pointer: #/key",
        ));
    };
    Ok(Resolved::Text(match encoding {
        Encoding::UrlEncode => utf8_percent_encode(&text, UNRESERVED).to_string(),
        Encoding::Base64 => STANDARD.encode(text),
    }))
}

impl Resolved {
    /// The text, or a number's or a truth value's; absent for null, lists and maps.
    pub fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Json(Json::String(text)) => Some(text),
            Self::Json(value @ (Json::Number(_) | Json::Bool(_))) => Some(value.to_string()),
            Self::Json(_) => None,
        }
    }
}

// What comes in may be a secret.
impl std::fmt::Debug for Resolved {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Text(_) => "Text(***)",
            Self::Json(_) => "Json(***)",
        })
    }
}

#[cfg(test)]
mod tests;
