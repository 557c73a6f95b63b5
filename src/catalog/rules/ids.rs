//! Ids and names: unique, and of a form that does no harm.

use std::collections::HashMap;

use super::Report;
use crate::catalog::draft::Draft;
use crate::document::{Node, Path, Place};

const NEW_ID: &str = "an id never changes, so give the newer of the two a new one";

/// An id or a name where it stands.
struct Named<'a> {
    path: Path,
    place: &'a Place,
    text: &'a str,
}

fn named<'a>(path: &Path, node: &'a Node, key: &str) -> Option<Named<'a>> {
    let node = node.get(key)?;
    let text = node.as_text().filter(|text| !text.trim().is_empty())?;
    Some(Named {
        path: path.key(key),
        place: &node.place,
        text,
    })
}

/// Each text once; what comes again is told with where it was first.
fn unique<'a>(
    all: impl Iterator<Item = Named<'a>>,
    report: &mut Report<'_>,
    what: &str,
    mend: &dyn Fn() -> String,
) {
    let mut first: HashMap<&str, Path> = HashMap::new();
    for named in all {
        match first.get(named.text) {
            Some(other) => report.add(
                &named.path,
                named.place,
                format!(
                    "the {what} `{}` is used twice: {other} has it too",
                    named.text
                ),
                mend(),
            ),
            None => {
                first.insert(named.text, named.path);
            }
        }
    }
}

/// `service-id-unique`.
pub(super) fn services(draft: &Draft<'_>, report: &mut Report<'_>) {
    let mend = || format!("{NEW_ID}: {}", (draft.guid)());
    unique(service_ids(draft), report, "service id", &mend);
}

/// `service-name-unique`.
pub(super) fn service_names(draft: &Draft<'_>, report: &mut Report<'_>) {
    let names = draft
        .offered()
        .filter_map(|offering| named(&offering.path(), &offering.node, "name"));
    unique(names, report, "service name", &|| {
        "give one of the two another name".to_owned()
    });
}

/// `plan-id-unique`: over all offerings, also of plans that are not offered, for their instances live on.
pub(super) fn plans(draft: &Draft<'_>, report: &mut Report<'_>) {
    let mend = || format!("{NEW_ID}: {}", (draft.guid)());
    unique(plan_ids(draft), report, "plan id", &mend);
}

/// `plan-name-unique`.
pub(super) fn plan_names(draft: &Draft<'_>, report: &mut Report<'_>) {
    for offering in draft.offered() {
        let plans = offering.plans.iter().filter(|plan| plan.offered);
        let names = plans.filter_map(|plan| named(&plan.path, &plan.node, "name"));
        unique(names, report, "plan name", &|| {
            "give one of the two another name".to_owned()
        });
    }
}

/// `dashboard-client-unique`.
pub(super) fn dashboard_clients(draft: &Draft<'_>, report: &mut Report<'_>) {
    let clients = draft.offered().filter_map(|offering| {
        let path = offering.path().key("dashboard_client");
        named(&path, offering.node.get("dashboard_client")?, "id")
    });
    unique(clients, report, "dashboard client's id", &|| {
        "give each offering a client of its own".to_owned()
    });
}

/// `id-case`.
pub(super) fn case(draft: &Draft<'_>, report: &mut Report<'_>) {
    let mut first: HashMap<String, (&str, Path)> = HashMap::new();
    for id in service_ids(draft).chain(plan_ids(draft)) {
        let (other, path) = first
            .entry(id.text.to_lowercase())
            .or_insert((id.text, id.path.clone()));
        if *other != id.text {
            let message = format!("the id `{}` is the id of {path} in other case", id.text);
            report.add(
                &id.path,
                id.place,
                message,
                "ids are told apart by case, and people do not: use another one",
            );
        }
    }
}

/// `id-characters`.
pub(super) fn characters(draft: &Draft<'_>, report: &mut Report<'_>) {
    for id in service_ids(draft).chain(plan_ids(draft)) {
        if id.text.chars().any(char::is_control) {
            let mend = format!("use a GUID: {}", (draft.guid)());
            report.add(&id.path, id.place, "the id has a control character", mend);
        }
    }
}

/// `id-guid`.
pub(super) fn guid(draft: &Draft<'_>, report: &mut Report<'_>) {
    for (path, node) in draft.entries() {
        if let Some(id) = named(&path, node, "id").filter(|id| !is_guid(id.text)) {
            let message = format!(
                "the id `{}` is no GUID, so another broker may use it too",
                id.text
            );
            let mend = format!(
                "of what no platform knows yet: {}; else accept the rule, for an id never changes",
                (draft.guid)()
            );
            report.add(&id.path, id.place, message, mend);
        }
    }
}

fn is_guid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

fn service_ids<'a>(draft: &'a Draft<'_>) -> impl Iterator<Item = Named<'a>> {
    draft
        .offerings
        .iter()
        .filter_map(|offering| named(&offering.path(), &offering.node, "id"))
}

fn plan_ids<'a>(draft: &'a Draft<'_>) -> impl Iterator<Item = Named<'a>> {
    let plans = draft.offerings.iter().flat_map(|offering| &offering.plans);
    plans.filter_map(|plan| named(&plan.path, &plan.node, "id"))
}
