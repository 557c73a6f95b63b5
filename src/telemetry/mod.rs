//! Logs and metrics; who is told what happened.

mod audit;
mod logs;
mod metrics;
mod quoted;
mod witness;

pub use audit::{AuditWitness, Book, FileReading, Place, Said, Verifier};
pub use logs::{Format, Output, start};
pub use metrics::{AuditLines, CatalogNow, Certificate, Metrics, PAGE_TYPE, Reloads, Requests};
pub use witness::{Chorus, LogWitness};
