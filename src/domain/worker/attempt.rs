//! One attempt: the backend acts while the lease is renewed beside it; whichever ends first decides.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;

use super::ending::{self, Concluded};
use super::step;
use super::{Worker, between, earlier, later};
use crate::domain::backend::{Done, Failure, Outcome, Previous, Progress, Work};
use crate::domain::binding::Binding;
use crate::domain::broker::random;
use crate::domain::catalog::Catalog;
use crate::domain::id::OperationId;
use crate::domain::offering::Chosen;
use crate::domain::operation::{Kind, Operation, Report, State, Subject};
use crate::domain::store::{End, Ending, Lease, Renewal, StoreError, Taken, Unbound};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::domain::witness::{self, Acted, Attempted, Event};

/// How long the end of an attempt waits before it asks a store again that was away.
const AGAIN: Duration = Duration::from_millis(200);

/// What ends an attempt.
enum Over {
    /// The backend, with this.
    Outcome(Outcome),
    /// The lease was lost to another attempt or a delete.
    Lost,
    /// The lease could not be renewed in time: another attempt may begin.
    Lapsed,
}

impl Worker {
    /// Carries out what was taken up with a lease until then.
    pub(super) async fn attempt(&self, taken: Taken, until: Timestamp) {
        let note = Note::new(until);
        let began = (self.clock)();
        // One catalog from beginning to end.
        let catalog = self.live.now();
        let over = self.race(&catalog, &taken, &note).await;
        self.tell_result(&taken, &over, began);
        match over {
            Over::Outcome(outcome) => self.conclude(&catalog, taken, outcome).await,
            Over::Lost => {
                self.tell_attempt(&taken, "stopped: the operation was cancelled or taken over");
                self.end(&taken, Ending::Stopped).await;
            }
            Over::Lapsed => self.tell_attempt(&taken, "stopped: its lease was not renewed in time"),
        }
    }

    async fn race(&self, catalog: &Catalog, taken: &Taken, note: &Note) -> Over {
        let mut acts = pin!(self.act(catalog, taken, note));
        let mut keeps = pin!(self.keep(taken, note));
        poll_fn(|context| {
            // The process may have slept, at any point: then another may act by now, and this one does nothing more.
            if (self.clock)() >= note.until() {
                return Poll::Ready(Over::Lapsed);
            }
            // What came of it counts, even where the lease went at the same moment: the store will tell.
            match acts.as_mut().poll(context) {
                Poll::Ready(over) => Poll::Ready(over),
                Poll::Pending => keeps.as_mut().poll(context),
            }
        })
        .await
    }

    /// Renews the lease, for as long as it is polled.
    async fn keep(&self, taken: &Taken, note: &Note) -> Over {
        let third = self.terms.lease / 3;
        // The lease counts from the question on, however long the answer took.
        let mut rest = between((self.clock)(), earlier(note.until(), third * 2));
        loop {
            let _ = tokio::time::timeout(rest, note.news.notified()).await;
            let now = (self.clock)();
            let next = later(now, self.terms.lease);
            let renewal = Renewal {
                operation: taken.operation.id.clone(),
                subject: taken.operation.subject.clone(),
                attempt: taken.attempt,
                now,
                until: next,
                description: note.take(),
            };
            // A store that does not answer must not keep it acting: a part of the lease is left to stop in.
            let patience = between(now, earlier(note.until(), third / 2));
            match tokio::time::timeout(patience, self.store.renew(renewal)).await {
                Ok(Ok(Lease::Held)) => {
                    note.lasts(next);
                    rest = third;
                }
                Ok(Ok(Lease::Lost)) => return Over::Lost,
                Ok(Err(_)) if later((self.clock)(), third) < note.until() => rest = third / 4,
                Ok(Err(_)) | Err(_) => return Over::Lapsed,
            }
        }
    }

    async fn act(&self, catalog: &Catalog, taken: &Taken, note: &Note) -> Over {
        let plan_id = taken.plan_id();
        let service_id = &taken.instance.service_id;
        // What is hidden makes nothing any more.
        let chosen = match taken.operation.kind {
            Kind::Unbind | Kind::Deprovision => catalog.remover(service_id, plan_id),
            _ => catalog.choose(service_id, plan_id).ok(),
        };
        let Some(chosen) = chosen else {
            // The same is refused before it is recorded, for as long as the plan stays away.
            return Over::Outcome(Outcome::Failed(Failure {
                description: format!(
                    "The plan `{plan_id}` is no longer in the catalog. Ask the operator of the broker."
                ),
                instance_usable: taken.is_first().then_some(true),
                update_repeatable: Some(false),
            }));
        };
        if taken.tries > chosen.plan.responding.max_attempts {
            return Over::Outcome(given_up(taken.tries - 1, None));
        }
        if taken.operation.kind == Kind::Deprovision
            && let Some(over) = self.unbind_first(taken, chosen, note).await
        {
            return over;
        }
        let after = ending::after(taken);
        let trace = below(taken);
        let work = Work {
            operation: &taken.operation.id,
            kind: taken.operation.kind,
            attempt: taken.attempt,
            started_at: taken.operation.started_at,
            until: note.until(),
            chosen,
            instance: after.as_ref().unwrap_or(&taken.instance),
            previous: after.as_ref().map(|_| Previous {
                instance: &taken.instance,
                plan_name: catalog.plan_name(&taken.instance.plan_id),
            }),
            binding: taken.binding.as_ref(),
            clock: self.clock,
            identity: taken.task.expose().asker.originating_identity.as_ref(),
            trace: trace.as_ref(),
        };
        Over::Outcome(if chosen.plan.backend.carries_out(work.kind) {
            self.step(taken, work, note).await
        } else {
            Outcome::Done(Done::default())
        })
    }

    /// The bindings that are left go first, each by the backend and with an operation of its own. What ends the attempt,
    /// if anything did.
    async fn unbind_first(&self, taken: &Taken, chosen: Chosen<'_>, note: &Note) -> Option<Over> {
        if !chosen.plan.backend.carries_out(Kind::Unbind) {
            return None;
        }
        let bindings = match self.store.bindings(taken.instance.id.clone()).await {
            Ok(bindings) => bindings,
            Err(error) => return Some(later_again(&error)),
        };
        for binding in &bindings {
            let trace = below(taken);
            let id = taken.operation.id.for_binding(&binding.id);
            let work = Work {
                operation: &id,
                kind: Kind::Unbind,
                attempt: taken.attempt,
                started_at: taken.operation.started_at,
                until: note.until(),
                chosen,
                instance: &taken.instance,
                previous: None,
                binding: Some(binding),
                clock: self.clock,
                identity: taken.task.expose().asker.originating_identity.as_ref(),
                trace: trace.as_ref(),
            };
            match self.step(taken, work, note).await {
                Outcome::Done(_) => {}
                Outcome::Refused(refusal) => {
                    let failure = Failure::from(refusal.description);
                    return Some(Over::Outcome(Outcome::Failed(failure)));
                }
                other => return Some(Over::Outcome(other)),
            }
            match self.store.unbound(self.unbound(taken, binding, id)).await {
                Ok(Lease::Held) => {}
                Ok(Lease::Lost) => return Some(Over::Lost),
                Err(error) => return Some(later_again(&error)),
            }
        }
        None
    }

    fn unbound(&self, taken: &Taken, binding: &Binding, id: OperationId) -> Unbound {
        Unbound {
            operation: taken.operation.id.clone(),
            attempt: taken.attempt,
            unbind: Operation {
                id,
                kind: Kind::Unbind,
                subject: Subject::Binding(binding.instance_id.clone(), binding.id.clone()),
                state: State::Succeeded,
                report: Report::default(),
                fingerprint: None,
                started_at: taken.operation.started_at,
                finished_at: Some((self.clock)()),
            },
        }
    }

    async fn conclude(&self, catalog: &Catalog, taken: Taken, outcome: Outcome) {
        let max = catalog
            .remover(&taken.instance.service_id, taken.plan_id())
            .map_or(1, |chosen| chosen.plan.responding.max_attempts);
        let outcome = match outcome {
            Outcome::Again { description, .. } if taken.tries >= max => {
                given_up(taken.tries, description)
            }
            outcome => outcome,
        };
        let now = (self.clock)();
        match ending::of(catalog, &taken, outcome, now) {
            Concluded::Over {
                state,
                report,
                leaves,
            } => {
                let ending = Ending::Over {
                    state,
                    report: report.clone(),
                    leaves,
                };
                if self.end(&taken, ending).await == Some(Lease::Held) {
                    self.bells.over(&Operation {
                        state,
                        report: report.clone(),
                        finished_at: Some(now),
                        ..taken.operation.clone()
                    });
                    self.tell_end(&taken, state, &report);
                } else {
                    self.tell_attempt(&taken, "ended too late: its result does not count");
                }
            }
            Concluded::Again { after, description } => {
                self.tell_attempt(&taken, "will be tried again");
                let due_at = later(now, after);
                self.end(
                    &taken,
                    Ending::Again {
                        due_at,
                        description,
                    },
                )
                .await;
            }
        }
    }

    /// Writes the end of an attempt down, as long as its lease may count. Nothing where the store stayed away.
    async fn end(&self, taken: &Taken, ending: Ending) -> Option<Lease> {
        let give_up = later((self.clock)(), self.terms.lease);
        loop {
            let end = End {
                operation: taken.operation.id.clone(),
                subject: taken.operation.subject.clone(),
                attempt: taken.attempt,
                at: (self.clock)(),
                ending: ending.clone(),
            };
            match self.store.end(end).await {
                Ok(lease) => return Some(lease),
                Err(error) if (self.clock)() >= give_up => {
                    log::error!(
                        trace = trace_id(taken);
                        "the end of operation {} could not be written down, it will be carried out again: {error}",
                        taken.operation.id
                    );
                    return None;
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    fn tell_end(&self, taken: &Taken, state: State, report: &Report) {
        self.witness.happened(&Event {
            operation: Some(&taken.operation.id),
            login: &taken.task.expose().asker.login,
            kind: taken.operation.kind,
            subject: &taken.operation.subject,
            service: Some(&taken.instance.service_id),
            plan: Some(taken.plan_id()),
            state,
            report: Some(report),
            trace: taken.task.expose().asker.trace_id(),
            took: Some(between(taken.operation.started_at, (self.clock)())),
        });
    }

    fn tell_result(&self, taken: &Taken, over: &Over, began: Timestamp) {
        self.witness.acted(&Acted {
            service: &taken.instance.service_id,
            plan: taken.plan_id(),
            kind: taken.operation.kind,
            result: match over {
                Over::Outcome(outcome) => step::result(outcome),
                Over::Lost | Over::Lapsed => witness::Result::Stopped,
            },
            took: between(began, (self.clock)()),
        });
    }

    fn tell_attempt(&self, taken: &Taken, what: &str) {
        self.witness.attempted(&Attempted {
            operation: &taken.operation.id,
            kind: taken.operation.kind,
            subject: &taken.operation.subject,
            attempt: taken.attempt,
            trace: taken.task.expose().asker.trace_id(),
            what,
        });
    }
}

/// A place for an attempt in the trace of its operation. Without chance there is none: no reason to fail.
fn below(taken: &Taken) -> Option<Trace> {
    let trace = taken.task.expose().asker.trace.as_ref()?;
    Some(trace.child(random().ok()?))
}

pub(super) fn trace_id(taken: &Taken) -> &str {
    taken.task.expose().asker.trace_id().unwrap_or("-")
}

/// How far it came nobody knows; what it waited for may be over by another time.
fn given_up(tries: u32, description: Option<String>) -> Outcome {
    Outcome::Failed(Failure {
        description: match description {
            Some(last) => format!("{last} (given up after {tries} attempts)"),
            None => format!("The operation was given up after {tries} attempts."),
        },
        instance_usable: None,
        update_repeatable: Some(true),
    })
}

fn later_again(error: &StoreError) -> Over {
    log::error!("{error}");
    Over::Outcome(Outcome::Again {
        after: None,
        description: None,
    })
}

/// What those who act and those who keep the lease tell each other: what a backend says while it acts, until it is written
/// down with the next renewal, and the end of the lease.
struct Note {
    text: Mutex<Option<String>>,
    news: Notify,
    until: AtomicI64,
}

impl Note {
    fn new(until: Timestamp) -> Self {
        Self {
            text: Mutex::default(),
            news: Notify::default(),
            until: AtomicI64::new(until.0),
        }
    }

    fn until(&self) -> Timestamp {
        Timestamp(self.until.load(Ordering::Relaxed))
    }

    fn lasts(&self, until: Timestamp) {
        self.until.store(until.0, Ordering::Relaxed);
    }

    fn take(&self) -> Option<String> {
        self.text
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Progress for Note {
    fn say(&self, description: &str) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = Some(description.to_owned());
        self.news.notify_one();
    }
}
