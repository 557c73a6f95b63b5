//! Which plans have instances that a backend made: asked once, at start. It goes through all of an index that has nothing
//! else in it.

use rusqlite::Row;

use super::database::Database;
use super::rows::{RowError, text};
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::store::PlanInUse;

/// The plans of what a backend made.
pub(super) fn plans_in_use(connection: &Database) -> Result<Vec<PlanInUse>, RowError> {
    connection
        .prepare_cached(
            "SELECT service_id, plan_id, count(*), count(DISTINCT organization) FROM instances
             WHERE backend IS NOT NULL GROUP BY service_id, plan_id ORDER BY service_id, plan_id",
        )?
        .query_map([], |row| Ok(read_plan_in_use(row)))?
        .map(|row| row.map_err(RowError::from).and_then(|plan| plan))
        .collect()
}

fn read_plan_in_use(row: &Row<'_>) -> Result<PlanInUse, RowError> {
    let count = |at| -> Result<u64, RowError> {
        u64::try_from(row.get::<_, i64>(at)?).map_err(|_| RowError::Unreadable("number"))
    };
    Ok(PlanInUse {
        service_id: ServiceId::parse(text(row, "service_id")?)?,
        plan_id: PlanId::parse(text(row, "plan_id")?)?,
        instances: count(2)?,
        organizations: count(3)?,
    })
}
