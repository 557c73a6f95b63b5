//! What is a plan's own.

use semver::Version;

use super::Report;
use crate::catalog::draft::Draft;
use crate::catalog::reading::resolve::is_unresolved;
use crate::document::Node;

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

/// `backend-kind`.
pub(super) fn backend_kind(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        let kinds = plan
            .node
            .get("backend")
            .and_then(Node::as_map)
            .map(|map| map.len());
        if kinds == Some(0) {
            let mend = "write `backend: { fixed: {} }`, or leave it out";
            report.at_key(
                &plan.path,
                &plan.node,
                "backend",
                "the backend has no kind",
                mend,
            );
        }
    }
}
