//! What a failed update leaves: whether the instance can still be used, and whether the same may be asked again.

use super::dialect::Dialect;
use super::steps::Step;
use super::trouble::Trouble;
use crate::domain::backend::Outcome;

/// Says of an outcome what is known. Of statements that are one transaction nothing stays where one fails, whichever attempt
/// it was, if the server knows such transactions; of all others nobody knows, and the platform takes the instance for usable.
pub(super) fn mark(outcome: &mut Outcome, trouble: &Trouble, dialect: Dialect, steps: &[Step]) {
    if let Outcome::Failed(failure) | Outcome::Refused(failure) = outcome {
        if dialect.is_all_or_nothing() && is_one_transaction(steps) {
            failure.instance_usable = Some(true);
        }
        failure.update_repeatable = Some(!trouble.is_of_values());
    }
}

fn is_one_transaction(steps: &[Step]) -> bool {
    let alone = |step: &Step| step.transaction && step.database.is_none();
    steps.iter().all(alone)
}
