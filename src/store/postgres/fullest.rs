//! Where limits are nearest, by the index that instances are counted by.

use super::PostgresStore;
use super::error::StepError;
use super::transaction::Transaction;
use super::values::values;
use crate::domain::fullest::{Each, FullestQuery, Fullness};
use crate::domain::id::PlanId;
use crate::domain::store::Answer;

impl Fullness for PostgresStore {
    fn fullest(&self, query: FullestQuery) -> Answer<'_, Vec<(String, u64)>> {
        Box::pin(self.driver.run(async move |pool| {
            pool.ask(async |database| fullest(database, &query).await)
                .await
        }))
    }
}

async fn fullest(
    database: &Transaction<'_>,
    query: &FullestQuery,
) -> Result<Vec<(String, u64)>, StepError> {
    let of_plan = match query.plan {
        Some(_) => "plan_id = $2",
        None => "$2 IS NULL",
    };
    let place = match query.each {
        Each::Organization => "organization",
        Each::Space => "space",
    };
    let statement = format!(
        "SELECT {place}, count(*) FROM broker_instances WHERE service_id = $1 AND {of_plan} AND {place} <> ''
         GROUP BY {place} ORDER BY count(*) DESC, {place} LIMIT $3"
    );
    let plan = query.plan.as_ref().map(PlanId::as_str);
    database
        .query(
            &statement,
            values![query.service.as_str(), plan, query.most],
        )
        .await?
        .iter()
        .map(|row| {
            let mut columns = database.columns(row);
            Ok((columns.take()?, columns.count()?))
        })
        .collect()
}
