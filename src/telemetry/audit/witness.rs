//! Hears what happened, and has a line written of what changed.

use std::sync::Arc;
use std::time::SystemTime;

use super::book::Book;
use super::line::Entry;
use crate::domain::audit::{Account, Began, Denied, Stands};
use crate::domain::id::BindingId;
use crate::domain::operation::{Kind, State};
use crate::domain::time::Clock;
use crate::domain::witness::{
    Acted, Adopted, Attempted, Event, Expired, Intervened, Step, Witness,
};

/// A witness that keeps account, and tells another one everything.
pub struct AuditWitness {
    next: Arc<dyn Witness>,
    book: Arc<Book>,
    clock: Clock,
    /// Who runs the command that this is part of, where it is one.
    uid: Option<u32>,
}

impl AuditWitness {
    /// Of a broker.
    pub fn new(next: Arc<dyn Witness>, book: Arc<Book>, clock: Clock) -> Self {
        Self {
            next,
            book,
            clock,
            uid: None,
        }
    }

    /// Of an operator's command, run by this user of the system.
    #[must_use]
    pub fn of_command(self, uid: u32) -> Self {
        Self {
            uid: Some(uid),
            ..self
        }
    }

    fn entry(&self, event: &'static str) -> Entry {
        Entry::new((self.clock)(), event)
    }
}

impl Witness for AuditWitness {
    /// What was over with its recording has a line by then.
    fn happened(&self, event: &Event<'_>) {
        self.next.happened(event);
        if event.operation.is_none() {
            return;
        }
        self.book.write(
            self.entry("ended")
                .text("login", Some(event.login))
                .what(event.kind, event.subject)
                .of(event.service, event.plan)
                .operation(event.operation)
                .word("result", event.state.name()),
        );
    }

    fn attempted(&self, attempt: &Attempted<'_>) {
        self.next.attempted(attempt);
    }

    /// What ends an operation has a line as its end.
    fn acted(&self, acted: &Acted<'_>) {
        self.next.acted(acted);
    }

    fn adopted(&self, adopted: &Adopted<'_>) {
        self.next.adopted(adopted);
        let subject = adopted.subject;
        self.book.write(
            self.entry("adopted")
                .who(&adopted.who)
                .text("instance", Some(subject.instance().as_str()))
                .text("binding", subject.binding().map(BindingId::as_str))
                .of(Some(adopted.service), Some(adopted.plan)),
        );
    }

    fn expired(&self, expired: &Expired<'_>) {
        self.next.expired(expired);
        self.book.write(
            self.entry("expired")
                .word("by", "broker")
                .what(Kind::Unbind, expired.subject)
                .of(Some(expired.service), Some(expired.plan))
                .operation(Some(expired.operation)),
        );
    }

    fn intervened(&self, intervened: &Intervened<'_>) {
        self.next.intervened(intervened);
        let by = match self.uid {
            Some(_) => "command",
            None => "operator",
        };
        self.book.write(
            self.entry("intervened")
                .word("by", by)
                .number("uid", self.uid.map(u64::from))
                .text("login", intervened.login)
                .peer(intervened.peer)
                .what(intervened.kind, intervened.subject)
                .operation(Some(intervened.operation))
                .text("result", Some(intervened.what)),
        );
    }

    fn account(&self) -> Account {
        if self.book.is_behind() {
            Account::Behind
        } else {
            Account::Kept
        }
    }

    fn began(&self, began: &Began<'_>) {
        self.next.began(began);
        let result = match began.stands {
            Stands::Over => State::Succeeded.name(),
            Stands::Goes => State::InProgress.name(),
            Stands::Unknown => "unknown",
        };
        self.book.write(
            self.entry("began")
                .who(&began.who)
                .what(began.kind, began.subject)
                .asked(&began.asked)
                .operation(began.operation)
                .parameters(&began.asked)
                .word("result", result),
        );
    }

    fn denied(&self, denied: &Denied<'_>) {
        self.next.denied(denied);
        let refused = self.entry("refused");
        let entry = if denied.is_step {
            refused.word("by", "operator")
        } else {
            refused
        };
        self.book.write(
            entry
                .who(&denied.who)
                .word("kind", denied.kind.name())
                .text("instance", Some(denied.instance))
                .text("binding", denied.binding)
                .asked(&denied.asked)
                .operation(denied.operation)
                .parameters(&denied.asked)
                .word("result", "refused")
                .number("status", Some(denied.status.into()))
                .text("error", Some(denied.error)),
        );
    }

    fn steps(&self) -> Option<SystemTime> {
        self.next.steps()
    }

    fn stepped(&self, step: &Step<'_>) {
        self.next.stepped(step);
    }
}

impl std::fmt::Debug for AuditWitness {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("AuditWitness")
    }
}
