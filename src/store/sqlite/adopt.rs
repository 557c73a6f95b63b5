//! What was made elsewhere: recorded as it is said to be, unless it is known to be gone.

use super::changes;
use super::database::Database;
use super::rows::{self, RowError};
use crate::domain::binding::Binding;
use crate::domain::instance::Instance;
use crate::domain::operation::{Operation, Subject};
use crate::domain::store::Begun;

pub(super) fn instance(
    connection: &Database,
    instance: &Instance,
    operation: &Operation,
) -> Result<Begun, RowError> {
    let begun = changes::insert_instance(connection, instance, None)?;
    if matches!(begun, Begun::Done) && is_gone(connection, &operation.subject)? {
        changes::delete_instance(connection, &instance.id, operation)?;
        return Ok(Begun::Absent);
    }
    Ok(begun)
}

pub(super) fn binding(
    connection: &Database,
    binding: &Binding,
    expected_version: i64,
) -> Result<Begun, RowError> {
    let begun = changes::insert_binding(connection, binding, expected_version, None)?;
    let subject = Subject::Binding(binding.instance_id.clone(), binding.id.clone());
    if matches!(begun, Begun::Done) && is_gone(connection, &subject)? {
        changes::delete_binding(
            connection,
            &binding.instance_id,
            &binding.id,
            binding.created_at,
        )?;
        return Ok(Begun::Absent);
    }
    Ok(begun)
}

/// There was nothing, and yet operations are remembered: the last one took it away, or never made it.
fn is_gone(connection: &Database, subject: &Subject) -> Result<bool, RowError> {
    Ok(rows::operation(connection, subject, None)?.is_some())
}
