//! The statements of a plan, operation by operation.

use super::statement::Statement;
use crate::domain::operation::Kind;
use crate::template::Tree;

/// One statement, and how it is run.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is run.
    pub statement: Statement,
    /// Whether it runs in a transaction, with those beside it.
    pub transaction: bool,
    /// The database to run in; none is the one that the server's URL names.
    pub database: Option<Tree>,
    /// Asked before it, in the same place: without a row it is passed over.
    pub only_if: Option<Statement>,
    /// Asked before it, in the same place: with a row it is passed over.
    pub unless: Option<Statement>,
    /// Asked before it, in the same place: it is run once for each row, which it knows as `row`.
    pub each: Option<Statement>,
}

/// The statements of a plan.
#[derive(Clone, Debug, Default)]
pub struct Steps {
    /// By operation, in the order of [`Kind::ALL`].
    by_kind: [Vec<Step>; Kind::ALL.len()],
    /// The ready-made set that they are of, all or in part.
    pub set: Option<String>,
    /// `with`: what the operator sets, rendered anew for each attempt.
    pub with: Option<Tree>,
}

impl Steps {
    /// What is run for an operation.
    pub fn of(&self, kind: Kind) -> &[Step] {
        Kind::ALL
            .iter()
            .zip(&self.by_kind)
            .find_map(|(known, steps)| (*known == kind).then_some(steps.as_slice()))
            .unwrap_or_default()
    }

    /// Sets what is run for an operation.
    pub fn run_for(&mut self, kind: Kind, steps: Vec<Step>) {
        for (known, place) in Kind::ALL.iter().zip(&mut self.by_kind) {
            if *known == kind {
                *place = steps;
                return;
            }
        }
    }
}
