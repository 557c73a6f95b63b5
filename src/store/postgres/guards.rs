//! What a change is held against when nothing else is in its way. Who counts holds a row until what it adds is there to be
//! counted: instances of an offering by the row of that offering, bindings by the row of their instance.

use super::error::StepError;
use super::pool::Pool;
use super::transaction::Transaction;
use super::values::values;
use crate::domain::guard::{AtMost, Guard, Scope, Within};
use crate::domain::id::{BindingId, PlanId};
use crate::domain::operation::Subject;

/// The first limit of a change that is reached.
pub(super) async fn full(
    database: &Transaction<'_>,
    guards: &[Guard],
    subject: &Subject,
) -> Result<Option<AtMost>, StepError> {
    for guard in guards {
        let Guard::AtMost(limit) = guard else {
            continue;
        };
        if others(database, limit, subject).await? > limit.others {
            return Ok(Some(limit.clone()));
        }
    }
    Ok(None)
}

/// Whether bindings are counted: then their instance is locked, not shared.
pub(super) fn count_bindings(guards: &[Guard]) -> bool {
    guards.iter().any(
        |guard| matches!(guard, Guard::AtMost(limit) if matches!(limit.scope, Scope::Bindings(_))),
    )
}

/// Makes the index that instances are counted by. It waits for all who write, and they for it, so it is looked for first.
pub(super) async fn ready(pool: &Pool) -> Result<(), StepError> {
    let there = pool.ask(async |database| {
        database
            .exists(
                "SELECT 1 FROM pg_catalog.pg_indexes
                 WHERE schemaname = current_schema() AND indexname = 'broker_instances_counted'",
                values![],
            )
            .await
    });
    if there.await? {
        return Ok(());
    }
    pool.step(async |database| {
        database
            .batch(
                "CREATE INDEX IF NOT EXISTS broker_instances_counted
                 ON broker_instances (service_id, plan_id, organization, space)",
            )
            .await
    })
    .await
}

/// Locks the row of that name until the transaction is over.
pub(super) async fn lock(database: &Transaction<'_>, name: &str) -> Result<(), StepError> {
    const LOCK: &str = "SELECT 1 FROM broker_guards WHERE name = $1 FOR UPDATE";
    if !database.exists(LOCK, values![name]).await? {
        database
            .execute(
                "INSERT INTO broker_guards (name) VALUES ($1) ON CONFLICT (name) DO NOTHING",
                values![name],
            )
            .await?;
        database.exists(LOCK, values![name]).await?;
    }
    Ok(())
}

/// How many others there are of a scope, as far as it matters.
async fn others(
    database: &Transaction<'_>,
    limit: &AtMost,
    subject: &Subject,
) -> Result<u64, StepError> {
    let most = i64::try_from(limit.others)
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let row = match &limit.scope {
        Scope::Bindings(instance) => {
            database
                .find(
                    "SELECT count(*) FROM (
                         SELECT 1 FROM broker_bindings WHERE instance_id = $1 AND id <> $2 LIMIT $3) AS others",
                    values![
                        instance.as_str(),
                        subject.binding().map_or("", BindingId::as_str),
                        most
                    ],
                )
                .await?
        }
        Scope::Instances {
            service_id,
            plan_id,
            within,
        } => {
            lock(database, &format!("instances of {service_id}")).await?;
            database
                .find(
                    &counting(plan_id.is_some(), within),
                    values![
                        service_id.as_str(),
                        subject.instance().as_str(),
                        most,
                        plan_id.as_ref().map(PlanId::as_str),
                        place(within),
                    ],
                )
                .await?
        }
    };
    row.map_or(Ok(0), |row| database.columns(&row).count())
}

fn place(within: &Within) -> Option<&str> {
    match within {
        Within::Everywhere => None,
        Within::Organization(guid) | Within::Space(guid) => Some(guid),
    }
}

/// The question, and with a plan what is on its way there: one statement, so that what arrives meanwhile counts once.
fn counting(of_plan: bool, within: &Within) -> String {
    let of_plan_alone = if of_plan {
        "i.plan_id = $4"
    } else {
        "$4 IS NULL"
    };
    let within = match within {
        Within::Everywhere => "$5 IS NULL",
        Within::Organization(_) => "i.organization = $5",
        Within::Space(_) => "i.space = $5",
    };
    format!(
        "SELECT (SELECT count(*) FROM (
                     SELECT 1 FROM broker_instances i
                     WHERE i.service_id = $1 AND {of_plan_alone} AND {within} AND i.id <> $2 LIMIT $3) AS others)
              + (SELECT count(*) FROM broker_operations o JOIN broker_instances i ON i.id = o.instance_id
                 WHERE o.state = 'in progress' AND o.moves_to = $4
                       AND i.service_id = $1 AND i.plan_id <> $4 AND {within} AND i.id <> $2)"
    )
}
