//! The thread that talks to the database. It has a runtime of its own, so that connections outlive the server's threads
//! and a step goes on when whoever asked for it has gone; there a step is one task beside its connection, which costs two
//! changes of thread however many statements it has.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};

use super::error::{OpenError, StepError};
use super::pool::Pool;
use crate::domain::store::StoreError;

type Task = Pin<Box<dyn Future<Output = ()>>>;
type Job = Box<dyn FnOnce(Rc<Pool>) -> Task + Send>;

pub(super) struct Driver {
    jobs: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Driver {
    /// Starts the thread. What comes of `open`, which runs on it first, decides whether it stays.
    pub(super) fn start<T: Send + 'static>(
        pool: impl FnOnce() -> Result<Pool, OpenError> + Send + 'static,
        open: impl AsyncFnOnce(&Pool) -> Result<T, OpenError> + Send + 'static,
    ) -> Result<(Self, T), OpenError> {
        let system = |error: std::io::Error| OpenError::System(error.to_string());
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(system)?;
        let (jobs, incoming) = mpsc::unbounded_channel();
        let (told, opened) = std::sync::mpsc::channel();
        let (end, ended) = oneshot::channel();
        let work = move || {
            let begin = async move {
                let pool = pool()?;
                let opened = open(&pool).await?;
                Ok((pool, opened))
            };
            work(&runtime, begin, &told, incoming);
            // Nobody may wait for it.
            let _ = end.send(());
        };
        thread::Builder::new()
            .name("store driver".to_owned())
            .spawn(work)
            .map_err(system)?;
        let opened = opened
            .recv()
            .map_err(|_| OpenError::System("its thread ended".to_owned()))??;
        let driver = Self {
            jobs: Mutex::new(Some(jobs)),
            ended: Mutex::new(Some(ended)),
        };
        Ok((driver, opened))
    }

    /// Does something with the connections.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl AsyncFnOnce(&Pool) -> Result<T, StepError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |pool| {
            Box::pin(async move {
                // Who asked may have gone.
                let _ = reply.send(job(&pool).await);
            })
        });
        {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let jobs = jobs.as_ref().ok_or_else(gone)?;
            jobs.send(job).map_err(|_| gone())?;
        }
        Ok(answer.await.map_err(|_| gone())??)
    }

    /// Lets what was asked come to its end, then closes the connections.
    pub(super) async fn close(&self) {
        self.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let ended = self
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(ended) = ended {
            let _ = ended.await;
        }
    }
}

fn work<T>(
    runtime: &Runtime,
    begin: impl Future<Output = Result<(Pool, T), OpenError>>,
    told: &std::sync::mpsc::Sender<Result<T, OpenError>>,
    mut jobs: mpsc::UnboundedReceiver<Job>,
) {
    LocalSet::new().block_on(runtime, async {
        let pool = match begin.await {
            Ok((pool, opened)) => {
                let _ = told.send(Ok(opened));
                Rc::new(pool)
            }
            Err(error) => {
                let _ = told.send(Err(error));
                return;
            }
        };
        let mut running = JoinSet::new();
        while let Some(job) = jobs.recv().await {
            while running.try_join_next().is_some() {}
            running.spawn_local(job(Rc::clone(&pool)));
        }
        while running.join_next().await.is_some() {}
        pool.close().await;
    });
}

fn gone() -> StoreError {
    StoreError::Unavailable("it was closed".to_owned())
}
