//! Prepared credentials that are lent and taken back: what a backend may be besides acting. Who has which entry is decided
//! and remembered by the store, by the names of pool and entry; the credentials are the document's.

use std::sync::Arc;
use std::time::Duration;

use super::json::Object;
use super::time::Timestamp;
use crate::secret::Secret;

/// A pool, as a plan has it.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Plans that name the same pool share its entries.
    pub name: Arc<str>,
    /// Whom one is lent to.
    pub lend: Lend,
    /// When one that came back is lent again.
    pub reuse: Reuse,
    names: Arc<[Arc<str>]>,
    credentials: Vec<Secret<Object>>,
}

/// Whom an entry is lent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lend {
    /// Each binding has its own.
    #[default]
    Binding,
    /// Each instance has its own, and all its bindings share it.
    Instance,
}

/// When an entry that came back is lent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// At once.
    #[default]
    AtOnce,
    /// When it has rested for so long.
    After(Duration),
    /// Never.
    Never,
}

impl Pool {
    /// A pool of entries, each a name and what it gives.
    pub fn new(
        name: Arc<str>,
        lend: Lend,
        reuse: Reuse,
        entries: Vec<(Arc<str>, Secret<Object>)>,
    ) -> Self {
        let (names, credentials): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
        Self {
            name,
            lend,
            reuse,
            names: names.into(),
            credentials,
        }
    }

    /// The names of its entries, in the order of the document.
    pub fn entries(&self) -> &Arc<[Arc<str>]> {
        &self.names
    }

    /// What an entry gives.
    pub fn credentials(&self, entry: &str) -> Option<&Secret<Object>> {
        let at = self.names.iter().position(|name| **name == *entry)?;
        self.credentials.get(at)
    }
}

impl Reuse {
    /// What came back by this moment may be lent again; nothing where nothing may.
    pub fn returned_by(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::AtOnce => Some(Timestamp(i64::MAX)),
            Self::After(rest) => {
                let rest = i64::try_from(rest.as_millis()).unwrap_or(i64::MAX);
                Some(Timestamp(now.0.saturating_sub(rest)))
            }
            Self::Never => None,
        }
    }
}
