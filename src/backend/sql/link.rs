//! One connection, to a server of either kind, and what the server says when it does not do what it is told.

use std::time::Duration;

use serde_json::{Value, json};

use super::dialect::Dialect;
use super::{mysql, postgres};
use crate::domain::json::Object;

/// How to connect.
pub(super) enum Way {
    Postgres(postgres::Way),
    MySql(mysql::Way),
}

/// A connection.
pub(super) enum Link {
    Postgres(postgres::Link),
    MySql(mysql::Link),
}

/// What a server, or the way to it, answered in place of what was asked for.
#[derive(Debug)]
pub(super) enum Refusal {
    Postgres(tokio_postgres::Error),
    MySql(mysql_async::Error),
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nobody answered, or not to the end.
    Away,
    /// The login is not good enough to get in.
    Login,
    /// There is no room.
    Full,
    /// The database to connect to is not there.
    NoDatabase,
    /// It is over the next time: the server is stopping or starting, or another transaction was in the way.
    Passing,
    /// Something depends on it; who removes may find what was made a moment ago.
    DependedOn,
    /// What was to be made is there already.
    IsThere,
    /// What was to be ended is not there any more.
    IsGone,
    /// Anything else.
    Other,
}

impl Way {
    pub(super) const fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::MySql(_) => Dialect::MySql,
        }
    }

    /// `server` in statements.
    pub(super) fn names(&self) -> Object {
        let names = match self {
            Self::Postgres(way) => way.names(),
            Self::MySql(way) => way.names(),
        };
        let names = json!({
            "host": names.host,
            "port": names.port,
            "database": names.database,
            "username": names.username,
        });
        match names {
            Value::Object(names) => names,
            _ => Object::new(),
        }
    }

    /// Connects to a database; none is the one that the URL names.
    pub(super) async fn connect(
        &self,
        database: Option<&str>,
        timeout: Duration,
    ) -> Result<Link, Refusal> {
        Ok(match self {
            Self::Postgres(way) => Link::Postgres(way.connect(database, timeout).await?),
            Self::MySql(way) => Link::MySql(way.connect(database, timeout).await?),
        })
    }

    /// All that a statement may have left, as far as it has a name: a question whose answer is a name a row.
    pub(super) const fn inventory(&self) -> &'static str {
        match self {
            Self::Postgres(_) => postgres::INVENTORY,
            Self::MySql(_) => mysql::INVENTORY,
        }
    }
}

/// Where a server is, and who connects to it.
pub(super) struct Names {
    pub(super) host: Option<String>,
    pub(super) port: u16,
    pub(super) database: Option<String>,
    pub(super) username: String,
}

impl Link {
    /// Whether it is known to be of no use any more.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Postgres(link) => link.is_closed(),
            Self::MySql(link) => link.is_closed(),
        }
    }

    /// Whether the server is still at its other end. Where a connection is read all the time that is known; elsewhere it
    /// is asked.
    pub(super) async fn answers(&mut self, limit: Duration) -> bool {
        match self {
            Self::Postgres(link) => !link.is_closed(),
            Self::MySql(link) => link.answers(limit).await,
        }
    }

    /// Runs one statement, which a second one in it would be refused with: the first column of each row of its answer.
    pub(super) async fn run(&mut self, sql: &str) -> Result<Vec<Option<String>>, Refusal> {
        match self {
            Self::Postgres(link) => link.run(sql).await,
            Self::MySql(link) => link.run(sql).await,
        }
    }

    /// Begins a transaction, or commits it.
    pub(super) async fn turn(&mut self, begin: bool) -> Result<(), Refusal> {
        match self {
            Self::Postgres(link) => link.turn(begin).await,
            Self::MySql(link) => link.turn(begin).await,
        }
    }

    /// Takes away what statements have set on it or left in it.
    pub(super) async fn renew(&mut self, timeout: Duration) -> Result<(), Refusal> {
        match self {
            Self::Postgres(link) => link.renew(timeout).await,
            Self::MySql(link) => link.renew().await,
        }
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        match self {
            Self::Postgres(link) => link.close().await,
            Self::MySql(link) => link.close().await,
        }
    }

    /// Lets go in the middle of something: the server is told to stop it, and to undo it.
    pub(super) async fn cancel(self) {
        match self {
            Self::Postgres(link) => link.cancel().await,
            Self::MySql(link) => link.cancel().await,
        }
    }
}

impl Refusal {
    pub(super) fn cause(&self) -> Cause {
        match self {
            Self::Postgres(error) => postgres::cause(error),
            Self::MySql(error) => mysql::cause(error),
        }
    }

    /// What the log reads.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Postgres(error) => crate::postgres::told(error),
            Self::MySql(error) => crate::mysql::told(error),
        }
    }

    /// What a user reads: a few words, and the number that says the rest.
    pub(super) fn condition(&self) -> String {
        match self {
            Self::Postgres(error) => postgres::condition(error),
            Self::MySql(error) => mysql::condition(error),
        }
    }
}
