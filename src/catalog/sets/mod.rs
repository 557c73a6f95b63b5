//! The ready-made sets of statements: documents of the language like any other, put below what a plan says itself.

use std::sync::OnceLock;

use super::language::SETS;
use super::reading::resolve;
use crate::document::{Budget, Environment, Findings, Node, Sources, parse_bytes};

/// The text of each, in the order of [`SETS`].
const TEXTS: [&str; SETS.len()] = [
    include_str!("postgresql-database.yaml"),
    include_str!("postgresql-schema.yaml"),
    include_str!("postgresql-read-only.yaml"),
    include_str!("mysql-database.yaml"),
    include_str!("mysql-read-only.yaml"),
];

/// What a set says of a plan: `instance`, `binding`, and `statements` and `with` of its `backend`.
pub(crate) fn named(name: &str) -> Option<&'static Node> {
    static PLANS: OnceLock<Vec<(&str, Node)>> = OnceLock::new();
    let plans = PLANS.get_or_init(|| {
        let texts = SETS.iter().zip(TEXTS);
        texts
            .filter_map(|(name, text)| Some((*name, plan(name, text)?)))
            .collect()
    });
    let found = plans.iter().find(|(known, _)| *known == name);
    found.map(|(_, plan)| plan)
}

fn plan(name: &str, text: &str) -> Option<Node> {
    let mut document = parse_bytes(name, text.as_bytes(), &Budget::default()).ok()?;
    let sources = Sources::new(Environment::default(), Vec::new());
    resolve::resolve(&mut document, &sources, &mut Findings::default());
    let offering = document.get("services")?.as_list()?.first()?;
    offering.get("plans")?.as_list()?.first().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_can_be_read() {
        for name in SETS {
            let plan = named(name).expect(name);
            for kind in ["provision", "update", "deprovision", "bind", "unbind"] {
                // There an instance is nothing on the server.
                if (name, kind) == (&"mysql/read-only", "deprovision") {
                    continue;
                }
                let statements = plan
                    .get("backend")
                    .and_then(|backend| backend.get("statements"));
                let steps = statements.and_then(|statements| statements.get(kind)?.as_list());
                assert!(
                    steps.is_some_and(|steps| !steps.is_empty()),
                    "{name}: {kind}"
                );
            }
        }
        assert!(named("postgresql/nothing").is_none());
    }
}
