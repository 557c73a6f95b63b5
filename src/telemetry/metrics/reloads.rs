//! Reloads of the catalog: how they went, and when.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::now::one;
use super::spread::{LATER, Spread};
use super::{count, seconds};
use crate::domain::time::Timestamp;

/// Why a reload is refused, in the words of the account of changes.
pub const REASONS: [&str; 5] = ["settings", "document", "breaks", "store", "system"];

/// What came of reloads since the start, which counts as one that was taken.
#[derive(Debug)]
pub struct Reloads {
    taken: AtomicU64,
    /// By reason.
    refused: [AtomicU64; REASONS.len()],
    well: AtomicBool,
    /// When the catalog that is served was taken.
    since: AtomicI64,
    took: Spread,
}

impl Reloads {
    /// After a start at this moment.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            taken: AtomicU64::new(0),
            refused: Default::default(),
            well: AtomicBool::new(true),
            since: AtomicI64::new(now.0),
            took: Spread::new(LATER),
        }
    }

    /// Another catalog is served from now on.
    pub fn taken(&self, now: Timestamp, took: Duration) {
        self.since.store(now.0, Ordering::Relaxed);
        self.over(&self.taken, true, took);
    }

    /// The one before is served on, for a reason that is one of [`REASONS`].
    pub fn refused(&self, reason: &str, took: Duration) {
        let place = REASONS.iter().position(|known| *known == reason);
        let place = place.unwrap_or(REASONS.len() - 1);
        self.over(&self.refused[place], false, took);
    }

    fn over(&self, counter: &AtomicU64, well: bool, took: Duration) {
        counter.fetch_add(1, Ordering::Relaxed);
        self.well.store(well, Ordering::Relaxed);
        self.took.add(took);
    }
}

impl Collector for Reloads {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Reloads of the catalog.";
        let mut family = encoder.encode_descriptor("reloads", help, None, MetricType::Counter)?;
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let taken = [("result", "taken"), ("reason", "")];
        count(&mut family, &taken, of(&self.taken))?;
        for (reason, refused) in REASONS.into_iter().zip(&self.refused) {
            let labels = [("result", "refused"), ("reason", reason)];
            count(&mut family, &labels, of(refused))?;
        }
        let help = "Whether the last reload, or the start, took what was read: 1 or 0.";
        let well = i64::from(self.well.load(Ordering::Relaxed));
        one(&mut encoder, "reload_last_successful", help, &well)?;
        let help = "When the catalog that is served was taken.";
        let since = seconds(Timestamp(self.since.load(Ordering::Relaxed)));
        one(
            &mut encoder,
            "reload_last_success_timestamp_seconds",
            help,
            &since,
        )?;
        let help = "How long a reload took, from reading the files on.";
        let name = "reload_duration_seconds";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        self.took.encode(&mut family, &[] as &[(&str, &str); 0])
    }
}
