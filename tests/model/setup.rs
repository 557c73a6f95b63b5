//! What is checked: which two operations, under which limit, and for the counter-proofs with which flaw.

use catalog_broker::domain::operation::Kind;

/// An operation: the first or the second.
pub type Op = usize;

/// Both of them.
pub const OPS: [Op; 2] = [0, 1];

/// How many processes there are.
pub const BROKERS: u8 = 3;

/// How many attempts count before an operation is given up.
pub const MAX_ATTEMPTS: u8 = 2;

/// How many attempts of one operation the checker follows: those that count, one that gives up, one that was given back.
pub const MOST_ATTEMPTS: u8 = MAX_ATTEMPTS + 1;

/// How many attempts one process has at once, those that it should have let go of among them.
pub const AT_ONCE: usize = 2;

/// How many ticks of the clock a lease lasts: two, so that one can be seen in its middle.
pub const LEASE: i8 = 2;

/// How many ticks an attempt rests that is to be made again.
pub const REST: i8 = 1;

/// How many ticks an operation is kept that is over: shorter than a lease, so that one may outlast the other.
pub const KEEP: i8 = 0;

/// Two operations on one instance, in the order in which they are thought of: any order may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// The second cancels the first.
    ProvisionDeprovision,
    /// The second comes before the first or after it; the instance has a binding that goes first.
    UpdateDeprovision,
    /// The second cancels the first.
    BindUnbind,
    /// Two bindings, that know nothing of each other.
    BindBind,
}

impl Pair {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ProvisionDeprovision,
        Self::UpdateDeprovision,
        Self::BindUnbind,
        Self::BindBind,
    ];

    /// What the two do.
    pub const fn kinds(self) -> [Kind; 2] {
        match self {
            Self::ProvisionDeprovision => [Kind::Provision, Kind::Deprovision],
            Self::UpdateDeprovision => [Kind::Update, Kind::Deprovision],
            Self::BindUnbind => [Kind::Bind, Kind::Unbind],
            Self::BindBind => [Kind::Bind, Kind::Bind],
        }
    }

    /// Whether the second may cancel the first.
    pub const fn cancels(self) -> bool {
        matches!(self, Self::ProvisionDeprovision | Self::BindUnbind)
    }

    /// Whether the instance is there before, with a binding that the deprovision takes away first.
    pub const fn unbinds(self) -> bool {
        matches!(self, Self::UpdateDeprovision)
    }

    /// Whether an operation is made of what is there.
    pub fn looks(self, op: Op) -> bool {
        !matches!(self.kinds()[op], Kind::Provision | Kind::Bind)
    }

    /// Whether both are about the same thing, so that one has to wait for the other.
    pub fn shares(self) -> bool {
        self != Self::BindBind
    }

    /// The place of an operation's subject.
    pub fn subject(self, op: Op) -> usize {
        if self.shares() { 0 } else { op }
    }
}

/// One thing to check.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The operations.
    pub pair: Pair,
    /// How many of the backend's operations may be leased at once.
    pub limit: Option<u8>,
    /// What is wrong, on purpose.
    pub flaw: Option<Flaw>,
}

impl Setup {
    /// Without any flaw.
    pub const fn sound(pair: Pair, limit: Option<u8>) -> Self {
        Self {
            pair,
            limit,
            flaw: None,
        }
    }

    /// Whether it is wrong in this way.
    pub fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}

/// A way to be wrong: each is one condition that a step leaves out. The checker must see every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// `end` takes the result of any attempt.
    EndIgnoresAttempt,
    /// `end` takes a result although the operation is over.
    EndIgnoresState,
    /// `unbound` takes a binding away for any attempt.
    UnboundIgnoresAttempt,
    /// What cancels is due at once.
    CancelDoesNotWait,
    /// `take` takes what is leased.
    TakeIgnoresLeases,
    /// `take` does not count what is leased.
    TakeIgnoresLimit,
    /// `take` does not count tries.
    TakeDoesNotCount,
    /// `renew` brings a lease back that has run out.
    RenewRevives,
    /// `give_back` takes everybody's leases.
    GiveBackTakesAll,
    /// `give_back` does not make due what it gives back.
    GiveBackLosesDue,
    /// `sweep` forgets what is not over.
    SweepIgnoresState,
    /// `sweep` forgets what is cancelled and still leased.
    SweepIgnoresLease,
    /// `sweep` keeps for ever what a process had leased that died.
    SweepWaitsForTheDead,
    /// A process acts without a look at its lease.
    ActIgnoresLease,
    /// A process counts its lease from the answer on that brought it, not from the question.
    LeaseCountedLate,
}
