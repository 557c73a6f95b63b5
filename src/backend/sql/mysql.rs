//! What is MySQL's and MariaDB's alone: how a connection is made, prepared, made like new and let go of, and what the
//! numbers of their errors come to.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, Row, Value};
use tokio::runtime::Handle;

use super::link::{Cause, Names, Order, Refusal, Rows};
use super::server::CANCEL;
use super::settings::SqlError;
use crate::mysql::{self, Target};
use crate::secret::Secret;

/// How to connect.
pub(super) struct Way(Target);

/// A connection, and the way to it: another one has to be made to stop what it does.
pub(super) struct Link {
    conn: Conn,
    target: Target,
}

/// What a quote is, and that a value which does not fit is refused and not cut off; whatever the server's own default is.
const MODE: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";

/// As texts are written here. There are charsets in which a name could swallow its closing quote.
const CHARSET: &str = "SET NAMES utf8mb4";

impl Way {
    pub(super) fn new(url: &Secret) -> Result<Self, SqlError> {
        let target = mysql::read(url).map_err(|error| SqlError::Address(error.to_string()))?;
        Ok(Self(target))
    }

    pub(super) fn place(&self) -> String {
        let database = self.0.database.as_deref().unwrap_or_default();
        format!("{}:{} {database}", self.0.host.to_lowercase(), self.0.port)
    }

    pub(super) fn names(&self) -> Names {
        Names {
            host: Some(self.0.host.clone()),
            port: self.0.port,
            database: self.0.database.clone(),
            username: self.0.username.clone(),
        }
    }

    pub(super) async fn connect(
        &self,
        database: Option<&str>,
        timeout: Duration,
    ) -> Result<Link, Refusal> {
        let limit = timeout.as_secs().max(1);
        let setup = vec![
            MODE.to_owned(),
            CHARSET.to_owned(),
            "SET SESSION autocommit = 1".to_owned(),
            format!("SET SESSION lock_wait_timeout = {limit}"),
        ];
        let conn = self.0.connect(database, setup).await?;
        Ok(Link {
            conn,
            target: self.0.clone(),
        })
    }
}

impl Link {
    pub(super) fn is_closed(&self) -> bool {
        self.conn.is_disconnected()
    }

    pub(super) async fn answers(&mut self, limit: Duration) -> bool {
        matches!(
            tokio::time::timeout(limit, self.conn.ping()).await,
            Ok(Ok(()))
        )
    }

    /// One behind the other: the server would go on behind what it refused.
    pub(super) async fn carry_out(&mut self, orders: &[Order<'_>]) -> Vec<Result<Rows, Refusal>> {
        let mut answers = Vec::new();
        for order in orders {
            let answer = match *order {
                Order::Run(sql) => self.run(sql).await,
                Order::Begin => self.turn(true).await.map(|()| Rows::new()),
                Order::Commit => self.turn(false).await.map(|()| Rows::new()),
            };
            let is_refused = answer.is_err();
            answers.push(answer);
            if is_refused {
                break;
            }
        }
        answers
    }

    /// As a prepared statement, for the library has the server take several at a time where they come as text; prepared,
    /// a second one is refused, wherever it comes from.
    async fn run(&mut self, sql: &str) -> Result<Rows, Refusal> {
        if !sql.is_ascii() {
            self.conn.query_drop(CHARSET).await?;
        }
        let rows: Vec<Row> = self.conn.exec(sql, ()).await?;
        Ok(rows.iter().map(first).collect())
    }

    /// What makes or drops something commits by itself. So that what comes behind it is a transaction again, none is
    /// begun, but committing is left to us.
    async fn turn(&mut self, begin: bool) -> Result<(), Refusal> {
        if begin {
            return Ok(self.conn.query_drop("SET SESSION autocommit = 0").await?);
        }
        self.conn.query_drop("COMMIT").await?;
        Ok(self.conn.query_drop("SET SESSION autocommit = 1").await?)
    }

    pub(super) async fn renew(&mut self) -> Result<(), Refusal> {
        if self.conn.reset().await? {
            return Ok(());
        }
        // A server that is too old for it: the connection is not kept.
        Err(Refusal::MySql(Error::Driver(DriverError::ConnectionClosed)))
    }

    pub(super) async fn close(self) {
        let _ = tokio::time::timeout(CANCEL, self.conn.disconnect()).await;
    }

    /// A server does not look after its client while it is busy: it is told over another connection.
    pub(super) fn cancel(self, runtime: &Handle) {
        let Self { conn, target } = self;
        let kill = format!("KILL CONNECTION {}", conn.id());
        drop(conn);
        let stopping = async move {
            let mut other = target.connect(None, Vec::new()).await?;
            other.query_drop(kill).await?;
            other.disconnect().await
        };
        runtime.spawn(async move {
            let stopped = tokio::time::timeout(CANCEL, stopping).await;
            if let Ok(Err(error)) = stopped {
                log::debug!(target: "backend", "a statement is not stopped: {}", mysql::told(&error));
            }
        });
    }
}

fn first(row: &Row) -> Option<String> {
    match row.as_ref(0)? {
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::Int(number) => Some(number.to_string()),
        Value::UInt(number) => Some(number.to_string()),
        _ => None,
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::MySql(error)
    }
}

pub(super) fn cause(error: &Error) -> Cause {
    match error {
        Error::Server(error) => of(error.code),
        Error::Driver(
            DriverError::UnknownAuthPlugin { .. }
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::CleartextPluginDisabled,
        ) => Cause::Login,
        _ => Cause::Away,
    }
}

fn of(code: u16) -> Cause {
    match code {
        // Wrong, missing, expired, locked, or not from here.
        1045 | 1130 | 1251 | 1698 | 1820 | 1862 | 3118 | 4151 => Cause::Login,
        1040 | 1041 | 1203 | 1226 => Cause::Full,
        1049 => Cause::NoDatabase,
        // Shutting down; killed or too slow; locked or deadlocked; read-only, or a cluster that is not ready.
        1053 | 1317 | 1927 | 1969 | 3024 | 1205 | 1213 | 1020 | 1290 | 1836 | 1047 => {
            Cause::Passing
        }
        1010 | 1451 => Cause::DependedOn,
        1007 | 1050 | 1062 => Cause::IsThere,
        // A database; what a login may, or the login itself.
        1008 | 1133 | 1141 | 1147 | 1269 => Cause::IsNotThere,
        1396 => Cause::IsThereOrNot,
        1094 => Cause::Ended,
        _ => Cause::Other,
    }
}

/// A value that does not fit.
const UNFIT: &[u16] = &[1059, 1102, 1264, 1292, 1365, 1366, 1406, 1411, 1470, 1690];

/// A constraint, of a column or of a table.
const CONSTRAINTS: &[u16] = &[1048, 1451, 1452, 3819, 4025];

/// One that is there already is no constraint but where it is a row.
pub(super) fn is_of_values(error: &Error) -> bool {
    matches!(error, Error::Server(error) if is_value(error.code))
}

fn is_value(code: u16) -> bool {
    UNFIT.contains(&code) || CONSTRAINTS.contains(&code) || code == 1062
}

/// A few words for the commonest.
pub(super) fn condition(error: &Error) -> String {
    let Error::Server(error) = error else {
        return "it could not be carried out".to_owned();
    };
    let words = match error.code {
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1410 => "its login has not the privilege",
        1064 | 1065 | 1149 => "it has a syntax error",
        1295 => "the server takes it in no prepared statement",
        1007 | 1050 | 1062 | 1304 => "something of that name is there already",
        1396 => "something of that name is there already, or it names what is not there",
        1008 | 1049 | 1051 | 1054 | 1133 | 1141 | 1146 | 1305 => {
            "something that it names is not there"
        }
        1524 => "the server has not the plugin that it names",
        code if UNFIT.contains(&code) => "a value does not fit",
        code if CONSTRAINTS.contains(&code) => "a constraint is against it",
        _ => "it could not be carried out",
    };
    format!("{words} (error {})", error.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        for (code, expected) in [
            (1045, Cause::Login),
            (1040, Cause::Full),
            (1049, Cause::NoDatabase),
            (1205, Cause::Passing),
            (1213, Cause::Passing),
            (1927, Cause::Passing),
            (1007, Cause::IsThere),
            (1008, Cause::IsNotThere),
            (1396, Cause::IsThereOrNot),
            (1094, Cause::Ended),
            (1146, Cause::Other),
            (1064, Cause::Other),
            (1142, Cause::Other),
        ] {
            assert_eq!(of(code), expected, "{code}");
        }
    }

    #[test]
    fn what_values_are_to_blame_for_is_told_from_what_an_operator_mends() {
        for code in [1264, 1366, 1406, 1048, 1062, 1452, 4025] {
            assert!(is_value(code), "{code}");
        }
        for code in [1007, 1045, 1064, 1142, 1146, 1205, 1396] {
            assert!(!is_value(code), "{code}");
        }
    }
}
