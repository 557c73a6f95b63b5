//! The broker from outside: the real binary, over HTTP, as a platform sees it. A file for each concern.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

mod checker;
mod harness;
mod http;

mod deploy;
mod examples;
mod life;
mod races;
mod readme;
