//! Whether anything moves in a process: what its worker took up, what stands still in the backend, what is being written.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catalog_broker::domain::id::OperationId;
use catalog_broker::domain::operation::Subject;
use tokio::sync::Notify;

use crate::backend::Told;

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
    /// That all unbinds have begun.
    pub ended: Notify,
}

#[derive(Debug, Default)]
pub struct Counts {
    attempts: Vec<Attempt>,
    pub sweeping: u32,
    /// Bindings that have ended and whose unbind has not begun yet.
    pub ending: u32,
    /// Goes up with all that makes the worker look again.
    pub epoch: u64,
    /// It has looked since, and there was nothing.
    pub looked: bool,
    /// Operations that were recorded with something left to do.
    pub begun: Vec<(OperationId, Subject)>,
    /// Operations that were taken up with their recording.
    pub handed: usize,
    /// When the latest attempt is due that is to be made again.
    pub due_again: Option<i64>,
    pub trouble: Option<String>,
}

/// An attempt that the process took up and that is not over.
#[derive(Debug)]
struct Attempt {
    operation: OperationId,
    number: u32,
    /// It does not stand in the backend.
    moves: bool,
}

impl Gauge {
    pub fn new(process: u32) -> Self {
        Self {
            process,
            counts: Mutex::default(),
            news: Notify::new(),
            ended: Notify::new(),
        }
    }

    pub fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn takes_up(&self, operation: &OperationId, number: u32) {
        self.counts().attempts.push(Attempt {
            operation: operation.clone(),
            number,
            moves: true,
        });
    }

    /// The backend has an attempt.
    pub fn stands(&self, told: &Told) {
        self.marks(false, |attempt| attempt.is(told));
    }

    /// The backend was given a cue: the attempt moves until the backend has it again, or it is over.
    pub fn goes_on(&self, told: &Told) {
        self.marks(true, |attempt| attempt.is(told));
    }

    /// What was said is written down, and the attempt stands again.
    pub fn renewed(&self, operation: &OperationId, number: u32) {
        self.marks(false, |attempt| {
            attempt.operation == *operation && attempt.number == number
        });
    }

    fn marks(&self, moves: bool, which: impl Fn(&Attempt) -> bool) {
        let mut counts = self.counts();
        for attempt in counts.attempts.iter_mut().filter(|attempt| which(attempt)) {
            attempt.moves = moves;
        }
        drop(counts);
        self.news.notify_one();
    }

    /// An attempt is over, however it was: whether it moved or stood, nothing is waited for but another look.
    pub fn over(&self, operation: &OperationId, number: u32) {
        self.counts()
            .attempts
            .retain(|attempt| attempt.operation != *operation || attempt.number != number);
        self.rung();
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
        let moves = counts.attempts.iter().any(|attempt| attempt.moves);
        counts.looked && !moves && counts.sweeping == 0 && counts.ending == 0
    }
}

impl Attempt {
    fn is(&self, told: &Told) -> bool {
        self.number == told.attempt && told.is_of(&self.operation)
    }
}
