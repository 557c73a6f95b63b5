//! Hears what happened, and has a line written of what changed.

use std::sync::Arc;

use super::book::Book;
use super::line::{Entry, Text};
use crate::domain::audit::{Account, Began, Denied, Stands};
use crate::domain::operation::{Kind, State};
use crate::domain::time::Clock;
use crate::domain::witness::{Acted, Adopted, Attempted, Event, Expired, Intervened, Witness};

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

    fn entry<'a>(&self, event: &'static str) -> Entry<'a> {
        Entry::new((self.clock)(), event)
    }

    fn write(&self, entry: &Entry<'_>) {
        self.book.write(entry.json());
    }
}

impl Witness for AuditWitness {
    /// What was over with its recording has a line by then.
    fn happened(&self, event: &Event<'_>) {
        self.next.happened(event);
        if event.operation.is_none() {
            return;
        }
        let entry = self.entry("ended");
        self.write(
            &Entry {
                login: Some(Text(event.login)),
                ..entry
            }
            .what(event.kind, event.subject)
            .of(event.service, event.plan)
            .operation(event.operation)
            .result(event.state.name()),
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
        let entry = Entry {
            login: Some(Text(adopted.login)),
            ..self.entry("adopted")
        };
        let subject = adopted.subject;
        self.write(&Entry {
            instance: Some(Text(subject.instance().as_str())),
            binding: subject.binding().map(|id| Text(id.as_str())),
            ..entry.of(Some(adopted.service), Some(adopted.plan))
        });
    }

    fn expired(&self, expired: &Expired<'_>) {
        self.next.expired(expired);
        self.write(
            &Entry {
                by: Some("broker"),
                ..self.entry("expired")
            }
            .what(Kind::Unbind, expired.subject)
            .of(Some(expired.service), Some(expired.plan))
            .operation(Some(expired.operation)),
        );
    }

    fn intervened(&self, intervened: &Intervened<'_>) {
        self.next.intervened(intervened);
        self.write(
            &Entry {
                by: Some(match self.uid {
                    Some(_) => "command",
                    None => "operator",
                }),
                uid: self.uid,
                login: intervened.login.map(Text),
                ..self.entry("intervened")
            }
            .what(intervened.kind, intervened.subject)
            .operation(Some(intervened.operation))
            .result(intervened.what),
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
        self.write(
            &self
                .entry("began")
                .who(&began.who)
                .what(began.kind, began.subject)
                .asked(&began.asked)
                .operation(began.operation)
                .result(result),
        );
    }

    fn denied(&self, denied: &Denied<'_>) {
        self.next.denied(denied);
        let entry = self
            .entry("refused")
            .who(&denied.who)
            .asked(&denied.asked)
            .result("refused");
        self.write(&Entry {
            kind: Some(denied.kind.name()),
            instance: Some(Text(denied.instance)),
            binding: denied.binding.map(Text),
            status: Some(denied.status),
            error: Some(Text(denied.error)),
            ..entry
        });
    }
}

impl std::fmt::Debug for AuditWitness {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("AuditWitness")
    }
}
