//! JSON schemas of parameters.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::Report;
use crate::catalog::draft::Draft;
use crate::document::{Node, Path};
use crate::domain::schema::Schema;

/// The drafts from 4 on.
const DRAFTS: [&str; 5] = [
    "json-schema.org/draft-04/schema",
    "json-schema.org/draft-06/schema",
    "json-schema.org/draft-07/schema",
    "json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft/2020-12/schema",
];

const DRAFT_4: &str = "write `$schema: http://json-schema.org/draft-04/schema#`";

/// What may stand in `schemas`, two steps deep.
const ACTIONS: [(&str, &[&str]); 2] = [
    ("service_instance", &["create", "update"]),
    ("service_binding", &["create"]),
];

/// `schemas-key`.
pub(super) fn keys(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (_, plan) in draft.plans() {
        let Some(schemas) = plan.node.get("schemas") else {
            continue;
        };
        let path = plan.path.key("schemas");
        unread(schemas, &path, &ACTIONS.map(|(of, _)| of), report);
        for (of, actions) in ACTIONS {
            let Some(node) = schemas.get(of) else {
                continue;
            };
            unread(node, &path.key(of), actions, report);
            for action in actions {
                if let Some(node) = node.get(action) {
                    unread(node, &path.key(of).key(*action), &["parameters"], report);
                }
            }
        }
    }
}

fn unread(node: &Node, path: &Path, known: &[&str], report: &mut Report<'_>) {
    let entries = node
        .as_map()
        .into_iter()
        .flat_map(crate::document::Map::iter);
    for entry in entries.filter(|entry| !known.contains(&&*entry.key)) {
        let message = format!("`{}` is published, but nobody reads it", entry.key);
        let mend = format!("known here: {}", known.join(", "));
        report.add(
            &path.key(std::sync::Arc::clone(&entry.key)),
            &entry.key_place,
            message,
            mend,
        );
    }
}

/// Each schema once: what is inherited stands once.
fn each(draft: &Draft<'_>, mut look: impl FnMut(&Path, &Node)) {
    let mut seen = HashSet::new();
    for (_, plan) in draft.plans() {
        let Some(schemas) = plan.node.get("schemas") else {
            continue;
        };
        for (of, actions) in ACTIONS {
            for action in actions {
                let node = schemas
                    .get(of)
                    .and_then(|node| node.get(action)?.get("parameters"));
                let node = node.filter(|node| node.as_map().is_some());
                if let Some(node) = node.filter(|node| seen.insert(node.place.clone())) {
                    let path = plan
                        .path
                        .key("schemas")
                        .key(of)
                        .key(*action)
                        .key("parameters");
                    look(&path, node);
                }
            }
        }
    }
}

/// `schema-declares-draft`.
pub(super) fn declares_draft(draft: &Draft<'_>, report: &mut Report<'_>) {
    each(draft, |path, node| {
        if node.get("$schema").is_none() {
            report.add(
                path,
                &node.place,
                "the schema does not say with `$schema` which draft it is of",
                DRAFT_4,
            );
        }
    });
}

/// `schema-known-draft`.
pub(super) fn known_draft(draft: &Draft<'_>, report: &mut Report<'_>) {
    each(draft, |path, node| {
        if node.get("$schema").is_some() && declared(node).is_none() {
            let message =
                "this names no draft from 4 on, and Cloud Foundry refuses other metaschemas";
            report.at_key(path, node, "$schema", message, DRAFT_4);
        }
    });
}

/// `schema-draft`.
pub(super) fn draft(draft: &Draft<'_>, report: &mut Report<'_>) {
    each(draft, |path, node| {
        if declared(node).is_some_and(|draft| draft > 0) {
            let message = "drafts later than 4 are experimental in Cloud Foundry";
            let mend = format!("{DRAFT_4}, or accept the rule");
            report.at_key(path, node, "$schema", message, mend);
        }
    });
}

/// Which of the drafts a schema declares.
fn declared(node: &Node) -> Option<usize> {
    let text = node.get("$schema")?.as_text()?;
    let text = text.strip_suffix('#').unwrap_or(text);
    let text = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"))?;
    DRAFTS.iter().position(|draft| *draft == text)
}

/// `schema-external-reference`.
pub(super) fn external_reference(draft: &Draft<'_>, report: &mut Report<'_>) {
    each(draft, |path, node| external(node, path, report));
}

fn external(node: &Node, path: &Path, report: &mut Report<'_>) {
    for (index, item) in node.as_list().unwrap_or_default().iter().enumerate() {
        external(item, &path.index(index), report);
    }
    for entry in node
        .as_map()
        .into_iter()
        .flat_map(crate::document::Map::iter)
    {
        let path = path.key(std::sync::Arc::clone(&entry.key));
        match (&*entry.key, entry.node.as_text()) {
            ("$ref" | "$dynamicRef" | "$recursiveRef", Some(target))
                if !target.starts_with('#') =>
            {
                let message = "the schema refers to what stands elsewhere";
                let mend = "copy it into `definitions` and refer to `#/definitions/NAME`";
                report.add(&path, &entry.node.place, message, mend);
            }
            ("enum" | "const" | "default" | "examples", _) => {}
            _ => external(&entry.node, &path, report),
        }
    }
}

/// `schema-size`.
pub(super) fn size(draft: &Draft<'_>, report: &mut Report<'_>) {
    each(draft, |path, node| {
        let size = node.to_json().to_string().len();
        if size > 64 * 1024 {
            let message = format!("as JSON the schema has {size} bytes; at most 65536 are allowed");
            report.add(
                path,
                &node.place,
                message,
                "leave descriptions out, or ask for less",
            );
        }
    });
}

/// `schema-valid`.
pub(super) fn valid(draft: &Draft<'_>, report: &mut Report<'_>) {
    each(draft, |path, node| {
        let has_external =
            |json: &Json| json.to_string().contains("$ref\":\"") && has_external(node);
        let json = node.to_json();
        if declared(node).is_none() || has_external(&json) {
            return;
        }
        if let Err(sentence) = Schema::compile(&json) {
            let message = format!("this is no valid JSON schema: {sentence}");
            report.add(
                path,
                &node.place,
                message,
                "mend the schema; its draft says what may stand there",
            );
        }
    });
}

fn has_external(node: &Node) -> bool {
    let list = node.as_list().unwrap_or_default().iter();
    let map = node
        .as_map()
        .into_iter()
        .flat_map(crate::document::Map::iter);
    map.clone().any(|entry| {
        &*entry.key == "$ref"
            && entry
                .node
                .as_text()
                .is_some_and(|target| !target.starts_with('#'))
    }) || list.chain(map.map(|entry| &entry.node)).any(has_external)
}
