//! The thread that writes. It gathers what waits into one transaction: while one commit goes to disk the next ones
//! queue, and all of them share the next commit. Where one of them fails, all are carried out anew, each with a savepoint
//! of its own, so that it takes no other with it.
//!
//! What is at leisure shares the commit of what is not. Alone it is handed to the system and not waited for on the disk: a
//! killed process loses nothing of it, a lost machine what came since the last commit of something else, or [`Writer::sync`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::database::Database;
use super::error::OpenError;
use super::gone;
use super::rows::{self, RowError};
use crate::domain::store::StoreError;

/// Most changes that share one commit.
const MOST: usize = 256;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A step that changes the state, and whom it answers.
trait Step: Send {
    /// Carries it out inside the transaction that is open; again, from its start, where that was rolled back.
    fn take(&mut self, connection: &Database) -> Result<(), RowError>;

    /// Answers, when all is on disk or nothing is.
    fn answer(self: Box<Self>, failed: Option<StoreError>);
}

/// A step as a function.
struct Stepping<F, T> {
    step: F,
    result: Option<T>,
    reply: Reply<T>,
}

impl<F, T> Step for Stepping<F, T>
where
    F: FnMut(&Database) -> Result<T, RowError> + Send,
    T: Send,
{
    fn take(&mut self, connection: &Database) -> Result<(), RowError> {
        self.result = Some((self.step)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, failed: Option<StoreError>) {
        let answer = match (failed, self.result) {
            (None, Some(result)) => Ok(result),
            (Some(error), _) => Err(error),
            (None, None) => Err(gone()),
        };
        // Who asked may have gone.
        let _ = self.reply.send(answer);
    }
}

enum Request {
    Step(Box<dyn Step>),
    /// One that need not be on disk when it is answered.
    Leisurely(Box<dyn Step>),
    /// Have on the disk what is not there yet.
    Sync(Reply<()>),
    /// Write something that changes nothing, to see whether it can be.
    Probe(Reply<()>),
    /// Empty the log into the file, as far as others let it.
    Settle(Reply<()>),
    Close(Reply<()>),
}

pub(super) struct Writer {
    requests: Mutex<Sender<Request>>,
    healthy: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(connection: Database) -> Result<Self, OpenError> {
        let (requests, incoming) = mpsc::channel();
        let healthy = Arc::new(AtomicBool::new(true));
        let shared = Arc::clone(&healthy);
        thread::Builder::new()
            .name("store writer".to_owned())
            .spawn(move || work(connection, &incoming, &shared))
            .map_err(|error| OpenError::System(format!("no thread to write with: {error}")))?;
        Ok(Self {
            requests: Mutex::new(requests),
            healthy,
        })
    }

    /// Carries a step out, durably.
    pub(super) async fn step<T: Send + 'static>(
        &self,
        step: impl FnMut(&Database) -> Result<T, RowError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(|reply| Request::Step(stepping(step, reply))).await
    }

    /// Carries a step out that need not be on disk when it is answered.
    pub(super) async fn step_at_leisure<T: Send + 'static>(
        &self,
        step: impl FnMut(&Database) -> Result<T, RowError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(|reply| Request::Leisurely(stepping(step, reply)))
            .await
    }

    /// Has on the disk what was done at leisure.
    pub(super) async fn sync(&self) -> Result<(), StoreError> {
        self.ask(Request::Sync).await
    }

    /// Nothing is written to find out while writing goes well.
    pub(super) async fn health(&self) -> Result<(), StoreError> {
        if self.healthy.load(Ordering::Relaxed) {
            Ok(())
        } else {
            self.ask(Request::Probe).await
        }
    }

    /// Empties the log into the file, as far as others let it: what was overwritten stands in the log still.
    pub(super) async fn settle(&self) -> Result<(), StoreError> {
        self.ask(Request::Settle).await
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.ask(Request::Close).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(request(reply))
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn stepping<T: Send + 'static>(
    step: impl FnMut(&Database) -> Result<T, RowError> + Send + 'static,
    reply: Reply<T>,
) -> Box<dyn Step> {
    Box::new(Stepping {
        step,
        result: None,
        reply,
    })
}

fn work(connection: Database, incoming: &Receiver<Request>, healthy: &AtomicBool) {
    let mut waiting: Vec<Box<dyn Step>> = Vec::new();
    let mut disk = Disk::default();
    while let Ok(first) = incoming.recv() {
        let mut next = Some(first);
        let mut close = None;
        let mut urgent = false;
        while let Some(request) = next.take() {
            match request {
                Request::Step(step) => {
                    waiting.push(step);
                    urgent = true;
                }
                Request::Leisurely(step) => waiting.push(step),
                Request::Sync(reply) => {
                    let _ = reply.send(disk.sync(&connection));
                }
                Request::Probe(reply) => {
                    let result = probe(&connection);
                    healthy.store(result.is_ok(), Ordering::Relaxed);
                    let _ = reply.send(result);
                }
                Request::Settle(reply) => {
                    let _ = reply.send(settle(&connection));
                }
                Request::Close(reply) => close = Some(reply),
            }
            if close.is_none() && waiting.len() < MOST {
                next = incoming.try_recv().ok();
            }
        }
        if !waiting.is_empty() {
            commit(&connection, &mut waiting, healthy, disk.next(urgent));
        }
        if let Some(reply) = close {
            let closed = connection.close().map_err(rows::unavailable);
            let _ = reply.send(closed);
            return;
        }
    }
}

/// How commits go to the disk.
#[derive(Debug, Default)]
struct Disk {
    /// The connection is set not to wait for it.
    leisurely: bool,
    /// Something may have been committed that is not there yet.
    behind: bool,
}

impl Disk {
    /// For the next commit.
    const fn next(&mut self, urgent: bool) -> Committing<'_> {
        Committing { disk: self, urgent }
    }

    /// A commit that is waited for takes with it all that came before.
    fn sync(&mut self, connection: &Database) -> Result<(), StoreError> {
        if !self.behind {
            return Ok(());
        }
        self.next(true).set(connection).map_err(rows::unavailable)?;
        probe(connection)?;
        self.behind = false;
        Ok(())
    }
}

struct Committing<'d> {
    disk: &'d mut Disk,
    urgent: bool,
}

impl Committing<'_> {
    /// Before the transaction begins: within one it cannot be set.
    fn set(&mut self, connection: &Database) -> Result<(), rusqlite::Error> {
        if self.disk.leisurely != self.urgent {
            return Ok(());
        }
        let how = if self.urgent { "full" } else { "normal" };
        connection.pragma_update(None, "synchronous", how)?;
        self.disk.leisurely = !self.urgent;
        Ok(())
    }

    const fn committed(&mut self) {
        self.disk.behind = !self.urgent;
    }
}

/// Carries all out in one transaction and answers when it is on disk. Whether that went well is known before the answers:
/// who reads that the store is away finds the broker not ready.
fn commit(
    connection: &Database,
    waiting: &mut Vec<Box<dyn Step>>,
    healthy: &AtomicBool,
    mut committing: Committing<'_>,
) {
    let done = committing
        .set(connection)
        .and_then(|()| transaction(connection, waiting));
    healthy.store(done.is_ok(), Ordering::Relaxed);
    match done {
        Ok(failed) => {
            committing.committed();
            for (step, failed) in waiting.drain(..).zip(failed) {
                step.answer(failed);
            }
        }
        Err(error) => {
            // The transaction is over either way; where it is over already this says so, and that is no news.
            let _ = connection.execute_batch("ROLLBACK");
            let why = error.to_string();
            for step in waiting.drain(..) {
                step.answer(Some(StoreError::Unavailable(why.clone())));
            }
        }
    }
}

/// Carries all out and commits it: what each step failed of, if it did. The first try is without savepoints: SQLite
/// copies each page that a step touches for one, and hardly a step ever fails.
fn transaction(
    connection: &Database,
    steps: &mut [Box<dyn Step>],
) -> Result<Vec<Option<StoreError>>, rusqlite::Error> {
    run(connection, "BEGIN IMMEDIATE")?;
    let all = steps.iter_mut().try_for_each(|step| step.take(connection));
    let failed = if all.is_ok() {
        steps.iter().map(|_| None).collect()
    } else {
        begin_again(connection)?;
        let each = steps
            .iter_mut()
            .map(|step| guarded(connection, &mut **step));
        each.collect::<Result<_, _>>()?
    };
    run(connection, "COMMIT")?;
    Ok(failed)
}

fn begin_again(connection: &Database) -> Result<(), rusqlite::Error> {
    // Where SQLite gave the transaction up by itself there is none to roll back.
    if !connection.is_autocommit() {
        run(connection, "ROLLBACK")?;
    }
    run(connection, "BEGIN IMMEDIATE")
}

/// One step with a savepoint of its own: what it failed of, if it did. The outer error is that of the whole transaction.
fn guarded(
    connection: &Database,
    step: &mut dyn Step,
) -> Result<Option<StoreError>, rusqlite::Error> {
    run(connection, "SAVEPOINT step")?;
    let failed = match step.take(connection) {
        Ok(()) => None,
        // SQLite itself gave the whole transaction up (disk full, for one): so do we.
        Err(RowError::Database(error)) if connection.is_autocommit() => return Err(error),
        Err(error) => {
            run(connection, "ROLLBACK TO step")?;
            Some(error.into())
        }
    };
    run(connection, "RELEASE step")?;
    Ok(failed)
}

fn run(connection: &Database, sql: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

fn probe(connection: &Database) -> Result<(), StoreError> {
    connection
        .execute("INSERT INTO meta (name, value) VALUES ('probe', x'00') ON CONFLICT (name) DO UPDATE SET value = x'00'", [])
        .map(|_| ())
        .map_err(rows::unavailable)
}

fn settle(connection: &Database) -> Result<(), StoreError> {
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .map_err(rows::unavailable)
}
