//! Whose turn it is to change an instance that several want to change at once.
//!
//! The store decides every race; who lost one makes the change anew. Losers that all try again at once would lose again
//! and again, so they queue here: within one process none is turned away for company. First tries do not queue.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tokio::sync::{Mutex, MutexGuard};

use crate::domain::id::InstanceId;

/// Instances share queues: two of one queue wait for each other at worst.
const QUEUES: usize = 64;

pub(super) struct Turns([Mutex<()>; QUEUES]);

impl Default for Turns {
    fn default() -> Self {
        Self([const { Mutex::const_new(()) }; QUEUES])
    }
}

impl Turns {
    /// Waits for a turn; it lasts as long as what is given back.
    pub(super) async fn take(&self, id: &InstanceId) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let queue = usize::try_from(hasher.finish() % QUEUES as u64).unwrap_or_default();
        self.0[queue].lock().await
    }
}
