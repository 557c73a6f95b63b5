//! What a caller sees: of the catalog the offerings of its scope, of the store their instances. All else is for it as if it
//! were not there: looked up in the same way, and then found absent, so that neither an answer nor the time it takes tells
//! the one from the other.
//!
//! An id is one instance's, whoever asks: what backends make in the world bears it. So a provision with the id of an
//! instance that its caller cannot see is refused as one with the id of another instance always is, 409. It says no more
//! than that the id is taken, to who knew it already: ids of platforms are random.

use std::sync::Arc;

use super::Broker;
use crate::domain::binding::Binding;
use crate::domain::caller::Caller;
use crate::domain::catalog::Catalog;
use crate::domain::id::{BindingId, InstanceId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::scope::Scope;
use crate::domain::store::{Lookup, StoreError};

impl Broker {
    /// The catalog of this moment, as the caller sees it: taken once for each request.
    pub(super) fn catalog_for(&self, caller: &Caller) -> Arc<Catalog> {
        Catalog::narrowed(&self.catalog(), &caller.scope)
    }

    /// Whether the caller sees what is of that offering.
    pub(super) fn sees(&self, caller: &Caller, service: &ServiceId) -> bool {
        caller.scope == Scope::All || caller.scope.holds(&self.catalog(), service)
    }

    /// The instance, if the caller sees it.
    pub(super) async fn instance_for(
        &self,
        caller: &Caller,
        id: InstanceId,
    ) -> Result<Lookup<Instance>, StoreError> {
        Ok(match self.store.instance(id).await? {
            Lookup::Found(instance) if !self.sees(caller, &instance.service_id) => Lookup::Absent,
            found => found,
        })
    }

    /// The binding with its instance, if the caller sees that.
    pub(super) async fn binding_for(
        &self,
        caller: &Caller,
        instance: InstanceId,
        id: BindingId,
    ) -> Result<Lookup<(Instance, Option<Binding>)>, StoreError> {
        Ok(match self.store.binding(instance, id).await? {
            Lookup::Found((instance, _)) if !self.sees(caller, &instance.service_id) => {
                Lookup::Absent
            }
            found => found,
        })
    }
}
