//! Logs; who is told what happened.

mod logs;
mod witness;

pub use logs::{Format, start};
pub use witness::LogWitness;
