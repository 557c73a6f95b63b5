//! Files and folders that references name.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use serde_json::Value as Json;

use super::Missing;
use crate::document::reference::Reference;

/// The size of one file: a secret or a certificate, not a database.
const LIMIT: u64 = 1 << 20;

/// How many files a folder may have; with their size this bounds what is read.
const FILES: usize = 256;

/// The text of a file without one trailing line break; absent if there is no such file.
pub(super) fn text(path: &str, reference: &Reference) -> Result<Option<String>, Missing> {
    match read(Path::new(path)) {
        Ok(bytes) => decode(bytes, path, reference).map(Some),
        Err(error) => unless_absent(&error, "file", path, reference),
    }
}

/// Name and text of each file in a folder; absent if there is no such folder.
///
/// A mounted Kubernetes Secret has hidden names in it (`..data`), which lead to what is there already.
pub(super) fn folder(path: &str, reference: &Reference) -> Result<Option<Json>, Missing> {
    let names = match names(path) {
        Ok(names) => names,
        Err(error) => return unless_absent(&error, "folder", path, reference),
    };
    if names.len() > FILES {
        let message = format!("the folder {path} has more than {FILES} files");
        return Err(Missing::broken(
            reference,
            message,
            "name a folder with fewer files, or one file with file:",
        ));
    }
    let mut files = serde_json::Map::new();
    for name in names {
        let file = format!("{}/{name}", path.trim_end_matches('/'));
        if let Some(text) = text(&file, reference)? {
            files.insert(name, text.into());
        }
    }
    Ok(Some(Json::Object(files)))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LIMIT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn names(path: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // Not the entry's own type: in a mounted Secret every file is a link.
        let is_file = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file());
        if is_file && !name.starts_with('.') {
            names.push(name);
        }
        if names.len() > FILES {
            break;
        }
    }
    names.sort();
    Ok(names)
}

fn decode(bytes: Vec<u8>, path: &str, reference: &Reference) -> Result<String, Missing> {
    if bytes.len() as u64 > LIMIT {
        let message = format!("the file {path} has more than {LIMIT} bytes");
        return Err(Missing::broken(reference, message, "name a smaller file"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| {
        let message = format!("the file {path} is not UTF-8");
        Missing::broken(
            reference,
            message,
            "name a file with text in it; store binary data as base64",
        )
    })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn unless_absent<T>(
    error: &io::Error,
    what: &str,
    path: &str,
    reference: &Reference,
) -> Result<Option<T>, Missing> {
    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        && !(what == "folder" && exists(path))
    {
        return Ok(None);
    }
    let message = format!("the {what} {path} cannot be read: {}", error.kind());
    Err(Missing::broken(
        reference,
        message,
        format!("make it a {what} that the broker's user may read"),
    ))
}

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
