//! Statements that go to the server together and are answered one by one: what is sent behind another one of its transaction
//! waits for no answer, for the server does nothing of it where the one before has failed.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio_postgres::{Client, Row};

use super::server::GRACE;
use super::statement::Rendered;
use super::trouble::{Asked, Trouble};

/// Statements in their order. All but the last one are of a transaction that goes on behind them.
#[derive(Default)]
pub(super) struct Queue(Vec<Queued>);

struct Queued {
    /// Which step of the operation it is; counts from 1.
    at: usize,
    rendered: Rendered,
    asked: Asked,
}

impl Queue {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, at: usize, rendered: Rendered, asked: Asked) {
        self.0.push(Queued {
            at,
            rendered,
            asked,
        });
    }

    /// Sends all of them; the rows of the last one, or what was wrong with the first that was refused. Each is a message of
    /// its own, in the protocol that takes one statement at a time: a second one in it is refused, wherever it comes from.
    pub(super) async fn send(
        self,
        client: &Client,
        timeout: Duration,
    ) -> Result<Vec<Row>, Trouble> {
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let limit = timeout.saturating_mul(count).saturating_add(GRACE);
        let sent = self
            .0
            .iter()
            .map(|queued| client.query_typed(&queued.rendered.sql, &[]));
        let answers = tokio::time::timeout(limit, all(sent)).await;
        let Ok(answers) = answers else {
            return Err(Trouble::Slow("a statement"));
        };
        let mut last = Vec::new();
        for (queued, answer) in self.0.into_iter().zip(answers) {
            last = answer.map_err(|error| {
                let trouble = Trouble::Statement {
                    at: queued.at,
                    error,
                    values: queued.rendered.values,
                    asked: Asked::default(),
                };
                trouble.after_question(queued.asked)
            })?;
        }
        Ok(last)
    }
}

/// What all come to. Each is begun in its turn, before any is waited for.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, output) in running.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
