//! A real store, and a note on a gauge of what goes in and out.

use std::sync::Arc;

use catalog_broker::domain::binding::Binding;
use catalog_broker::domain::id::{BindingId, InstanceId, OperationId};
use catalog_broker::domain::instance::Instance;
use catalog_broker::domain::json::FingerprintKey;
use catalog_broker::domain::operation::{Operation, Subject};
use catalog_broker::domain::store::{
    Answer, Begun, Change, Claim, End, Ending, Lease, Lookup, PlanInUse, Renewal, Store,
    StoreError, Take, Taken, Unbound,
};
use catalog_broker::domain::time::Timestamp;

use crate::gauge::Gauge;

/// Whoever asks for an unbind of what has ended.
const EXPIRY: &str = "expiry";

pub struct Spy {
    pub store: Arc<dyn Store>,
    pub gauge: Arc<Gauge>,
}

impl Spy {
    fn note<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &answer {
            self.gauge.counts().trouble = Some(error.to_string());
        }
        self.gauge.news.notify_one();
        answer
    }
}

impl Store for Spy {
    fn begin(&self, change: Change) -> Answer<'_, Begun> {
        let operation = &change.operation;
        let begins = change
            .job
            .is_some()
            .then(|| (operation.id.clone(), operation.subject.clone()));
        let job = change.job.as_ref();
        let ends = job.is_some_and(|job| job.task.expose().asker.login == EXPIRY);
        Box::pin(async move {
            let begun = self.store.begin(change).await;
            if let Ok(Begun::Taken(taken)) = &begun {
                self.gauge.takes_up(&taken.operation.id, taken.attempt);
                self.gauge.counts().handed += 1;
            }
            if matches!(begun, Ok(Begun::Done | Begun::Taken(_))) {
                self.gauge.counts().begun.extend(begins);
            }
            if ends {
                let mut counts = self.gauge.counts();
                counts.ending = counts.ending.saturating_sub(1);
                drop(counts);
                self.gauge.rung();
                self.gauge.ended.notify_one();
            }
            self.note(begun)
        })
    }

    fn instance(&self, id: InstanceId) -> Answer<'_, Lookup<Instance>> {
        Box::pin(async move { self.note(self.store.instance(id).await) })
    }

    fn binding(
        &self,
        instance: InstanceId,
        id: BindingId,
    ) -> Answer<'_, Lookup<(Instance, Option<Binding>)>> {
        Box::pin(async move { self.note(self.store.binding(instance, id).await) })
    }

    fn operation(
        &self,
        subject: Subject,
        named: Option<OperationId>,
    ) -> Answer<'_, Lookup<Operation>> {
        Box::pin(async move { self.note(self.store.operation(subject, named).await) })
    }

    fn take(&self, take: Take) -> Answer<'_, Vec<Taken>> {
        Box::pin(async move {
            // What begins by itself begins first, so that a sequence has one outcome.
            while self.gauge.counts().ending > 0 {
                self.gauge.ended.notified().await;
            }
            let epoch = self.gauge.counts().epoch;
            let taken = self.store.take(take).await;
            if let Ok(taken) = &taken {
                for taken in taken {
                    self.gauge.takes_up(&taken.operation.id, taken.attempt);
                }
                let mut counts = self.gauge.counts();
                counts.looked = taken.is_empty() && counts.epoch == epoch;
            }
            self.note(taken)
        })
    }

    fn renew(&self, renewal: Renewal) -> Answer<'_, Lease> {
        let (operation, attempt) = (renewal.operation.clone(), renewal.attempt);
        Box::pin(async move {
            let lease = self.store.renew(renewal).await;
            if matches!(lease, Ok(Lease::Held)) {
                self.gauge.renewed(&operation, attempt);
            }
            self.note(lease)
        })
    }

    fn end(&self, end: End) -> Answer<'_, Lease> {
        let due = match &end.ending {
            Ending::Again { due_at, .. } => Some(due_at.0),
            _ => None,
        };
        let (operation, attempt) = (end.operation.clone(), end.attempt);
        Box::pin(async move {
            let lease = self.store.end(end).await;
            if lease.is_ok() {
                self.gauge.counts().due_again = due;
                self.gauge.over(&operation, attempt);
            }
            self.note(lease)
        })
    }

    fn unbound(&self, unbound: Unbound) -> Answer<'_, Lease> {
        Box::pin(async move { self.note(self.store.unbound(unbound).await) })
    }

    fn bindings(&self, instance: InstanceId) -> Answer<'_, Vec<Binding>> {
        Box::pin(async move { self.note(self.store.bindings(instance).await) })
    }

    fn give_back(&self, owner: Arc<str>, now: Timestamp) -> Answer<'_, ()> {
        Box::pin(async move { self.note(self.store.give_back(owner, now).await) })
    }

    fn sweep(&self, before: Timestamp, most: u32) -> Answer<'_, u64> {
        self.gauge.counts().sweeping += 1;
        Box::pin(async move {
            let swept = self.store.sweep(before, most).await;
            self.gauge.counts().sweeping -= 1;
            self.note(swept)
        })
    }

    fn claim_expired(&self, claim: Claim) -> Answer<'_, Vec<(InstanceId, BindingId)>> {
        Box::pin(async move {
            let mut claimed = self.store.claim_expired(claim).await;
            if let Ok(claimed) = &mut claimed {
                claimed.sort_by_key(|(instance, id)| (instance.to_string(), id.to_string()));
                self.gauge.counts().ending += u32::try_from(claimed.len()).unwrap_or(u32::MAX);
            }
            self.note(claimed)
        })
    }

    fn plans_in_use(&self) -> Answer<'_, Vec<PlanInUse>> {
        self.store.plans_in_use()
    }

    fn health(&self) -> Answer<'_, ()> {
        self.store.health()
    }

    fn fingerprint_key(&self) -> &FingerprintKey {
        self.store.fingerprint_key()
    }

    fn close(&self) -> Answer<'_, ()> {
        self.store.close()
    }
}
