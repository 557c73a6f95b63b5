//! One connection, to a server of either kind, and what the server says when it does not do what it is told.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;

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

/// What a connection is told to do.
#[derive(Clone, Copy)]
pub(super) enum Order<'a> {
    /// To run one statement; with a second one in it, it is refused.
    Run(&'a str),
    /// To begin a transaction.
    Begin,
    /// To commit it.
    Commit,
}

/// The first column of each row of an answer.
pub(super) type Rows = Vec<Option<String>>;

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
    /// What was to be removed is not there.
    IsNotThere,
    /// Either of these two: of logins MySQL does not say which.
    IsThereOrNot,
    /// What was to be ended has ended by itself.
    Ended,
    /// Anything else.
    Other,
}

impl Cause {
    /// Whether what was to be made may be there already.
    pub(super) const fn is_there(self) -> bool {
        matches!(self, Self::IsThere | Self::IsThereOrNot)
    }

    /// Whether what was to be removed may be gone already.
    pub(super) const fn is_not_there(self) -> bool {
        matches!(
            self,
            Self::IsNotThere | Self::NoDatabase | Self::IsThereOrNot
        )
    }
}

impl Way {
    pub(super) const fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::MySql(_) => Dialect::MySql,
        }
    }

    /// Where the server is, all hosts of it, and the database that its URL names. Who connects, and how, is no part of it.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Postgres(way) => way.place(),
            Self::MySql(way) => way.place(),
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

    /// Does all of it, in this order; what each comes to, up to the first that is refused or further. PostgreSQL is sent all
    /// of it before it has answered any; elsewhere each waits for the one before. That nothing is done behind what is refused
    /// holds for [`Dialect::is_all_or_nothing`] in a transaction, and elsewhere.
    pub(super) async fn carry_out(&mut self, orders: &[Order<'_>]) -> Vec<Result<Rows, Refusal>> {
        match self {
            Self::Postgres(link) => link.carry_out(orders).await,
            Self::MySql(link) => link.carry_out(orders).await,
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

    /// Lets go in the middle of something: nothing more is sent, and the server is told to stop it, and to undo it.
    pub(super) fn cancel(self, runtime: &Handle) {
        match self {
            Self::Postgres(link) => link.cancel(runtime),
            Self::MySql(link) => link.cancel(runtime),
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

    /// Whether a value of the statement is to blame: with the same one it would be refused again.
    pub(super) fn is_of_values(&self) -> bool {
        match self {
            Self::Postgres(error) => postgres::is_of_values(error),
            Self::MySql(error) => mysql::is_of_values(error),
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
