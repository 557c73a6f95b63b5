//! A moment, as an argument: below the edge nobody asks a clock.

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// What tells the time at the edge.
pub type Clock = fn() -> Timestamp;
