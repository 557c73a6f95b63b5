//! A histogram of times that many threads write at once: two additions for each, no lock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, MetricEncoder, NoLabelSet};

/// Upper bounds for what is over soon: a request, a call of the store.
pub(super) const SOON: &[Duration] = &[
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// Upper bounds for what takes its time: an operation, an attempt.
pub(super) const LATER: &[Duration] = &[
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(600),
    Duration::from_secs(1_800),
    Duration::from_secs(3_600),
    Duration::from_secs(4 * 3_600),
    Duration::from_secs(24 * 3_600),
];

/// How many took how long.
#[derive(Debug)]
pub(super) struct Spread {
    bounds: &'static [Duration],
    // One for each bound, and one for all that is beyond them.
    counts: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

impl Spread {
    pub(super) fn new(bounds: &'static [Duration]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            nanoseconds: AtomicU64::new(0),
        }
    }

    pub(super) fn add(&self, took: Duration) {
        let at = self.bounds.partition_point(|bound| *bound < took);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Writes it with its labels, unless nothing was ever added.
    pub(super) fn encode(
        &self,
        encoder: &mut MetricEncoder<'_>,
        labels: &impl EncodeLabelSet,
    ) -> fmt::Result {
        let bounds = self.bounds.iter().map(Duration::as_secs_f64);
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
        let sum = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        encoder
            .encode_family(labels)?
            .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
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
    fn bounds_go_up() {
        for bounds in [SOON, LATER] {
            assert!(bounds.is_sorted_by(|one, other| one < other));
        }
    }
}
