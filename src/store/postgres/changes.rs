//! Each change as the statements that decide its race.
//!
//! A change of an instance locks its row; a change of a binding shares that lock with its like, so that what it has seen
//! of the instance holds until it commits, and binds of one instance run beside each other.

use tokio_postgres::Row;

use super::error::StepError;
use super::transaction::Transaction;
use super::values::{Value, values};
use super::{adopt, guards, jobs, lendings, rows};
use crate::domain::binding::Binding;
use crate::domain::guard::Guard;
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::instance::Instance;
use crate::domain::operation::{Kind, Operation, Subject};
use crate::domain::store::{Act, Begun, Change};
use crate::domain::time::Timestamp;
use crate::store::seal::Cell;

/// An operation that is over; takes what [`recorded`] gives.
const RECORD: &str = "INSERT INTO broker_operations (id, kind, instance_id, binding_id, state, started_at, finished_at, turn)
     VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce((
         SELECT turn FROM broker_operations WHERE instance_id = $3 AND binding_id = $4
         ORDER BY turn DESC LIMIT 1), 0) + 1)";

/// Carries a change out inside the transaction that is open.
pub(super) async fn apply(database: &Transaction<'_>, change: &Change) -> Result<Begun, StepError> {
    if let Some(one_of) = change.one_of() {
        return lendings::lend(database, change, one_of).await;
    }
    if let Act::Provision {
        instance,
        replaces: None,
    } = &change.act
        && change.guards.is_empty()
        && change.job.is_none()
    {
        return provision(database, instance, &change.operation).await;
    }
    let subject = &change.operation.subject;
    let begun = match &change.act {
        Act::Provision {
            instance,
            replaces: None,
        } => match guards::full(database, &change.guards, subject).await? {
            Some(full) => unless_there(database, &change.act, Begun::Full(full)).await?,
            None => insert_instance(database, instance).await?,
        },
        Act::Provision {
            instance,
            replaces: Some(version),
        } => replace_instance(database, instance, *version).await?,
        Act::Adopt { instance } => adopt::instance(database, instance, &change.operation).await?,
        Act::AdoptBinding {
            binding,
            expected_version,
        } => adopt::binding(database, binding, *expected_version).await?,
        Act::Update {
            instance,
            expected_version,
        } => update_instance(database, change, instance, *expected_version).await?,
        Act::Deprovision { expected_version } => {
            begin_deprovision(database, change, *expected_version).await?
        }
        Act::Bind {
            binding,
            expected_version,
            replaces,
        } => {
            let seen = (*expected_version, replaces.as_ref());
            insert_binding(database, binding, seen, &change.guards).await?
        }
        Act::Unbind { expected } => begin_unbind(database, change, expected).await?,
    };
    if matches!(begun, Begun::Done) {
        match &change.job {
            None => record(database, &change.operation).await?,
            Some(job) => return jobs::record(database, &change.operation, job).await,
        }
    }
    Ok(begun)
}

/// A new instance and the operation that makes it at once, in one message: what most requests are that change anything.
async fn provision(
    database: &Transaction<'_>,
    instance: &Instance,
    operation: &Operation,
) -> Result<Begun, StepError> {
    let mut values = made(database, instance)?;
    values.extend([
        operation.id.as_str().into(),
        operation.kind.name().into(),
        operation.state.name().into(),
        operation.started_at.0.into(),
        operation.finished_at.map(|at| at.0).into(),
    ]);
    let made = database
        .execute_alone(
            "SELECT FROM broker_provision($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                                          $19) AS made
             WHERE made",
            &values,
        )
        .await?;
    if made > 0 {
        return Ok(Begun::Done);
    }
    there(database, &instance.id).await
}

/// Locks an instance until the transaction is over; its version, if it is there.
pub(super) async fn lock_instance(
    database: &Transaction<'_>,
    id: &InstanceId,
) -> Result<Option<i64>, StepError> {
    let row = database
        .find(
            "SELECT version FROM broker_instances WHERE id = $1 FOR UPDATE",
            values![id.as_str()],
        )
        .await?;
    row.map(|row| database.columns(&row).take()).transpose()
}

/// Holds an instance as it is until the transaction is over, beside others who do.
async fn hold_instance(
    database: &Transaction<'_>,
    id: &InstanceId,
) -> Result<Option<Row>, StepError> {
    database
        .find(
            "SELECT version, state FROM broker_instances WHERE id = $1 FOR SHARE",
            values![id.as_str()],
        )
        .await
}

/// Holds an instance for a bind, or locks it where its bindings are counted; its version, if it is there.
pub(super) async fn hold_for(
    database: &Transaction<'_>,
    id: &InstanceId,
    guards: &[Guard],
) -> Result<Option<i64>, StepError> {
    if guards::count_bindings(guards) {
        return lock_instance(database, id).await;
    }
    let row = hold_instance(database, id).await?;
    row.map(|row| database.columns(&row).take()).transpose()
}

pub(super) async fn insert_instance(
    database: &Transaction<'_>,
    instance: &Instance,
) -> Result<Begun, StepError> {
    let inserted = database
        .execute(
            "INSERT INTO broker_instances (id, service_id, plan_id, organization, space, operation, kind, state, backend,
                                           version, fingerprint, created_at, updated_at, details)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
             ON CONFLICT (id) DO NOTHING",
            &made(database, instance)?,
        )
        .await?;
    if inserted > 0 {
        return Ok(Begun::Done);
    }
    there(database, &instance.id).await
}

/// The values of a new instance's columns.
fn made<'a>(
    database: &Transaction<'_>,
    instance: &'a Instance,
) -> Result<Vec<Value<'a>>, StepError> {
    let last = &instance.last_operation;
    Ok(vec![
        instance.id.as_str().into(),
        instance.service_id.as_str().into(),
        instance.plan_id.as_str().into(),
        instance.organization.as_str().into(),
        instance.space.as_str().into(),
        last.id.as_str().into(),
        last.kind.name().into(),
        last.state.name().into(),
        instance.backend.as_deref().into(),
        instance.version.into(),
        instance.fingerprint.0.to_vec().into(),
        instance.created_at.0.into(),
        instance.updated_at.0.into(),
        database
            .packed(Cell::Instance(&instance.id), &instance.details)?
            .into(),
    ])
}

/// What stood in the way of a new instance; it may have gone since.
async fn there(database: &Transaction<'_>, id: &InstanceId) -> Result<Begun, StepError> {
    let there = rows::instance(database, id).await?;
    there.map_or(Err(StepError::Raced), |there| {
        Ok(Begun::InstanceThere(Box::new(there)))
    })
}

/// A failed one makes room, if it still is the one that was read.
async fn replace_instance(
    database: &Transaction<'_>,
    instance: &Instance,
    version: i64,
) -> Result<Begun, StepError> {
    match lock_instance(database, &instance.id).await? {
        None => Ok(Begun::Absent),
        Some(found) if found != version => Ok(Begun::Stale),
        Some(_) => {
            write_instance(database, instance, version).await?;
            Ok(Begun::Done)
        }
    }
}

/// What is there, and what has changed, speak before what is not to be had.
pub(super) async fn unless_there(
    database: &Transaction<'_>,
    act: &Act,
    otherwise: Begun,
) -> Result<Begun, StepError> {
    match act {
        Act::Provision {
            instance,
            replaces: None,
        } => Ok(match rows::instance(database, &instance.id).await? {
            Some(there) => Begun::InstanceThere(Box::new(there)),
            None => otherwise,
        }),
        // What failed is there, and in nobody's way as long as it is the one that was read.
        Act::Provision {
            instance,
            replaces: Some(version),
        } => Ok(match lock_instance(database, &instance.id).await? {
            None => Begun::Absent,
            Some(found) if found != *version => Begun::Stale,
            Some(_) => otherwise,
        }),
        Act::Bind {
            binding,
            expected_version,
            replaces: Some(failed),
        } => {
            let id = &binding.instance_id;
            let version = hold_for(database, id, &[]).await?;
            let there = rows::binding(database, id, &binding.id).await?;
            let same = there.is_some_and(|there| there.last_operation.id == *failed);
            let current = same && version == Some(*expected_version);
            Ok(if current { otherwise } else { Begun::Stale })
        }
        Act::Bind {
            binding,
            expected_version,
            replaces: None,
        } => {
            let id = &binding.instance_id;
            if let Some(there) = rows::binding(database, id, &binding.id).await? {
                return Ok(Begun::BindingThere(Box::new(there)));
            }
            Ok(match hold_for(database, id, &[]).await? {
                None => Begun::Absent,
                Some(version) if version != *expected_version => Begun::Stale,
                Some(_) => otherwise,
            })
        }
        _ => Ok(otherwise),
    }
}

async fn update_instance(
    database: &Transaction<'_>,
    change: &Change,
    instance: &Instance,
    expected_version: i64,
) -> Result<Begun, StepError> {
    let locked = lock_quiet(database, &instance.id, expected_version).await?;
    if matches!(locked, Begun::Done) {
        let subject = &change.operation.subject;
        if let Some(full) = guards::full(database, &change.guards, subject).await? {
            return Ok(Begun::Full(full));
        }
        write_instance(database, instance, expected_version).await?;
    }
    Ok(locked)
}

/// Locks an instance for a change; done where it has that version and no binding of it is in progress.
async fn lock_quiet(
    database: &Transaction<'_>,
    id: &InstanceId,
    expected_version: i64,
) -> Result<Begun, StepError> {
    let Some(version) = lock_instance(database, id).await? else {
        return Ok(Begun::Absent);
    };
    let busy = database
        .exists(
            "SELECT 1 FROM broker_bindings WHERE instance_id = $1 AND state = 'in progress' LIMIT 1",
            values![id.as_str()],
        )
        .await?;
    Ok(match busy {
        true => Begun::Busy,
        false if version != expected_version => Begun::Stale,
        false => Begun::Done,
    })
}

/// Everything that may change of an instance, if it has that version.
pub(super) async fn write_instance(
    database: &Transaction<'_>,
    instance: &Instance,
    expected_version: i64,
) -> Result<(), StepError> {
    let last = &instance.last_operation;
    database
        .execute(
            "UPDATE broker_instances SET plan_id = $1, operation = $2, kind = $3, state = $4, backend = $5, version = $6,
                                         updated_at = $7, details = $8
             WHERE id = $9 AND version = $10",
            values![
                instance.plan_id.as_str(),
                last.id.as_str(),
                last.kind.name(),
                last.state.name(),
                instance.backend.as_deref(),
                instance.version,
                instance.updated_at.0,
                database.packed(Cell::Instance(&instance.id), &instance.details)?,
                instance.id.as_str(),
                expected_version,
            ],
        )
        .await?;
    Ok(())
}

/// The instance goes at once, or is marked as going.
async fn begin_deprovision(
    database: &Transaction<'_>,
    change: &Change,
    expected_version: i64,
) -> Result<Begun, StepError> {
    let operation = &change.operation;
    let id = operation.subject.instance();
    let locked = lock_quiet(database, id, expected_version).await?;
    if !matches!(locked, Begun::Done) {
        return Ok(locked);
    }
    if change.job.is_none() {
        delete_instance(database, id, operation).await?;
        return Ok(Begun::Done);
    }
    database
        .execute(
            "UPDATE broker_instances SET operation = $1, kind = $2, state = $3, version = version + 1, updated_at = $4
             WHERE id = $5",
            values![
                operation.id.as_str(),
                operation.kind.name(),
                operation.state.name(),
                operation.started_at.0,
                id.as_str(),
            ],
        )
        .await?;
    Ok(Begun::Done)
}

/// The bindings that are left go first, each by an operation of its own, so that a poll for one finds its end.
pub(super) async fn delete_instance(
    database: &Transaction<'_>,
    id: &InstanceId,
    operation: &Operation,
) -> Result<(), StepError> {
    let bindings = database
        .query(
            "DELETE FROM broker_bindings WHERE instance_id = $1 RETURNING id",
            values![id.as_str()],
        )
        .await?;
    for row in &bindings {
        let binding = BindingId::parse(database.columns(row).text()?)?;
        let unbind = Operation {
            kind: Kind::Unbind,
            subject: Subject::Binding(id.clone(), binding),
            ..operation.clone()
        };
        record(database, &unbind).await?;
    }
    database
        .execute(
            "WITH returned AS (
                 UPDATE broker_lendings SET returned_at = $2 WHERE instance_id = $1 AND returned_at IS NULL)
             DELETE FROM broker_instances WHERE id = $1",
            values![id.as_str(), operation.started_at.0],
        )
        .await?;
    Ok(())
}

pub(super) async fn insert_binding(
    database: &Transaction<'_>,
    binding: &Binding,
    (expected_version, replaces): (i64, Option<&OperationId>),
    guards: &[Guard],
) -> Result<Begun, StepError> {
    let id = &binding.instance_id;
    let version = match hold_for(database, id, guards).await? {
        Some(version) => version,
        None if replaces.is_some() => return Ok(Begun::Stale),
        None => return Ok(Begun::Absent),
    };
    let current = version == expected_version;
    // A failed one makes room, if it still is the one that was read.
    if let Some(failed) = replaces
        && !(current
            && take_away(
                database,
                (&binding.instance_id, &binding.id),
                failed,
                binding.created_at,
            )
            .await?)
    {
        return Ok(Begun::Stale);
    }
    let mut full = None;
    if current {
        let subject = Subject::Binding(id.clone(), binding.id.clone());
        full = guards::full(database, guards, &subject).await?;
        if full.is_none() && add_binding(database, binding).await? {
            return Ok(Begun::Done);
        }
    }
    // What is there speaks before what has changed meanwhile.
    match rows::binding(database, &binding.instance_id, &binding.id).await? {
        Some(there) => Ok(Begun::BindingThere(Box::new(there))),
        None if current => full.map_or(Err(StepError::Raced), |full| Ok(Begun::Full(full))),
        None => Ok(Begun::Stale),
    }
}

/// Whether there was room for it.
async fn add_binding(database: &Transaction<'_>, binding: &Binding) -> Result<bool, StepError> {
    let last = &binding.last_operation;
    let (expires_at, told) = binding.ends_ms();
    let inserted = database
        .execute(
            "INSERT INTO broker_bindings (instance_id, id, service_id, plan_id, app_guid, operation, kind, state,
                                          fingerprint, created_at, details, expires_at, told, unbind_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $12)
             ON CONFLICT (instance_id, id) DO NOTHING",
            values![
                binding.instance_id.as_str(),
                binding.id.as_str(),
                binding.service_id.as_str(),
                binding.plan_id.as_str(),
                binding.app_guid.as_deref(),
                last.id.as_str(),
                last.kind.name(),
                last.state.name(),
                binding.fingerprint.0.to_vec(),
                binding.created_at.0,
                database.packed(Cell::Binding(&binding.instance_id, &binding.id), &binding.details)?,
                expires_at,
                i64::from(told),
            ],
        )
        .await?;
    Ok(inserted > 0)
}

/// Deletes a binding whose latest operation is this one; whether it was there.
pub(super) async fn take_away(
    database: &Transaction<'_>,
    (instance, id): (&InstanceId, &BindingId),
    expected: &OperationId,
    now: Timestamp,
) -> Result<bool, StepError> {
    database
        .exists(
            "WITH gone AS (
                 DELETE FROM broker_bindings WHERE instance_id = $1 AND id = $2 AND operation = $3
                 RETURNING instance_id, id
             ), returned AS (
                 UPDATE broker_lendings l SET returned_at = $4 FROM gone
                 WHERE l.instance_id = gone.instance_id AND l.binding_id = gone.id AND l.returned_at IS NULL)
             SELECT 1 FROM gone",
            values![instance.as_str(), id.as_str(), expected.as_str(), now.0],
        )
        .await
}

/// All that may change of a binding, if that operation is its latest.
pub(super) async fn write_binding(
    database: &Transaction<'_>,
    binding: &Binding,
    operation: &OperationId,
) -> Result<(), StepError> {
    database
        .execute(
            "UPDATE broker_bindings SET kind = $1, state = $2, details = $3
             WHERE instance_id = $4 AND id = $5 AND operation = $6",
            values![
                binding.last_operation.kind.name(),
                binding.last_operation.state.name(),
                database.packed(
                    Cell::Binding(&binding.instance_id, &binding.id),
                    &binding.details
                )?,
                binding.instance_id.as_str(),
                binding.id.as_str(),
                operation.as_str(),
            ],
        )
        .await?;
    Ok(())
}

/// Deletes a binding, whatever its latest operation.
pub(super) async fn delete_binding(
    database: &Transaction<'_>,
    instance: &InstanceId,
    id: &BindingId,
    now: Timestamp,
) -> Result<(), StepError> {
    database
        .execute(
            "WITH returned AS (
                 UPDATE broker_lendings SET returned_at = $3
                 WHERE instance_id = $1 AND binding_id = $2 AND returned_at IS NULL)
             DELETE FROM broker_bindings WHERE instance_id = $1 AND id = $2",
            values![instance.as_str(), id.as_str(), now.0],
        )
        .await?;
    Ok(())
}

/// The binding goes at once, or is marked as going.
async fn begin_unbind(
    database: &Transaction<'_>,
    change: &Change,
    expected: &OperationId,
) -> Result<Begun, StepError> {
    let Subject::Binding(instance, id) = &change.operation.subject else {
        return Ok(Begun::Absent);
    };
    if let Some(row) = hold_instance(database, instance).await? {
        let mut columns = database.columns(&row);
        columns.take::<i64>()?;
        if columns.text()? == "in progress" {
            return Ok(Begun::Busy);
        }
    }
    let changed = if change.job.is_none() {
        let now = change.operation.started_at;
        take_away(database, (instance, id), expected, now).await?
    } else {
        mark_binding(database, change, expected).await?
    };
    if changed {
        return Ok(Begun::Done);
    }
    let there = database
        .exists(
            "SELECT 1 FROM broker_bindings WHERE instance_id = $1 AND id = $2",
            values![instance.as_str(), id.as_str()],
        )
        .await?;
    Ok(if there { Begun::Stale } else { Begun::Absent })
}

async fn mark_binding(
    database: &Transaction<'_>,
    change: &Change,
    expected: &OperationId,
) -> Result<bool, StepError> {
    let operation = &change.operation;
    let marked = database
        .execute(
            "UPDATE broker_bindings SET operation = $1, kind = $2, state = $3
             WHERE instance_id = $4 AND id = $5 AND operation = $6",
            values![
                operation.id.as_str(),
                operation.kind.name(),
                operation.state.name(),
                operation.subject.instance().as_str(),
                operation.subject.binding().map_or("", BindingId::as_str),
                expected.as_str(),
            ],
        )
        .await?;
    Ok(marked > 0)
}

/// Records an operation that is over, as the latest of its subject. Two that are recorded at one moment draw one turn:
/// the index lets one of them in, and the other step begins anew.
pub(super) async fn record(
    database: &Transaction<'_>,
    operation: &Operation,
) -> Result<(), StepError> {
    database.execute(RECORD, &recorded(operation)).await?;
    Ok(())
}

/// The values of an operation's columns.
fn recorded(operation: &Operation) -> [Value<'_>; 7] {
    [
        operation.id.as_str().into(),
        operation.kind.name().into(),
        operation.subject.instance().as_str().into(),
        operation
            .subject
            .binding()
            .map_or("", BindingId::as_str)
            .into(),
        operation.state.name().into(),
        operation.started_at.0.into(),
        operation.finished_at.map(|at| at.0).into(),
    ]
}
