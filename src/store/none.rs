//! Store `none`: nothing is remembered, so that any number of brokers serve one fixed catalog.

use std::future::ready;
use std::sync::Arc;

use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::instance::Instance;
use crate::domain::json::FingerprintKey;
use crate::domain::operation::{Operation, Subject};
use crate::domain::store::{
    Answer, Begun, Change, Claim, End, Lease, Lookup, PlanInUse, Renewal, Store, Take, Taken,
    Unbound,
};
use crate::domain::time::Timestamp;

/// Remembers nothing.
pub struct NoStore {
    // Nothing recorded is ever compared, so any key does.
    key: FingerprintKey,
}

impl Default for NoStore {
    fn default() -> Self {
        Self {
            key: FingerprintKey::new(&[0; 32]),
        }
    }
}

impl Store for NoStore {
    fn begin(&self, _: Change) -> Answer<'_, Begun> {
        Box::pin(ready(Ok(Begun::Unrecorded)))
    }

    fn instance(&self, _: InstanceId) -> Answer<'_, Lookup<Instance>> {
        Box::pin(ready(Ok(Lookup::Unknowable)))
    }

    fn binding(
        &self,
        _: InstanceId,
        _: BindingId,
    ) -> Answer<'_, Lookup<(Instance, Option<Binding>)>> {
        Box::pin(ready(Ok(Lookup::Unknowable)))
    }

    fn operation(&self, _: Subject, _: Option<OperationId>) -> Answer<'_, Lookup<Operation>> {
        Box::pin(ready(Ok(Lookup::Unknowable)))
    }

    fn take(&self, _: Take) -> Answer<'_, Vec<Taken>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn renew(&self, _: Renewal) -> Answer<'_, Lease> {
        Box::pin(ready(Ok(Lease::Lost)))
    }

    fn end(&self, _: End) -> Answer<'_, Lease> {
        Box::pin(ready(Ok(Lease::Lost)))
    }

    fn unbound(&self, _: Unbound) -> Answer<'_, Lease> {
        Box::pin(ready(Ok(Lease::Lost)))
    }

    fn bindings(&self, _: InstanceId) -> Answer<'_, Vec<Binding>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn plans_in_use(&self) -> Answer<'_, Vec<PlanInUse>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn give_back(&self, _: Arc<str>, _: Timestamp) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn claim_expired(&self, _: Claim) -> Answer<'_, Vec<(InstanceId, BindingId)>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn sweep(&self, _: Timestamp, _: u32) -> Answer<'_, u64> {
        Box::pin(ready(Ok(0)))
    }

    fn health(&self) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }

    fn fingerprint_key(&self) -> &FingerprintKey {
        &self.key
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}
