//! The store of a command that serves nobody: beside a broker that may serve it, or alone.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::ledger::Ledger;
use crate::domain::store::Store;
use crate::settings::{StoreSettings, StoreUrl};
use crate::store::none::NoStore;
use crate::store::sqlite::{self, BackupError, OpenError, SqliteStore};

/// Why a command has no store.
#[derive(Debug)]
pub enum LedgerError {
    /// Nothing is remembered in it.
    Nothing,
    /// It is PostgreSQL, whose rows these commands cannot read yet.
    Postgres,
    /// It cannot be opened.
    Open(PathBuf, OpenError),
    /// It cannot be copied.
    Backup(PathBuf, BackupError),
}

impl fmt::Display for LedgerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => out.write_str(
                "the store none remembers nothing, so there is nothing to be found in it: name another one with --store",
            ),
            Self::Postgres => out.write_str(
                "these commands work on sqlite alone in this version: look into the tables broker_... with psql, and back up with pg_dump",
            ),
            Self::Open(path, why) => {
                write!(
                    out,
                    "the store sqlite:{} cannot be opened: {why}",
                    path.display()
                )
            }
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

/// The store as it is, beside a broker that may serve it.
pub fn beside(settings: &StoreSettings) -> Result<Arc<dyn Ledger>, LedgerError> {
    opened(settings, SqliteStore::open_beside)
}

/// The store with its lock, so that no broker serves it meanwhile; made, if it is missing.
pub fn alone(settings: &StoreSettings) -> Result<Arc<dyn Ledger>, LedgerError> {
    opened(settings, SqliteStore::open)
}

/// The same, but it must be there.
pub fn alone_there(settings: &StoreSettings) -> Result<Arc<dyn Ledger>, LedgerError> {
    opened(settings, |path| {
        if path.exists() {
            SqliteStore::open(path)
        } else {
            Err(OpenError::Missing(path.to_owned()))
        }
    })
}

/// Whether there is a store already.
pub fn is_there(settings: &StoreSettings) -> bool {
    match &settings.url {
        StoreUrl::Sqlite(path) => path.exists(),
        // It is to be opened, which says that it cannot be.
        StoreUrl::Postgres(_) => true,
        StoreUrl::None => false,
    }
}

/// In place of a store that is not there, and is not to be made.
pub fn empty() -> Arc<dyn Store> {
    Arc::new(NoStore::default())
}

/// Copies the store to a file, while a broker may go on serving it.
pub fn backup(settings: &StoreSettings, target: &Path) -> Result<(), LedgerError> {
    match &settings.url {
        StoreUrl::None => Err(LedgerError::Nothing),
        StoreUrl::Postgres(_) => Err(LedgerError::Postgres),
        StoreUrl::Sqlite(path) => {
            sqlite::backup(path, target).map_err(|why| LedgerError::Backup(path.clone(), why))
        }
    }
}

fn opened(
    settings: &StoreSettings,
    open: impl FnOnce(&Path) -> Result<SqliteStore, OpenError>,
) -> Result<Arc<dyn Ledger>, LedgerError> {
    match &settings.url {
        StoreUrl::None => Err(LedgerError::Nothing),
        StoreUrl::Postgres(_) => Err(LedgerError::Postgres),
        StoreUrl::Sqlite(path) => match open(path) {
            Ok(store) => Ok(Arc::new(store)),
            Err(why) => Err(LedgerError::Open(path.clone(), why)),
        },
    }
}
