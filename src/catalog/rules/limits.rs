//! What may be said of how much there may be.

use super::Report;
use crate::catalog::draft::Draft;
use crate::catalog::limits::NUMBERS;
use crate::catalog::memory::Memory;
use crate::catalog::responding::number;
use crate::document::{Node, Path};

/// `limits-positive`.
pub(super) fn positive(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (path, key, node, most) in set(draft) {
        if most == 0 {
            let message = format!("with `{key}: 0` nothing is ever made");
            let mend =
                "write 1 or more, or `offered: false` on a plan that is not to be had any more";
            report.at_key(&path, node, key, message, mend);
        }
    }
}

/// `limits-within`.
pub(super) fn within(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (offering, plan) in draft.plans() {
        let (Some(whole), Some(part)) = (offering.node.get("limits"), plan.node.get("limits"))
        else {
            continue;
        };
        for key in NUMBERS {
            let (Some(all), Some(most)) = (number(whole, key), number(part, key)) else {
                continue;
            };
            if most > all {
                let message = format!(
                    "the offering allows {all} over all its plans, so this limit is never reached"
                );
                let mend = format!("write {all} or less, or more on the offering");
                report.at_key(&plan.path.key("limits"), part, key, message, mend);
            }
        }
    }
}

/// `limits-rotation`.
pub(super) fn rotation(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (offering, plan) in draft.plans() {
        if plan.node.get("binding_rotatable").and_then(Node::as_bool) != Some(true) {
            continue;
        }
        let key = "bindings_per_instance";
        let said = [
            (plan.path.clone(), &plan.node),
            (offering.path(), &offering.node),
        ];
        let one = said.into_iter().find_map(|(path, node)| {
            let limits = node.get("limits")?;
            (number(limits, key)? == 1).then(|| (path.key("limits"), limits))
        });
        if let Some((path, limits)) = one {
            let message = "a binding has its successor beside it for a while, and there is room for one: no binding can be rotated";
            let mend = "write 2 or more, or `binding_rotatable: false` on the plan";
            report.at_key(&path, limits, key, message, mend);
        }
    }
}

/// `store-none-limits`.
pub(super) fn needs_memory(draft: &Draft<'_>, report: &mut Report<'_>) {
    if draft.memory == Memory::Remembers {
        return;
    }
    for (path, key, node, _) in set(draft) {
        let message = "store `none` remembers nothing that could be counted";
        let mend = "leave it out, or use a store that remembers";
        report.at_key(&path, node, key, message, mend);
    }
}

/// All limits that are set: the way to their map, the key in it, the map, and the number.
fn set<'a>(draft: &'a Draft<'_>) -> Vec<(Path, &'static str, &'a Node, u64)> {
    let mut found = Vec::new();
    for (path, node) in draft.entries() {
        let Some(limits) = node.get("limits") else {
            continue;
        };
        let numbers = NUMBERS.into_iter();
        found.extend(
            numbers.filter_map(|key| Some((path.key("limits"), key, limits, number(limits, key)?))),
        );
    }
    found
}
