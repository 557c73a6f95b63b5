//! The command line from outside: the real binary, its output and its exit status. A file for each command.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

#[path = "../api/checker.rs"]
mod checker;
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which use all of it"
)]
#[path = "../postgres/cluster.rs"]
mod cluster;
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which use all of it"
)]
#[path = "../api/harness.rs"]
mod harness;
#[expect(
    dead_code,
    reason = "shared with the tests of the API, which use all of it"
)]
#[path = "../api/http.rs"]
mod http;
mod runner;

mod bindings;
mod check;
mod derive;
mod desk;
mod diff;
mod diff_lives;
mod engines;
mod fix;
mod import;
mod moves;
mod pools;
mod render;
mod rest;
mod sealed;
mod secrets;
mod simulate;
mod tls;
mod whole;
