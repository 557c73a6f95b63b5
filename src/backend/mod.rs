//! What carries operations out: one file for each kind.

#[expect(dead_code, reason = "spoken by the backends that come next")]
mod contract;
mod fixed;

pub use fixed::Fixed;
