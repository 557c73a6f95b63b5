//! The account of changes: whether it is written.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::count;
use super::now::one;
use crate::telemetry::audit::Book;

/// What is counted of an account.
#[derive(Debug)]
pub struct AuditLines(pub Arc<Book>);

impl Collector for AuditLines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let tally = self.0.tally();
        let help = "Lines of the audit that were written; and those that were lost.";
        let mut family =
            encoder.encode_descriptor("audit_lines", help, None, MetricType::Counter)?;
        for (result, number) in [("written", tally.written), ("lost", tally.lost)] {
            count(&mut family, &[("result", result)], number)?;
        }
        let help = "Tries to write the audit that failed.";
        encoder
            .encode_descriptor("audit_errors", help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, u64, f64>(&tally.errors, None)?;
        let help = "Whether lines of the audit wait that cannot be written, or were lost: 1 or 0.";
        one(&mut encoder, "audit_behind", help, &i64::from(tally.behind))
    }
}
