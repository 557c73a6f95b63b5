//! How much there is, and how it fares: counted anew when somebody asks and the last count is old, once for all who ask
//! at the same time. In a large store to count means to read.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::domain::id::{PlanId, ServiceId};
use crate::domain::ledger::{Counts, PlanCount};
use crate::domain::operation::State;
use crate::domain::time::{Clock, Timestamp};

/// How old a count may be, in milliseconds; where it takes long, so many times as long as it took.
const FRESH: i64 = 5_000;
const TIMES: i64 = 10;

/// The latest count of something.
pub(super) struct Census<T = Counts>(Mutex<Option<Counted<T>>>);

/// A count, and when it was made.
pub(super) struct Counted<T = Counts> {
    at: Timestamp,
    took: i64,
    pub counts: Arc<T>,
}

impl<T> Clone for Counted<T> {
    fn clone(&self) -> Self {
        Self {
            counts: Arc::clone(&self.counts),
            ..*self
        }
    }
}

impl<T> Default for Census<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// How the instances or bindings of a plan fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    pub all: u64,
    pub failed: u64,
    pub under_way: u64,
}

impl<T> Census<T> {
    /// A count that is not old.
    pub async fn of<E>(
        &self,
        clock: Clock,
        count: impl Future<Output = Result<T, E>>,
    ) -> Result<Counted<T>, E> {
        let mut latest = self.0.lock().await;
        let began = clock();
        let fresh = latest.as_ref().filter(|counted| {
            let age = began.0 - counted.at.0;
            (0..FRESH.max(counted.took.saturating_mul(TIMES))).contains(&age)
        });
        if let Some(counted) = fresh {
            return Ok(counted.clone());
        }
        let counts = Arc::new(count.await?);
        let at = clock();
        let counted = Counted {
            at,
            took: at.0 - began.0,
            counts,
        };
        *latest = Some(counted.clone());
        Ok(counted)
    }

    /// What was counted does not count any more: something was changed.
    pub async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

impl Health {
    /// Of all that `wanted` says yes to.
    pub fn of(counts: &[PlanCount], wanted: impl Fn(&PlanCount) -> bool) -> Self {
        let mut health = Self::default();
        for count in counts.iter().filter(|count| wanted(count)) {
            health.all += count.count;
            match count.state {
                State::Failed => health.failed += count.count,
                State::InProgress => health.under_way += count.count,
                State::Succeeded => {}
            }
        }
        health
    }

    /// Of a plan.
    pub fn of_plan(counts: &[PlanCount], service: &ServiceId, plan: &PlanId) -> Self {
        Self::of(counts, |count| {
            count.service_id == *service && count.plan_id == *plan
        })
    }
}
