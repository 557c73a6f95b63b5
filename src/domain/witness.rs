//! The door to who is told what happened.

use super::caller::Caller;
use super::id::{PlanId, ServiceId};
use super::operation::{Kind, Subject};

/// Who is told.
pub trait Witness: Send + Sync {
    /// An operation came to its end. Called after the store has it, once for each.
    fn happened(&self, caller: &Caller, event: &Event<'_>);
}

/// What happened: names only, nothing confidential.
#[derive(Debug)]
pub struct Event<'a> {
    /// What was done.
    pub kind: Kind,
    /// To what.
    pub subject: &'a Subject,
    /// Of which offering, where that is known.
    pub service: Option<&'a ServiceId>,
    /// Of which plan, where that is known.
    pub plan: Option<&'a PlanId>,
}
