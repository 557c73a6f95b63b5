//! What an operator does to operations that will not end by themselves, each step inside the transaction that is open.

use super::changes;
use super::error::StepError;
use super::jobs::{lock_subject, subject};
use super::ledger::{entry_columns, read_entry};
use super::transaction::Transaction;
use super::values::values;
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::ledger::{Entry, Stepped};
use crate::domain::operation::{Operation, Report, State, Subject};
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::store::seal::Cell;

/// The operation, locked until the transaction is over.
async fn lock(database: &Transaction<'_>, id: &OperationId) -> Result<Option<Entry>, StepError> {
    let row = database
        .find(
            concat!(
                "SELECT ",
                entry_columns!(),
                " FROM broker_operations WHERE id = $1 ORDER BY binding_id LIMIT 1 FOR UPDATE"
            ),
            values![id.as_str()],
        )
        .await?;
    row.map(|row| read_entry(&mut database.columns(&row)))
        .transpose()
}

/// What an operation that waits for its next attempt is told: that it is due.
pub(super) async fn retry(
    database: &Transaction<'_>,
    id: &OperationId,
    now: Timestamp,
) -> Result<Stepped, StepError> {
    let Some(found) = lock(database, id).await? else {
        return Ok(Stepped::Absent);
    };
    if found.operation.state != State::InProgress {
        return Ok(Stepped::Over(found.operation.state));
    }
    let until = found.due_at.unwrap_or(now);
    if let Some(owner) = found.owner.filter(|_| until > now) {
        return Ok(Stepped::Leased { owner, until });
    }
    // Before its first attempt it rests for one reason only: what it takes over from may still act.
    if found.attempt == 0 && until > now {
        return Ok(Stepped::Waits(until));
    }
    // Its owner's lease has run out: what that gives back later is not its own any more.
    database
        .execute(
            "UPDATE broker_operations SET owner = NULL, due_at = $1, tries = 0 WHERE id = $2 AND state = 'in progress'",
            values![now.0, id.as_str()],
        )
        .await?;
    Ok(Stepped::Done)
}

pub(super) async fn give_up(
    database: &Transaction<'_>,
    id: &OperationId,
    report: &Secret<Report>,
    now: Timestamp,
) -> Result<Stepped, StepError> {
    if lock_subject(database, id).await?.is_none() {
        return Ok(Stepped::Absent);
    }
    let Some(found) = lock(database, id).await? else {
        return Ok(Stepped::Absent);
    };
    if found.operation.state != State::InProgress {
        return Ok(Stepped::Over(found.operation.state));
    }
    let report = database.packed(Cell::Report(id, &found.operation.subject), report)?;
    // The owner stays: its lease counts until it is given back, as that of a cancelled one.
    database
        .execute(
            "UPDATE broker_operations SET state = 'failed', finished_at = $1, report = $2
             WHERE id = $3 AND state = 'in progress'",
            values![now.0, report, id.as_str()],
        )
        .await?;
    fail(database, &found.operation, now).await?;
    Ok(Stepped::Done)
}

/// What the operation was about stands where a failed one leaves it.
async fn fail(
    database: &Transaction<'_>,
    operation: &Operation,
    now: Timestamp,
) -> Result<(), StepError> {
    let id = operation.id.as_str();
    match &operation.subject {
        Subject::Instance(instance) => {
            database
                .execute(
                    "UPDATE broker_instances SET state = 'failed', version = version + 1, updated_at = $1
                     WHERE id = $2 AND operation = $3",
                    values![now.0, instance.as_str(), id],
                )
                .await?
        }
        Subject::Binding(instance, binding) => {
            database
                .execute(
                    "UPDATE broker_bindings SET state = 'failed'
                     WHERE instance_id = $1 AND id = $2 AND operation = $3",
                    values![instance.as_str(), BindingId::as_str(binding), id],
                )
                .await?
        }
    };
    Ok(())
}

/// Takes an instance and its bindings away. They go before what is in progress on them ends: the end of an attempt at a
/// binding locks the binding first, too.
pub(super) async fn forget(
    database: &Transaction<'_>,
    id: &InstanceId,
    by: &Operation,
) -> Result<Option<u64>, StepError> {
    if changes::lock_instance(database, id).await?.is_none() {
        return Ok(None);
    }
    let row = database
        .find(
            "SELECT count(*) FROM broker_bindings WHERE instance_id = $1",
            values![id.as_str()],
        )
        .await?;
    let bindings = row.map_or(Ok(0), |row| database.columns(&row).count())?;
    changes::delete_instance(database, id, by).await?;
    end_all(database, id, by.started_at).await?;
    changes::record(database, by).await?;
    Ok(Some(bindings))
}

/// What was to be taken away is gone, so that is how its platform's polls end; all else came to nothing.
async fn end_all(
    database: &Transaction<'_>,
    id: &InstanceId,
    now: Timestamp,
) -> Result<(), StepError> {
    let running = database
        .query(
            "SELECT id, instance_id, binding_id FROM broker_operations
             WHERE instance_id = $1 AND state = 'in progress' ORDER BY id FOR UPDATE",
            values![id.as_str()],
        )
        .await?;
    let report = Secret::new(Report::of("The operator of the broker has forgotten it."));
    for row in &running {
        let mut columns = database.columns(row);
        let operation = OperationId::parse(columns.text()?)?;
        let subject = subject(&mut columns)?;
        database
            .execute(
                "UPDATE broker_operations
                 SET state = CASE WHEN kind IN ('deprovision', 'unbind') THEN 'succeeded' ELSE 'failed' END,
                     finished_at = $1, report = $2
                 WHERE id = $3 AND binding_id = $4 AND state = 'in progress'",
                values![
                    now.0,
                    database.packed(Cell::Report(&operation, &subject), &report)?,
                    operation.as_str(),
                    subject.binding().map_or("", BindingId::as_str),
                ],
            )
            .await?;
    }
    Ok(())
}
