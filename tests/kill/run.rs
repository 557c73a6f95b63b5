//! A run: clients live while blows fall on brokers or on their database; then all accounts are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::backends::Backends;
use crate::chance::Chance;
use crate::client::{self, Said, Stage};
use crate::figures::{Blows, Figures};
use crate::fleet::{Fleet, PATIENCE, Place};
use crate::journal::{self, Line, Made, Sleep};
use crate::lendings::{self, Holder, Holders, ROOMS, SEATS};
use crate::logins::{self, Held, Logins};
use crate::proxy::Cut;
use crate::worlds::Thing;

/// What falls on the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// A broker is killed, and started again.
    Kill,
    /// A broker sleeps for longer than its lease.
    Sleep,
    /// A connection to the database is cut in the middle of a commit.
    Cut,
    /// The database is killed, and started again.
    Database,
    /// The database sleeps for longer than a lease.
    DatabaseSleep,
    /// The server that logins are made on is killed, and started again.
    Server,
}

/// What is offered to the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Plans whose backends keep a journal, and plans of none.
    Acting,
    /// Logins on a server, and entries of pools.
    Lending,
}

/// Longer than the lease of a second.
const LONG: Duration = Duration::from_millis(1700);

/// A run to be made.
pub struct Plan {
    pub name: &'static str,
    pub place: Place,
    pub offer: Offer,
    pub blow: Blow,
    pub blows: usize,
    pub clients: usize,
    /// How long it goes on at least.
    pub least: Duration,
    /// What is done behind the broker's back in the end, before all is compared.
    pub meddle: Option<fn(&Logins)>,
}

/// What came of it.
pub struct Outcome {
    pub blows: Blows,
    pub figures: Figures,
    /// In words, all that is wrong.
    pub faults: Vec<String>,
    pub journals: [Vec<Line>; 2],
}

/// `SEED` of the environment, or one by chance.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment of the tests, not of the broker"
)]
fn seed() -> u64 {
    let given = std::env::var("SEED").ok();
    given.map_or_else(
        || {
            let mut bits = [0; 4];
            getrandom::fill(&mut bits).expect("chance");
            u32::from_ne_bytes(bits).into()
        },
        |text| text.parse().expect("SEED is a number"),
    )
}

/// As many blows as `KILLS` of the environment says, or `otherwise`.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment of the tests, not of the broker"
)]
pub fn blows(otherwise: usize) -> usize {
    let given = std::env::var("KILLS").ok();
    given.map_or(otherwise, |text| text.parse().expect("KILLS is a number"))
}

/// Makes a run, prints its figures, and fails the test where anything is wrong.
pub fn prove(plan: &Plan) -> Outcome {
    let seed = seed();
    let begun = Instant::now();
    println!("lives | {}: {} blows, SEED={seed}", plan.name, plan.blows);
    let outcome = run(plan, seed);
    let (operations, attempts, most) = journal::count(&outcome.journals);
    println!("{}", outcome.figures);
    println!("blows | {}: {} (SEED={seed})", plan.name, outcome.blows);
    let journals = match plan.offer {
        Offer::Acting => {
            format!("{operations} operations in {attempts} attempts, at most {most} at one; ")
        }
        Offer::Lending => String::new(),
    };
    let took = begun.elapsed().as_secs_f32();
    println!("backends | {journals}all in {took:.1} s");
    assert!(
        outcome.faults.is_empty(),
        "{} with SEED={seed}, {} faults:\n{}",
        plan.name,
        outcome.faults.len(),
        outcome.faults[..outcome.faults.len().min(8)].join("\n")
    );
    assert_eq!(
        outcome.blows.dealt, plan.blows,
        "{} with SEED={seed}",
        plan.name
    );
    outcome
}

/// Makes a run, and tells what came of it.
pub fn run(plan: &Plan, seed: u64) -> Outcome {
    let chance = Chance::new(seed);
    let backends = Backends::start();
    let logins = (plan.offer == Offer::Lending).then(Logins::start);
    let (catalog, plans) = match &logins {
        None => (backends.catalog(), client::ACTING),
        Some(logins) => (Backends::lending(&logins.url()), client::LENDING),
    };
    let stage = Stage {
        fleet: Fleet::start(&catalog, &plan.place),
        figures: Figures::default(),
        stop: AtomicBool::new(false),
        faults: Mutex::default(),
        plans,
        patience: match plan.blow {
            // The more often a server was away, the longer an operation waits for it.
            Blow::Server => PATIENCE * 5,
            _ => PATIENCE,
        },
        holders: Holders::default(),
    };
    let (blows, said) = thread::scope(|scope| {
        let clients: Vec<_> = (0..plan.clients)
            .map(|number| {
                let (stage, chance) = (&stage, chance.branch(number as u64 + 1));
                scope.spawn(move || client::live(stage, number, chance))
            })
            .collect();
        let begun = Instant::now();
        let blows = strike(&stage, (plan, logins.as_ref()), &mut chance.branch(0));
        while begun.elapsed() < plan.least && !stage.stop.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
        if !stage.fleet.are_ready() {
            stage.fault("the brokers are not ready again".to_owned());
        }
        stage.stop.store(true, Ordering::SeqCst);
        let mut said = Said::new();
        for client in clients {
            match client.join() {
                Ok(one) => said.extend(one),
                Err(_) => stage.fault("a client panicked".to_owned()),
            }
        }
        (blows, said)
    });
    await_quiet(&stage);
    let journals = backends.journals();
    let sleep = if plan.blow == Blow::Sleep {
        Sleep::Somebody
    } else {
        Sleep::Nobody
    };
    let mut faults = stage.faults.into_inner().expect("a lock");
    let mut made = Made::default();
    for journal in &journals {
        let (wrong, there) = journal::judge(journal, sleep);
        faults.extend(wrong);
        made.instances.extend(there.instances);
        made.bindings.extend(there.bindings);
    }
    if faults.is_empty() {
        faults.extend(accounts(&stage.fleet, &said, &made));
        if let Some(logins) = &logins {
            if plan.meddle.is_some() {
                faults.extend(client::move_in(&stage.fleet));
            }
            faults.extend(reckoned(&stage.fleet, logins, plan.meddle));
        }
    }
    println!("store | {:?}", stage.fleet.operations());
    if plan.offer == Offer::Acting {
        println!(
            "store | {} instances and {} bindings in the end; the service refused {} that came too late",
            made.instances.len(),
            made.bindings.len(),
            backends.late()
        );
    }
    if !faults.is_empty() {
        keep(&journals, &stage.fleet);
    }
    Outcome {
        blows,
        figures: stage.figures,
        faults,
        journals,
    }
}

/// Leaves what is needed to understand a fault.
fn keep(journals: &[Vec<Line>; 2], fleet: &Fleet) {
    let folder = std::env::temp_dir().join(format!("catalog-broker-lives-{}", std::process::id()));
    let lines: Vec<String> = journals
        .iter()
        .flatten()
        .map(|line| format!("{line:?}"))
        .collect();
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("journal"), lines.join("\n")))
        .and_then(|()| std::fs::write(folder.join("log"), fleet.logs()));
    println!("journal and logs are in {} ({written:?})", folder.display());
}

fn strike(stage: &Stage, (plan, logins): (&Plan, Option<&Logins>), chance: &mut Chance) -> Blows {
    let mut blows = Blows::default();
    for _ in 0..plan.blows {
        let rest = match plan.blow {
            Blow::Cut => 40,
            // A database is made in some time more than a file is written.
            Blow::Kill if plan.offer == Offer::Lending => 600,
            Blow::Kill | Blow::Sleep => 250,
            Blow::Database | Blow::DatabaseSleep => 600,
            Blow::Server => 2000,
        };
        thread::sleep(Duration::from_millis(rest / 2 + chance.below(rest)));
        if stage.stop.load(Ordering::SeqCst) {
            break;
        }
        let victim = usize::try_from(chance.below(stage.fleet.size() as u64)).expect("a number");
        let fleet = &stage.fleet;
        let hit = match plan.blow {
            Blow::Kill => {
                let hit = fleet.kill(victim);
                thread::sleep(Duration::from_millis(chance.below(60)));
                fleet.revive(victim);
                hit
            }
            Blow::Sleep => fleet.sleep(victim, LONG),
            Blow::Cut => fleet.cut(*chance.of(&[Cut::Before, Cut::After])),
            Blow::Database => fleet.strike_database(Duration::from_millis(chance.below(1500))),
            Blow::DatabaseSleep => fleet.let_database_sleep(LONG * 2),
            Blow::Server => {
                let hit = fleet.await_work();
                let time = Duration::from_millis(chance.below(1500));
                logins.expect("a server of logins").strike(time);
                hit
            }
        };
        blows.dealt += 1;
        blows.hit += usize::from(hit);
    }
    blows
}

/// Nothing stays in progress for ever, whoever began it.
fn await_quiet(stage: &Stage) {
    let until = Instant::now() + stage.patience;
    while stage.fleet.in_progress() > 0 {
        if Instant::now() > until {
            let left = stage.fleet.in_progress();
            stage.fault(format!("{left} operations are never over"));
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The store has what the clients say, and where a backend acts, what that has made.
fn accounts(fleet: &Fleet, said: &Said, made: &Made) -> Vec<String> {
    let mut faults = Vec::new();
    let instances = fleet.instances();
    let stored: BTreeSet<String> = instances.keys().cloned().collect();
    let believed: BTreeSet<String> = said
        .iter()
        .filter(|(_, world)| matches!(world.thing, Thing::There(_)))
        .map(|(id, _)| id.clone())
        .collect();
    differ(
        "instances in the store",
        &stored,
        "that clients believe in",
        &believed,
        &mut faults,
    );
    let acted: BTreeSet<String> = instances
        .iter()
        .filter(|(_, what)| client::keeps_journal(what))
        .map(|(id, _)| id.clone())
        .collect();
    differ(
        "instances in the store",
        &acted,
        "that backends have",
        &made.instances,
        &mut faults,
    );
    let bindings = fleet.bindings();
    let stored: BTreeSet<(String, String)> = bindings.keys().cloned().collect();
    let believed: BTreeSet<(String, String)> = said
        .iter()
        .flat_map(|(id, world)| {
            let bindings = world.bindings.keys();
            bindings.map(move |binding| (id.clone(), (*binding).to_owned()))
        })
        .collect();
    differ(
        "bindings in the store",
        &stored,
        "that clients believe in",
        &believed,
        &mut faults,
    );
    let acted: BTreeSet<(String, String)> = bindings
        .iter()
        .filter(|(_, what)| client::keeps_journal(what))
        .map(|(id, _)| id.clone())
        .collect();
    differ(
        "bindings in the store",
        &acted,
        "that backends have",
        &made.bindings,
        &mut faults,
    );
    let odd: BTreeMap<_, _> = instances
        .iter()
        .filter(|(_, what)| what.ends_with("in progress"))
        .collect();
    if !odd.is_empty() {
        faults.push(format!("in progress without an operation: {odd:?}"));
    }
    faults
}

/// What was made and lent is what the broker says that somebody has.
fn reckoned(fleet: &Fleet, logins: &Logins, meddle: Option<fn(&Logins)>) -> Vec<String> {
    let (instances, bindings) = (fleet.instances(), fleet.bindings());
    let of = |plan: &str| -> BTreeSet<String> {
        let all = instances.iter();
        all.filter(|(_, what)| what.starts_with(plan))
            .map(|(id, _)| id.clone())
            .collect()
    };
    let mut held = Held {
        instances: of("sql"),
        ..Held::default()
    };
    let rooms = of("room-lent").into_iter().map(|id| (id, None));
    let mut entitled: BTreeSet<Holder> = rooms.collect();
    let mut shown = BTreeMap::new();
    let mut faults = Vec::new();
    for (id, what) in &bindings {
        let Some(credentials) = fleet.credentials(id) else {
            faults.push(format!("{id:?} cannot be fetched"));
            continue;
        };
        if what.starts_with("sql") {
            held.bindings.insert(id.clone(), credentials);
            continue;
        }
        let entry = credentials["entry"].as_str().unwrap_or_default();
        let seat = what.starts_with("seat-lent").then(|| id.1.clone());
        let holder = (id.0.clone(), seat);
        if holder.1.is_some() {
            entitled.insert(holder.clone());
        }
        shown.insert(holder, entry.to_owned());
    }
    if let Some(meddle) = meddle {
        meddle(logins);
    }
    let lent = fleet.lent();
    faults.extend(logins::judge(&logins.found(), &held));
    faults.extend(lendings::judge(&lent, &entitled, &shown));
    faults.extend(logins.refused(&held));
    println!(
        "lent | {} databases with {} logins, each of a binding; {} of {} entries lent, each to one",
        held.instances.len(),
        held.bindings.len(),
        lent.len(),
        SEATS + ROOMS
    );
    faults
}

fn differ<T: Ord + std::fmt::Debug>(
    one: &str,
    ones: &BTreeSet<T>,
    other: &str,
    others: &BTreeSet<T>,
    faults: &mut Vec<String>,
) {
    let (only, missing): (Vec<_>, Vec<_>) = (
        ones.difference(others).collect(),
        others.difference(ones).collect(),
    );
    if !only.is_empty() || !missing.is_empty() {
        faults.push(format!(
            "{one} against those {other}: {only:?} more, {missing:?} missing"
        ));
    }
}
