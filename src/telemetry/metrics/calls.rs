//! The store as it is asked: how long each call takes, and how it fails. It stands before the real one.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::count;
use super::spread::{SOON, Spread};
use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::instance::Instance;
use crate::domain::json::FingerprintKey;
use crate::domain::operation::{Operation, Subject};
use crate::domain::store::{
    Answer, Begun, Change, Claim, End, Lease, Lookup, PlanInUse, Renewal, Store, StoreError, Take,
    Taken, Unbound,
};
use crate::domain::tally::{Inventory, UnderWay};
use crate::domain::time::Timestamp;

/// What a store is asked for.
#[derive(Clone, Copy, Debug)]
enum Call {
    Begin,
    Instance,
    Binding,
    Operation,
    Take,
    Renew,
    End,
    Unbound,
    Bindings,
    PlansInUse,
    GiveBack,
    ClaimExpired,
    Sweep,
    UnderWay,
    Inventory,
    Health,
}

/// The words for them, in the same order.
const CALLS: [&str; 16] = [
    "begin",
    "instance",
    "binding",
    "operation",
    "take",
    "renew",
    "end",
    "unbound",
    "bindings",
    "plans_in_use",
    "give_back",
    "claim_expired",
    "sweep",
    "under_way",
    "inventory",
    "health",
];

/// How a call fails.
const ERRORS: [&str; 2] = ["unavailable", "corrupt"];

/// The calls of a store since the start.
#[derive(Debug)]
pub(super) struct Calls {
    took: [Spread; CALLS.len()],
    failed: [[AtomicU64; ERRORS.len()]; CALLS.len()],
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            took: std::array::from_fn(|_| Spread::new(SOON)),
            failed: Default::default(),
        }
    }
}

impl Calls {
    fn answered<T>(&self, call: Call, began: Instant, answer: &Result<T, StoreError>) {
        let call = call as usize;
        self.took[call].add(began.elapsed());
        let error = match answer {
            Ok(_) => return,
            Err(StoreError::Unavailable(_)) => 0,
            Err(StoreError::Corrupt(_)) => 1,
        };
        self.failed[call][error].fetch_add(1, Ordering::Relaxed);
    }
}

impl Collector for Calls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(
            "store_call_duration_seconds",
            "How long the store took for what it was asked.",
            None,
            MetricType::Histogram,
        )?;
        for (took, call) in self.took.iter().zip(CALLS) {
            took.encode(&mut family, &[("call", call)])?;
        }
        let mut family = encoder.encode_descriptor(
            "store_errors",
            "What the store did not answer: it could not be used, or holds what cannot be read.",
            None,
            MetricType::Counter,
        )?;
        for (failed, call) in self.failed.iter().zip(CALLS) {
            for (failed, error) in failed.iter().zip(ERRORS) {
                let labels = [("call", call), ("error", error)];
                count(&mut family, &labels, failed.load(Ordering::Relaxed))?;
            }
        }
        Ok(())
    }
}

/// A store that is watched.
pub(super) struct Watched {
    pub(super) store: Arc<dyn Store>,
    pub(super) calls: Arc<Calls>,
}

impl Watched {
    fn watch<'a, T: 'a>(&'a self, call: Call, answer: Answer<'a, T>) -> Answer<'a, T> {
        let began = Instant::now();
        Box::pin(async move {
            let answer = answer.await;
            self.calls.answered(call, began, &answer);
            answer
        })
    }
}

impl Store for Watched {
    fn begin(&self, change: Change) -> Answer<'_, Begun> {
        self.watch(Call::Begin, self.store.begin(change))
    }

    fn instance(&self, id: InstanceId) -> Answer<'_, Lookup<Instance>> {
        self.watch(Call::Instance, self.store.instance(id))
    }

    fn binding(
        &self,
        instance: InstanceId,
        id: BindingId,
    ) -> Answer<'_, Lookup<(Instance, Option<Binding>)>> {
        self.watch(Call::Binding, self.store.binding(instance, id))
    }

    fn operation(
        &self,
        subject: Subject,
        named: Option<OperationId>,
    ) -> Answer<'_, Lookup<Operation>> {
        self.watch(Call::Operation, self.store.operation(subject, named))
    }

    fn take(&self, take: Take) -> Answer<'_, Vec<Taken>> {
        self.watch(Call::Take, self.store.take(take))
    }

    fn renew(&self, renewal: Renewal) -> Answer<'_, Lease> {
        self.watch(Call::Renew, self.store.renew(renewal))
    }

    fn end(&self, end: End) -> Answer<'_, Lease> {
        self.watch(Call::End, self.store.end(end))
    }

    fn unbound(&self, unbound: Unbound) -> Answer<'_, Lease> {
        self.watch(Call::Unbound, self.store.unbound(unbound))
    }

    fn bindings(&self, instance: InstanceId) -> Answer<'_, Vec<Binding>> {
        self.watch(Call::Bindings, self.store.bindings(instance))
    }

    fn plans_in_use(&self) -> Answer<'_, Vec<PlanInUse>> {
        self.watch(Call::PlansInUse, self.store.plans_in_use())
    }

    fn give_back(&self, owner: Arc<str>, now: Timestamp) -> Answer<'_, ()> {
        self.watch(Call::GiveBack, self.store.give_back(owner, now))
    }

    fn claim_expired(&self, claim: Claim) -> Answer<'_, Vec<(InstanceId, BindingId)>> {
        self.watch(Call::ClaimExpired, self.store.claim_expired(claim))
    }

    fn sweep(&self, before: Timestamp, most: u32) -> Answer<'_, u64> {
        self.watch(Call::Sweep, self.store.sweep(before, most))
    }

    fn under_way(&self) -> Answer<'_, UnderWay> {
        self.watch(Call::UnderWay, self.store.under_way())
    }

    fn inventory(&self) -> Answer<'_, Inventory> {
        self.watch(Call::Inventory, self.store.inventory())
    }

    fn health(&self) -> Answer<'_, ()> {
        self.watch(Call::Health, self.store.health())
    }

    fn fingerprint_key(&self) -> &FingerprintKey {
        self.store.fingerprint_key()
    }

    // Nobody sees a metric after it.
    fn close(&self) -> Answer<'_, ()> {
        self.store.close()
    }
}
