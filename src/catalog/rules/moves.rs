//! Which plans an instance may move to, and what it would find there.

use super::{Report, texts};
use crate::catalog::draft::{Draft, OfferingDraft, PlanDraft};
use crate::document::Node;

/// Whether an instance may move from one plan to another one.
pub(super) fn may_move(offering: &OfferingDraft, from: &PlanDraft, to: &PlanDraft) -> bool {
    let updateable = [&from.node, &offering.node]
        .iter()
        .find_map(|node| node.get("plan_updateable")?.as_bool());
    let name = to.node.get("name").and_then(Node::as_text);
    let listed = from.node.get("updates_to").is_none()
        || texts(&from.node, "updates_to").any(|(_, _, listed)| Some(listed) == name);
    updateable.unwrap_or_default() && listed
}

/// The offered plans that an instance of this one may move to.
fn others<'a>(
    offering: &'a OfferingDraft,
    from: &'a PlanDraft,
) -> impl Iterator<Item = &'a PlanDraft> {
    let others = offering.plans.iter();
    others.filter(move |other| {
        other.offered && other.path != from.path && may_move(offering, from, other)
    })
}

/// `statements-move`.
pub(super) fn statements_move(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (offering, plan) in draft.plans() {
        let Some(own) = made_by(&plan.node) else {
            continue;
        };
        let mut others = others(offering, plan);
        let Some(other) = others.find(|other| made_by(&other.node).as_ref() != Some(&own)) else {
            continue;
        };
        let name = other.node.get("name").and_then(Node::as_text);
        let message = format!(
            "an instance may move to the plan `{}`, which is made by other statements: these know nothing of it",
            name.unwrap_or_default()
        );
        let mend = "leave it out of `updates_to` of the plan, write `plan_updateable: false`, or make the other one a plan of another offering";
        report.at_key(&plan.path, &plan.node, "backend", message, mend);
    }
}

/// What makes the instances of a plan, where that is statements.
fn made_by(plan: &Node) -> Option<serde_json::Value> {
    let sql = plan.get("backend")?.get("sql")?;
    let statements = sql.get("statements")?;
    let set = statements.get("set").map(Node::to_json);
    set.or_else(|| Some(statements.get("provision")?.to_json()))
}
