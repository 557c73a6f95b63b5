//! Polling the last operation of an instance or of a binding.

use std::time::Duration;

use super::{Broker, Polled};
use crate::domain::caller::Caller;
use crate::domain::error::BrokerError;
use crate::domain::id::OperationId;
use crate::domain::operation::{Operation, Report, State, Subject};
use crate::domain::scope::Scope;
use crate::domain::store::Lookup;

impl Broker {
    /// How far an operation is: the one that is named if it is known, else the latest.
    pub async fn poll(
        &self,
        caller: &Caller,
        subject: Subject,
        named: Option<OperationId>,
    ) -> Result<Polled, BrokerError> {
        let found = self.store.operation(subject.clone(), named.clone()).await?;
        if caller.scope != Scope::All && !self.is_theirs(caller, &subject, named, &found).await? {
            return Ok(Polled::Gone);
        }
        match found {
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

    /// Whether an operation is of what the caller sees. An operation does not say of which offering it was: of an instance
    /// that is not there any more those may know, who name the operation's id as the 202 gave it. To all others what is
    /// gone, what never was and what others have is the same.
    async fn is_theirs(
        &self,
        caller: &Caller,
        subject: &Subject,
        named: Option<OperationId>,
        found: &Lookup<Operation>,
    ) -> Result<bool, BrokerError> {
        Ok(
            match self.store.instance(subject.instance().clone()).await? {
                Lookup::Found(instance) => self.sees(caller, &instance.service_id),
                Lookup::Absent | Lookup::Unknowable => {
                    matches!(found, Lookup::Found(operation) if Some(&operation.id) == named.as_ref())
                }
            },
        )
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
