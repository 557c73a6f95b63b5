//! How a merged plan answers: `respond`, `answer_within`, `poll_every`, `max_attempts`.

use std::time::Duration;

use crate::document::measure::duration;
use crate::document::{Node, Value};
use crate::domain::operation::Kind;
use crate::domain::respond::{Respond, Responding};

/// How long a platform polls where a plan may answer later and says nothing else, in seconds: as long as ten attempts
/// of ten minutes may take. Without it Cloud Foundry polls for a week.
pub(crate) const POLLING: u64 = 7200;

/// What the plan says, over the defaults.
pub(crate) fn responding(plan: &Node) -> Responding {
    let mut responding = Responding::default();
    if let Some(node) = plan.get("respond") {
        for kind in Kind::ALL {
            let said = node.get(kind.name()).unwrap_or(node);
            if let Some(respond) = said.as_text().and_then(word) {
                responding.set(kind, respond);
            }
        }
    }
    if let Some(time) = plan.get("answer_within").and_then(time) {
        responding.answer_within = time;
    }
    responding.poll_every = plan.get("poll_every").and_then(time);
    if let Some(attempts) = number(plan, "max_attempts") {
        responding.max_attempts = u32::try_from(attempts).unwrap_or(u32::MAX).max(1);
    }
    responding
}

/// Whether any operation of the plan may be answered with 202.
pub(crate) fn may_answer_later(plan: &Node) -> bool {
    let responding = responding(plan);
    Kind::ALL.into_iter().any(|kind| match responding.to(kind) {
        Respond::Async => true,
        Respond::Auto => carries_out(plan, kind),
        Respond::Sync => false,
    })
}

/// Whether a bind of the plan may be answered with 202.
pub(crate) fn may_bind_later(plan: &Node) -> bool {
    match responding(plan).to(Kind::Bind) {
        Respond::Async => true,
        Respond::Auto => carries_out(plan, Kind::Bind),
        Respond::Sync => false,
    }
}

/// Whether the plan's backend acts for this kind of operation.
fn carries_out(plan: &Node, kind: Kind) -> bool {
    let kinds = plan.get("backend").and_then(Node::as_map);
    kinds
        .into_iter()
        .flat_map(crate::document::Map::iter)
        .filter(|entry| acting(&entry.key))
        .any(|entry| {
            if &*entry.key == "sql" {
                let statements = entry.node.get("statements");
                let steps = statements.and_then(|all| all.get(kind.name())?.as_list());
                return kind == Kind::Bind || steps.is_some_and(|steps| !steps.is_empty());
            }
            let named = entry.node.get("operations").and_then(Node::as_list);
            named.is_none_or(|words| words.iter().any(|word| word.as_text() == Some(kind.name())))
        })
}

/// Whether a backend acts for the plan.
pub(crate) fn acts(plan: &Node) -> bool {
    plan.get("backend")
        .and_then(Node::as_map)
        .is_some_and(|kinds| kinds.iter().any(|entry| acting(&entry.key)))
}

/// Whether a key of `backend` is a kind that acts: what a pool lends and takes back is the store's work.
fn acting(key: &str) -> bool {
    !["fixed", "pool", "use", "statements", "with"].contains(&key)
}

/// A time, as text or as seconds.
pub(crate) fn time(node: &Node) -> Option<Duration> {
    match &node.value {
        Value::Number(seconds) => seconds.as_u64().map(Duration::from_secs),
        _ => duration(node.as_text()?),
    }
}

/// A whole number.
pub(crate) fn number(node: &Node, key: &str) -> Option<u64> {
    node.get(key)?.to_json().as_u64()
}

fn word(text: &str) -> Option<Respond> {
    match text {
        "sync" => Some(Respond::Sync),
        "async" => Some(Respond::Async),
        "auto" => Some(Respond::Auto),
        _ => None,
    }
}
