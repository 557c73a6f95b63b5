//! Bindings that have ended, for whoever unbinds them; and all of them by age, for who looks after them.

use super::error::StepError;
use super::rows::{self, binding_columns, instance_columns};
use super::transaction::Transaction;
use super::values::values;
use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, InstanceId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::ledger::BindingQuery;
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

/// Bindings with their instances, those first that were bound first.
pub(super) async fn list(
    database: &Transaction<'_>,
    query: &BindingQuery,
) -> Result<Vec<(Instance, Binding)>, StepError> {
    let (after, instance, id) = match &query.after {
        Some((at, instance, id)) => (at.0, instance.as_str(), id.as_str()),
        None => (i64::MIN, "", ""),
    };
    database
        .query(
            concat!(
                "SELECT ",
                instance_columns!(),
                ", ",
                binding_columns!(),
                " FROM broker_bindings b JOIN broker_instances i ON i.id = b.instance_id
                  WHERE (b.created_at, b.instance_id, b.id) > ($1, $2, $3) AND ($4 IS NULL OR b.created_at <= $4)
                        AND ($5 IS NULL OR b.service_id = $5) AND ($6 IS NULL OR b.plan_id = $6)
                        AND ($7 IS NULL OR i.organization = $7)
                  ORDER BY b.created_at, b.instance_id, b.id LIMIT $8"
            ),
            values![
                after,
                instance,
                id,
                query.bound_by.map(|by| by.0),
                query.service.as_ref().map(ServiceId::as_str),
                query.plan.as_ref().map(PlanId::as_str),
                query.organization.as_deref(),
                query.most,
            ],
        )
        .await?
        .iter()
        .map(|row| {
            let mut columns = database.columns(row);
            Ok((
                rows::read_instance(&mut columns)?,
                rows::read_binding(&mut columns)?,
            ))
        })
        .collect()
}
