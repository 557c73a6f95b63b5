//! A pool out of its settings, and what a plan of one answers where it says nothing itself.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::backends::Problem;
use super::responding::time;
use crate::document::{Entry, Map, Node, Piece, Text, Value};
use crate::domain::answer::BindingField;
use crate::domain::json::Object;
use crate::domain::pool::{Lend, Pool, Reuse};
use crate::secret::Secret;

type Entries = Vec<(Arc<str>, Secret<Object>)>;

/// Where entries are written.
pub(crate) const LISTED: &str = "write `entries: [{ name: one, credentials: {...} }]`, or `folder: \"${dir:/path}\"` with a file in it";

/// The pool of a plan, if its backend is one.
pub(crate) fn of(plan: &Node) -> Option<&Node> {
    plan.get("backend")?.get("pool")
}

/// Whom it lends to.
pub(crate) fn lend(pool: &Node) -> Lend {
    match pool.get("lend").and_then(Node::as_text) {
        Some("instance") => Lend::Instance,
        _ => Lend::Binding,
    }
}

/// Whether it says what its entries are, be it none.
fn lists(pool: &Node) -> bool {
    let listed = pool.get("entries").and_then(Node::as_list).is_some();
    listed || pool.get("folder").and_then(Node::as_map).is_some()
}

/// Whether it says that it has no entries, as one does that lends nothing more.
pub(crate) fn is_empty(pool: &Node) -> bool {
    let entries = pool.get("entries").and_then(Node::as_list);
    let folder = pool.get("folder").and_then(Node::as_map);
    lists(pool)
        && entries.is_none_or(<[_]>::is_empty)
        && folder.is_none_or(|folder| folder.iter().next().is_none())
}

/// The pool of that name.
pub(crate) fn pool(name: &str, node: &Node) -> Result<Pool, Problem> {
    let mut entries = listed(node)?;
    entries.extend(in_files(node)?);
    let mut seen = HashSet::new();
    for (name, _) in &entries {
        if name.trim().is_empty() {
            return Err(problem(
                "an entry of the pool has an empty name".to_owned(),
                "give each a name that stays, for the store remembers by it who has it",
            ));
        }
        if !seen.insert(Arc::clone(name)) {
            return Err(problem(
                format!("two entries of the pool have the name `{name}`"),
                "give each a name of its own, for the store remembers by it who has it",
            ));
        }
    }
    if !lists(node) {
        return Err(problem("the pool has no entries".to_owned(), LISTED));
    }
    Ok(Pool::new(name.into(), lend(node), reuse(node)?, entries))
}

fn listed(node: &Node) -> Result<Entries, Problem> {
    let entries = node.get("entries").and_then(Node::as_list);
    entries
        .into_iter()
        .flatten()
        .map(|entry| {
            let name = entry
                .get("name")
                .and_then(Node::as_text)
                .unwrap_or_default();
            match entry.get("credentials").and_then(Node::as_map) {
                Some(credentials) => Ok((name.into(), Secret::new(credentials.to_json()))),
                None => Err(problem(
                    format!("the entry `{name}` of the pool has no credentials"),
                    "write what it gives: credentials: { username: ..., password: ... }",
                )),
            }
        })
        .collect()
}

/// Files by name, each the JSON of an object.
fn in_files(node: &Node) -> Result<Entries, Problem> {
    let files = node.get("folder").and_then(Node::as_map);
    files
        .into_iter()
        .flat_map(Map::iter)
        .map(|file| {
            let json = match file.node.to_json() {
                Json::String(text) => serde_json::from_str(&text).unwrap_or_default(),
                json => json,
            };
            match json {
                Json::Object(object) => Ok((Arc::clone(&file.key), Secret::new(object))),
                // What it holds may be a secret.
                _ => Err(problem(
                    format!(
                        "the file `{}` of the pool's folder is no JSON object",
                        file.key
                    ),
                    "write what it gives as JSON: {\"username\": \"...\", \"password\": \"...\"}",
                )),
            }
        })
        .collect()
}

fn reuse(node: &Node) -> Result<Reuse, Problem> {
    let Some(said) = node.get("reuse") else {
        return Ok(Reuse::AtOnce);
    };
    match (said.as_text(), said.get("after")) {
        (Some("never"), _) => Ok(Reuse::Never),
        (_, Some(after)) => Ok(time(after).map_or(Reuse::AtOnce, Reuse::After)),
        (Some(_), None) => Ok(Reuse::AtOnce),
        (None, None) => Err(problem(
            "`reuse` says nothing".to_owned(),
            "write `reuse: at_once`, `reuse: { after: 24h }` or `reuse: never`",
        )),
    }
}

fn problem(message: String, mend: &str) -> Problem {
    Problem {
        key: "pool",
        message,
        mend: mend.to_owned(),
    }
}

/// A plan of a pool that says nothing of what a bind gives: it gives what is lent, as credentials.
pub(crate) fn with_answer(mut plan: Node) -> Node {
    let Some(pool) = of(&plan) else {
        return plan;
    };
    let said = |binding: &Node| {
        BindingField::ALL
            .iter()
            .any(|field| binding.get(field.name()).is_some())
    };
    if plan.get("binding").is_some_and(said) {
        return plan;
    }
    let source = match lend(pool) {
        Lend::Binding => " binding.outputs ",
        Lend::Instance => " instance.outputs ",
    };
    let place = pool.place.clone();
    let text = Value::Text(Text::Pieces(vec![Piece::Template(source.to_owned())]));
    let credentials = entry("credentials", Node::new(text, place.clone()));
    let Some(map) = plan.as_map_mut() else {
        return plan;
    };
    if let Some(binding) = map.get_mut("binding").and_then(Node::as_map_mut) {
        binding.insert(credentials);
    } else {
        let mut binding = Map::default();
        binding.push_new(credentials);
        map.insert(entry("binding", Node::new(Value::Map(binding), place)));
    }
    plan
}

fn entry(key: &str, node: Node) -> Entry {
    Entry {
        key: key.into(),
        key_place: node.place.clone(),
        node,
    }
}
