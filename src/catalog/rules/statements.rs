//! What is rendered anew for each attempt at an operation.

use super::Report;
use super::store::dotted;
use crate::catalog::draft::{Draft, follow};
use crate::domain::operation::Kind;
use crate::template::Tree;

/// `statement-made-again`.
pub(super) fn made_again(draft: &Draft<'_>, report: &mut Report<'_>) {
    for plan in draft.with_backends() {
        let Some(steps) = &plan.steps else { continue };
        let with = steps.with.iter().map(|tree| ("with".to_owned(), tree));
        let databases = Kind::ALL.into_iter().flat_map(|kind| {
            let steps = steps.of(kind).iter().enumerate();
            steps.filter_map(move |(at, step)| {
                let place = format!("statements.{}[{at}].database", kind.name());
                Some((place, step.database.as_ref()?))
            })
        });
        let trees: Vec<(String, &Tree)> = with.chain(databases).collect();
        for (root, tree) in trees {
            for (path, expression) in tree.expressions() {
                if let Some(function) = expression.functions().iter().next() {
                    let below = dotted(&format!("backend.sql.{root}"), &path);
                    let (path, place) = follow(&plan.node, &plan.path, &below);
                    let message = format!("{function} would be made anew with every attempt");
                    let mend = "make it in `instance.values` or `binding.values`, which are stored";
                    report.add(&path, &place, message, mend);
                }
            }
        }
    }
}
