//! One transaction: statements without names, and nothing that outlives it, so that a pooler between us and the server
//! (PgBouncer in transaction mode) may hand each transaction to another connection.

use std::cell::Cell;
use std::time::Duration;

use serde::Serialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::error::StepError;
use super::values::{Columns, Value};
use crate::secret::Secret;
use crate::store::packed::pack;
use crate::store::seal::{self, Sealer};

pub(super) struct Transaction<'a> {
    client: &'a Client,
    pub(super) sealer: &'a Sealer,
    /// Nothing where each statement is a transaction by itself.
    begin: Option<String>,
    begun: Cell<bool>,
}

type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

impl<'a> Transaction<'a> {
    /// A transaction whose statements end within a time. It begins with its first statement, in one message with it.
    /// Without a time there is none: each statement is a transaction by itself, as a look-up is.
    ///
    /// Read committed is enough: each step locks the row of its instance first, and says what it has seen.
    pub(super) fn new(client: &'a Client, sealer: &'a Sealer, within: Option<Duration>) -> Self {
        let begin = within.map(|time| {
            let limit = time.as_millis();
            format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {limit}; \
                 SET LOCAL idle_in_transaction_session_timeout = {limit}"
            )
        });
        Self {
            client,
            sealer,
            begin,
            begun: Cell::new(false),
        }
    }

    pub(super) async fn query(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, StepError> {
        let parameters = parameters(values);
        self.begun(self.client.query_typed(statement, &parameters))
            .await
    }

    /// The row, where there is one at most.
    pub(super) async fn find(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, StepError> {
        Ok(self.query(statement, values).await?.into_iter().next())
    }

    pub(super) async fn exists(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<bool, StepError> {
        Ok(!self.query(statement, values).await?.is_empty())
    }

    /// How many rows it changed.
    pub(super) async fn execute(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<u64, StepError> {
        let parameters = parameters(values);
        self.begun(self.client.execute_typed(statement, &parameters))
            .await
    }

    /// The same as the one statement of a step: a transaction by itself. Where the server says no nothing was done; where
    /// the connection goes, nobody knows.
    pub(super) async fn execute_alone(
        &self,
        statement: &str,
        values: &[Value<'_>],
    ) -> Result<u64, StepError> {
        let parameters = parameters(values);
        let changed = self.client.execute_typed(statement, &parameters).await;
        changed.map_err(|error| match error.code() {
            Some(_) => StepError::Database(error),
            None => StepError::Unknown(error),
        })
    }

    /// The columns of a row, to be read.
    pub(super) const fn columns<'r>(&'r self, row: &'r Row) -> Columns<'r> {
        Columns::of(row, self.sealer)
    }

    /// A value as a cell.
    pub(super) fn packed<T: Serialize>(
        &self,
        cell: seal::Cell<'_>,
        value: &Secret<T>,
    ) -> Result<Vec<u8>, StepError> {
        Ok(pack(self.sealer, cell, value)?)
    }

    /// Several statements without values: a migration.
    pub(super) async fn batch(&self, statements: &str) -> Result<(), StepError> {
        self.begun(self.client.batch_execute(statements)).await
    }

    /// Sends the begin in front of the first statement: both are answered in one round trip.
    async fn begun<T>(
        &self,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StepError> {
        let Some(begin) = self.begin.as_ref().filter(|_| !self.begun.get()) else {
            return Ok(statement.await?);
        };
        self.begun.set(true);
        let (opened, answer) = tokio::join!(biased; self.client.batch_execute(begin), statement);
        opened?;
        Ok(answer?)
    }

    pub(super) async fn commit(self) -> Result<(), StepError> {
        if !self.begun.get() {
            return Ok(());
        }
        let committed = self.client.batch_execute("COMMIT").await;
        committed.map_err(uncommitted)
    }

    pub(super) async fn roll_back(self) -> Result<(), StepError> {
        if self.begun.get() {
            self.client.batch_execute("ROLLBACK").await?;
        }
        Ok(())
    }
}

/// A connection that goes during a commit leaves open whether it was done; a race that the server says was lost is a no.
fn uncommitted(error: tokio_postgres::Error) -> StepError {
    match error.code() {
        Some(code) if code.code().starts_with("40") && code.code() != "40003" => {
            StepError::Database(error)
        }
        _ => StepError::Unknown(error),
    }
}

fn parameters<'a>(values: &'a [Value<'_>]) -> Vec<Parameter<'a>> {
    values
        .iter()
        .map(|value| (value as &(dyn ToSql + Sync), value.kind()))
        .collect()
}
