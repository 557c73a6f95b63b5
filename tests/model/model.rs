//! The world around the store: processes that take operations up, act, and die at any step; platforms that ask; the
//! clock.
//!
//! A process is no more than the attempts that it has at hand. One that sleeps takes no step while the clock goes on, and
//! wakes up with the next one that it takes: as any process may wait before any step, every sleep is among the ways that
//! are followed. One that dies loses its attempts at any step, but for what it had sent already, and is another one when
//! it comes back.

use catalog_broker::domain::store::Lease;
use stateright::{Model, Property};

use super::properties;
use super::setup::{AT_ONCE, BROKERS, Flaw, LEASE, MAX_ATTEMPTS, MOST_ATTEMPTS, OPS, Op, Setup};
use super::store::{Begun, Ending, Owner, Row, Standing, Store, Taken};

/// An attempt, as the process sees it that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    pub op: Op,
    pub number: u8,
    pub tries: u8,
    pub holder: u8,
    /// For how long it believes to have its lease.
    pub left: i8,
    pub phase: Phase,
}

/// How far an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It was taken up, and is about to act.
    Taken,
    /// It acts, or has acted.
    Acted,
    /// It was told that its lease is lost, and has stopped.
    Lost,
    /// It acts no more, as its process is gone or another attempt has begun, but what it asked of the store may still
    /// be on its way.
    Sent,
}

/// What happened to an operation, whatever the store says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct History {
    pub begun: bool,
    /// How often it came to an end.
    pub results: u8,
    /// Whether a result was taken of an attempt after which another had begun.
    pub outdated: bool,
    /// Whether a binding was taken away for such an attempt.
    pub unbound_late: bool,
    /// How many attempts acted, but for those that were given back.
    pub acted: u8,
    /// Whether the latest is among them.
    pub latest_acted: bool,
    /// Whether it left anything in the world.
    pub effect: bool,
    /// Whether it left something in the world after its successor had.
    pub disorder: bool,
}

/// A moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub store: Store,
    /// In order, so that two moments are the same whose attempts are.
    pub attempts: Vec<Attempt>,
    /// What a platform's request has read before it begins an operation.
    pub seen: [Option<Standing>; 2],
    pub history: [History; 2],
}

/// A step. An attempt is named by operation and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    Read(Op),
    Begin(Op),
    Take(u8),
    Act(Op, u8),
    Unbound(Op, u8),
    Renew(Op, u8),
    End(Op, u8, Ending),
    Crash(u8),
    GiveBack(u8),
    Sweep,
    Tick,
}

/// What a step is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    Read(Option<Stands>),
    Begun(Begun),
    Taken(Option<Taken>),
    Lease(Lease),
}

/// Where an instance or a binding stands, as everybody may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stands {
    /// The latest operation, if it is one of the two.
    pub last: Option<Op>,
    pub in_progress: bool,
}

impl From<Standing> for Stands {
    fn from(standing: Standing) -> Self {
        Self {
            last: standing.last,
            in_progress: standing.in_progress,
        }
    }
}

/// All ways that a setup may go.
#[derive(Clone, Debug)]
pub struct Ways {
    pub setup: Setup,
    /// Whether processes are told apart by what they have at hand alone: fewer moments, but no way to retrace.
    pub nameless: bool,
}

impl World {
    pub fn new(setup: &Setup) -> Self {
        Self {
            store: Store::new(setup),
            attempts: Vec::new(),
            seen: [None; 2],
            history: [History::default(); 2],
        }
    }

    /// Carries a step out, if it can be made now.
    pub fn step(&mut self, setup: &Setup, step: Step) -> Option<Answer> {
        Some(match step {
            Step::Read(op) => self.read(setup, op)?,
            Step::Begin(op) => self.begin(setup, op)?,
            Step::Take(broker) => self.take(setup, broker)?,
            Step::Act(op, number) => self.act(setup, op, number)?,
            Step::Unbound(op, number) => self.unbound(setup, op, number)?,
            Step::Renew(op, number) => self.renew(setup, op, number)?,
            Step::End(op, number, ending) => self.end(setup, op, number, ending)?,
            Step::Crash(broker) => self.crash(broker),
            Step::GiveBack(broker) => self.give_back(setup, broker),
            Step::Sweep => self.sweep(setup),
            Step::Tick => self.tick(setup),
        })
    }

    /// A request looks before it asks for what depends on what is there.
    fn read(&mut self, setup: &Setup, op: Op) -> Option<Answer> {
        let looks = setup.pair.looks(op);
        if self.history[op].begun || self.seen[op].is_some() || !looks {
            return None;
        }
        let there = self.store.subjects[setup.pair.subject(op)];
        // What runs and may not be cancelled is answered at once: `ConcurrencyError`.
        self.seen[op] = there.filter(|there| !there.in_progress || setup.pair.cancels() && op == 1);
        Some(Answer::Read(there.map(Stands::from)))
    }

    fn begin(&mut self, setup: &Setup, op: Op) -> Option<Answer> {
        // Of what begins at the same moment the order is that of the names.
        let in_turn = setup.pair.shares() || op == 0 || self.history[0].begun;
        if self.history[op].begun || !in_turn || setup.pair.looks(op) && self.seen[op].is_none() {
            return None;
        }
        let seen = self.seen[op].take();
        let ran = seen.is_some_and(|seen| seen.in_progress);
        let running = ran && self.store.rows[0].is_some_and(|row| row.in_progress());
        let begun = self.store.begin(setup, op, seen);
        if begun == Begun::Done {
            self.history[op].begun = true;
            if running {
                self.history[0].results += 1;
            }
        }
        Some(Answer::Begun(begun))
    }

    fn take(&mut self, setup: &Setup, broker: u8) -> Option<Answer> {
        let at_hand = self.held_by(broker).count();
        if at_hand >= AT_ONCE {
            return None;
        }
        let taken = self.store.take(setup, Owner::Alive(broker));
        if let Some(taken) = taken {
            self.history[taken.op].latest_acted = false;
            self.attempts.push(Attempt {
                op: taken.op,
                number: taken.attempt,
                tries: taken.tries,
                holder: broker,
                left: LEASE,
                phase: Phase::Taken,
            });
        }
        Some(Answer::Taken(taken))
    }

    /// The backend does something in the world. What a process does that honours its lease it does while that lasts.
    fn act(&mut self, setup: &Setup, op: Op, number: u8) -> Option<Answer> {
        let successor = setup.pair.shares() && self.history[1 - op].effect;
        let attempt = self.attempt(op, number)?;
        let lasts = attempt.left > 0
            || setup.has(Flaw::ActIgnoresLease)
            || setup.has(Flaw::LeaseCountedLate);
        if attempt.phase != Phase::Taken || attempt.tries > MAX_ATTEMPTS || !lasts {
            return None;
        }
        attempt.phase = Phase::Acted;
        if setup.has(Flaw::LeaseCountedLate) {
            attempt.left = LEASE;
        }
        let history = &mut self.history[op];
        history.acted += 1;
        history.latest_acted = true;
        history.effect = true;
        history.disorder |= op == 0 && successor && setup.pair.cancels();
        Some(Answer::Nothing)
    }

    fn unbound(&mut self, setup: &Setup, op: Op, number: u8) -> Option<Answer> {
        let unbinds = op == 1 && self.store.subjects[0].is_some() && self.store.bound;
        let attempt = self.attempt(op, number)?;
        if !unbinds || !matches!(attempt.phase, Phase::Acted | Phase::Sent) {
            return None;
        }
        let latest = self.store.rows[op].is_some_and(|row| row.attempt == number);
        let lease = self.store.unbound(setup, op, number);
        self.history[op].unbound_late |= lease == Lease::Held && !latest;
        self.told(op, number, lease)
    }

    fn renew(&mut self, setup: &Setup, op: Op, number: u8) -> Option<Answer> {
        let attempt = self.attempt(op, number)?;
        if attempt.phase == Phase::Lost {
            return None;
        }
        let lease = self.store.renew(setup, op, number);
        let attempt = self.attempt(op, number)?;
        if lease == Lease::Held && attempt.phase != Phase::Sent {
            attempt.left = LEASE;
        }
        self.told(op, number, lease)
    }

    fn told(&mut self, op: Op, number: u8, lease: Lease) -> Option<Answer> {
        let attempt = self.attempt(op, number)?;
        if lease == Lease::Lost && attempt.phase != Phase::Sent {
            (attempt.phase, attempt.left) = (Phase::Lost, 0);
        }
        Some(Answer::Lease(lease))
    }

    fn end(&mut self, setup: &Setup, op: Op, number: u8, ending: Ending) -> Option<Answer> {
        let attempt = *self.attempt(op, number)?;
        let may = match (attempt.phase, ending) {
            (Phase::Lost, ending) => ending == Ending::Stopped,
            (_, Ending::Stopped) => false,
            // It gives up before it acts.
            (Phase::Taken, ending) => ending == Ending::Failed && attempt.tries > MAX_ATTEMPTS,
            (_, Ending::Again) => attempt.tries < MAX_ATTEMPTS,
            (_, Ending::Done | Ending::Failed) => true,
        };
        if !may {
            return None;
        }
        let latest = self.store.rows[op].is_some_and(|row| row.attempt == number);
        let lease = self.store.end(setup, op, number, ending);
        if lease == Lease::Held && ending != Ending::Again {
            self.history[op].results += 1;
            self.history[op].outdated |= !latest;
        }
        self.attempts.retain(|other| *other != attempt);
        Some(Answer::Lease(lease))
    }

    /// A process dies. An end that it was about to write down may be on its way.
    fn crash(&mut self, broker: u8) -> Answer {
        self.stop(broker);
        for row in self.store.rows.iter_mut().flatten() {
            if row.owner == Some(Owner::Alive(broker)) {
                row.owner = Some(Owner::Dead);
            }
        }
        Answer::Nothing
    }

    /// A process stops in order.
    fn give_back(&mut self, setup: &Setup, broker: u8) -> Answer {
        self.stop(broker);
        for op in OPS {
            let given = |row: &Row| row.in_progress() && row.owner == Some(Owner::Alive(broker));
            let history = &mut self.history[op];
            if self.store.rows[op].as_ref().is_some_and(given) && history.latest_acted {
                history.acted -= 1;
                history.latest_acted = false;
            }
        }
        self.store.give_back(setup, Owner::Alive(broker));
        Answer::Nothing
    }

    fn stop(&mut self, broker: u8) {
        let gone = |attempt: &Attempt| attempt.holder == broker && attempt.phase != Phase::Sent;
        self.attempts
            .retain(|attempt| !gone(attempt) || attempt.phase == Phase::Acted);
        for attempt in &mut self.attempts {
            if gone(attempt) {
                (attempt.phase, attempt.left, attempt.holder) = (Phase::Sent, 0, 0);
            }
        }
    }

    fn sweep(&mut self, setup: &Setup) -> Answer {
        self.store.sweep(setup);
        Answer::Nothing
    }

    fn tick(&mut self, setup: &Setup) -> Answer {
        self.store.tick(setup);
        for attempt in &mut self.attempts {
            attempt.left = (attempt.left - 1).max(0);
        }
        Answer::Nothing
    }

    fn attempt(&mut self, op: Op, number: u8) -> Option<&mut Attempt> {
        self.attempts
            .iter_mut()
            .find(|attempt| attempt.op == op && attempt.number == number)
    }

    fn held_by(&self, broker: u8) -> impl Iterator<Item = &Attempt> {
        self.attempts
            .iter()
            .filter(move |attempt| attempt.holder == broker && attempt.phase != Phase::Sent)
    }

    /// The attempts that may still do something in the world, if their processes honour their leases.
    pub fn may_act(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| {
            attempt.left > 0 && matches!(attempt.phase, Phase::Taken | Phase::Acted)
        })
    }

    /// Every step that anybody could try.
    pub fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Tick, Step::Sweep];
        for op in OPS {
            steps.extend([Step::Read(op), Step::Begin(op)]);
        }
        for broker in 0..BROKERS {
            steps.extend([
                Step::Take(broker),
                Step::Crash(broker),
                Step::GiveBack(broker),
            ]);
        }
        for attempt in &self.attempts {
            let (op, number) = (attempt.op, attempt.number);
            steps.extend([
                Step::Act(op, number),
                Step::Unbound(op, number),
                Step::Renew(op, number),
                Step::End(op, number, Ending::Done),
                Step::End(op, number, Ending::Failed),
                Step::End(op, number, Ending::Again),
                Step::End(op, number, Ending::Stopped),
            ]);
        }
        steps
    }

    /// Makes one moment of those between which no later step can tell.
    fn settle(&mut self) {
        let rows = self.store.rows;
        for attempt in &mut self.attempts {
            let outdated = rows[attempt.op].is_some_and(|row| row.attempt > attempt.number);
            if outdated && attempt.left == 0 && attempt.phase == Phase::Acted {
                (attempt.phase, attempt.holder) = (Phase::Sent, 0);
            }
        }
        self.attempts.retain(|attempt| {
            attempt.left > 0
                || rows[attempt.op].is_some_and(|row| {
                    row.attempt == attempt.number || attempt.phase == Phase::Sent
                })
        });
        for (row, history) in self.store.rows.iter_mut().zip(&mut self.history) {
            if let Some(row) = row.as_mut().filter(|row| !row.in_progress()) {
                (row.tries, row.waits) = (0, false);
                history.latest_acted = false;
            }
        }
        self.attempts.sort_unstable();
    }

    /// Numbers processes in the order in which the state names them: which is which means nothing.
    fn forget_names(&mut self) {
        let mut names = [None; BROKERS as usize];
        let mut next = 0;
        let mut rename = |broker: &mut u8| {
            *broker = *names[usize::from(*broker)].get_or_insert_with(|| {
                next += 1;
                next - 1
            });
        };
        for row in self.store.rows.iter_mut().flatten() {
            if let Some(Owner::Alive(broker)) = &mut row.owner {
                rename(broker);
            }
        }
        for attempt in &mut self.attempts {
            if attempt.phase != Phase::Sent {
                rename(&mut attempt.holder);
            }
        }
    }
}

impl Model for Ways {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.setup)]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        steps.extend(world.steps());
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        next.step(&self.setup, step)?;
        next.attempts.sort_unstable();
        if self.nameless {
            next.settle();
            next.forget_names();
        }
        (next != *world).then_some(next)
    }

    fn within_boundary(&self, world: &World) -> bool {
        world
            .attempts
            .iter()
            .all(|attempt| attempt.number <= MOST_ATTEMPTS)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(&self.setup)
    }
}
