//! How an operator's request reaches the one who reloads, and what came of it comes back.

use tokio::sync::{mpsc, oneshot};

use crate::http::{Asker, Reloaded, Reloading, Reloads};

/// How many may wait until they are heard; more wait in front of that.
const WAITING: usize = 64;

/// Somebody who asks for a reload.
pub(super) struct Ask {
    pub by: Asker,
    pub answer: oneshot::Sender<Reloaded>,
}

/// Rung by who asks.
#[derive(Debug)]
pub struct Bell(mpsc::Sender<Ask>);

/// Where it is heard. Without it nobody reloads.
pub struct Heard(mpsc::Receiver<Ask>);

impl Bell {
    /// A bell, and where it is heard.
    pub fn hung() -> (Self, Heard) {
        let (ring, heard) = mpsc::channel(WAITING);
        (Self(ring), Heard(heard))
    }
}

impl Reloads for Bell {
    fn reload(&self, by: Asker) -> Reloading<'_> {
        Box::pin(async move {
            let (answer, told) = oneshot::channel();
            self.0.send(Ask { by, answer }).await.ok()?;
            told.await.ok()
        })
    }
}

impl Heard {
    /// The next who asks; waits for ever where nobody can ask any more.
    pub(super) async fn next(&mut self) -> Ask {
        match self.0.recv().await {
            Some(ask) => ask,
            None => std::future::pending().await,
        }
    }

    /// All others who wait by now: a reload that begins after they asked is theirs, too.
    pub(super) fn others(&mut self) -> Vec<Ask> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}
