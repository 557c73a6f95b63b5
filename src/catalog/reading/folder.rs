//! A file, or a folder of files, as one document.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use crate::document::{
    Budget, Entry, Finding, Findings, Map, Node, Path, Place, Value, parse_bytes,
};

/// A file's name, as the operator gave it, and its bytes.
pub(crate) type File = (Arc<str>, Vec<u8>);

/// The file at `path`, or the files of the folder there, in order of name.
pub(crate) fn read(path: &FilePath, findings: &mut Findings) -> Vec<File> {
    let paths = if path.is_dir() {
        listed(path, findings)
    } else {
        vec![path.to_owned()]
    };
    paths
        .iter()
        .filter_map(|path| read_file(path, findings))
        .collect()
}

/// One file; a finding where it cannot be read.
pub(crate) fn read_file(path: &FilePath, findings: &mut Findings) -> Option<File> {
    match std::fs::read(path) {
        Ok(bytes) => Some((path.display().to_string().into(), bytes)),
        Err(error) => {
            findings.push(Finding::nowhere(
                "file-unreadable",
                format!("{} cannot be read: {}", path.display(), reason(&error)),
                "name a file or a folder that is there and that this user may read",
            ));
            None
        }
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        kind => kind.to_string(),
    }
}

fn listed(folder: &FilePath, findings: &mut Findings) -> Vec<PathBuf> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            findings.push(Finding::nowhere(
                "file-unreadable",
                format!("{} cannot be read: {}", folder.display(), reason(&error)),
                "name a folder that this user may read",
            ));
            return vec![];
        }
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_document(path) && path.is_file())
        .collect();
    paths.sort();
    if paths.is_empty() {
        findings.push(Finding::nowhere(
            "folder-empty",
            format!(
                "the folder {} holds no *.yaml, *.yml or *.json",
                folder.display()
            ),
            "put the catalog there, or name another folder",
        ));
    }
    paths
}

/// Whether a file of a folder is a part of the document.
pub(crate) fn is_document(path: &FilePath) -> bool {
    let hidden = path
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let known = path
        .extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| ["yaml", "yml", "json"].contains(&extension));
    known && !hidden
}

/// Reads all files and puts them together: services one after the other, every other key once over all.
pub(crate) fn join(files: &[File], findings: &mut Findings) -> Option<Node> {
    let mut whole: Option<Node> = None;
    let mut broken = false;
    for (name, bytes) in files {
        match parse_bytes(name, bytes, &Budget::default()) {
            Ok(node) => add(&mut whole, node, findings),
            Err(wrong) => {
                broken = true;
                findings.extend(wrong);
            }
        }
    }
    whole.filter(|_| !broken)
}

fn add(whole: &mut Option<Node>, node: Node, findings: &mut Findings) {
    let place = node.place.clone();
    match (node.value, whole) {
        (Value::Null, Some(_)) => {}
        (Value::Null, whole @ None) => {
            *whole = Some(Node::new(Value::Map(Map::default()), place));
        }
        (
            Value::Map(map),
            Some(Node {
                value: Value::Map(into),
                ..
            }),
        ) => {
            for entry in map {
                add_entry(into, entry, findings);
            }
        }
        (Value::Map(map), whole) => *whole = Some(Node::new(Value::Map(map), place)),
        (_, _) => findings.push(Finding::error(
            "wrong-type",
            &Path::root(),
            &place,
            "a catalog is a map with `services`, and this is none",
            "begin with `services:` and a list of offerings",
        )),
    }
}

fn add_entry(into: &mut Map, entry: Entry, findings: &mut Findings) {
    if entry.key.starts_with("x-") {
        return;
    }
    let Some(there) = into.get_mut(&entry.key) else {
        into.push_new(entry);
        return;
    };
    match (&mut there.value, entry.node.value) {
        (Value::List(services), Value::List(more)) if &*entry.key == "services" => {
            services.extend(more);
        }
        (_, Value::Null) => {}
        (value @ Value::Null, new) => *value = new,
        _ => findings.push(twice(&entry.key, &entry.key_place, &there.place)),
    }
}

fn twice(key: &Arc<str>, place: &Place, first: &Place) -> Finding {
    Finding::error(
        "folder-key-twice",
        &Path::root().key(Arc::clone(key)),
        place,
        format!("`{key}` stands here and in {first}; it stands once over all files"),
        "remove one of the two",
    )
}
