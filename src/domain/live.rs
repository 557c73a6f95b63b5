//! The catalog of the moment. A reload puts another in its place; who took one keeps it to the end of what they do.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::catalog::Catalog;

/// What holds the catalog that is served: one for all who serve it.
pub struct Live(ArcSwap<Catalog>);

impl Live {
    /// Begins with `catalog`.
    pub fn new(catalog: Arc<Catalog>) -> Self {
        Self(ArcSwap::new(catalog))
    }

    /// The catalog of this moment: taken once for each request, and for each attempt at an operation.
    pub fn now(&self) -> Arc<Catalog> {
        self.0.load_full()
    }

    /// From now on this one. What has begun ends with the one that it began with.
    pub fn replace(&self, catalog: Arc<Catalog>) {
        self.0.store(catalog);
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Live")
    }
}
