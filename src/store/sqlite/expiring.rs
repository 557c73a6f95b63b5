//! Bindings that have ended, for whoever unbinds them.

use rusqlite::{Row, named_params, params};

use super::database::Database;
use super::rows::{RowError, text};
use crate::domain::id::{BindingId, InstanceId};
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
