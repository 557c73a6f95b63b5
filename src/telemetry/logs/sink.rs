//! Where lines go, all of them in the order in which they came. Those of a broker wait some milliseconds for others and go
//! with them in one write: each request has a line, and a write of its own would cost as much as the request. A warning, or
//! worse, goes at once, and takes with it what waits.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use super::Output;

/// How long a line may wait for others: what a broker that is killed may not have said.
const GATHER: Duration = Duration::from_millis(5);

/// So many bytes do not wait for more. Who comes then writes, or waits until it can be written: nothing is lost.
const FULL: usize = 256 * 1024;

/// The way out of the process.
pub(super) struct Sink {
    shared: Arc<Shared>,
    /// Writes what waits; where there is none, nothing does.
    writer: Option<Thread>,
}

struct Shared {
    waiting: Mutex<Vec<u8>>,
    /// Held by who writes. Taken before the lines that wait are, so that none overtakes another.
    stream: Mutex<Stream>,
}

struct Stream {
    output: Output,
    /// What is being written, and its room for the next time.
    lines: Vec<u8>,
}

impl Sink {
    pub(super) fn new(output: Output) -> Self {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            stream: Mutex::new(Stream {
                output,
                lines: Vec::new(),
            }),
        });
        let writer = match output {
            Output::Standard => writer(&shared),
            // What a command says besides goes to the same place, and is not to come before it.
            Output::Errors => None,
        };
        Self { shared, writer }
    }

    /// Writes a line with those that come right behind it.
    pub(super) fn later(&self, line: &str) {
        let Some(writer) = &self.writer else {
            return self.now(line);
        };
        let mut waiting = locked(&self.shared.waiting);
        let is_first = waiting.is_empty();
        waiting.extend_from_slice(line.as_bytes());
        let is_full = waiting.len() >= FULL;
        drop(waiting);
        if is_full {
            self.shared.write();
        } else if is_first {
            writer.unpark();
        }
    }

    /// Writes a line behind those that wait.
    pub(super) fn now(&self, line: &str) {
        locked(&self.shared.waiting).extend_from_slice(line.as_bytes());
        self.shared.write();
    }

    /// Writes what waits.
    pub(super) fn flush(&self) {
        self.shared.write();
    }
}

/// Nothing where the system has no thread to give.
fn writer(shared: &Arc<Shared>) -> Option<Thread> {
    let shared = Arc::clone(shared);
    let thread = thread::Builder::new().name("log".to_owned());
    let handle = thread.spawn(move || write_what_waits(&shared));
    Some(handle.ok()?.thread().clone())
}

/// For as long as the process lives.
fn write_what_waits(shared: &Shared) {
    loop {
        thread::park();
        thread::sleep(GATHER);
        shared.write();
    }
}

impl Shared {
    fn write(&self) {
        let mut stream = locked(&self.stream);
        let stream = &mut *stream;
        mem::swap(&mut *locked(&self.waiting), &mut stream.lines);
        // Of a log that cannot be written there is nobody to tell.
        let _ = match stream.output {
            Output::Standard => put(&mut io::stdout().lock(), &stream.lines),
            Output::Errors => put(&mut io::stderr().lock(), &stream.lines),
        };
        stream.lines.clear();
    }
}

fn put(out: &mut impl io::Write, lines: &[u8]) -> io::Result<()> {
    out.write_all(lines)?;
    out.flush()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
