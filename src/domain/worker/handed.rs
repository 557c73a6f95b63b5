//! What requests of this process hand over: operations that were recorded with a lease of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::runtime::Handle;

use super::{Worker, later};
use crate::domain::hands::{Hands, Spare};
use crate::domain::store::{Hold, Taken};

/// A worker as requests know it.
#[derive(Debug)]
pub(super) struct Crew {
    worker: Arc<Worker>,
    /// Where it works: requests are served elsewhere.
    runtime: Handle,
}

impl Crew {
    /// That of a worker, on the runtime of whoever calls.
    pub(super) fn new(worker: &Arc<Worker>) -> Arc<Self> {
        Arc::new(Self {
            worker: Arc::clone(worker),
            runtime: Handle::current(),
        })
    }
}

impl Hands for Crew {
    fn spare(&self) -> Option<Spare> {
        let worker = &self.worker;
        if worker.stopping.load(Ordering::Relaxed) || worker.behind.load(Ordering::Relaxed) {
            return None;
        }
        let room = Arc::clone(&worker.room).try_acquire_owned().ok()?;
        let hold = Hold {
            owner: Arc::clone(&worker.terms.owner),
            until: later((worker.clock)(), worker.terms.lease),
        };
        Some(Spare { hold, room })
    }

    fn carry_out(self: Arc<Self>, taken: Taken, spare: Spare) {
        self.worker
            .spawn(taken, spare.hold.until, spare.room, &self.runtime);
    }
}
