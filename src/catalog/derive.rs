//! The keys that a plan derives credentials of: `derive`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answers::Answers;
use super::reading::resolve::is_unresolved;
use super::rules::trees;
use crate::document::{Map, Node, Place};
use crate::template::{Function, Key, KeyError, Keys, SHORTEST_KEY};

/// The longest name of a version.
const LONGEST: usize = 32;

/// What is wrong with the keys, and where below `derive`.
pub(crate) struct Flaw {
    pub path: Vec<Arc<str>>,
    pub place: Place,
    pub message: String,
    pub mend: String,
}

/// What one `derive` says, as far as it can be used.
#[derive(Default)]
pub(crate) struct Read {
    all: BTreeMap<Arc<str>, Key>,
    /// Whether some of it is not known here, which was told.
    is_blind: bool,
    /// What is wrong with keys.
    pub of_keys: Vec<Flaw>,
    /// What is wrong with `current`.
    pub of_current: Vec<Flaw>,
    current: Option<String>,
}

/// The keys of a merged plan, where nothing is wrong with them.
pub(crate) fn keys(plan: &Node) -> Option<Keys> {
    let read = read(plan.get("derive")?);
    Keys::new(&read.current?, read.all)
}

/// Whether a plan derives anything.
pub(crate) fn is_used(answers: &Answers) -> bool {
    trees(answers, true)
        .into_iter()
        .flat_map(|(_, tree)| tree.functions())
        .any(Function::derives)
}

/// Reads one `derive`.
pub(crate) fn read(derive: &Node) -> Read {
    let mut read = Read::default();
    let keys = derive.get("keys");
    let is_map = |node: &Node| node.as_map().is_some();
    // What is no map was told: a wrong type, or a reference that leads nowhere.
    read.is_blind = !is_map(derive) || keys.is_some_and(|keys| !is_map(keys));
    let entries = keys.and_then(Node::as_map).into_iter().flat_map(Map::iter);
    for entry in entries.filter(|entry| !entry.node.is_null()) {
        read.key(&entry.key, &entry.node);
    }
    read.twice(keys);
    if read.all.is_empty() && read.of_keys.is_empty() && !read.is_blind {
        let place = keys.unwrap_or(derive).place.clone();
        let mend = "write one: derive: { keys: { v1: \"${file:/run/secrets/derive_v1}\" } }";
        read.of_keys
            .push(flaw(&["keys"], place, "there is no key", mend));
    }
    read.settle(derive);
    read
}

impl Read {
    fn key(&mut self, version: &Arc<str>, node: &Node) {
        if is_unresolved(node) {
            self.is_blind = true;
            return;
        }
        let path = [Arc::from("keys"), Arc::clone(version)];
        let mut wrong = |message: String, mend: &str| {
            self.of_keys.push(Flaw {
                path: path.to_vec(),
                place: node.place.clone(),
                message,
                mend: mend.to_owned(),
            });
        };
        if !is_version(version) {
            let mend = "write letters, digits, `.`, `-` and `_`, up to 32 of them: v1";
            wrong("this is no version of a key".to_owned(), mend);
            return;
        }
        let mend = format!(
            "make one with `openssl rand -base64 {SHORTEST_KEY}`, and let a reference bring it in: \"${{file:/run/secrets/derive_{version}}}\""
        );
        match node.as_text().map(Key::parse) {
            Some(Ok(key)) => drop(self.all.insert(Arc::clone(version), key)),
            Some(Err(error @ (KeyError::NotBase64 | KeyError::TooShort))) => {
                wrong(format!("the key {error}"), &mend);
            }
            None => wrong("the key is no text".to_owned(), &mend),
        }
    }

    /// A version that changes nothing would be believed to be a new key.
    fn twice(&mut self, keys: Option<&Node>) {
        let mut known: Vec<(&Arc<str>, &Key)> = Vec::new();
        for (version, key) in &self.all {
            match known.iter().find(|(_, other)| *other == key) {
                None => known.push((version, key)),
                Some((same, _)) => {
                    let node = keys.and_then(|keys| keys.get(version));
                    let place = node.or(keys).map(|node| node.place.clone());
                    let message = format!("this is the key of `{same}`, too");
                    let mend = "give each version a key of its own";
                    self.of_keys
                        .extend(place.map(|place| flaw(&["keys", version], place, message, mend)));
                }
            }
        }
    }

    fn settle(&mut self, derive: &Node) {
        let named = derive.get("current");
        if named.is_some_and(is_unresolved) {
            return;
        }
        let versions: Vec<&str> = self.all.keys().map(|version| &**version).collect();
        match (named.map(Node::as_text), versions.as_slice()) {
            (Some(Some(current)), known) => {
                if !known.contains(&current) && !self.is_blind && self.of_keys.is_empty() {
                    let message = format!("there is no key of the version `{current}`");
                    let mend = format!("name one that is there: {}", known.join(", "));
                    let place = named.unwrap_or(derive).place.clone();
                    self.of_current
                        .push(flaw(&["current"], place, message, mend));
                }
                self.current = Some(current.to_owned());
            }
            // The type of the one was told, of the other that there is no key.
            (Some(None), _) | (None, []) => {}
            (None, [only]) => self.current = Some((*only).to_owned()),
            (None, several) => {
                let message = "there are several keys, and none is said to count now";
                let mend = format!(
                    "name the one that new bindings are made with: current: {}",
                    several.last().unwrap_or(&"v1")
                );
                self.of_current
                    .push(flaw(&["current"], derive.place.clone(), message, mend));
            }
        }
    }
}

fn is_version(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
}

fn flaw(path: &[&str], place: Place, message: impl Into<String>, mend: impl Into<String>) -> Flaw {
    Flaw {
        path: path.iter().map(|step| Arc::from(*step)).collect(),
        place,
        message: message.into(),
        mend: mend.into(),
    }
}
