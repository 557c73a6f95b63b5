//! Why a file cannot be opened, as its operator reads it.

use std::fmt;
use std::path::PathBuf;

use crate::domain::ledger::KeyId;
use crate::store::packed;
use crate::store::seal::lacking;

/// Why a file cannot be used; for the operator, at start.
#[derive(Debug)]
pub enum OpenError {
    /// Its folder cannot be made.
    Folder(PathBuf, std::io::Error),
    /// The file for the lock cannot be written.
    LockFile(PathBuf, std::io::Error),
    /// It cannot be written.
    File(PathBuf, std::io::Error),
    /// Another broker serves it.
    Held(PathBuf),
    /// It is no SQLite database, or not the broker's.
    Foreign(&'static str),
    /// It is not there, and is not to be made.
    Missing(PathBuf),
    /// A copy into it did not come to its end.
    Unfinished,
    /// It is sealed with these keys, which are not given.
    Sealed(Vec<KeyId>),
    /// Its key of fingerprints cannot be opened.
    Locked(String),
    /// An older broker made it, and it is not to be changed.
    Older {
        /// The version of the file's schema.
        found: i64,
        /// The newest that this broker knows.
        known: i64,
    },
    /// A newer broker made it.
    Newer {
        /// The version of the file's schema.
        found: i64,
        /// The newest that this broker knows.
        known: i64,
    },
    /// SQLite says no.
    Database(rusqlite::Error),
    /// The system's random source or its threads gave nothing.
    System(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path, error) => {
                write!(out, "the folder {} cannot be made: {error}", path.display())
            }
            Self::LockFile(path, error) => write!(
                out,
                "the lock file {} cannot be written: {error}",
                path.display()
            ),
            Self::File(path, error) => {
                write!(out, "{} cannot be written: {error}", path.display())
            }
            Self::Held(path) => {
                write!(
                    out,
                    "another broker serves it (it holds {}): stop that one, or give this one a store of its own",
                    path.display()
                )
            }
            Self::Foreign(why) => write!(out, "{why}: name another file, or move this one away"),
            Self::Missing(path) => write!(
                out,
                "there is no file {}: name the one that the broker serves (--store, or its settings)",
                path.display()
            ),
            Self::Unfinished => out.write_str(
                "a copy into it did not come to its end: remove it, with the files -wal and -shm beside it, and copy again",
            ),
            Self::Sealed(missing) => out.write_str(&lacking(missing)),
            Self::Locked(why) => out.write_str(why),
            Self::Older { found, known } => write!(
                out,
                "an older catalog-broker made it (schema {found}, this one has {known}): start this version of the broker once, it brings the file up to date"
            ),
            Self::Newer { found, known } => write!(
                out,
                "a newer catalog-broker made it (schema {found}, this one knows {known}): run that version, or a newer one"
            ),
            Self::Database(error) => write!(out, "SQLite cannot use it: {error}"),
            Self::System(error) => out.write_str(error),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Self::Foreign("it is not a SQLite database"),
            _ => Self::Database(error),
        }
    }
}

impl From<packed::Unreadable> for OpenError {
    fn from(why: packed::Unreadable) -> Self {
        Self::Locked(why.to_string())
    }
}
