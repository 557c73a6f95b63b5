//! What rings inside one process: there is work for the worker, and an operation that somebody waits for is over.
//!
//! Bells make things quick, never right: whoever waits looks at the store as well, for another process may have done it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::id::OperationId;

/// The bells of one process.
#[derive(Debug, Default)]
pub struct Bells {
    work: Notify,
    waiting: Mutex<HashMap<OperationId, Vec<oneshot::Sender<()>>>>,
}

impl Bells {
    /// There is something to take up.
    pub fn work(&self) {
        self.work.notify_one();
    }

    /// Waits for work, but no longer than `patience`.
    pub async fn await_work(&self, patience: Duration) {
        let _ = tokio::time::timeout(patience, self.work.notified()).await;
    }

    /// An operation is over.
    pub fn over(&self, operation: &OperationId) {
        for waiter in self.waiting().remove(operation).unwrap_or_default() {
            // Who waited may have gone.
            let _ = waiter.send(());
        }
    }

    /// What rings when an operation is over in this process. Asked for before the store is looked at, so that none that
    /// ends in between is missed.
    pub fn listen(&self, operation: &OperationId) -> oneshot::Receiver<()> {
        let (ring, heard) = oneshot::channel();
        let mut waiting = self.waiting();
        // Those that went away are cleared by whoever comes.
        waiting.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
        waiting.entry(operation.clone()).or_default().push(ring);
        heard
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<OperationId, Vec<oneshot::Sender<()>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
