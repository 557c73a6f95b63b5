//! Opening a file: its folder, its lock, its connections.

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use super::error::OpenError;
use super::migrations::{current, migrate, recognise};
use crate::domain::json::FingerprintKey;
use crate::secret::Secret;
use crate::store::seal::{Opener, Record, Sealer};

/// Makes the folder that the file is in.
fn folder(path: &Path) -> Result<(), OpenError> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            fs::create_dir_all(folder).map_err(|error| OpenError::Folder(folder.to_owned(), error))
        }
        _ => Ok(()),
    }
}

fn lock_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// How often the lock is asked for again, for a second in all: a broker that was killed may leave it for a moment to a
/// program that it was just starting.
const LOCK_TRIES: u32 = 50;
const LOCK_REST: Duration = Duration::from_millis(20);

fn try_lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_REST),
            outcome => return outcome,
        }
    }
    file.try_lock()
}

/// Takes the lock beside the file, and says in it which process has it.
fn lock(path: &Path) -> Result<File, OpenError> {
    let path = lock_file(path);
    let mut file = own(&path).map_err(|error| OpenError::LockFile(path.clone(), error))?;
    match try_lock(&file) {
        Ok(()) => {
            let noted = file
                .set_len(0)
                .and_then(|()| writeln!(file, "{}", std::process::id()));
            noted.map_err(|error| OpenError::LockFile(path, error))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(OpenError::Held(path)),
        Err(TryLockError::Error(error)) => Err(OpenError::LockFile(path, error)),
    }
}

/// The process that serves a file; nothing where none does.
pub fn holder(path: &Path) -> Result<Option<u32>, OpenError> {
    let path = lock_file(path);
    let broken = |error| OpenError::LockFile(path.clone(), error);
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(broken)?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text).map_err(broken)?;
            Ok(text.trim().parse().ok())
        }
        Err(TryLockError::Error(error)) => Err(broken(error)),
    }
}

/// Opens a file that nobody else serves: made if it is missing, its schema brought up to date, its lock taken.
pub(super) fn alone(path: &Path) -> Result<(Connection, File), OpenError> {
    folder(path)?;
    let lock = lock(path)?;
    let mut connection = connect(path)?;
    migrate(&mut connection)?;
    Ok((connection, lock))
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

/// The key of fingerprints; made with the file. The keys of the operator are held against what the file was sealed with,
/// and what a broker's will seal is recorded before it does.
pub(super) fn unlock(
    connection: &mut Connection,
    sealer: &Sealer,
    opener: Opener,
) -> Result<FingerprintKey, OpenError> {
    let record = recorded(connection)?;
    let stored = stored_key(connection)?;
    let agreed = sealer
        .agree(&record, opener, stored.is_none())
        .map_err(OpenError::Sealed)?;
    sealer.settle(&agreed);
    if let Some(key) = stored.as_ref().filter(|_| agreed.names.is_empty()) {
        return opened(sealer, key);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for name in &agreed.names {
        transaction.execute(
            "INSERT INTO meta (name, value) VALUES (?1, x'00') ON CONFLICT (name) DO NOTHING",
            [name],
        )?;
    }
    if stored.is_none() {
        transaction.execute(
            "INSERT INTO meta (name, value) VALUES ('fingerprint key', ?1) ON CONFLICT (name) DO NOTHING",
            [fresh_key(sealer)?],
        )?;
    }
    let key =
        stored_key(&transaction)?.ok_or(OpenError::Foreign("its key of fingerprints is gone"))?;
    transaction.commit()?;
    opened(sealer, &key)
}

fn stored_key(connection: &Connection) -> Result<Option<Vec<u8>>, OpenError> {
    Ok(connection
        .query_row(
            "SELECT value FROM meta WHERE name = 'fingerprint key'",
            [],
            |row| row.get(0),
        )
        .optional()?)
}

fn opened(sealer: &Sealer, key: &[u8]) -> Result<FingerprintKey, OpenError> {
    let key = sealer.open_key(key)?;
    Ok(FingerprintKey::new(key.expose()))
}

fn fresh_key(sealer: &Sealer) -> Result<Vec<u8>, OpenError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| {
        OpenError::System(format!("the system gave no random numbers: {error}"))
    })?;
    Ok(sealer.write_key(&Secret::new(key))?)
}

/// How the file's cells are written, as it says itself.
pub(super) fn recorded(connection: &Connection) -> Result<Record, rusqlite::Error> {
    let names: Vec<String> = connection
        .prepare("SELECT name FROM meta")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(Record::of(names.iter().map(String::as_str)))
}
