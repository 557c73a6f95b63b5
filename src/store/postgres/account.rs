//! The account of changes, in a table of its own. Whoever adds to it locks one row first, so that brokers add one after the
//! other and all lines are of one chain.

use std::fmt::Write as _;
use std::sync::Arc;

use super::PostgresStore;
use super::error::StepError;
use super::guards::lock;
use super::transaction::Transaction;
use super::values::{Columns, Value, values};
use crate::domain::account::{AccountRow, Accounts, Chain, Farewell, RowQuery, Way};
use crate::domain::store::Answer;
use crate::domain::time::Timestamp;

/// The row of `broker_guards` that is locked by who adds.
const GUARD: &str = "audit";

impl Accounts for PostgresStore {
    fn add(&self, chain: Arc<dyn Chain>) -> Answer<'_, ()> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| add(database, &*chain).await)
                .await
        }))
    }

    fn settle(&self) -> Answer<'_, ()> {
        // Each commit is on the server's disk when it is answered.
        Box::pin(std::future::ready(Ok(())))
    }

    fn rows(&self, query: RowQuery) -> Answer<'_, Vec<AccountRow>> {
        Box::pin(self.driver.run(async move |pool| {
            pool.ask(async |database| rows(database, &query).await)
                .await
        }))
    }

    fn take_over(&self, rows: Vec<AccountRow>) -> Answer<'_, ()> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| insert(database, &rows).await)
                .await
        }))
    }

    fn forget_rows(
        &self,
        before: Timestamp,
        most: u32,
        chain: Arc<dyn Farewell>,
    ) -> Answer<'_, u64> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| forget(database, before, most, &*chain).await)
                .await
        }))
    }
}

async fn add(database: &Transaction<'_>, chain: &dyn Chain) -> Result<(), StepError> {
    lock(database, GUARD).await?;
    let stands = match chain.doubt() {
        Some(doubt) => {
            let statement = "SELECT 1 FROM broker_audit WHERE seq = $1 AND line = $2";
            database
                .exists(statement, values![number(doubt.seq), &*doubt.line])
                .await?
        }
        None => false,
    };
    let last = last(database).await?;
    insert(database, &chain.rows(last.as_ref(), stands)).await
}

async fn insert(database: &Transaction<'_>, rows: &[AccountRow]) -> Result<(), StepError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut statement = "INSERT INTO broker_audit (seq, at, instance_id, line) VALUES ".to_owned();
    let mut sent: Vec<Value<'_>> = Vec::with_capacity(rows.len() * 4);
    for row in rows {
        let at = sent.len();
        let comma = if at == 0 { "" } else { ", " };
        let _ = write!(
            statement,
            "{comma}(${}, ${}, ${}, ${})",
            at + 1,
            at + 2,
            at + 3,
            at + 4
        );
        sent.push(number(row.seq).into());
        sent.push(row.at.0.into());
        sent.push(row.instance.as_deref().into());
        sent.push(Value::from(&*row.line));
    }
    database.execute(&statement, &sent).await?;
    Ok(())
}

async fn last(database: &Transaction<'_>) -> Result<Option<AccountRow>, StepError> {
    let row = database
        .find(
            "SELECT seq, at, instance_id, line FROM broker_audit ORDER BY seq DESC LIMIT 1",
            values![],
        )
        .await?;
    row.map(|row| read(&mut database.columns(&row))).transpose()
}

fn read(columns: &mut Columns<'_>) -> Result<AccountRow, StepError> {
    Ok(AccountRow {
        seq: columns.count()?,
        at: Timestamp(columns.take()?),
        instance: columns.take()?,
        line: columns.take()?,
    })
}

fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

async fn rows(database: &Transaction<'_>, query: &RowQuery) -> Result<Vec<AccountRow>, StepError> {
    let (behind, before, order) = match query.way {
        Way::Newest => (-1, i64::MAX, "DESC"),
        Way::Before(seq) => (-1, number(seq), "DESC"),
        Way::Behind(seq) => (number(seq), i64::MAX, "ASC"),
    };
    let of_instance = match query.instance {
        Some(_) => "instance_id = $1",
        None => "$1 IS NULL",
    };
    let statement = format!(
        "SELECT seq, at, instance_id, line FROM broker_audit
         WHERE {of_instance} AND seq > $2 AND seq < $3 ORDER BY seq {order} LIMIT $4"
    );
    database
        .query(
            &statement,
            values![query.instance.as_deref(), behind, before, query.most],
        )
        .await?
        .iter()
        .map(|row| read(&mut database.columns(row)))
        .collect()
}

async fn forget(
    database: &Transaction<'_>,
    before: Timestamp,
    most: u32,
    chain: &dyn Farewell,
) -> Result<u64, StepError> {
    lock(database, GUARD).await?;
    let Some(last) = last(database).await? else {
        return Ok(0);
    };
    let oldest = RowQuery {
        way: Way::Behind(0),
        most,
        ..RowQuery::default()
    };
    let oldest = rows(database, &oldest).await?;
    let go = oldest.iter().take_while(|row| row.at < before);
    let go: Vec<&AccountRow> = go.filter(|row| row.seq < last.seq).collect();
    let Some(gone) = go.last() else {
        return Ok(0);
    };
    let count = go.len() as u64;
    database
        .execute(
            "DELETE FROM broker_audit WHERE seq <= $1",
            values![number(gone.seq)],
        )
        .await?;
    insert(database, &[chain.row(&last, gone, count)]).await?;
    Ok(count)
}
