//! The processes: each a broker and a worker with a runtime and a store of its own, that runs when it is driven and sleeps
//! otherwise. To drop its runtime is to kill it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog_broker::domain::bells::Bells;
use catalog_broker::domain::broker::Broker;
use catalog_broker::domain::catalog::Catalog;
use catalog_broker::domain::expiry::{Expiry, Unbinds};
use catalog_broker::domain::live::Live;
use catalog_broker::domain::store::Store;
use catalog_broker::domain::witness::{
    Acted, Adopted, Attempted, Event, Expired, Intervened, Witness,
};
use catalog_broker::domain::worker::{Terms, Worker, Working};
use catalog_broker::secret::Secret;
use catalog_broker::store::Keys;
use catalog_broker::store::postgres::{Bounds, PostgresStore};
use catalog_broker::store::sqlite::SqliteStore;
use tokio::runtime::{Builder, Runtime};

use crate::backend::{Board, Cue, Told};
use crate::clock::clock;
use crate::gauge::{Gauge, run};
use crate::offer::{self, PATIENT};
use crate::steps::{GRACE, KEEP, LEASE, PROCESSES};

/// No machine is so busy that nothing moves for so long.
pub const STUCK: Duration = Duration::from_secs(60);

/// How a failure begins that says no more than that nothing moves.
pub const STANDS_STILL: &str = "nothing moves any more";

/// What is told of an attempt that ends with its lease, and of which the store hears nothing.
const LAPSED: &str = "stopped: its lease was not renewed in time";

/// Where the state is.
#[derive(Clone, Debug)]
pub enum Place {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Place {
    fn open(&self) -> Arc<dyn Store> {
        match self {
            Self::Sqlite(path) => {
                Arc::new(SqliteStore::open(path, &Keys::default()).expect("a store"))
            }
            Self::Postgres(url) => {
                let keys = Keys::new(&[Secret::new([7; 32])]);
                let bounds = Bounds {
                    connections: 2,
                    timeout: Duration::from_secs(60),
                };
                Arc::new(
                    PostgresStore::open(Secret::new(url.clone()), bounds, &keys).expect("a store"),
                )
            }
        }
    }
}

/// Sees the attempts that end without a word to the store; all else is seen in the answers.
struct Watch(Arc<Gauge>);

impl Witness for Watch {
    fn happened(&self, _: &Event<'_>) {}

    fn attempted(&self, attempted: &Attempted<'_>) {
        if attempted.what == LAPSED {
            self.0.over(attempted.operation, attempted.attempt);
        }
    }

    fn acted(&self, _: &Acted<'_>) {}

    fn adopted(&self, _: &Adopted<'_>) {}
    fn expired(&self, _: &Expired<'_>) {}
    fn intervened(&self, _: &Intervened<'_>) {}
}

pub struct World {
    place: Place,
    pub board: Arc<Board>,
    catalog: Arc<Catalog>,
    /// Of sqlite: one store, for its lock keeps a second one out.
    shared: Option<Arc<dyn Store>>,
    processes: Vec<Option<Process>>,
    started: u32,
}

pub struct Process {
    pub gauge: Arc<Gauge>,
    /// For platforms that do not wait, and for those that do.
    brokers: [Arc<Broker>; 2],
    bells: Arc<Bells>,
    working: Option<Working>,
    // The last to go.
    runtime: Killed,
}

/// A runtime that ends in bounded time even where something hangs in it.
struct Killed(Option<Runtime>);

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(STUCK);
        }
    }
}

impl std::ops::Deref for Killed {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("there until it is dropped")
    }
}

impl World {
    pub fn new(place: Place) -> Self {
        let board = Arc::new(Board::default());
        let mut world = Self {
            place,
            catalog: offer::catalog(&board),
            board,
            shared: None,
            processes: (0..PROCESSES).map(|_| None).collect(),
            started: 0,
        };
        for by in 0..PROCESSES {
            world.start(by);
        }
        world
    }

    fn store(&mut self, runtime: &Runtime) -> Arc<dyn Store> {
        let place = &self.place;
        match place {
            Place::Sqlite(_) => Arc::clone(self.shared.get_or_insert_with(|| place.open())),
            Place::Postgres(_) => runtime.block_on(async { place.open() }),
        }
    }

    fn start(&mut self, by: usize) {
        self.started += 1;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let runtime = Killed(Some(runtime));
        let gauge = Arc::new(Gauge::new(self.started));
        let store: Arc<dyn Store> = Arc::new(crate::spy::Spy {
            store: self.store(&runtime),
            gauge: Arc::clone(&gauge),
        });
        let bells = Arc::new(Bells::default());
        let watch: Arc<dyn Witness> = Arc::new(Watch(Arc::clone(&gauge)));
        let broker = |patience| {
            let (catalog, store) = (Arc::clone(&self.catalog), Arc::clone(&store));
            let bells = Arc::clone(&bells);
            Arc::new(Broker::new(
                Arc::new(Live::new(catalog)),
                store,
                Arc::clone(&watch),
                clock,
                bells,
                patience,
            ))
        };
        let terms = Terms {
            owner: format!("process {}", self.started).into(),
            lease: Duration::from_millis(LEASE.unsigned_abs()),
            at_once: 1_000,
            look_every: PATIENT * 100,
            keep: Duration::from_millis(KEEP.unsigned_abs()),
            expiry: Expiry {
                unbinds: Unbinds::Told,
                grace: Duration::from_millis(GRACE.unsigned_abs()),
            },
        };
        let worker = Worker::new(
            Arc::new(Live::new(Arc::clone(&self.catalog))),
            Arc::clone(&store),
            Arc::clone(&watch),
            clock,
            Arc::clone(&bells),
            terms,
        );
        run(&gauge);
        let working = runtime.block_on(async { worker.start() });
        self.processes[by] = Some(Process {
            gauge,
            brokers: [broker(Duration::ZERO), broker(PATIENT)],
            bells,
            working: Some(working),
            runtime,
        });
    }

    pub fn process(&self, by: usize) -> &Process {
        self.processes[by].as_ref().expect("a process")
    }

    /// By the number that a lease knows it by.
    pub fn numbered(&self, number: u32) -> Option<&Process> {
        let mut all = self.processes.iter().flatten();
        all.find(|process| process.gauge.process == number)
    }

    /// Kills it and starts it again.
    pub fn crash(&mut self, by: usize) {
        self.processes[by] = None;
        self.start(by);
    }

    /// Kills all, and opens the store anew.
    pub fn crash_all(&mut self) {
        self.processes
            .iter_mut()
            .for_each(|process| *process = None);
        self.shared = None;
        for by in 0..PROCESSES {
            self.start(by);
        }
    }

    /// Stops it as a signal does, and starts it again.
    pub fn stop(&mut self, by: usize) -> Result<(), String> {
        if let Some(mut process) = self.processes[by].take()
            && let Some(working) = process.working.take()
        {
            process.block_on(working.stop())?;
        }
        self.start(by);
        Ok(())
    }
}

impl Process {
    pub fn broker(&self, waits: bool) -> &Arc<Broker> {
        &self.brokers[usize::from(waits)]
    }

    /// Lets it run until something has come of this.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> Result<T, String> {
        run(&self.gauge);
        let done = async { tokio::time::timeout(STUCK, future).await };
        self.runtime.block_on(done).map_err(|_| self.stuck())
    }

    fn stuck(&self) -> String {
        let (process, counts) = (self.gauge.process, self.gauge.counts());
        format!("{STANDS_STILL} in process {process}: {counts:?}")
    }

    /// Lets the worker look until nothing moves any more.
    pub fn settle(&self) -> Result<(), String> {
        self.gauge.rung();
        self.bells.work();
        self.block_on(async {
            while !self.gauge.quiet() {
                self.gauge.news.notified().await;
            }
        })?;
        match self.gauge.counts().trouble.take() {
            Some(trouble) => Err(trouble),
            None => Ok(()),
        }
    }

    /// Gives a cue to an attempt, and lets it go as far as it goes.
    pub fn cue(&self, board: &Board, told: &Told, cue: Cue) -> Result<(), String> {
        self.gauge.goes_on(told);
        if !board.cue(told, cue) {
            return Err(format!("nobody acts as {told:?}"));
        }
        self.settle()
    }

    /// A call of a platform that waits: what it begins is carried out meanwhile, each attempt with the next cue.
    pub fn wait<T: Send + 'static>(
        &self,
        board: &Board,
        call: impl Future<Output = T> + Send + 'static,
        mut cues: impl Iterator<Item = Cue>,
    ) -> Result<T, String> {
        run(&self.gauge);
        let answer = Arc::new(Mutex::new(None));
        let place = Arc::clone(&answer);
        let call = self.runtime.spawn(async move {
            let answered = call.await;
            *place.lock().expect("a place") = Some(answered);
        });
        let mut moved = Instant::now();
        loop {
            let begun = self
                .gauge
                .counts()
                .begun
                .first()
                .map(|begun| begun.0.clone());
            let acting = |told: &Told| {
                let of_it = begun.as_ref().is_some_and(|id| told.is_of(id));
                of_it && told.process == self.gauge.process
            };
            if call.is_finished() {
                break;
            }
            match board.all().into_iter().find(acting) {
                Some(told) => {
                    let cue = cues.next().ok_or("it acts more often than it should")?;
                    self.cue(board, &told, cue)?;
                    moved = Instant::now();
                }
                None if moved.elapsed() >= STUCK => return Err(self.stuck()),
                None => self
                    .runtime
                    .block_on(async { tokio::time::sleep(Duration::from_millis(1)).await }),
            }
        }
        let answered = answer.lock().expect("a place").take();
        answered.ok_or_else(|| "the call panicked".to_owned())
    }
}
