//! The files that a catalog comes from, and what they hold at one moment: by it a reload knows that something changed.
//!
//! Their contents are compared, not their times: a mounted ConfigMap is a link to a folder that another one takes the
//! place of, and times on a network's disk lie.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::reading::folder::is_document;

/// Beyond it a file is not looked at: no reader of a catalog takes one as large.
const LIMIT: u64 = 64 << 20;

/// How many files of a folder are looked at.
const FILES: usize = 1024;

/// Files and folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Files, and folders of which all files count.
    paths: BTreeSet<PathBuf>,
    /// The document: of a folder its documents count. What else is there, a database or a log, changes all the time.
    document: Option<PathBuf>,
}

/// What they held; equal where nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held([u8; 32]);

impl Inputs {
    /// These.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            paths: paths.into_iter().collect(),
            document: None,
        }
    }

    /// With the file or the folder that the document is in.
    pub(super) fn set_document(&mut self, path: PathBuf) {
        self.document = Some(path);
    }

    /// What they hold now. What is not there, or cannot be read, counts as that: it may come.
    pub fn held(&self) -> Held {
        let mut hash = Sha256::new();
        for path in &self.paths {
            add(path, is_visible, &mut hash);
        }
        if let Some(path) = &self.document {
            add(path, is_document, &mut hash);
        }
        Held(hash.finalize().into())
    }
}

impl Extend<PathBuf> for Inputs {
    fn extend<T: IntoIterator<Item = PathBuf>>(&mut self, paths: T) {
        self.paths.extend(paths);
    }
}

/// Which files of a folder count.
type Counts = fn(&Path) -> bool;

/// In a mounted folder hidden names lead to what is there already.
fn is_visible(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    !name.as_encoded_bytes().starts_with(b".")
}

fn add(path: &Path, counts: Counts, hash: &mut Sha256) {
    named(path.as_os_str().as_encoded_bytes(), hash);
    let added = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => folder(path, counts, hash),
        // Nothing else is opened: a pipe would never end.
        Ok(metadata) if metadata.is_file() => file(path, hash),
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = added {
        named(error.kind().to_string().as_bytes(), hash);
    }
}

/// Those of its files that count.
fn folder(path: &Path, counts: Counts, hash: &mut Sha256) -> io::Result<()> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if counts(&path) && path.is_file() {
            files.insert(path);
        }
    }
    for path in files.iter().take(FILES) {
        named(path.as_os_str().as_encoded_bytes(), hash);
        file(path, hash)?;
    }
    Ok(())
}

fn file(path: &Path, hash: &mut Sha256) -> io::Result<()> {
    let mut of_file = Sha256::new();
    let mut reader = File::open(path)?.take(LIMIT);
    let mut part = [0; 16 * 1024];
    loop {
        match reader.read(&mut part)? {
            0 => break,
            length => of_file.update(&part[..length]),
        }
    }
    hash.update(of_file.finalize());
    Ok(())
}

/// With its length, so that two names are not mistaken for one.
fn named(name: &[u8], hash: &mut Sha256) {
    hash.update((name.len() as u64).to_be_bytes());
    hash.update(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_content_shows_and_nothing_else() {
        let folder =
            std::env::temp_dir().join(format!("catalog-broker-inputs-{}", std::process::id()));
        fs::create_dir_all(folder.join("secrets")).expect("a folder");
        let file = folder.join("catalog.yaml");
        let link = folder.join("link");
        let mut inputs = Inputs::new([file.clone(), folder.join("secrets"), link.clone()]);
        inputs.set_document(folder.clone());
        let mut seen = vec![inputs.held()];
        let mut changes = |what: &str| {
            let now = inputs.held();
            assert!(!seen.contains(&now), "{what}");
            seen.push(now.clone());
            assert_eq!(inputs.held(), now, "{what}");
        };
        fs::write(&file, "services: []").expect("a file");
        changes("a file comes");
        fs::write(&file, "services: [ ]").expect("a file");
        changes("a file is changed");
        fs::write(folder.join("secrets/password"), "one").expect("a file");
        changes("a file comes into a folder");
        fs::write(folder.join("secrets/password"), "two").expect("a file");
        changes("a file of a folder is changed");
        fs::rename(
            folder.join("secrets/password"),
            folder.join("secrets/login"),
        )
        .expect("a name");
        changes("a file of a folder is renamed");
        std::os::unix::fs::symlink(folder.join("secrets/login"), &link).expect("a link");
        changes("a link comes");
        fs::write(folder.join("other"), "three").expect("a file");
        fs::remove_file(&link).expect("no link");
        std::os::unix::fs::symlink(folder.join("other"), &link).expect("a link");
        changes("a link leads elsewhere");
        let before = inputs.held();
        fs::write(&file, "services: [ ]").expect("a file");
        fs::write(folder.join("secrets/.hidden"), "four").expect("a file");
        fs::write(folder.join("broker.db-wal"), "five").expect("a file");
        fs::write(folder.join(".hidden.yaml"), "six").expect("a file");
        assert_eq!(
            inputs.held(),
            before,
            "the same again, what is hidden, and what is no document"
        );
        fs::write(folder.join("more.yml"), "services: []").expect("a file");
        assert_ne!(inputs.held(), before, "a document comes");
        fs::remove_dir_all(&folder).expect("no folder");
        assert_ne!(inputs.held(), before, "all are gone");
    }
}
