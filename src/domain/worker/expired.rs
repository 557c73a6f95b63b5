//! Bindings that have ended: each is unbound as if its platform had asked for it, by the same operation.
//!
//! The store leaves each to one broker at a time for a rest (`claim_expired`), and the unbind begins with what was read of
//! the binding, so that of several brokers one does it, and a platform's own unbind is never in the way. No lock is held
//! in between, and few begin at a time: what platforms ask for is in the same queues. What the backend fails at is claimed
//! again after its rest.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Worker, later};
use crate::domain::broker::random;
use crate::domain::caller::Asker;
use crate::domain::error::BrokerError;
use crate::domain::expiry::Unbinds;
use crate::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use crate::domain::operation::{Kind, Operation, Report, State, Subject, Task};
use crate::domain::store::{Act, Begun, Change, Claim, Job, Lookup, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::witness::{Event, Expired};
use crate::secret::Secret;

/// How long between two looks, at least.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many unbinds one look begins.
const AT_ONCE: u32 = 16;

/// How long a binding rests between two unbinds: first, and at most.
const REST: Duration = Duration::from_secs(60);
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// In place of a login, of what no platform asked for.
const ASKER: &str = "expiry";

/// The looks of a worker: one at a time.
#[derive(Default)]
pub(super) struct Looks {
    last: Option<Timestamp>,
    running: JoinSet<()>,
}

impl Looks {
    pub(super) async fn stop(mut self) {
        self.running.shutdown().await;
    }
}

/// Why the unbind of a binding did not begin.
enum Trouble {
    Store(StoreError),
    Broker(BrokerError),
    /// Its backend left the catalog.
    BackendGone(PlanId),
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(why) => why.fmt(out),
            Self::Broker(why) => write!(out, "{why:?}"),
            Self::BackendGone(plan) => {
                let gone = "is no longer in the catalog, and its backend has to act";
                write!(out, "its plan {plan} {gone}")
            }
        }
    }
}

impl Worker {
    /// Looks for what has ended where it is time for that, and lets it be unbound beside all else.
    pub(super) async fn look_for_expired(self: &Arc<Self>, looks: &mut Looks) {
        while looks.running.try_join_next().is_some() {}
        let now = (self.clock)();
        let is_time = looks.last.is_none_or(|last| now >= later(last, LOOK_EVERY));
        if self.terms.expiry.unbinds == Unbinds::Nothing || !is_time || !looks.running.is_empty() {
            return;
        }
        looks.last = Some(now);
        let by = now.earlier(self.terms.expiry.grace);
        let claim = Claim {
            by,
            untold: self.terms.expiry.unbinds == Unbinds::All,
            most: AT_ONCE,
            rests: (REST, LONGEST_REST),
        };
        match self.store.claim_expired(claim).await {
            Ok(claimed) if claimed.is_empty() => {}
            Ok(claimed) => {
                let worker = Arc::clone(self);
                looks
                    .running
                    .spawn(async move { worker.unbind_all(claimed, by).await });
            }
            Err(error) => log::debug!("expired bindings cannot be looked for: {error}"),
        }
    }

    async fn unbind_all(&self, claimed: Vec<(InstanceId, BindingId)>, by: Timestamp) {
        for (instance, id) in claimed {
            if let Err(trouble) = self.unbind_one(&instance, &id, by).await {
                log::error!(
                    "the expired binding {id} of {instance} is not unbound yet, it will be tried again: {trouble}"
                );
            }
        }
    }

    async fn unbind_one(
        &self,
        instance: &InstanceId,
        id: &BindingId,
        by: Timestamp,
    ) -> Result<(), Trouble> {
        let found = self.store.binding(instance.clone(), id.clone()).await;
        let Lookup::Found((instance, Some(binding))) = found.map_err(Trouble::Store)? else {
            return Ok(());
        };
        // Since the claim it may have been unbound and bound again.
        let ends = binding.details.expose().ends;
        let Some(ends) = ends.filter(|ends| ends.expires_at <= by) else {
            return Ok(());
        };
        // Or its platform may just have asked for its end.
        if binding.last_operation.in_progress() {
            return Ok(());
        }
        let (service, plan) = (&instance.service_id, &instance.plan_id);
        let catalog = self.live.now();
        let chosen = catalog.remover(service, plan);
        if chosen.is_none() && instance.backend.is_some() {
            return Err(Trouble::BackendGone(plan.clone()));
        }
        let acting = chosen.filter(|chosen| chosen.plan.backend.carries_out(Kind::Unbind));
        let job = acting.map(|chosen| Job {
            backend: chosen.plan.backend.name().into(),
            limited: chosen.plan.backend.concurrency().is_some(),
            hold: None,
            task: Secret::new(Task {
                asker: Asker {
                    login: ASKER.to_owned(),
                    originating_identity: None,
                    request_identity: None,
                    trace: None,
                },
                update: None,
            }),
            cancels: None,
        });
        let over = job.is_none();
        let subject = Subject::Binding(instance.id.clone(), id.clone());
        let operation = self
            .unbind(subject.clone(), over)
            .map_err(Trouble::Broker)?;
        let change = Change {
            operation: operation.clone(),
            act: Act::Unbind {
                expected: binding.last_operation.id.clone(),
            },
            job,
            guards: Vec::new(),
        };
        let begun = self.store.begin(change).await.map_err(Trouble::Store)?;
        // Else its platform was first, or its instance is being changed: after the rest that is seen.
        if matches!(begun, Begun::Done) {
            self.witness.expired(&Expired {
                operation: &operation.id,
                subject: &subject,
                service,
                plan,
                expires_at: ends.expires_at,
            });
            if over {
                self.tell_gone(&operation, (service, plan));
            } else {
                self.bells.work();
            }
        }
        Ok(())
    }

    fn unbind(&self, subject: Subject, over: bool) -> Result<Operation, BrokerError> {
        let now = (self.clock)();
        let state = if over {
            State::Succeeded
        } else {
            State::InProgress
        };
        Ok(Operation {
            id: OperationId::from_random(random()?),
            kind: Kind::Unbind,
            subject,
            state,
            report: Report::default(),
            fingerprint: None,
            started_at: now,
            finished_at: over.then_some(now),
        })
    }

    fn tell_gone(&self, operation: &Operation, (service, plan): (&ServiceId, &PlanId)) {
        self.witness.happened(&Event {
            operation: Some(&operation.id),
            login: ASKER,
            kind: Kind::Unbind,
            subject: &operation.subject,
            service: Some(service),
            plan: Some(plan),
            state: State::Succeeded,
            report: None,
            trace: None,
            took: None,
        });
    }
}
