//! Backends that reach out of the broker: real programs under the real supervisor.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

mod stage;

mod contract;
mod examples;
mod programs;
mod trouble;
