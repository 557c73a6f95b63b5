//! The latest lines of operations, in memory, for who looks at one: what a store does not remember of attempts.
//!
//! Of this process only, since its start, and of a fixed size: what is older goes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::id::OperationId;
use super::time::Timestamp;

/// Of how many operations lines are kept.
const OPERATIONS: usize = 2000;

/// How many lines of each: the first few and the last.
const LINES: usize = 30;

/// How long a line may be, in characters.
const LONGEST: usize = 1000;

/// The latest lines of operations.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Kept>);

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// What was said.
    pub text: String,
}

#[derive(Debug, Default)]
struct Kept {
    lines: HashMap<OperationId, VecDeque<Line>>,
    /// The operations in the order of their first lines.
    order: VecDeque<OperationId>,
}

impl Recent {
    /// Keeps a line of an operation.
    pub fn note(&self, operation: &OperationId, at: Timestamp, text: String) {
        let text = if text.chars().count() > LONGEST {
            text.chars().take(LONGEST).chain(['…']).collect()
        } else {
            text
        };
        let mut kept = self.kept();
        if !kept.lines.contains_key(operation) {
            kept.order.push_back(operation.clone());
            if kept.order.len() > OPERATIONS
                && let Some(oldest) = kept.order.pop_front()
            {
                kept.lines.remove(&oldest);
            }
        }
        let lines = kept.lines.entry(operation.clone()).or_default();
        lines.push_back(Line { at, text });
        if lines.len() > LINES {
            // How it began is told on; what is in the middle is like the rest.
            lines.remove(LINES / 2);
        }
    }

    /// The lines of an operation, the oldest first.
    pub fn of(&self, operation: &OperationId) -> Vec<Line> {
        let kept = self.kept();
        let lines = kept.lines.get(operation);
        lines.map_or_else(Vec::new, |lines| lines.iter().cloned().collect())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> OperationId {
        OperationId::parse(&format!("o{number}")).unwrap()
    }

    #[test]
    fn of_each_operation_the_first_and_the_last_lines_are_kept() {
        let recent = Recent::default();
        for number in 0..100 {
            recent.note(&id(1), Timestamp(number), number.to_string());
        }
        recent.note(&id(2), Timestamp(7), "x".repeat(5000));
        let lines = recent.of(&id(1));
        assert_eq!(lines.len(), LINES);
        assert_eq!(
            (lines[0].at, lines[LINES - 1].at),
            (Timestamp(0), Timestamp(99))
        );
        assert!(lines.is_sorted_by_key(|line| line.at));
        assert_eq!(recent.of(&id(2))[0].text.chars().count(), LONGEST + 1);
        assert!(recent.of(&id(3)).is_empty());
    }

    #[test]
    fn what_is_kept_has_a_fixed_size() {
        let recent = Recent::default();
        let most = u32::try_from(OPERATIONS).unwrap();
        for number in 0..most + 5 {
            recent.note(&id(number), Timestamp(0), String::new());
        }
        assert!(recent.of(&id(4)).is_empty());
        assert_eq!(recent.of(&id(5)).len(), 1);
        let kept = recent.kept();
        assert_eq!(
            (kept.lines.len(), kept.order.len()),
            (OPERATIONS, OPERATIONS)
        );
    }
}
