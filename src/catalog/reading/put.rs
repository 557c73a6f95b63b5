//! An override's value in its place.

use std::sync::Arc;

use crate::document::{Entry, Map, Node, Origin, Place, Step, Text, Value};

/// Puts `value` at the end of `steps`, and maps on the way where there are none.
pub(super) fn put(document: &mut Node, steps: &[Step], value: Value, name: &str) {
    let variable: Arc<str> = name.into();
    let mut node = document;
    for step in steps {
        let place = node.place.clone();
        let below = match (step, &mut node.value) {
            (Step::Index(index), Value::List(items)) => items.get_mut(*index),
            (Step::Key(key), value) => {
                if !matches!(value, Value::Map(_)) {
                    *value = Value::Map(Map::default());
                }
                let Value::Map(map) = value else { return };
                if map.get(key).is_none() {
                    map.push_new(absent(key, &place));
                }
                map.get_mut(key)
            }
            _ => None,
        };
        let Some(below) = below else { return };
        node = below;
    }
    let place = node.place.clone();
    *node = Node {
        value,
        ..Node::new(Value::Null, place.clone())
    };
    claim(node, &place, &variable);
}

fn absent(key: &Arc<str>, place: &Place) -> Entry {
    Entry {
        key: Arc::clone(key),
        key_place: place.clone(),
        node: Node::new(Value::Null, place.clone()),
    }
}

/// All below stands where the override stands, comes from it, and is literal for ever.
fn claim(node: &mut Node, place: &Place, variable: &Arc<str>) {
    node.place = place.clone();
    node.origin = Origin::Override {
        variable: Arc::clone(variable),
    };
    node.written = None;
    match &mut node.value {
        Value::Text(text) => {
            if let Text::Written(written) = text {
                *text = Text::Literal(std::mem::take(written));
            }
        }
        Value::List(items) => items
            .iter_mut()
            .for_each(|item| claim(item, place, variable)),
        Value::Map(map) => map
            .iter_mut()
            .for_each(|entry| claim(&mut entry.node, place, variable)),
        _ => {}
    }
}
