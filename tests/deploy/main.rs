//! Where the broker runs: `deploy/`, `Dockerfile`, `manifest.yml` and the example with Compose, held against the real binary
//! and the real checkers. A file for each place.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

#[path = "../api/checker.rs"]
mod checker;
#[path = "../postgres/cluster.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which use all of it"
)]
mod cluster;
#[path = "../api/documents.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which use all of it"
)]
mod documents;
#[path = "../api/harness.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which use all of it"
)]
mod harness;
#[path = "../api/http.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which use all of it"
)]
mod http;
mod parts;
mod rolling;

mod bill;
mod cloud_foundry;
mod compose;
mod image;
mod kubernetes;
mod packages;
mod systemd;
mod three_brokers;
