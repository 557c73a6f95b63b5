//! What a plan may promise that answers before its backend is done, or has one that acts at all.

use super::Report;
use super::store::{dotted, trees};
use crate::catalog::draft::{Draft, PlanDraft, follow};
use crate::catalog::memory::Memory;
use crate::catalog::responding::{acts, may_answer_later, may_bind_later, number};
use crate::document::Node;

/// `later-outputs`.
pub(super) fn outputs(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft
        .plans()
        .filter(|(_, plan)| may_answer_later(&plan.node))
    {
        for (path, source) in early_outputs(plan) {
            let (path, place) = follow(&plan.node, &plan.path, &path);
            let message = format!(
                "`{source}` uses what the backend returns, and the 202 that comes before it carries this already"
            );
            let mend = "write `respond: sync`, or make it of instance.values";
            report.add(&path, &place, message, mend);
        }
    }
}

/// The templates of a 202 that use outputs, each with its way from the plan.
fn early_outputs(plan: &PlanDraft) -> Vec<(String, String)> {
    let early = ["instance.dashboard_url", "instance.metadata"];
    let trees = plan.answers.iter().flat_map(|answers| trees(answers, true));
    let trees = trees.filter(|(root, _)| early.contains(root));
    let mut found = Vec::new();
    for (root, tree) in trees {
        for (path, expression) in tree.expressions() {
            if expression
                .names()
                .any(|name| name.starts_with("instance.outputs"))
            {
                found.push((dotted(root, &path), expression.source().to_owned()));
            }
        }
    }
    found
}

/// `later-bind-retrievable`.
pub(super) fn retrievable(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (offering, plan) in draft.plans() {
        let retrievable = offering
            .node
            .get("bindings_retrievable")
            .and_then(Node::as_bool);
        if offering.bindable(plan) && may_bind_later(&plan.node) && retrievable != Some(true) {
            let message = "a bind may be answered with 202, and its credentials can only be fetched afterwards, but the offering does not declare `bindings_retrievable`";
            let mend =
                "write `bindings_retrievable: true` on the offering, or `respond: { bind: sync }`";
            let key = if plan.node.get("respond").is_some() {
                "respond"
            } else {
                "backend"
            };
            report.at_key(&plan.path, &plan.node, key, message, mend);
        }
    }
}

/// `store-none-backend`.
pub(super) fn needs_memory(draft: &Draft<'_>, report: &mut Report<'_>) {
    if draft.memory == Memory::Remembers {
        return;
    }
    for (_, plan) in draft.plans() {
        let key = if acts(&plan.node) {
            "backend"
        } else if may_answer_later(&plan.node) {
            "respond"
        } else {
            continue;
        };
        let message = "store `none` remembers no operation, so none can go on after its request";
        let mend = "use the store sqlite or postgres, or the backend `fixed` with `respond: sync`";
        report.at_key(&plan.path, &plan.node, key, message, mend);
    }
}

/// `attempts-positive`.
pub(super) fn attempts(draft: &Draft<'_>, report: &mut Report<'_>) {
    for plan in draft.with_backends() {
        if number(&plan.node, "max_attempts") == Some(0) {
            let message = "with no attempt nothing is ever done";
            report.at_key(
                &plan.path,
                &plan.node,
                "max_attempts",
                message,
                "write 1 or more",
            );
        }
    }
}
