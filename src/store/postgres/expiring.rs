//! Bindings that have ended, for whoever unbinds them.

use super::error::StepError;
use super::transaction::Transaction;
use super::values::values;
use crate::domain::id::{BindingId, InstanceId};
use crate::domain::store::Claim;

/// Whether there is anything to claim: nothing is locked to find out.
pub(super) async fn any(database: &Transaction<'_>, claim: &Claim) -> Result<bool, StepError> {
    database
        .exists(
            "SELECT 1 FROM broker_bindings
             WHERE told IN (1, $1) AND unbind_at <= $2 AND state <> 'in progress' LIMIT 1",
            values![told(claim), claim.by.0],
        )
        .await
}

/// Leaves them to whoever asks, until they have rested. What another one is just changing is passed over.
pub(super) async fn claim(
    database: &Transaction<'_>,
    claim: &Claim,
) -> Result<Vec<(InstanceId, BindingId)>, StepError> {
    let (shortest, longest) = claim.rests_ms();
    database
        .query(
            "WITH expired AS (
                 SELECT instance_id, id FROM broker_bindings
                 WHERE told IN (1, $1) AND unbind_at <= $2 AND state <> 'in progress'
                 ORDER BY unbind_at LIMIT $3 FOR UPDATE SKIP LOCKED
             )
             UPDATE broker_bindings b SET unbind_at = $2 + least(greatest($2 - b.expires_at, $4), $5)
             FROM expired WHERE b.instance_id = expired.instance_id AND b.id = expired.id
             RETURNING b.instance_id, b.id",
            values![told(claim), claim.by.0, claim.most, shortest, longest],
        )
        .await?
        .iter()
        .map(|row| {
            let mut columns = database.columns(row);
            Ok((
                InstanceId::parse(columns.text()?)?,
                BindingId::parse(columns.text()?)?,
            ))
        })
        .collect()
}

/// What may stand in `told` beside 1.
fn told(claim: &Claim) -> i64 {
    i64::from(!claim.untold)
}
