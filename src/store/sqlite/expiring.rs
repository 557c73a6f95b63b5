//! Bindings that have ended, for whoever unbinds them; and all of them by age, for who looks after them.

use rusqlite::{Row, named_params, params};

use super::database::Database;
use super::rows::{self, RowError, text};
use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, InstanceId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::ledger::BindingQuery;
use crate::domain::store::Claim;

/// Whether there is anything to claim.
pub(super) fn any(connection: &Database, claim: &Claim) -> Result<bool, RowError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM bindings
             WHERE told IN (1, ?1) AND unbind_at <= ?2 AND state <> 'in progress' LIMIT 1",
        )?
        .exists(params![told(claim), claim.by.0])?)
}

/// Leaves them to whoever asks, until they have rested.
pub(super) fn claim(
    connection: &Database,
    claim: &Claim,
) -> Result<Vec<(InstanceId, BindingId)>, RowError> {
    let (shortest, longest) = claim.rests_ms();
    connection
        .prepare_cached(
            "UPDATE bindings SET unbind_at = :by + min(max(:by - expires_at, :shortest), :longest)
             WHERE (instance_id, id) IN (
                 SELECT instance_id, id FROM bindings
                 WHERE told IN (1, :told) AND unbind_at <= :by AND state <> 'in progress'
                 ORDER BY unbind_at LIMIT :most)
             RETURNING instance_id, id",
        )?
        .query_map(
            named_params! {
                ":by": claim.by.0,
                ":shortest": shortest,
                ":longest": longest,
                ":told": told(claim),
                ":most": claim.most,
            },
            |row| Ok(read(row)),
        )?
        .map(|row| row.map_err(RowError::from).and_then(|claimed| claimed))
        .collect()
}

/// What may stand in `told` beside 1.
fn told(claim: &Claim) -> i64 {
    i64::from(!claim.untold)
}

fn read(row: &Row<'_>) -> Result<(InstanceId, BindingId), RowError> {
    Ok((
        InstanceId::parse(text(row, "instance_id")?)?,
        BindingId::parse(text(row, "id")?)?,
    ))
}

/// Bindings with their instances, those first that were bound first.
pub(super) fn list(
    connection: &Database,
    query: &BindingQuery,
) -> Result<Vec<(Instance, Binding)>, RowError> {
    let (after, instance, id) = match &query.after {
        Some((at, instance, id)) => (at.0, instance.as_str(), id.as_str()),
        None => (i64::MIN, "", ""),
    };
    let bindings: Vec<Binding> = connection
        .prepare_cached(
            "SELECT instance_id, id, service_id, plan_id, app_guid, operation, kind, state, fingerprint, created_at, details
             FROM bindings
             WHERE (created_at, instance_id, id) > (?1, ?2, ?3) AND (?4 IS NULL OR created_at <= ?4)
                   AND (?5 IS NULL OR service_id = ?5) AND (?6 IS NULL OR plan_id = ?6)
                   AND (?7 IS NULL OR EXISTS (
                       SELECT 1 FROM instances i WHERE i.id = bindings.instance_id AND i.organization = ?7))
             ORDER BY created_at, instance_id, id LIMIT ?8",
        )?
        .query_map(
            params![
                after,
                instance,
                id,
                query.bound_by.map(|by| by.0),
                query.service.as_ref().map(ServiceId::as_str),
                query.plan.as_ref().map(PlanId::as_str),
                query.organization,
                query.most,
            ],
            |row| Ok(rows::read_binding(connection, row)),
        )?
        .map(|row| row.map_err(RowError::from).and_then(|binding| binding))
        .collect::<Result<_, _>>()?;
    let with_instance = |binding: Binding| {
        let instance = rows::instance(connection, &binding.instance_id)?;
        let instance = instance.ok_or(RowError::Unreadable("instance of a binding"))?;
        Ok((instance, binding))
    };
    bindings.into_iter().map(with_instance).collect()
}
