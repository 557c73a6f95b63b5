//! All rows of the file, a page at a time, and rows of another store into it.

use rusqlite::types::ValueRef;
use rusqlite::{Row as SqlRow, params};

use super::database::Database;
use super::ledger::{binding_column, read_entry};
use super::lendings;
use super::open::UNFINISHED;
use super::rows::{self, RowError, text};
use crate::domain::binding::Binding;
use crate::domain::id::{OperationId, PlanId};
use crate::domain::instance::Instance;
use crate::domain::ledger::{Page, Place, Recorded, Row};
use crate::domain::operation::{Report, Task};
use crate::secret::Secret;
use crate::store::seal::Cell;

/// The rows behind a place, of one table; the next place is that of the last of them, or the next table.
pub(super) fn page(connection: &Database, from: &Place, most: u32) -> Result<Page, RowError> {
    match from {
        Place::Start => Ok(Page {
            rows: vec![Row::Key(key(connection)?)],
            next: Some(Place::instances()),
        }),
        Place::Instance(after) => {
            let rows = instances(connection, after, most)?;
            Ok(paged(rows, Some(Place::bindings())))
        }
        Place::Binding(instance, after) => {
            let rows = bindings(connection, (instance, after), most)?;
            Ok(paged(rows, Some(Place::operations())))
        }
        Place::Operation(_, _, turn) => {
            let rows = operations(connection, *turn, most)?;
            Ok(paged(rows, Some(Place::lendings())))
        }
        Place::Lending(pool, entry) => {
            let rows = lendings::page(connection, (pool, entry), most)?.into_iter();
            let rows = rows.map(|lending| (Place::of(&lending), Row::Lending(lending)));
            Ok(paged(rows.collect(), None))
        }
    }
}

fn paged(rows: Vec<(Place, Row)>, then: Option<Place>) -> Page {
    let next = rows.last().map(|(place, _)| place.clone()).or(then);
    let rows = rows.into_iter().map(|(_, row)| row).collect();
    Page { rows, next }
}

fn key(connection: &Database) -> Result<Secret<[u8; 32]>, RowError> {
    let key: Vec<u8> = connection.query_row(
        "SELECT value FROM meta WHERE name = 'fingerprint key'",
        [],
        |row| row.get(0),
    )?;
    Ok(connection.sealer.open_key(&key)?)
}

fn instances(connection: &Database, after: &str, most: u32) -> Result<Vec<(Place, Row)>, RowError> {
    connection
        .prepare_cached(
            "SELECT id, service_id, plan_id, organization, space, operation, kind, state, backend, version, fingerprint,
                    created_at, updated_at, details
             FROM instances WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?
        .query_map(params![after, most], |row| Ok(read_instance(connection, row)))?
        .map(|row| row.map_err(RowError::from).and_then(|row| row))
        .collect()
}

fn read_instance(connection: &Database, row: &SqlRow<'_>) -> Result<(Place, Row), RowError> {
    let place = Place::Instance(text(row, "id")?.to_owned());
    Ok((
        place,
        Row::Instance(Box::new(rows::read_instance(connection, row)?)),
    ))
}

fn bindings(
    connection: &Database,
    (instance, after): (&str, &str),
    most: u32,
) -> Result<Vec<(Place, Row)>, RowError> {
    connection
        .prepare_cached(
            "SELECT instance_id, id, service_id, plan_id, app_guid, operation, kind, state, fingerprint, created_at, details
             FROM bindings WHERE (instance_id, id) > (?1, ?2) ORDER BY instance_id, id LIMIT ?3",
        )?
        .query_map(params![instance, after, most], |row| Ok(read_binding(connection, row)))?
        .map(|row| row.map_err(RowError::from).and_then(|row| row))
        .collect()
}

fn read_binding(connection: &Database, row: &SqlRow<'_>) -> Result<(Place, Row), RowError> {
    let place = Place::Binding(
        text(row, "instance_id")?.to_owned(),
        text(row, "id")?.to_owned(),
    );
    Ok((
        place,
        Row::Binding(Box::new(rows::read_binding(connection, row)?)),
    ))
}

fn operations(connection: &Database, turn: i64, most: u32) -> Result<Vec<(Place, Row)>, RowError> {
    connection
        .prepare_cached(
            "SELECT id, kind, instance_id, binding_id, state, report, fingerprint, started_at, finished_at, backend, task,
                    attempt, tries, owner, due_at, waits_for, seq
             FROM operations WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?
        .query_map(params![turn, most], |row| Ok(read_operation(connection, row)))?
        .map(|row| row.map_err(RowError::from).and_then(|row| row))
        .collect()
}

fn read_operation(connection: &Database, row: &SqlRow<'_>) -> Result<(Place, Row), RowError> {
    let place = Place::Operation(
        text(row, "instance_id")?.to_owned(),
        text(row, "binding_id")?.to_owned(),
        row.get("seq")?,
    );
    let entry = read_entry(connection, row)?;
    let operation = &entry.operation;
    let cell = Cell::Task(&operation.id, &operation.subject);
    let task: Option<Secret<Task>> = match row.get_ref("task")? {
        ValueRef::Null => None,
        _ => Some(connection.unpacked(cell, row, "task")?),
    };
    let recorded = Recorded {
        entry,
        task,
        turn: row.get("seq")?,
    };
    Ok((place, Row::Operation(Box::new(recorded))))
}

/// Writes a row of another store.
pub(super) fn write(connection: &Database, row: &Row) -> Result<(), RowError> {
    match row {
        Row::Key(key) => write_key(connection, key),
        Row::Instance(instance) => write_instance(connection, instance),
        Row::Binding(binding) => write_binding(connection, binding),
        Row::Operation(recorded) => write_operation(connection, recorded),
        Row::Lending(lending) => lendings::write(connection, lending),
    }
}

/// What is imported is whole, and may be served.
pub(super) fn complete(connection: &Database) -> Result<(), RowError> {
    connection.execute("DELETE FROM meta WHERE name = ?1", [UNFINISHED])?;
    Ok(())
}

fn write_key(connection: &Database, key: &Secret<[u8; 32]>) -> Result<(), RowError> {
    connection.execute(
        "INSERT INTO meta (name, value) VALUES (?1, x'00') ON CONFLICT (name) DO NOTHING",
        [UNFINISHED],
    )?;
    connection.execute(
        "UPDATE meta SET value = ?1 WHERE name = 'fingerprint key'",
        [connection.sealer.write_key(key)?],
    )?;
    Ok(())
}

fn write_instance(connection: &Database, instance: &Instance) -> Result<(), RowError> {
    connection
        .prepare_cached(
            "INSERT INTO instances (id, service_id, plan_id, organization, space, operation, kind, state, backend, version,
                                    fingerprint, created_at, updated_at, details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
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
    Ok(())
}

fn write_binding(connection: &Database, binding: &Binding) -> Result<(), RowError> {
    let (expires_at, told) = binding.ends_ms();
    connection
        .prepare_cached(
            "INSERT INTO bindings (instance_id, id, service_id, plan_id, app_guid, operation, kind, state, fingerprint,
                                   created_at, details, expires_at, told, unbind_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?12)",
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
            expires_at,
            told,
        ])?;
    Ok(())
}

/// They come in order, so that each has its turn by its place.
fn write_operation(connection: &Database, recorded: &Recorded) -> Result<(), RowError> {
    let entry = &recorded.entry;
    let operation = &entry.operation;
    // A report that says nothing was never written.
    let report = Some(&operation.report).filter(|report| **report != Report::default());
    let cell = Cell::Report(&operation.id, &operation.subject);
    let report = report.map(|report| connection.packed(cell, &Secret::new(report)));
    let cell = Cell::Task(&operation.id, &operation.subject);
    let task = recorded.task.as_ref();
    let task = task.map(|task| connection.packed(cell, task));
    connection
        .prepare_cached(
            "INSERT INTO operations (id, kind, instance_id, binding_id, state, report, fingerprint, started_at, finished_at,
                                     backend, task, attempt, tries, owner, due_at, waits_for, moves_to)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?
        .execute(params![
            operation.id.as_str(),
            operation.kind.name(),
            operation.subject.instance().as_str(),
            binding_column(operation),
            operation.state.name(),
            report.transpose()?,
            operation.fingerprint.map(|fingerprint| fingerprint.0),
            operation.started_at.0,
            operation.finished_at.map(|at| at.0),
            entry.backend.as_deref(),
            task.transpose()?,
            entry.attempt,
            entry.tries,
            entry.owner.as_deref(),
            entry.due_at.map(|at| at.0),
            entry.waits_for.as_ref().map(OperationId::as_str),
            recorded.moves_to().map(PlanId::as_str),
        ])?;
    Ok(())
}
