//! The catalog from outside: documents in, findings and catalogs out.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "what is missing here fails the test, and a table of cases is as long as it is"
)]
#![expect(
    clippy::format_collect,
    clippy::needless_pass_by_value,
    reason = "tests are not in a hurry"
)]

mod harness;
mod literal;
mod merge;
mod mistakes;
mod overrides;
mod platform;
mod rules;
mod shipped;
