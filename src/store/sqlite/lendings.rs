//! Entries of pools: lent with the change that needs one, taken back with the one that takes their holder away. One thread
//! writes, so nobody takes the same one meanwhile.

use std::collections::HashMap;

use rusqlite::params;

use super::changes;
use super::database::Database;
use super::rows::{RowError, text};
use crate::domain::guard::OneOf;
use crate::domain::id::{BindingId, InstanceId};
use crate::domain::ledger::{Lending, PoolCount};
use crate::domain::operation::Subject;
use crate::domain::store::{Begun, Change};
use crate::domain::time::Timestamp;

/// Carries a change out with one of the entries.
pub(super) fn lend(
    connection: &Database,
    change: &Change,
    one_of: &OneOf,
) -> Result<Begun, RowError> {
    let Some(entry) = one_of.choose(&ever_lent(connection, &one_of.pool)?) else {
        return changes::unless_there(connection, &change.act, Begun::Exhausted);
    };
    let filled = match change.filled(one_of, entry) {
        Ok(filled) => filled,
        Err(why) => return changes::unless_there(connection, &change.act, Begun::Unmade(why)),
    };
    let begun = changes::apply(connection, &filled)?;
    if !matches!(begun, Begun::Done) {
        return Ok(begun);
    }
    let lending = Lending::begun(one_of, entry, &change.operation);
    write(connection, &lending)?;
    Ok(Begun::Lent(Box::new(filled.act)))
}

/// The entries of a pool that were ever lent, each with when it came back, if it has.
fn ever_lent(
    connection: &Database,
    pool: &str,
) -> Result<HashMap<String, Option<Timestamp>>, RowError> {
    let lent = connection
        .prepare_cached("SELECT entry, returned_at FROM lendings WHERE pool = ?1")?
        .query_map([pool], |row| {
            let returned_at: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, returned_at.map(Timestamp)))
        })?
        .collect::<Result<_, _>>()?;
    Ok(lent)
}

/// Writes a lending in the place of the last one of its entry.
pub(super) fn write(connection: &Database, lending: &Lending) -> Result<(), RowError> {
    let subject = &lending.holder;
    connection
        .prepare_cached(
            "INSERT INTO lendings (pool, entry, instance_id, binding_id, since, returned_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (pool, entry) DO UPDATE SET
                 instance_id = excluded.instance_id, binding_id = excluded.binding_id, since = excluded.since,
                 returned_at = excluded.returned_at",
        )?
        .execute(params![
            lending.pool,
            lending.entry,
            subject.instance().as_str(),
            subject.binding().map_or("", BindingId::as_str),
            lending.since.0,
            lending.returned_at.map(|at| at.0),
        ])?;
    Ok(())
}

/// What an instance and its bindings had is free.
pub(super) fn take_back_all(
    connection: &Database,
    instance: &InstanceId,
    now: Timestamp,
) -> Result<(), RowError> {
    connection
        .prepare_cached(
            "UPDATE lendings SET returned_at = ?2 WHERE instance_id = ?1 AND returned_at IS NULL",
        )?
        .execute(params![instance.as_str(), now.0])?;
    Ok(())
}

/// What a binding had is free.
pub(super) fn take_back(
    connection: &Database,
    instance: &InstanceId,
    binding: &BindingId,
    now: Timestamp,
) -> Result<(), RowError> {
    connection
        .prepare_cached(
            "UPDATE lendings SET returned_at = ?3
             WHERE instance_id = ?1 AND binding_id = ?2 AND returned_at IS NULL",
        )?
        .execute(params![instance.as_str(), binding.as_str(), now.0])?;
    Ok(())
}

/// Those behind a place, by pool and entry.
pub(super) fn page(
    connection: &Database,
    (pool, entry): (&str, &str),
    most: u32,
) -> Result<Vec<Lending>, RowError> {
    connection
        .prepare_cached(
            "SELECT pool, entry, instance_id, binding_id, since, returned_at FROM lendings
             WHERE (pool, entry) > (?1, ?2) ORDER BY pool, entry LIMIT ?3",
        )?
        .query_map(params![pool, entry, most], |row| Ok(read(row)))?
        .map(|row| row.map_err(RowError::from).and_then(|lending| lending))
        .collect()
}

fn read(row: &rusqlite::Row<'_>) -> Result<Lending, RowError> {
    let instance = InstanceId::parse(text(row, "instance_id")?)?;
    Ok(Lending {
        pool: row.get("pool")?,
        entry: row.get("entry")?,
        holder: match text(row, "binding_id")? {
            "" => Subject::Instance(instance),
            binding => Subject::Binding(instance, BindingId::parse(binding)?),
        },
        since: Timestamp(row.get("since")?),
        returned_at: row.get::<_, Option<i64>>("returned_at")?.map(Timestamp),
    })
}

/// The entries of each pool that were ever lent.
pub(super) fn counts(connection: &Database) -> Result<Vec<PoolCount>, RowError> {
    let rows: Vec<_> = connection
        .prepare_cached("SELECT pool, entry, returned_at FROM lendings ORDER BY pool, entry")?
        .query_map([], |row| {
            let returned_at: Option<i64> = row.get(2)?;
            Ok((row.get(0)?, row.get(1)?, returned_at.map(Timestamp)))
        })?
        .collect::<Result<_, _>>()?;
    Ok(PoolCount::of(rows))
}
