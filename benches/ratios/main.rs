//! `cargo bench`: what the broker costs, as ratios against a peer measured in the same run.
//!
//! Machines are noisy and differ, so hardly a figure here stands alone: the catalog is held against a bare actix-web
//! program that serves the same bytes, provisions against the same rows written by the same SQLite library alone, a
//! large store against a small one. `cargo bench -- catalog memory` runs some parts; without names all of them.

#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot go on says why and ends"
)]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

#[path = "../../tests/api/http.rs"]
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
mod http;

#[path = "../../tests/postgres/cluster.rs"]
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
mod cluster;

mod audit;
mod bare;
mod binds;
mod broker;
mod catalog;
mod load;
mod memory;
mod operations;
mod postgres;
mod process;
mod provisions;
mod report;
mod size;
mod start;

/// A part of the whole: its name and what runs it.
type Part = (&'static str, fn());

const PARTS: &[Part] = &[
    ("catalog", catalog::run),
    ("provisions", provisions::run),
    ("audit", audit::run),
    ("size", size::run),
    ("start", start::run),
    ("memory", memory::run),
    ("postgres", postgres::run),
    ("operations", operations::run),
    ("binds", binds::run),
];

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    // The bare peer is this program again, so that it is built with the same profile and crates.
    if let [first, head, body] = arguments.as_slice()
        && first == bare::ARGUMENT
    {
        return bare::serve(head, body);
    }
    report::heading();
    for (name, run) in PARTS {
        if arguments.is_empty() || arguments.iter().any(|wanted| wanted == name) {
            run();
        }
    }
}
