//! What an offering or a merged plan says of how much there may be: `limits`.

use super::responding::number;
use crate::document::Node;
use crate::domain::limits::Limits;

/// The keys of it that are numbers.
pub(crate) const NUMBERS: [&str; 4] = [
    "instances",
    "per_organization",
    "per_space",
    "bindings_per_instance",
];

/// What is said.
pub(crate) fn limits(node: &Node) -> Limits {
    let Some(node) = node.get("limits") else {
        return Limits::default();
    };
    let [
        instances,
        per_organization,
        per_space,
        bindings_per_instance,
    ] = NUMBERS.map(|key| number(node, key));
    Limits {
        instances,
        per_organization,
        per_space,
        bindings_per_instance,
        contact: node
            .get("contact")
            .and_then(Node::as_text)
            .map(str::to_owned),
    }
}
