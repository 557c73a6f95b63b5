//! The threads that read, each with a connection of its own.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::database::Database;
use super::error::OpenError;
use super::gone;
use super::open::connect_reader;
use crate::domain::store::StoreError;
use crate::store::seal::Sealer;

/// A look-up takes microseconds: two threads keep two cores busy.
const THREADS: usize = 2;

type Question = Box<dyn FnOnce(&Database) + Send>;

pub(super) struct Readers {
    questions: Mutex<Option<Sender<Question>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub(super) fn start(path: &Path, sealer: &Arc<Sealer>) -> Result<Self, OpenError> {
        let (questions, incoming) = mpsc::channel();
        let incoming = Arc::new(Mutex::new(incoming));
        let mut threads = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let connection = Database::new(connect_reader(path)?, Arc::clone(sealer));
            let incoming = Arc::clone(&incoming);
            let thread = thread::Builder::new()
                .name("store reader".to_owned())
                .spawn(move || answer(&connection, &incoming))
                .map_err(|error| OpenError::System(format!("no thread to read with: {error}")))?;
            threads.push(thread);
        }
        Ok(Self {
            questions: Mutex::new(Some(questions)),
            threads: Mutex::new(threads),
        })
    }

    /// Asks on one of the threads.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |connection| {
            // Who asked may have gone: then nobody wants to know.
            let _ = reply.send(question(connection));
        });
        {
            let questions = self
                .questions
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            questions
                .as_ref()
                .ok_or_else(gone)?
                .send(question)
                .map_err(|_| gone())?;
        }
        answer.await.map_err(|_| gone())?
    }

    /// Waits for the threads to answer what was asked and to close their connections: only the last one to leave a file
    /// puts its log away, and of all connections the writer's alone may.
    pub(super) fn close(&self) {
        self.questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // One that panicked has closed its connection as well.
            let _ = thread.join();
        }
    }
}

fn answer(connection: &Database, incoming: &Mutex<Receiver<Question>>) {
    loop {
        let next = incoming
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match next {
            Ok(question) => question(connection),
            Err(_) => return,
        }
    }
}
