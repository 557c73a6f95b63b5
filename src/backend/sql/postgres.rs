//! What is PostgreSQL's alone: how a connection is made, prepared, made like new and let go of, and what its SQLSTATEs
//! come to.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, Row};

use super::link::{Cause, Names, Order, Refusal, Rows};
use super::server::CANCEL;
use super::settings::SqlError;
use crate::postgres::{self, Target, Tls, told};
use crate::secret::Secret;

/// What the server's own lists call the connections, unless the URL says otherwise.
const NAME: &str = "catalog-broker sql";

/// How to connect.
pub(super) struct Way {
    config: Config,
    tls: Tls,
}

/// A client, and the task that reads and writes for it.
pub(super) struct Link {
    client: Client,
    driver: AbortHandle,
    tls: Tls,
}

impl Way {
    pub(super) fn new(url: &Secret, timeout: Duration) -> Result<Self, SqlError> {
        let wrong = |error: postgres::AddressError| SqlError::Address(error.to_string());
        let Target { mut config, way } = postgres::read(url, NAME).map_err(wrong)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(timeout);
        }
        let tls = way.tls().map_err(wrong)?;
        Ok(Self { config, tls })
    }

    pub(super) fn place(&self) -> String {
        let database = self.names().database.unwrap_or_default();
        format!("{} {database}", postgres::hosts(&self.config).join(","))
    }

    pub(super) fn names(&self) -> Names {
        let config = &self.config;
        let host = config.get_hosts().first().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let address = config.get_hostaddrs().first().map(ToString::to_string);
        let user = config.get_user().unwrap_or_default();
        Names {
            host: host.or(address),
            port: config.get_ports().first().copied().unwrap_or(5432),
            database: Some(config.get_dbname().unwrap_or(user).to_owned()),
            username: user.to_owned(),
        }
    }

    pub(super) async fn connect(
        &self,
        database: Option<&str>,
        timeout: Duration,
    ) -> Result<Link, Refusal> {
        let mut config = self.config.clone();
        if let Some(database) = database {
            config.dbname(database);
        }
        let (client, connection) = config.connect(self.tls.clone()).await?;
        let driver = tokio::spawn(async move {
            // Who uses it hears of the same trouble.
            if let Err(error) = connection.await {
                log::debug!(target: "backend", "a connection ended: {}", told(&error));
            }
        });
        let link = Link {
            client,
            driver: driver.abort_handle(),
            tls: self.tls.clone(),
        };
        link.client.batch_execute(&preparation(timeout)).await?;
        Ok(link)
    }
}

/// What holds for a session, whatever a database's owner has set for it: statements run as who connects, they mean the
/// server's own functions, and what is quoted is read as it was written.
fn preparation(timeout: Duration) -> String {
    let limit = timeout.as_millis();
    format!(
        "SET ROLE NONE; SET search_path = ''; SET standard_conforming_strings = on; \
         SET default_transaction_read_only = off; SET statement_timeout = {limit}; \
         SET idle_in_transaction_session_timeout = {limit}; SET client_min_messages = warning"
    )
}

/// Undoes what statements may have set for a session or left in it. `DISCARD ALL` would do so as well, but for what the
/// client has prepared for itself and relies on.
const UNDONE: &str = "SET SESSION AUTHORIZATION DEFAULT; SET ROLE NONE; RESET ALL; CLOSE ALL; UNLISTEN *; \
    SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES";

impl Link {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Each is a message of its own, in the protocol that takes one statement at a time: a second one in it is refused,
    /// wherever it comes from.
    pub(super) async fn carry_out(&self, orders: &[Order<'_>]) -> Vec<Result<Rows, Refusal>> {
        let sent = orders.iter().map(|order| {
            let sql = match *order {
                Order::Run(sql) => sql,
                Order::Begin => "BEGIN",
                Order::Commit => "COMMIT",
            };
            async move {
                let rows = self.client.query_typed(sql, &[]).await?;
                Ok(rows.iter().map(first).collect())
            }
        });
        all(sent).await
    }

    pub(super) async fn renew(&self, timeout: Duration) -> Result<(), Refusal> {
        let sql = format!("{UNDONE}; {}", preparation(timeout));
        Ok(self.client.batch_execute(&sql).await?)
    }

    pub(super) async fn close(self) {
        let Self { client, driver, .. } = self;
        drop(client);
        // The goodbye is said by the driver, which ends with it.
        let gone = async {
            while !driver.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(CANCEL, gone).await;
    }

    pub(super) fn cancel(self, runtime: &Handle) {
        let token = self.client.cancel_token();
        self.driver.abort();
        runtime.spawn(async move {
            let _ = tokio::time::timeout(CANCEL, token.cancel_query(self.tls)).await;
        });
    }
}

/// What all come to. Each is begun in its turn, before any is waited for.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, output) in running.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// What is no text and no number is told as nothing.
fn first(row: &Row) -> Option<String> {
    let text = row.try_get::<_, Option<String>>(0).ok().flatten();
    text.or_else(|| row.try_get::<_, i32>(0).ok().map(|n| n.to_string()))
        .or_else(|| row.try_get::<_, i64>(0).ok().map(|n| n.to_string()))
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Postgres(error)
    }
}

pub(super) fn cause(error: &Error) -> Cause {
    match error.code() {
        Some(code) => of(code),
        None if is_config(error) => Cause::Login,
        None => Cause::Away,
    }
}

fn of(code: &SqlState) -> Cause {
    let passing = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::OBJECT_IN_USE,
        SqlState::UNIQUE_VIOLATION,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        // "tuple concurrently updated"
        SqlState::INTERNAL_ERROR,
        SqlState::IO_ERROR,
    ];
    let there = [
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_DATABASE,
        SqlState::DUPLICATE_SCHEMA,
    ];
    let not_there = [SqlState::UNDEFINED_OBJECT, SqlState::INVALID_SCHEMA_NAME];
    match &code.code()[..2] {
        "28" => Cause::Login,
        "53" => Cause::Full,
        "08" | "40" | "57" => Cause::Passing,
        _ if *code == SqlState::INVALID_CATALOG_NAME => Cause::NoDatabase,
        _ if *code == SqlState::DEPENDENT_OBJECTS_STILL_EXIST => Cause::DependedOn,
        _ if passing.contains(code) => Cause::Passing,
        _ if there.contains(code) => Cause::IsThere,
        _ if not_there.contains(code) => Cause::IsNotThere,
        _ => Cause::Other,
    }
}

/// Whether the URL has no login that the server asks for.
fn is_config(error: &Error) -> bool {
    error.to_string().contains("authentication") || told(error).contains("password missing")
}

/// Data that do not fit, and constraints.
pub(super) fn is_of_values(error: &Error) -> bool {
    let class = error.code().map(|code| &code.code()[..2]);
    matches!(class, Some("22" | "23"))
}

/// A few words for the commonest.
pub(super) fn condition(error: &Error) -> String {
    let code = error.code().map_or("", SqlState::code);
    let words = match code {
        "42501" => "its login has not the privilege",
        "42601" => "it has a syntax error",
        "42710" | "42P04" | "42P06" | "42P07" => "something of that name is there already",
        "42704" | "3D000" | "3F000" | "42P01" | "42883" => "something that it names is not there",
        "2BP01" => "something still depends on what it removes",
        code if code.starts_with("22") => "a value does not fit",
        code if code.starts_with("23") => "a constraint is against it",
        code if code.starts_with("42") => "it is not valid",
        code if code.starts_with("0A") => "the server cannot do this",
        "25001" => "it cannot run in a transaction",
        _ => "it could not be carried out",
    };
    format!("{words} (SQLSTATE {code})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        for (code, expected) in [
            ("40001", Cause::Passing),
            ("40P01", Cause::Passing),
            ("53300", Cause::Full),
            ("55006", Cause::Passing),
            ("57P01", Cause::Passing),
            ("XX000", Cause::Passing),
            ("28P01", Cause::Login),
            ("3D000", Cause::NoDatabase),
            ("42501", Cause::Other),
            ("42601", Cause::Other),
            ("42710", Cause::IsThere),
            ("42704", Cause::IsNotThere),
            ("3F000", Cause::IsNotThere),
            ("42P01", Cause::Other),
            ("42P07", Cause::Other),
            ("2BP01", Cause::DependedOn),
        ] {
            assert_eq!(of(&SqlState::from_code(code)), expected, "{code}");
        }
    }
}
