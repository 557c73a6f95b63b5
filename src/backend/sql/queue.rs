//! What goes to the server together and is answered one by one: what is sent behind a statement of its transaction waits for
//! no answer, where the server does nothing of it if the one before has failed.

use std::time::Duration;

use super::link::{Link, Order, Rows};
use super::server::GRACE;
use super::statement::Rendered;
use super::trouble::{Asked, Trouble};

/// What is told to a connection, in its order. All but the last of it are of a transaction that goes on behind them.
#[derive(Default)]
pub(super) struct Queue(Vec<Queued>);

struct Queued {
    /// Which step of the operation it is; counts from 1.
    at: usize,
    told: Told,
    asked: Asked,
}

/// An order, and what it is made of.
pub(super) enum Told {
    Run(Rendered),
    Begin,
    Commit,
}

impl Queue {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, at: usize, told: Told, asked: Asked) {
        self.0.push(Queued { at, told, asked });
    }

    /// Sends all of it; the rows of the last one, or what was wrong with the first that was refused.
    pub(super) async fn send(self, link: &mut Link, timeout: Duration) -> Result<Rows, Trouble> {
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let limit = timeout.saturating_mul(count).saturating_add(GRACE);
        let orders: Vec<Order> = self.0.iter().map(|queued| queued.told.order()).collect();
        let answers = tokio::time::timeout(limit, link.carry_out(&orders)).await;
        let Ok(answers) = answers else {
            return Err(Trouble::Slow("a statement"));
        };
        let mut last = Rows::new();
        for (queued, answer) in self.0.into_iter().zip(answers) {
            let Queued { at, told, asked } = queued;
            last = answer.map_err(|error| Trouble::Statement {
                at,
                error,
                values: told.values(),
                asked,
            })?;
        }
        Ok(last)
    }
}

impl Told {
    fn order(&self) -> Order<'_> {
        match self {
            Self::Run(rendered) => Order::Run(&rendered.sql),
            Self::Begin => Order::Begin,
            Self::Commit => Order::Commit,
        }
    }

    fn values(self) -> Vec<String> {
        match self {
            Self::Run(rendered) => rendered.values,
            Self::Begin | Self::Commit => Vec::new(),
        }
    }
}
