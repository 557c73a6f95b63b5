//! The file's cells, sealed anew a page at a time: each only if it still is what was read.

use rusqlite::types::Value;
use rusqlite::{Row as SqlRow, params};

use super::database::Database;
use super::jobs::subject;
use super::ledger::number;
use super::open;
use super::rows::{RowError, text};
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::ledger::{Kept, Place, Sealed};
use crate::store::seal::{Cell, MARK, sealed_with};

/// Cells of one table.
pub(super) struct Page {
    pub(super) changes: Vec<Change>,
    pub(super) cells: u64,
    pub(super) next: Option<Place>,
}

/// One cell, as it was read and as it is to be.
pub(super) struct Change {
    /// Of columns that this module names, and with the row's keys as its last parameters.
    statement: &'static str,
    old: Vec<u8>,
    new: Vec<u8>,
    keys: Vec<Value>,
}

/// What the cells behind a place that the key that seals has not sealed are to be; read, not written.
pub(super) fn page(connection: &Database, from: &Place, most: u32) -> Result<Page, RowError> {
    let Some(mark) = connection.sealer.mark() else {
        return Ok(Page::of(Vec::new(), None));
    };
    match from {
        Place::Start => {
            let changes = fingerprints(connection, &mark)?;
            Ok(Page::of(changes, Some(Place::instances())))
        }
        Place::Instance(after) => instances(connection, after, (&mark, most)),
        Place::Binding(instance, after) => bindings(connection, (instance, after), (&mark, most)),
        Place::Operation(_, _, seq) => operations(connection, *seq, (&mark, most)),
    }
}

impl Page {
    fn of(changes: Vec<Change>, next: Option<Place>) -> Self {
        Self {
            cells: u64::try_from(changes.len()).unwrap_or(u64::MAX),
            changes,
            next,
        }
    }
}

fn fingerprints(connection: &Database, mark: &[u8]) -> Result<Vec<Change>, RowError> {
    let old: Vec<u8> = connection.query_row(
        "SELECT value FROM meta WHERE name = 'fingerprint key'",
        [],
        |row| row.get(0),
    )?;
    let sealer = &connection.sealer;
    let key = sealer.open_key(&old)?;
    if old.starts_with(mark) && old.len() > key.expose().len() {
        return Ok(Vec::new());
    }
    Ok(vec![Change {
        statement: "UPDATE meta SET value = ?1 WHERE value = ?2 AND name = 'fingerprint key'",
        new: sealer.write_key(&key)?,
        old,
        keys: Vec::new(),
    }])
}

fn instances(
    connection: &Database,
    after: &str,
    (mark, most): (&[u8], u32),
) -> Result<Page, RowError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, details FROM instances
         WHERE id > ?1 AND substr(details, 1, length(?2)) <> ?2 ORDER BY id LIMIT ?3",
    )?;
    let mut rows = statement.query(params![after, mark, most])?;
    let (mut changes, mut next) = (Vec::new(), Place::bindings());
    while let Some(row) = rows.next()? {
        let id = InstanceId::parse(text(row, "id")?)?;
        next = Place::Instance(id.as_str().to_owned());
        changes.push(Change::of(
            connection,
            (row, "details"),
            Cell::Instance(&id),
            "UPDATE instances SET details = ?1 WHERE details = ?2 AND id = ?3",
            vec![Value::Text(id.as_str().to_owned())],
        )?);
    }
    Ok(Page::of(changes, Some(next)))
}

fn bindings(
    connection: &Database,
    (instance, after): (&str, &str),
    (mark, most): (&[u8], u32),
) -> Result<Page, RowError> {
    let mut statement = connection.prepare_cached(
        "SELECT instance_id, id, details FROM bindings
         WHERE (instance_id, id) > (?1, ?2) AND substr(details, 1, length(?3)) <> ?3
         ORDER BY instance_id, id LIMIT ?4",
    )?;
    let mut rows = statement.query(params![instance, after, mark, most])?;
    let (mut changes, mut next) = (Vec::new(), Place::operations());
    while let Some(row) = rows.next()? {
        let instance = InstanceId::parse(text(row, "instance_id")?)?;
        let id = BindingId::parse(text(row, "id")?)?;
        let keys = [instance.as_str().to_owned(), id.as_str().to_owned()];
        changes.push(Change::of(
            connection,
            (row, "details"),
            Cell::Binding(&instance, &id),
            "UPDATE bindings SET details = ?1 WHERE details = ?2 AND instance_id = ?3 AND id = ?4",
            keys.clone().map(Value::Text).into(),
        )?);
        let [instance, id] = keys;
        next = Place::Binding(instance, id);
    }
    Ok(Page::of(changes, Some(next)))
}

/// Report and task are cells of their own. A number may come again when the last operations are swept: so the id counts,
/// too.
fn operations(
    connection: &Database,
    after: i64,
    (mark, most): (&[u8], u32),
) -> Result<Page, RowError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, id, instance_id, binding_id, report, task,
                ifnull(substr(report, 1, length(?2)) <> ?2, 0) AS of_report,
                ifnull(substr(task, 1, length(?2)) <> ?2, 0) AS of_task
         FROM operations WHERE seq > ?1 AND (of_report OR of_task) ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query(params![after, mark, most])?;
    let (mut changes, mut next) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let id = OperationId::parse(text(row, "id")?)?;
        let subject = subject(row)?;
        let seq: i64 = row.get("seq")?;
        let columns = [
            (
                "of_report",
                "report",
                Cell::Report(&id, &subject),
                "UPDATE operations SET report = ?1 WHERE report = ?2 AND seq = ?3 AND id = ?4",
            ),
            (
                "of_task",
                "task",
                Cell::Task(&id, &subject),
                "UPDATE operations SET task = ?1 WHERE task = ?2 AND seq = ?3 AND id = ?4",
            ),
        ];
        for (due, column, cell, statement) in columns {
            if row.get(due)? {
                let keys = vec![Value::Integer(seq), Value::Text(id.as_str().to_owned())];
                changes.push(Change::of(
                    connection,
                    (row, column),
                    cell,
                    statement,
                    keys,
                )?);
            }
        }
        next = Some(Place::Operation(String::new(), String::new(), seq));
    }
    Ok(Page::of(changes, next))
}

impl Change {
    fn of(
        connection: &Database,
        (row, column): (&SqlRow<'_>, &str),
        cell: Cell<'_>,
        statement: &'static str,
        keys: Vec<Value>,
    ) -> Result<Self, RowError> {
        let old: Vec<u8> = row.get(column)?;
        let new = connection.sealer.reseal(cell, &old)?;
        Ok(Self {
            statement,
            old,
            new,
            keys,
        })
    }
}

/// Writes what nobody has changed since; how many cells.
pub(super) fn write(connection: &Database, changes: &[Change]) -> Result<u64, RowError> {
    let mut written = 0;
    for change in changes {
        let mut statement = connection.prepare_cached(change.statement)?;
        statement.raw_bind_parameter(1, &change.new)?;
        statement.raw_bind_parameter(2, &change.old)?;
        for (at, key) in (3..).zip(&change.keys) {
            statement.raw_bind_parameter(at, key)?;
        }
        written += statement.raw_execute()?;
    }
    Ok(u64::try_from(written).unwrap_or(u64::MAX))
}

/// How many cells are written in which way.
pub(super) fn sealed(connection: &Database) -> Result<Vec<Sealed>, RowError> {
    connection
        .prepare_cached(
            "SELECT CASE WHEN substr(cell, 1, 1) = x'01' THEN substr(cell, 1, ?1) ELSE x'00' END AS mark,
                    count(*) AS number
             FROM (SELECT details AS cell FROM instances
                   UNION ALL SELECT details FROM bindings
                   UNION ALL SELECT report FROM operations WHERE report IS NOT NULL
                   UNION ALL SELECT task FROM operations WHERE task IS NOT NULL
                   UNION ALL SELECT CASE length(value) WHEN 32 THEN x'00' ELSE value END FROM meta
                             WHERE name = 'fingerprint key')
             GROUP BY mark ORDER BY mark",
        )?
        .query_map([u32::try_from(MARK).unwrap_or(u32::MAX)], |row| Ok(read_sealed(row)))?
        .map(|row| row.map_err(RowError::from).and_then(|sealed| sealed))
        .collect()
}

fn read_sealed(row: &SqlRow<'_>) -> Result<Sealed, RowError> {
    let mark: Vec<u8> = row.get("mark")?;
    Ok(Sealed {
        key: sealed_with(&mark),
        cells: number(row, "number")?,
    })
}

/// Forgets the keys that nothing is sealed with.
pub(super) fn forget_keys(connection: &Database) -> Result<Kept, RowError> {
    let sealed = sealed(connection)?;
    let used: Vec<_> = sealed.iter().map(|sealed| sealed.key).collect();
    let record = open::recorded(connection)?;
    let (names, forgotten) = record.unused(&used, connection.sealer.sealing_key());
    for name in names {
        connection.execute("DELETE FROM meta WHERE name = ?1", [name])?;
    }
    Ok(Kept { forgotten, sealed })
}
