//! The time, as a sequence has it: it stands still until a step moves it.

use std::cell::Cell;

use catalog_broker::domain::time::Timestamp;

thread_local! {
    // Each test runs on a thread of its own, and so do all of its processes.
    static NOW: Cell<i64> = const { Cell::new(1_700_000_000_000) };
}

/// What brokers and workers are given.
pub fn clock() -> Timestamp {
    Timestamp(NOW.get())
}

pub fn now() -> i64 {
    NOW.get()
}

pub fn advance(millis: i64) {
    NOW.set(NOW.get() + millis);
}
