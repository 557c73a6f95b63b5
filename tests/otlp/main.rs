//! Spans, as a collector gets them: the real binary, built with the feature `otlp`, and a collector of the test's own that reads
//! what arrives. `cargo test --features otlp --test otlp`.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

#[path = "../webhooks/certificates.rs"]
mod certificates;
#[path = "../api/checker.rs"]
mod checker;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../postgres/cluster.rs"]
mod cluster;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../api/harness.rs"]
mod harness;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../api/http.rs"]
mod http;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../webhooks/server.rs"]
mod server;

mod collector;

mod attempts;
mod requests;
mod samples;
mod secrets;
mod settings;
mod trouble;
