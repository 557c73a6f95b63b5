//! Store `postgres://...`: several brokers on one state, on PostgreSQL or an engine that speaks its language.
//!
//! One thread talks to the database ([`driver`]) over a few connections ([`pool`]). Every step is one transaction that
//! decides its race in the database and is carried out anew where it lost one ([`retry`]): no broker leads, and no
//! session, named statement or lock outlives a transaction ([`transaction`]), so that a pooler may stand between. Steps
//! lock in one order, instance, binding, operation, so that none waits for another in a circle ([`rows`], [`jobs`]).
//!
//! Leases are compared with the times that brokers give: their clocks must agree within a small part of a lease.

mod account;
mod adopt;
mod changes;
mod driver;
mod error;
mod expiring;
mod fullest;
mod guards;
mod jobs;
mod ledger;
mod lendings;
mod migrations;
mod open;
mod pool;
mod reseal;
mod retry;
mod rows;
mod served;
mod steps;
mod tally;
mod transaction;
mod transfer;
mod values;

#[cfg(test)]
mod tests;

use std::sync::Arc;

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
use crate::secret::Secret;
use crate::store::seal::{Keys, Sealer};

use driver::Driver;
pub use error::OpenError;
use open::Role;
pub use pool::Bounds;
use pool::Pool;

/// A state in a PostgreSQL database.
pub struct PostgresStore {
    driver: Driver,
    sealer: Arc<Sealer>,
    key: FingerprintKey,
}

impl PostgresStore {
    /// For a broker: connects, waits a little for a database that is just starting, and brings the schema up to date.
    pub fn open(url: Secret<String>, bounds: Bounds, keys: &Keys) -> Result<Self, OpenError> {
        Self::start(url, (bounds, Role::Broker), keys, open::open)
    }

    /// The same, for an operator's command.
    pub fn open_as_command(
        url: Secret<String>,
        bounds: Bounds,
        keys: &Keys,
    ) -> Result<Self, OpenError> {
        Self::start(url, (bounds, Role::Command), keys, open::open)
    }

    /// For an operator's command beside brokers that may serve it: tables that are there, with their schema as it is.
    pub fn open_beside(
        url: Secret<String>,
        bounds: Bounds,
        keys: &Keys,
    ) -> Result<Self, OpenError> {
        Self::start(url, (bounds, Role::Command), keys, open::open_beside)
    }

    fn start(
        url: Secret<String>,
        (bounds, role): (Bounds, Role),
        keys: &Keys,
        open: impl AsyncFnOnce(&Pool) -> Result<FingerprintKey, OpenError> + Send + 'static,
    ) -> Result<Self, OpenError> {
        let sealer = Arc::new(Sealer::new(keys));
        let shared = Arc::clone(&sealer);
        let pool = move || open::pool(&url, bounds, (role, shared));
        let (driver, key) = Driver::start(pool, open)?;
        Ok(Self {
            driver,
            sealer,
            key,
        })
    }
}

/// Where the database of a URL is, without what is confidential of it.
pub fn place(url: &Secret<String>) -> String {
    crate::postgres::place(url)
}

impl Store for PostgresStore {
    fn begin(&self, change: Change) -> Answer<'_, Begun> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| changes::apply(database, &change).await)
                .await
        }))
    }

    fn instance(&self, id: InstanceId) -> Answer<'_, Lookup<Instance>> {
        Box::pin(self.driver.run(async move |pool| {
            let found = pool.ask(async |database| rows::instance(database, &id).await);
            Ok(found.await?.map_or(Lookup::Absent, Lookup::Found))
        }))
    }

    fn binding(
        &self,
        instance: InstanceId,
        id: BindingId,
    ) -> Answer<'_, Lookup<(Instance, Option<Binding>)>> {
        Box::pin(self.driver.run(async move |pool| {
            let found = pool.ask(async |database| rows::both(database, &instance, &id).await);
            Ok(found.await?.map_or(Lookup::Absent, Lookup::Found))
        }))
    }

    fn operation(
        &self,
        subject: Subject,
        named: Option<OperationId>,
    ) -> Answer<'_, Lookup<Operation>> {
        Box::pin(self.driver.run(async move |pool| {
            let found = pool
                .ask(async |database| rows::operation(database, &subject, named.as_ref()).await);
            Ok(found.await?.map_or(Lookup::Absent, Lookup::Found))
        }))
    }

    fn take(&self, take: Take) -> Answer<'_, Vec<Taken>> {
        Box::pin(self.driver.run(async move |pool| {
            // Nothing is locked to find out that nothing is due.
            let due = pool.ask(async |database| jobs::due(database, take.now).await);
            let due = due.await?;
            if due.is_empty() {
                return Ok(Vec::new());
            }
            pool.step(async |database| jobs::take(database, &take, &due).await)
                .await
        }))
    }

    fn renew(&self, renewal: Renewal) -> Answer<'_, Lease> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| jobs::renew(database, &renewal).await)
                .await
        }))
    }

    fn end(&self, end: End) -> Answer<'_, Lease> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| jobs::end(database, &end).await)
                .await
        }))
    }

    fn unbound(&self, unbound: Unbound) -> Answer<'_, Lease> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| jobs::unbound(database, &unbound).await)
                .await
        }))
    }

    fn bindings(&self, instance: InstanceId) -> Answer<'_, Vec<Binding>> {
        Box::pin(self.driver.run(async move |pool| {
            pool.ask(async |database| rows::bindings(database, &instance).await)
                .await
        }))
    }

    fn plans_in_use(&self) -> Answer<'_, Vec<PlanInUse>> {
        Box::pin(
            self.driver
                .run(async |pool| pool.ask(rows::plans_in_use).await),
        )
    }

    fn give_back(&self, owner: Arc<str>, now: Timestamp) -> Answer<'_, ()> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| jobs::give_back(database, &owner, now).await)
                .await
        }))
    }

    fn claim_expired(&self, claim: Claim) -> Answer<'_, Vec<(InstanceId, BindingId)>> {
        Box::pin(self.driver.run(async move |pool| {
            let any = pool.ask(async |database| expiring::any(database, &claim).await);
            if !any.await? {
                return Ok(Vec::new());
            }
            pool.step(async |database| expiring::claim(database, &claim).await)
                .await
        }))
    }

    fn sweep(&self, before: Timestamp, most: u32) -> Answer<'_, u64> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| jobs::sweep(database, before, most).await)
                .await
        }))
    }

    fn under_way(&self) -> Answer<'_, UnderWay> {
        Box::pin(
            self.driver
                .run(async |pool| pool.ask(tally::under_way).await),
        )
    }

    fn inventory(&self) -> Answer<'_, Inventory> {
        Box::pin(
            self.driver
                .run(async |pool| pool.ask(tally::inventory).await),
        )
    }

    fn health(&self) -> Answer<'_, ()> {
        Box::pin(self.driver.run(async |pool| pool.health().await))
    }

    fn fingerprint_key(&self) -> &FingerprintKey {
        &self.key
    }

    fn ready_to_count(&self) -> Answer<'_, ()> {
        Box::pin(self.driver.run(async |pool| guards::ready(pool).await))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {
            self.driver.close().await;
            Ok::<(), StoreError>(())
        })
    }
}
