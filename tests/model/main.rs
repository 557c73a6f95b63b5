//! A model of how operations are leased, attempted, fenced, cancelled, given back and swept, and the proof that it holds:
//! every way is followed that two operations on one instance can go with three processes that sleep or die at any step.
//!
//! [`store`] is the store and [`model`] the world around it, [`setup`] what is checked, [`properties`] what must hold.
//! [`counterproofs`] leave a condition out and see the checker find what comes of it. [`replay`] goes ways of
//! the model on real stores and compares each answer.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]
#![expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::struct_excessive_bools,
    clippy::redundant_closure_for_method_calls,
    reason = "a model names what it checks, and is handed it as the checker hands it"
)]

#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../postgres/cluster.rs"]
mod cluster;
mod counterproofs;
mod engines;
mod model;
mod properties;
mod real;
mod replay;
mod rows;
mod setup;
mod sleeper;
mod store;

use std::time::Instant;

use stateright::{Checker, Model};

use model::Ways;
use setup::{Pair, Setup};

/// The limit says something only of two that may run beside each other.
const SETUPS: [Setup; 4] = [
    Setup::sound(Pair::ProvisionDeprovision, None),
    Setup::sound(Pair::UpdateDeprovision, None),
    Setup::sound(Pair::BindUnbind, None),
    Setup::sound(Pair::BindBind, Some(1)),
];

/// At every moment that can be reached.
#[test]
fn every_way_holds() {
    for setup in SETUPS {
        let begun = Instant::now();
        let ways = Ways {
            setup,
            nameless: true,
        };
        let checked = ways.checker().threads(2).spawn_bfs().join();
        println!(
            "{:?}: {} moments, {} steps, {} deep, {:.1?}",
            setup.pair,
            checked.unique_state_count(),
            checked.state_count(),
            checked.max_depth(),
            begun.elapsed()
        );
        checked.assert_properties();
    }
}
