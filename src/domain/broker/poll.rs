//! Polling the last operation of an instance or of a binding.

use std::time::Duration;

use super::{Broker, Polled};
use crate::domain::caller::Caller;
use crate::domain::error::BrokerError;
use crate::domain::id::OperationId;
use crate::domain::operation::{Report, State, Subject};
use crate::domain::store::Lookup;

impl Broker {
    /// How far an operation is: the one that is named if it is known, else the latest.
    pub async fn poll(
        &self,
        _: &Caller,
        subject: Subject,
        named: Option<OperationId>,
    ) -> Result<Polled, BrokerError> {
        match self.store.operation(subject.clone(), named).await? {
            Lookup::Found(operation)
                if operation.kind.removes() && operation.state == State::Succeeded =>
            {
                Ok(Polled::Gone)
            }
            Lookup::Found(operation) => Ok(Polled::At {
                state: operation.state,
                poll_after: self.poll_after(&subject, operation.state).await?,
                report: operation.report,
            }),
            Lookup::Absent => self.standing(&subject).await,
            Lookup::Unknowable => Ok(Polled::Gone),
        }
    }

    /// When to ask again, by the plan of the instance.
    async fn poll_after(
        &self,
        subject: &Subject,
        state: State,
    ) -> Result<Option<Duration>, BrokerError> {
        if state != State::InProgress {
            return Ok(None);
        }
        let Lookup::Found(instance) = self.store.instance(subject.instance().clone()).await? else {
            return Ok(None);
        };
        let catalog = self.catalog();
        let chosen = catalog.remover(&instance.service_id, &instance.plan_id);
        Ok(chosen.and_then(|chosen| chosen.plan.responding.poll_every))
    }

    /// What lives longer than its operations are kept still stands where the last one left it.
    async fn standing(&self, subject: &Subject) -> Result<Polled, BrokerError> {
        let last = match subject {
            Subject::Instance(id) => match self.store.instance(id.clone()).await? {
                Lookup::Found(instance) => Some(instance.last_operation),
                _ => None,
            },
            Subject::Binding(instance, id) => {
                match self.store.binding(instance.clone(), id.clone()).await? {
                    Lookup::Found((_, Some(binding))) => Some(binding.last_operation),
                    _ => None,
                }
            }
        };
        last.map(|last| Polled::At {
            state: last.state,
            report: Report::default(),
            poll_after: None,
        })
        .ok_or(BrokerError::OperationNotFound)
    }
}
