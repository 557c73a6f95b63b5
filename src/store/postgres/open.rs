//! The way to a database that is ready to be used.

use std::time::Duration;

use super::error::{OpenError, StepError};
use super::migrations;
use super::pool::{Bounds, Pool};
use super::url::{self, Role};
use super::values::{Columns, values};
use crate::domain::json::FingerprintKey;
use crate::secret::Secret;

/// How long between two looks for a database that is just starting.
const AGAIN: Duration = Duration::from_millis(200);

/// The name in `broker_meta` of what says that rows of another store are being written, and not all are there.
pub(super) const UNFINISHED: &str = "unfinished copy";

pub(super) fn pool(url: &Secret<String>, bounds: Bounds, role: Role) -> Result<Pool, OpenError> {
    Pool::new(url::read(url, role)?, bounds)
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
