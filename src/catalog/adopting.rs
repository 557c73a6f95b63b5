//! Whether a merged plan adopts: `adopt`.

use crate::document::{Node, Value};
use crate::domain::offering::Adopt;
use crate::domain::time::Timestamp;
use crate::template::time::parse_utc;

const DAY_MS: i64 = 86_400_000;

/// What is wrong with an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoEnd {
    /// There is none in the map.
    Missing,
    /// It is no date and no time.
    Unreadable,
}

/// What the plan says.
pub(crate) fn adopt(plan: &Node) -> Result<Adopt, NoEnd> {
    let Some(node) = plan.get("adopt") else {
        return Ok(Adopt::Never);
    };
    match &node.value {
        Value::Map(_) => {
            let text = node.get("until").and_then(Node::as_text);
            let end = end_of(text.ok_or(NoEnd::Missing)?);
            end.map(Adopt::Until).ok_or(NoEnd::Unreadable)
        }
        _ if node.as_bool() == Some(true) => Ok(Adopt::Always),
        _ => Ok(Adopt::Never),
    }
}

/// The end of a date or a time; a date counts to its end.
pub(crate) fn end_of(text: &str) -> Option<Timestamp> {
    let end = match text.len() {
        10 => parse_utc(&format!("{text}T00:00:00Z")).map(|begin| begin + DAY_MS),
        _ => parse_utc(text),
    };
    end.map(Timestamp)
}
