//! Logs; who is told what happened.

mod audit;
mod logs;
mod witness;

pub use audit::{AuditWitness, Book, Place, Said, Verifier};
pub use logs::{Format, Output, start};
pub use witness::LogWitness;
