//! Writes into the log what happened.

use crate::domain::caller::Caller;
use crate::domain::id::{BindingId, PlanId, ServiceId};
use crate::domain::witness::{Event, Witness};

/// One line for each operation that came to its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogWitness;

impl Witness for LogWitness {
    fn happened(&self, caller: &Caller, event: &Event<'_>) {
        log::debug!(
            target: "operation",
            kind = event.kind.name(),
            instance = event.subject.instance().as_str(),
            binding = event.subject.binding().map_or("-", BindingId::as_str),
            service = event.service.map_or("-", ServiceId::as_str),
            plan = event.plan.map_or("-", PlanId::as_str),
            login = &*caller.login;
            "succeeded"
        );
    }
}
