//! The pages for operators, over HTTP as they are sent, and in a real Chromium as they are seen.
//!
//! `CONSOLE_SCREENSHOTS=docs/console cargo test --test console screenshots` makes the pictures of the README anew.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

mod audit;
mod away;
mod bindings;
mod browser;
#[path = "../api/checker.rs"]
mod checker;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../postgres/cluster.rs"]
mod cluster;
mod documents;
mod finding;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../api/harness.rs"]
mod harness;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../api/http.rs"]
mod http;
mod limits;
mod pages;
mod scene;
mod steps;
mod visitor;
