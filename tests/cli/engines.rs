//! The stores that a command may find: each test of one runs on a file and on a database.

use std::ops::Deref;
use std::sync::Arc;

use crate::harness::{Broker, Folder, SERVER, Setup};
use crate::runner::{Ran, run_with};

/// An engine that remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// The URL of a store of a test's own, which is not there yet.
    pub fn url(self) -> String {
        match self {
            Self::Sqlite => "sqlite:data/broker.db".to_owned(),
            Self::Postgres => SERVER.url(&SERVER.database()),
        }
    }
}

/// Runs each test on each engine.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $test() {
                super::$test(crate::engines::Engine::Sqlite);
            })*
        }

        mod postgres {
            $(#[test]
            fn $test() {
                super::$test(crate::engines::Engine::Postgres);
            })*
        }
    };
}
pub(crate) use on_both;

/// A broker, and the store that commands beside it are given.
pub struct Scene {
    pub url: String,
    pub broker: Broker,
}

impl Scene {
    /// A broker on a store of its own.
    pub fn on(engine: Engine, setup: Setup) -> Self {
        let url = engine.url();
        let broker = setup.env("BROKER_STORE__URL", &url).start();
        Self { url, broker }
    }

    /// What a command says beside it.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        run_on(&self.broker.folder, &self.url, arguments)
    }
}

impl Deref for Scene {
    type Target = Broker;

    fn deref(&self) -> &Broker {
        &self.broker
    }
}

/// What a command says to a store.
pub fn run_on(folder: &Arc<Folder>, url: &str, arguments: &[&str]) -> Ran {
    run_with(folder, arguments, &[("BROKER_STORE__URL", url)])
}
