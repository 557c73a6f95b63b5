//! Logs; who is told what happened.

mod logs;
mod witness;

pub use logs::{Format, Output, start};
pub use witness::LogWitness;
