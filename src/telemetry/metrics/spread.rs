//! A histogram of times that many threads write at once: two additions for each, no lock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, MetricEncoder, NoLabelSet};

/// Upper bounds in nanoseconds for what is over soon: a request, a call of the store.
pub(super) const SOON: &[u64] = &[
    micros(50),
    micros(100),
    micros(250),
    micros(500),
    millis(1),
    micros(2_500),
    millis(5),
    millis(10),
    millis(25),
    millis(50),
    millis(100),
    millis(250),
    millis(500),
    secs(1),
    millis(2_500),
    secs(5),
    secs(10),
    secs(30),
    secs(60),
];

/// Upper bounds in nanoseconds for what takes its time: an operation, an attempt.
pub(super) const LATER: &[u64] = &[
    millis(50),
    millis(100),
    millis(250),
    millis(500),
    secs(1),
    millis(2_500),
    secs(5),
    secs(10),
    secs(30),
    secs(60),
    secs(120),
    secs(300),
    secs(600),
    secs(1_800),
    secs(3_600),
    secs(4 * 3_600),
    secs(24 * 3_600),
];

const fn micros(micros: u64) -> u64 {
    micros * 1_000
}

const fn millis(millis: u64) -> u64 {
    micros(millis * 1_000)
}

const fn secs(secs: u64) -> u64 {
    millis(secs * 1_000)
}

/// How many took how long.
#[derive(Debug)]
pub(super) struct Spread {
    bounds: &'static [u64],
    // One for each bound, and one for all that is beyond them.
    counts: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

impl Spread {
    pub(super) fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            nanoseconds: AtomicU64::new(0),
        }
    }

    pub(super) fn add(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let at = self.bounds.partition_point(|bound| *bound < nanoseconds);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Adds what another one with the same bounds has.
    pub(super) fn add_all(&self, other: &Self) {
        for (count, more) in self.counts.iter().zip(&other.counts) {
            count.fetch_add(more.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let more = other.nanoseconds.load(Ordering::Relaxed);
        self.nanoseconds.fetch_add(more, Ordering::Relaxed);
    }

    /// Writes it with its labels, unless nothing was ever added.
    pub(super) fn encode(
        &self,
        encoder: &mut MetricEncoder<'_>,
        labels: &impl EncodeLabelSet,
    ) -> fmt::Result {
        let bounds = self.bounds.iter().map(|bound| seconds(*bound));
        let buckets: Vec<(f64, u64)> = bounds
            .chain([f64::INFINITY])
            .zip(
                self.counts
                    .iter()
                    .map(|count| count.load(Ordering::Relaxed)),
            )
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        if count == 0 {
            return Ok(());
        }
        let sum = seconds(self.nanoseconds.load(Ordering::Relaxed));
        encoder
            .encode_family(labels)?
            .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_falls_below_the_first_bound_that_it_does_not_pass() {
        let spread = Spread::new(SOON);
        for micros in [0, 50, 51, 1_000, 60_000_000, 60_000_001] {
            spread.add(Duration::from_micros(micros));
        }
        let counts: Vec<u64> = spread
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        assert_eq!(counts[..2], [2, 1]);
        assert_eq!(counts[4], 1, "exactly a millisecond");
        assert_eq!(counts[SOON.len() - 1..], [1, 1]);
        assert_eq!(counts.iter().sum::<u64>(), 6);
        assert_eq!(spread.nanoseconds.load(Ordering::Relaxed), 120_001_102_000);
    }

    #[test]
    fn what_two_have_is_added_up() {
        let all = Spread::new(SOON);
        for millis in [1, 20] {
            let one = Spread::new(SOON);
            one.add(Duration::from_millis(millis));
            one.add(Duration::from_millis(20));
            all.add_all(&one);
        }
        let counts = all.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let counts: Vec<u64> = counts.filter(|count| *count > 0).collect();
        assert_eq!(counts, [1, 3]);
        assert_eq!(all.nanoseconds.load(Ordering::Relaxed), 61_000_000);
    }

    #[test]
    fn bounds_go_up() {
        for bounds in [SOON, LATER] {
            assert!(bounds.is_sorted_by(|one, other| one < other));
        }
    }
}
