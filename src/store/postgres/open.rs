//! The way to a database that is ready to be used.

use std::sync::Arc;
use std::time::Duration;

use super::error::{OpenError, StepError};
use super::migrations;
use super::pool::{Bounds, Pool};
use super::transaction::Transaction;
use super::values::values;
use crate::domain::json::FingerprintKey;
use crate::domain::ledger::KeyId;
use crate::postgres;
use crate::secret::Secret;
use crate::store::seal::{Agreed, Opener, Record, Sealer};

/// How long between two looks for a database that is just starting.
const AGAIN: Duration = Duration::from_millis(200);

/// The name in `broker_meta` of what says that rows of another store are being written, and not all are there.
pub(super) const UNFINISHED: &str = "unfinished copy";

/// What the server's own lists call a broker, unless the URL says otherwise.
const BROKER: &str = "catalog-broker";

/// What they call a command of an operator: it is not to be taken for a broker.
const COMMAND: &str = "catalog-broker command";

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A broker that serves.
    Broker,
    /// An operator's command.
    Command,
}

pub(super) fn pool(
    url: &Secret<String>,
    bounds: Bounds,
    (role, sealer): (Role, Arc<Sealer>),
) -> Result<Pool, OpenError> {
    let name = match role {
        Role::Broker => BROKER,
        Role::Command => COMMAND,
    };
    let target = postgres::read(url, name)?;
    let brokers = match target.config.get_application_name() {
        Some(COMMAND) | None => BROKER,
        Some(name) => name,
    };
    let brokers = brokers.to_owned();
    Pool::new(target, brokers, bounds, sealer)
}

pub(super) async fn open(pool: &Pool) -> Result<FingerprintKey, OpenError> {
    await_database(pool).await?;
    sealable(pool).await?;
    migrations::migrate(pool).await?;
    whole(pool).await?;
    unlock(pool, Opener::Broker).await
}

pub(super) async fn open_beside(pool: &Pool) -> Result<FingerprintKey, OpenError> {
    await_database(pool).await?;
    migrations::current(pool).await?;
    sealable(pool).await?;
    whole(pool).await?;
    unlock(pool, Opener::Command).await
}

/// Refuses tables that a copy did not fill to their end: what is missing would pass for what never was.
async fn whole(pool: &Pool) -> Result<(), OpenError> {
    let unfinished = pool.ask(async |database| {
        database
            .exists(
                "SELECT 1 FROM broker_meta WHERE name = $1",
                values![UNFINISHED],
            )
            .await
    });
    if unfinished.await? {
        return Err(OpenError::Unfinished);
    }
    Ok(())
}

/// Waits as long as a step may take: on a platform broker and database are often started together. Beyond that the
/// platform's own way to start what has ended is the better one.
async fn await_database(pool: &Pool) -> Result<(), OpenError> {
    let mut last = None;
    let answers = async {
        loop {
            match pool.lend().await {
                Ok(lent) => {
                    lent.give_back();
                    return Ok(());
                }
                Err(error) if is_starting(&error) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    match tokio::time::timeout(pool.bounds.timeout, answers).await {
        Ok(answer) => answer,
        Err(_) => Err(last.unwrap_or(StepError::Slow("connecting")).into()),
    }
}

/// Whether nobody listens yet, or who listens is not ready (57P03).
fn is_starting(error: &StepError) -> bool {
    match error {
        StepError::Database(error) => error
            .code()
            .is_none_or(|code| code.code().starts_with("57")),
        StepError::Slow(_) => true,
        _ => false,
    }
}

/// Refuses to go on without keys: where all is sealed already, by naming those that are missing.
async fn sealable(pool: &Pool) -> Result<(), OpenError> {
    if pool.sealer.has_keys() {
        return Ok(());
    }
    if migrations::is_made(pool).await? {
        let record = pool.ask(recorded).await?;
        pool.sealer
            .missing(&record)
            .map_or(Ok(()), |missing| Err(OpenError::Sealed(missing)))?;
    }
    Err(OpenError::NoKeys)
}

/// The key of fingerprints: made by the first broker, the same for all. The keys of the operator are held against what
/// the tables were sealed with, and what a broker's will seal is recorded before it does.
async fn unlock(pool: &Pool, opener: Opener) -> Result<FingerprintKey, OpenError> {
    let looked = pool.ask(async |database| look(database, opener).await);
    let (mut agreed, mut stored) = looked.await?.map_err(OpenError::Sealed)?;
    if stored.is_none() || !agreed.names.is_empty() {
        let recorded = pool.step(async |database| record(database, opener).await);
        (agreed, stored) = recorded.await?.map_err(OpenError::Sealed)?;
    }
    pool.sealer.settle(&agreed);
    let key = stored.ok_or(OpenError::Foreign("its key of fingerprints is gone"))?;
    let key = pool.sealer.open_key(&key)?;
    Ok(FingerprintKey::new(key.expose()))
}

/// How the keys of the operator and the tables agree, and the stored key of fingerprints; or the keys that are missing.
type Looked = Result<(Agreed, Option<Vec<u8>>), Vec<KeyId>>;

async fn look(database: &Transaction<'_>, opener: Opener) -> Result<Looked, StepError> {
    // In this order: the key of fingerprints comes with the first record.
    let stored = stored_key(database).await?;
    let record = recorded(database).await?;
    let agreed = database.sealer.agree(&record, opener, stored.is_none());
    Ok(agreed.map(|agreed| (agreed, stored)))
}

/// Looks again, and records what is missing. Whoever changes the record of keys holds the one row of the schema's version
/// meanwhile.
async fn record(database: &Transaction<'_>, opener: Opener) -> Result<Looked, StepError> {
    lock_record(database).await?;
    let (agreed, mut stored) = match look(database, opener).await? {
        Ok(looked) => looked,
        missing => return Ok(missing),
    };
    for name in &agreed.names {
        remember(database, name, vec![0]).await?;
    }
    if stored.is_none() {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|_| StepError::Unreadable("random numbers of the system"))?;
        let key = database.sealer.write_key(&Secret::new(key))?;
        remember(database, "fingerprint key", key.clone()).await?;
        stored = Some(key);
    }
    Ok(Ok((agreed, stored)))
}

async fn remember(
    database: &Transaction<'_>,
    name: &str,
    value: Vec<u8>,
) -> Result<u64, StepError> {
    database
        .execute(
            "INSERT INTO broker_meta (name, value) VALUES ($1, $2)",
            values![name, value],
        )
        .await
}

pub(super) async fn lock_record(database: &Transaction<'_>) -> Result<(), StepError> {
    database
        .exists("SELECT 1 FROM broker_schema FOR UPDATE", values![])
        .await
        .map(|_| ())
}

/// How the cells are written, as the tables say themselves.
pub(super) async fn recorded(database: &Transaction<'_>) -> Result<Record, StepError> {
    let rows = database
        .query("SELECT name FROM broker_meta", values![])
        .await?;
    let names: Vec<&str> = rows
        .iter()
        .map(|row| database.columns(row).text())
        .collect::<Result<_, _>>()?;
    Ok(Record::of(names))
}

async fn stored_key(database: &Transaction<'_>) -> Result<Option<Vec<u8>>, StepError> {
    let row = database
        .find(
            "SELECT value FROM broker_meta WHERE name = 'fingerprint key'",
            values![],
        )
        .await?;
    row.map(|row| database.columns(&row).take()).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::seal::Keys;

    #[test]
    fn a_command_goes_by_its_own_name_and_knows_that_of_brokers() {
        for (url, role, name, brokers) in [
            ("postgres://h/d", Role::Broker, BROKER, BROKER),
            ("postgres://h/d", Role::Command, COMMAND, BROKER),
            (
                "postgres://h/d?application_name=blue",
                Role::Command,
                "blue",
                "blue",
            ),
        ] {
            let bounds = Bounds {
                connections: 1,
                timeout: Duration::from_secs(1),
            };
            let sealer = Arc::new(Sealer::new(&Keys::default()));
            let url = Secret::new(url.to_owned());
            let pool = pool(&url, bounds, (role, sealer)).expect("a pool");
            assert_eq!(pool.name(), Some(name));
            assert_eq!(pool.brokers, brokers);
        }
    }
}
