//! All rows of the tables, a page at a time, and rows of another store into them.

use std::fmt::Write as _;

use super::error::StepError;
use super::ledger::{entry_columns, read_entry};
use super::lendings;
use super::open::UNFINISHED;
use super::rows::{self, binding_columns, instance_columns};
use super::transaction::Transaction;
use super::values::{Columns, Value, values};
use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, OperationId, PlanId};
use crate::domain::instance::Instance;
use crate::domain::ledger::{Page, Place, Recorded, Row};
use crate::domain::operation::Report;
use crate::secret::Secret;
use crate::store::seal::Cell;

/// The rows behind a place, of one table; the next place is that of the last of them, or the next table.
pub(super) async fn page(
    database: &Transaction<'_>,
    from: &Place,
    most: u32,
) -> Result<Page, StepError> {
    match from {
        Place::Start => Ok(Page {
            rows: vec![Row::Key(key(database).await?)],
            next: Some(Place::instances()),
        }),
        Place::Instance(after) => {
            let rows = instances(database, after, most).await?;
            Ok(paged(rows, Some(Place::bindings())))
        }
        Place::Binding(instance, after) => {
            let rows = bindings(database, (instance, after), most).await?;
            Ok(paged(rows, Some(Place::operations())))
        }
        Place::Operation(instance, binding, turn) => {
            let rows = operations(database, (instance, binding, *turn), most).await?;
            Ok(paged(rows, Some(Place::lendings())))
        }
        Place::Lending(pool, entry) => {
            let rows = lendings::page(database, (pool, entry), most)
                .await?
                .into_iter();
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

async fn key(database: &Transaction<'_>) -> Result<Secret<[u8; 32]>, StepError> {
    let row = database
        .find(
            "SELECT value FROM broker_meta WHERE name = 'fingerprint key'",
            values![],
        )
        .await?;
    let row = row.ok_or(StepError::Unreadable("key of fingerprints"))?;
    Ok(database.sealer.open_key(database.columns(&row).take()?)?)
}

async fn instances(
    database: &Transaction<'_>,
    after: &str,
    most: u32,
) -> Result<Vec<(Place, Row)>, StepError> {
    let rows = database
        .query(
            concat!(
                "SELECT ",
                instance_columns!(),
                " FROM broker_instances i WHERE i.id > $1 ORDER BY i.id LIMIT $2"
            ),
            values![after, most],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let instance = rows::read_instance(&mut database.columns(row))?;
            let place = Place::Instance(instance.id.to_string());
            Ok((place, Row::Instance(Box::new(instance))))
        })
        .collect()
}

async fn bindings(
    database: &Transaction<'_>,
    (instance, after): (&str, &str),
    most: u32,
) -> Result<Vec<(Place, Row)>, StepError> {
    let rows = database
        .query(
            concat!(
                "SELECT ",
                binding_columns!(),
                " FROM broker_bindings b WHERE (b.instance_id, b.id) > ($1, $2) ORDER BY b.instance_id, b.id LIMIT $3"
            ),
            values![instance, after, most],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let binding = rows::read_binding(&mut database.columns(row))?;
            let place = Place::Binding(binding.instance_id.to_string(), binding.id.to_string());
            Ok((place, Row::Binding(Box::new(binding))))
        })
        .collect()
}

async fn operations(
    database: &Transaction<'_>,
    (instance, binding, turn): (&str, &str, i64),
    most: u32,
) -> Result<Vec<(Place, Row)>, StepError> {
    let rows = database
        .query(
            concat!(
                "SELECT ",
                entry_columns!(),
                ", task, turn FROM broker_operations WHERE (instance_id, binding_id, turn) > ($1, $2, $3)
                 ORDER BY instance_id, binding_id, turn LIMIT $4"
            ),
            values![instance, binding, turn, most],
        )
        .await?;
    rows.iter()
        .map(|row| read_recorded(&mut database.columns(row)))
        .collect()
}

fn read_recorded(columns: &mut Columns<'_>) -> Result<(Place, Row), StepError> {
    let entry = read_entry(columns)?;
    let operation = &entry.operation;
    let cell = Cell::Task(&operation.id, &operation.subject);
    let recorded = Recorded {
        task: columns.maybe_unpacked(cell)?,
        entry,
        turn: columns.take()?,
    };
    let subject = &recorded.entry.operation.subject;
    let place = Place::Operation(
        subject.instance().to_string(),
        subject
            .binding()
            .map(ToString::to_string)
            .unwrap_or_default(),
        recorded.turn,
    );
    Ok((place, Row::Operation(Box::new(recorded))))
}

/// Rows of one table, on their way into it in one statement: one round trip for all.
struct Batch<'a> {
    into: &'static str,
    width: usize,
    values: Vec<Value<'a>>,
}

impl<'a> Batch<'a> {
    /// A batch for a table and columns, as an `INSERT` names them.
    fn new(into: &'static str) -> Self {
        Self {
            into,
            width: into.matches(',').count() + 1,
            values: Vec::new(),
        }
    }

    /// One row, a value for each column.
    fn add<const N: usize>(&mut self, row: [Value<'a>; N]) {
        self.values.extend(row);
    }

    async fn write(self, database: &Transaction<'_>) -> Result<(), StepError> {
        if self.values.is_empty() {
            return Ok(());
        }
        database.execute(&self.statement(), &self.values).await?;
        Ok(())
    }

    fn statement(&self) -> String {
        let mut statement = format!("INSERT INTO {} VALUES ", self.into);
        for at in 0..self.values.len() {
            let before = match (at, at % self.width) {
                (0, _) => "(",
                (_, 0) => "), (",
                _ => ", ",
            };
            // A string takes all that is written to it.
            let _ = write!(statement, "{before}${}", at + 1);
        }
        statement.push(')');
        statement
    }
}

/// Most rows of one statement: it may have 65,535 values.
const ROWS: usize = 1_000;

/// Writes rows of another store.
pub(super) async fn write(database: &Transaction<'_>, rows: &[Row]) -> Result<(), StepError> {
    for rows in rows.chunks(ROWS) {
        write_some(database, rows).await?;
    }
    Ok(())
}

async fn write_some(database: &Transaction<'_>, rows: &[Row]) -> Result<(), StepError> {
    let mut instances = Batch::new(
        "broker_instances (id, service_id, plan_id, organization, space, operation, kind, state, version, backend, \
         fingerprint, created_at, updated_at, details)",
    );
    let mut bindings = Batch::new(
        "broker_bindings (instance_id, id, service_id, plan_id, app_guid, operation, kind, state, fingerprint, \
         created_at, details, expires_at, told, unbind_at)",
    );
    let mut operations = Batch::new(
        "broker_operations (instance_id, binding_id, id, kind, state, report, fingerprint, started_at, finished_at, \
         backend, attempt, tries, owner, due_at, waits_for, task, turn, moves_to)",
    );
    for row in rows {
        match row {
            Row::Key(key) => write_key(database, key).await?,
            Row::Instance(instance) => instances.add(of_instance(database, instance)?),
            Row::Binding(binding) => bindings.add(of_binding(database, binding)?),
            Row::Operation(recorded) => operations.add(of_operation(database, recorded)?),
            Row::Lending(lending) => {
                lendings::write(database, lending).await?;
            }
        }
    }
    instances.write(database).await?;
    bindings.write(database).await?;
    operations.write(database).await
}

/// With the key begins what is not to be served before it is whole.
async fn write_key(database: &Transaction<'_>, key: &Secret<[u8; 32]>) -> Result<(), StepError> {
    database
        .execute(
            "INSERT INTO broker_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            values![UNFINISHED, vec![0]],
        )
        .await?;
    database
        .execute(
            "UPDATE broker_meta SET value = $1 WHERE name = 'fingerprint key'",
            values![database.sealer.write_key(key)?],
        )
        .await?;
    Ok(())
}

/// What is imported is whole, and may be served.
pub(super) async fn complete(database: &Transaction<'_>) -> Result<(), StepError> {
    database
        .execute(
            "DELETE FROM broker_meta WHERE name = $1",
            values![UNFINISHED],
        )
        .await?;
    Ok(())
}

fn of_instance<'a>(
    database: &Transaction<'_>,
    instance: &'a Instance,
) -> Result<[Value<'a>; 14], StepError> {
    let last = &instance.last_operation;
    Ok([
        instance.id.as_str().into(),
        instance.service_id.as_str().into(),
        instance.plan_id.as_str().into(),
        instance.organization.as_str().into(),
        instance.space.as_str().into(),
        last.id.as_str().into(),
        last.kind.name().into(),
        last.state.name().into(),
        instance.version.into(),
        instance.backend.as_deref().into(),
        instance.fingerprint.0.to_vec().into(),
        instance.created_at.0.into(),
        instance.updated_at.0.into(),
        database
            .packed(Cell::Instance(&instance.id), &instance.details)?
            .into(),
    ])
}

fn of_binding<'a>(
    database: &Transaction<'_>,
    binding: &'a Binding,
) -> Result<[Value<'a>; 14], StepError> {
    let (expires_at, told) = binding.ends_ms();
    let last = &binding.last_operation;
    Ok([
        binding.instance_id.as_str().into(),
        binding.id.as_str().into(),
        binding.service_id.as_str().into(),
        binding.plan_id.as_str().into(),
        binding.app_guid.as_deref().into(),
        last.id.as_str().into(),
        last.kind.name().into(),
        last.state.name().into(),
        binding.fingerprint.0.to_vec().into(),
        binding.created_at.0.into(),
        database
            .packed(
                Cell::Binding(&binding.instance_id, &binding.id),
                &binding.details,
            )?
            .into(),
        expires_at.into(),
        i64::from(told).into(),
        expires_at.into(),
    ])
}

fn of_operation<'a>(
    database: &Transaction<'_>,
    recorded: &'a Recorded,
) -> Result<[Value<'a>; 18], StepError> {
    let entry = &recorded.entry;
    let operation = &entry.operation;
    // A report that says nothing was never written.
    let report = Some(&operation.report).filter(|report| **report != Report::default());
    let cell = Cell::Report(&operation.id, &operation.subject);
    let report = report.map(|report| database.packed(cell, &Secret::new(report)));
    let cell = Cell::Task(&operation.id, &operation.subject);
    let task = recorded.task.as_ref();
    let task = task.map(|task| database.packed(cell, task));
    let hash = operation.fingerprint.map(|hash| hash.0.to_vec());
    Ok([
        operation.subject.instance().as_str().into(),
        operation
            .subject
            .binding()
            .map_or("", BindingId::as_str)
            .into(),
        operation.id.as_str().into(),
        operation.kind.name().into(),
        operation.state.name().into(),
        report.transpose()?.into(),
        hash.into(),
        operation.started_at.0.into(),
        operation.finished_at.map(|at| at.0).into(),
        entry.backend.as_deref().into(),
        entry.attempt.into(),
        entry.tries.into(),
        entry.owner.as_deref().into(),
        entry.due_at.map(|at| at.0).into(),
        entry.waits_for.as_ref().map(OperationId::as_str).into(),
        task.transpose()?.into(),
        recorded.turn.into(),
        recorded.moves_to().map(PlanId::as_str).into(),
    ])
}
