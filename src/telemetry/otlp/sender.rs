//! The SDK's exporter, and what came of each batch.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::SpanExporter as Exporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::losses::Losses;

/// Sends batches, one after the other.
#[derive(Debug)]
pub(super) struct Sender {
    exporter: Exporter,
    losses: Arc<Losses>,
}

impl Sender {
    pub(super) const fn new(exporter: Exporter, losses: Arc<Losses>) -> Self {
        Self { exporter, losses }
    }
}

impl SpanExporter for Sender {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let result = self.exporter.export(batch).await;
        match &result {
            Ok(()) => self.losses.sent(count),
            Err(error) => self.losses.lost(count, &error.to_string()),
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
