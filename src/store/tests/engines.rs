//! The engines that remember, each with an empty state for each test.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::Folder;
use super::cluster::Cluster;
use crate::domain::ledger::Ledger;
use crate::secret::Secret;
use crate::store::Keys;
use crate::store::postgres::{Bounds, PostgresStore};
use crate::store::sqlite::SqliteStore;

/// A state of a test's own.
pub(in crate::store) trait Engine {
    /// A store on it.
    fn open(&self) -> Arc<dyn Ledger> {
        self.try_open().expect("a store")
    }

    /// A store on it, or why there is none.
    fn try_open(&self) -> Result<Arc<dyn Ledger>, String>;
}

/// Runs each test on each engine.
macro_rules! contract {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $test() {
                let engine = crate::store::tests::engines::Sqlite::fresh();
                crate::store::tests::run(super::$test(&engine));
            })*
        }

        mod sealed_sqlite {
            $(#[test]
            fn $test() {
                let engine = crate::store::tests::engines::Sqlite::sealed();
                crate::store::tests::run(super::$test(&engine));
            })*
        }

        mod postgres {
            $(#[test]
            fn $test() {
                let engine = crate::store::tests::engines::Postgres::fresh();
                crate::store::tests::run(super::$test(&engine));
            })*
        }
    };
}
pub(super) use contract;

/// Keys that are made of these bytes.
pub(in crate::store) fn keys(bytes: &[u8]) -> Keys {
    let keys: Vec<_> = bytes.iter().map(|byte| Secret::new([*byte; 32])).collect();
    Keys::new(&keys)
}

/// A file, sealed or not.
pub(super) struct Sqlite {
    pub(super) folder: Folder,
    keys: Keys,
}

impl Sqlite {
    pub(super) fn fresh() -> Self {
        Self {
            folder: Folder::new(),
            keys: Keys::default(),
        }
    }

    pub(super) fn sealed() -> Self {
        Self {
            folder: Folder::new(),
            keys: keys(&[1]),
        }
    }
}

impl Engine for Sqlite {
    fn try_open(&self) -> Result<Arc<dyn Ledger>, String> {
        match SqliteStore::open(&self.folder.file(), &self.keys) {
            Ok(store) => Ok(Arc::new(store)),
            Err(why) => Err(why.to_string()),
        }
    }
}

/// One server for all tests of this binary.
pub(in crate::store) static SERVER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(&[]));

/// A database of that server, which is always sealed.
pub(in crate::store) struct Postgres(pub(in crate::store) String);

pub(in crate::store) const BOUNDS: Bounds = Bounds {
    connections: 4,
    timeout: Duration::from_secs(5),
};

impl Postgres {
    pub(in crate::store) fn fresh() -> Self {
        Self(SERVER.database())
    }

    pub(in crate::store) fn store(&self) -> PostgresStore {
        let url = Secret::new(SERVER.socket_url(&self.0));
        PostgresStore::open(url, BOUNDS, &keys(&[1])).expect("a store")
    }
}

impl Engine for Postgres {
    fn try_open(&self) -> Result<Arc<dyn Ledger>, String> {
        let url = Secret::new(SERVER.socket_url(&self.0));
        match PostgresStore::open(url, BOUNDS, &keys(&[1])) {
            Ok(store) => Ok(Arc::new(store)),
            Err(why) => Err(why.to_string()),
        }
    }
}
