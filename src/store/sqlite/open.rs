//! Opening a file: its folder, its lock, its connections.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::error::OpenError;
use super::migrations::{current, recognise};
use crate::domain::json::FingerprintKey;

/// Makes the folder that the file is in.
pub(super) fn folder(path: &Path) -> Result<(), OpenError> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            fs::create_dir_all(folder).map_err(|error| OpenError::Folder(folder.to_owned(), error))
        }
        _ => Ok(()),
    }
}

/// Takes the lock beside the file.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file = own(&path).map_err(|error| OpenError::LockFile(path.clone(), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Held(path)),
        Err(TryLockError::Error(error)) => Err(OpenError::LockFile(path, error)),
    }
}

/// How long a statement waits for another process (a backup, `sqlite3`) that has the file locked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens a file, made if it is missing, for its owner's eyes only: what it holds are credentials.
fn own(path: &Path) -> std::io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
}

/// The writer's page cache, in KiB with SQLite's minus: those of the indexes of a million instances (2 MB) and what
/// a commit writes stay in it. With SQLite's 2 MB every change read them anew.
const CACHE: i64 = -4 * 1024;

/// Pages in the log before it is copied into the file: 16 MB. A page that several commits wrote is copied once, so fewer
/// copies write less; and each waits for the disk twice.
const LOG: i64 = 4_096;

/// A connection that writes. What SQLite makes beside the file gets the file's own mode.
pub(super) fn connect(path: &Path) -> Result<Connection, OpenError> {
    own(path).map_err(|error| OpenError::File(path.to_owned(), error))?;
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(PATIENCE)?;
    // Before the first pragma that writes.
    recognise(&connection)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// How long a statement waits where a broker serves the same file: a command has time, and the broker's writer leaves
/// short gaps under load.
const PATIENCE_BESIDE: Duration = Duration::from_secs(15);

/// A connection that writes beside a broker, to a file that is there.
pub(super) fn connect_beside(path: &Path) -> Result<Connection, OpenError> {
    there(path)?;
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(PATIENCE_BESIDE)?;
    current(&connection)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// A file that is there: SQLite would say no more than that it cannot open it.
fn there(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(OpenError::Missing(path.to_owned()))
        }
        Err(error) => Err(OpenError::File(path.to_owned(), error)),
        Ok(_) => Ok(()),
    }
}

/// A connection that reads. It does not map the file, although that would be quicker: an error of the disk would kill
/// the process.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -512)?;
    connection.set_prepared_statement_cache_capacity(16);
    Ok(connection)
}

/// The name in `meta` of what says that rows of another store are being written, and not all are there.
pub(super) const UNFINISHED: &str = "unfinished copy";

/// Refuses a file that a copy did not fill to its end: what is missing would pass for what never was.
pub(super) fn whole(connection: &Connection) -> Result<(), OpenError> {
    let unfinished = connection
        .prepare("SELECT 1 FROM meta WHERE name = ?1")?
        .exists([UNFINISHED])?;
    if unfinished {
        return Err(OpenError::Unfinished);
    }
    Ok(())
}

/// The key of fingerprints; made with the file.
pub(super) fn fingerprint_key(connection: &Connection) -> Result<FingerprintKey, OpenError> {
    let stored: Option<Vec<u8>> = connection
        .query_row(
            "SELECT value FROM meta WHERE name = 'fingerprint key'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(key) = stored {
        let key: [u8; 32] = key
            .try_into()
            .map_err(|_| OpenError::Foreign("its key of fingerprints is not 32 bytes long"))?;
        return Ok(FingerprintKey::new(&key));
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| {
        OpenError::System(format!("the system gave no random numbers: {error}"))
    })?;
    connection.execute(
        "INSERT INTO meta (name, value) VALUES ('fingerprint key', ?1)",
        [&key[..]],
    )?;
    Ok(FingerprintKey::new(&key))
}
