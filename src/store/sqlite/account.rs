//! The account of changes, in a table of its own. Lines share the commit of changes; alone they are not waited for on the
//! disk, but are put there within a second (`settle`). One thread writes, so nobody adds meanwhile; another process that
//! does has a transaction of its own, as long as the look at what stands last and what comes behind it.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, Row, named_params, params};

use super::SqliteStore;
use super::database::Database;
use super::rows::RowError;
use crate::domain::account::{AccountRow, Accounts, Chain, Farewell, RowQuery, Way};
use crate::domain::store::Answer;
use crate::domain::time::Timestamp;

impl Accounts for SqliteStore {
    fn add(&self, chain: Arc<dyn Chain>) -> Answer<'_, ()> {
        Box::pin(
            self.writer
                .step_at_leisure(move |connection| add(connection, &*chain)),
        )
    }

    fn settle(&self) -> Answer<'_, ()> {
        Box::pin(self.writer.sync())
    }

    fn rows(&self, query: RowQuery) -> Answer<'_, Vec<AccountRow>> {
        Box::pin(
            self.readers
                .ask(move |connection| Ok(rows(connection, &query)?)),
        )
    }

    fn take_over(&self, rows: Vec<AccountRow>) -> Answer<'_, ()> {
        Box::pin(
            self.writer
                .step(move |connection| rows.iter().try_for_each(|row| insert(connection, row))),
        )
    }

    fn forget_rows(
        &self,
        before: Timestamp,
        most: u32,
        chain: Arc<dyn Farewell>,
    ) -> Answer<'_, u64> {
        Box::pin(
            self.writer
                .step(move |connection| forget(connection, before, most, &*chain)),
        )
    }
}

fn add(connection: &Database, chain: &dyn Chain) -> Result<(), RowError> {
    let stands = match chain.doubt() {
        Some(doubt) => at(connection, doubt.seq)?.is_some_and(|there| there.line == doubt.line),
        None => false,
    };
    let last = last(connection)?;
    let rows = chain.rows(last.as_ref(), stands);
    rows.iter().try_for_each(|row| insert(connection, row))
}

fn insert(connection: &Database, row: &AccountRow) -> Result<(), RowError> {
    connection
        .prepare_cached("INSERT INTO audit (seq, at, instance_id, line) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![number(row.seq), row.at.0, row.instance, row.line])?;
    Ok(())
}

fn last(connection: &Database) -> Result<Option<AccountRow>, RowError> {
    one(
        connection,
        "SELECT seq, at, instance_id, line FROM audit ORDER BY seq DESC LIMIT ?1",
        1,
    )
}

fn at(connection: &Database, seq: u64) -> Result<Option<AccountRow>, RowError> {
    let statement = "SELECT seq, at, instance_id, line FROM audit WHERE seq = ?1";
    one(connection, statement, number(seq))
}

fn one(
    connection: &Database,
    statement: &str,
    number: i64,
) -> Result<Option<AccountRow>, RowError> {
    Ok(connection
        .prepare_cached(statement)?
        .query_row([number], read)
        .optional()?)
}

fn read(row: &Row<'_>) -> Result<AccountRow, rusqlite::Error> {
    Ok(AccountRow {
        seq: u64::try_from(row.get::<_, i64>("seq")?).unwrap_or(0),
        at: Timestamp(row.get("at")?),
        instance: row.get("instance_id")?,
        line: row.get("line")?,
    })
}

fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn rows(connection: &Database, query: &RowQuery) -> Result<Vec<AccountRow>, RowError> {
    let (behind, before, order) = match query.way {
        Way::Newest => (-1, i64::MAX, "DESC"),
        Way::Before(seq) => (-1, number(seq), "DESC"),
        Way::Behind(seq) => (number(seq), i64::MAX, "ASC"),
    };
    let of_instance = match query.instance {
        Some(_) => "instance_id = :instance",
        None => ":instance IS NULL",
    };
    let statement = format!(
        "SELECT seq, at, instance_id, line FROM audit
         WHERE {of_instance} AND seq > :behind AND seq < :before ORDER BY seq {order} LIMIT :most"
    );
    let found = connection
        .prepare_cached(&statement)?
        .query_map(
            named_params! {
                ":instance": query.instance, ":behind": behind, ":before": before, ":most": query.most,
            },
            read,
        )?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

fn forget(
    connection: &Database,
    before: Timestamp,
    most: u32,
    chain: &dyn Farewell,
) -> Result<u64, RowError> {
    let Some(last) = last(connection)? else {
        return Ok(0);
    };
    let oldest = rows(
        connection,
        &RowQuery {
            way: Way::Behind(0),
            most,
            ..RowQuery::default()
        },
    )?;
    let go = oldest.iter().take_while(|row| row.at < before);
    let go: Vec<&AccountRow> = go.filter(|row| row.seq < last.seq).collect();
    let Some(gone) = go.last() else {
        return Ok(0);
    };
    let count = go.len() as u64;
    connection
        .prepare_cached("DELETE FROM audit WHERE seq <= ?1")?
        .execute([number(gone.seq)])?;
    insert(connection, &chain.row(&last, gone, count))?;
    Ok(count)
}
