//! The logins of the moment. A reload puts others in their place; a request keeps those that it began with to its end.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::login::Logins;

/// What holds the logins that count: one for all who ask who somebody is.
pub struct LiveLogins(ArcSwap<Logins>);

impl LiveLogins {
    /// Begins with these.
    pub fn new(logins: Logins) -> Self {
        Self(ArcSwap::from_pointee(logins))
    }

    /// Those of this moment, for a look: no count is shared for it.
    pub fn look(&self) -> Guard<Arc<Logins>> {
        self.0.load()
    }

    /// Those of this moment, to be kept.
    pub fn now(&self) -> Arc<Logins> {
        self.0.load_full()
    }

    /// From now on these.
    pub fn replace(&self, logins: Logins) {
        self.0.store(Arc::new(logins));
    }
}

impl fmt::Debug for LiveLogins {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("LiveLogins")
    }
}
