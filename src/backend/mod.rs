//! What carries operations out: one file or folder for each kind.

mod command;
mod contract;
mod fixed;

pub use command::{Command, CommandSettings};
pub use fixed::Fixed;
