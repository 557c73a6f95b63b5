//! The tree of a document: values that remember where they stand and where they came from.

use std::fmt;
use std::sync::Arc;

use serde_json::Number;

use super::cut::Piece;

/// Where something stands in a file: line and column count from 1, columns in characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, as the operator named it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// Offset of the first byte in the file.
    pub start: usize,
    /// Offset behind the last byte.
    pub end: usize,
}

/// Where a value came from; what `render --explain` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Written in the document.
    File,
    /// Put in place of what the document says by an environment variable.
    Override {
        /// The variable's name.
        variable: Arc<str>,
    },
    /// Brought in by references; the text of each, without its default.
    References(Vec<Arc<str>>),
    /// Not written: the language's default.
    Default,
}

/// One value of a document.
#[derive(Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands (of an override: where what it replaced stands).
    pub place: Place,
    /// Where it came from.
    pub origin: Origin,
    /// The source of a plain (unquoted) scalar, as written in the file; absent for all else.
    pub written: Option<Arc<str>>,
}

/// What a node holds.
#[derive(Clone)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(Text),
    /// A list.
    List(Vec<Node>),
    /// A map; its keys are unique.
    Map(Map),
}

/// Text in its two lives: as written, then cut into what stays for ever literal and what is a template.
///
/// What a reference or an override brings in is `Literal` from then on: no later step reads it as a template or as a
/// reference again. That is why it is another variant, not another string.
#[derive(Clone)]
pub enum Text {
    /// As written in the file, with its references and templates unread.
    Written(String),
    /// Plain text for ever.
    Literal(String),
    /// Literal text and templates, references already resolved; at least one template among them.
    Pieces(Vec<Piece>),
}

/// A map in the order of the document.
#[derive(Clone, Default)]
pub struct Map {
    entries: Vec<Entry>,
}

/// One key of a map and its value.
#[derive(Clone)]
pub struct Entry {
    /// The key.
    pub key: Arc<str>,
    /// Where the key stands.
    pub key_place: Place,
    /// The value.
    pub node: Node,
}

/// The way from the root of a document to a value: `services[0].plans[2].name`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Into a map.
    Key(Arc<str>),
    /// Into a list, from 0.
    Index(usize),
}

impl Node {
    /// A node that stands in the file as it is.
    pub const fn new(value: Value, place: Place) -> Self {
        Self {
            value,
            place,
            origin: Origin::File,
            written: None,
        }
    }

    /// A node with the value of a JSON document: all of its texts are literal for ever, all stand at `place`.
    pub fn from_json(value: serde_json::Value, place: &Place, origin: &Origin) -> Self {
        let value = match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => Value::Number(number),
            serde_json::Value::String(text) => Value::Text(Text::Literal(text)),
            serde_json::Value::Array(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| Self::from_json(item, place, origin))
                    .collect(),
            ),
            serde_json::Value::Object(object) => Value::Map(Map::from_json(object, place, origin)),
        };
        Self {
            origin: origin.clone(),
            ..Self::new(value, place.clone())
        }
    }

    /// The source of a plain scalar: `2.10` where the value is the number 2.1. Absent for what is quoted, for block
    /// scalars, lists and maps, and for what is not from the file.
    pub fn plain_source(&self) -> Option<&str> {
        self.written.as_deref()
    }

    /// The map, if it is one.
    pub const fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The map, if it is one, to change.
    pub const fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text, if it is text without templates.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => text.as_plain(),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub const fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it is null: in a document the same as absent.
    pub const fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The value below `key`, if this is a map that has it and it is not null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key).filter(|node| !node.is_null())
    }

    /// What kind of value it is, for a person: `a string`, `a list`.
    pub const fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The value as JSON. Templates come out as they are written; ask for it only where none can be.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::Text(text) => serde_json::Value::String(text.to_source()),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(map) => serde_json::Value::Object(map.to_json()),
        }
    }
}

impl Text {
    /// The text, where it has no templates.
    pub fn as_plain(&self) -> Option<&str> {
        match self {
            Self::Written(text) | Self::Literal(text) => Some(text),
            Self::Pieces(_) => None,
        }
    }

    /// The text with its templates as they were written.
    pub fn to_source(&self) -> String {
        match self {
            Self::Written(text) | Self::Literal(text) => text.clone(),
            Self::Pieces(pieces) => pieces.iter().map(Piece::source).collect(),
        }
    }
}

impl Map {
    /// The value below `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The value below `key`, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries
            .iter_mut()
            .find(|entry| &*entry.key == key)
            .map(|entry| &mut entry.node)
    }

    /// Key and value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| &*entry.key == key)
    }

    /// Puts an entry in: in the place of the one with that key, else last. Gives back the one that it replaced.
    pub fn insert(&mut self, entry: Entry) -> Option<Entry> {
        let old = self.entries.iter_mut().find(|old| old.key == entry.key);
        if let Some(old) = old {
            return Some(std::mem::replace(old, entry));
        }
        self.entries.push(entry);
        None
    }

    /// Puts an entry last without looking for its key: for who knows that it is new.
    pub fn push_new(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| &*entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// The entries in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// The entries in order, to change.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Entry> {
        self.entries.iter_mut()
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn from_json(
        object: serde_json::Map<String, serde_json::Value>,
        place: &Place,
        origin: &Origin,
    ) -> Self {
        let entries = object.into_iter().map(|(key, value)| Entry {
            key: key.into(),
            key_place: place.clone(),
            node: Node::from_json(value, place, origin),
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// The map as JSON; see [`Node::to_json`].
    pub fn to_json(&self) -> serde_json::Map<String, serde_json::Value> {
        self.iter()
            .map(|entry| (entry.key.to_string(), entry.node.to_json()))
            .collect()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Map {
    type Item = &'a mut Entry;
    type IntoIter = std::slice::IterMut<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl IntoIterator for Map {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl FromIterator<Entry> for Map {
    /// The last of two equal keys wins; who must refuse them looks before.
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut map = Self::default();
        for entry in entries {
            map.insert(entry);
        }
        map
    }
}

impl Path {
    /// The document itself.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// One step further, by key.
    #[must_use]
    pub fn key(&self, key: impl Into<Arc<str>>) -> Self {
        self.with(Step::Key(key.into()))
    }

    /// One step further, by index.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The steps from the root.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(out, "[{index}]")?,
                Step::Key(key) if position == 0 => out.write_str(key)?,
                Step::Key(key) => write!(out, ".{key}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

// A document holds secrets, so its values do not print: shape and place only.
impl fmt::Debug for Node {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {}", self.kind(), self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            file: "f.yaml".into(),
            line: 2,
            column: 3,
            start: 4,
            end: 5,
        }
    }

    #[test]
    fn a_path_reads_as_people_write_it() {
        let path = Path::root()
            .key("services")
            .index(0)
            .key("plans")
            .index(2)
            .key("name");
        assert_eq!(path.to_string(), "services[0].plans[2].name");
        assert_eq!(Path::root().to_string(), "");
    }

    #[test]
    fn json_comes_in_literal_and_at_its_place() {
        let json = serde_json::json!({"a": ["${X}", 1, null, true], "b": {"c": "{{ x }}"}});
        let node = Node::from_json(json.clone(), &place(), &Origin::Default);
        assert_eq!(node.to_json(), json);
        let text = node.get("b").and_then(|b| b.get("c")).unwrap();
        assert!(matches!(&text.value, Value::Text(Text::Literal(text)) if text == "{{ x }}"));
        assert_eq!((&text.place, &text.origin), (&place(), &Origin::Default));
    }

    #[test]
    fn a_map_keeps_its_order_and_one_of_each_key() {
        let entry = |key: &str, value: bool| Entry {
            key: key.into(),
            key_place: place(),
            node: Node::new(Value::Bool(value), place()),
        };
        let mut map: Map = [entry("b", true), entry("a", true), entry("b", false)]
            .into_iter()
            .collect();
        let keys = |map: &Map| {
            map.iter()
                .map(|entry| entry.key.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&map), ["b", "a"]);
        assert_eq!(map.get("b").and_then(Node::as_bool), Some(false));
        assert!(map.remove("b").is_some() && map.remove("b").is_none());
        assert_eq!(keys(&map), ["a"]);
    }

    #[test]
    fn a_node_does_not_print_its_value() {
        let node = Node::new(Value::Text(Text::Written("hunter2".to_owned())), place());
        assert_eq!(format!("{node:?}"), "a string at f.yaml:2:3");
    }
}
