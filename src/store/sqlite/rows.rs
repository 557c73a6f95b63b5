//! Domain values as rows, rows as domain values, and each change as the statements that decide its race.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, IdError, InstanceId, OperationId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::json::Fingerprint;
use crate::domain::operation::{Kind, Operation, State, Subject};
use crate::domain::store::{Act, Begun, Change, StoreError};
use crate::domain::time::Timestamp;
use crate::secret::Secret;

/// How `details` is written: as it is.
const PLAIN: u8 = 0;

/// Why a row could not be written or read.
#[derive(Debug)]
pub(super) enum RowError {
    Database(rusqlite::Error),
    /// What a row holds is not what this broker writes.
    Unreadable(&'static str),
}

impl fmt::Display for RowError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(out),
            Self::Unreadable(what) => write!(out, "unreadable {what}"),
        }
    }
}

impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<IdError> for RowError {
    fn from(_: IdError) -> Self {
        Self::Unreadable("id")
    }
}

impl From<RowError> for StoreError {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Database(error) => unavailable(error),
            RowError::Unreadable(_) => Self::Corrupt(error.to_string()),
        }
    }
}

// By value, to be handed to `map_err` as it is.
#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
pub(super) fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Carries a change out inside the transaction that is open.
pub(super) fn apply(connection: &Connection, change: &Change) -> Result<Begun, RowError> {
    let subject = &change.operation.subject;
    let begun = match &change.act {
        Act::Provision(instance) => insert_instance(connection, instance)?,
        Act::Update {
            instance,
            expected_version,
        } => update_instance(connection, instance, *expected_version)?,
        Act::Deprovision => delete_instance(connection, subject.instance(), &change.operation)?,
        Act::Bind {
            binding,
            expected_version,
        } => insert_binding(connection, binding, *expected_version)?,
        Act::Unbind => delete_binding(connection, subject)?,
    };
    if matches!(begun, Begun::Done) {
        record(connection, &change.operation, subject)?;
    }
    Ok(begun)
}

fn insert_instance(connection: &Connection, instance: &Instance) -> Result<Begun, RowError> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO instances (id, service_id, plan_id, organization, space, state, version, fingerprint,
                                    created_at, updated_at, details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            instance.id.as_str(),
            instance.service_id.as_str(),
            instance.plan_id.as_str(),
            instance.organization,
            instance.space,
            instance.state.name(),
            instance.version,
            instance.fingerprint.0,
            instance.created_at.0,
            instance.updated_at.0,
            packed(&instance.details)?,
        ])?;
    match inserted {
        0 => self::instance(connection, &instance.id)?
            .map(|there| Begun::InstanceThere(Box::new(there)))
            .ok_or(RowError::Unreadable("instance")),
        _ => Ok(Begun::Done),
    }
}

fn update_instance(
    connection: &Connection,
    instance: &Instance,
    expected_version: i64,
) -> Result<Begun, RowError> {
    let updated = connection
        .prepare_cached(
            "UPDATE instances SET plan_id = :plan, state = :state, version = :version, updated_at = :updated_at,
                                  details = :details
             WHERE id = :id AND version = :expected",
        )?
        .execute(named_params! {
            ":plan": instance.plan_id.as_str(),
            ":state": instance.state.name(),
            ":version": instance.version,
            ":updated_at": instance.updated_at.0,
            ":details": packed(&instance.details)?,
            ":id": instance.id.as_str(),
            ":expected": expected_version,
        })?;
    if updated > 0 {
        Ok(Begun::Done)
    } else {
        stale_or_absent(connection, &instance.id)
    }
}

/// The bindings that are left go first, each by an operation of its own, so that a poll for one finds its end.
fn delete_instance(
    connection: &Connection,
    id: &InstanceId,
    operation: &Operation,
) -> Result<Begun, RowError> {
    let bindings: Vec<String> = connection
        .prepare_cached("DELETE FROM bindings WHERE instance_id = ?1 RETURNING id")?
        .query_map([id.as_str()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for binding in bindings {
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
    let deleted = connection
        .prepare_cached("DELETE FROM instances WHERE id = ?1")?
        .execute([id.as_str()])?;
    Ok(if deleted > 0 {
        Begun::Done
    } else {
        Begun::Absent
    })
}

fn insert_binding(
    connection: &Connection,
    binding: &Binding,
    expected_version: i64,
) -> Result<Begun, RowError> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO bindings (instance_id, id, service_id, plan_id, app_guid, state, fingerprint, created_at, details)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM instances WHERE id = ?1 AND version = ?10
             ON CONFLICT (instance_id, id) DO NOTHING",
        )?
        .execute(params![
            binding.instance_id.as_str(),
            binding.id.as_str(),
            binding.service_id.as_str(),
            binding.plan_id.as_str(),
            binding.app_guid,
            binding.state.name(),
            binding.fingerprint.0,
            binding.created_at.0,
            packed(&binding.details)?,
            expected_version,
        ])?;
    if inserted > 0 {
        return Ok(Begun::Done);
    }
    match self::binding(connection, &binding.instance_id, &binding.id)? {
        Some(there) => Ok(Begun::BindingThere(Box::new(there))),
        None => stale_or_absent(connection, &binding.instance_id),
    }
}

fn delete_binding(connection: &Connection, subject: &Subject) -> Result<Begun, RowError> {
    let deleted = connection
        .prepare_cached("DELETE FROM bindings WHERE instance_id = ?1 AND id = ?2")?
        .execute([
            subject.instance().as_str(),
            subject.binding().map_or("", BindingId::as_str),
        ])?;
    Ok(if deleted > 0 {
        Begun::Done
    } else {
        Begun::Absent
    })
}

fn stale_or_absent(connection: &Connection, id: &InstanceId) -> Result<Begun, RowError> {
    let there = connection
        .prepare_cached("SELECT 1 FROM instances WHERE id = ?1")?
        .exists([id.as_str()])?;
    Ok(if there { Begun::Stale } else { Begun::Absent })
}

fn record(
    connection: &Connection,
    operation: &Operation,
    subject: &Subject,
) -> Result<(), RowError> {
    connection
        .prepare_cached(
            "INSERT INTO operations (id, kind, instance_id, binding_id, state, description, started_at, finished_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            operation.id.as_str(),
            operation.kind.name(),
            subject.instance().as_str(),
            subject.binding().map_or("", BindingId::as_str),
            operation.state.name(),
            operation.description,
            operation.started_at.0,
            operation.finished_at.map(|at| at.0),
        ])?;
    Ok(())
}

/// The instance with that id.
pub(super) fn instance(
    connection: &Connection,
    id: &InstanceId,
) -> Result<Option<Instance>, RowError> {
    connection
        .prepare_cached(
            "SELECT id, service_id, plan_id, organization, space, state, version, fingerprint, created_at, updated_at,
                    details
             FROM instances WHERE id = ?1",
        )?
        .query_row([id.as_str()], |row| Ok(read_instance(row)))
        .optional()?
        .transpose()
}

fn read_instance(row: &Row<'_>) -> Result<Instance, RowError> {
    Ok(Instance {
        id: InstanceId::parse(text(row, "id")?)?,
        service_id: ServiceId::parse(text(row, "service_id")?)?,
        plan_id: PlanId::parse(text(row, "plan_id")?)?,
        organization: row.get("organization")?,
        space: row.get("space")?,
        state: state(row)?,
        version: row.get("version")?,
        fingerprint: Fingerprint(row.get("fingerprint")?),
        created_at: Timestamp(row.get("created_at")?),
        updated_at: Timestamp(row.get("updated_at")?),
        details: unpacked(row)?,
    })
}

/// The binding of that instance with that id.
pub(super) fn binding(
    connection: &Connection,
    instance: &InstanceId,
    id: &BindingId,
) -> Result<Option<Binding>, RowError> {
    connection
        .prepare_cached(
            "SELECT instance_id, id, service_id, plan_id, app_guid, state, fingerprint, created_at, details
             FROM bindings WHERE instance_id = ?1 AND id = ?2",
        )?
        .query_row([instance.as_str(), id.as_str()], |row| Ok(read_binding(row)))
        .optional()?
        .transpose()
}

fn read_binding(row: &Row<'_>) -> Result<Binding, RowError> {
    Ok(Binding {
        instance_id: InstanceId::parse(text(row, "instance_id")?)?,
        id: BindingId::parse(text(row, "id")?)?,
        service_id: ServiceId::parse(text(row, "service_id")?)?,
        plan_id: PlanId::parse(text(row, "plan_id")?)?,
        app_guid: row.get("app_guid")?,
        state: state(row)?,
        fingerprint: Fingerprint(row.get("fingerprint")?),
        created_at: Timestamp(row.get("created_at")?),
        details: unpacked(row)?,
    })
}

/// The operation that is named if it is about `subject`; else the latest.
pub(super) fn operation(
    connection: &Connection,
    subject: &Subject,
    named: Option<&OperationId>,
) -> Result<Option<Operation>, RowError> {
    connection
        .prepare_cached(
            "SELECT id, kind, state, description, started_at, finished_at
             FROM operations WHERE instance_id = ?1 AND binding_id = ?2
             ORDER BY id IS ?3 DESC, seq DESC LIMIT 1",
        )?
        .query_row(
            params![
                subject.instance().as_str(),
                subject.binding().map_or("", BindingId::as_str),
                named.map(OperationId::as_str),
            ],
            |row| Ok(read_operation(row, subject)),
        )
        .optional()?
        .transpose()
}

fn read_operation(row: &Row<'_>, subject: &Subject) -> Result<Operation, RowError> {
    Ok(Operation {
        id: OperationId::parse(text(row, "id")?)?,
        kind: Kind::from_name(text(row, "kind")?)
            .ok_or(RowError::Unreadable("kind of operation"))?,
        subject: subject.clone(),
        state: state(row)?,
        description: row.get("description")?,
        started_at: Timestamp(row.get("started_at")?),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(Timestamp),
    })
}

fn text<'a>(row: &'a Row<'_>, column: &str) -> Result<&'a str, RowError> {
    row.get_ref(column)?
        .as_str()
        .map_err(|_| RowError::Unreadable("text"))
}

fn state(row: &Row<'_>) -> Result<State, RowError> {
    State::from_name(text(row, "state")?).ok_or(RowError::Unreadable("state"))
}

fn packed<T: Serialize>(details: &Secret<T>) -> Result<Vec<u8>, RowError> {
    let mut bytes = Vec::with_capacity(1024);
    bytes.push(PLAIN);
    serde_json::to_writer(&mut bytes, details.expose())
        .map_err(|_| RowError::Unreadable("details"))?;
    Ok(bytes)
}

fn unpacked<T: DeserializeOwned>(row: &Row<'_>) -> Result<Secret<T>, RowError> {
    match row.get_ref("details")?.as_blob() {
        Ok([PLAIN, json @ ..]) => serde_json::from_slice(json)
            .map(Secret::new)
            .map_err(|_| RowError::Unreadable("details")),
        _ => Err(RowError::Unreadable("scheme of details")),
    }
}
