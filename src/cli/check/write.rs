//! A file put in place of another, whole or not at all, with its permissions and its owner.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::Path;

/// Puts `new` in the place of `old`. Where `path` is a link, what it leads to is replaced and the link stays.
pub(super) fn replace(path: &Path, old: &str, new: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    if fs::read(&path)? != old.as_bytes() {
        return Err(io::Error::other(
            "it is not what was checked: it has changed meanwhile, or is not UTF-8",
        ));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // Hidden, so that a broker that reads the folder now does not take it for a document.
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.new", std::process::id()));
    let beside = folder.join(beside);
    let done = write_beside(&path, &beside, new).and_then(|()| fs::rename(&beside, &path));
    if done.is_err() {
        let _ = fs::remove_file(&beside);
    }
    done
}

/// Nobody else may read the new file before it has the permissions of the old one.
fn write_beside(path: &Path, beside: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(beside)?;
    file.write_all(text.as_bytes())?;
    own_as(&file, path)?;
    file.set_permissions(fs::metadata(path)?.permissions())?;
    file.sync_all()
}

fn own_as(file: &File, path: &Path) -> io::Result<()> {
    let (of, like) = (file.metadata()?, fs::metadata(path)?);
    if (of.uid(), of.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    fchown(file, Some(like.uid()), Some(like.gid()))
}
