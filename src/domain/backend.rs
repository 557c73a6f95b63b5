//! The door to what carries an operation out in the world.
//!
//! A plan owns its backend: after the look-up nobody needs a registry.

use std::fmt;

use super::operation::Operation;

/// What carries an operation out.
pub trait Backend: fmt::Debug + Send + Sync {
    /// The word for it in the document.
    fn kind(&self) -> &'static str;

    /// What comes of an operation.
    fn carry_out(&self, operation: &Operation) -> Outcome;
}

/// What came of an operation. Backends that act in the world will add theirs (refused, failed, again).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and was done at once: recorded and finished in one transaction.
    Done,
}
