//! What was made elsewhere: recorded as it is said to be, unless it is known to be gone. Its row is there first: who takes
//! one of the same id away is waited for, and remembered by then.

use super::error::StepError;
use super::transaction::Transaction;
use super::{changes, rows};
use crate::domain::binding::Binding;
use crate::domain::instance::Instance;
use crate::domain::operation::{Operation, Subject};
use crate::domain::store::Begun;

pub(super) async fn instance(
    database: &Transaction<'_>,
    instance: &Instance,
    operation: &Operation,
) -> Result<Begun, StepError> {
    let begun = changes::insert_instance(database, instance).await?;
    if matches!(begun, Begun::Done) && is_gone(database, &operation.subject).await? {
        changes::delete_instance(database, &instance.id, operation).await?;
        return Ok(Begun::Absent);
    }
    Ok(begun)
}

pub(super) async fn binding(
    database: &Transaction<'_>,
    binding: &Binding,
    expected_version: i64,
) -> Result<Begun, StepError> {
    let begun = changes::insert_binding(database, binding, (expected_version, None), &[]).await?;
    let subject = Subject::Binding(binding.instance_id.clone(), binding.id.clone());
    if matches!(begun, Begun::Done) && is_gone(database, &subject).await? {
        changes::delete_binding(
            database,
            &binding.instance_id,
            &binding.id,
            binding.created_at,
        )
        .await?;
        return Ok(Begun::Absent);
    }
    Ok(begun)
}

/// There was nothing, and yet operations are remembered: the last one took it away, or never made it.
async fn is_gone(database: &Transaction<'_>, subject: &Subject) -> Result<bool, StepError> {
    Ok(rows::operation(database, subject, None).await?.is_some())
}
