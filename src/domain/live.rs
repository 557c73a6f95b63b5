//! The catalog of the moment. A reload puts another in its place; who took one keeps it to the end of what they do.
//!
//! What a catalog would break is looked for in the store, and what is recorded by the one before it while somebody looks is
//! not seen. So whoever records something new has a pass from before they take the catalog until it is recorded, and a
//! reload may hold back all passes for its last look.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::catalog::Catalog;

/// What holds the catalog that is served: one for all who serve it.
pub struct Live {
    catalog: ArcSwap<Catalog>,
    recording: RwLock<()>,
    returned: AtomicU64,
}

/// Leave to record something new by the catalog of the moment. It is not to be held while anybody is waited for but the
/// store: a reload waits for it, and all others then wait for the reload.
pub struct Pass<'l> {
    live: &'l Live,
    _held: RwLockReadGuard<'l, ()>,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.live.returned.fetch_add(1, Ordering::Relaxed);
    }
}

/// As long as this is held nobody has a pass.
pub struct Halt<'l> {
    _held: RwLockWriteGuard<'l, ()>,
}

impl Live {
    /// Begins with `catalog`.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            catalog: ArcSwap::new(catalog),
            recording: RwLock::new(()),
            returned: AtomicU64::new(0),
        }
    }

    /// The catalog of this moment: taken once for each request, and for each attempt at an operation.
    pub fn now(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// The same for a look: no count is shared for it.
    pub fn look(&self) -> Guard<Arc<Catalog>> {
        self.catalog.load()
    }

    /// From now on this one. What has begun ends with the one that it began with.
    pub fn replace(&self, catalog: Arc<Catalog>) {
        self.catalog.store(catalog);
    }

    /// Leave to record something new. Whoever has one asks for no other.
    pub async fn pass(&self) -> Pass<'_> {
        let held = self.recording.read().await;
        Pass {
            live: self,
            _held: held,
        }
    }

    /// How many passes were given back by now. Where it is the same later, and nobody has a pass by then, nothing was recorded in
    /// between.
    pub fn returned(&self) -> u64 {
        self.returned.load(Ordering::Relaxed)
    }

    /// Waits for all who have a pass, and holds back all who want one.
    pub async fn halt(&self) -> Halt<'_> {
        let held = self.recording.write().await;
        Halt { _held: held }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Live")
    }
}
