//! The door of those who carry operations out: takes up what is due, lets the plan's backend act, and writes down what
//! came of it.
//!
//! Any number of processes may do this on one store. Each leases what it takes up and renews the lease while it acts
//! ([`attempt`]); what its own requests record it may have leased with their recording ([`handed`]); what a process left behind that died is due again when its lease has run out. Which rows an outcome
//! leaves is decided in [`ending`]. Bindings that have ended are unbound here too ([`expired`]).

mod attempt;
mod ending;
mod expired;
mod handed;
mod step;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use super::bells::Bells;
use super::expiry::Expiry;
use super::hands::Hands;
use super::live::Live;
use super::store::{Store, StoreError, Take, Taken};
use super::time::{Clock, Timestamp};
use super::witness::Witness;
use expired::Looks;
use handed::Crew;

/// How many finished operations are forgotten at once: a short transaction.
const SWEEP: u32 = 500;

/// How long between two looks for operations to forget, at most.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Takes operations up.
pub struct Worker {
    live: Arc<Live>,
    store: Arc<dyn Store>,
    witness: Arc<dyn Witness>,
    clock: Clock,
    bells: Arc<Bells>,
    terms: Terms,
    stopping: AtomicBool,
    attempts: Mutex<JoinSet<()>>,
    /// For as many attempts as run at once.
    room: Arc<Semaphore>,
    /// Whether the last look left something behind that waits for room.
    behind: AtomicBool,
}

/// How a worker works.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Names the process in leases; no other process has this name, nor had it.
    pub owner: Arc<str>,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// How many attempts run at once in this process.
    pub at_once: u32,
    /// How long it rests before it looks for work that no bell told of.
    pub look_every: Duration,
    /// How long finished operations are kept.
    pub keep: Duration,
    /// What becomes of bindings that have ended.
    pub expiry: Expiry,
}

/// A worker that works.
#[derive(Debug)]
pub struct Working {
    worker: Arc<Worker>,
    task: JoinHandle<()>,
    crew: Arc<Crew>,
}

impl Worker {
    /// A worker of the catalog in `live` on `store`.
    pub fn new(
        live: Arc<Live>,
        store: Arc<dyn Store>,
        witness: Arc<dyn Witness>,
        clock: Clock,
        bells: Arc<Bells>,
        terms: Terms,
    ) -> Self {
        Self {
            live,
            store,
            witness,
            clock,
            bells,
            room: Arc::new(Semaphore::new(places(terms.at_once))),
            terms,
            stopping: AtomicBool::new(false),
            attempts: Mutex::default(),
            behind: AtomicBool::new(false),
        }
    }

    /// Its name in leases.
    pub fn owner(&self) -> &Arc<str> {
        &self.terms.owner
    }

    /// Begins to work, on the runtime of whoever calls.
    pub fn start(self) -> Working {
        let worker = Arc::new(self);
        let crew = Crew::new(&worker);
        let hands: Arc<dyn Hands> = Arc::clone(&crew) as _;
        worker.bells.hand_to(Arc::downgrade(&hands));
        let task = tokio::spawn(Arc::clone(&worker).work());
        Working { worker, task, crew }
    }

    async fn work(self: Arc<Self>) {
        let mut expired = Looks::default();
        let mut swept_at = (self.clock)();
        while !self.stopping.load(Ordering::Relaxed) {
            // Those that panicked leave a lease behind that runs out, and have said so.
            while self.attempts().try_join_next().is_some() {}
            self.look_for_expired(&mut expired).await;
            let begun = self.take_up().await;
            swept_at = self.sweep(swept_at).await;
            if !begun {
                self.bells.await_work(self.terms.look_every).await;
            }
        }
        expired.stop().await;
        self.stop_attempts().await;
        let given_back = self
            .store
            .give_back(Arc::clone(&self.terms.owner), (self.clock)());
        if let Err(error) = given_back.await {
            log::warn!(
                "the leases could not be given back, others wait until they run out: {error}"
            );
        }
    }

    /// Takes up what there is room for; whether there may be more.
    async fn take_up(self: &Arc<Self>) -> bool {
        let Some(mut room) = self.all_room() else {
            self.behind.store(true, Ordering::Relaxed);
            return false;
        };
        let most = room.num_permits();
        let (taken, until) = match self.take(count(most)).await {
            Ok(answer) => answer,
            Err(error) => {
                log::debug!("nothing can be taken up: {error}");
                return false;
            }
        };
        self.behind.store(taken.len() >= most, Ordering::Relaxed);
        let found = !taken.is_empty();
        for taken in taken {
            // The store gives no more than was asked for.
            let Some(place) = room.split(1) else { break };
            self.spawn(taken, until, place, &Handle::current());
        }
        found
    }

    /// All the room that there is by now, if there is any.
    fn all_room(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            let free = count(self.room.available_permits());
            if free == 0 {
                return None;
            }
            // Else a request was quicker.
            if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(free) {
                return Some(room);
            }
        }
    }

    /// Lets an attempt run in its place; not in a process that stops, which gives its lease back.
    fn spawn(
        self: &Arc<Self>,
        taken: Taken,
        until: Timestamp,
        place: OwnedSemaphorePermit,
        runtime: &Handle,
    ) {
        let worker = Arc::clone(self);
        let mut attempts = self.attempts();
        if self.stopping.load(Ordering::Relaxed) {
            return;
        }
        attempts.spawn_on(
            async move {
                worker.attempt(taken, until).await;
                // There is room again.
                drop(place);
                worker.bells.work();
            },
            runtime,
        );
    }

    /// Stops all that runs, and waits for what is just being recorded with a lease of this process: it is given back with
    /// all others.
    async fn stop_attempts(&self) {
        let mut attempts = std::mem::take(&mut *self.attempts());
        attempts.shutdown().await;
        let all = self.room.acquire_many(count(places(self.terms.at_once)));
        let _ = tokio::time::timeout(self.terms.lease, all).await;
    }

    fn attempts(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was taken up, and the end of its leases: they count from the question on, however long the answer takes.
    async fn take(&self, most: u32) -> Result<(Vec<Taken>, Timestamp), StoreError> {
        let now = (self.clock)();
        let until = later(now, self.terms.lease);
        let take = Take {
            owner: Arc::clone(&self.terms.owner),
            now,
            until,
            most,
            limits: self.limits(),
        };
        Ok((self.store.take(take).await?, until))
    }

    fn limits(&self) -> Vec<(Arc<str>, u32)> {
        let catalog = self.live.now();
        let plans = catalog.plans();
        let mut limits: Vec<(Arc<str>, u32)> = plans
            .filter_map(|plan| Some((plan.backend.name().into(), plan.backend.concurrency()?)))
            .collect();
        limits.sort();
        limits.dedup();
        limits
    }

    async fn sweep(&self, swept_at: Timestamp) -> Timestamp {
        let now = (self.clock)();
        if now < later(swept_at, SWEEP_EVERY.min(self.terms.keep)) {
            return swept_at;
        }
        match self.store.sweep(earlier(now, self.terms.keep), SWEEP).await {
            // There is more: the next round goes on.
            Ok(forgotten) if forgotten >= u64::from(SWEEP) => swept_at,
            Ok(_) => now,
            Err(error) => {
                log::debug!("finished operations cannot be forgotten: {error}");
                now
            }
        }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Worker")
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

impl Working {
    /// Stops what runs and gives its leases back.
    pub async fn stop(self) {
        self.worker.stopping.store(true, Ordering::Relaxed);
        drop(self.crew);
        self.worker.bells.work();
        if let Err(error) = self.task.await {
            log::error!("the worker did not end well: {error}");
        }
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn places(at_once: u32) -> usize {
    usize::try_from(at_once)
        .unwrap_or(usize::MAX)
        .min(Semaphore::MAX_PERMITS)
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.later(by)
}

fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    now.earlier(by)
}

fn between(one: Timestamp, other: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(other.0.saturating_sub(one.0)).unwrap_or(0))
}
