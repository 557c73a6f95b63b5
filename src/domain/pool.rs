//! Prepared credentials that are lent and taken back: what a backend may be besides acting. Who has which entry is decided
//! and remembered by the store, by the names of pool and entry; the credentials are the document's.

use std::collections::{BTreeMap, BTreeSet};
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

/// How the entries of a pool stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Somebody has it, also where it was taken out of the list since.
    pub held: usize,
    /// It may be lent now.
    pub free: usize,
    /// It came back, and is not lent again yet, or never.
    pub resting: usize,
}

impl Standing {
    /// Of a pool in the catalog: what it lends to its several plans, each of which may reuse entries in its own way, and
    /// which entries were ever lent, each with when it came back, if it has.
    pub fn of(
        plans: &[&Pool],
        ever_lent: &BTreeMap<String, Option<Timestamp>>,
        now: Timestamp,
    ) -> Self {
        let mut standing = Self {
            held: ever_lent.values().filter(|at| at.is_none()).count(),
            ..Self::default()
        };
        let reused = plans.iter().filter_map(|pool| pool.reuse.returned_by(now));
        let by = reused.max();
        let entries: BTreeSet<&str> = plans
            .iter()
            .flat_map(|pool| pool.entries().iter().map(|entry| &**entry))
            .collect();
        for entry in entries {
            match ever_lent.get(entry) {
                None => standing.free += 1,
                Some(Some(at)) if Some(*at) <= by => standing.free += 1,
                Some(Some(_)) => standing.resting += 1,
                Some(None) => {}
            }
        }
        standing
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_free_or_held_or_rests() {
        let pool = |reuse| {
            let entries =
                ["new", "lent", "early", "late"].map(|name| (Arc::from(name), Secret::default()));
            Pool::new("p".into(), Lend::Binding, reuse, entries.into())
        };
        let ever_lent = [
            ("lent", None),
            ("early", Some(Timestamp(1_000))),
            ("late", Some(Timestamp(9_000))),
            ("withdrawn", Some(Timestamp(1))),
            ("withdrawn-and-lent", None),
        ];
        let ever_lent = ever_lent.map(|(name, at)| (name.to_owned(), at)).into();
        let [at_once, later, never] = [
            Reuse::AtOnce,
            Reuse::After(Duration::from_secs(5)),
            Reuse::Never,
        ]
        .map(pool);
        for (plans, free, resting) in [
            (&[&at_once][..], 3, 0),
            (&[&later], 2, 1),
            (&[&never], 1, 2),
            // What one of its plans may lend is free.
            (&[&never, &later], 2, 1),
            (&[], 0, 0),
        ] {
            let standing = Standing::of(plans, &ever_lent, Timestamp(10_000));
            assert_eq!(
                standing,
                Standing {
                    held: 2,
                    free,
                    resting
                }
            );
        }
    }
}
