//! A moment, as an argument: below the edge nobody asks a clock.

use std::fmt;

use crate::template::time::format_utc;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// What tells the time at the edge.
pub type Clock = fn() -> Timestamp;

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&format_utc(self.0))
    }
}
