//! Operations and attempts, as the domain tells of them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::book::{Book, later};
use super::count;
use crate::domain::operation::{Kind, State};
use crate::domain::witness::{
    Acted, Adopted, Attempted, Event, Expired, Intervened, Result, Witness,
};

/// How an operation ends.
const ENDS: [State; 2] = [State::Succeeded, State::Failed];

/// Counts what it is told.
#[derive(Debug)]
pub(super) struct Operations(pub(super) Arc<Book>);

/// The place of a kind among all of them.
fn place(kind: Kind) -> usize {
    Kind::ALL
        .iter()
        .position(|known| *known == kind)
        .unwrap_or_default()
}

impl Witness for Operations {
    fn happened(&self, event: &Event<'_>) {
        let page = self.0.page();
        let cells = &page.plan(event.plan).cells;
        let kind = place(event.kind);
        let end = usize::from(event.state == State::Failed);
        cells.ended[kind][end].fetch_add(1, Ordering::Relaxed);
        if let Some(took) = event.took {
            later(&cells.took[kind]).add(took);
        }
    }

    // An attempt that was made has been told of before.
    fn attempted(&self, _: &Attempted<'_>) {}

    fn acted(&self, acted: &Acted<'_>) {
        let page = self.0.page();
        let Some(cells) = &page.plan(Some(acted.plan)).backend else {
            return;
        };
        let kind = place(acted.kind);
        let result = Result::ALL.iter().position(|known| *known == acted.result);
        cells.attempts[kind][result.unwrap_or_default()].fetch_add(1, Ordering::Relaxed);
        later(&cells.took[kind]).add(acted.took);
    }

    fn adopted(&self, _: &Adopted<'_>) {}

    // Its unbind is told of as every other.
    fn expired(&self, _: &Expired<'_>) {}

    fn intervened(&self, _: &Intervened<'_>) {}
}

impl Collector for Operations {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let page = self.0.page();
        let mut family = encoder.encode_descriptor(
            "operations",
            "Operations that came to their end in this process.",
            None,
            MetricType::Counter,
        )?;
        for (plan, cells) in &page.plans {
            for (ended, kind) in cells.ended.iter().zip(Kind::ALL) {
                for (ended, state) in ended.iter().zip(ENDS) {
                    let labels = [
                        ("kind", kind.name()),
                        ("plan", plan),
                        ("state", state.name()),
                    ];
                    count(&mut family, &labels, ended.load(Ordering::Relaxed))?;
                }
            }
        }
        let mut family = encoder.encode_descriptor(
            "operation_duration_seconds",
            "From the recording of an operation to its end, of those that were not over with it.",
            None,
            MetricType::Histogram,
        )?;
        for (plan, cells) in &page.plans {
            for (took, kind) in cells.took.iter().zip(Kind::ALL) {
                if let Some(took) = took.get() {
                    took.encode(&mut family, &[("kind", kind.name()), ("plan", plan)])?;
                }
            }
        }
        let mut family = encoder.encode_descriptor(
            "backend_attempts",
            "Attempts at operations, by what came of them for the backend.",
            None,
            MetricType::Counter,
        )?;
        for (backend, cells) in &page.backends {
            for (attempts, kind) in cells.attempts.iter().zip(Kind::ALL) {
                for (attempts, result) in attempts.iter().zip(Result::ALL) {
                    let labels = [
                        ("backend", &**backend),
                        ("kind", kind.name()),
                        ("result", result.name()),
                    ];
                    count(&mut family, &labels, attempts.load(Ordering::Relaxed))?;
                }
            }
        }
        let mut family = encoder.encode_descriptor(
            "backend_attempt_duration_seconds",
            "How long attempts at operations took.",
            None,
            MetricType::Histogram,
        )?;
        for (backend, cells) in &page.backends {
            for (took, kind) in cells.took.iter().zip(Kind::ALL) {
                if let Some(took) = took.get() {
                    took.encode(
                        &mut family,
                        &[("backend", &**backend), ("kind", kind.name())],
                    )?;
                }
            }
        }
        Ok(())
    }
}
