//! The broker from outside: the real binary, over HTTP, as a platform sees it. A file for each concern.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

mod checker;
mod documents;
mod harness;
mod http;

mod bad_http;
mod bad_ids;
mod bad_input;
mod bind;
mod catalog;
mod checker_proof;
mod deploy;
mod examples;
mod fields;
mod identity;
mod life;
mod logs;
mod none;
mod races;
mod running;
mod store;
mod trouble;
mod order;
mod polls;
mod provision;
mod races;
mod random;
mod rotation;
mod routes;
mod schemas;
mod update;
mod withdrawn;
mod words;
mod machine;
mod races;
mod secrets;
mod readme;
