//! The store of a command that serves nobody: beside a broker that may serve it, or alone.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{bounds, keys};
use crate::domain::ledger::Ledger;
use crate::domain::store::Store;
use crate::secret::Secret;
use crate::settings::{StoreSettings, StoreUrl};
use crate::store::Keys;
use crate::store::none::NoStore;
use crate::store::postgres::{self, PostgresStore};
use crate::store::sqlite::{self, BackupError, OpenError, SqliteStore};

/// Why a command has no store.
#[derive(Debug)]
pub enum LedgerError {
    /// Nothing is remembered in it.
    Nothing,
    /// The file cannot be opened.
    Sqlite(PathBuf, OpenError),
    /// The database cannot be used; where it is.
    Postgres(String, postgres::OpenError),
    /// It is a database, which has its own way to be backed up.
    NoBackup,
    /// The file cannot be copied.
    Backup(PathBuf, BackupError),
}

impl LedgerError {
    /// Whether nothing is wrong but that there is no store yet.
    pub const fn is_missing(&self) -> bool {
        matches!(
            self,
            Self::Sqlite(_, OpenError::Missing(_))
                | Self::Postgres(_, postgres::OpenError::Missing)
        )
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => out.write_str(
                "the store none remembers nothing, so there is nothing to be found in it: name another one with --store",
            ),
            Self::Sqlite(path, why) => {
                write!(
                    out,
                    "the store sqlite:{} cannot be opened: {why}",
                    path.display()
                )
            }
            Self::Postgres(place, why) => write!(out, "the store {place} cannot be opened: {why}"),
            Self::NoBackup => out.write_str(
                "store backup copies a file of sqlite; this store is a database of PostgreSQL: back it up with \
                 `pg_dump --table 'broker_*'`, which takes one moment of it while brokers run, or write it into a file with \
                 `store copy`, with the brokers stopped",
            ),
            Self::Backup(path, why) => {
                write!(
                    out,
                    "the store sqlite:{} cannot be backed up: {why}",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for LedgerError {}

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// As it is, beside whoever serves it.
    Beside,
    /// Made if it is missing and brought up to date; sqlite's lock keeps brokers out meanwhile.
    Alone,
    /// To be read: the same, but it must be there, and no key is recorded. A database is left as it is.
    AloneThere,
}

/// The store as it is, beside a broker that may serve it.
pub fn beside(settings: &StoreSettings) -> Result<Arc<dyn Ledger>, LedgerError> {
    opened(settings, Way::Beside)
}

/// The store to write to while no broker serves it; made, if it is missing. A lock keeps brokers out where the engine has
/// one; whether there are any is to be asked of all others ([`Ledger::others`]).
pub fn alone(settings: &StoreSettings) -> Result<Arc<dyn Ledger>, LedgerError> {
    opened(settings, Way::Alone)
}

/// The same, but it must be there, and is only read.
pub fn alone_there(settings: &StoreSettings) -> Result<Arc<dyn Ledger>, LedgerError> {
    opened(settings, Way::AloneThere)
}

/// In place of a store that is not there, and is not to be made.
pub fn empty() -> Arc<dyn Store> {
    Arc::new(NoStore::default())
}

/// The process that serves the store; nothing where none does, or where nobody can tell: a database has many.
pub fn holder(settings: &StoreSettings) -> Result<Option<u32>, LedgerError> {
    match &settings.url {
        StoreUrl::Sqlite(path) => {
            sqlite::holder(path).map_err(|why| LedgerError::Sqlite(path.clone(), why))
        }
        StoreUrl::Postgres(_) | StoreUrl::None => Ok(None),
    }
}

/// Copies the store to a file, while a broker may go on serving it.
pub fn backup(settings: &StoreSettings, target: &Path) -> Result<(), LedgerError> {
    match &settings.url {
        StoreUrl::None => Err(LedgerError::Nothing),
        StoreUrl::Postgres(_) => Err(LedgerError::NoBackup),
        StoreUrl::Sqlite(path) => {
            sqlite::backup(path, target).map_err(|why| LedgerError::Backup(path.clone(), why))
        }
    }
}

fn opened(settings: &StoreSettings, way: Way) -> Result<Arc<dyn Ledger>, LedgerError> {
    match &settings.url {
        StoreUrl::None => Err(LedgerError::Nothing),
        StoreUrl::Sqlite(path) => match file(path, &keys(settings), way) {
            Ok(store) => Ok(Arc::new(store)),
            Err(why) => Err(LedgerError::Sqlite(path.clone(), why)),
        },
        StoreUrl::Postgres(url) => match database(url, settings, way) {
            Ok(store) => Ok(Arc::new(store)),
            Err(why) => Err(LedgerError::Postgres(postgres::place(url), why)),
        },
    }
}

fn file(path: &Path, keys: &Keys, way: Way) -> Result<SqliteStore, OpenError> {
    match way {
        Way::Beside => SqliteStore::open_beside(path, keys),
        Way::AloneThere if !path.exists() => Err(OpenError::Missing(path.to_owned())),
        Way::AloneThere => SqliteStore::open_held(path, keys),
        Way::Alone => SqliteStore::open(path, keys),
    }
}

fn database(
    url: &Secret<String>,
    settings: &StoreSettings,
    way: Way,
) -> Result<PostgresStore, postgres::OpenError> {
    let (url, bounds, keys) = (url.clone(), bounds(settings), keys(settings));
    match way {
        Way::Alone => PostgresStore::open_as_command(url, bounds, &keys),
        Way::Beside | Way::AloneThere => PostgresStore::open_beside(url, bounds, &keys),
    }
}
