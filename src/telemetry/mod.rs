//! Logs, metrics and spans; who is told what happened.

mod audit;
mod logs;
mod metrics;
#[cfg(feature = "otlp")]
mod otlp;
mod quoted;
mod witness;

pub use audit::{AuditWitness, Book, FileReading, Place, Said, Verifier};
pub use logs::{Format, Output, start};
pub use metrics::{AuditLines, CatalogNow, Certificate, Metrics, PAGE_TYPE, Reloads, Requests};
#[cfg(feature = "otlp")]
pub use otlp::{Collector, Request, Spans};
pub use witness::{Chorus, LogWitness};
