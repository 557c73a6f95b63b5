//! An unbind that no platform asked for: of a binding that has ended, or that an operator ends. It is recorded as a
//! platform's is, with what was read of the binding, so that it is never in the way of one.

use std::fmt;

use super::binding::Binding;
use super::broker::random;
use super::caller::Asker;
use super::catalog::Catalog;
use super::error::BrokerError;
use super::id::{OperationId, PlanId, ServiceId};
use super::instance::Instance;
use super::operation::{Kind, Operation, Report, State, Subject, Task};
use super::store::{Act, Change, Job};
use super::time::Timestamp;
use super::witness::Event;
use crate::secret::Secret;

/// The unbind, before it is recorded.
#[derive(Debug)]
pub struct Unbinding {
    /// The operation.
    pub operation: Operation,
    /// The offering.
    pub service: ServiceId,
    /// The plan of the instance.
    pub plan: PlanId,
    change: Change,
}

/// Why there is none.
#[derive(Debug)]
pub enum Unfit {
    /// The system gave no id.
    Broker(BrokerError),
    /// Its backend left the catalog.
    BackendGone(PlanId),
}

impl fmt::Display for Unfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(why) => write!(out, "{why:?}"),
            Self::BackendGone(plan) => {
                let gone = "is no longer in the catalog, and its backend has to act";
                write!(out, "its plan {plan} {gone}")
            }
        }
    }
}

impl Unbinding {
    /// Of a binding as it was read, with its instance; in the name of `login`.
    pub fn of(
        catalog: &Catalog,
        instance: &Instance,
        binding: &Binding,
        login: &str,
        now: Timestamp,
    ) -> Result<Self, Unfit> {
        let (service, plan) = (&instance.service_id, &instance.plan_id);
        let chosen = catalog.remover(service, plan);
        if chosen.is_none() && instance.backend.is_some() {
            return Err(Unfit::BackendGone(plan.clone()));
        }
        let acting = chosen.filter(|chosen| chosen.plan.backend.carries_out(Kind::Unbind));
        let job = acting.map(|chosen| Job {
            backend: chosen.plan.backend.name().into(),
            limited: chosen.plan.backend.concurrency().is_some(),
            hold: None,
            task: Secret::new(Task {
                asker: Asker {
                    login: login.to_owned(),
                    originating_identity: None,
                    request_identity: None,
                    trace: None,
                },
                update: None,
            }),
            cancels: None,
        });
        let over = job.is_none();
        let subject = Subject::Binding(instance.id.clone(), binding.id.clone());
        let operation = Operation {
            id: OperationId::from_random(random().map_err(Unfit::Broker)?),
            kind: Kind::Unbind,
            subject,
            state: if over {
                State::Succeeded
            } else {
                State::InProgress
            },
            report: Report::default(),
            fingerprint: None,
            started_at: now,
            finished_at: over.then_some(now),
        };
        Ok(Self {
            change: Change {
                operation: operation.clone(),
                act: Act::Unbind {
                    expected: binding.last_operation.id.clone(),
                },
                job,
                guards: Vec::new(),
            },
            operation,
            service: service.clone(),
            plan: plan.clone(),
        })
    }

    /// What is to be recorded.
    pub fn change(&self) -> Change {
        self.change.clone()
    }

    /// What happened with its recording, where it was over with that; else a worker is to act.
    pub fn happened<'u>(&'u self, login: &'u str) -> Option<Event<'u>> {
        (self.operation.state == State::Succeeded).then_some(Event {
            operation: Some(&self.operation.id),
            login,
            kind: Kind::Unbind,
            subject: &self.operation.subject,
            service: Some(&self.service),
            plan: Some(&self.plan),
            state: State::Succeeded,
            report: None,
            trace: None,
            took: None,
        })
    }
}
