//! What is a plan's own.

use semver::Version;

use super::{Report, texts};
use crate::catalog::backends::Backends;
use crate::catalog::draft::Draft;
use crate::catalog::language::nearest;
use crate::catalog::reading::resolve::is_unresolved;
use crate::document::{Map, Node};

/// `maintenance-version`.
pub(super) fn maintenance_version(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        let Some(info) = plan.node.get("maintenance_info") else {
            continue;
        };
        let version = info
            .get("version")
            .filter(|node| !is_unresolved(node))
            .and_then(Node::as_text);
        if version.is_some_and(|version| Version::parse(version).is_err()) {
            let path = plan.path.key("maintenance_info");
            let message = "this is not a semantic version";
            report.at_key(
                &path,
                info,
                "version",
                message,
                "write MAJOR.MINOR.PATCH: \"1.0.0\"",
            );
        }
    }
}

/// `maintenance-size`.
pub(super) fn maintenance_size(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        let Some(info) = plan.node.get("maintenance_info") else {
            continue;
        };
        let length = info.to_json().to_string().chars().count();
        if length > 2000 {
            let message =
                format!("as JSON it has {length} characters; Cloud Foundry refuses more than 2000");
            report.at_key(
                &plan.path,
                &plan.node,
                "maintenance_info",
                message,
                "shorten its description",
            );
        }
    }
}

/// `updates-to-known`.
pub(super) fn updates_to(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (offering, plan) in draft.plans() {
        let all = offering.plans.iter();
        let names: Vec<&str> = all
            .filter_map(|plan| plan.node.get("name")?.as_text())
            .collect();
        for (index, node, name) in texts(&plan.node, "updates_to") {
            if is_unresolved(node) || names.contains(&name) {
                continue;
            }
            let path = plan.path.key("updates_to").index(index);
            let mend = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its plans are: {}", names.join(", ")),
            };
            let message = format!("the offering has no plan `{name}`");
            report.add(&path, &node.place, message, mend);
        }
    }
}

/// `backend-kind`.
pub(super) fn backend_kind(draft: &Draft<'_>, report: &mut Report<'_>) {
    for plan in draft.with_backends() {
        let Some(backend) = plan.node.get("backend").and_then(Node::as_map) else {
            continue;
        };
        let other = ["use", "statements", "with"];
        let kinds = backend.iter().filter(|entry| !other.contains(&&*entry.key));
        let kinds = kinds.count();
        let mend = "write `backend: { fixed: {} }`, or leave it out";
        let (message, mend) = match kinds {
            1 => continue,
            // What `use` names is not there: `backend-named` tells.
            0 if backend.get("use").is_some() => continue,
            0 => ("the backend has no kind", mend),
            _ => ("the backend has several kinds", "leave one"),
        };
        report.at_key(&plan.path, &plan.node, "backend", message, mend);
    }
}

/// `backend-settings`.
pub(super) fn backend_settings(draft: &Draft<'_>, report: &mut Report<'_>) {
    let mut backends = Backends::new(draft.environment);
    for plan in draft.with_backends() {
        let Some(backend) = plan.node.get("backend") else {
            continue;
        };
        if is_half(backend) {
            continue;
        }
        if let Err(problem) = backends.of(plan) {
            let path = plan.path.key("backend");
            report.at_key(&path, backend, problem.key, problem.message, problem.mend);
        }
    }
}

/// Whether a text of it could not be read, or a required one is missing: that was told.
fn is_half(backend: &Node) -> bool {
    let kinds = backend.as_map().into_iter().flat_map(Map::iter);
    kinds
        .filter_map(|kind| kind.node.as_map())
        .flat_map(Map::iter)
        .any(|entry| is_unresolved(&entry.node))
}

/// `backend-named`.
pub(super) fn backend_named(draft: &Draft<'_>, report: &mut Report<'_>) {
    let names: Vec<&str> = draft
        .document
        .get("backends")
        .and_then(Node::as_map)
        .into_iter()
        .flat_map(Map::iter)
        .map(|entry| &*entry.key)
        .collect();
    for plan in draft.with_backends() {
        let Some(backend) = plan.node.get("backend") else {
            continue;
        };
        let name = backend.get("use").and_then(Node::as_text);
        if name.is_some_and(|name| !names.contains(&name)) {
            let path = plan.path.key("backend");
            let mend = match nearest(name.unwrap_or_default(), names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "write it under `backends` of the document".to_owned(),
                None => format!("known here: {}", names.join(", ")),
            };
            report.at_key(
                &path,
                backend,
                "use",
                "`backends` has no backend of that name",
                mend,
            );
        }
    }
}
