//! Which plans have instances that a backend made, or are to get some: asked at start and at each reload. It goes through all
//! of two indexes that have nothing else in them.

use super::database::Database;
use super::rows::{RowError, text};
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::store::PlanInUse;

/// The plans of what a backend made.
pub(super) fn plans_in_use(connection: &Database) -> Result<Vec<PlanInUse>, RowError> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM (
             SELECT service_id, plan_id, organization, count(*) FROM instances
             WHERE backend IS NOT NULL GROUP BY service_id, plan_id, organization
             UNION ALL
             SELECT i.service_id, o.moves_to, i.organization, count(*)
             FROM operations o JOIN instances i ON i.id = o.instance_id
             WHERE o.state = 'in progress' AND o.moves_to <> i.plan_id AND (i.backend IS NOT NULL OR o.backend <> 'fixed')
             GROUP BY i.service_id, o.moves_to, i.organization
         ) ORDER BY service_id, plan_id",
    )?;
    let mut rows = statement.query([])?;
    let mut plans = Vec::new();
    while let Some(row) = rows.next()? {
        let service_id = ServiceId::parse(text(row, "service_id")?)?;
        let plan_id = PlanId::parse(text(row, "plan_id")?)?;
        let organization: String = row.get("organization")?;
        let count = u64::try_from(row.get::<_, i64>(3)?);
        let count = count.map_err(|_| RowError::Unreadable("number"))?;
        PlanInUse::add(&mut plans, (service_id, plan_id), &organization, count);
    }
    Ok(plans)
}
