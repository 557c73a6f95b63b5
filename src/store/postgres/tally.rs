//! How much there is, for who watches.

use super::error::StepError;
use super::transaction::Transaction;
use super::values::values;
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::ledger::PlanCount;
use crate::domain::tally::{Inventory, Lending, Running, UnderWay};
use crate::domain::time::Timestamp;

pub(super) async fn under_way(database: &Transaction<'_>) -> Result<UnderWay, StepError> {
    Ok(UnderWay {
        operations: running(database).await?,
        lendings: lendings(database).await?,
    })
}

async fn running(database: &Transaction<'_>) -> Result<Vec<Running>, StepError> {
    let rows = database
        .query(
            "SELECT min(o.started_at), o.kind, count(*), i.service_id, i.plan_id
             FROM broker_operations o JOIN broker_instances i ON i.id = o.instance_id
             WHERE o.state = 'in progress'
             GROUP BY o.kind, i.service_id, i.plan_id ORDER BY o.kind, i.service_id, i.plan_id",
            values![],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let mut columns = database.columns(row);
            Ok(Running {
                oldest: Timestamp(columns.take()?),
                kind: columns.kind()?,
                count: columns.count()?,
                service_id: ServiceId::parse(columns.text()?)?,
                plan_id: PlanId::parse(columns.text()?)?,
            })
        })
        .collect()
}

async fn lendings(database: &Transaction<'_>) -> Result<Vec<Lending>, StepError> {
    let rows = database
        .query(
            "SELECT pool, entry, returned_at FROM broker_lendings ORDER BY pool, entry",
            values![],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let mut columns = database.columns(row);
            Ok(Lending {
                pool: columns.text()?.into(),
                entry: columns.text()?.into(),
                returned_at: columns.take::<Option<i64>>()?.map(Timestamp),
            })
        })
        .collect()
}

/// Every row is looked at: an index that told it would cost each change one more entry.
pub(super) async fn inventory(database: &Transaction<'_>) -> Result<Inventory, StepError> {
    let rows = database
        .query(
            "SELECT 1, state, count(*), service_id, plan_id FROM broker_instances GROUP BY state, service_id, plan_id
             UNION ALL
             SELECT 2, state, count(*), service_id, plan_id FROM broker_bindings GROUP BY state, service_id, plan_id
             ORDER BY 1, 4, 5, 2",
            values![],
        )
        .await?;
    let mut inventory = Inventory::default();
    for row in &rows {
        let mut columns = database.columns(row);
        let what: i32 = columns.take()?;
        let (state, count) = (columns.state()?, columns.count()?);
        let of_plan = PlanCount {
            service_id: ServiceId::parse(columns.text()?)?,
            plan_id: PlanId::parse(columns.text()?)?,
            state,
            count,
        };
        match what {
            1 => inventory.instances.push(of_plan),
            _ => inventory.bindings.push(of_plan),
        }
    }
    Ok(inventory)
}
