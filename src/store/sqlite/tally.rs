//! How much there is, for who watches.

use rusqlite::Row;

use super::database::Database;
use super::ledger::counted;
use super::rows::{self, RowError, text};
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::tally::{Inventory, Lending, Running, UnderWay};
use crate::domain::time::Timestamp;

pub(super) fn under_way(connection: &Database) -> Result<UnderWay, RowError> {
    Ok(UnderWay {
        operations: running(connection)?,
        lendings: lendings(connection)?,
    })
}

/// By the index of what is in progress: operations that are over are not looked at, however many there are.
fn running(connection: &Database) -> Result<Vec<Running>, RowError> {
    connection
        .prepare_cached(
            "SELECT operations.kind AS kind, service_id, plan_id, count(*) AS number, min(started_at) AS oldest
             FROM operations INDEXED BY operations_due CROSS JOIN instances ON instances.id = operations.instance_id
             WHERE operations.state = 'in progress'
             GROUP BY operations.kind, service_id, plan_id ORDER BY operations.kind, service_id, plan_id",
        )?
        .query_map([], |row| Ok(read_running(row)))?
        .map(|row| row.map_err(RowError::from).and_then(|running| running))
        .collect()
}

fn read_running(row: &Row<'_>) -> Result<Running, RowError> {
    Ok(Running {
        kind: rows::kind(row)?,
        service_id: ServiceId::parse(text(row, "service_id")?)?,
        plan_id: PlanId::parse(text(row, "plan_id")?)?,
        count: row.get::<_, i64>("number")?.unsigned_abs(),
        oldest: Timestamp(row.get("oldest")?),
    })
}

fn lendings(connection: &Database) -> Result<Vec<Lending>, RowError> {
    let lendings = connection
        .prepare_cached("SELECT pool, entry, returned_at FROM lendings ORDER BY pool, entry")?
        .query_map([], |row| {
            Ok(Lending {
                pool: row.get(0)?,
                entry: row.get(1)?,
                returned_at: row.get::<_, Option<i64>>(2)?.map(Timestamp),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(lendings)
}

/// Every row is looked at: an index that told it would cost each change one more page.
pub(super) fn inventory(connection: &Database) -> Result<Inventory, RowError> {
    Ok(Inventory {
        instances: counted(
            connection,
            "SELECT service_id, plan_id, state, count(*) AS number FROM instances
             GROUP BY service_id, plan_id, state ORDER BY service_id, plan_id, state",
        )?,
        bindings: counted(
            connection,
            "SELECT service_id, plan_id, state, count(*) AS number FROM bindings
             GROUP BY service_id, plan_id, state ORDER BY service_id, plan_id, state",
        )?,
    })
}
