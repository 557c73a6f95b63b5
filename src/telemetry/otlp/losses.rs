//! Spans that did not get to the collector: counted, and told of in the log once in a while.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long to be silent after a line.
const SILENCE: Duration = Duration::from_secs(60);

/// What the log calls these lines.
const TARGET: &str = "traces";

/// What is lost, and what may still be.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Those that were let in, and are neither sent nor lost.
    waiting: AtomicUsize,
    /// Those that were not let in, and were not told of: whoever records waits for no lock.
    refused: AtomicU64,
    told: Mutex<Told>,
}

/// What the log knows.
#[derive(Debug, Default)]
struct Told {
    /// What was lost and not told of.
    lost: u64,
    /// Why the collector could not be asked, the last time.
    trouble: Option<String>,
    /// When there was a line last.
    at: Option<Instant>,
    /// Whether that was of a collector that did not answer, and has not since.
    away: bool,
}

impl Losses {
    /// Whether there is room for one more, of so many.
    pub(super) fn let_in(&self, most: usize) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < most {
            return true;
        }
        self.let_out(1);
        self.refused.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// So many do not wait any more.
    pub(super) fn let_out(&self, count: usize) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    /// Why the collector did not answer, in words that may be shown.
    pub(super) fn trouble(&self, why: String) {
        self.told().trouble = Some(why);
    }

    /// The collector took so many.
    pub(super) fn sent(&self, count: usize) {
        self.let_out(count);
        let mut told = self.told();
        told.trouble = None;
        let lost = self.gathered(&mut told);
        if std::mem::take(&mut told.away) {
            told.lost = 0;
            drop(told);
            log::info!(target: TARGET, lost; "the collector takes spans again");
        } else {
            tell(told, "they came faster than the collector took them");
        }
    }

    /// So many did not get there.
    pub(super) fn lost(&self, count: usize, error: &str) {
        self.let_out(count);
        let mut told = self.told();
        told.lost += count as u64;
        self.gathered(&mut told);
        let why = told.trouble.take().unwrap_or_else(|| error.to_owned());
        if is_due(&told) {
            told.away = true;
        }
        tell(told, &why);
    }

    /// The collector would not have so many of those that it took.
    pub(super) fn rejected(&self, count: u64) {
        let mut told = self.told();
        told.lost += count;
        tell(told, "the collector rejected them");
    }

    /// All is over: what waits is lost.
    pub(super) fn tell_all(&self) {
        let mut told = self.told();
        told.lost += self.waiting.swap(0, Ordering::Relaxed) as u64;
        let lost = self.gathered(&mut told);
        if lost > 0 {
            log::warn!(target: TARGET, lost; "spans were lost: the broker stopped, and the collector had not taken them");
        }
    }

    /// With those that were not let in.
    fn gathered(&self, told: &mut Told) -> u64 {
        told.lost += self.refused.swap(0, Ordering::Relaxed);
        told.lost
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_due(told: &Told) -> bool {
    told.lost > 0 && told.at.is_none_or(|at| at.elapsed() >= SILENCE)
}

fn tell(mut told: MutexGuard<'_, Told>, why: &str) {
    if is_due(&told) {
        let lost = std::mem::take(&mut told.lost);
        told.at = Some(Instant::now());
        // Whoever writes the log may be slow.
        drop(told);
        log::warn!(target: TARGET, lost; "spans were lost: {why}");
    }
}
