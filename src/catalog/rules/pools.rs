//! What a plan may promise that lends entries of a pool.

use super::Report;
use super::moves::may_move;
use crate::catalog::draft::{Draft, PlanDraft};
use crate::catalog::memory::Memory;
use crate::catalog::pool;
use crate::catalog::responding::may_answer_later;
use crate::document::Node;
use crate::domain::pool::Lend;

/// `pool-moves`.
pub(super) fn moves(draft: &Draft<'_>, report: &mut Report<'_>) {
    let lending = draft.plans().filter(|(_, plan)| lends_to_instances(plan));
    for (offering, plan) in lending {
        let others = offering.plans.iter();
        let others = others.filter(|other| other.offered && other.path != plan.path);
        for other in others {
            let moves = may_move(offering, plan, other) || may_move(offering, other, plan);
            let same =
                lends_to_instances(other) && named(plan).is_some() && named(plan) == named(other);
            if !moves || same {
                continue;
            }
            let message = "an instance has the entry that it was lent for its whole life, but it may move from here to another plan of the service, or from there to here";
            let mend = "write `plan_updateable: false` on the service, or `updates_to` on its plans, let all its plans `use` the same pool, or give this plan a service of its own";
            report.at_key(&plan.path, &plan.node, "backend", message, mend);
            break;
        }
    }
}

fn lends_to_instances(plan: &PlanDraft) -> bool {
    pool::of(&plan.node).is_some_and(|pool| pool::lend(pool) == Lend::Instance)
}

/// The pool that several plans may name.
fn named(plan: &PlanDraft) -> Option<&str> {
    plan.node.get("backend")?.get("use")?.as_text()
}

/// `pool-empty`.
pub(super) fn empty(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        if pool::of(&plan.node).is_some_and(pool::is_empty) {
            let message = "the pool has no entry: nothing is lent, and what is lent stays where it is until it comes back";
            report.at_key(&plan.path, &plan.node, "backend", message, pool::LISTED);
        }
    }
}

/// `pool-answers-at-once`.
pub(super) fn at_once(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        if pool::of(&plan.node).is_some() && may_answer_later(&plan.node) {
            let message = "an entry of a pool is lent at once, so nothing is answered later";
            report.at_key(&plan.path, &plan.node, "respond", message, "leave it out");
        }
    }
}

/// `pool-shared`.
pub(super) fn shared(draft: &Draft<'_>, report: &mut Report<'_>) {
    let mut first: Vec<(&str, &PlanDraft)> = Vec::new();
    for (_, plan) in draft.plans() {
        let Some(pool) = pool::of(&plan.node) else {
            continue;
        };
        let Some(name) = named(plan) else {
            continue;
        };
        let same = |node: &Node| ["entries", "folder"].map(|key| node.get(key).map(Node::to_json));
        match first.iter().find(|(known, _)| *known == name) {
            None => first.push((name, plan)),
            Some((_, other)) if pool::of(&other.node).map(same) == Some(same(pool)) => {}
            Some(_) => {
                let message = format!("plans that use `{name}` have different entries in it");
                let mend = "write the entries under `backends`, and on the plans only `use`, `lend` and `reuse`";
                report.at_key(&plan.path, &plan.node, "backend", message, mend);
            }
        }
    }
}

/// `store-none-pool`.
pub(super) fn needs_memory(draft: &Draft<'_>, report: &mut Report<'_>) {
    if draft.memory == Memory::Remembers {
        return;
    }
    for (_, plan) in draft.plans() {
        if pool::of(&plan.node).is_some() {
            let message = "store `none` does not remember who has which entry of a pool";
            let mend = "use the store sqlite or postgres";
            report.at_key(&plan.path, &plan.node, "backend", message, mend);
        }
    }
}
