//! Defaults: every offering begins with `service_defaults`, every plan with `plan_defaults` and with the private keys
//! of what is around it.
//!
//! Maps merge key by key, lists, scalars and JSON schemas replace. `null` on a plan removes what it would inherit;
//! elsewhere `null` counts as absent.

use super::language::{OFFERING, PLAN, Record, Shape};
use crate::document::{Entry, Map, Node, Value};

/// The private keys that a plan inherits from its offering, beside `plan_defaults`.
pub(crate) const INHERITED: [&str; 11] = [
    "values",
    "instance",
    "binding",
    "backend",
    "offered",
    "respond",
    "answer_within",
    "poll_every",
    "max_attempts",
    "adopt",
    "derive",
];

/// What `null` means in what lies above.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Null {
    Absent,
    Removes,
}

/// The offering with what it inherits, without its plans: these are merged one by one.
pub(crate) fn offering(document: &Node, offering: &Node) -> Node {
    let entries = offering.as_map().into_iter().flat_map(Map::iter);
    let own = entries.filter(|entry| &*entry.key != "plans").cloned();
    let own = Node {
        value: Value::Map(own.collect()),
        place: offering.place.clone(),
        origin: offering.origin.clone(),
        written: None,
    };
    match document.get("service_defaults") {
        Some(defaults) => over(defaults, &own, Shape::Record(&OFFERING), Null::Absent),
        None => own,
    }
}

/// What every plan of a merged offering begins with.
pub(crate) fn plan_base(document: &Node, offering: &Node) -> Node {
    let mut base = Map::default();
    for key in ["values", "derive"] {
        if let Some(entry) = document.as_map().and_then(|map| map.entry(key)) {
            base.push_new(entry.clone());
        }
    }
    let private = offering.as_map().into_iter().flat_map(Map::iter);
    let private = private
        .filter(|entry| INHERITED.contains(&&*entry.key))
        .cloned();
    let private = Node::new(Value::Map(private.collect()), offering.place.clone());
    let base = Node::new(Value::Map(base), offering.place.clone());
    let shape = Shape::Record(&PLAN);
    let base = over(&base, &private, shape, Null::Absent);
    match offering.get("plan_defaults") {
        Some(defaults) => over(&base, defaults, shape, Null::Absent),
        None => base,
    }
}

/// The plan with what it inherits.
pub(crate) fn plan(base: &Node, plan: &Node) -> Node {
    over(base, plan, Shape::Record(&PLAN), Null::Removes)
}

/// The plan with the backend that it uses by name in that one's place, under what it says itself.
pub(crate) fn with_named_backend(document: &Node, mut plan: Node) -> Node {
    let named = plan
        .get("backend")
        .and_then(|backend| backend.get("use")?.as_text())
        .and_then(|name| document.get("backends")?.get(name))
        .cloned();
    let backend = plan
        .as_map_mut()
        .and_then(|map| map.get_mut("backend"))
        .zip(named);
    if let Some((backend, named)) = backend {
        *backend = over(&named, backend, Shape::Any, Null::Absent);
    }
    plan
}

/// One map over another, of whatever shape.
pub(crate) fn over_any(base: &Node, above: &Node) -> Node {
    over(base, above, Shape::Any, Null::Absent)
}

/// A plan over what it is given to begin with.
pub(crate) fn over_plan(base: &Node, plan: &Node) -> Node {
    over(base, plan, Shape::Record(&PLAN), Null::Absent)
}

/// `above` over `base`; it stands where `above` stands.
fn over(base: &Node, above: &Node, shape: Shape, null: Null) -> Node {
    let (Value::Map(below), Value::Map(map)) = (&base.value, &above.value) else {
        return above.clone();
    };
    if matches!(shape, Shape::Schema) || is_other_kind(shape, below, map) {
        return above.clone();
    }
    let mut merged = Map::default();
    for entry in below {
        let node = match map.get(&entry.key) {
            Some(node) if node.is_null() && null == Null::Removes => continue,
            Some(node) if !node.is_null() => {
                over(&entry.node, node, within(shape, &entry.key), null)
            }
            _ => entry.node.clone(),
        };
        merged.push_new(Entry {
            node,
            ..entry.clone()
        });
    }
    for entry in map {
        if below.get(&entry.key).is_none() {
            merged.push_new(entry.clone());
        }
    }
    Node {
        value: Value::Map(merged),
        place: above.place.clone(),
        origin: above.origin.clone(),
        written: None,
    }
}

/// Keys of a backend that say what it does, not which one it is.
const OF_STATEMENTS: [&str; 2] = ["statements", "with"];

/// Whether two backends are of different kinds: then the one above replaces the one below.
fn is_other_kind(shape: Shape, below: &Map, above: &Map) -> bool {
    let is_backend = matches!(
        shape,
        Shape::Record(Record {
            name: "backend",
            ..
        })
    );
    let names_kind = |entry: &&Entry| !OF_STATEMENTS.contains(&&*entry.key);
    let mut kinds = above.iter().filter(names_kind).peekable();
    is_backend && kinds.peek().is_some() && kinds.all(|entry| below.get(&entry.key).is_none())
}

fn within(shape: Shape, key: &str) -> Shape {
    match shape {
        Shape::Record(record)
        | Shape::WordOr(_, record)
        | Shape::TextOr(record)
        | Shape::BoolOr(record) => record.key(key).map_or(Shape::Any, |key| key.shape),
        _ => Shape::Any,
    }
}
