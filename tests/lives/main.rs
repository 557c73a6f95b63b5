//! A state machine with time as an argument: random sequences of all calls to plans that take their time, of what comes of
//! their work, of waiting, stopping and dying, on two processes and one real store, held against a model that predicts
//! every answer and all that acts.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

mod backend;
mod calls;
mod clock;
#[expect(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../postgres/cluster.rs"]
mod cluster;
mod gauge;
mod machine;
mod model;
mod offer;
mod spy;
mod steps;
mod tour;
mod work;
mod world;

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use cluster::Cluster;
use machine::Machine;
use model::Flaw;
use steps::{STEPS, Step, sequence};
use world::{Place, STANDS_STILL};

static SERVER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(&[]));

/// A folder that goes when the test does.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("lives-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder of the test's own");
        Self(path)
    }

    /// A file that nobody has had.
    fn sqlite(&self) -> Place {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}.db", NEXT.fetch_add(1, Ordering::Relaxed));
        Place::Sqlite(self.0.join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn postgres() -> Place {
    Place::Postgres(SERVER.socket_url(&SERVER.database()))
}

/// Random sequences; one that goes wrong is told as the few steps that it takes.
fn go(cases: u32, place: impl Fn() -> Place) {
    let config = Config {
        failure_persistence: None,
        cases,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut machine = Machine::new(place());
    let due = machine.tour().expect("as is due");
    machine.steps = 0;
    let machine = RefCell::new(machine);
    let stuck = Cell::new(false);
    let outcome = TestRunner::new(config).run(&sequence(), |steps| {
        // What stands still is told as it is: each try to make it smaller would stand still as long.
        if stuck.get() {
            return Ok(());
        }
        let lived = machine.borrow_mut().live(&steps, None, &mut |_| {});
        lived.map_err(|why| {
            stuck.set(why.contains(STANDS_STILL));
            // What it left behind would be in the way of the next.
            machine.replace(Machine::new(place()));
            TestCaseError::fail(why)
        })
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, steps)) => {
            let steps: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
            panic!("{why}\n{}", steps.join("\n"));
        }
        Err(other) => panic!("{other}"),
    }
    let machine = machine.into_inner();
    println!(
        "{cases} sequences of {STEPS} steps, {} steps",
        machine.steps
    );
    for ((what, answer), times) in &machine.tally {
        println!("{times:7}  {what} -> {answer}");
    }
    // A few sequences cannot get everywhere.
    if cases >= 256 {
        let missed: Vec<_> = due
            .keys()
            .filter(|key| !machine.tally.contains_key(key))
            .collect();
        assert!(missed.len() * 10 <= due.len(), "never seen: {missed:?}");
    }
}

/// A quarter of what is asked for: the tour goes to each answer, and what chance finds beyond takes some thousand sequences
/// (`tests/long.sh lives`).
#[test]
fn lives_on_sqlite_go_as_the_model_says() {
    let folder = Folder::new("lives");
    go(Config::default().cases.div_ceil(4), || folder.sqlite());
}

/// Half as many: each step waits for a server.
#[test]
fn lives_on_postgres_go_as_the_model_says() {
    go(Config::default().cases.div_ceil(8), postgres);
}

#[test]
fn every_answer_is_given_where_it_is_due() {
    let folder = Folder::new("tour");
    let seen = Machine::new(folder.sqlite()).tour().expect("as is due");
    for what in tour::WORK {
        assert!(
            seen.contains_key(&("work", what.to_owned())),
            "{what}: {seen:#?}"
        );
    }
    assert!(seen.len() >= 85, "{}: {seen:#?}", seen.len());
}

/// The counter-proof: a model that is wrong in one thing is contradicted, by the directed sequences and by random ones.
#[test]
fn a_model_with_a_flaw_is_contradicted() {
    let folder = Folder::new("flaws");
    for flaw in Flaw::ALL {
        let mut runner = TestRunner::deterministic();
        let random = (0..200).map(|_| {
            sequence()
                .new_tree(&mut runner)
                .expect("a sequence")
                .current()
        });
        let directed = tour::tour()
            .into_iter()
            .map(|legs| legs.into_iter().map(|(step, _)| step).collect());
        let mut machine = Machine::new(folder.sqlite());
        let directed = find(&mut machine, directed, flaw);
        let mut machine = Machine::new(folder.sqlite());
        let random = find(&mut machine, random, flaw);
        println!("{flaw:?}: {directed:?}, {random:?}");
        assert!(directed.is_some() && random.is_some(), "{flaw:?} passed");
    }
}

/// How many sequences it takes until the model is contradicted.
fn find(
    machine: &mut Machine,
    mut lives: impl Iterator<Item = Vec<Step>>,
    flaw: Flaw,
) -> Option<usize> {
    let contradicted = |steps: Vec<Step>| {
        let outcome = machine.live(&steps, Some(flaw), &mut |_| {});
        // That would be no contradiction.
        let stuck = outcome
            .as_ref()
            .err()
            .filter(|why| why.contains(STANDS_STILL));
        assert!(stuck.is_none(), "{flaw:?}: {stuck:?}");
        outcome.is_err()
    };
    lives.position(contradicted).map(|at| at + 1)
}
