//! What store `none` cannot promise: nothing is remembered from one request to the next.

use super::Report;
use crate::catalog::answers::Answers;
use crate::catalog::draft::{Draft, follow};
use crate::catalog::memory::Memory;
use crate::template::{Expression, Tree};

const MEND: &str = "leave it out, or use a store that remembers";

/// `store-none-retrievable`.
pub(super) fn retrievable(draft: &Draft<'_>, report: &mut Report<'_>) {
    if draft.memory == Memory::Remembers {
        return;
    }
    for offering in draft.offered() {
        for key in ["instances_retrievable", "bindings_retrievable"] {
            if offering
                .node
                .get(key)
                .and_then(crate::document::Node::as_bool)
                == Some(true)
            {
                let message = format!(
                    "store `none` remembers nothing that could be fetched, so `{key}` cannot be true"
                );
                report.at_key(&offering.path(), &offering.node, key, message, MEND);
            }
        }
    }
}

/// `store-none-rotatable`.
pub(super) fn rotatable(draft: &Draft<'_>, report: &mut Report<'_>) {
    if draft.memory == Memory::Remembers {
        return;
    }
    for (_, plan) in draft.plans() {
        let key = "binding_rotatable";
        if plan.node.get(key).and_then(crate::document::Node::as_bool) == Some(true) {
            let message = "store `none` remembers no binding that could have a successor";
            report.at_key(&plan.path, &plan.node, key, message, MEND);
        }
    }
}

/// `store-none-made-once`.
pub(super) fn made_once(draft: &Draft<'_>, report: &mut Report<'_>) {
    let message = |expression: &Expression| {
        let mut functions = expression.functions().iter();
        let function = functions.find(|function| function.is_made_once())?;
        Some(format!(
            "store `none` cannot give the same {function} again when a request is repeated"
        ))
    };
    each(draft, report, |answers| trees(answers, true), message);
}

/// `store-none-instance`.
pub(super) fn instance(draft: &Draft<'_>, report: &mut Report<'_>) {
    let message = |expression: &Expression| {
        let forgotten = [
            "parameters",
            "context",
            "values",
            "organization",
            "space",
            "outputs",
            "maintenance_info",
        ];
        let name = expression.names().find(|name| {
            let mut steps = name.split('.');
            steps.next() == Some("instance")
                && steps.next().is_some_and(|step| forgotten.contains(&step))
        })?;
        Some(format!(
            "store `none` remembers no instance, so a bind knows no `{name}`"
        ))
    };
    each(draft, report, |answers| trees(answers, false), message);
}

fn each(
    draft: &Draft<'_>,
    report: &mut Report<'_>,
    trees: impl Fn(&Answers) -> Vec<(&'static str, &Tree)>,
    message: impl Fn(&Expression) -> Option<String>,
) {
    if draft.memory == Memory::Remembers {
        return;
    }
    for (_, plan) in draft.plans() {
        for (root, tree) in plan.answers.iter().flat_map(&trees) {
            for (path, expression) in tree.expressions() {
                if let Some(message) = message(expression) {
                    let (path, place) = follow(&plan.node, &plan.path, &dotted(root, &path));
                    report.add(&path, &place, message, MEND);
                }
            }
        }
    }
}

/// `path` below `root`.
pub(super) fn dotted(root: &str, path: &str) -> String {
    let dot = if path.is_empty() || path.starts_with('[') {
        ""
    } else {
        "."
    };
    format!("{root}{dot}{path}")
}

/// The trees of a plan, each with its way from the plan.
pub(crate) fn trees(answers: &Answers, with_instance: bool) -> Vec<(&'static str, &Tree)> {
    let (instance, binding) = (&answers.instance, &answers.binding);
    let of_instance = [
        ("instance.values", &instance.values),
        ("instance.dashboard_url", &instance.dashboard_url),
        ("instance.metadata", &instance.metadata),
    ];
    let of_instance = of_instance.into_iter().filter(|_| with_instance);
    of_instance
        .chain([("binding.values", &binding.values)])
        .filter_map(|(path, tree)| Some((path, tree.as_ref()?)))
        .chain(
            binding
                .fields
                .iter()
                .map(|(field, tree)| (field.path(), tree)),
        )
        .collect()
}
