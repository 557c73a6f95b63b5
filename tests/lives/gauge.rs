//! Whether anything moves in a process: what its worker took up, what stands still in the backend, what is being written.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catalog_broker::domain::id::OperationId;
use tokio::sync::Notify;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Gauge>>> = const { RefCell::new(None) };
}

/// That of the process which runs now: one at a time does.
pub fn current() -> Arc<Gauge> {
    CURRENT.with_borrow(|gauge| Arc::clone(gauge.as_ref().expect("a process that runs")))
}

pub fn run(gauge: &Arc<Gauge>) {
    CURRENT.set(Some(Arc::clone(gauge)));
}

#[derive(Debug)]
pub struct Gauge {
    /// The number of the process.
    pub process: u32,
    counts: Mutex<Counts>,
    pub news: Notify,
}

#[derive(Debug, Default)]
pub struct Counts {
    /// Attempts that neither stand in the backend nor are over.
    pub busy: i64,
    pub sweeping: u32,
    /// Goes up with all that makes the worker look again.
    pub epoch: u64,
    /// It has looked since, and there was nothing.
    pub looked: bool,
    /// Operations that were recorded with something left to do.
    pub begun: Vec<OperationId>,
    /// When the latest attempt is due that is to be made again.
    pub due_again: Option<i64>,
    pub trouble: Option<String>,
}

impl Gauge {
    pub fn new(process: u32) -> Self {
        Self {
            process,
            counts: Mutex::default(),
            news: Notify::new(),
        }
    }

    pub fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt goes on until the backend has it again, or it is over.
    pub fn goes_on(&self) {
        self.counts().busy += 1;
    }

    pub fn rests(&self) {
        self.counts().busy -= 1;
        self.news.notify_one();
    }

    /// From now on a look counts.
    pub fn rung(&self) {
        let mut counts = self.counts();
        counts.epoch += 1;
        counts.looked = false;
    }

    pub fn quiet(&self) -> bool {
        let counts = self.counts();
        counts.looked && counts.busy == 0 && counts.sweeping == 0
    }
}
