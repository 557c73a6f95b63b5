//! The stores that the model is replayed on. One more is one more line.

use std::fs;
use std::path::{Path, PathBuf};

use catalog_broker::domain::store::Store;
use catalog_broker::store::sqlite::SqliteStore;

/// A kind of store.
pub struct Engine {
    pub name: &'static str,
    /// One with nothing in it; the folder is its own.
    pub fresh: fn(&Path) -> Box<dyn Store>,
}

/// All of them.
pub const ENGINES: [Engine; 1] = [Engine {
    name: "sqlite",
    fresh: |folder| Box::new(SqliteStore::open(&folder.join("broker.db")).expect("a store")),
}];

/// A folder that goes when the way is gone.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("model-{}", std::process::id()))
            .join(name);
        fs::create_dir_all(&path).expect("a folder of the test's own");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
