//! What carries operations out: one file for each kind.

mod fixed;

pub use fixed::Fixed;
