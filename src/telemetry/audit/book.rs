//! Who writes: one thread, so that lines come in their order and nobody who serves waits for a disk.
//!
//! A change is never held up: what cannot be written waits, and is written as soon as it can be. Meanwhile the log says so
//! and the broker is not ready. What is more than the queue holds is lost, and a line says how much.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::chain::Link;
use super::file::AuditFile;
use super::line::Entry;
use super::lines::Lines;
use super::store::StoreChain;
use crate::domain::account::Accounts;
use crate::domain::audit::Who;
use crate::domain::time::Clock;

/// How many lines may wait: some megabytes.
const QUEUE: usize = 16 * 1024;

/// How many are written at once to a store, whose other work waits meanwhile.
const BATCH: usize = 2_048;

/// How long a line waits for others to be written with it; to a store, where each time is a transaction.
const GATHER: Duration = Duration::from_millis(5);
const GATHER_FOR_STORE: Duration = Duration::from_millis(25);

/// How long a line may be with the system before it is on the disk; and how long it is until another try.
const BEAT: Duration = Duration::from_secs(1);

/// How often the log is told again that nothing can be written, in beats.
const TOLD_EVERY: u32 = 60;

/// How often lines of a store are looked for that are older than they stay.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// Where lines go.
#[derive(Clone, Debug)]
pub enum Place {
    /// Standard output.
    Output,
    /// Standard error.
    Errors,
    /// The end of a file.
    File(PathBuf),
    /// A store, and how long they stay there; nothing where they do for ever.
    Store(Arc<dyn Accounts>, Option<Duration>),
}

/// The account of changes.
pub struct Book {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Who sleeps where nothing waits.
    wakes: Thread,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Shared {
    /// Those that the writer has not taken yet.
    queue: Mutex<Lines>,
    /// Lines cannot be written at the moment.
    behind: AtomicBool,
    /// How many were lost that no line tells of yet.
    lost: AtomicU64,
    closing: AtomicBool,
    /// How many were written, were lost, and how many tries have failed: since the start.
    written: AtomicU64,
    all_lost: AtomicU64,
    errors: AtomicU64,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Lines> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
        self.all_lost.fetch_add(lines, Ordering::Relaxed);
    }
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Lines that were written.
    pub written: u64,
    /// Lines that were lost.
    pub lost: u64,
    /// Tries that failed.
    pub errors: u64,
    /// Whether lines wait that cannot be written, or were lost and no line tells of that.
    pub behind: bool,
}

impl Book {
    /// Opened at its end; what is there already goes on.
    pub fn open(place: Place, clock: Clock) -> io::Result<Self> {
        let target = Target::open(place, clock)?;
        let shared = Arc::new(Shared::default());
        let writer = Writer {
            target,
            shared: Arc::clone(&shared),
            clock,
            waiting: Lines::default(),
            tells_of_lost: false,
            unsynced_since: None,
            forgot_at: None,
            failed: 0,
        };
        let thread = thread::Builder::new().name("audit".to_owned());
        let writer = thread.spawn(move || writer.run())?;
        Ok(Self {
            shared,
            wakes: writer.thread().clone(),
            writer: Mutex::new(Some(writer)),
            clock,
        })
    }

    /// Has a line written. Returns at once.
    pub(super) fn write(&self, entry: Entry) {
        let line = entry.json();
        let mut queue = self.shared.queue();
        let before = queue.len();
        if before < QUEUE {
            queue.push(&line);
        }
        drop(queue);
        match before {
            0 => self.wakes.unpark(),
            QUEUE.. => self.shared.lose(1),
            _ => {}
        }
    }

    /// The broker serves from now on.
    pub fn started(&self) {
        let entry = Entry::new((self.clock)(), "started");
        self.write(entry.word("version", env!("CARGO_PKG_VERSION")));
    }

    /// The broker serves no more.
    pub fn stopped(&self) {
        self.write(Entry::new((self.clock)(), "stopped"));
    }

    /// Another catalog was to take the place of the one that is served: who asked, where it was an operator, and why it did
    /// not, where it did not.
    pub fn reloaded(&self, by: Option<&Who<'_>>, refused: Option<&str>) {
        let entry = Entry::new((self.clock)(), "reload");
        let entry = match by {
            Some(who) => entry.who(who),
            None => entry,
        };
        let result = refused.map_or("succeeded", |_| "refused");
        self.write(entry.word("result", result).text("error", refused));
    }

    /// What was counted since the start.
    pub fn tally(&self) -> Tally {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            written: count(&self.shared.written),
            lost: count(&self.shared.all_lost),
            errors: count(&self.shared.errors),
            behind: self.is_behind(),
        }
    }

    /// Whether lines wait that cannot be written, or were lost.
    pub fn is_behind(&self) -> bool {
        self.shared.behind.load(Ordering::Relaxed) || self.shared.lost.load(Ordering::Relaxed) > 0
    }

    /// Writes what waits, and ends. Blocks until then, a few beats at most. Whether all of it was written.
    pub fn close(&self) -> bool {
        self.end();
        let writer = self.writer.lock();
        let writer = writer.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
        !self.is_behind()
    }

    fn end(&self) {
        self.shared.closing.store(true, Ordering::Release);
        self.wakes.unpark();
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for Book {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Book")
    }
}

/// The thread.
struct Writer {
    target: Target,
    shared: Arc<Shared>,
    clock: Clock,
    waiting: Lines,
    /// One of those that wait tells of lines that were lost.
    tells_of_lost: bool,
    unsynced_since: Option<Instant>,
    forgot_at: Option<Instant>,
    /// How many tries have failed, one after another.
    failed: u32,
}

impl Writer {
    fn run(mut self) {
        // What is looked at between lines: short enough that an end is not waited for.
        let glance = BEAT / 10;
        let mut looked = Instant::now();
        loop {
            let closing = self.shared.closing.load(Ordering::Acquire);
            self.gather(if closing { Duration::ZERO } else { glance });
            let nothing_came = self.waiting.is_empty();
            let due = looked.elapsed() >= BEAT;
            if self.failed == 0 || due || closing {
                self.put_down();
            }
            if due {
                looked = Instant::now();
                if self.failed == 0 {
                    self.look();
                }
            }
            self.sync(closing);
            if closing && (nothing_came || self.failed > 0) {
                break self.leave();
            }
        }
    }

    /// Takes what has come, waiting for a while if nothing has. What could not be written yet is taken no further.
    fn gather(&mut self, wait: Duration) {
        if !self.waiting.is_empty() {
            return thread::park_timeout(wait);
        }
        if self.shared.queue().is_empty() {
            thread::park_timeout(wait);
        }
        if self.shared.queue().is_empty() {
            return;
        }
        // Those that come right behind are written with it: who sends them does not wake this thread.
        thread::sleep(self.target.gather().min(wait));
        let most = self.target.at_once();
        self.shared.queue().take(most, &mut self.waiting);
    }

    fn put_down(&mut self) {
        self.tell_of_lost();
        // With nothing to write it is tried all the same where it did not go.
        if self.waiting.is_empty() && self.failed == 0 {
            return;
        }
        match self.target.append(&self.waiting) {
            Ok(()) => {
                let lines = self.waiting.len() as u64;
                self.shared.written.fetch_add(lines, Ordering::Relaxed);
                self.waiting.clear();
                self.tells_of_lost = false;
                self.unsynced_since.get_or_insert_with(Instant::now);
                self.well();
            }
            Err(error) => self.trouble(&error),
        }
    }

    /// What waits keeps its place: of a try that failed nobody may know how much of it is there.
    fn tell_of_lost(&mut self) {
        if self.tells_of_lost {
            return;
        }
        let lost = self.shared.lost.swap(0, Ordering::Relaxed);
        if lost == 0 {
            return;
        }
        let entry = Entry::new((self.clock)(), "lost").number("lines", Some(lost));
        self.waiting.push(&entry.json());
        self.tells_of_lost = true;
        self.shared.behind.store(true, Ordering::Relaxed);
    }

    fn look(&mut self) {
        if let Err(error) = self.target.look() {
            return self.trouble(&error);
        }
        if self.forgot_at.is_some_and(|at| at.elapsed() < FORGET_EVERY) {
            return;
        }
        self.forgot_at = Some(Instant::now());
        if let Err(error) = self.target.forget() {
            log::warn!("old lines of the audit are not taken away yet: {error}");
        }
    }

    fn sync(&mut self, now: bool) {
        if !self
            .unsynced_since
            .is_some_and(|since| now || since.elapsed() >= BEAT)
        {
            return;
        }
        match self.target.sync() {
            Ok(()) => self.unsynced_since = None,
            Err(error) => self.trouble(&error),
        }
    }

    fn well(&mut self) {
        if self.failed > 0 {
            log::info!("the audit is written again");
        }
        self.failed = 0;
        self.shared.behind.store(false, Ordering::Relaxed);
    }

    fn trouble(&mut self, error: &io::Error) {
        if self.failed.is_multiple_of(TOLD_EVERY) {
            log::error!(
                "the audit cannot be written to {}: {error}. Changes go on, the broker is not ready, and lines wait",
                self.target
            );
        }
        self.failed = self.failed.saturating_add(1);
        self.shared.errors.fetch_add(1, Ordering::Relaxed);
        self.shared.behind.store(true, Ordering::Relaxed);
    }

    fn leave(&mut self) {
        let left = self.waiting.len() + self.shared.queue().len();
        if left > 0 {
            self.shared.behind.store(true, Ordering::Relaxed);
            log::error!("the audit ends without {left} lines that could not be written");
        }
    }
}

enum Target {
    Stream { link: Link, errors: bool },
    File(AuditFile),
    Store(StoreChain),
}

impl Target {
    fn open(place: Place, clock: Clock) -> io::Result<Self> {
        let link = Link::START;
        Ok(match place {
            Place::Output => Self::Stream {
                link,
                errors: false,
            },
            Place::Errors => Self::Stream { link, errors: true },
            Place::File(path) => Self::File(AuditFile::open(path, clock)?),
            Place::Store(store, keep) => Self::Store(StoreChain::new(store, keep, clock)),
        })
    }

    /// All of them, or none.
    fn append(&mut self, entries: &Lines) -> io::Result<()> {
        match self {
            Self::Stream { link, errors } => {
                let mut next = *link;
                let mut out = Vec::new();
                for entry in entries.iter() {
                    next.add(entry, &mut out);
                }
                if *errors {
                    io::stderr().lock().write_all(&out)?;
                } else {
                    let mut stream = io::stdout().lock();
                    stream.write_all(&out)?;
                    stream.flush()?;
                }
                *link = next;
                Ok(())
            }
            Self::File(file) => file.append(entries),
            Self::Store(store) => store.append(entries),
        }
    }

    fn look(&mut self) -> io::Result<()> {
        match self {
            Self::Stream { .. } | Self::Store(_) => Ok(()),
            Self::File(file) => file.look(),
        }
    }

    fn sync(&self) -> io::Result<()> {
        match self {
            Self::Stream { .. } => Ok(()),
            Self::File(file) => file.sync(),
            Self::Store(store) => store.sync(),
        }
    }

    fn forget(&self) -> io::Result<()> {
        match self {
            Self::Stream { .. } | Self::File(_) => Ok(()),
            Self::Store(store) => store.forget(),
        }
    }

    /// How many lines it takes in one go.
    const fn at_once(&self) -> usize {
        match self {
            Self::Stream { .. } | Self::File(_) => QUEUE,
            Self::Store(_) => BATCH,
        }
    }

    const fn gather(&self) -> Duration {
        match self {
            Self::Stream { .. } | Self::File(_) => GATHER,
            Self::Store(_) => GATHER_FOR_STORE,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stream { errors: false, .. } => out.write_str("standard output"),
            Self::Stream { errors: true, .. } => out.write_str("standard error"),
            Self::File(file) => file.path().display().fmt(out),
            Self::Store(_) => out.write_str("the store"),
        }
    }
}
