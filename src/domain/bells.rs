//! What rings inside one process: there is work for the worker, and an operation that somebody waits for is over; and who
//! has hands free for work that needs no bell.
//!
//! Bells make things quick, never right: whoever waits looks at the store as well, for another process may have done it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::hands::Hands;
use super::id::OperationId;
use super::operation::Operation;

/// Who waits for which operation.
type Waiting = HashMap<OperationId, Vec<oneshot::Sender<Operation>>>;

/// The bells of one process.
#[derive(Debug, Default)]
pub struct Bells {
    work: Notify,
    waiting: Mutex<Waiting>,
    hands: Mutex<Option<Weak<dyn Hands>>>,
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

    /// An operation is over, and written down as it is here.
    pub fn over(&self, operation: &Operation) {
        for waiter in self.waiting().remove(&operation.id).unwrap_or_default() {
            // Who waited may have gone.
            let _ = waiter.send(operation.clone());
        }
    }

    /// What rings when an operation is over in this process, and says how it ended. Asked for before the store is looked at,
    /// so that none that ends in between is missed.
    pub fn listen(&self, operation: &OperationId) -> oneshot::Receiver<Operation> {
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

    /// From now on operations are handed to these, for as long as they are there.
    pub fn hand_to(&self, hands: Weak<dyn Hands>) {
        *self.hands.lock().unwrap_or_else(PoisonError::into_inner) = Some(hands);
    }

    /// Whom operations are handed to.
    pub fn hands(&self) -> Option<Arc<dyn Hands>> {
        let hands = self.hands.lock().unwrap_or_else(PoisonError::into_inner);
        hands.as_ref().and_then(Weak::upgrade)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
