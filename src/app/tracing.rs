//! Who records requests and attempts as steps of traces, where the settings name a collector. Only a build with the feature
//! `otlp` has one; to all others this is a door that nobody stands behind.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::StartError;
use crate::domain::witness::Witness;
use crate::http::Tracing;
use crate::settings::Settings;

/// Who records.
pub(super) trait Recorder: Tracing + Witness {
    /// Hands over what is recorded, for so long at most.
    fn close(&self, within: Duration);
}

/// Nobody, where no collector is named.
pub(super) type Recording = Option<Arc<dyn Recorder>>;

/// How long handing over may take in the end: what the requests left of their time, but neither less than the one nor more
/// than the other.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(5);

/// When requests have to be answered that still run; known once the broker stops.
#[derive(Clone, Default)]
pub(super) struct Deadline(Arc<OnceLock<Instant>>);

impl Deadline {
    /// They have so long from now on.
    pub(super) fn set(&self, patience: Duration) {
        let end = Instant::now().checked_add(patience);
        if let Some(end) = end {
            // The first counts.
            let _ = self.0.set(end);
        }
    }

    fn left(&self) -> Duration {
        let left = self
            .0
            .get()
            .map_or(MOST, |end| end.saturating_duration_since(Instant::now()));
        left.clamp(LEAST, MOST)
    }
}

/// Hands over what is recorded, before the process ends.
pub(super) fn close(recording: Option<&Arc<dyn Recorder>>, deadline: &Deadline) {
    if let Some(recorder) = recording {
        recorder.close(deadline.left());
    }
}

/// Without the feature: settings that name a collector are refused by then.
#[cfg(not(feature = "otlp"))]
#[expect(clippy::unnecessary_wraps, reason = "with the feature it may go wrong")]
pub(super) fn open(_: &Settings, _: &str) -> Result<Recording, StartError> {
    Ok(None)
}

#[cfg(feature = "otlp")]
pub(super) use otlp::open;

/// With the feature.
#[cfg(feature = "otlp")]
mod otlp {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Recorder, Recording, Settings, StartError, Tracing};
    use crate::app::system_time;
    use crate::domain::trace::Trace;
    use crate::http::{Name, Placed, Served};
    use crate::telemetry::{Collector, Request, Spans};

    /// For the collector that the settings name, as this process.
    pub(in crate::app) fn open(settings: &Settings, owner: &str) -> Result<Recording, StartError> {
        let Some(traces) = &settings.traces else {
            return Ok(None);
        };
        let collector = Collector {
            endpoint: traces.endpoint.clone(),
            headers: traces.headers.clone(),
            ca: traces.ca.clone(),
            service_name: traces.service_name.clone(),
            instance: owner.to_owned(),
            sample: f64::from(traces.sample) / 1e6,
        };
        let spans = Spans::open(&collector, system_time).map_err(StartError::Traces)?;
        log::info!("sends spans to {}", collector.endpoint);
        Ok(Some(Arc::new(spans)))
    }

    impl Recorder for Spans {
        fn close(&self, within: Duration) {
            Spans::close(self, within);
        }
    }

    impl Tracing for Spans {
        fn place(&self, sent: Option<Trace>) -> Option<Placed> {
            let (place, below) = Spans::place(self, sent)?;
            let began = self.now();
            Some(Placed {
                place,
                below,
                began,
            })
        }

        fn served(&self, served: &Served<'_>) {
            let known: Vec<_> = served
                .known
                .iter()
                .map(|(name, text)| (attribute(*name), *text))
                .collect();
            Spans::served(
                self,
                &Request {
                    place: &served.placed.place,
                    below: served.placed.below.as_ref(),
                    began: served.placed.began,
                    method: served.method,
                    route: served.route,
                    status: served.status,
                    error: served.error,
                    known: &known,
                },
            );
        }
    }

    const fn attribute(name: Name) -> &'static str {
        match name {
            Name::Service => "osb.service.id",
            Name::Plan => "osb.plan.id",
            Name::Instance => "osb.instance.id",
            Name::Binding => "osb.binding.id",
            Name::Operation => "osb.operation.id",
        }
    }
}
