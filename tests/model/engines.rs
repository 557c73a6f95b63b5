//! The stores that the model is replayed on. One more is one more line.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use catalog_broker::domain::store::Store;
use catalog_broker::secret::Secret;
use catalog_broker::store::Keys;
use catalog_broker::store::postgres::{Bounds, PostgresStore};
use catalog_broker::store::sqlite::SqliteStore;

use super::cluster::Cluster;

/// A kind of store.
pub struct Engine {
    pub name: &'static str,
    /// One with nothing in it, that may use this folder.
    pub fresh: fn(&Folder) -> Box<dyn Store>,
}

/// All of them.
pub const ENGINES: [Engine; 2] = [
    Engine {
        name: "sqlite",
        fresh: |folder| Box::new(sqlite(folder)),
    },
    Engine {
        name: "postgres",
        fresh: |_| Box::new(postgres()),
    },
];

/// A store in a file.
pub fn sqlite(folder: &Folder) -> SqliteStore {
    SqliteStore::open(&folder.0.join("broker.db"), &Keys::default()).expect("a store")
}

fn postgres() -> PostgresStore {
    // One server for all.
    static SERVER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(&[]));
    let url = Secret::new(SERVER.socket_url(&SERVER.database()));
    let bounds = Bounds {
        connections: 2,
        timeout: Duration::from_secs(5),
    };
    PostgresStore::open(url, bounds, &Keys::new(&[Secret::new([7; 32])])).expect("a store")
}

/// A folder that goes when its user does.
pub struct Folder(PathBuf);

impl Folder {
    /// By a name that no other test of this binary has.
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("model-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder of the test's own");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
