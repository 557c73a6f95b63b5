//! Domain values as rows, and rows as domain values.

use std::fmt;

use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, Row, params};

use super::database::Database;
use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, IdError, InstanceId, OperationId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::json::Fingerprint;
use crate::domain::operation::{Kind, LastOperation, Operation, Report, State, Subject};
use crate::domain::store::StoreError;
use crate::domain::time::Timestamp;
use crate::store::packed;
use crate::store::seal::Cell;

/// Why a row could not be written or read.
#[derive(Debug)]
pub(super) enum RowError {
    Database(rusqlite::Error),
    /// What a row holds is not what this broker writes.
    Unreadable(&'static str),
    /// What a cell holds cannot be opened, or is not what this broker writes.
    Cell(packed::Unreadable),
}

impl fmt::Display for RowError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(out),
            Self::Unreadable(what) => write!(out, "unreadable {what}"),
            Self::Cell(why) => write!(out, "unreadable {why}"),
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

impl From<packed::Unreadable> for RowError {
    fn from(why: packed::Unreadable) -> Self {
        Self::Cell(why)
    }
}

impl From<RowError> for StoreError {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Database(error) => unavailable(error),
            RowError::Unreadable(_) | RowError::Cell(_) => Self::Corrupt(error.to_string()),
        }
    }
}

// By value, to be handed to `map_err` as it is.
#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
pub(super) fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// The instance with that id.
pub(super) fn instance(
    connection: &Database,
    id: &InstanceId,
) -> Result<Option<Instance>, RowError> {
    connection
        .prepare_cached(
            "SELECT id, service_id, plan_id, organization, space, operation, kind, state, backend, version, fingerprint,
                    created_at, updated_at, details
             FROM instances WHERE id = ?1",
        )?
        .query_row([id.as_str()], |row| Ok(read_instance(connection, row)))
        .optional()?
        .transpose()
}

pub(super) fn read_instance(connection: &Database, row: &Row<'_>) -> Result<Instance, RowError> {
    let id = InstanceId::parse(text(row, "id")?)?;
    Ok(Instance {
        service_id: ServiceId::parse(text(row, "service_id")?)?,
        plan_id: PlanId::parse(text(row, "plan_id")?)?,
        organization: row.get("organization")?,
        space: row.get("space")?,
        last_operation: last_operation(row)?,
        version: row.get("version")?,
        backend: row.get::<_, Option<String>>("backend")?.map(Into::into),
        fingerprint: Fingerprint(row.get("fingerprint")?),
        created_at: Timestamp(row.get("created_at")?),
        updated_at: Timestamp(row.get("updated_at")?),
        details: connection.unpacked(Cell::Instance(&id), row, "details")?,
        id,
    })
}

/// The binding of that instance with that id.
pub(super) fn binding(
    connection: &Database,
    instance: &InstanceId,
    id: &BindingId,
) -> Result<Option<Binding>, RowError> {
    connection
        .prepare_cached(
            "SELECT instance_id, id, service_id, plan_id, app_guid, operation, kind, state, fingerprint, created_at, details
             FROM bindings WHERE instance_id = ?1 AND id = ?2",
        )?
        .query_row([instance.as_str(), id.as_str()], |row| Ok(read_binding(connection, row)))
        .optional()?
        .transpose()
}

pub(super) fn read_binding(connection: &Database, row: &Row<'_>) -> Result<Binding, RowError> {
    let instance_id = InstanceId::parse(text(row, "instance_id")?)?;
    let id = BindingId::parse(text(row, "id")?)?;
    Ok(Binding {
        service_id: ServiceId::parse(text(row, "service_id")?)?,
        plan_id: PlanId::parse(text(row, "plan_id")?)?,
        app_guid: row.get("app_guid")?,
        last_operation: last_operation(row)?,
        fingerprint: Fingerprint(row.get("fingerprint")?),
        created_at: Timestamp(row.get("created_at")?),
        details: connection.unpacked(Cell::Binding(&instance_id, &id), row, "details")?,
        instance_id,
        id,
    })
}

/// All bindings of an instance, the oldest first.
pub(super) fn bindings(
    connection: &Database,
    instance: &InstanceId,
) -> Result<Vec<Binding>, RowError> {
    connection
        .prepare_cached(
            "SELECT instance_id, id, service_id, plan_id, app_guid, operation, kind, state, fingerprint, created_at, details
             FROM bindings WHERE instance_id = ?1 ORDER BY created_at, id",
        )?
        .query_map([instance.as_str()], |row| Ok(read_binding(connection, row)))?
        .map(|row| row.map_err(RowError::from).and_then(|binding| binding))
        .collect()
}

/// The operation that is named if it is about `subject`; else the latest.
pub(super) fn operation(
    connection: &Database,
    subject: &Subject,
    named: Option<&OperationId>,
) -> Result<Option<Operation>, RowError> {
    connection
        .prepare_cached(
            "SELECT id, kind, state, report, fingerprint, started_at, finished_at
             FROM operations
             WHERE seq IN (SELECT seq FROM operations WHERE instance_id = ?1 AND binding_id = ?2 AND indexed
                           UNION ALL SELECT made_by FROM instances WHERE id = ?1 AND ?2 = ''
                           UNION ALL SELECT made_by FROM bindings WHERE instance_id = ?1 AND id = ?2)
                   -- The number of one that was swept may be another's by now.
                   AND instance_id = ?1 AND binding_id = ?2
             ORDER BY id IS ?3 DESC, seq DESC LIMIT 1",
        )?
        .query_row(
            params![
                subject.instance().as_str(),
                subject.binding().map_or("", BindingId::as_str),
                named.map(OperationId::as_str),
            ],
            |row| Ok(read_operation(connection, row, subject)),
        )
        .optional()?
        .transpose()
}

pub(super) fn read_operation(
    connection: &Database,
    row: &Row<'_>,
    subject: &Subject,
) -> Result<Operation, RowError> {
    let id = OperationId::parse(text(row, "id")?)?;
    Ok(Operation {
        kind: kind(row)?,
        subject: subject.clone(),
        state: state(row)?,
        report: match row.get_ref("report")? {
            ValueRef::Null => Report::default(),
            _ => connection
                .unpacked::<Report>(Cell::Report(&id, subject), row, "report")?
                .into_exposed(),
        },
        fingerprint: row
            .get::<_, Option<[u8; 32]>>("fingerprint")?
            .map(Fingerprint),
        started_at: Timestamp(row.get("started_at")?),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(Timestamp),
        id,
    })
}

pub(super) fn last_operation(row: &Row<'_>) -> Result<LastOperation, RowError> {
    Ok(LastOperation {
        id: OperationId::parse(text(row, "operation")?)?,
        kind: kind(row)?,
        state: state(row)?,
    })
}

pub(super) fn kind(row: &Row<'_>) -> Result<Kind, RowError> {
    Kind::from_name(text(row, "kind")?).ok_or(RowError::Unreadable("kind of operation"))
}

pub(super) fn text<'a>(row: &'a Row<'_>, column: &str) -> Result<&'a str, RowError> {
    row.get_ref(column)?
        .as_str()
        .map_err(|_| RowError::Unreadable("text"))
}

pub(super) fn state(row: &Row<'_>) -> Result<State, RowError> {
    State::from_name(text(row, "state")?).ok_or(RowError::Unreadable("state"))
}
