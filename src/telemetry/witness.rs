//! Writes into the log what happened.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::id::{BindingId, OperationId, PlanId, ServiceId};
use crate::domain::operation::{Kind, State};
use crate::domain::witness::{Adopted, Attempted, Event, Expired, Intervened, Witness};

/// One line for each operation that came to its end, for each attempt that did not end one, for what was adopted or
/// has expired, and for each step of an operator.
#[derive(Debug, Default)]
pub struct LogWitness {
    /// How many instances and bindings were adopted since the start.
    adopted: AtomicU64,
}

impl Witness for LogWitness {
    fn happened(&self, event: &Event<'_>) {
        let level = match event.state {
            State::Failed => log::Level::Warn,
            _ if event.operation.is_some() => log::Level::Info,
            _ => log::Level::Debug,
        };
        log::log!(
            target: "operation",
            level,
            operation = event.operation.map_or("-", OperationId::as_str),
            kind = event.kind.name(),
            instance = event.subject.instance().as_str(),
            binding = event.subject.binding().map_or("-", BindingId::as_str),
            service = event.service.map_or("-", ServiceId::as_str),
            plan = event.plan.map_or("-", PlanId::as_str),
            login = event.login,
            description = event.report.and_then(|report| report.description.as_deref()).unwrap_or("-");
            "{}", event.state
        );
    }

    fn attempted(&self, attempt: &Attempted<'_>) {
        log::warn!(
            target: "operation",
            operation = attempt.operation.as_str(),
            kind = attempt.kind.name(),
            instance = attempt.subject.instance().as_str(),
            binding = attempt.subject.binding().map_or("-", BindingId::as_str),
            attempt = attempt.attempt;
            "{}", attempt.what
        );
    }

    fn adopted(&self, adopted: &Adopted<'_>) {
        let count = self.adopted.fetch_add(1, Ordering::Relaxed) + 1;
        log::info!(
            target: "operation",
            instance = adopted.subject.instance().as_str(),
            binding = adopted.subject.binding().map_or("-", BindingId::as_str),
            service = adopted.service.as_str(),
            plan = adopted.plan.as_str(),
            login = adopted.login,
            count;
            "adopted: the store did not know it"
        );
    }

    fn expired(&self, expired: &Expired<'_>) {
        let expires_at = expired.expires_at.to_string();
        log::info!(
            target: "operation",
            operation = expired.operation.as_str(),
            kind = Kind::Unbind.name(),
            instance = expired.subject.instance().as_str(),
            binding = expired.subject.binding().map_or("-", BindingId::as_str),
            service = expired.service.as_str(),
            plan = expired.plan.as_str(),
            expires_at = expires_at.as_str();
            "expired: the broker unbinds it"
        );
    }

    fn intervened(&self, intervened: &Intervened<'_>) {
        log::warn!(
            target: "operation",
            operation = intervened.operation.as_str(),
            kind = intervened.kind.name(),
            instance = intervened.subject.instance().as_str(),
            binding = intervened.subject.binding().map_or("-", BindingId::as_str);
            "{} by the operator", intervened.what
        );
    }
}
