//! Secrets in plain text: whoever reads the repository that the catalog lives in, reads them.

use super::Report;
use crate::catalog::draft::Draft;
use crate::catalog::trail::Trail;
use crate::document::{Map, Node, Origin, Path, Text, Value};

/// Words in a key that say that its value is a secret.
const WORDS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "private_key",
    "access_key",
    "credential",
];

/// `plain-secret`.
pub(super) fn plain(draft: &Draft<'_>, report: &mut Report<'_>) {
    for offering in draft.offered() {
        if let Some(client) = offering.node.get("dashboard_client") {
            let path = offering.path();
            let path = path.key("dashboard_client");
            look(client, false, &Trail::Root(path.steps()), report);
        }
    }
    if let Some(derive) = draft.document.get("derive") {
        keys(derive, &Trail::ROOT.key("derive"), report);
    }
    for (_, plan) in draft.plans() {
        if let Some(derive) = plan.node.get("derive") {
            let trail = Trail::Root(plan.path.steps());
            keys(derive, &trail.key("derive"), report);
        }
        for key in ["values", "instance", "binding", "backend"] {
            if let Some(node) = plan.node.get(key) {
                let trail = Trail::Root(plan.path.steps());
                look(node, false, &trail.key(key), report);
            }
        }
    }
}

/// Whatever they are called.
fn keys(derive: &Node, trail: &Trail<'_>, report: &mut Report<'_>) {
    let keys = derive.get("keys").and_then(Node::as_map);
    let trail = trail.key("keys");
    for entry in keys.into_iter().flat_map(Map::iter) {
        look(&entry.node, true, &trail.key(&entry.key), report);
    }
}

fn look(node: &Node, is_secret: bool, trail: &Trail<'_>, report: &mut Report<'_>) {
    match &node.value {
        Value::Map(map) => {
            for entry in map {
                let is_secret = sounds_secret(&entry.key) && !is_structure(&entry.node);
                look(&entry.node, is_secret, &trail.key(&entry.key), report);
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                look(item, is_secret, &trail.index(index), report);
            }
        }
        Value::Text(Text::Literal(text)) if node.origin == Origin::File => {
            if is_secret && !text.is_empty() {
                tell(
                    node,
                    &trail.path(),
                    "this looks like a secret in plain text",
                    report,
                );
            } else if has_password(text) {
                tell(
                    node,
                    &trail.path(),
                    "this URI has a password in plain text",
                    report,
                );
            }
        }
        Value::Number(_) if is_secret && node.origin == Origin::File => {
            tell(
                node,
                &trail.path(),
                "this looks like a secret in plain text",
                report,
            );
        }
        _ => {}
    }
}

fn tell(node: &Node, path: &Path, message: &str, report: &mut Report<'_>) {
    let mend = "let a reference bring it in: ${file:/run/secrets/NAME} or ${NAME}; or make one with {{ random_password(32) }} in `values`";
    report.add(path, &node.place, message, mend);
}

fn is_structure(node: &Node) -> bool {
    matches!(node.value, Value::Map(_))
}

fn sounds_secret(key: &str) -> bool {
    let key = key.to_lowercase().replace('-', "_");
    let names_a_key = key == "key" || key.ends_with("_key");
    (names_a_key && !key.contains("public")) || WORDS.iter().any(|word| key.contains(word))
}

/// `scheme://user:password@host`.
fn has_password(text: &str) -> bool {
    let authority = text.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    user.split_once(':')
        .is_some_and(|(_, password)| !password.is_empty())
}
