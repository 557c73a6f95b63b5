//! What a plan may promise of instances that it has not made.

use super::Report;
use super::store::{dotted, trees};
use crate::catalog::adopting::{NoEnd, adopt};
use crate::catalog::draft::{Draft, PlanDraft, follow};
use crate::catalog::pool;
use crate::catalog::responding::acts;
use crate::domain::offering::Adopt;

/// `adopt-until`.
pub(super) fn until(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        let (path, message) = match adopt(&plan.node) {
            Ok(_) => continue,
            Err(NoEnd::Missing) => ("adopt", "`adopt` does not say when it ends"),
            Err(NoEnd::Unreadable) => ("adopt.until", "this is no date and no time"),
        };
        let (path, place) = follow(&plan.node, &plan.path, path);
        let mend = "write `until: \"2027-03-31\"` or `until: \"2027-03-31T12:00:00Z\"`; `adopt: true` has no end";
        report.add(&path, &place, message, mend);
    }
}

/// `adopt-fixed`.
pub(super) fn fixed(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        let message = if pool::of(&plan.node).is_some() {
            "nobody knows which entry of the pool an instance has that is adopted"
        } else if acts(&plan.node) {
            "the backend of this plan acts, and of an instance that is adopted it would know nothing"
        } else {
            continue;
        };
        if adopts(plan) {
            let mend = "write `adopt: false` here, and take the instances over with `store import`";
            report.at_key(&plan.path, &plan.node, "adopt", message, mend);
        }
    }
}

/// `adopt-values`.
pub(super) fn values(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans().filter(|(_, plan)| adopts(plan)) {
        for (path, source) in unknown(plan) {
            let (path, place) = follow(&plan.node, &plan.path, &path);
            let message = format!(
                "`{source}` is rendered anew for an instance that is adopted: chance, time and parameters of its provision are not known"
            );
            let mend = "make it of `instance.id` or `values`, or take the instances over with `store import`, which is given their values";
            report.add(&path, &place, message, mend);
        }
    }
}

fn adopts(plan: &PlanDraft) -> bool {
    !matches!(adopt(&plan.node), Ok(Adopt::Never))
}

/// The templates of `instance.values` that come to something else than at the provision, each with its way from the plan.
fn unknown(plan: &PlanDraft) -> Vec<(String, String)> {
    let trees = plan.answers.iter().flat_map(|answers| trees(answers, true));
    let mut found = Vec::new();
    for (root, tree) in trees.filter(|(root, _)| *root == "instance.values") {
        for (path, expression) in tree.expressions() {
            let by_parameters = expression
                .names()
                .any(|name| name.starts_with("instance.parameters"));
            let mut functions = expression.functions().iter();
            if by_parameters || functions.any(|function| function.is_made_once()) {
                found.push((dotted(root, &path), expression.source().to_owned()));
            }
        }
    }
    found
}
