//! The thread that writes. It gathers what waits into one transaction: while one commit goes to disk the next ones
//! queue, and all of them share the next commit. Where one of them fails, all are carried out anew, each with a savepoint
//! of its own, so that it takes no other with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::OpenError;
use super::{gone, rows};
use crate::domain::store::{Begun, Change, StoreError};

/// Most changes that share one commit.
const MOST: usize = 256;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

enum Request {
    Begin(Box<Change>, Reply<Begun>),
    /// Write something that changes nothing, to see whether it can be.
    Probe(Reply<()>),
    Close(Reply<()>),
}

pub(super) struct Writer {
    requests: Mutex<Sender<Request>>,
    healthy: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, OpenError> {
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

    pub(super) async fn begin(&self, change: Change) -> Result<Begun, StoreError> {
        self.ask(|reply| Request::Begin(Box::new(change), reply))
            .await
    }

    /// Nothing is written to find out while writing goes well.
    pub(super) async fn health(&self) -> Result<(), StoreError> {
        if self.healthy.load(Ordering::Relaxed) {
            Ok(())
        } else {
            self.ask(Request::Probe).await
        }
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

fn work(connection: Connection, incoming: &Receiver<Request>, healthy: &AtomicBool) {
    let mut waiting: Vec<(Box<Change>, Reply<Begun>)> = Vec::new();
    while let Ok(first) = incoming.recv() {
        let mut next = Some(first);
        let mut close = None;
        while let Some(request) = next.take() {
            match request {
                Request::Begin(change, reply) => waiting.push((change, reply)),
                Request::Probe(reply) => {
                    let result = probe(&connection);
                    healthy.store(result.is_ok(), Ordering::Relaxed);
                    let _ = reply.send(result);
                }
                Request::Close(reply) => close = Some(reply),
            }
            if close.is_none() && waiting.len() < MOST {
                next = incoming.try_recv().ok();
            }
        }
        if !waiting.is_empty() {
            healthy.store(commit(&connection, &mut waiting), Ordering::Relaxed);
        }
        if let Some(reply) = close {
            let closed = connection
                .close()
                .map_err(|(_, error)| rows::unavailable(error));
            let _ = reply.send(closed);
            return;
        }
    }
}

/// Carries all out in one transaction and answers when it is on disk. Whether that went well.
fn commit(connection: &Connection, waiting: &mut Vec<(Box<Change>, Reply<Begun>)>) -> bool {
    match transaction(connection, waiting) {
        Ok(results) => {
            for ((_, reply), result) in waiting.drain(..).zip(results) {
                let _ = reply.send(result);
            }
            true
        }
        Err(error) => {
            // The transaction is over either way; where it is over already this says so, and that is no news.
            let _ = connection.execute_batch("ROLLBACK");
            let why = error.to_string();
            for (_, reply) in waiting.drain(..) {
                let _ = reply.send(Err(StoreError::Unavailable(why.clone())));
            }
            false
        }
    }
}

/// Carries all out and commits it. The first try is without savepoints: SQLite copies each page that a change touches
/// for one, and hardly a change ever fails.
fn transaction(
    connection: &Connection,
    changes: &[(Box<Change>, Reply<Begun>)],
) -> Result<Vec<Result<Begun, StoreError>>, rusqlite::Error> {
    run(connection, "BEGIN IMMEDIATE")?;
    let tried: Result<Vec<_>, _> = changes
        .iter()
        .map(|(change, _)| rows::apply(connection, change))
        .collect();
    let results = match tried {
        Ok(begun) => begun.into_iter().map(Ok).collect(),
        Err(_) => {
            begin_again(connection)?;
            changes
                .iter()
                .map(|(change, _)| guarded(connection, change))
                .collect::<Result<_, _>>()?
        }
    };
    run(connection, "COMMIT")?;
    Ok(results)
}

fn begin_again(connection: &Connection) -> Result<(), rusqlite::Error> {
    // Where SQLite gave the transaction up by itself there is none to roll back.
    if !connection.is_autocommit() {
        run(connection, "ROLLBACK")?;
    }
    run(connection, "BEGIN IMMEDIATE")
}

/// One change with a savepoint of its own. The outer error is that of the whole transaction.
fn guarded(
    connection: &Connection,
    change: &Change,
) -> Result<Result<Begun, StoreError>, rusqlite::Error> {
    run(connection, "SAVEPOINT change")?;
    let result = rows::apply(connection, change);
    match result {
        Ok(_) => {}
        // SQLite itself gave the whole transaction up (disk full, for one): so do we.
        Err(rows::RowError::Database(error)) if connection.is_autocommit() => return Err(error),
        Err(_) => run(connection, "ROLLBACK TO change")?,
    }
    run(connection, "RELEASE change")?;
    Ok(result.map_err(StoreError::from))
}

fn run(connection: &Connection, sql: &str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

fn probe(connection: &Connection) -> Result<(), StoreError> {
    connection
        .execute("INSERT INTO meta (name, value) VALUES ('probe', x'00') ON CONFLICT (name) DO UPDATE SET value = x'00'", [])
        .map(|_| ())
        .map_err(rows::unavailable)
}
