//! Lives that go on through kills: clients drive everything that the API has, on plans of every kind, while brokers are
//! killed, or sleep, or lose their database. What each client was answered is held against what it is answered later,
//! against the store, and against the journals of the backends.
//!
//! `SEED=7 KILLS=200 cargo test --test kill -- --nocapture` makes one run longer and the same choices again: where a blow
//! falls is the machine's to say.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

mod backends;
mod chance;
#[path = "../api/checker.rs"]
mod checker;
mod client;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../postgres/cluster.rs"]
mod cluster;
mod counterproofs;
mod figures;
mod fleet;
mod hanging;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../api/harness.rs"]
mod harness;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../api/http.rs"]
mod http;
mod journal;
mod lendings;
mod logins;
#[path = "../postgres/proxy.rs"]
mod proxy;
mod run;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../webhooks/server.rs"]
mod server;
mod worlds;

use std::time::Duration;

use fleet::Place;
use run::{Blow, Offer, Outcome, Plan, blows, prove};

/// All kinds of calls were answered, and not all requests.
fn assert_all_was_seen(outcome: &Outcome) {
    for (verb, answers) in [
        ("provision", ["201", "202"]),
        ("update", ["200", "202"]),
        ("bind", ["201", "202"]),
        ("unbind", ["200", "202"]),
        ("deprovision", ["200", "202"]),
    ] {
        let seen = answers.map(|answer| outcome.figures.has(verb, answer));
        assert!(seen.contains(&true), "no {verb} was answered");
    }
    assert!(outcome.figures.has("provision", "202") && outcome.figures.has("poll", "200"));
    assert!(
        outcome.figures.has("provision", "cut"),
        "no request was cut"
    );
}

fn assert_well_aimed(outcome: &Outcome) {
    assert!(outcome.blows.are_well_aimed(), "{}", outcome.blows);
}

#[test]
fn lives_go_on_through_kills_on_sqlite() {
    let outcome = prove(&Plan {
        name: "kills on sqlite",
        place: Place::Sqlite,
        offer: Offer::Acting,
        blow: Blow::Kill,
        blows: blows(20),
        clients: 12,
        least: Duration::ZERO,
        meddle: None,
    });
    assert_well_aimed(&outcome);
    assert_all_was_seen(&outcome);
}

#[test]
fn lives_go_on_through_kills_of_one_of_three_on_postgres() {
    let outcome = prove(&Plan {
        name: "kills of one of three on postgres",
        place: Place::Shared(3),
        offer: Offer::Acting,
        blow: Blow::Kill,
        blows: blows(20),
        clients: 12,
        least: Duration::ZERO,
        meddle: None,
    });
    assert_well_aimed(&outcome);
    assert_all_was_seen(&outcome);
}

#[test]
fn lives_go_on_while_brokers_sleep_through_their_leases() {
    let outcome = prove(&Plan {
        name: "sleeps of one of three on postgres",
        place: Place::Shared(3),
        offer: Offer::Acting,
        blow: Blow::Sleep,
        blows: blows(3),
        clients: 8,
        least: Duration::ZERO,
        meddle: None,
    });
    assert_well_aimed(&outcome);
}

#[test]
fn lives_go_on_when_postgres_is_killed() {
    let outcome = prove(&Plan {
        name: "kills of postgres",
        place: Place::Own(2),
        offer: Offer::Acting,
        blow: Blow::Database,
        blows: blows(3),
        clients: 8,
        least: Duration::ZERO,
        meddle: None,
    });
    assert_well_aimed(&outcome);
}

/// Before the commit gets there, and after it: whoever repeats finds out.
#[test]
fn lives_go_on_when_commits_are_cut() {
    let outcome = prove(&Plan {
        name: "cut commits on postgres",
        place: Place::Cut(2),
        offer: Offer::Acting,
        blow: Blow::Cut,
        blows: blows(60),
        clients: 8,
        least: Duration::ZERO,
        meddle: None,
    });
    let unknown = ["provision", "deprovision", "bind", "update", "unbind"];
    let mut unknown = unknown.into_iter();
    assert!(
        unknown.any(|verb| outcome.figures.has(verb, "503 StoreUnavailable")),
        "no answer was lost"
    );
}

#[test]
fn lives_go_on_while_postgres_sleeps_for_longer_than_a_lease() {
    let outcome = prove(&Plan {
        name: "sleeps of postgres",
        place: Place::Own(2),
        offer: Offer::Acting,
        blow: Blow::DatabaseSleep,
        blows: blows(2),
        clients: 8,
        least: Duration::ZERO,
        meddle: None,
    });
    assert_well_aimed(&outcome);
}

fn lending(name: &'static str, place: Place, blow: Blow, count: usize) -> Plan {
    Plan {
        name,
        place,
        offer: Offer::Lending,
        blow,
        blows: blows(count),
        clients: 12,
        least: Duration::ZERO,
        meddle: None,
    }
}

fn assert_all_was_lent(outcome: &Outcome) {
    assert_well_aimed(outcome);
    assert_all_was_seen(outcome);
    let none_left =
        ["provision", "bind"].map(|verb| outcome.figures.has(verb, "400 PoolExhausted"));
    assert!(none_left.contains(&true), "nobody found a pool empty");
}

#[test]
fn logins_and_entries_go_with_their_bindings_through_kills_on_sqlite() {
    let outcome = prove(&lending("logins on sqlite", Place::Sqlite, Blow::Kill, 20));
    assert_all_was_lent(&outcome);
}

#[test]
fn logins_and_entries_go_with_their_bindings_through_kills_of_one_of_three_on_postgres() {
    let place = Place::Shared(3);
    let outcome = prove(&lending("logins on postgres", place, Blow::Kill, 20));
    assert_all_was_lent(&outcome);
}

#[test]
fn logins_and_entries_go_with_their_bindings_when_the_server_of_logins_is_killed() {
    let outcome = prove(&lending(
        "kills of the server of logins",
        Place::Sqlite,
        Blow::Server,
        3,
    ));
    assert_well_aimed(&outcome);
}

/// The counter-proof: what the server's owner does behind the broker's back is found.
#[test]
fn a_login_that_was_made_up_and_one_that_was_lost_are_seen() {
    let mut plan = lending("meddled with", Place::Sqlite, Blow::Kill, 0);
    plan.blows = 0;
    plan.least = Duration::from_secs(3);
    plan.meddle = Some(|logins| {
        logins.meddle("CREATE ROLE u_made_up LOGIN");
        logins.meddle(
            "DO $$ DECLARE name text; BEGIN
               SELECT rolname INTO STRICT name FROM pg_roles
               WHERE shobj_description(oid, 'pg_authid') LIKE 'catalog-broker binding %' LIMIT 1;
               EXECUTE format('ALTER ROLE %I RENAME TO u_lost', name);
               EXECUTE 'COMMENT ON ROLE u_lost IS NULL';
             END $$",
        );
    });
    let outcome = run::run(&plan, 7);
    for what in ["the role u_made_up", "has no login", "does not get in"] {
        let mut faults = outcome.faults.iter();
        assert!(
            faults.any(|fault| fault.contains(what)),
            "{what}: {:?}",
            outcome.faults
        );
    }
}

/// Where nothing falls, nothing is counted, and every operation has one attempt, but for those that want another.
#[test]
fn a_run_without_kills_counts_none() {
    let outcome = prove(&Plan {
        name: "no kills",
        place: Place::Sqlite,
        offer: Offer::Acting,
        blow: Blow::Kill,
        blows: 0,
        clients: 6,
        least: Duration::from_secs(2),
        meddle: None,
    });
    assert_eq!(outcome.blows, figures::Blows::default());
    assert!(!outcome.figures.has("provision", "cut"));
    let (operations, ..) = journal::count(&outcome.journals);
    assert!(operations > 0, "nobody lived");
    assert!(
        outcome
            .journals
            .iter()
            .flatten()
            .all(|line| line.attempt <= 2)
    );
}
