//! The store, as little of it as decides: its steps bear the names of those of the trait `Store`.
//!
//! Time is told from now: what is due in one tick has `due` 1, and a tick brings all nearer. So the clock may go on for
//! ever in finitely many states. Of what was due long ago only the order counts.

use catalog_broker::domain::operation::{Kind, State};
use catalog_broker::domain::store::Lease;

use super::setup::{Flaw, KEEP, LEASE, MAX_ATTEMPTS, OPS, Op, REST, Setup};

/// The process that has a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// One that lives, by its number.
    Alive(u8),
    /// One that died: restarted it has another name.
    Dead,
}

/// The row of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub state: State,
    pub attempt: u8,
    pub tries: u8,
    pub owner: Option<Owner>,
    /// When it may be taken up, or its lease ends.
    pub due: Option<i8>,
    /// For how long it is over.
    pub age: i8,
    /// Whether it took over from the other one.
    pub waits: bool,
}

/// The row of an instance or a binding: where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standing {
    pub version: u8,
    /// The latest operation; nothing for one before our time.
    pub last: Option<Op>,
    pub in_progress: bool,
}

/// All that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    pub rows: [Option<Row>; 2],
    pub subjects: [Option<Standing>; 2],
    /// Whether the instance has the binding that a deprovision takes away first.
    pub bound: bool,
}

/// How a change went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    Done,
    There,
    Stale,
    Absent,
}

/// What `take` took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub op: Op,
    pub attempt: u8,
    pub tries: u8,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    Done,
    Failed,
    Again,
    Stopped,
}

impl Row {
    pub fn in_progress(&self) -> bool {
        self.state == State::InProgress
    }

    /// Whether somebody has it now.
    pub fn leased(&self) -> bool {
        self.owner.is_some() && self.due.is_some_and(|due| due > 0)
    }

    fn let_go(&mut self, due: Option<i8>) {
        self.owner = None;
        self.due = due;
    }
}

impl Store {
    /// What there is at first: nothing to be made, and what is to be changed.
    pub fn new(setup: &Setup) -> Self {
        let there = setup.pair.unbinds();
        let standing = Standing {
            version: 0,
            last: None,
            in_progress: false,
        };
        Self {
            rows: [None; 2],
            subjects: [there.then_some(standing), None],
            bound: there,
        }
    }

    /// Records an operation that was made of what was `seen`, unless that has changed.
    pub fn begin(&mut self, setup: &Setup, op: Op, seen: Option<Standing>) -> Begun {
        let kind = setup.pair.kinds()[op];
        let subject = &mut self.subjects[setup.pair.subject(op)];
        let made = matches!(kind, Kind::Provision | Kind::Bind);
        let version = match (*subject, seen) {
            (None, _) if made => 0,
            (Some(_), _) if made => return Begun::There,
            (None, _) => return Begun::Absent,
            (Some(is), Some(was)) if unchanged(kind, is, was) => is.version + 1,
            (Some(_), _) => return Begun::Stale,
        };
        *subject = Some(Standing {
            version,
            last: Some(op),
            in_progress: true,
        });
        let cancels = seen.and_then(|seen| seen.last.filter(|_| seen.in_progress));
        self.rows[op] = Some(Row {
            state: State::InProgress,
            attempt: 0,
            tries: 0,
            owner: None,
            due: Some(cancels.map_or(0, |cancelled| self.cancel(setup, cancelled))),
            age: 0,
            waits: cancels.is_some(),
        });
        Begun::Done
    }

    /// Fails what runs; its lease counts until it is let go or runs out. When its successor may act.
    fn cancel(&mut self, setup: &Setup, cancelled: Op) -> i8 {
        match &mut self.rows[cancelled] {
            Some(row) if row.in_progress() => {
                row.state = State::Failed;
                row.age = 0;
                let waits = row.leased() && !setup.has(Flaw::CancelDoesNotWait);
                row.due.filter(|_| waits).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Leases the one that has been due for the longest, if its backend has room.
    pub fn take(&mut self, setup: &Setup, owner: Owner) -> Option<Taken> {
        let leased = self.rows.iter().flatten().filter(|row| row.leased());
        let full = setup
            .limit
            .is_some_and(|limit| leased.count() >= usize::from(limit));
        if full && !setup.has(Flaw::TakeIgnoresLimit) {
            return None;
        }
        let op = OPS
            .into_iter()
            .filter(|op| self.due(setup, *op))
            .min_by_key(|op| self.rows[*op].and_then(|row| row.due))?;
        let row = self.rows[op].as_mut()?;
        row.owner = Some(owner);
        row.due = Some(LEASE);
        row.attempt += 1;
        if !setup.has(Flaw::TakeDoesNotCount) {
            // More than too many is not told apart.
            row.tries = (row.tries + 1).min(MAX_ATTEMPTS + 1);
        }
        Some(Taken {
            op,
            attempt: row.attempt,
            tries: row.tries.max(1),
        })
    }

    fn due(&self, setup: &Setup, op: Op) -> bool {
        let ignores = setup.has(Flaw::TakeIgnoresLeases);
        self.rows[op].is_some_and(|row| {
            let due = row.due.is_some_and(|due| due <= 0) || ignores && row.leased();
            row.in_progress() && due
        })
    }

    /// Makes a lease longer that has not run out.
    pub fn renew(&mut self, setup: &Setup, op: Op, attempt: u8) -> Lease {
        let revives = setup.has(Flaw::RenewRevives);
        match self.current(op, attempt) {
            Some(row) if row.leased() || revives && row.owner.is_some() => {
                row.due = Some(LEASE);
                Lease::Held
            }
            _ => Lease::Lost,
        }
    }

    /// Ends an attempt. What it says counts if no other has begun and the operation is not over.
    pub fn end(&mut self, setup: &Setup, op: Op, attempt: u8, ending: Ending) -> Lease {
        let state = match ending {
            Ending::Done => State::Succeeded,
            Ending::Failed => State::Failed,
            Ending::Again | Ending::Stopped => State::InProgress,
        };
        let ends = match &mut self.rows[op] {
            Some(row) => {
                let newest = row.attempt == attempt || setup.has(Flaw::EndIgnoresAttempt);
                let open = row.in_progress() || setup.has(Flaw::EndIgnoresState);
                (newest && open && ending != Ending::Stopped).then_some(row)
            }
            None => None,
        };
        let Some(row) = ends else {
            self.stopped(op, attempt);
            return Lease::Lost;
        };
        if ending == Ending::Again {
            row.let_go(Some(REST));
        } else {
            row.state = state;
            row.age = 0;
            row.let_go(None);
            self.leave(setup, op, ending);
        }
        Lease::Held
    }

    /// A cancelled attempt acts no more: what waits for that is due.
    fn stopped(&mut self, op: Op, attempt: u8) {
        if let Some(row) = &mut self.rows[op]
            && row.attempt == attempt
            && !row.in_progress()
            && row.owner.is_some()
        {
            row.let_go(None);
            self.release();
        }
    }

    fn release(&mut self) {
        for row in self.rows.iter_mut().flatten() {
            let waits = row.waits && row.in_progress() && row.owner.is_none() && row.attempt == 0;
            if waits && row.due.is_some_and(|due| due > 0) {
                row.due = Some(0);
            }
        }
    }

    fn leave(&mut self, setup: &Setup, op: Op, ending: Ending) {
        let kind = setup.pair.kinds()[op];
        let subject = &mut self.subjects[setup.pair.subject(op)];
        if ending == Ending::Done && kind.removes() {
            *subject = None;
            self.bound = false;
        } else if let Some(standing) = subject {
            standing.in_progress = false;
            standing.version += 1;
        }
    }

    /// Takes away the binding that a deprovision unbinds first.
    pub fn unbound(&mut self, setup: &Setup, op: Op, attempt: u8) -> Lease {
        let ignores = setup.has(Flaw::UnboundIgnoresAttempt);
        let holds = self
            .current(op, attempt)
            .is_some_and(|row| row.owner.is_some());
        if !holds && !ignores {
            return Lease::Lost;
        }
        self.bound = false;
        Lease::Held
    }

    /// Gives back what a process has leased that stops; the tries do not count.
    pub fn give_back(&mut self, setup: &Setup, owner: Owner) {
        let mut released = false;
        for row in self.rows.iter_mut().flatten() {
            let all = setup.has(Flaw::GiveBackTakesAll) && row.owner.is_some();
            if row.owner != Some(owner) && !all {
                continue;
            }
            if row.in_progress() {
                row.tries = row.tries.saturating_sub(1);
                row.let_go((!setup.has(Flaw::GiveBackLosesDue)).then_some(0));
            } else {
                row.let_go(None);
                released = true;
            }
        }
        if released {
            self.release();
        }
    }

    /// Forgets what has been over for longer than it is kept, and is nobody's.
    pub fn sweep(&mut self, setup: &Setup) {
        for row in &mut self.rows {
            if row.is_some_and(|row| swept(setup, &row)) {
                *row = None;
            }
        }
    }

    /// A tick of the clock.
    pub fn tick(&mut self, setup: &Setup) {
        for row in self.rows.iter_mut().flatten() {
            row.due = row.due.map(|due| due - 1);
            if !row.in_progress() {
                // By then it can be swept.
                row.due = row.due.map(|due| due.max(-1 - KEEP));
            }
            if !row.in_progress() || setup.has(Flaw::SweepIgnoresState) {
                row.age = (row.age + 1).min(KEEP + 1);
            }
        }
        self.forget_how_long();
    }

    /// Of what waits and was due long ago the order alone counts.
    fn forget_how_long(&mut self) {
        let past = |row: &Option<Row>| {
            row.filter(|row| row.in_progress())
                .and_then(|row| row.due)
                .filter(|due| *due < 0)
        };
        let dues = [past(&self.rows[0]), past(&self.rows[1])];
        for op in OPS {
            let (own, other) = (dues[op], dues[1 - op]);
            if let (Some(own), Some(row)) = (own, &mut self.rows[op]) {
                row.due = Some(if other.is_some_and(|other| own < other) {
                    -2
                } else {
                    -1
                });
            }
        }
    }

    /// The row, if that attempt is the latest and the operation not over.
    fn current(&mut self, op: Op, attempt: u8) -> Option<&mut Row> {
        self.rows[op]
            .as_mut()
            .filter(|row| row.attempt == attempt && row.in_progress())
    }
}

fn unchanged(kind: Kind, is: Standing, was: Standing) -> bool {
    match kind {
        // A binding has no version: its latest operation tells.
        Kind::Unbind => is.last == was.last,
        _ => is.version == was.version,
    }
}

fn swept(setup: &Setup, row: &Row) -> bool {
    let old = row.age > KEEP;
    let over = !row.in_progress() || setup.has(Flaw::SweepIgnoresState);
    let nobodys = match row.owner {
        None => true,
        Some(_) if setup.has(Flaw::SweepIgnoresLease) => true,
        Some(_) if setup.has(Flaw::SweepWaitsForTheDead) => false,
        Some(_) => row.due.is_some_and(|due| due < -KEEP),
    };
    old && over && nobodys
}
