//! Sequences that go for every answer on purpose, each call with what it must be answered: what chance may miss.

use crate::steps::{Act, Ask, Ends, HOUR, KEEP, LEASE, Named, Naming, SECOND, Step};

/// A step, and for a call the beginning of its answer.
pub type Leg = (Step, &'static str);

// Places in the table of plans.
const LATER: usize = 0;
const EITHER: usize = 1;
const WAITS: usize = 2;
const NARROW: usize = 3;
const ENDS: usize = 4;

/// Nothing the model foretells: it comes to the same.
pub const HANDED: &str = "taken up with its recording";

/// What must have happened to work on the way.
pub const WORK: [&str; 25] = [
    HANDED,
    "a delete waits for what it cancels",
    "bound to nothing",
    "done",
    "ended with its lease",
    "failed",
    "forgotten",
    "given back",
    "given up at its beginning",
    "given up at its end",
    "held back by the limit",
    "late again refused",
    "late result refused",
    "lease lost",
    "lease renewed",
    "refused, and nothing stays",
    "refused, and something stays",
    "taken up",
    "taken up after a lease ran out",
    "taken up once more",
    "unbound on the way of a deprovision",
    "unbound once more, for it has ended",
    "unbound, for it has ended",
    "what has ended waits for its instance",
    "what a delete cancels lets it go",
];

/// All of them; a sequence each.
pub fn tour() -> Vec<Vec<Leg>> {
    vec![
        whole_life(),
        in_place(),
        cancelled(),
        deprovisioned(),
        failures(),
        never_made(),
        attempts(),
        processes(),
        narrow(),
        mistakes(),
        endings(),
        nothing_returned(),
    ]
}

fn of(plan: usize, act: Act) -> Ask {
    Ask {
        naming: Naming::Its(plan),
        ..Ask::plain(act)
    }
}

fn ask(plan: usize, act: Act, answer: &'static str) -> Leg {
    (Step::Ask(0, of(plan, act)), answer)
}

fn prompt(plan: usize, act: Act, ends: Ends, answer: &'static str) -> Leg {
    let ask = Ask {
        prompt: Some(ends),
        ..of(plan, act)
    };
    (Step::Ask(0, ask), answer)
}

fn with(plan: usize, act: Act, answer: &'static str, change: impl FnOnce(&mut Ask)) -> Leg {
    let mut ask = of(plan, act);
    change(&mut ask);
    (Step::Ask(0, ask), answer)
}

fn go(step: Step) -> Leg {
    (step, "")
}

fn end(ends: Ends) -> Leg {
    go(Step::End(0, ends))
}

fn whole_life() -> Vec<Leg> {
    vec![
        ask(LATER, Act::Poll, "OperationNotFound"),
        ask(LATER, Act::PollBinding, "OperationNotFound"),
        ask(LATER, Act::Fetch, "InstanceNotFound"),
        ask(LATER, Act::FetchBinding, "BindingNotFound"),
        ask(LATER, Act::Update, "InstanceNotFound"),
        ask(LATER, Act::Bind, "InstanceNotFound"),
        ask(LATER, Act::Unbind, "410"),
        ask(LATER, Act::Deprovision, "410"),
        ask(LATER, Act::Provision, "202"),
        go(Step::Crash(1)),
        (Step::Again(1, 0), "202"),
        ask(LATER, Act::Fetch, "InstanceNotFound"),
        ask(LATER, Act::Bind, "ConcurrencyError"),
        ask(LATER, Act::Update, "ConcurrencyError"),
        ask(LATER, Act::Poll, "200 InProgress"),
        go(Step::Say(0)),
        ask(LATER, Act::Poll, "200 InProgress"),
        end(Ends::Done),
        ask(LATER, Act::Poll, "200 Succeeded"),
        ask(LATER, Act::Fetch, "200"),
        ask(LATER, Act::Provision, "200"),
        ask(LATER, Act::Bind, "202"),
        ask(LATER, Act::Bind, "202"),
        ask(LATER, Act::FetchBinding, "BindingNotFound"),
        ask(LATER, Act::PollBinding, "200 InProgress"),
        ask(LATER, Act::Update, "ConcurrencyError"),
        ask(LATER, Act::Deprovision, "ConcurrencyError"),
        end(Ends::Done),
        ask(LATER, Act::PollBinding, "200 Succeeded"),
        ask(LATER, Act::FetchBinding, "200"),
        ask(LATER, Act::Bind, "200"),
        with(LATER, Act::Update, "202", |ask| ask.size = Some(2)),
        with(LATER, Act::Update, "202", |ask| ask.size = Some(2)),
        with(LATER, Act::Update, "ConcurrencyError", |ask| {
            ask.size = Some(3);
        }),
        ask(LATER, Act::Fetch, "ConcurrencyError"),
        ask(LATER, Act::Unbind, "ConcurrencyError"),
        ask(LATER, Act::Deprovision, "ConcurrencyError"),
        end(Ends::DoneBare),
        ask(LATER, Act::Fetch, "200"),
        // What its provision returned is there still.
        with(LATER, Act::Bind, "202", |ask| ask.binding = 1),
        end(Ends::Done),
        with(LATER, Act::FetchBinding, "200", |ask| ask.binding = 1),
        with(LATER, Act::Unbind, "202", |ask| ask.binding = 1),
        end(Ends::Done),
        ask(LATER, Act::Unbind, "202"),
        ask(LATER, Act::Unbind, "202"),
        ask(LATER, Act::Bind, "ConcurrencyError"),
        end(Ends::Done),
        ask(LATER, Act::PollBinding, "410"),
        ask(LATER, Act::Deprovision, "202"),
        ask(LATER, Act::Deprovision, "202"),
        ask(LATER, Act::Provision, "ConcurrencyError"),
        end(Ends::Done),
        ask(LATER, Act::Poll, "410"),
        with(LATER, Act::Poll, "200 Succeeded", |ask| {
            ask.named = Named::Known(4);
        }),
        with(LATER, Act::Poll, "410", |ask| ask.named = Named::Unknown),
        go(Step::Wait(KEEP + HOUR)),
        go(Step::Look(0)),
        ask(LATER, Act::Poll, "OperationNotFound"),
        ask(LATER, Act::PollBinding, "OperationNotFound"),
    ]
}

/// Bindings end after an hour and a half, and are unbound an hour later.
fn endings() -> Vec<Leg> {
    let wait = || go(Step::Wait(LEASE + SECOND));
    vec![
        ask(ENDS, Act::Provision, "202"),
        end(Ends::Done),
        ask(ENDS, Act::Bind, "202"),
        end(Ends::Done),
        wait(),
        wait(),
        // It has ended, and is there still.
        ask(ENDS, Act::FetchBinding, "200"),
        ask(ENDS, Act::Bind, "200"),
        wait(),
        go(Step::Look(0)),
        ask(ENDS, Act::FetchBinding, "BindingNotFound"),
        ask(ENDS, Act::PollBinding, "200 InProgress"),
        ask(ENDS, Act::Bind, "ConcurrencyError"),
        // A platform that asks for the same joins it.
        ask(ENDS, Act::Unbind, "202"),
        end(Ends::Failed),
        ask(ENDS, Act::PollBinding, "200 Failed"),
        // It rests before it is tried again, whoever looks.
        go(Step::Wait(2 * SECOND)),
        go(Step::Look(1)),
        ask(ENDS, Act::PollBinding, "200 Failed"),
        // And does not go beside a change of its instance.
        with(ENDS, Act::Update, "202", |ask| ask.size = Some(1)),
        wait(),
        go(Step::Look(0)),
        go(Step::Look(1)),
        ask(ENDS, Act::Unbind, "ConcurrencyError"),
        go(Step::End(0, Ends::Done)),
        go(Step::End(0, Ends::Done)),
        wait(),
        go(Step::Look(1)),
        end(Ends::Done),
        ask(ENDS, Act::PollBinding, "410"),
        ask(ENDS, Act::Unbind, "410"),
        // Another one of its id lives as long as it did.
        ask(ENDS, Act::Bind, "202"),
        end(Ends::Done),
        go(Step::Look(0)),
        ask(ENDS, Act::FetchBinding, "200"),
        ask(ENDS, Act::Deprovision, "202"),
        end(Ends::Done),
        end(Ends::Done),
        ask(ENDS, Act::PollBinding, "410"),
    ]
}

fn in_place() -> Vec<Leg> {
    let mut legs = Vec::new();
    for plan in [EITHER, WAITS] {
        legs.extend([
            prompt(plan, Act::Provision, Ends::Refused, "OperationRefused"),
            prompt(plan, Act::Provision, Ends::Failed, "OperationFailed"),
            prompt(plan, Act::Provision, Ends::Done, "201"),
            prompt(plan, Act::Bind, Ends::Refused, "OperationRefused"),
            prompt(plan, Act::Bind, Ends::Failed, "OperationFailed"),
            prompt(plan, Act::Bind, Ends::Done, "201"),
            prompt(plan, Act::Update, Ends::Refused, "OperationRefused"),
            prompt(plan, Act::Update, Ends::Failed, "OperationFailed"),
            prompt(plan, Act::Update, Ends::Done, "200"),
            prompt(plan, Act::Unbind, Ends::Refused, "OperationRefused"),
            prompt(plan, Act::Unbind, Ends::Failed, "OperationFailed"),
            prompt(plan, Act::Unbind, Ends::Done, "200"),
            prompt(plan, Act::Bind, Ends::Done, "201"),
            prompt(plan, Act::Deprovision, Ends::Refused, "OperationRefused"),
            prompt(plan, Act::Deprovision, Ends::Failed, "OperationFailed"),
            prompt(plan, Act::Deprovision, Ends::Done, "200"),
        ]);
    }
    for act in [
        Act::Provision,
        Act::Update,
        Act::Bind,
        Act::Unbind,
        Act::Deprovision,
    ] {
        legs.extend([
            ask(WAITS, act, "StillRunning"),
            with(WAITS, act, "StillRunning", |ask| ask.accepts = false),
            end(Ends::Done),
        ]);
    }
    legs
}

fn cancelled() -> Vec<Leg> {
    vec![
        ask(LATER, Act::Provision, "202"),
        ask(LATER, Act::Deprovision, "202"),
        ask(LATER, Act::Poll, "200 InProgress"),
        with(LATER, Act::Poll, "200 Failed", |ask| {
            ask.named = Named::Known(1);
        }),
        // It learns that its lease is lost.
        go(Step::Say(0)),
        end(Ends::Done),
        ask(LATER, Act::Poll, "410"),
        // This one ends before it learns that, and does not count.
        ask(LATER, Act::Provision, "202"),
        ask(LATER, Act::Deprovision, "202"),
        end(Ends::Done),
        ask(LATER, Act::Poll, "200 InProgress"),
        end(Ends::Done),
        ask(LATER, Act::Poll, "410"),
        // And this one sleeps through its lease.
        ask(LATER, Act::Provision, "202"),
        (Step::Ask(1, of(LATER, Act::Deprovision)), "202"),
        go(Step::Wait(LEASE + SECOND)),
        go(Step::Look(1)),
        go(Step::End(1, Ends::Done)),
        end(Ends::Done),
        ask(LATER, Act::Poll, "410"),
        ask(LATER, Act::Provision, "202"),
        end(Ends::Done),
        ask(LATER, Act::Bind, "202"),
        ask(LATER, Act::Unbind, "202"),
        end(Ends::Again(Some(0))),
        end(Ends::Done),
        ask(LATER, Act::PollBinding, "410"),
        ask(LATER, Act::Bind, "202"),
        ask(LATER, Act::Unbind, "202"),
        go(Step::Stop(0)),
        end(Ends::Done),
        ask(LATER, Act::PollBinding, "410"),
    ]
}

fn deprovisioned() -> Vec<Leg> {
    let second = |act, answer| with(LATER, act, answer, |ask| ask.binding = 1);
    vec![
        ask(LATER, Act::Provision, "202"),
        end(Ends::Done),
        ask(LATER, Act::Bind, "202"),
        end(Ends::Done),
        second(Act::Bind, "202"),
        end(Ends::Done),
        ask(LATER, Act::Deprovision, "202"),
        end(Ends::Done),
        ask(LATER, Act::PollBinding, "410"),
        second(Act::Bind, "ConcurrencyError"),
        second(Act::FetchBinding, "BindingNotFound"),
        end(Ends::Refused),
        ask(LATER, Act::Poll, "200 Failed"),
        ask(LATER, Act::Fetch, "InstanceNotFound"),
        second(Act::FetchBinding, "200"),
        ask(LATER, Act::Deprovision, "202"),
        go(Step::Wait(LEASE + SECOND)),
        go(Step::Look(1)),
        end(Ends::Done),
        end(Ends::Done),
        end(Ends::FailedFlags(true, true)),
        ask(LATER, Act::Poll, "200 Failed"),
        ask(LATER, Act::Deprovision, "202"),
        end(Ends::Done),
        ask(LATER, Act::Poll, "410"),
    ]
}

fn failures() -> Vec<Leg> {
    vec![
        ask(LATER, Act::Provision, "202"),
        end(Ends::Refused),
        ask(LATER, Act::Poll, "200 Failed"),
        ask(LATER, Act::Deprovision, "410"),
        ask(LATER, Act::Provision, "202"),
        end(Ends::FailedFlags(true, true)),
        ask(LATER, Act::Poll, "200 Failed"),
        ask(LATER, Act::Fetch, "InstanceNotFound"),
        ask(LATER, Act::Bind, "InstanceNotUsable"),
        ask(LATER, Act::Update, "InstanceNotUsable"),
        with(LATER, Act::Provision, "InstanceConflict", |ask| {
            ask.space = 1;
        }),
        ask(LATER, Act::Provision, "202"),
        end(Ends::Refused),
        ask(LATER, Act::Provision, "202"),
        end(Ends::Done),
        with(LATER, Act::Update, "202", |ask| {
            ask.naming = Naming::Of(EITHER);
        }),
        end(Ends::FailedFlags(false, true)),
        ask(LATER, Act::Poll, "200 Failed"),
        with(LATER, Act::Update, "202", |ask| {
            ask.naming = Naming::Of(NARROW);
        }),
        end(Ends::Refused),
        ask(LATER, Act::Bind, "202"),
        end(Ends::Failed),
        ask(LATER, Act::FetchBinding, "BindingNotFound"),
        ask(LATER, Act::Bind, "202"),
        end(Ends::Refused),
        ask(LATER, Act::PollBinding, "200 Failed"),
        ask(LATER, Act::Unbind, "202"),
        end(Ends::Failed),
        ask(LATER, Act::PollBinding, "200 Failed"),
        with(LATER, Act::Deprovision, "202", |ask| {
            ask.naming = Naming::Of(NARROW);
        }),
        end(Ends::Done),
        end(Ends::Done),
        ask(LATER, Act::Poll, "410"),
    ]
}

/// What was never made is not made by a delete that fails.
fn never_made() -> Vec<Leg> {
    vec![
        ask(LATER, Act::Provision, "202"),
        ask(LATER, Act::Deprovision, "202"),
        go(Step::Say(0)),
        end(Ends::Failed),
        ask(LATER, Act::Poll, "200 Failed"),
        ask(LATER, Act::Fetch, "InstanceNotFound"),
        ask(LATER, Act::Bind, "InstanceNotUsable"),
        ask(LATER, Act::Update, "InstanceNotUsable"),
        ask(LATER, Act::Provision, "202"),
        end(Ends::Failed),
        ask(LATER, Act::Deprovision, "202"),
        end(Ends::Refused),
        ask(LATER, Act::Provision, "202"),
        end(Ends::Refused),
        ask(LATER, Act::Provision, "202"),
        end(Ends::Done),
        ask(LATER, Act::Bind, "202"),
        end(Ends::Failed),
        ask(LATER, Act::Unbind, "202"),
        end(Ends::Refused),
        ask(LATER, Act::FetchBinding, "BindingNotFound"),
        ask(LATER, Act::Bind, "202"),
        ask(LATER, Act::Unbind, "202"),
        go(Step::Say(0)),
        end(Ends::Failed),
        ask(LATER, Act::Bind, "202"),
        end(Ends::Done),
        ask(LATER, Act::FetchBinding, "200"),
        // What was made stays made.
        ask(LATER, Act::Unbind, "202"),
        end(Ends::Failed),
        ask(LATER, Act::Bind, "200"),
        ask(LATER, Act::Deprovision, "202"),
        end(Ends::Failed),
        ask(LATER, Act::Provision, "200"),
    ]
}

fn attempts() -> Vec<Leg> {
    let mut legs = vec![ask(LATER, Act::Provision, "202")];
    // It is given up after three, whether it says so or its process dies.
    for after in [None, Some(90_000)] {
        legs.extend([
            end(Ends::Again(after)),
            ask(LATER, Act::Poll, "200 InProgress"),
            go(Step::Wait(91 * SECOND)),
            go(Step::Look(1)),
        ]);
    }
    legs.extend([
        end(Ends::Again(None)),
        ask(LATER, Act::Poll, "200 Failed"),
        ask(LATER, Act::Provision, "202"),
    ]);
    for _ in 0..3 {
        legs.extend([
            go(Step::CrashAll),
            go(Step::Wait(LEASE + SECOND)),
            go(Step::Look(1)),
        ]);
    }
    legs.push(ask(LATER, Act::Poll, "200 Failed"));
    legs
}

fn processes() -> Vec<Leg> {
    vec![
        ask(LATER, Act::Provision, "202"),
        // However often it is given back, that is no attempt.
        go(Step::Stop(0)),
        go(Step::Stop(0)),
        go(Step::Stop(0)),
        go(Step::Stop(0)),
        // One sleeps through its lease, and another goes on.
        go(Step::Wait(LEASE + SECOND)),
        go(Step::Look(1)),
        end(Ends::Failed),
        ask(LATER, Act::Poll, "200 InProgress"),
        end(Ends::Done),
        ask(LATER, Act::Poll, "200 Succeeded"),
        ask(LATER, Act::Update, "202"),
        go(Step::Wait(LEASE + SECOND)),
        go(Step::Look(1)),
        end(Ends::Again(Some(0))),
        go(Step::Crash(1)),
        go(Step::Wait(LEASE + SECOND)),
        go(Step::Look(0)),
        end(Ends::Done),
        ask(LATER, Act::Bind, "202"),
        end(Ends::Done),
        ask(LATER, Act::Deprovision, "202"),
        go(Step::Wait(LEASE + SECOND)),
        go(Step::Look(1)),
        end(Ends::Done),
        end(Ends::Done),
        end(Ends::Done),
        ask(LATER, Act::Poll, "410"),
    ]
}

fn narrow() -> Vec<Leg> {
    let second = |act, answer| with(NARROW, act, answer, |ask| ask.instance = 1);
    vec![
        ask(NARROW, Act::Provision, "202"),
        second(Act::Provision, "202"),
        go(Step::Look(1)),
        end(Ends::Done),
        second(Act::Poll, "200 InProgress"),
        end(Ends::Done),
        second(Act::Poll, "200 Succeeded"),
        // One that lost its place by sleeping does not get it back by waking.
        ask(NARROW, Act::Update, "202"),
        second(Act::Update, "202"),
        go(Step::Wait(LEASE + SECOND)),
        go(Step::Look(1)),
        go(Step::Say(0)),
        end(Ends::Done),
        end(Ends::Done),
        second(Act::Poll, "200 Succeeded"),
        // Nor does what it did count, though nobody else has begun yet.
        ask(NARROW, Act::Update, "202"),
        second(Act::Update, "202"),
        go(Step::Wait(LEASE + SECOND)),
        go(Step::Look(1)),
        end(Ends::Done),
        ask(NARROW, Act::Poll, "200 InProgress"),
        end(Ends::Done),
        second(Act::Poll, "200 Succeeded"),
        end(Ends::Done),
        ask(NARROW, Act::Poll, "200 Succeeded"),
    ]
}

fn mistakes() -> Vec<Leg> {
    let mut legs = Vec::new();
    let proud = |act| with(LATER, act, "AsyncRequired", |ask| ask.accepts = false);
    let unknown = |act, answer| with(LATER, act, answer, |ask| ask.naming = Naming::Unknown);
    legs.extend([
        proud(Act::Provision),
        unknown(Act::Provision, "PlanNotInCatalog"),
        ask(LATER, Act::Provision, "202"),
        proud(Act::Provision),
        end(Ends::Done),
        proud(Act::Bind),
        proud(Act::Update),
        proud(Act::Deprovision),
        unknown(Act::Update, "PlanNotInCatalog"),
        unknown(Act::Bind, "PlanNotInCatalog"),
        unknown(Act::Deprovision, "PlanMismatch"),
        with(LATER, Act::Bind, "PlanMismatch", |ask| {
            ask.naming = Naming::Of(EITHER);
        }),
        ask(LATER, Act::Bind, "202"),
        end(Ends::Done),
        proud(Act::Unbind),
        unknown(Act::Unbind, "PlanMismatch"),
        with(LATER, Act::Bind, "BindingConflict", |ask| {
            ask.level = Some(3);
        }),
    ]);
    legs
}

/// Credentials that are made of outputs alone, and a backend that returns none.
fn nothing_returned() -> Vec<Leg> {
    vec![
        ask(NARROW, Act::Provision, "202"),
        end(Ends::DoneBare),
        ask(NARROW, Act::Poll, "200 Succeeded"),
        ask(NARROW, Act::Bind, "202"),
        end(Ends::DoneBare),
        ask(NARROW, Act::PollBinding, "200 Failed"),
        ask(NARROW, Act::FetchBinding, "BindingNotFound"),
        ask(NARROW, Act::Unbind, "202"),
        end(Ends::Done),
        // What it has from a parameter is something.
        with(NARROW, Act::Bind, "202", |ask| ask.level = Some(1)),
        end(Ends::DoneBare),
        ask(NARROW, Act::FetchBinding, "200"),
        ask(NARROW, Act::Unbind, "202"),
        end(Ends::Done),
        ask(NARROW, Act::Deprovision, "202"),
        end(Ends::Done),
        prompt(WAITS, Act::Provision, Ends::DoneBare, "201"),
        prompt(WAITS, Act::Bind, Ends::DoneBare, "OperationFailed"),
        ask(WAITS, Act::FetchBinding, "BindingNotFound"),
    ]
}
