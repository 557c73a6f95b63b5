//! Writes into the log what happened; and several witnesses as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::domain::id::{BindingId, OperationId, PlanId, ServiceId};
use crate::domain::operation::{Kind, State};
use crate::domain::recent::Recent;
use crate::domain::time::Clock;
use crate::domain::witness::{
    Acted, Adopted, Attempted, Event, Expired, Intervened, Step, Witness,
};

/// One line for each operation that came to its end, for each attempt that did not end one, for what was adopted or
/// has expired, and for each step of an operator.
#[derive(Debug, Default)]
pub struct LogWitness {
    /// How many instances and bindings were adopted since the start.
    adopted: AtomicU64,
    /// Where the latest lines of an operation are kept for who looks at it, and what tells the time there.
    recent: Option<(Arc<Recent>, Clock)>,
}

impl LogWitness {
    /// One that keeps the latest lines of each operation, too.
    pub fn noting(recent: Arc<Recent>, clock: Clock) -> Self {
        Self {
            recent: Some((recent, clock)),
            ..Self::default()
        }
    }

    fn note(&self, operation: &OperationId, text: String) {
        if let Some((recent, clock)) = &self.recent {
            recent.note(operation, clock(), text);
        }
    }
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
            trace = event.trace.unwrap_or("-"),
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
            attempt = attempt.attempt,
            trace = attempt.trace.unwrap_or("-");
            "{}", attempt.what
        );
        self.note(
            attempt.operation,
            format!("Attempt {}: {}.", attempt.attempt, attempt.what),
        );
    }

    /// What ends an operation has a line as its end, all else as an attempt.
    fn acted(&self, _: &Acted<'_>) {}

    fn adopted(&self, adopted: &Adopted<'_>) {
        let count = self.adopted.fetch_add(1, Ordering::Relaxed) + 1;
        log::info!(
            target: "operation",
            instance = adopted.subject.instance().as_str(),
            binding = adopted.subject.binding().map_or("-", BindingId::as_str),
            service = adopted.service.as_str(),
            plan = adopted.plan.as_str(),
            login = adopted.who.login,
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
            binding = intervened.subject.binding().map_or("-", BindingId::as_str),
            login = intervened.login.unwrap_or("-");
            "{} by the operator", intervened.what
        );
        let by = intervened.login.unwrap_or("a command");
        self.note(
            intervened.operation,
            format!("An operator stepped in: {} by {by}.", intervened.what),
        );
    }
}

/// Several witnesses: each is told all.
pub struct Chorus(pub Vec<Arc<dyn Witness>>);

impl Witness for Chorus {
    fn happened(&self, event: &Event<'_>) {
        self.0.iter().for_each(|witness| witness.happened(event));
    }

    fn attempted(&self, attempt: &Attempted<'_>) {
        self.0.iter().for_each(|witness| witness.attempted(attempt));
    }

    fn acted(&self, acted: &Acted<'_>) {
        self.0.iter().for_each(|witness| witness.acted(acted));
    }

    fn adopted(&self, adopted: &Adopted<'_>) {
        self.0.iter().for_each(|witness| witness.adopted(adopted));
    }

    fn expired(&self, expired: &Expired<'_>) {
        self.0.iter().for_each(|witness| witness.expired(expired));
    }

    fn intervened(&self, intervened: &Intervened<'_>) {
        let told = |witness: &Arc<dyn Witness>| witness.intervened(intervened);
        self.0.iter().for_each(told);
    }

    fn steps(&self) -> Option<SystemTime> {
        self.0.iter().find_map(|witness| witness.steps())
    }

    fn stepped(&self, step: &Step<'_>) {
        self.0.iter().for_each(|witness| witness.stepped(step));
    }
}

impl std::fmt::Debug for Chorus {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Chorus")
    }
}
