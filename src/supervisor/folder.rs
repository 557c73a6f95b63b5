//! The working folder of a run: made before, removed after.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::complain;

/// A folder that nobody else may look into, and that goes when this value does.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes one in `scratch`.
    pub(super) fn new(scratch: &Path) -> io::Result<Self> {
        let chance = getrandom::u64().map_err(io::Error::other)?;
        let path = scratch.join(format!("catalog-broker-{chance:016x}"));
        // What is there already, a link of somebody else's for instance, is refused.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            complain(format_args!(
                "the working folder {} stays: {error}",
                self.0.display()
            ));
        }
    }
}
