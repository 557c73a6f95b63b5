//! Each change as the statements that decide its race.

use rusqlite::{OptionalExtension, named_params, params};

use super::database::Database;
use super::rows::{self, RowError};
use super::{adopt, guards, jobs, lendings};
use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::instance::Instance;
use crate::domain::operation::{Kind, Operation, Subject};
use crate::domain::store::{Act, Begun, Change};
use crate::domain::time::Timestamp;
use crate::store::seal::Cell;

/// Carries a change out inside the transaction that is open. Its operation is recorded last; what it makes names it
/// before (`made_by`), by the number that comes next.
pub(super) fn apply(connection: &Database, change: &Change) -> Result<Begun, RowError> {
    if let Some(one_of) = change.one_of() {
        return lendings::lend(connection, change, one_of);
    }
    let subject = &change.operation.subject;
    let begun = match &change.act {
        Act::Provision { instance, replaces } => {
            match guards::full(connection, &change.guards, subject)? {
                Some(full) => unless_there(connection, &change.act, Begun::Full(full))?,
                None => insert_instance(connection, instance, *replaces)?,
            }
        }
        Act::Adopt { instance } => adopt::instance(connection, instance, &change.operation)?,
        Act::AdoptBinding {
            binding,
            expected_version,
        } => adopt::binding(connection, binding, *expected_version)?,
        Act::Update {
            instance,
            expected_version,
        } => update_instance(connection, change, instance, *expected_version)?,
        Act::Deprovision { expected_version } => {
            begin_deprovision(connection, change, *expected_version)?
        }
        Act::Bind {
            binding,
            expected_version,
            replaces,
        } => match guards::full(connection, &change.guards, subject)? {
            Some(full) => unless_there(connection, &change.act, Begun::Full(full))?,
            None => insert_binding(connection, binding, *expected_version, replaces.as_ref())?,
        },
        Act::Unbind { expected } => begin_unbind(connection, change, expected)?,
    };
    if matches!(begun, Begun::Done) {
        match &change.job {
            None => record_as(connection, &change.operation, subject, found(&change.act))?,
            Some(job) => return jobs::record(connection, &change.operation, job),
        }
    }
    Ok(begun)
}

/// How the operation of a change that is over at once is found.
const fn found(act: &Act) -> Found {
    match act {
        Act::Provision { replaces: None, .. } | Act::Bind { .. } => Found::ByWhatItMade,
        _ => Found::ByIndex,
    }
}

pub(super) fn insert_instance(
    connection: &Database,
    instance: &Instance,
    replaces: Option<i64>,
) -> Result<Begun, RowError> {
    if let Some(version) = replaces {
        let updated = write_instance(connection, instance, version)?;
        return if updated > 0 {
            Ok(Begun::Done)
        } else {
            stale_or_absent(connection, &instance.id)
        };
    }
    let inserted = connection
        .prepare_cached(
            "INSERT INTO instances (id, service_id, plan_id, organization, space, operation, kind, state, backend, version,
                                    fingerprint, created_at, updated_at, details, made_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,
                     (SELECT ifnull(max(seq), 0) + 1 FROM operations))
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            instance.id.as_str(),
            instance.service_id.as_str(),
            instance.plan_id.as_str(),
            instance.organization,
            instance.space,
            instance.last_operation.id.as_str(),
            instance.last_operation.kind.name(),
            instance.last_operation.state.name(),
            instance.backend,
            instance.version,
            instance.fingerprint.0,
            instance.created_at.0,
            instance.updated_at.0,
            connection.packed(Cell::Instance(&instance.id), &instance.details)?,
        ])?;
    match inserted {
        0 => rows::instance(connection, &instance.id)?
            .map(|there| Begun::InstanceThere(Box::new(there)))
            .ok_or(RowError::Unreadable("instance")),
        _ => Ok(Begun::Done),
    }
}

fn update_instance(
    connection: &Database,
    change: &Change,
    instance: &Instance,
    expected_version: i64,
) -> Result<Begun, RowError> {
    if binding_in_progress(connection, &instance.id)? {
        return Ok(Begun::Busy);
    }
    if has_version(connection, &instance.id, expected_version)?
        && let Some(full) = guards::full(connection, &change.guards, &change.operation.subject)?
    {
        return Ok(Begun::Full(full));
    }
    if write_instance(connection, instance, expected_version)? > 0 {
        Ok(Begun::Done)
    } else {
        stale_or_absent(connection, &instance.id)
    }
}

/// Everything that may change of an instance, if it has that version.
pub(super) fn write_instance(
    connection: &Database,
    instance: &Instance,
    expected_version: i64,
) -> Result<usize, RowError> {
    let updated = connection
        .prepare_cached(
            "UPDATE instances SET plan_id = :plan, operation = :operation, kind = :kind, state = :state,
                                  backend = :backend, version = :version, updated_at = :updated_at, details = :details
             WHERE id = :id AND version = :expected",
        )?
        .execute(named_params! {
            ":plan": instance.plan_id.as_str(),
            ":operation": instance.last_operation.id.as_str(),
            ":kind": instance.last_operation.kind.name(),
            ":state": instance.last_operation.state.name(),
            ":backend": instance.backend,
            ":version": instance.version,
            ":updated_at": instance.updated_at.0,
            ":details": connection.packed(Cell::Instance(&instance.id), &instance.details)?,
            ":id": instance.id.as_str(),
            ":expected": expected_version,
        })?;
    Ok(updated)
}

fn binding_in_progress(connection: &Database, id: &InstanceId) -> Result<bool, RowError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM bindings WHERE instance_id = ?1 AND state = 'in progress'")?
        .exists([id.as_str()])?)
}

/// The instance goes at once, or is marked as going.
fn begin_deprovision(
    connection: &Database,
    change: &Change,
    expected_version: i64,
) -> Result<Begun, RowError> {
    let id = change.operation.subject.instance();
    if binding_in_progress(connection, id)? {
        return Ok(Begun::Busy);
    }
    let marked = connection
        .prepare_cached(
            "UPDATE instances SET operation = :operation, kind = :kind, state = :state, version = version + 1,
                                  updated_at = :now
             WHERE id = :id AND version = :expected",
        )?
        .execute(named_params! {
            ":operation": change.operation.id.as_str(),
            ":kind": change.operation.kind.name(),
            ":state": change.operation.state.name(),
            ":now": change.operation.started_at.0,
            ":id": id.as_str(),
            ":expected": expected_version,
        })?;
    if marked == 0 {
        return stale_or_absent(connection, id);
    }
    if change.job.is_none() {
        delete_instance(connection, id, &change.operation)?;
    }
    Ok(Begun::Done)
}

/// The bindings that are left go first, each by an operation of its own, so that a poll for one finds its end.
pub(super) fn delete_instance(
    connection: &Database,
    id: &InstanceId,
    operation: &Operation,
) -> Result<(), RowError> {
    let bindings: Vec<(String, Option<i64>)> = connection
        .prepare_cached("DELETE FROM bindings WHERE instance_id = ?1 RETURNING id, made_by")?
        .query_map([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (binding, made_by) in bindings {
        index(connection, made_by)?;
        let unbind = Operation {
            kind: Kind::Unbind,
            ..operation.clone()
        };
        record(
            connection,
            &unbind,
            &Subject::Binding(id.clone(), BindingId::parse(&binding)?),
        )?;
    }
    let made_by = connection
        .prepare_cached("DELETE FROM instances WHERE id = ?1 RETURNING made_by")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    lendings::take_back_all(connection, id, operation.started_at)?;
    index(connection, made_by.flatten())
}

/// What the operation of that number had made is gone: from now on the index alone finds it.
fn index(connection: &Database, made_by: Option<i64>) -> Result<(), RowError> {
    connection
        .prepare_cached("UPDATE operations SET indexed = 1 WHERE seq = ?1")?
        .execute([made_by])?;
    Ok(())
}

pub(super) fn insert_binding(
    connection: &Database,
    binding: &Binding,
    expected_version: i64,
    replaces: Option<&OperationId>,
) -> Result<Begun, RowError> {
    // A failed one makes room, if it still is the one that was read.
    if let Some(failed) = replaces
        && !(has_version(connection, &binding.instance_id, expected_version)?
            && take_away(
                connection,
                (&binding.instance_id, &binding.id),
                failed,
                binding.created_at,
            )?)
    {
        return Ok(Begun::Stale);
    }
    let (expires_at, told) = binding.ends_ms();
    let inserted = connection
        .prepare_cached(
            "INSERT INTO bindings (instance_id, id, service_id, plan_id, app_guid, operation, kind, state, fingerprint,
                                   created_at, details, expires_at, told, unbind_at, made_by)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?13, ?14, ?13,
                    (SELECT ifnull(max(seq), 0) + 1 FROM operations)
             FROM instances WHERE id = ?1 AND version = ?12
             ON CONFLICT (instance_id, id) DO NOTHING",
        )?
        .execute(params![
            binding.instance_id.as_str(),
            binding.id.as_str(),
            binding.service_id.as_str(),
            binding.plan_id.as_str(),
            binding.app_guid,
            binding.last_operation.id.as_str(),
            binding.last_operation.kind.name(),
            binding.last_operation.state.name(),
            binding.fingerprint.0,
            binding.created_at.0,
            connection.packed(
                Cell::Binding(&binding.instance_id, &binding.id),
                &binding.details
            )?,
            expected_version,
            expires_at,
            told,
        ])?;
    if inserted > 0 {
        return Ok(Begun::Done);
    }
    match rows::binding(connection, &binding.instance_id, &binding.id)? {
        Some(there) => Ok(Begun::BindingThere(Box::new(there))),
        None => stale_or_absent(connection, &binding.instance_id),
    }
}

/// What is there, and what has changed, speak before what is not to be had.
pub(super) fn unless_there(
    connection: &Database,
    act: &Act,
    otherwise: Begun,
) -> Result<Begun, RowError> {
    match act {
        Act::Provision {
            instance,
            replaces: None,
        } => Ok(match rows::instance(connection, &instance.id)? {
            Some(there) => Begun::InstanceThere(Box::new(there)),
            None => otherwise,
        }),
        // What failed is there, and in nobody's way as long as it is the one that was read.
        Act::Provision {
            instance,
            replaces: Some(version),
        } => {
            if has_version(connection, &instance.id, *version)? {
                return Ok(otherwise);
            }
            stale_or_absent(connection, &instance.id)
        }
        Act::Bind {
            binding,
            expected_version,
            replaces: Some(failed),
        } => {
            let id = &binding.instance_id;
            let there = rows::binding(connection, id, &binding.id)?;
            let same = there.is_some_and(|there| there.last_operation.id == *failed);
            let current = same && has_version(connection, id, *expected_version)?;
            Ok(if current { otherwise } else { Begun::Stale })
        }
        Act::Bind {
            binding,
            expected_version,
            replaces: None,
        } => {
            let id = &binding.instance_id;
            match rows::binding(connection, id, &binding.id)? {
                Some(there) => Ok(Begun::BindingThere(Box::new(there))),
                None if has_version(connection, id, *expected_version)? => Ok(otherwise),
                None => stale_or_absent(connection, id),
            }
        }
        _ => Ok(otherwise),
    }
}

fn has_version(connection: &Database, id: &InstanceId, version: i64) -> Result<bool, RowError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM instances WHERE id = ?1 AND version = ?2")?
        .exists(params![id.as_str(), version])?)
}

/// Deletes a binding whose latest operation is this one; whether it was there.
pub(super) fn take_away(
    connection: &Database,
    (instance, id): (&InstanceId, &BindingId),
    expected: &OperationId,
    now: Timestamp,
) -> Result<bool, RowError> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM bindings WHERE instance_id = ?1 AND id = ?2 AND operation = ?3 RETURNING made_by",
        )?
        .query_row([instance.as_str(), id.as_str(), expected.as_str()], |row| {
            row.get(0)
        })
        .optional()?;
    let was_there = deleted.is_some();
    if was_there {
        lendings::take_back(connection, instance, id, now)?;
    }
    index(connection, deleted.flatten())?;
    Ok(was_there)
}

/// All that may change of a binding, if that operation is its latest.
pub(super) fn write_binding(
    connection: &Database,
    binding: &Binding,
    operation: &OperationId,
) -> Result<(), RowError> {
    connection
        .prepare_cached(
            "UPDATE bindings SET kind = ?1, state = ?2, details = ?3
             WHERE instance_id = ?4 AND id = ?5 AND operation = ?6",
        )?
        .execute(params![
            binding.last_operation.kind.name(),
            binding.last_operation.state.name(),
            connection.packed(
                Cell::Binding(&binding.instance_id, &binding.id),
                &binding.details
            )?,
            binding.instance_id.as_str(),
            binding.id.as_str(),
            operation.as_str(),
        ])?;
    Ok(())
}

/// Deletes a binding, whatever its latest operation.
pub(super) fn delete_binding(
    connection: &Database,
    instance: &InstanceId,
    id: &BindingId,
    now: Timestamp,
) -> Result<(), RowError> {
    lendings::take_back(connection, instance, id, now)?;
    let made_by = connection
        .prepare_cached(
            "DELETE FROM bindings WHERE instance_id = ?1 AND id = ?2 RETURNING made_by",
        )?
        .query_row([instance.as_str(), id.as_str()], |row| row.get(0))
        .optional()?;
    index(connection, made_by.flatten())
}

/// The binding goes at once, or is marked as going.
fn begin_unbind(
    connection: &Database,
    change: &Change,
    expected: &OperationId,
) -> Result<Begun, RowError> {
    let Subject::Binding(instance, id) = &change.operation.subject else {
        return Ok(Begun::Absent);
    };
    let busy = connection
        .prepare_cached("SELECT 1 FROM instances WHERE id = ?1 AND state = 'in progress'")?
        .exists([instance.as_str()])?;
    if busy {
        return Ok(Begun::Busy);
    }
    let changed = if change.job.is_none() {
        let now = change.operation.started_at;
        take_away(connection, (instance, id), expected, now)?
    } else {
        connection
            .prepare_cached(
                "UPDATE bindings SET operation = ?1, kind = ?2, state = ?3
                 WHERE instance_id = ?4 AND id = ?5 AND operation = ?6",
            )?
            .execute([
                change.operation.id.as_str(),
                change.operation.kind.name(),
                change.operation.state.name(),
                instance.as_str(),
                id.as_str(),
                expected.as_str(),
            ])?
            > 0
    };
    if changed {
        return Ok(Begun::Done);
    }
    let there = connection
        .prepare_cached("SELECT 1 FROM bindings WHERE instance_id = ?1 AND id = ?2")?
        .exists([instance.as_str(), id.as_str()])?;
    Ok(if there { Begun::Stale } else { Begun::Absent })
}

fn stale_or_absent(connection: &Database, id: &InstanceId) -> Result<Begun, RowError> {
    let there = connection
        .prepare_cached("SELECT 1 FROM instances WHERE id = ?1")?
        .exists([id.as_str()])?;
    Ok(if there { Begun::Stale } else { Begun::Absent })
}

/// How an operation is found from its subject.
#[derive(Clone, Copy)]
enum Found {
    /// By an entry in the index, as most are.
    ByIndex,
    /// By the row that it has made, and by the index when that row goes.
    ByWhatItMade,
}

/// Records an operation that is over.
pub(super) fn record(
    connection: &Database,
    operation: &Operation,
    subject: &Subject,
) -> Result<(), RowError> {
    record_as(connection, operation, subject, Found::ByIndex)
}

fn record_as(
    connection: &Database,
    operation: &Operation,
    subject: &Subject,
    found: Found,
) -> Result<(), RowError> {
    connection
        .prepare_cached(
            "INSERT INTO operations (id, kind, instance_id, binding_id, state, started_at, finished_at, indexed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            operation.id.as_str(),
            operation.kind.name(),
            subject.instance().as_str(),
            subject.binding().map_or("", BindingId::as_str),
            operation.state.name(),
            operation.started_at.0,
            operation.finished_at.map(|at| at.0),
            matches!(found, Found::ByIndex),
        ])?;
    Ok(())
}
