//! A moment, as an argument: below the edge nobody asks a clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::template::time::format_utc;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// What tells the time at the edge.
pub type Clock = fn() -> Timestamp;

impl Timestamp {
    /// So much later.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// So much earlier.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&format_utc(self.0))
    }
}
