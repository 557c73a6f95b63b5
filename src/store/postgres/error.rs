//! What can go wrong with a database, in a step and at start.

use std::fmt;

use tokio_postgres::error::SqlState;

use crate::domain::id::IdError;
use crate::domain::ledger::KeyId;
use crate::domain::store::StoreError;
use crate::postgres::{AddressError, told};
use crate::store::packed;
use crate::store::seal::lacking;

/// Why a step was not carried out.
#[derive(Debug)]
pub(super) enum StepError {
    /// The database says no, or says nothing more.
    Database(tokio_postgres::Error),
    /// The connection went while the commit was under way: nobody knows whether it was done.
    Unknown(tokio_postgres::Error),
    /// The server takes no writes: the old one, after a failover.
    ReadOnly,
    /// It took too long.
    Slow(&'static str),
    /// Another was quicker, in a way that the statements could not see: the step begins anew.
    Raced,
    /// What a row holds is not what this broker writes.
    Unreadable(&'static str),
    /// What a cell holds cannot be opened, or is not what this broker writes.
    Cell(packed::Unreadable),
}

impl StepError {
    /// Whether nothing was done, and the same step may go well when it is carried out again at once.
    pub(super) fn is_repeatable(&self) -> bool {
        match self {
            Self::Raced => true,
            Self::Database(error) => error.is_closed() || error.code().is_some_and(passes),
            Self::Unknown(_)
            | Self::ReadOnly
            | Self::Slow(_)
            | Self::Unreadable(_)
            | Self::Cell(_) => false,
        }
    }

    /// Whether the server lacks what a write needs (classes 53, 54, 58 and XX): it answers, and the next write may fail too.
    pub(super) fn is_ailment(&self) -> bool {
        let (Self::Database(error) | Self::Unknown(error)) = self else {
            return false;
        };
        let code = error.code().map(SqlState::code).unwrap_or_default();
        ["53", "54", "58", "XX"]
            .iter()
            .any(|class| code.starts_with(class))
    }

    /// Whether the engine lacks a function that a statement uses.
    pub(super) fn is_unknown_function(&self) -> bool {
        matches!(self, Self::Database(error) if error.code() == Some(&SqlState::UNDEFINED_FUNCTION))
    }

    /// Whether the connection is as good as before.
    pub(super) fn leaves_connection(&self) -> bool {
        match self {
            Self::Raced | Self::Unreadable(_) | Self::Cell(_) => true,
            Self::Database(error) => error.code().is_some_and(lost_race),
            // The next one may lead to the new server.
            Self::Unknown(_) | Self::ReadOnly | Self::Slow(_) => false,
        }
    }
}

/// Whether another transaction was in the way. A unique violation is one, too: two have drawn one turn, or made one
/// table, of which the server may also say that the table or its type is there.
fn lost_race(code: &SqlState) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::UNIQUE_VIOLATION,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
    ]
    .contains(code)
}

/// Whether it is over the next time: a lost race, or a connection that the server took away.
fn passes(code: &SqlState) -> bool {
    lost_race(code) || *code == SqlState::ADMIN_SHUTDOWN
}

impl fmt::Display for StepError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => out.write_str(&told(error)),
            Self::Unknown(error) => write!(
                out,
                "the connection was lost during a commit, which may have been done or not: {}",
                told(error)
            ),
            Self::ReadOnly => out.write_str("the server takes no writes"),
            Self::Slow(what) => write!(out, "{what} took too long (setting store.timeout)"),
            Self::Raced => out.write_str("others were quicker again and again"),
            Self::Unreadable(what) => write!(out, "unreadable {what}"),
            Self::Cell(why) => write!(out, "unreadable {why}"),
        }
    }
}

impl From<tokio_postgres::Error> for StepError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<packed::Unreadable> for StepError {
    fn from(why: packed::Unreadable) -> Self {
        Self::Cell(why)
    }
}

impl From<IdError> for StepError {
    fn from(_: IdError) -> Self {
        Self::Unreadable("id")
    }
}

impl From<StepError> for StoreError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Unreadable(_) | StepError::Cell(_) => Self::Corrupt(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// Why a database cannot be used; for the operator, at start.
#[derive(Debug)]
pub enum OpenError {
    /// The URL leads nowhere.
    Address(AddressError),
    /// It did not answer in time.
    Away(String),
    /// It answers, and says no.
    Database(String),
    /// It has no tables of a broker, and is not to be given any.
    Missing,
    /// A copy into it did not come to its end.
    Unfinished,
    /// It is sealed with these keys, which are not given.
    Sealed(Vec<KeyId>),
    /// Nothing is sealed in it, and there are no keys to seal with.
    NoKeys,
    /// Its key of fingerprints cannot be opened.
    Locked(String),
    /// An older broker made its tables, and they are not to be changed.
    Older {
        /// The version of its tables.
        found: i64,
        /// The newest that this broker knows.
        known: i64,
    },
    /// A newer broker made its tables, and older ones may not use them.
    Newer {
        /// What a broker must know to use them.
        needs: i64,
        /// The newest that this broker knows.
        known: i64,
    },
    /// What it holds is not what a broker writes.
    Foreign(&'static str),
    /// The system's random source or its threads gave nothing.
    System(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => error.fmt(out),
            Self::Away(why) => write!(
                out,
                "it does not answer ({why}): start it, or correct host and port, and start the broker again"
            ),
            Self::Database(why) => write!(
                out,
                "it says: {why}. Correct user, password, database or sslmode of the URL, or what the user is granted: \
                 the broker makes its tables by itself and needs CREATE on the schema"
            ),
            Self::Missing => out.write_str(
                "there are no tables of a broker in it: name the database that the broker serves (--store, or its \
                 settings), and its schema (search_path), if that is another one",
            ),
            Self::Unfinished => out.write_str(
                "a copy into it did not come to its end: drop its tables broker_..., and copy again",
            ),
            Self::Sealed(missing) => out.write_str(&lacking(missing)),
            Self::NoKeys => out.write_str(
                "a database is not used without a key, for others than the broker see what is in it: make one with `openssl \
                 rand -base64 32`, keep it safe, and give it to every broker as store.keys (BROKER_STORE__KEYS)",
            ),
            Self::Locked(why) => out.write_str(why),
            Self::Older { found, known } => write!(
                out,
                "an older catalog-broker made its tables (schema {found}, this one has {known}): start this version of \
                 the broker once, it brings them up to date"
            ),
            Self::Newer { needs, known } => write!(
                out,
                "a newer catalog-broker made its tables (they need schema {needs}, this one knows {known}): run that \
                 version, or a newer one"
            ),
            Self::Foreign(why) => write!(out, "{why}: name another database"),
            Self::System(error) => out.write_str(error),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<AddressError> for OpenError {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl From<StepError> for OpenError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Database(database) if database.code().is_some() => {
                Self::Database(told(&database))
            }
            StepError::Unreadable(what) => Self::Foreign(what),
            StepError::Cell(why) => why.into(),
            error => Self::Away(error.to_string()),
        }
    }
}

impl From<packed::Unreadable> for OpenError {
    fn from(why: packed::Unreadable) -> Self {
        Self::Locked(why.to_string())
    }
}
