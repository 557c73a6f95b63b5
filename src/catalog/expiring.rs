//! What a merged plan says of how long its bindings live, and of what comes after them.

use super::responding::time;
use crate::document::Node;
use crate::domain::expiry::Ttl;

/// `ttl` and `renew_before`.
pub(crate) fn ttl(binding: &Node) -> Option<Ttl> {
    Some(Ttl {
        lasts: binding.get("ttl").and_then(time)?,
        renew_before: binding.get("renew_before").and_then(time),
    })
}

/// `inherits`.
pub(crate) fn inherits(binding: &Node) -> Vec<String> {
    let names = binding.get("inherits").and_then(Node::as_list);
    let names = names.unwrap_or_default().iter();
    names
        .filter_map(|name| name.as_text().map(str::to_owned))
        .collect()
}

/// `refresh`.
pub(crate) fn refresh(binding: &Node) -> bool {
    let refresh = binding.get("refresh").and_then(Node::as_bool);
    refresh.unwrap_or(false)
}
