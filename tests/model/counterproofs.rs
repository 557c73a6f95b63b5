//! That the checker sees: each flaw of [`super::setup::Flaw`] alone breaks a property, by a way that it finds.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model};

use super::model::{Step, Ways};
use super::properties::{
    ALWAYS_AN_END, ALWAYS_SWEPT, IN_ORDER, LATEST_RESULT, LIMIT_KEPT, NOTHING_LOST, ONE_ACTS,
    ONE_RESULT, SUCCESSOR_WAITS, TRIES_COUNTED, UNBOUND_BY_LATEST,
};
use super::setup::{Flaw, Pair, Setup};

/// Where a flaw shows, and as what.
#[rustfmt::skip]
const FLAWS: [(Flaw, Pair, Option<u8>, &str); 15] = [
    (Flaw::EndIgnoresAttempt, Pair::UpdateDeprovision, None, LATEST_RESULT),
    (Flaw::EndIgnoresState, Pair::ProvisionDeprovision, None, ONE_RESULT),
    (Flaw::UnboundIgnoresAttempt, Pair::UpdateDeprovision, None, UNBOUND_BY_LATEST),
    (Flaw::CancelDoesNotWait, Pair::ProvisionDeprovision, None, SUCCESSOR_WAITS),
    (Flaw::TakeIgnoresLeases, Pair::BindUnbind, None, ONE_ACTS),
    (Flaw::TakeIgnoresLimit, Pair::BindBind, Some(1), LIMIT_KEPT),
    (Flaw::TakeDoesNotCount, Pair::UpdateDeprovision, None, TRIES_COUNTED),
    (Flaw::RenewRevives, Pair::BindBind, Some(1), LIMIT_KEPT),
    (Flaw::GiveBackTakesAll, Pair::ProvisionDeprovision, None, ONE_ACTS),
    (Flaw::GiveBackLosesDue, Pair::ProvisionDeprovision, None, ALWAYS_AN_END),
    (Flaw::SweepIgnoresState, Pair::BindUnbind, None, NOTHING_LOST),
    (Flaw::SweepIgnoresLease, Pair::ProvisionDeprovision, None, NOTHING_LOST),
    (Flaw::SweepWaitsForTheDead, Pair::ProvisionDeprovision, None, ALWAYS_SWEPT),
    (Flaw::ActIgnoresLease, Pair::ProvisionDeprovision, None, IN_ORDER),
    (Flaw::LeaseCountedLate, Pair::BindUnbind, None, SUCCESSOR_WAITS),
];

/// A way on which a flaw breaks a property.
pub struct Counterexample {
    pub setup: Setup,
    pub broken: &'static str,
    pub steps: Vec<Step>,
}

/// One for each flaw; where there is none the flaw is not seen.
pub fn all() -> Vec<Counterexample> {
    FLAWS.into_iter().map(find).collect()
}

fn find((flaw, pair, limit, broken): (Flaw, Pair, Option<u8>, &'static str)) -> Counterexample {
    let setup = Setup {
        pair,
        limit,
        flaw: Some(flaw),
    };
    let ways = Ways {
        setup,
        nameless: false,
    };
    let found = ways
        .checker()
        .finish_when(HasDiscoveries::AnyOf(BTreeSet::from([broken])))
        .spawn_bfs()
        .join()
        .discovery(broken);
    let way = found.unwrap_or_else(|| panic!("{flaw:?} is not seen: always {broken}"));
    Counterexample {
        setup,
        broken,
        steps: way.into_actions(),
    }
}

#[test]
fn every_flaw_is_found() {
    for found in all() {
        println!("{:?}: not always: {}", found.setup.flaw, found.broken);
        println!("    {:?}", found.steps);
    }
}
