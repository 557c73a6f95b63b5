//! What a change is held against when nothing else is in its way. One thread writes, so nobody adds while it is counted.

use rusqlite::params;

use super::database::Database;
use super::rows::RowError;
use crate::domain::guard::{AtMost, Guard, Scope, Within};
use crate::domain::id::{BindingId, PlanId};
use crate::domain::operation::Subject;

/// The first limit of a change that is reached.
pub(super) fn full(
    connection: &Database,
    guards: &[Guard],
    subject: &Subject,
) -> Result<Option<AtMost>, RowError> {
    for guard in guards {
        let Guard::AtMost(limit) = guard else {
            continue;
        };
        if others(connection, limit, subject)? > limit.others {
            return Ok(Some(limit.clone()));
        }
    }
    Ok(None)
}

/// Makes the index that instances are counted by.
pub(super) fn ready(connection: &Database) -> Result<(), RowError> {
    connection
        .prepare_cached(
            "CREATE INDEX IF NOT EXISTS instances_counted
             ON instances (service_id, plan_id, organization, space)",
        )?
        .execute([])?;
    Ok(())
}

/// How many others there are of a scope, as far as it matters.
fn others(connection: &Database, limit: &AtMost, subject: &Subject) -> Result<u64, RowError> {
    let most = i64::try_from(limit.others)
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    let count: i64 = match &limit.scope {
        Scope::Bindings(instance) => connection
            .prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM bindings WHERE instance_id = ?1 AND id <> ?2 LIMIT ?3)",
            )?
            .query_row(
                params![
                    instance.as_str(),
                    subject.binding().map_or("", BindingId::as_str),
                    most
                ],
                |row| row.get(0),
            )?,
        Scope::Instances {
            service_id,
            plan_id,
            within,
        } => connection
            .prepare_cached(&counting(plan_id.is_some(), within))?
            .query_row(
                params![
                    service_id.as_str(),
                    subject.instance().as_str(),
                    most,
                    plan_id.as_ref().map(PlanId::as_str),
                    place(within),
                ],
                |row| row.get(0),
            )?,
    };
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

fn place(within: &Within) -> Option<&str> {
    match within {
        Within::Everywhere => None,
        Within::Organization(guid) | Within::Space(guid) => Some(guid),
    }
}

/// The question, and with a plan what is on its way there.
fn counting(of_plan: bool, within: &Within) -> String {
    let of_plan_alone = if of_plan {
        "i.plan_id = ?4"
    } else {
        "?4 IS NULL"
    };
    let within = match within {
        Within::Everywhere => "?5 IS NULL",
        Within::Organization(_) => "i.organization = ?5",
        Within::Space(_) => "i.space = ?5",
    };
    format!(
        "SELECT (SELECT count(*) FROM (
                     SELECT 1 FROM instances i
                     WHERE i.service_id = ?1 AND {of_plan_alone} AND {within} AND i.id <> ?2 LIMIT ?3))
              + (SELECT count(*) FROM operations o JOIN instances i ON i.id = o.instance_id
                 WHERE o.state = 'in progress' AND o.moves_to = ?4
                       AND i.service_id = ?1 AND i.plan_id <> ?4 AND {within} AND i.id <> ?2)"
    )
}
