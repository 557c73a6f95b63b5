//! The life of a plan.

use super::Report;
use crate::catalog::draft::{Draft, follow};
use crate::catalog::lifecycle::lifecycle;
use crate::document::Node;
use crate::domain::lifecycle::LifecycleState;

/// `lifecycle-after`.
pub(super) fn after(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        let (message, mend) = match lifecycle(&plan.node) {
            Err(_) => (
                "this is no date and no time",
                "write `after: \"2027-03-31\"` or `after: \"2027-03-31T12:00:00Z\"`",
            ),
            Ok(life) if life.after.is_some() && life.state != LifecycleState::Deprecated => (
                "only a plan that is deprecated is retired at a date",
                "write `state: deprecated`, or leave `after` out",
            ),
            Ok(_) => continue,
        };
        let (path, place) = follow(&plan.node, &plan.path, "lifecycle.after");
        report.add(&path, &place, message, mend);
    }
}

/// `lifecycle-successor`.
pub(super) fn successor(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (offering, plan) in draft.plans() {
        let Some(successor) = lifecycle(&plan.node).ok().and_then(|life| life.successor) else {
            continue;
        };
        let name = |node: &Node| node.get("name").and_then(Node::as_text).map(str::to_owned);
        let named = offering
            .plans
            .iter()
            .find(|each| name(&each.node).as_ref() == Some(&successor));
        let message = match named {
            None => format!("the offering has no plan `{successor}`"),
            Some(named) if named.path == plan.path => "a plan does not succeed itself".to_owned(),
            Some(named) if !named.offered => format!("the plan `{successor}` is not offered"),
            Some(named) => match lifecycle(&named.node) {
                Ok(life) if life.state != LifecycleState::Active => {
                    format!("the plan `{successor}` is {} itself", life.state.name())
                }
                _ => continue,
            },
        };
        let (path, place) = follow(&plan.node, &plan.path, "lifecycle.successor");
        let mend = "name a plan of the same service that is active, or say in `note` what to take";
        report.add(&path, &place, message, mend);
    }
}
