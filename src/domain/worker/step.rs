//! A backend that acts, as a step of a trace: told of where anybody records steps, also of one that is stopped.

use std::time::SystemTime;

use super::Worker;
use crate::domain::backend::{Outcome, Progress, Work};
use crate::domain::operation::Subject;
use crate::domain::store::Taken;
use crate::domain::trace::Trace;
use crate::domain::witness::{Result, Step, Witness};

impl Worker {
    /// Lets the plan's backend do this work.
    pub(super) async fn step(
        &self,
        taken: &Taken,
        work: Work<'_>,
        progress: &dyn Progress,
    ) -> Outcome {
        let mut due = self.due(taken, work);
        let outcome = work.chosen.plan.backend.carry_out(work, progress).await;
        if let Some(due) = &mut due {
            due.result = result(&outcome);
        }
        outcome
    }

    fn due<'a>(&'a self, taken: &'a Taken, work: Work<'a>) -> Option<Due<'a>> {
        let place = work.trace.filter(|trace| trace.is_sampled())?;
        Some(Due {
            witness: &*self.witness,
            began: self.witness.steps()?,
            place,
            below: taken.task.expose().asker.trace.as_ref()?,
            subject: subject(&work),
            work,
            result: Result::Stopped,
        })
    }
}

/// What came of an attempt that ended by itself.
pub(super) const fn result(outcome: &Outcome) -> Result {
    match outcome {
        Outcome::Done(_) => Result::Done,
        Outcome::Refused(_) => Result::Refused,
        Outcome::Failed(_) => Result::Failed,
        Outcome::Again { .. } => Result::Again,
    }
}

/// What is worked on: of a deprovision that unbinds first, the binding.
fn subject(work: &Work<'_>) -> Subject {
    let instance = work.instance.id.clone();
    match work.binding {
        Some(binding) => Subject::Binding(instance, binding.id.clone()),
        None => Subject::Instance(instance),
    }
}

/// What is to be told of a step. Work that is stopped is dropped wherever it waits: then it is told when this is.
struct Due<'a> {
    witness: &'a dyn Witness,
    began: SystemTime,
    place: &'a Trace,
    below: &'a Trace,
    subject: Subject,
    work: Work<'a>,
    result: Result,
}

impl Drop for Due<'_> {
    fn drop(&mut self) {
        let work = &self.work;
        self.witness.stepped(&Step {
            place: self.place,
            below: self.below,
            began: self.began,
            operation: work.operation,
            kind: work.kind,
            attempt: work.attempt,
            subject: &self.subject,
            service: &work.chosen.offering.id,
            plan: &work.chosen.plan.id,
            backend: work.chosen.plan.backend.kind(),
            result: self.result,
        });
    }
}
