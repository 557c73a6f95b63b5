//! The second reading: values, held against what the first one saw.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Number;

use super::events::{Item, What};
use super::lines::Lines;
use crate::document::{Entry, Finding, Findings, Map, Node, Path, Place, Text, Value};

/// Joins both readings to one tree.
pub(super) fn join(
    lines: &Lines<'_>,
    items: &[Item],
    value: serde_yaml::Value,
) -> Result<Node, Findings> {
    let mut joiner = Joiner {
        lines,
        items,
        keys: HashMap::new(),
        steps: Vec::new(),
        findings: Findings::default(),
    };
    let node = joiner.node(&mut 0, value);
    match node {
        Ok(node) if joiner.findings.is_empty() => Ok(node),
        _ => Err(joiner.findings),
    }
}

/// The finding that both readings saw something different.
pub(super) fn two_readings(path: &Path, place: &Place) -> Finding {
    let message = "two readings of this YAML differ, so it may not mean what it says";
    let mend = "write it in a simpler way: quotes around text, no tags, each anchor's name once, no exotic characters";
    Finding::error("yaml-two-readings", path, place, message, mend)
}

/// The readings differ; where is among the findings.
struct Differ;

enum Step {
    Key(Arc<str>),
    Index(usize),
}

struct Joiner<'a> {
    lines: &'a Lines<'a>,
    items: &'a [Item],
    /// Each key's text once: a catalog has few keys, many times over.
    keys: HashMap<&'a str, Arc<str>>,
    steps: Vec<Step>,
    findings: Findings,
}

impl Joiner<'_> {
    /// The node that begins with the item at `at`, and `at` moved behind it.
    fn node(&mut self, at: &mut usize, value: serde_yaml::Value) -> Result<Node, Differ> {
        let items = self.items;
        let Some(item) = items.get(*at) else {
            return self.differ(items.len().saturating_sub(1));
        };
        let seen = *at;
        *at += 1;
        match (&item.what, value) {
            (What::Alias(target), value) => self.node(&mut { *target }, value),
            (What::List, serde_yaml::Value::Sequence(values)) => {
                let list = self.list(at, values)?;
                Ok(self.placed(Value::List(list), item))
            }
            (What::Map, serde_yaml::Value::Mapping(values)) => {
                let map = self.map(at, values)?;
                Ok(self.placed(Value::Map(map), item))
            }
            (
                What::Scalar {
                    text,
                    plain,
                    tagged,
                },
                value,
            ) => {
                let Some(value) = self.scalar(item, text, *plain || *tagged, value) else {
                    return self.differ(seen);
                };
                let written = plain.then(|| self.written(item));
                Ok(Node {
                    written,
                    ..self.placed(value, item)
                })
            }
            _ => self.differ(seen),
        }
    }

    fn scalar(
        &mut self,
        item: &Item,
        text: &str,
        may_be_other: bool,
        value: serde_yaml::Value,
    ) -> Option<Value> {
        match value {
            serde_yaml::Value::String(read) => {
                (read == text).then_some(Value::Text(Text::Written(read)))
            }
            _ if !may_be_other || !means(text, &value) => None,
            serde_yaml::Value::Null => Some(Value::Null),
            serde_yaml::Value::Bool(read) => Some(Value::Bool(read)),
            serde_yaml::Value::Number(read) => Some(self.number(item, &read)),
            _ => None,
        }
    }

    fn number(&mut self, item: &Item, read: &serde_yaml::Number) -> Value {
        let number = read
            .as_u64()
            .map(Number::from)
            .or_else(|| read.as_i64().map(Number::from))
            .or_else(|| read.as_f64().and_then(Number::from_f64));
        number.map_or_else(
            || {
                let place = self.lines.place(item.start, item.end);
                let message = "this is no number that JSON has";
                let finding = Finding::error(
                    "yaml-number",
                    &self.path(),
                    &place,
                    message,
                    "put quotes around it",
                );
                self.findings.push(finding);
                Value::Null
            },
            Value::Number,
        )
    }

    fn list(
        &mut self,
        at: &mut usize,
        values: Vec<serde_yaml::Value>,
    ) -> Result<Vec<Node>, Differ> {
        let mut nodes = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            self.steps.push(Step::Index(index));
            nodes.push(self.node(at, value)?);
            self.steps.pop();
        }
        self.end(at)?;
        Ok(nodes)
    }

    fn map(&mut self, at: &mut usize, values: serde_yaml::Mapping) -> Result<Map, Differ> {
        let mut map = Map::default();
        let mut merged = Vec::new();
        for (key, value) in values {
            let seen = *at;
            *at += 1;
            let Some((key, is_merge)) = self.key(seen, &key) else {
                self.differ(seen)?;
                continue;
            };
            self.steps.push(Step::Key(Arc::clone(&key)));
            let node = self.node(at, value)?;
            if is_merge {
                self.merge(node, &mut merged);
            } else {
                let key_place = self.place(&self.items[seen]);
                map.push_new(Entry {
                    key,
                    key_place,
                    node,
                });
            }
            self.steps.pop();
        }
        self.end(at)?;
        add_merged(&mut map, merged);
        Ok(map)
    }

    /// The key's text as it is written, and whether it is `<<`.
    fn key(&mut self, seen: usize, read: &serde_yaml::Value) -> Option<(Arc<str>, bool)> {
        let What::Scalar {
            text,
            plain,
            tagged,
        } = &self.items.get(seen)?.what
        else {
            return None;
        };
        let agrees = match read {
            serde_yaml::Value::String(read) => **read == **text,
            serde_yaml::Value::Number(_) | serde_yaml::Value::Bool(_) => {
                (*plain || *tagged) && means(text, read)
            }
            _ => false,
        };
        let key = self.keys.entry(text).or_insert_with(|| Arc::from(&**text));
        agrees.then(|| (Arc::clone(key), *plain && !tagged && &**text == "<<"))
    }

    /// Takes the entries that a `<<` brings in.
    fn merge(&mut self, node: Node, merged: &mut Vec<Entry>) {
        let sources = match node.value {
            Value::List(nodes) => nodes,
            _ => vec![node],
        };
        for source in sources {
            let Value::Map(map) = source.value else {
                let message = "`<<` takes the keys of a map, and this is none";
                let mend = "name a map or a list of maps: `<<: *defaults`";
                self.findings.push(Finding::error(
                    "yaml-merge",
                    &self.path(),
                    &source.place,
                    message,
                    mend,
                ));
                continue;
            };
            merged.extend(map);
        }
    }

    fn end(&mut self, at: &mut usize) -> Result<(), Differ> {
        if matches!(
            self.items.get(*at),
            Some(Item {
                what: What::End,
                ..
            })
        ) {
            *at += 1;
            return Ok(());
        }
        self.differ(*at)
    }

    fn placed(&self, value: Value, item: &Item) -> Node {
        Node::new(value, self.place(item))
    }

    fn place(&self, item: &Item) -> Place {
        self.lines.place(item.start, item.end)
    }

    fn written(&self, item: &Item) -> Arc<str> {
        self.lines.text[item.start..item.end].into()
    }

    fn path(&self) -> Path {
        self.steps
            .iter()
            .fold(Path::root(), |path, step| match step {
                Step::Key(key) => path.key(Arc::clone(key)),
                Step::Index(index) => path.index(*index),
            })
    }

    fn differ<T>(&mut self, seen: usize) -> Result<T, Differ> {
        let place = self
            .items
            .get(seen)
            .map_or_else(|| self.lines.place(0, 0), |item| self.place(item));
        self.findings.push(two_readings(&self.path(), &place));
        Err(Differ)
    }
}

/// Whether `text`, which the first reading saw, can be what the second one read as no string.
fn means(text: &str, read: &serde_yaml::Value) -> bool {
    let quickly = match read {
        serde_yaml::Value::Null => text.is_empty(),
        serde_yaml::Value::Bool(read) => text.parse() == Ok(*read),
        serde_yaml::Value::Number(read) => {
            let integer = read
                .as_u64()
                .map(i128::from)
                .or_else(|| read.as_i64().map(i128::from));
            integer.map_or_else(
                || text.parse().ok() == read.as_f64(),
                |read| text.parse() == Ok(read),
            )
        }
        _ => return false,
    };
    // Only what is rarely written is worth a parser of its own: `TRUE`, `0x1F`, `~`.
    quickly
        || (text.is_ascii()
            && serde_yaml::from_str(text).is_ok_and(|alone: serde_yaml::Value| alone == *read))
}

/// What the map says itself wins, then what is merged first.
fn add_merged(map: &mut Map, merged: Vec<Entry>) {
    if merged.is_empty() {
        return;
    }
    let mut known: HashSet<Arc<str>> = map.iter().map(|entry| Arc::clone(&entry.key)).collect();
    for entry in merged {
        if known.insert(Arc::clone(&entry.key)) {
            map.push_new(entry);
        }
    }
}
