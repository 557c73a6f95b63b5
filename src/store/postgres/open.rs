//! The way to a database that is ready to be used.

use std::time::Duration;

use super::error::{OpenError, StepError};
use super::migrations;
use super::pool::{Bounds, Pool};
use super::values::{Columns, values};
use crate::domain::json::FingerprintKey;
use crate::postgres;
use crate::secret::Secret;

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

pub(super) fn pool(url: &Secret, bounds: Bounds, role: Role) -> Result<Pool, OpenError> {
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
    Pool::new(target, brokers, bounds)
}

pub(super) async fn open(pool: &Pool) -> Result<FingerprintKey, OpenError> {
    await_database(pool).await?;
    migrations::migrate(pool).await?;
    whole(pool).await?;
    fingerprint_key(pool).await
}

pub(super) async fn open_beside(pool: &Pool) -> Result<FingerprintKey, OpenError> {
    await_database(pool).await?;
    migrations::current(pool).await?;
    whole(pool).await?;
    stored_key(pool).await?.ok_or(NO_KEY)
}

const NO_KEY: OpenError = OpenError::Foreign("its key of fingerprints is gone");

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

/// The key of fingerprints: made by the first broker, the same for all.
async fn fingerprint_key(pool: &Pool) -> Result<FingerprintKey, OpenError> {
    if let Some(key) = stored_key(pool).await? {
        return Ok(key);
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| {
        OpenError::System(format!("the system gave no random numbers: {error}"))
    })?;
    let stored = pool.step(async |database| {
        database
            .execute(
                "INSERT INTO broker_meta (name, value) VALUES ('fingerprint key', $1) ON CONFLICT (name) DO NOTHING",
                values![key.to_vec()],
            )
            .await
    });
    stored.await?;
    // It may be another broker's that was quicker.
    stored_key(pool).await?.ok_or(NO_KEY)
}

async fn stored_key(pool: &Pool) -> Result<Option<FingerprintKey>, OpenError> {
    let row = pool.ask(async |database| {
        database
            .find(
                "SELECT value FROM broker_meta WHERE name = 'fingerprint key'",
                values![],
            )
            .await
    });
    let row = row.await?;
    row.map(|row| Ok(FingerprintKey::new(&Columns::of(&row).hash()?)))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let pool = pool(&Secret::new(url.to_owned()), bounds, role).expect("a pool");
            assert_eq!(pool.name(), Some(name));
            assert_eq!(pool.brokers, brokers);
        }
    }
}
