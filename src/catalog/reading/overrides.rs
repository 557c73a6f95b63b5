//! Environment variables that replace one value of the document, addressed by name.
//!
//! First the way is found, without touching anything; then the value is put there. What an override brings is literal
//! for ever: neither a reference nor a template.

use std::collections::HashMap;
use std::sync::Arc;

use super::put::put;
use crate::catalog::language::{DOCUMENT, OFFERING, PLAN, Record, Shape, nearest};
use crate::catalog::merge::INHERITED;
use crate::document::{
    Budget, Environment, Finding, Findings, Map, Node, Path, Step, Text, Value, parse,
};

const PREFIX: &str = "BROKER_";

/// Whether a variable addresses the document: `BROKER_SERVICES__...`, `BROKER_MINIMUM_API_VERSION`, ...
pub fn is_document_variable(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| {
        let first = rest.split("__").next().unwrap_or_default();
        DOCUMENT
            .keys
            .iter()
            .any(|key| key.name.eq_ignore_ascii_case(first))
    })
}

/// Puts every override of the environment in its place.
pub(crate) fn apply(document: &mut Node, environment: &Environment, findings: &mut Findings) {
    let mut seen: HashMap<Path, String> = HashMap::new();
    let mut found = Vec::new();
    for (name, text) in environment
        .iter()
        .filter(|(name, _)| is_document_variable(name))
    {
        let target = locate(document, name).and_then(|target| {
            let value = target.value(name, text)?;
            match seen.insert(path(&target.steps), name.to_owned()) {
                Some(other) => Err(twice(name, &other)),
                None => Ok((target.steps, value, name)),
            }
        });
        match target {
            Ok(target) => found.push(target),
            Err(finding) => findings.push(*finding),
        }
    }
    // All are located first: an override of a name does not change what the others address.
    for (steps, value, name) in found {
        put(document, &steps, value, name);
    }
}

fn path(steps: &[Step]) -> Path {
    steps.iter().fold(Path::root(), |path, step| match step {
        Step::Key(key) => path.key(Arc::clone(key)),
        Step::Index(index) => path.index(*index),
    })
}

/// Where an override leads, and how its text is read there.
struct Target {
    steps: Vec<Step>,
    is_text: bool,
}

/// On the way: what stands here, what would be inherited here, what may stand here.
struct Spot<'a> {
    name: &'a str,
    /// The part of the name that is not walked yet.
    rest: &'a str,
    node: Option<&'a Node>,
    /// What is inherited, nearest first.
    layers: Vec<&'a Node>,
    /// Of a plan: where it inherits private keys alone from.
    private: Vec<&'a Node>,
    shape: Shape,
    steps: Vec<Step>,
}

fn locate(document: &Node, name: &str) -> Result<Target, Box<Finding>> {
    let mut spot = Spot {
        name,
        rest: &name[PREFIX.len()..],
        node: Some(document),
        layers: vec![],
        private: vec![],
        shape: Shape::Record(&DOCUMENT),
        steps: vec![],
    };
    let mut offering = None;
    while !spot.rest.is_empty() {
        match spot.shape {
            Shape::List(Shape::Record(record)) if is(record, &OFFERING) => {
                spot.entry(record)?;
                spot.layers = document.get("service_defaults").into_iter().collect();
                offering = spot.node;
            }
            Shape::List(Shape::Record(record)) if is(record, &PLAN) => {
                spot.entry(record)?;
                let around: Vec<&Node> = offering
                    .into_iter()
                    .chain(document.get("service_defaults"))
                    .collect();
                spot.layers = around
                    .iter()
                    .filter_map(|node| node.get("plan_defaults"))
                    .collect();
                spot.private = around;
            }
            Shape::Record(record)
            | Shape::WordOr(_, record)
            | Shape::TextOr(record)
            | Shape::BoolOr(record) => {
                spot.known(record)?;
            }
            Shape::Named(record) => spot.named(record)?,
            Shape::Free | Shape::Schema | Shape::Any => spot.free()?,
            _ => return Err(spot.no_steps()),
        }
    }
    Ok(Target {
        is_text: spot.is_text(),
        steps: spot.steps,
    })
}

impl<'a> Spot<'a> {
    /// Into a list of offerings or plans, by name or id.
    fn entry(&mut self, record: &'static Record) -> Result<(), Box<Finding>> {
        let entries = self.node.and_then(Node::as_list).unwrap_or_default();
        let names =
            |entry: &'a Node| ["name", "id"].map(|key| entry.get(key).and_then(Node::as_text));
        let mut found: Vec<(usize, &'a str)> = vec![];
        for (index, entry) in entries.iter().enumerate() {
            let rest = names(entry)
                .into_iter()
                .flatten()
                .find_map(|name| after(self.rest, name));
            found.extend(rest.map(|rest| (index, rest)));
        }
        match found.as_slice() {
            [(index, rest)] => {
                self.steps.push(Step::Index(*index));
                self.node = entries.get(*index);
                self.rest = rest;
                self.shape = Shape::Record(record);
                Ok(())
            }
            [] => {
                let all = entries
                    .iter()
                    .flat_map(names)
                    .flatten()
                    .map(normal)
                    .collect::<Vec<_>>();
                Err(self.names_nothing(record.name, all.iter().map(String::as_str)))
            }
            _ => Err(self.ambiguous(&format!("{} entries", found.len()))),
        }
    }

    /// Into a map of known keys.
    fn known(&mut self, record: &'static Record) -> Result<(), Box<Finding>> {
        for key in record.keys {
            if let Some(rest) = after(self.rest, key.name) {
                self.go(key.name.into(), rest, key.shape);
                return Ok(());
            }
        }
        if record.name == "metadata" {
            return self.free();
        }
        let known = record.keys.iter().map(|key| key.name);
        Err(self.names_nothing(record.name, known))
    }

    /// Into a map of any keys: the one that is there or would be inherited, else a new one.
    fn free(&mut self) -> Result<(), Box<Finding>> {
        let there = self.node.into_iter().chain(self.layers.iter().copied());
        if there
            .clone()
            .next()
            .is_some_and(|node| node.as_map().is_none() && !node.is_null())
        {
            return Err(self.no_steps());
        }
        let mut found: Vec<(Arc<str>, &'a str)> = vec![];
        for entry in there.filter_map(Node::as_map).flat_map(Map::iter) {
            if let Some(rest) = after(self.rest, &entry.key)
                && !found.iter().any(|(key, _)| *key == entry.key)
            {
                found.push((Arc::clone(&entry.key), rest));
            }
        }
        match found.as_slice() {
            [(key, rest)] => self.go(Arc::clone(key), rest, Shape::Any),
            [] if matches!(self.shape, Shape::Schema) => {
                return Err(self.names_nothing("a schema", []));
            }
            [] => {
                let (step, rest) = self.rest.split_once("__").unwrap_or((self.rest, ""));
                if step.is_empty() {
                    return Err(self.names_nothing("a map", []));
                }
                self.go(step.to_lowercase().into(), rest, Shape::Any);
            }
            keys => {
                let keys: Vec<&str> = keys.iter().map(|(key, _)| &**key).collect();
                return Err(self.ambiguous(&format!("the keys {}", keys.join(", "))));
            }
        }
        Ok(())
    }

    /// Into a map of names: one that is there.
    fn named(&mut self, record: &'static Record) -> Result<(), Box<Finding>> {
        let entries = self.node.and_then(Node::as_map).into_iter();
        let found = entries
            .clone()
            .flat_map(Map::iter)
            .find_map(|entry| Some((&entry.key, after(self.rest, &entry.key)?)));
        if let Some((key, rest)) = found {
            self.go(Arc::clone(key), rest, Shape::Record(record));
            return Ok(());
        }
        let names: Vec<&str> = entries
            .flat_map(Map::iter)
            .map(|entry| &*entry.key)
            .collect();
        Err(self.names_nothing(record.name, names))
    }

    fn go(&mut self, key: Arc<str>, rest: &'a str, shape: Shape) {
        if INHERITED.contains(&&*key) {
            self.layers.append(&mut self.private);
        }
        self.private.clear();
        self.node = self.node.and_then(|node| node.as_map()?.get(&key));
        self.layers = self
            .layers
            .iter()
            .filter_map(|node| node.get(&key))
            .collect();
        self.rest = rest;
        self.shape = shape;
        self.steps.push(Step::Key(key));
    }

    /// Whether the override stays a string here.
    fn is_text(&self) -> bool {
        if !matches!(self.shape, Shape::Any) {
            return self.shape.is_text();
        }
        let there = self
            .node
            .filter(|node| !node.is_null())
            .or(self.layers.first().copied());
        match there.or(self.node) {
            None => true,
            Some(node) => matches!(node.value, Value::Text(_)),
        }
    }

    fn walked(&self) -> &'a str {
        &self.name[..self.name.len() - self.rest.len()]
    }

    fn names_nothing<'k>(
        &self,
        what: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Box<Finding> {
        let step = self.rest.split("__").next().unwrap_or_default();
        let mend = match nearest(step, known) {
            Some(near) => format!("did you mean {}{}?", self.walked(), near.to_uppercase()),
            None => "unset it, or name an offering, a plan or a key that is there".to_owned(),
        };
        nowhere(
            "override-names-nothing",
            format!(
                "the variable {} names nothing: {what} has no {step}",
                self.name
            ),
            mend,
        )
    }

    fn ambiguous(&self, what: &str) -> Box<Finding> {
        let step = self.rest.split("__").next().unwrap_or_default();
        nowhere(
            "override-ambiguous",
            format!(
                "the variable {} names two things: {what} could be {step}",
                self.name
            ),
            "name it by its id, or rename one of them",
        )
    }

    fn no_steps(&self) -> Box<Finding> {
        nowhere(
            "override-names-nothing",
            format!("the variable {} goes on into what has no keys", self.name),
            format!(
                "set the whole value with {}",
                self.walked().trim_end_matches('_')
            ),
        )
    }
}

impl Target {
    fn value(&self, name: &str, text: &str) -> Result<Value, Box<Finding>> {
        if self.is_text {
            return Ok(Value::Text(Text::Literal(text.to_owned())));
        }
        let wrong = |_| {
            nowhere(
                "override-value",
                format!(
                    "the value of the variable {name} is no valid YAML, and no string is wanted there"
                ),
                "write it as in the document, in YAML or JSON",
            )
        };
        parse(name, text, &Budget::default())
            .map(|node| node.value)
            .map_err(wrong)
    }
}

fn nowhere(rule: &'static str, message: String, mend: impl Into<String>) -> Box<Finding> {
    Box::new(Finding::nowhere(rule, message, mend))
}

fn twice(name: &str, other: &str) -> Box<Finding> {
    nowhere(
        "override-ambiguous",
        format!("the variables {other} and {name} set the same value"),
        "unset one of the two",
    )
}

/// What follows `key` in `rest`, if `rest` begins with it: in any case, with signs that no variable has as `_`.
fn after<'r>(rest: &'r str, key: &str) -> Option<&'r str> {
    let key = normal(key);
    if key.is_empty() || rest.len() < key.len() || !rest.is_char_boundary(key.len()) {
        return None;
    }
    let (begin, end) = rest.split_at(key.len());
    if !begin.eq_ignore_ascii_case(&key) {
        return None;
    }
    if end.is_empty() {
        Some(end)
    } else {
        end.strip_prefix("__").filter(|end| !end.is_empty())
    }
}

fn normal(name: &str) -> String {
    name.chars()
        .map(|sign| {
            if sign.is_ascii_alphanumeric() {
                sign.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

fn is(record: &'static Record, known: &'static Record) -> bool {
    std::ptr::eq(record, known)
}
