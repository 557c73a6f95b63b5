//! `accept`: warnings that the operator has seen and means.

use std::collections::HashSet;

use super::{RULES, Report, named, texts};
use crate::catalog::draft::Draft;
use crate::catalog::language::nearest;
use crate::document::{Findings, Node, Path, Severity, Step};

/// Every name is a rule's, and no error's.
pub(super) fn known(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (path, node) in places(draft.document) {
        for (index, item, name) in texts(node, "accept") {
            let path = path.key("accept").index(index);
            match named(name) {
                Some(rule) if rule.severity == Severity::Error => report.add(
                    &path,
                    &item.place,
                    format!("`{name}` is an error, and errors cannot be accepted"),
                    "mend what it says, and remove this",
                ),
                Some(_) => {}
                None => {
                    let near = nearest(name, RULES.iter().map(|rule| rule.name));
                    report.add(
                        &path,
                        &item.place,
                        "this is no rule's name",
                        near.map_or("remove it".to_owned(), |near| {
                            format!("did you mean `{near}`?")
                        }),
                    );
                }
            }
        }
    }
}

/// Everything that may have `accept`.
fn places(document: &Node) -> Vec<(Path, &Node)> {
    let root = Path::root();
    let mut places = vec![(root.clone(), document)];
    let mut offering = |path: Path, node| {
        if let Some(defaults) = Node::get(node, "plan_defaults") {
            places.push((path.key("plan_defaults"), defaults));
        }
        let plans = node
            .get("plans")
            .and_then(Node::as_list)
            .unwrap_or_default();
        let plans = plans
            .iter()
            .enumerate()
            .filter(|(_, plan)| plan.get("accept").is_some());
        let at = path.key("plans");
        places.extend(plans.map(|(index, plan)| (at.index(index), plan)));
        places.push((path, node));
    };
    if let Some(defaults) = document.get("service_defaults") {
        offering(root.key("service_defaults"), defaults);
    }
    let services = document
        .get("services")
        .and_then(Node::as_list)
        .unwrap_or_default();
    for (index, service) in services.iter().enumerate() {
        offering(root.key("services").index(index), service);
    }
    places
}

/// Takes out the findings that are accepted at or above their path.
pub(super) fn silence(draft: &Draft<'_>, findings: &mut Findings) {
    let accepted: HashSet<(Path, &str)> = places(draft.document)
        .into_iter()
        .flat_map(|(path, node)| {
            texts(node, "accept").map(move |(_, _, name)| (path.clone(), name))
        })
        .collect();
    if accepted.is_empty() {
        return;
    }
    findings.retain(|finding| {
        finding.severity == Severity::Error
            || !scopes(&finding.path)
                .into_iter()
                .any(|scope| accepted.contains(&(scope, finding.rule)))
    });
}

/// The document, its defaults, the offering, its defaults and the plan around a path.
fn scopes(path: &Path) -> Vec<Path> {
    let root = Path::root();
    let all = root.key("service_defaults");
    let mut scopes = vec![root];
    let mut at = Path::root();
    for (depth, step) in path.steps().iter().enumerate() {
        at = match step {
            Step::Key(key) => at.key(std::sync::Arc::clone(key)),
            Step::Index(index) => at.index(*index),
        };
        scopes.push(at.clone());
        if depth == 1 {
            scopes.extend([
                all.clone(),
                all.key("plan_defaults"),
                at.key("plan_defaults"),
            ]);
        }
    }
    scopes
}
