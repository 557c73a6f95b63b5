//! The backend `webhook` against real servers: TCP and TLS, well-behaved and not. A file for each concern.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what is missing here fails the test"
)]

mod certificates;
mod harness;
mod log;
mod server;

mod answers;
mod examples;
mod polls;
mod proxies;
mod redirects;
mod settings;
mod sign;
mod tls;
mod trouble;
