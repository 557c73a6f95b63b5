//! A step is one transaction, carried out anew where it lost against another one. An engine that is spread over machines
//! may say so at any statement, the commit among them.

use std::time::Duration;

use super::error::StepError;
use super::pool::Pool;
use super::rows;
use super::transaction::Transaction;

/// Most times that a step begins anew.
const MOST: u32 = 12;

/// How much longer than the server we wait for a statement: its own word is the better one.
const GRACE: Duration = Duration::from_secs(1);

impl Pool {
    /// Carries a step out, durably.
    pub(super) async fn step<T>(
        &self,
        step: impl AsyncFn(&Transaction<'_>) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let result = self.anew(Some(self.bounds.timeout), &step).await;
        match &result {
            Ok(_) => self.ailing.set(false),
            Err(error) if error.is_ailment() => self.ailing.set(true),
            Err(_) => {}
        }
        result
    }

    /// Whether it takes writes. Nothing is written to find out while writing goes well.
    pub(super) async fn health(&self) -> Result<(), StepError> {
        if self.ailing.get() {
            return self.step(rows::probe).await;
        }
        self.ask(rows::writable).await
    }

    /// Looks something up, in one statement.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFn(&Transaction<'_>) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        self.anew(None, &question).await
    }

    async fn anew<T>(
        &self,
        within: Option<Duration>,
        step: &impl AsyncFn(&Transaction<'_>) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let mut repeats = 0;
        loop {
            match self.once(within, step).await {
                Err(error) if error.is_repeatable() && repeats < MOST => {
                    repeats += 1;
                    tokio::time::sleep(rest(repeats)).await;
                }
                result => return result,
            }
        }
    }

    async fn once<T>(
        &self,
        within: Option<Duration>,
        step: &impl AsyncFn(&Transaction<'_>) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let lent = self.lend().await?;
        let transaction = Transaction::new(lent.client()?, &self.sealer, within);
        let limit = self.bounds.timeout.saturating_add(GRACE);
        let result = tokio::time::timeout(limit, carry_out(transaction, step))
            .await
            .unwrap_or(Err(StepError::Slow("a transaction")));
        if result
            .as_ref()
            .map_or_else(StepError::leaves_connection, |_| true)
        {
            lent.give_back();
        }
        result
    }
}

async fn carry_out<T>(
    transaction: Transaction<'_>,
    step: &impl AsyncFn(&Transaction<'_>) -> Result<T, StepError>,
) -> Result<T, StepError> {
    match step(&transaction).await {
        Ok(result) => transaction.commit().await.map(|()| result),
        Err(error) if error.leaves_connection() => {
            transaction.roll_back().await?;
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// Twice as long each time, and never quite the same, so that what met once does not meet again.
fn rest(repeats: u32) -> Duration {
    let mut chance = [0];
    // Without chance it is the shortest: no reason to fail.
    let _ = getrandom::fill(&mut chance);
    let whole = Duration::from_millis(2) * (1 << repeats.min(6));
    whole.mul_f64(0.5 + f64::from(chance[0]) / 255.0)
}
