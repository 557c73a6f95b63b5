//! A copy of the file as it is at one moment, while a broker goes on writing.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::error::OpenError;
use super::open::connect_beside;

/// Why there is no copy.
#[derive(Debug)]
pub enum BackupError {
    /// The store cannot be opened.
    Open(OpenError),
    /// There is a file of that name already.
    Taken(PathBuf),
    /// The file cannot be written.
    File(PathBuf, std::io::Error),
    /// The name is none that SQLite takes.
    Name(PathBuf),
    /// SQLite could not write it.
    Database(rusqlite::Error),
}

impl fmt::Display for BackupError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(out),
            Self::Taken(path) => write!(
                out,
                "there is a file {} already: name another one, or move it away",
                path.display()
            ),
            Self::File(path, error) => write!(out, "{} cannot be written: {error}", path.display()),
            Self::Name(path) => write!(
                out,
                "{} is no name in UTF-8: SQLite needs one",
                path.display()
            ),
            Self::Database(error) => write!(out, "SQLite cannot write the copy: {error}"),
        }
    }
}

impl std::error::Error for BackupError {}

/// Copies the file `path` to `target`, which must not be there: whole, or not at all. One read transaction sees one
/// moment; who writes meanwhile does not wait.
pub fn backup(path: &Path, target: &Path) -> Result<(), BackupError> {
    let connection = connect_beside(path).map_err(BackupError::Open)?;
    // The name is taken first, so that nobody's file is overwritten; the copy grows beside it.
    drop(made(target)?);
    let part = part(target);
    let written = made(&part).and_then(|file| {
        let written = write(&connection, &file, &part, target);
        if written.is_err() {
            let _ = fs::remove_file(&part);
        }
        written
    });
    if written.is_err() {
        // What is left is ours, and no copy.
        let _ = fs::remove_file(target);
    }
    written
}

/// Into an empty file of ours, for SQLite would make one that others may read; then under its name.
fn write(
    connection: &Connection,
    file: &File,
    part: &Path,
    target: &Path,
) -> Result<(), BackupError> {
    let name = part
        .to_str()
        .ok_or_else(|| BackupError::Name(part.to_owned()))?;
    connection
        .execute("VACUUM INTO ?1", [name])
        .map_err(BackupError::Database)?;
    let unwritable = |error| BackupError::File(target.to_owned(), error);
    file.sync_all().map_err(unwritable)?;
    fs::rename(part, target).map_err(unwritable)?;
    sync_folder(target).map_err(unwritable)
}

fn part(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// A new file for its owner's eyes only.
fn made(path: &Path) -> Result<File, BackupError> {
    let made = File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path);
    made.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::Taken(path.to_owned()),
        _ => BackupError::File(path.to_owned(), error),
    })
}

/// The new name itself is on disk.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
