//! The broker from outside: the real binary, over HTTP, as a platform sees it. A file for each concern.

#![expect(
    clippy::expect_used,
    reason = "a test gives up loudly, in its helpers too"
)]

mod checker;
mod harness;
mod http;

mod life;
mod machine;
