//! Where limits are nearest, by the index that instances are counted by.

use rusqlite::params;

use super::SqliteStore;
use super::database::Database;
use super::rows::RowError;
use crate::domain::fullest::{Each, FullestQuery, Fullness};
use crate::domain::id::PlanId;
use crate::domain::store::Answer;

impl Fullness for SqliteStore {
    fn fullest(&self, query: FullestQuery) -> Answer<'_, Vec<(String, u64)>> {
        Box::pin(
            self.readers
                .ask(move |connection| Ok(fullest(connection, &query)?)),
        )
    }
}

fn fullest(connection: &Database, query: &FullestQuery) -> Result<Vec<(String, u64)>, RowError> {
    let plan = query.plan.as_ref().map(PlanId::as_str);
    let mut statement = connection.prepare_cached(&statement(query))?;
    let rows = statement.query_map(params![query.service.as_str(), plan, query.most], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?))
    })?;
    rows.map(|row| {
        let (place, count) = row?;
        let count = u64::try_from(count).map_err(|_| RowError::Unreadable("number"))?;
        Ok((place, count))
    })
    .collect()
}

pub(super) fn statement(query: &FullestQuery) -> String {
    let of_plan = match query.plan {
        Some(_) => "plan_id = ?2",
        None => "?2 IS NULL",
    };
    let place = match query.each {
        Each::Organization => "organization",
        Each::Space => "space",
    };
    format!(
        "SELECT {place}, count(*) FROM instances WHERE service_id = ?1 AND {of_plan} AND {place} <> ''
         GROUP BY {place} ORDER BY count(*) DESC, {place} LIMIT ?3"
    )
}
