//! How long bindings live, what their successors have of them, and what a fetch gives.

use std::time::Duration;

use super::store::dotted;
use super::{Report, texts};
use crate::catalog::draft::{Draft, follow};
use crate::catalog::expiring;
use crate::catalog::memory::Memory;
use crate::catalog::responding::time;
use crate::document::{Map, Node, Path};

/// The `binding` of each plan, with the way to it.
fn bindings<'a>(draft: &'a Draft<'_>) -> impl Iterator<Item = (&'a Node, Path)> {
    draft.plans().filter_map(|(_, plan)| {
        let binding = plan.node.get("binding")?;
        Some((binding, plan.path.key("binding")))
    })
}

/// `binding-ttl`.
pub(super) fn ttl(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (binding, path) in bindings(draft) {
        let [ttl, renew_before] = ["ttl", "renew_before"].map(|key| binding.get(key));
        let lasts = ttl.and_then(time);
        if lasts == Some(Duration::ZERO) {
            let message = "a binding that lives no time is over before anybody has it";
            report.at_key(&path, binding, "ttl", message, "write a time, as 90d");
        }
        let Some(before) = renew_before.and_then(time) else {
            continue;
        };
        let (message, mend) = match (ttl, lasts) {
            (None, _) => (
                "a binding that does not end cannot be renewed before its end",
                "add `ttl`, or leave it out",
            ),
            (Some(_), Some(lasts)) if before >= lasts => (
                "a binding would have to be renewed as soon as it is made",
                "let `renew_before` be shorter than `ttl`: it is how long before the end a binding is to be renewed",
            ),
            _ => continue,
        };
        report.at_key(&path, binding, "renew_before", message, mend);
    }
}

/// `binding-ttl-metadata`.
pub(super) fn metadata(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (binding, path) in bindings(draft) {
        let Some(metadata) = binding
            .get("metadata")
            .filter(|_| binding.get("ttl").is_some())
        else {
            continue;
        };
        for key in ["expires_at", "renew_before"] {
            if metadata.get(key).is_some() {
                let message = format!("`ttl` says when a binding ends, and so does this `{key}`");
                let mend = "leave one of them out";
                report.at_key(&path.key("metadata"), metadata, key, message, mend);
            }
        }
    }
}

/// `inherits-known`.
pub(super) fn inherits(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (binding, path) in bindings(draft) {
        let known: Vec<&str> = binding
            .get("values")
            .and_then(Node::as_map)
            .into_iter()
            .flat_map(Map::iter)
            .map(|entry| &*entry.key)
            .collect();
        for (index, node, name) in texts(binding, "inherits") {
            if !known.contains(&name) {
                let message = format!("`binding.values` has no `{name}` that could be inherited");
                let mend = match known.as_slice() {
                    [] => "add it to `binding.values`, or leave it out".to_owned(),
                    known => format!("known here: {}", known.join(", ")),
                };
                let path = path.key("inherits").index(index);
                report.add(&path, &node.place, message, mend);
            }
        }
    }
}

/// `inherits-rotatable`.
pub(super) fn rotatable(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        let Some(binding) = plan.node.get("binding") else {
            continue;
        };
        let rotatable = plan.node.get("binding_rotatable").and_then(Node::as_bool);
        if !expiring::inherits(binding).is_empty() && rotatable != Some(true) {
            let path = plan.path.key("binding");
            let message = "no binding of this plan has a successor that could inherit anything";
            let mend = "add `binding_rotatable: true` to the plan, or leave it out";
            report.at_key(&path, binding, "inherits", message, mend);
        }
    }
}

/// `refresh-retrievable`.
pub(super) fn retrievable(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (offering, plan) in draft.plans() {
        let Some(binding) = plan.node.get("binding") else {
            continue;
        };
        let retrievable = offering
            .node
            .get("bindings_retrievable")
            .and_then(Node::as_bool);
        if expiring::refresh(binding) && retrievable != Some(true) {
            let path = plan.path.key("binding");
            let message =
                "a fetch is to give what is new, and bindings of the offering cannot be fetched";
            let mend = "add `bindings_retrievable: true` to the offering, or leave it out";
            report.at_key(&path, binding, "refresh", message, mend);
        }
    }
}

/// `refresh-made-once`.
pub(super) fn made_once(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        let refreshes = plan.node.get("binding").is_some_and(expiring::refresh);
        let answers = plan.answers.iter().filter(|_| refreshes);
        for (field, tree) in answers.flat_map(|answers| &answers.binding.fields) {
            for (below, expression) in tree.expressions() {
                if let Some(function) = expression.functions().iter().next() {
                    let (path, place) =
                        follow(&plan.node, &plan.path, &dotted(field.path(), &below));
                    let message =
                        format!("a fetch that renders this anew has no {function} for it");
                    report.add(&path, &place, message, "make it once in `binding.values`");
                }
            }
        }
    }
}

/// `store-none-ttl`.
pub(super) fn needs_memory(draft: &Draft<'_>, report: &mut Report<'_>) {
    if draft.memory == Memory::Remembers {
        return;
    }
    for (binding, path) in bindings(draft) {
        if binding.get("ttl").is_some() {
            let message = "store `none` remembers no binding that could end";
            let mend = "leave it out, or use a store that remembers";
            report.at_key(&path, binding, "ttl", message, mend);
        }
    }
}
