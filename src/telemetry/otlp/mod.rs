//! Spans for an OpenTelemetry collector: OTLP over HTTP, as protobuf. Only a build with the feature `otlp` has this.
//!
//! What is recorded is over by then, and has its ids from the broker's own traces, so that logs, spans and what backends are
//! told agree. The SDK's batch processor gathers it and sends it from a thread of its own; whoever records never waits: where
//! the collector does not keep up, spans are lost, and counted ([`losses`]). Requests are described in [`request`], attempts
//! in [`attempt`].

mod attempt;
mod client;
mod losses;
mod request;
mod sender;
mod span;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanKind, TraceId};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, RetryPolicy, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingDecision, ShouldSample as _,
    SpanProcessor,
};

use self::client::Client;
use self::losses::Losses;
use self::sender::Sender;
use self::span::Span;
use crate::domain::trace::Trace;
use crate::secret::Secret;

pub use request::Request;

/// How many spans wait at most, and how many are sent at once.
const WAITING: usize = 2048;
const AT_ONCE: usize = 512;

/// How often what waits is sent.
const EVERY: Duration = Duration::from_secs(1);

/// How long sending may take, tries and all.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often sending is tried again, and after how long at first.
const AGAIN: usize = 2;
const REST: Duration = Duration::from_millis(500);

/// Where spans are sent.
#[derive(Debug)]
pub struct Collector {
    /// The URL of its traces.
    pub endpoint: String,
    /// Headers to send along.
    pub headers: Vec<(String, Secret)>,
    /// The authorities of its certificate (PEM), where they are not those that browsers know.
    pub ca: Option<PathBuf>,
    /// What the broker is called there.
    pub service_name: String,
    /// What this process is called there.
    pub instance: String,
    /// The part of traces that is sampled where nobody has decided on it.
    pub sample: f64,
}

/// Who records spans, and has them sent.
#[derive(Debug)]
pub struct Spans {
    processor: BatchSpanProcessor,
    losses: Arc<Losses>,
    sampler: Sampler,
    scope: InstrumentationScope,
    now: fn() -> SystemTime,
}

impl Spans {
    /// Begins to send what is recorded to a collector. Whether it is there will show.
    pub fn open(collector: &Collector, now: fn() -> SystemTime) -> Result<Self, String> {
        let losses = Arc::new(Losses::default());
        let client = Client::new(collector, Arc::clone(&losses))?;
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&collector.endpoint)
            .with_timeout(PATIENCE)
            .with_retry_policy(
                RetryPolicy::recommended()
                    .with_max_retries(AGAIN)
                    .with_initial_delay(REST),
            )
            .build()
            .map_err(|error| error.to_string())?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING)
            .with_max_export_batch_size(AT_ONCE)
            .with_scheduled_delay(EVERY)
            .build();
        let mut processor =
            BatchSpanProcessor::new(Sender::new(exporter, Arc::clone(&losses)), batches);
        processor.set_resource(&resource(collector));
        Ok(Self {
            processor,
            losses,
            sampler: Sampler::TraceIdRatioBased(collector.sample),
            scope: InstrumentationScope::builder("catalog-broker")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
            now,
        })
    }

    /// The place of a request: below that of who sent it, or the first of a trace. Of a trace that is not sampled nothing is
    /// recorded, so who sent it stays the one whom all that comes of it is below. Nothing without chance.
    pub fn place(&self, sent: Option<Trace>) -> Option<(Trace, Option<Trace>)> {
        match sent {
            Some(sent) => {
                let sent = self.decided(sent);
                if sent.is_sampled() {
                    Some((sent.child(drawn()?), Some(sent)))
                } else {
                    Some((sent, None))
                }
            }
            None => Some((self.decided(Trace::begin(drawn()?, drawn()?)?), None)),
        }
    }

    /// The time, as spans have it.
    pub fn now(&self) -> SystemTime {
        (self.now)()
    }

    /// Sends what waits, for so long at most, and nothing from then on.
    pub fn close(&self, within: Duration) {
        // What did not go out in time is among the losses.
        let _ = self.processor.shutdown_with_timeout(within);
        self.losses.tell_all();
    }

    fn decided(&self, trace: Trace) -> Trace {
        if !trace.is_undecided() {
            return trace;
        }
        let samples = TraceId::from_hex(trace.id()).is_ok_and(|id| {
            let kind = &SpanKind::Server;
            let result = self.sampler.should_sample(None, id, "", kind, &[], &[]);
            result.decision == SamplingDecision::RecordAndSample
        });
        trace.decided(samples)
    }

    fn record(&self, span: Span<'_>) {
        if !self.losses.let_in(WAITING) {
            return;
        }
        match span.data(self.now(), &self.scope) {
            Some(data) => self.processor.on_end(data),
            None => self.losses.let_out(1),
        }
    }
}

/// What all spans have in common.
fn resource(collector: &Collector) -> Resource {
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_service_name(collector.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new(
            "service.instance.id",
            collector.instance.clone(),
        ))
        .build()
}

fn drawn<const N: usize>() -> Option<[u8; N]> {
    let mut bits = [0; N];
    getrandom::fill(&mut bits).ok()?;
    Some(bits)
}
