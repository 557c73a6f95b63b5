//! The tables' cells, sealed anew a page at a time, in one statement that waits for nobody: what others just change is
//! passed over, and what they have changed since it was read stays as they left it.

use std::fmt::Write as _;

use tokio_postgres::Row;

use super::error::StepError;
use super::jobs::subject;
use super::open::{lock_record, recorded};
use super::transaction::Transaction;
use super::values::{Columns, Value, values};
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::ledger::{Kept, Place, Sealed};
use crate::store::seal::{Cell, MARK, sealed_with};

/// Rows of one table.
pub(super) struct Page {
    pub(super) changes: Changes,
    pub(super) cells: u64,
    pub(super) next: Option<Place>,
}

/// Where cells stand: two columns that name a row, and the cells' own.
struct Table {
    name: &'static str,
    keys: [&'static str; 2],
    cell: &'static str,
}

const META: Table = Table {
    name: "broker_meta",
    keys: ["name", "name"],
    cell: "value",
};

const INSTANCES: Table = Table {
    name: "broker_instances",
    keys: ["id", "id"],
    cell: "details",
};

const BINDINGS: Table = Table {
    name: "broker_bindings",
    keys: ["instance_id", "id"],
    cell: "details",
};

const REPORTS: Table = Table {
    name: "broker_operations",
    keys: ["id", "binding_id"],
    cell: "report",
};

const TASKS: Table = Table {
    cell: "task",
    ..REPORTS
};

/// Cells of one column or two, as they were read and as they are to be.
pub(super) struct Changes(Vec<(&'static Table, Vec<Change>)>);

struct Change {
    keys: [String; 2],
    old: Vec<u8>,
    new: Vec<u8>,
}

/// What the cells behind a place that the key that seals has not sealed are to be; read, not written.
pub(super) async fn page(
    database: &Transaction<'_>,
    from: &Place,
    most: u32,
) -> Result<Page, StepError> {
    let Some(mark) = database.sealer.mark() else {
        return Ok(Page::of(Vec::new(), None));
    };
    match from {
        Place::Start => {
            let changes = fingerprints(database, &mark).await?;
            Ok(Page::of(vec![(&META, changes)], Some(Place::instances())))
        }
        Place::Instance(after) => instances(database, after, (mark, most)).await,
        Place::Binding(instance, after) => {
            bindings(database, (instance, after), (mark, most)).await
        }
        Place::Operation(instance, binding, turn) => {
            operations(database, (instance, binding, *turn), (mark, most)).await
        }
    }
}

impl Page {
    fn of(changes: Vec<(&'static Table, Vec<Change>)>, next: Option<Place>) -> Self {
        let cells: usize = changes.iter().map(|(_, changes)| changes.len()).sum();
        Self {
            cells: u64::try_from(cells).unwrap_or(u64::MAX),
            changes: Changes(changes),
            next,
        }
    }
}

async fn fingerprints(database: &Transaction<'_>, mark: &[u8]) -> Result<Vec<Change>, StepError> {
    const NAME: &str = "fingerprint key";
    let row = database
        .find(
            "SELECT value FROM broker_meta WHERE name = $1",
            values![NAME],
        )
        .await?;
    let row = row.ok_or(StepError::Unreadable("key of fingerprints"))?;
    let old: Vec<u8> = database.columns(&row).take()?;
    let key = database.sealer.open_key(&old)?;
    if old.starts_with(mark) && old.len() > key.expose().len() {
        return Ok(Vec::new());
    }
    Ok(vec![Change {
        keys: [NAME, NAME].map(str::to_owned),
        new: database.sealer.write_key(&key)?,
        old,
    }])
}

async fn instances(
    database: &Transaction<'_>,
    after: &str,
    (mark, most): (Vec<u8>, u32),
) -> Result<Page, StepError> {
    let rows = database
        .query(
            "SELECT id, details FROM broker_instances
             WHERE id > $1 AND substring(details FROM 1 FOR 9) <> $2 ORDER BY id LIMIT $3",
            values![after, mark, most],
        )
        .await?;
    let mut changes = Vec::new();
    for row in &rows {
        let mut columns = database.columns(row);
        let id = InstanceId::parse(columns.text()?)?;
        let keys = [id.as_str(), id.as_str()].map(str::to_owned);
        changes.push(Change::of(
            database,
            keys,
            Cell::Instance(&id),
            columns.take()?,
        )?);
    }
    let last = changes
        .last()
        .map(|Change { keys: [id, _], .. }| Place::Instance(id.clone()));
    let next = last.unwrap_or_else(Place::bindings);
    Ok(Page::of(vec![(&INSTANCES, changes)], Some(next)))
}

async fn bindings(
    database: &Transaction<'_>,
    (instance, after): (&str, &str),
    (mark, most): (Vec<u8>, u32),
) -> Result<Page, StepError> {
    let rows = database
        .query(
            "SELECT instance_id, id, details FROM broker_bindings
             WHERE (instance_id, id) > ($1, $2) AND substring(details FROM 1 FOR 9) <> $3
             ORDER BY instance_id, id LIMIT $4",
            values![instance, after, mark, most],
        )
        .await?;
    let mut changes = Vec::new();
    for row in &rows {
        let mut columns = database.columns(row);
        let instance = InstanceId::parse(columns.text()?)?;
        let id = BindingId::parse(columns.text()?)?;
        let keys = [instance.as_str(), id.as_str()].map(str::to_owned);
        let cell = Cell::Binding(&instance, &id);
        changes.push(Change::of(database, keys, cell, columns.take()?)?);
    }
    let last = changes.last().map(
        |Change {
             keys: [instance, id],
             ..
         }| { Place::Binding(instance.clone(), id.clone()) },
    );
    let next = last.unwrap_or_else(Place::operations);
    Ok(Page::of(vec![(&BINDINGS, changes)], Some(next)))
}

/// Report and task are cells of their own.
async fn operations(
    database: &Transaction<'_>,
    (instance, binding, turn): (&str, &str, i64),
    (mark, most): (Vec<u8>, u32),
) -> Result<Page, StepError> {
    let rows = database
        .query(
            "SELECT turn, instance_id, binding_id, id, report, task FROM broker_operations
             WHERE (instance_id, binding_id, turn) > ($1, $2, $3)
                   AND (substring(report FROM 1 FOR 9) <> $4 OR substring(task FROM 1 FOR 9) <> $4)
             ORDER BY instance_id, binding_id, turn LIMIT $5",
            values![instance, binding, turn, mark.clone(), most],
        )
        .await?;
    let (mut reports, mut tasks, mut next) = (Vec::new(), Vec::new(), None);
    for row in &rows {
        let mut columns = database.columns(row);
        let turn = columns.take()?;
        let subject = subject(&mut columns)?;
        let id = OperationId::parse(columns.text()?)?;
        let binding = subject.binding().map_or("", BindingId::as_str);
        for (changes, cell) in [
            (&mut reports, Cell::Report(&id, &subject)),
            (&mut tasks, Cell::Task(&id, &subject)),
        ] {
            let old: Option<Vec<u8>> = columns.take()?;
            if let Some(old) = old.filter(|old| !old.starts_with(&mark)) {
                let keys = [id.as_str(), binding].map(str::to_owned);
                changes.push(Change::of(database, keys, cell, old)?);
            }
        }
        let instance = subject.instance().as_str();
        next = Some(Place::Operation(
            instance.to_owned(),
            binding.to_owned(),
            turn,
        ));
    }
    Ok(Page::of(vec![(&REPORTS, reports), (&TASKS, tasks)], next))
}

impl Change {
    fn of(
        database: &Transaction<'_>,
        keys: [String; 2],
        cell: Cell<'_>,
        old: Vec<u8>,
    ) -> Result<Self, StepError> {
        let new = database.sealer.reseal(cell, &old)?;
        Ok(Self { keys, old, new })
    }
}

/// Writes what nobody has changed and nobody holds; how many cells. Each statement is a transaction by itself.
pub(super) async fn write(database: &Transaction<'_>, changes: &Changes) -> Result<u64, StepError> {
    let mut written = 0;
    for (table, changes) in changes.0.iter().filter(|(_, changes)| !changes.is_empty()) {
        let values: Vec<Value<'_>> = changes.iter().flat_map(Change::values).collect();
        written += database
            .execute(&table.statement(changes.len()), &values)
            .await?;
    }
    Ok(written)
}

impl Change {
    fn values(&self) -> [Value<'_>; 4] {
        let [one, other] = &self.keys;
        [
            one.as_str().into(),
            other.as_str().into(),
            self.old.clone().into(),
            self.new.clone().into(),
        ]
    }
}

impl Table {
    fn statement(&self, rows: usize) -> String {
        let (name, [one, other], cell) = (self.name, self.keys, self.cell);
        let mut statement = "WITH changes (one, other, was, becomes) AS (VALUES ".to_owned();
        for row in 0..rows {
            let before = if row == 0 { "" } else { ", " };
            let at = row * 4;
            // A string takes all that is written to it.
            let _ = write!(
                statement,
                "{before}(${}, ${}, ${}, ${})",
                at + 1,
                at + 2,
                at + 3,
                at + 4
            );
        }
        let _ = write!(
            statement,
            "), free AS (
                 SELECT t.{one} AS one, t.{other} AS other FROM {name} t
                 JOIN changes c ON t.{one} = c.one AND t.{other} = c.other AND t.{cell} = c.was
                 FOR UPDATE OF t SKIP LOCKED)
             UPDATE {name} t SET {cell} = c.becomes FROM changes c, free f
             WHERE t.{one} = c.one AND t.{other} = c.other AND t.{cell} = c.was AND f.one = c.one AND f.other = c.other"
        );
        statement
    }
}

// The statements above and below have it as a literal, for the engine takes no parameter of this width there.
const _: () = assert!(MARK == 9, "the length of a mark");

/// How many cells are written in which way.
pub(super) async fn sealed(database: &Transaction<'_>) -> Result<Vec<Sealed>, StepError> {
    database
        .query(
            "SELECT CASE substring(cell FROM 1 FOR 1) WHEN $1 THEN substring(cell FROM 1 FOR 9) ELSE $2 END AS mark,
                    count(*)
             FROM (SELECT details AS cell FROM broker_instances
                   UNION ALL SELECT details FROM broker_bindings
                   UNION ALL SELECT report FROM broker_operations WHERE report IS NOT NULL
                   UNION ALL SELECT task FROM broker_operations WHERE task IS NOT NULL
                   UNION ALL SELECT CASE length(value) WHEN 32 THEN $2 ELSE value END FROM broker_meta
                             WHERE name = 'fingerprint key') AS cells
             GROUP BY mark ORDER BY mark",
            values![vec![1], vec![0]],
        )
        .await?
        .iter()
        .map(|row| read_sealed(database, row))
        .collect()
}

fn read_sealed(database: &Transaction<'_>, row: &Row) -> Result<Sealed, StepError> {
    let mut columns: Columns<'_> = database.columns(row);
    Ok(Sealed {
        key: sealed_with(columns.take()?),
        cells: columns.count()?,
    })
}

/// Forgets the keys that nothing is sealed with. A broker that starts meanwhile waits, and records what it needs.
pub(super) async fn forget_keys(database: &Transaction<'_>) -> Result<Kept, StepError> {
    lock_record(database).await?;
    let sealed = sealed(database).await?;
    let used: Vec<_> = sealed.iter().map(|sealed| sealed.key).collect();
    let record = recorded(database).await?;
    let (names, forgotten) = record.unused(&used, database.sealer.sealing_key());
    for name in &names {
        database
            .execute(
                "DELETE FROM broker_meta WHERE name = $1",
                values![name.as_str()],
            )
            .await?;
    }
    Ok(Kept { forgotten, sealed })
}
