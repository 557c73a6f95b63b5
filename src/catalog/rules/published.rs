//! What is published: what must be there, how long it may be, and who can read it.

use std::str::FromStr;

use super::{Report, texts};
use crate::catalog::draft::Draft;
use crate::catalog::language::{DOCUMENT, OFFERING, PLAN, Record, Shape};
use crate::catalog::reading::resolve::is_unresolved;
use crate::document::{Node, Path};
use crate::domain::version::{ApiVersion, NEWEST};

/// What Cloud Foundry speaks.
const CLOUD_FOUNDRY: ApiVersion = ApiVersion {
    major: 2,
    minor: 15,
};

/// `required-key`.
pub(super) fn required(draft: &Draft<'_>, report: &mut Report<'_>) {
    missing(&DOCUMENT, draft.document, &Path::root(), draft, report);
    for offering in draft.offered() {
        let path = offering.path();
        missing(&OFFERING, &offering.node, &path, draft, report);
        within(
            "dashboard_client",
            &OFFERING,
            &offering.node,
            &path,
            draft,
            report,
        );
    }
    for (_, plan) in draft.plans() {
        missing(&PLAN, &plan.node, &plan.path, draft, report);
        for key in ["maintenance_info", "lifecycle"] {
            within(key, &PLAN, &plan.node, &plan.path, draft, report);
        }
    }
}

fn within(
    key: &str,
    record: &'static Record,
    node: &Node,
    path: &Path,
    draft: &Draft<'_>,
    report: &mut Report<'_>,
) {
    let shape = record.key(key).map(|key| key.shape);
    if let (Some(Shape::Record(record)), Some(node)) = (shape, node.get(key)) {
        missing(record, node, &path.key(key), draft, report);
    }
}

fn missing(record: &Record, node: &Node, path: &Path, draft: &Draft<'_>, report: &mut Report<'_>) {
    if node.as_map().is_none() {
        return;
    }
    for key in record
        .keys
        .iter()
        .filter(|key| key.required && node.get(key.name).is_none())
    {
        let mend = match key.name {
            "id" if record.name != "dashboard_client" => format!("add `id: {}`", (draft.guid)()),
            "bindable" => {
                "add `bindable: true`, or `false` where there is nothing to bind".to_owned()
            }
            "version" => "add `version: \"1.0.0\"`".to_owned(),
            name => format!("add `{name}`: {}", first_lower(key.doc)),
        };
        let message = format!("{} has no `{}`", record.name, key.name);
        report.add(&path.key(key.name), &node.place, message, mend);
    }
}

fn first_lower(text: &str) -> String {
    let mut signs = text.chars();
    signs
        .next()
        .map(|first| first.to_lowercase().chain(signs).collect())
        .unwrap_or_default()
}

/// `not-blank`.
pub(super) fn not_blank(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (path, node) in draft.entries() {
        for key in ["id", "name", "description"] {
            blank(&path, node, key, draft, report);
        }
    }
    for offering in draft.offered() {
        if let Some(client) = offering.node.get("dashboard_client") {
            for key in ["id", "secret", "redirect_uri"] {
                blank(
                    &offering.path().key("dashboard_client"),
                    client,
                    key,
                    draft,
                    report,
                );
            }
        }
    }
}

fn blank(path: &Path, node: &Node, key: &str, draft: &Draft<'_>, report: &mut Report<'_>) {
    if node
        .get(key)
        .and_then(Node::as_text)
        .is_some_and(|text| text.trim().is_empty())
    {
        let mend = match key {
            "id" => format!("write one: {}", (draft.guid)()),
            _ => "write it out".to_owned(),
        };
        report.at_key(path, node, key, format!("`{key}` is empty"), mend);
    }
}

/// `name-cli-friendly`.
pub(super) fn cli_friendly(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (path, node) in draft.entries() {
        let name = known_text(node, "name").filter(|name| !name.trim().is_empty());
        if let Some(name) = name.filter(|name| !is_friendly(name)) {
            let friendly = name
                .trim()
                .replace(|sign: char| !is_friendly_sign(sign), "-");
            let message = format!(
                "the name `{}` is hard to type on a command line",
                name.escape_debug()
            );
            let mend = format!("use letters, digits, periods and hyphens: {friendly}");
            report.at_key(&path, node, "name", message, mend);
        }
    }
}

fn is_friendly(name: &str) -> bool {
    name.chars().all(is_friendly_sign) && name.chars().any(|sign| sign.is_ascii_alphanumeric())
}

const fn is_friendly_sign(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || matches!(sign, '.' | '-' | '_')
}

/// Text that was resolved, or needed no resolving.
fn known_text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.get(key).filter(|node| !is_unresolved(node))?.as_text()
}

/// `description-length`.
pub(super) fn description_length(draft: &Draft<'_>, report: &mut Report<'_>) {
    let message = |length| {
        format!("the description has {length} characters; up to 255 are safe on any platform")
    };
    descriptions(
        draft,
        report,
        256..=10_000,
        message,
        "say the rest in `metadata.longDescription`",
    );
}

/// `description-limit`.
pub(super) fn description_limit(draft: &Draft<'_>, report: &mut Report<'_>) {
    let message = |length| {
        format!("the description has {length} characters; Cloud Foundry refuses more than 10000")
    };
    descriptions(
        draft,
        report,
        10_001..=usize::MAX,
        message,
        "shorten it; `metadata.longDescription` takes the rest",
    );
}

fn descriptions(
    draft: &Draft<'_>,
    report: &mut Report<'_>,
    lengths: std::ops::RangeInclusive<usize>,
    message: impl Fn(usize) -> String,
    mend: &str,
) {
    for (path, node) in draft.entries() {
        let Some(text) =
            known_text(node, "description").filter(|text| text.len() >= *lengths.start())
        else {
            continue;
        };
        let length = text.chars().count();
        if lengths.contains(&length) {
            report.at_key(&path, node, "description", message(length), mend);
        }
    }
}

/// `services-empty`.
pub(super) fn services_empty(draft: &Draft<'_>, report: &mut Report<'_>) {
    let is_list = draft
        .document
        .get("services")
        .is_some_and(|services| services.as_list().is_some());
    if is_list && draft.offered().next().is_none() {
        let message = "nothing is offered; Cloud Foundry refuses a broker without services";
        report.at_key(
            &Path::root(),
            draft.document,
            "services",
            message,
            "offer at least one service",
        );
    }
}

/// `plans-empty`.
pub(super) fn plans_empty(draft: &Draft<'_>, report: &mut Report<'_>) {
    for offering in draft.offered() {
        let written = draft.document.get("services").and_then(Node::as_list);
        let written = written.and_then(|services| services.get(offering.index));
        let plans = written.and_then(|written| written.get("plans"));
        if plans.is_none_or(|plans| plans.as_list().is_some_and(<[Node]>::is_empty)) {
            let place = &plans.unwrap_or(&offering.node).place;
            let path = offering.path().key("plans");
            report.add(
                &path,
                place,
                "the offering has no plans",
                "add a plan, or set `offered: false`",
            );
        }
    }
}

/// `tags-length`.
pub(super) fn tags_length(draft: &Draft<'_>, report: &mut Report<'_>) {
    for offering in draft.offered() {
        let length: usize = texts(&offering.node, "tags")
            .map(|(_, _, tag)| tag.chars().count())
            .sum();
        if length > 2048 {
            let message = format!(
                "the tags have {length} characters together; Cloud Foundry refuses more than 2048"
            );
            report.at_key(
                &offering.path(),
                &offering.node,
                "tags",
                message,
                "leave some out",
            );
        }
    }
}

/// `extension-clash`.
pub(super) fn extension_clash(draft: &Draft<'_>, report: &mut Report<'_>) {
    for offering in draft.offered() {
        clashes(&OFFERING, &offering.path(), &offering.node, report);
    }
    for (_, plan) in draft.plans() {
        clashes(&PLAN, &plan.path, &plan.node, report);
    }
}

fn clashes(record: &'static Record, path: &Path, node: &Node, report: &mut Report<'_>) {
    let Some(extensions) = node.get("extensions").and_then(Node::as_map) else {
        return;
    };
    for entry in extensions
        .iter()
        .filter(|entry| record.key(&entry.key).is_some())
    {
        let message = format!("the extension `{}` has the name of a known key", entry.key);
        let mend = format!("write `{}` beside `extensions`, or rename it", entry.key);
        report.add(
            &path.key("extensions").key(&*entry.key),
            &entry.key_place,
            message,
            mend,
        );
    }
}

/// `permission-switched-on`.
pub(super) fn switched_on(draft: &Draft<'_>, report: &mut Report<'_>) {
    for offering in draft.offered() {
        for (index, item, word) in texts(&offering.node, "requires") {
            let setting = match word {
                "route_forwarding" => "route_services_enabled",
                "volume_mount" => "volume_services_enabled",
                _ => continue,
            };
            let message =
                format!("Cloud Foundry takes `{word}` only where that feature is switched on");
            let mend =
                format!("see that `{setting}` is set in that Cloud Foundry, then accept the rule");
            report.add(
                &offering.path().key("requires").index(index),
                &item.place,
                message,
                mend,
            );
        }
    }
}

/// `minimum-api-version`.
pub(super) fn minimum_api_version(draft: &Draft<'_>, report: &mut Report<'_>) {
    let message = match minimum(draft) {
        Some(Err(())) => "this is not a version of the form MAJOR.MINOR".to_owned(),
        Some(Ok(version)) if version.major != NEWEST.major || version > NEWEST => {
            format!("the broker speaks 2.0 to {NEWEST}, so no platform could be served")
        }
        _ => return,
    };
    let mend = "write a version in quotes: \"2.13\"";
    report.at_key(
        &Path::root(),
        draft.document,
        "minimum_api_version",
        message,
        mend,
    );
}

/// `minimum-api-version-platform`.
pub(super) fn minimum_api_version_platform(draft: &Draft<'_>, report: &mut Report<'_>) {
    if let Some(Ok(version)) = minimum(draft)
        && version > CLOUD_FOUNDRY
        && version <= NEWEST
    {
        let message =
            format!("a minimum of {version} locks Cloud Foundry out: it speaks {CLOUD_FOUNDRY}");
        let mend = "lower it to \"2.15\", or accept the rule where no Cloud Foundry is served";
        report.at_key(
            &Path::root(),
            draft.document,
            "minimum_api_version",
            message,
            mend,
        );
    }
}

fn minimum(draft: &Draft<'_>) -> Option<Result<ApiVersion, ()>> {
    let text = known_text(draft.document, "minimum_api_version")?;
    Some(ApiVersion::from_str(text).map_err(|_| ()))
}
