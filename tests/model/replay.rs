//! Ways of the model, gone on real stores: each answer is the model's, and what can be seen afterwards is too.

use catalog_broker::domain::store::{Lease, StoreError};
use tokio::runtime::Builder;

use super::counterproofs::{self, Counterexample};
use super::engines::{ENGINES, Engine, Folder};
use super::model::{Answer, Stands, Step, World};
use super::real::{Real, View};
use super::setup::{KEEP, LEASE, Pair, Setup};
use super::store::Begun;

/// How many ways at random for each pair, with a limit and without.
const WALKS: u64 = 40;

/// How long such a way is.
const LENGTH: usize = 24;

/// A way, and what the model says to each of its steps.
struct Way {
    name: String,
    setup: Setup,
    steps: Vec<(Step, Answer, World)>,
}

impl Way {
    fn new(name: String, setup: Setup) -> Self {
        Self {
            name,
            setup,
            steps: Vec::new(),
        }
    }

    fn world(&self) -> World {
        self.steps
            .last()
            .map_or_else(|| World::new(&self.setup), |(_, _, world)| world.clone())
    }

    /// Goes one step on, if it can be gone; whether it led anywhere.
    fn go(&mut self, step: Step) -> Option<bool> {
        let before = self.world();
        let mut world = before.clone();
        let answer = world.step(&self.setup, step)?;
        let moved = world != before;
        self.steps.push((step, answer, world));
        Some(moved)
    }

    /// Goes on until all that is over can be forgotten.
    fn swept(mut self) -> Self {
        for _ in 0..=LEASE + KEEP {
            self.go(Step::Tick);
        }
        self.go(Step::Sweep);
        self
    }
}

/// What comes next, of a seed: the same in each run.
struct Chance(u64);

impl Chance {
    /// One of so many (splitmix64).
    fn below(&mut self, many: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = usize::try_from(bits >> 33).expect("31 bits");
        high % many
    }
}

/// A way at random. Steps that change nothing are asked for too, but not as often: the store must say no to them.
fn walk(setup: Setup, seed: u64) -> Way {
    let mut way = Way::new(format!("{:?}, seed {seed}", setup.pair), setup);
    let mut chance = Chance(seed);
    while way.steps.len() < LENGTH {
        let steps = way.world().steps();
        let moved = way.go(steps[chance.below(steps.len())]);
        if moved == Some(false) && chance.below(4) > 0 {
            way.steps.pop();
        }
    }
    way.swept()
}

/// The way on which a flaw shows, gone without the flaw: a store with it answers otherwise somewhere.
fn retrace(found: &Counterexample) -> Way {
    let sound = Setup::sound(found.setup.pair, found.setup.limit);
    let mut way = Way::new(format!("the way of {:?}", found.setup.flaw), sound);
    for step in &found.steps {
        // What only the flaw led to is left out.
        way.go(*step);
    }
    way.swept()
}

fn ways() -> Vec<Way> {
    let found = counterproofs::all();
    let mut ways: Vec<Way> = found.iter().map(retrace).collect();
    for pair in Pair::ALL {
        for limit in [None, Some(1)] {
            let setup = Setup::sound(pair, limit);
            ways.extend((0..WALKS).map(|seed| walk(setup, seed)));
        }
    }
    ways
}

/// Goes a way on a real store.
async fn replay(engine: &Engine, way: &Way, folder: &Folder) -> Result<(), StoreError> {
    let mut real = Real::new((engine.fresh)(folder), way.setup).await?;
    for (at, (step, expected, world)) in way.steps.iter().enumerate() {
        let so_far = || {
            let steps: Vec<Step> = way.steps[..=at].iter().map(|(step, ..)| *step).collect();
            format!("{}, {}: {steps:?}", engine.name, way.name)
        };
        assert_eq!(real.step(*step).await?, *expected, "{}", so_far());
        assert_eq!(real.view().await?, view(world), "{}", so_far());
    }
    real.close().await
}

fn view(world: &World) -> View {
    View {
        operations: world.store.rows.map(|row| row.map(|row| row.state)),
        subjects: world
            .store
            .subjects
            .map(|subject| subject.map(Stands::from)),
        bound: world.store.bound,
    }
}

/// That the ways go everywhere: how often a step was answered so.
fn answered(ways: &[Way], answer: &Answer) -> usize {
    let steps = ways.iter().flat_map(|way| &way.steps);
    steps.filter(|(_, given, _)| given == answer).count()
}

#[test]
fn stores_answer_as_the_model_does() {
    let ways = ways();
    for answer in [
        Answer::Begun(Begun::Done),
        Answer::Begun(Begun::Stale),
        Answer::Begun(Begun::Absent),
        Answer::Taken(None),
        Answer::Lease(Lease::Held),
        Answer::Lease(Lease::Lost),
    ] {
        let often = answered(&ways, &answer);
        println!("{answer:?}: {often}");
        assert!(often > 0, "no way leads to {answer:?}");
    }
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    for engine in &ENGINES {
        for way in &ways {
            let folder = Folder::new(engine.name);
            let gone = runtime.block_on(replay(engine, way, &folder));
            gone.unwrap_or_else(|error| panic!("{}, {}: {error}", engine.name, way.name));
        }
    }
    println!("{} ways", ways.len());
}
