//! Operations that are not over when they are recorded: whether one is needed, how its platform is answered, and what a
//! repeat finds.

use std::sync::Arc;
use std::time::Duration;

use super::Broker;
use crate::domain::caller::{Asker, Caller};
use crate::domain::error::BrokerError;
use crate::domain::id::OperationId;
use crate::domain::offering::Plan;
use crate::domain::operation::{Kind, Operation, State, Subject, Target, Task};
use crate::domain::respond::Respond;
use crate::domain::store::{Job, Lookup};
use crate::secret::Secret;

/// How often a waiting request looks at the store: another process may carry out what it waits for.
const LOOK: Duration = Duration::from_millis(500);

/// Where an operation is when its platform is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reached {
    /// It goes on; the platform polls.
    Accepted(Accepted),
    /// It was done.
    Done,
}

/// What a 202 says of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What to poll for.
    pub operation: OperationId,
}

/// How a platform wants to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner<'a> {
    /// What is done.
    pub(super) kind: Kind,
    /// The plan; nothing where it left the catalog.
    pub(super) plan: Option<&'a Plan>,
    /// Whether the platform takes a 202.
    pub(super) accepts_incomplete: bool,
}

impl Manner<'_> {
    fn respond(&self) -> Respond {
        self.plan
            .map_or(Respond::Auto, |plan| plan.responding.to(self.kind))
    }

    /// Row 14.
    pub(super) fn agreed(&self) -> Result<(), BrokerError> {
        if self.respond() == Respond::Async && !self.accepts_incomplete {
            return Err(BrokerError::AsyncRequired);
        }
        Ok(())
    }
}

impl Broker {
    /// What is left to be done of an operation, if anything is. Row 14 is checked where something is.
    pub(super) fn job(
        caller: &Caller,
        manner: Manner<'_>,
        update: Option<Target>,
        cancels: Option<OperationId>,
    ) -> Result<Option<Job>, BrokerError> {
        let acts = manner.plan.is_some_and(|plan| acts(plan, manner.kind));
        if !acts && cancels.is_none() {
            return Ok(None);
        }
        if acts {
            manner.agreed()?;
        }
        Ok(Some(Job {
            backend: manner.plan.map_or("", |plan| plan.backend.name()).into(),
            limited: manner
                .plan
                .is_some_and(|plan| plan.backend.concurrency().is_some()),
            hold: None,
            task: Secret::new(Task {
                asker: Asker::from(caller),
                update: update.map(Box::new),
            }),
            cancels,
        }))
    }

    /// The name of the backend that acts for an instance of a plan.
    pub(super) fn acting(plan: &Plan) -> Option<Arc<str>> {
        Kind::ALL
            .into_iter()
            .any(|kind| plan.backend.carries_out(kind))
            .then(|| plan.backend.name().into())
    }

    /// Answers for an operation that runs already: the same as the first time.
    pub(super) async fn joined(
        &self,
        operation: &OperationId,
        subject: &Subject,
        manner: Manner<'_>,
    ) -> Result<Reached, BrokerError> {
        manner.agreed()?;
        self.reached(operation, subject, manner).await
    }

    /// Answers for an operation that has just been recorded.
    pub(super) async fn reached(
        &self,
        operation: &OperationId,
        subject: &Subject,
        manner: Manner<'_>,
    ) -> Result<Reached, BrokerError> {
        let accepted = Reached::Accepted(Accepted {
            operation: operation.clone(),
        });
        let patience = match (manner.respond(), manner.accepts_incomplete) {
            (Respond::Async, _) => return Ok(accepted),
            (Respond::Auto, true) => manner
                .plan
                .map_or(Duration::ZERO, |plan| plan.responding.answer_within)
                .min(self.patience),
            _ => self.patience,
        };
        let over = tokio::time::timeout(patience, self.ended(operation, subject)).await;
        match over {
            Ok(over) => done(over?),
            Err(_) if manner.accepts_incomplete && manner.respond() == Respond::Auto => {
                Ok(accepted)
            }
            Err(_) => Err(BrokerError::StillRunning),
        }
    }

    /// The operation when it is over.
    async fn ended(
        &self,
        operation: &OperationId,
        subject: &Subject,
    ) -> Result<Operation, BrokerError> {
        loop {
            let bell = self.bells.listen(operation);
            let found = self
                .store
                .operation(subject.clone(), Some(operation.clone()))
                .await?;
            if let Lookup::Found(found) = found
                && found.id == *operation
                && found.state != State::InProgress
            {
                return Ok(found);
            }
            if let Ok(Ok(over)) = tokio::time::timeout(LOOK, bell).await {
                return Ok(over);
            }
        }
    }
}

/// Whether something is left to be done after the recording.
fn acts(plan: &Plan, kind: Kind) -> bool {
    let first_unbinds = kind == Kind::Deprovision && plan.backend.carries_out(Kind::Unbind);
    plan.backend.carries_out(kind) || first_unbinds || plan.responding.to(kind) == Respond::Async
}

fn done(over: Operation) -> Result<Reached, BrokerError> {
    match over.state {
        State::Succeeded => Ok(Reached::Done),
        _ if over.report.refused => Err(BrokerError::Refused(over.kind, over.report)),
        _ => Err(BrokerError::OperationFailed(over.report)),
    }
}
