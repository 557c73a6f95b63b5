//! What must hold at every moment, what must be possible, and that there is an end from wherever one stands.

use catalog_broker::domain::operation::State;
use stateright::Property;

use super::model::{Phase, Ways, World};
use super::setup::{BROKERS, KEEP, LEASE, MAX_ATTEMPTS, OPS, REST, Setup};
use super::store::{Ending, Owner, Row, Store};

/// Never two results of one operation.
pub const ONE_RESULT: &str = "an operation ends once";
/// Fencing.
pub const LATEST_RESULT: &str = "a result is that of the latest attempt";
/// Never a lost one.
pub const NOTHING_LOST: &str = "an operation is remembered until it is over";
/// Fencing on the way.
pub const UNBOUND_BY_LATEST: &str = "a binding is taken away by the latest attempt";
/// What a subject says of its operation is so.
pub const SUBJECT_AGREES: &str = "a subject is in progress as long as its operation is";
/// A lease keeps others out.
pub const ONE_ACTS: &str = "one attempt of an operation acts at a time";
/// A cancelled attempt is waited for.
pub const SUCCESSOR_WAITS: &str = "a successor acts when the cancelled attempt cannot";
/// The order in the backend's own journal.
pub const IN_ORDER: &str = "nothing is made after its removal";
/// Over all processes.
pub const LIMIT_KEPT: &str = "no more act at once than the backend takes";
/// Those that are given back aside.
pub const TRIES_COUNTED: &str = "no more attempts act than may";
/// Whatever died or sleeps.
pub const ALWAYS_AN_END: &str = "one process that lives brings all to an end";
/// Nothing stays for ever.
pub const ALWAYS_SWEPT: &str = "what is over is forgotten in time";

/// What holds at every moment of a setup, and what some moment must show, so that the rest says something.
pub fn all(setup: &Setup) -> Vec<Property<Ways>> {
    let mut properties = vec![
        always(ONE_RESULT, |_, world| {
            world.history.iter().all(|history| history.results <= 1)
        }),
        always(LATEST_RESULT, |_, world| {
            world.history.iter().all(|history| !history.outdated)
        }),
        always(NOTHING_LOST, nothing_lost),
        always(UNBOUND_BY_LATEST, |_, world| {
            world.history.iter().all(|history| !history.unbound_late)
        }),
        always(SUBJECT_AGREES, subjects_agree),
        always(ONE_ACTS, |_, world| {
            OPS.into_iter().all(|op| acting(world, op) <= 1)
        }),
        always(SUCCESSOR_WAITS, |ways, world| {
            !ways.setup.pair.shares() || OPS.into_iter().any(|op| acting(world, op) == 0)
        }),
        always(IN_ORDER, |_, world| {
            world.history.iter().all(|history| !history.disorder)
        }),
        always(LIMIT_KEPT, |ways, world| {
            let limit = ways.setup.limit.map_or(usize::MAX, usize::from);
            world.may_act().count() <= limit
        }),
        always(TRIES_COUNTED, |_, world| {
            world
                .history
                .iter()
                .all(|history| history.acted <= MAX_ATTEMPTS)
        }),
        always(ALWAYS_AN_END, |ways, world| {
            [Ending::Done, Ending::Again]
                .into_iter()
                .all(|ending| comes_to_an_end(&ways.setup, world.store, ending).is_some())
        }),
        always(ALWAYS_SWEPT, |ways, world| {
            comes_to_an_end(&ways.setup, world.store, Ending::Done)
                .is_none_or(|over| is_swept(&ways.setup, over))
        }),
    ];
    properties.extend(possible(setup));
    properties
}

/// What must be possible, or the model says nothing.
fn possible(setup: &Setup) -> Vec<Property<Ways>> {
    let mut properties = vec![
        sometimes("a second attempt succeeds", |_, world| {
            let second = |row: &Row| row.attempt == 2;
            let rows = || world.store.rows.iter().flatten();
            rows().any(|row| second(row) && row.state == State::Succeeded)
        }),
        sometimes("an operation is given up", |_, world| {
            world
                .attempts
                .iter()
                .any(|attempt| attempt.tries > MAX_ATTEMPTS)
        }),
        sometimes("the end of a process that is gone counts", |_, world| {
            world.attempts.iter().any(|attempt| {
                let row = world.store.rows[attempt.op];
                attempt.phase == Phase::Sent
                    && row.is_some_and(|row| row.in_progress() && row.attempt == attempt.number)
            })
        }),
        sometimes("both are over and forgotten", |_, world| {
            OPS.into_iter()
                .all(|op| world.history[op].results == 1 && world.store.rows[op].is_none())
        }),
    ];
    if setup.pair.cancels() {
        properties.extend([
            sometimes(
                "a cancelled attempt acts while its successor waits",
                |_, world| {
                    let waits =
                        world.store.rows[1].is_some_and(|row| row.due.is_some_and(|due| due > 0));
                    waits && acting(world, 0) == 1 && world.history[0].results == 1
                },
            ),
            sometimes(
                "a cancelled lease is left behind by the dead",
                |_, world| {
                    let first = world.store.rows[0];
                    first.is_some_and(|row| !row.in_progress() && row.owner == Some(Owner::Dead))
                },
            ),
        ]);
    }
    properties
}

fn always(name: &'static str, holds: fn(&Ways, &World) -> bool) -> Property<Ways> {
    Property::always(name, holds)
}

fn sometimes(name: &'static str, shows: fn(&Ways, &World) -> bool) -> Property<Ways> {
    Property::sometimes(name, shows)
}

fn acting(world: &World, op: usize) -> usize {
    world.may_act().filter(|attempt| attempt.op == op).count()
}

fn nothing_lost(_: &Ways, world: &World) -> bool {
    OPS.into_iter().all(|op| {
        let history = world.history[op];
        let forgotten = history.begun && world.store.rows[op].is_none();
        !forgotten || history.results == 1 && acting(world, op) == 0
    })
}

fn subjects_agree(ways: &Ways, world: &World) -> bool {
    let runs = |op: usize| world.store.rows[op].is_some_and(|row| row.in_progress());
    OPS.into_iter().all(|op| {
        let place = ways.setup.pair.subject(op);
        let subject = world.store.subjects[place];
        let says = subject.is_some_and(|subject| subject.in_progress && subject.last == Some(op));
        says == runs(op)
    })
}

/// What is remembered when all is over that had begun, if one more process alone goes on from here and its attempts all
/// end like that, while whoever else has a lease sleeps for ever; nothing where it never comes to that.
fn comes_to_an_end(setup: &Setup, mut store: Store, ending: Ending) -> Option<Store> {
    for _ in 0..4 * (LEASE + REST) {
        if !store.rows.iter().flatten().any(Row::in_progress) {
            return Some(store);
        }
        let Some(taken) = store.take(setup, Owner::Alive(BROKERS)) else {
            store.tick(setup);
            continue;
        };
        let last = taken.tries >= MAX_ATTEMPTS && ending == Ending::Again;
        let gives_up = last || taken.tries > MAX_ATTEMPTS;
        let ending = if gives_up { Ending::Failed } else { ending };
        store.end(setup, taken.op, taken.attempt, ending);
    }
    None
}

/// Whether time and `sweep` leave nothing.
fn is_swept(setup: &Setup, mut over: Store) -> bool {
    for _ in 0..=LEASE + KEEP {
        over.tick(setup);
    }
    over.sweep(setup);
    over.rows.iter().all(Option::is_none)
}
