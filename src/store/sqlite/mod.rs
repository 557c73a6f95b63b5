//! Store `sqlite:PATH`: durable, on one machine.
//!
//! One thread writes ([`writer`]) and gathers what waits into one commit; a few read ([`reader`]), each with a connection
//! of its own. WAL with full synchronous commits: what was answered is on disk. A lock beside the file keeps a second
//! serving broker out.

mod account;
mod adopt;
mod backup;
mod changes;
mod database;
mod error;
mod expiring;
mod fullest;
mod guards;
mod in_use;
mod jobs;
mod ledger;
mod lendings;
mod migrations;
mod open;
mod reader;
mod reseal;
mod rows;
mod served;
mod tally;
mod transfer;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

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
use crate::store::seal::{Keys, Opener, Sealer};

pub use backup::{BackupError, backup};
use database::Database;
pub use error::OpenError;
pub use open::holder;
use reader::Readers;
use writer::Writer;

/// A state in one SQLite file.
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    sealer: Arc<Sealer>,
    key: FingerprintKey,
    // Held as long as the store lives; the system lets go of it when the process ends, however it ends. Nothing where
    // it is open beside whoever holds it.
    _lock: Option<File>,
}

impl SqliteStore {
    /// Opens the file as its broker, or in the place of one: makes it (and its folder) if it is missing, brings its schema
    /// up to date, and takes its lock.
    pub fn open(path: &Path, keys: &Keys) -> Result<Self, OpenError> {
        let (connection, lock) = open::alone(path)?;
        Self::start(path, (connection, Some(lock)), keys, Opener::Broker)
    }

    /// The same, for a command that only reads: the file stays sealed as it is.
    pub fn open_held(path: &Path, keys: &Keys) -> Result<Self, OpenError> {
        let (connection, lock) = open::alone(path)?;
        Self::start(path, (connection, Some(lock)), keys, Opener::Command)
    }

    /// Opens a file that is there, beside a broker that may serve it: without its lock, and with its schema as it is.
    pub fn open_beside(path: &Path, keys: &Keys) -> Result<Self, OpenError> {
        let connection = open::connect_beside(path)?;
        Self::start(path, (connection, None), keys, Opener::Command)
    }

    fn start(
        path: &Path,
        (mut connection, lock): (Connection, Option<File>),
        keys: &Keys,
        opener: Opener,
    ) -> Result<Self, OpenError> {
        open::whole(&connection)?;
        let sealer = Arc::new(Sealer::new(keys));
        let key = open::unlock(&mut connection, &sealer, opener)?;
        if sealer.replaces_plain() {
            // What stood in a cell does not stay in its page.
            connection.pragma_update(None, "secure_delete", true)?;
        }
        let readers = Readers::start(path, &sealer)?;
        Ok(Self {
            writer: Writer::start(Database::new(connection, Arc::clone(&sealer)))?,
            readers,
            sealer,
            key,
            _lock: lock,
        })
    }
}

impl Store for SqliteStore {
    fn begin(&self, change: Change) -> Answer<'_, Begun> {
        Box::pin(
            self.writer
                .step(move |connection| changes::apply(connection, &change)),
        )
    }

    fn instance(&self, id: InstanceId) -> Answer<'_, Lookup<Instance>> {
        Box::pin(self.readers.ask(move |connection| {
            Ok(rows::instance(connection, &id)?.map_or(Lookup::Absent, Lookup::Found))
        }))
    }

    fn binding(
        &self,
        instance: InstanceId,
        id: BindingId,
    ) -> Answer<'_, Lookup<(Instance, Option<Binding>)>> {
        Box::pin(self.readers.ask(move |connection| {
            // One transaction, so that both are of one moment.
            let _moment = connection
                .unchecked_transaction()
                .map_err(rows::unavailable)?;
            let Some(instance) = rows::instance(connection, &instance)? else {
                return Ok(Lookup::Absent);
            };
            let binding = rows::binding(connection, &instance.id, &id)?;
            Ok(Lookup::Found((instance, binding)))
        }))
    }

    fn operation(
        &self,
        subject: Subject,
        named: Option<OperationId>,
    ) -> Answer<'_, Lookup<Operation>> {
        Box::pin(self.readers.ask(move |connection| {
            Ok(rows::operation(connection, &subject, named.as_ref())?
                .map_or(Lookup::Absent, Lookup::Found))
        }))
    }

    fn take(&self, take: Take) -> Answer<'_, Vec<Taken>> {
        Box::pin(async move {
            // Nothing is written to find out that nothing is due.
            let now = take.now;
            let due = self
                .readers
                .ask(move |connection| Ok(jobs::any_due(connection, now)?));
            if due.await? {
                self.writer
                    .step(move |connection| jobs::take(connection, &take))
                    .await
            } else {
                Ok(Vec::new())
            }
        })
    }

    fn renew(&self, renewal: Renewal) -> Answer<'_, Lease> {
        Box::pin(
            self.writer
                .step(move |connection| jobs::renew(connection, &renewal)),
        )
    }

    fn end(&self, end: End) -> Answer<'_, Lease> {
        Box::pin(
            self.writer
                .step(move |connection| jobs::end(connection, &end)),
        )
    }

    fn unbound(&self, unbound: Unbound) -> Answer<'_, Lease> {
        Box::pin(
            self.writer
                .step(move |connection| jobs::unbound(connection, &unbound)),
        )
    }

    fn bindings(&self, instance: InstanceId) -> Answer<'_, Vec<Binding>> {
        Box::pin(
            self.readers
                .ask(move |connection| Ok(rows::bindings(connection, &instance)?)),
        )
    }

    fn plans_in_use(&self) -> Answer<'_, Vec<PlanInUse>> {
        Box::pin(
            self.readers
                .ask(|connection| Ok(in_use::plans_in_use(connection)?)),
        )
    }

    fn give_back(&self, owner: Arc<str>, now: Timestamp) -> Answer<'_, ()> {
        Box::pin(
            self.writer
                .step(move |connection| jobs::give_back(connection, &owner, now)),
        )
    }

    fn claim_expired(&self, claim: Claim) -> Answer<'_, Vec<(InstanceId, BindingId)>> {
        Box::pin(async move {
            // Nothing is written to find out that nothing has ended.
            let any = self
                .readers
                .ask(move |connection| Ok(expiring::any(connection, &claim)?));
            if any.await? {
                self.writer
                    .step(move |connection| expiring::claim(connection, &claim))
                    .await
            } else {
                Ok(Vec::new())
            }
        })
    }

    fn sweep(&self, before: Timestamp, most: u32) -> Answer<'_, u64> {
        Box::pin(
            self.writer
                .step(move |connection| jobs::sweep(connection, before, most)),
        )
    }

    fn under_way(&self) -> Answer<'_, UnderWay> {
        Box::pin(
            self.readers
                .ask(|connection| Ok(tally::under_way(connection)?)),
        )
    }

    fn inventory(&self) -> Answer<'_, Inventory> {
        Box::pin(
            self.readers
                .ask(|connection| Ok(tally::inventory(connection)?)),
        )
    }

    fn health(&self) -> Answer<'_, ()> {
        Box::pin(async {
            self.writer.health().await?;
            self.readers
                .ask(|connection| {
                    connection
                        .query_row("SELECT 1 FROM meta LIMIT 1", [], |_| Ok(()))
                        .optional()
                        .map(|_| ())
                        .map_err(rows::unavailable)
                })
                .await
        })
    }

    fn fingerprint_key(&self) -> &FingerprintKey {
        &self.key
    }

    fn ready_to_count(&self) -> Answer<'_, ()> {
        Box::pin(self.writer.step(guards::ready))
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {
            self.readers.close();
            self.writer.close().await
        })
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("it was closed".to_owned())
}
