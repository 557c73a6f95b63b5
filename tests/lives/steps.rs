//! The steps of a sequence, small enough to collide, and how they are drawn.

use proptest::prelude::*;

use crate::offer::PLANS;

/// How long a sequence is.
pub const STEPS: usize = 30;

pub const PROCESSES: usize = 2;

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A call to a process.
    Ask(usize, Ask),
    /// One of the calls before once more, to the letter, to a process.
    Again(usize, usize),
    /// What comes of an attempt that acts: of one so far down the board.
    End(usize, Ends),
    /// An attempt says how far it is, and its lease is renewed with that.
    Say(usize),
    /// A process looks for what is due.
    Look(usize),
    /// The clock goes on, by so many milliseconds.
    Wait(i64),
    /// A process stops, gives back what it had, and is started again.
    Stop(usize),
    /// A process dies, and is started again.
    Crash(usize),
    /// All of them die, and the store is opened anew.
    CrashAll,
}

/// What a platform asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    pub act: Act,
    pub instance: usize,
    pub binding: usize,
    /// Which plan is named.
    pub naming: Naming,
    pub size: Option<u8>,
    pub space: u8,
    pub level: Option<u8>,
    pub accepts: bool,
    pub named: Named,
    /// What comes of it while the platform waits in place; nothing where it does not wait.
    pub prompt: Option<Ends>,
}

impl Ask {
    /// A good call for the first ids.
    pub const fn plain(act: Act) -> Self {
        Self {
            act,
            instance: 0,
            binding: 0,
            naming: Naming::Its(0),
            size: None,
            space: 0,
            level: None,
            accepts: true,
            named: Named::Nothing,
            prompt: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Provision,
    Update,
    Deprovision,
    Bind,
    Unbind,
    Fetch,
    FetchBinding,
    Poll,
    PollBinding,
}

impl Act {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Update => "update",
            Self::Deprovision => "deprovision",
            Self::Bind => "bind",
            Self::Unbind => "unbind",
            Self::Fetch => "fetch",
            Self::FetchBinding => "fetch binding",
            Self::Poll => "poll",
            Self::PollBinding => "poll binding",
        }
    }
}

/// The plan of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// That of the instance; this one where there is no instance.
    Its(usize),
    /// This one.
    Of(usize),
    /// One that there is not.
    Unknown,
}

/// The operation that a poll names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Nothing,
    /// One so far back, whatever it is about.
    Known(usize),
    Unknown,
}

/// What comes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    Done,
    /// Done, with nothing for templates and nothing for itself.
    DoneBare,
    Refused,
    Failed,
    /// With the flags of the specification.
    FailedFlags(bool, bool),
    /// Again after so many milliseconds, or when the broker likes.
    Again(Option<u32>),
}

pub const SECOND: i64 = 1000;
pub const HOUR: i64 = 3600 * SECOND;

/// How long a lease lasts: no real timer comes near it.
pub const LEASE: i64 = HOUR;
/// How long after its end a binding is unbound.
pub const GRACE: i64 = HOUR;
/// How long finished operations are kept.
pub const KEEP: i64 = 10 * HOUR;

pub fn sequence() -> impl Strategy<Value = Vec<Step>> {
    // The flag is there to be shrunk: a step that goes takes no other with it.
    let steps = prop::collection::vec((prop::bool::weighted(1.0), step()), STEPS);
    (0..PLANS.len(), steps).prop_map(|(home, steps)| {
        let kept = steps
            .into_iter()
            .filter_map(|(kept, step)| kept.then_some(step));
        kept.map(|step| at_home(step, home)).collect()
    })
}

/// Most of a sequence is about instances of one plan.
fn at_home(step: Step, home: usize) -> Step {
    match step {
        Step::Ask(by, mut ask) => {
            if let Naming::Its(plan) = ask.naming {
                ask.naming = Naming::Its((home + plan) % PLANS.len());
            }
            Step::Ask(by, ask)
        }
        other => other,
    }
}

fn step() -> impl Strategy<Value = Step> {
    let process = || 0..PROCESSES;
    let nearly_first = || prop_oneof![4 => Just(0_usize), 1 => 1..3_usize];
    prop_oneof![
        100 => (process(), ask()).prop_map(|(by, ask)| Step::Ask(by, ask)),
        12 => (process(), 0..4_usize).prop_map(|(by, back)| Step::Again(by, back)),
        50 => (nearly_first(), ends()).prop_map(|(at, ends)| Step::End(at, ends)),
        6 => nearly_first().prop_map(Step::Say),
        10 => process().prop_map(Step::Look),
        16 => waits().prop_map(Step::Wait),
        4 => process().prop_map(Step::Stop),
        5 => process().prop_map(Step::Crash),
        1 => Just(Step::CrashAll),
    ]
}

fn waits() -> impl Strategy<Value = i64> {
    prop_oneof![
        2 => Just(300_i64),
        3 => Just(2 * SECOND),
        3 => Just(61 * SECOND),
        5 => Just(LEASE + SECOND),
        2 => Just(KEEP + HOUR),
    ]
}

fn ends() -> impl Strategy<Value = Ends> {
    prop_oneof![
        10 => Just(Ends::Done),
        2 => Just(Ends::DoneBare),
        3 => Just(Ends::Refused),
        3 => Just(Ends::Failed),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(usable, repeatable)| Ends::FailedFlags(usable, repeatable)),
        3 => Just(Ends::Again(None)),
        3 => prop_oneof![Just(0_u32), Just(1_500), Just(90_000)].prop_map(|after| Ends::Again(Some(after))),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let small = || prop_oneof![4 => Just(0_usize), 1 => Just(1_usize)];
    let naming = prop_oneof![
        20 => Just(Naming::Its(0)),
        5 => (0..PLANS.len()).prop_map(Naming::Of),
        1 => Just(Naming::Unknown),
    ];
    let named = prop_oneof![
        4 => Just(Named::Nothing),
        4 => (0..5_usize).prop_map(Named::Known),
        1 => Just(Named::Unknown),
    ];
    let number = || prop_oneof![3 => Just(None), 3 => (1..4_u8).prop_map(Some)];
    let prompt = prop_oneof![
        3 => Just(None),
        2 => Just(Some(Ends::Done)),
        1 => prop_oneof![Just(Some(Ends::Refused)), Just(Some(Ends::Failed))],
    ];
    let of = (act(), small(), small(), naming, named);
    let with = (
        number(),
        prop_oneof![9 => Just(0_u8), 1 => Just(1_u8)],
        number(),
        prop::bool::weighted(0.85),
        prompt,
    );
    (of, with).prop_map(
        |((act, instance, binding, naming, named), (size, space, level, accepts, prompt))| Ask {
            act,
            instance,
            binding,
            naming,
            size,
            space,
            level,
            accepts,
            named,
            prompt,
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        22 => Just(Act::Provision),
        14 => Just(Act::Update),
        10 => Just(Act::Deprovision),
        22 => Just(Act::Bind),
        10 => Just(Act::Unbind),
        5 => Just(Act::Fetch),
        5 => Just(Act::FetchBinding),
        8 => Just(Act::Poll),
        8 => Just(Act::PollBinding),
    ]
}
