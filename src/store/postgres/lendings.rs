//! Entries of pools: lent with the change that needs one, taken back with the statement that takes their holder away. Who
//! lends holds the row of the pool until the lending is there to be seen.

use std::collections::HashMap;

use super::error::StepError;
use super::transaction::Transaction;
use super::values::{Columns, values};
use super::{changes, guards};
use crate::domain::guard::OneOf;
use crate::domain::id::{BindingId, InstanceId};
use crate::domain::ledger::{Lending, PoolCount};
use crate::domain::operation::Subject;
use crate::domain::store::{Act, Begun, Change};
use crate::domain::time::Timestamp;

/// Carries a change out with one of the entries.
pub(super) async fn lend(
    database: &Transaction<'_>,
    change: &Change,
    one_of: &OneOf,
) -> Result<Begun, StepError> {
    // The instance before the pool, as everybody locks.
    if let Act::Bind { binding, .. } = &change.act {
        changes::hold_for(database, &binding.instance_id, &change.guards).await?;
    }
    guards::lock(database, &format!("pool {}", one_of.pool)).await?;
    let lent = ever_lent(database, &one_of.pool).await?;
    let Some(entry) = one_of.choose(&lent) else {
        return changes::unless_there(database, &change.act, Begun::Exhausted).await;
    };
    let filled = match change.filled(one_of, entry) {
        Ok(filled) => filled,
        Err(why) => return changes::unless_there(database, &change.act, Begun::Unmade(why)).await,
    };
    let begun = Box::pin(changes::apply(database, &filled)).await?;
    if !matches!(begun, Begun::Done) {
        return Ok(begun);
    }
    let lending = Lending::begun(one_of, entry, &change.operation);
    if !write(database, &lending).await? {
        return Err(StepError::Raced);
    }
    Ok(Begun::Lent(Box::new(filled.act)))
}

/// The entries of a pool that were ever lent, each with when it came back, if it has.
async fn ever_lent(
    database: &Transaction<'_>,
    pool: &str,
) -> Result<HashMap<String, Option<Timestamp>>, StepError> {
    database
        .query(
            "SELECT entry, returned_at FROM broker_lendings WHERE pool = $1",
            values![pool],
        )
        .await?
        .iter()
        .map(|row| {
            let mut columns = database.columns(row);
            let entry = columns.take()?;
            Ok((entry, columns.take::<Option<i64>>()?.map(Timestamp)))
        })
        .collect()
}

/// Writes a lending in the place of the last one of its entry, if that is over.
pub(super) async fn write(
    database: &Transaction<'_>,
    lending: &Lending,
) -> Result<bool, StepError> {
    let subject = &lending.holder;
    let written = database
        .execute(
            "INSERT INTO broker_lendings AS l (pool, entry, instance_id, binding_id, since, returned_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (pool, entry) DO UPDATE SET
                 instance_id = excluded.instance_id, binding_id = excluded.binding_id, since = excluded.since,
                 returned_at = excluded.returned_at
             WHERE l.returned_at IS NOT NULL",
            values![
                lending.pool.as_str(),
                lending.entry.as_str(),
                subject.instance().as_str(),
                subject.binding().map_or("", BindingId::as_str),
                lending.since.0,
                lending.returned_at.map(|at| at.0),
            ],
        )
        .await?;
    Ok(written > 0)
}

/// Those behind a place, by pool and entry.
pub(super) async fn page(
    database: &Transaction<'_>,
    (pool, entry): (&str, &str),
    most: u32,
) -> Result<Vec<Lending>, StepError> {
    database
        .query(
            "SELECT pool, entry, instance_id, binding_id, since, returned_at FROM broker_lendings
             WHERE (pool, entry) > ($1, $2) ORDER BY pool, entry LIMIT $3",
            values![pool, entry, most],
        )
        .await?
        .iter()
        .map(|row| read(&mut database.columns(row)))
        .collect()
}

fn read(columns: &mut Columns<'_>) -> Result<Lending, StepError> {
    let (pool, entry) = (columns.take()?, columns.take()?);
    let instance = InstanceId::parse(columns.text()?)?;
    Ok(Lending {
        pool,
        entry,
        holder: match columns.text()? {
            "" => Subject::Instance(instance),
            binding => Subject::Binding(instance, BindingId::parse(binding)?),
        },
        since: Timestamp(columns.take()?),
        returned_at: columns.take::<Option<i64>>()?.map(Timestamp),
    })
}

/// The entries of each pool that were ever lent.
pub(super) async fn counts(database: &Transaction<'_>) -> Result<Vec<PoolCount>, StepError> {
    let rows = database
        .query(
            "SELECT pool, entry, returned_at FROM broker_lendings ORDER BY pool, entry",
            values![],
        )
        .await?;
    let rows: Result<Vec<_>, StepError> = rows
        .iter()
        .map(|row| {
            let mut columns = database.columns(row);
            let (pool, entry) = (columns.take()?, columns.take()?);
            Ok((pool, entry, columns.take::<Option<i64>>()?.map(Timestamp)))
        })
        .collect();
    Ok(PoolCount::of(rows?))
}
