//! The door to who is told what happened.

use std::time::{Duration, SystemTime};

use super::audit::{Account, Began, Denied, Who};
use super::caller::Peer;
use super::id::{OperationId, PlanId, ServiceId};
use super::operation::{Kind, Report, State, Subject};
use super::time::Timestamp;
use super::trace::Trace;

/// Who is told.
pub trait Witness: Send + Sync {
    /// An operation came to its end. Called after the store has it, once for each.
    fn happened(&self, event: &Event<'_>);

    /// An attempt did not end an operation.
    fn attempted(&self, attempt: &Attempted<'_>);

    /// A backend was let act, and this came of it. Called before the store has it.
    fn acted(&self, acted: &Acted<'_>);

    /// What a platform named and the store did not know counts as existing from now on. Called after the store has it.
    fn adopted(&self, adopted: &Adopted<'_>);

    /// A binding has ended, and its unbind is recorded: no platform asked for it. Called after the store has it.
    fn expired(&self, expired: &Expired<'_>);

    /// An operator took a step that no platform asked for. Called after the store has it.
    fn intervened(&self, intervened: &Intervened<'_>);

    /// Whether account is kept of changes. Only then the next two are told.
    fn account(&self) -> Account {
        Account::None
    }

    /// A change was recorded. Called after the store has it, once for each.
    fn began(&self, _: &Began<'_>) {}

    /// A change was refused to a caller that is known, or a step to an operator.
    fn denied(&self, _: &Denied<'_>) {}

    /// The time, where steps of traces are recorded. Only then the next is told.
    fn steps(&self) -> Option<SystemTime> {
        None
    }

    /// A backend was let act, as a step of a trace that is sampled. Called before the store has it.
    fn stepped(&self, _: &Step<'_>) {}
}

/// What happened: names only, nothing confidential.
#[derive(Debug)]
pub struct Event<'a> {
    /// The operation, where it is remembered.
    pub operation: Option<&'a OperationId>,
    /// The login that asked.
    pub login: &'a str,
    /// What was done.
    pub kind: Kind,
    /// To what.
    pub subject: &'a Subject,
    /// Of which offering, where that is known.
    pub service: Option<&'a ServiceId>,
    /// Of which plan, where that is known.
    pub plan: Option<&'a PlanId>,
    /// How it ended.
    pub state: State,
    /// What was told of it, where anything was.
    pub report: Option<&'a Report>,
    /// The trace of the request that asked, where it was part of one.
    pub trace: Option<&'a str>,
    /// How long it took from its recording on; nothing where it was over with that.
    pub took: Option<Duration>,
}

/// What came of one attempt, for the backend that made it.
#[derive(Debug)]
pub struct Acted<'a> {
    /// The offering.
    pub service: &'a ServiceId,
    /// The plan whose backend it is.
    pub plan: &'a PlanId,
    /// What was tried.
    pub kind: Kind,
    /// What came of it.
    pub result: Result,
    /// How long it took.
    pub took: Duration,
}

/// What a backend did as one step of a trace: names only, nothing confidential.
#[derive(Debug)]
pub struct Step<'a> {
    /// Its place in the trace, which the backend was told.
    pub place: &'a Trace,
    /// The place of the request that asked for it.
    pub below: &'a Trace,
    /// When it began.
    pub began: SystemTime,
    /// The operation.
    pub operation: &'a OperationId,
    /// What was tried.
    pub kind: Kind,
    /// Which attempt.
    pub attempt: u32,
    /// On what.
    pub subject: &'a Subject,
    /// Of which offering.
    pub service: &'a ServiceId,
    /// Of which plan.
    pub plan: &'a PlanId,
    /// The kind of its backend, as the document has it.
    pub backend: &'static str,
    /// What came of it.
    pub result: Result,
}

/// What may come of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Result {
    /// It was done.
    Done,
    /// It was not to be done, and nothing was.
    Refused,
    /// It was not done, or by half, for good.
    Failed,
    /// It is to be tried again.
    Again,
    /// It was stopped: its lease was lost.
    Stopped,
}

impl Result {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Done,
        Self::Refused,
        Self::Failed,
        Self::Again,
        Self::Stopped,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Again => "again",
            Self::Stopped => "stopped",
        }
    }
}

/// An attempt that did not end its operation.
#[derive(Debug)]
pub struct Attempted<'a> {
    /// The operation.
    pub operation: &'a OperationId,
    /// What was tried.
    pub kind: Kind,
    /// On what.
    pub subject: &'a Subject,
    /// Which attempt.
    pub attempt: u32,
    /// The trace of the request that asked, where it was part of one.
    pub trace: Option<&'a str>,
    /// What comes of it.
    pub what: &'a str,
}

/// What was adopted.
#[derive(Debug)]
pub struct Adopted<'a> {
    /// Who named it.
    pub who: Who<'a>,
    /// It.
    pub subject: &'a Subject,
    /// Of which offering.
    pub service: &'a ServiceId,
    /// Of which plan.
    pub plan: &'a PlanId,
}

/// A binding that is unbound because it has ended.
#[derive(Debug)]
pub struct Expired<'a> {
    /// The unbind.
    pub operation: &'a OperationId,
    /// The binding.
    pub subject: &'a Subject,
    /// Of which offering.
    pub service: &'a ServiceId,
    /// Of which plan.
    pub plan: &'a PlanId,
    /// When it ended.
    pub expires_at: Timestamp,
}

/// A step of an operator.
#[derive(Debug)]
pub struct Intervened<'a> {
    /// The operation; of an instance that was forgotten, the one that is recorded for that.
    pub operation: &'a OperationId,
    /// What the operation does.
    pub kind: Kind,
    /// To what.
    pub subject: &'a Subject,
    /// What was done.
    pub what: &'a str,
    /// The login that the operator showed; nothing where it was a command beside the broker.
    pub login: Option<&'a str>,
    /// Where the operator's request came from.
    pub peer: Option<Peer>,
}
