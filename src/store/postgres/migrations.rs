//! The schema's versions, in order, and the rule by which brokers of two versions share one database.
//!
//! A version that was ever released is never changed: a new one is added. The next version of the broker runs beside the
//! last one while an installation is rolled over, so a migration first expands (new tables, columns that may be absent,
//! indexes) and says that the last broker still works with it; only a release later another one contracts (drops what
//! no broker reads any more), and says that it `needs` the version before. `broker_schema` holds both numbers: a broker
//! that knows less than the tables need is refused, and one that merely knows less than there is runs on.

use super::error::{OpenError, StepError};
use super::pool::Pool;
use super::transaction::Transaction;
use super::values::values;

/// A step of the schema.
struct Migration {
    sql: &'static str,
    /// What a broker must know at least to use the tables from now on.
    needs: i64,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        sql: include_str!("migrations/0001.sql"),
        needs: 1,
    },
    Migration {
        sql: include_str!("migrations/0002.sql"),
        needs: 1,
    },
    Migration {
        sql: include_str!("migrations/0003.sql"),
        needs: 1,
    },
    Migration {
        sql: include_str!("migrations/0004.sql"),
        needs: 1,
    },
    Migration {
        sql: include_str!("migrations/0005.sql"),
        needs: 1,
    },
    Migration {
        sql: include_str!("migrations/0006.sql"),
        needs: 1,
    },
];

const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS broker_schema (
    id      BIGINT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    needs   BIGINT NOT NULL
)";

/// Where the schema is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    version: i64,
    needs: i64,
}

/// Brings the schema up to date. Any number of brokers may start at once: the one row of `broker_schema` is locked by
/// whoever migrates, and the others find that nothing is left to be done.
pub(super) async fn migrate(pool: &Pool) -> Result<(), OpenError> {
    if !is_there(pool).await? {
        // Two that make one table at once: one of them is told of a name that is taken, and finds the table then.
        pool.step(async |database| database.batch(VERSION_TABLE).await)
            .await?;
    }
    let mut standing = pool.step(standing).await?;
    if standing.version < known() {
        standing = pool.step(catch_up).await?;
    }
    usable(standing)
}

/// Whether the tables can be used as they are; nothing is changed.
pub(super) async fn current(pool: &Pool) -> Result<(), OpenError> {
    if !is_there(pool).await? {
        return Err(OpenError::Missing);
    }
    let standing = pool.ask(standing).await?;
    match standing.version {
        // A broker has begun to make them, and was stopped.
        0 => Err(OpenError::Missing),
        found if found < known() => Err(OpenError::Older {
            found,
            known: known(),
        }),
        _ => usable(standing),
    }
}

/// Whether the tables are there.
pub(super) async fn is_made(pool: &Pool) -> Result<bool, OpenError> {
    Ok(is_there(pool).await? && pool.ask(standing).await?.version > 0)
}

fn usable(standing: Standing) -> Result<(), OpenError> {
    if standing.needs > known() {
        return Err(OpenError::Newer {
            needs: standing.needs,
            known: known(),
        });
    }
    Ok(())
}

async fn is_there(pool: &Pool) -> Result<bool, OpenError> {
    let there = pool.ask(async |database| {
        database
            .exists(
                "SELECT 1 FROM information_schema.tables
                 WHERE table_name = 'broker_schema' AND table_schema = current_schema()",
                values![],
            )
            .await
    });
    Ok(there.await?)
}

async fn standing(database: &Transaction<'_>) -> Result<Standing, StepError> {
    read(database, "SELECT version, needs FROM broker_schema").await
}

async fn read(database: &Transaction<'_>, statement: &str) -> Result<Standing, StepError> {
    let row = database.find(statement, values![]).await?;
    let Some(row) = row else {
        return Ok(Standing {
            version: 0,
            needs: 0,
        });
    };
    let mut columns = database.columns(&row);
    Ok(Standing {
        version: columns.take()?,
        needs: columns.take()?,
    })
}

/// All that is missing, in one transaction with the row that says so.
async fn catch_up(database: &Transaction<'_>) -> Result<Standing, StepError> {
    database
        .execute(
            "INSERT INTO broker_schema (id, version, needs) VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING",
            values![],
        )
        .await?;
    let found = read(
        database,
        "SELECT version, needs FROM broker_schema FOR UPDATE",
    )
    .await?;
    let Some(missing) = MIGRATIONS.get(usize::try_from(found.version).unwrap_or(usize::MAX)..)
    else {
        return Ok(found);
    };
    for migration in missing {
        database.batch(migration.sql).await?;
    }
    let Some(last) = missing.last() else {
        return Ok(found);
    };
    let standing = Standing {
        version: known(),
        needs: last.needs,
    };
    database
        .execute(
            "UPDATE broker_schema SET version = $1, needs = $2",
            values![standing.version, standing.needs],
        )
        .await?;
    Ok(standing)
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}
