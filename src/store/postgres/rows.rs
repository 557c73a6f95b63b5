//! Domain values as rows, and rows as domain values.

use super::error::StepError;
use super::transaction::Transaction;
use super::values::{Columns, values};
use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::json::Fingerprint;
use crate::domain::operation::{Operation, Subject};
use crate::domain::store::PlanInUse;
use crate::domain::time::Timestamp;
use crate::store::seal::Cell;

/// What [`read_instance`] reads, of `i`.
macro_rules! instance_columns {
    () => {
        "i.id, i.service_id, i.plan_id, i.organization, i.space, i.operation, i.kind, i.state, i.version, i.backend, \
         i.fingerprint, i.created_at, i.updated_at, i.details"
    };
}
pub(super) use instance_columns;

/// What [`read_binding`] reads, of `b`.
macro_rules! binding_columns {
    () => {
        "b.instance_id, b.id, b.service_id, b.plan_id, b.app_guid, b.operation, b.kind, b.state, b.fingerprint, \
         b.created_at, b.details"
    };
}
pub(super) use binding_columns;

/// The instance with that id.
pub(super) async fn instance(
    database: &Transaction<'_>,
    id: &InstanceId,
) -> Result<Option<Instance>, StepError> {
    let row = database
        .find(
            concat!(
                "SELECT ",
                instance_columns!(),
                " FROM broker_instances i WHERE i.id = $1"
            ),
            values![id.as_str()],
        )
        .await?;
    row.map(|row| read_instance(&mut database.columns(&row)))
        .transpose()
}

/// The instance, and the binding of it with that id, as they were at one moment.
pub(super) async fn both(
    database: &Transaction<'_>,
    instance: &InstanceId,
    id: &BindingId,
) -> Result<Option<(Instance, Option<Binding>)>, StepError> {
    let row = database
        .find(
            concat!(
                "SELECT ",
                instance_columns!(),
                ", ",
                binding_columns!(),
                " FROM broker_instances i
                  LEFT JOIN broker_bindings b ON b.instance_id = i.id AND b.id = $2 WHERE i.id = $1"
            ),
            values![instance.as_str(), id.as_str()],
        )
        .await?;
    row.map(|row| {
        let mut columns = database.columns(&row);
        Ok((
            read_instance(&mut columns)?,
            read_maybe_binding(&mut columns)?,
        ))
    })
    .transpose()
}

pub(super) fn read_instance(columns: &mut Columns<'_>) -> Result<Instance, StepError> {
    let id = InstanceId::parse(columns.text()?)?;
    Ok(Instance {
        service_id: ServiceId::parse(columns.text()?)?,
        plan_id: PlanId::parse(columns.text()?)?,
        organization: columns.take()?,
        space: columns.take()?,
        last_operation: columns.last_operation()?,
        version: columns.take()?,
        backend: columns.take::<Option<&str>>()?.map(Into::into),
        fingerprint: Fingerprint(columns.hash()?),
        created_at: Timestamp(columns.take()?),
        updated_at: Timestamp(columns.take()?),
        details: columns.unpacked(Cell::Instance(&id))?,
        id,
    })
}

/// The binding of that instance with that id.
pub(super) async fn binding(
    database: &Transaction<'_>,
    instance: &InstanceId,
    id: &BindingId,
) -> Result<Option<Binding>, StepError> {
    let row = database
        .find(
            concat!(
                "SELECT ",
                binding_columns!(),
                " FROM broker_bindings b WHERE b.instance_id = $1 AND b.id = $2"
            ),
            values![instance.as_str(), id.as_str()],
        )
        .await?;
    row.map(|row| read_binding(&mut database.columns(&row)))
        .transpose()
}

/// All bindings of an instance, the oldest first.
pub(super) async fn bindings(
    database: &Transaction<'_>,
    instance: &InstanceId,
) -> Result<Vec<Binding>, StepError> {
    database
        .query(
            concat!(
                "SELECT ",
                binding_columns!(),
                " FROM broker_bindings b WHERE b.instance_id = $1 ORDER BY b.created_at, b.id"
            ),
            values![instance.as_str()],
        )
        .await?
        .iter()
        .map(|row| read_binding(&mut database.columns(row)))
        .collect()
}

/// The plans of what a backend made.
pub(super) async fn plans_in_use(database: &Transaction<'_>) -> Result<Vec<PlanInUse>, StepError> {
    let rows = database
        .query(
            "SELECT * FROM (
                 SELECT service_id, plan_id, organization, count(*) FROM broker_instances
                 WHERE backend IS NOT NULL GROUP BY service_id, plan_id, organization
                 UNION ALL
                 SELECT i.service_id, o.moves_to, i.organization, count(*)
                 FROM broker_operations o JOIN broker_instances i ON i.id = o.instance_id
                 WHERE o.state = 'in progress' AND o.moves_to <> i.plan_id AND (i.backend IS NOT NULL OR o.backend <> 'fixed')
                 GROUP BY i.service_id, o.moves_to, i.organization
             ) AS used ORDER BY service_id, plan_id",
            values![],
        )
        .await?;
    let mut plans = Vec::new();
    for row in &rows {
        let mut columns = database.columns(row);
        let service_id = ServiceId::parse(columns.text()?)?;
        let plan_id = PlanId::parse(columns.text()?)?;
        let organization: String = columns.take()?;
        let count = columns.count()?;
        PlanInUse::add(&mut plans, (service_id, plan_id), &organization, count);
    }
    Ok(plans)
}

/// The binding, where the row has one.
pub(super) fn read_maybe_binding(columns: &mut Columns<'_>) -> Result<Option<Binding>, StepError> {
    columns
        .is_there()?
        .then(|| read_binding(columns))
        .transpose()
}

pub(super) fn read_binding(columns: &mut Columns<'_>) -> Result<Binding, StepError> {
    let instance_id = InstanceId::parse(columns.text()?)?;
    let id = BindingId::parse(columns.text()?)?;
    Ok(Binding {
        service_id: ServiceId::parse(columns.text()?)?,
        plan_id: PlanId::parse(columns.text()?)?,
        app_guid: columns.take()?,
        last_operation: columns.last_operation()?,
        fingerprint: Fingerprint(columns.hash()?),
        created_at: Timestamp(columns.take()?),
        details: columns.unpacked(Cell::Binding(&instance_id, &id))?,
        instance_id,
        id,
    })
}

/// The operation that is named if it is about `subject`; else the latest.
pub(super) async fn operation(
    database: &Transaction<'_>,
    subject: &Subject,
    named: Option<&OperationId>,
) -> Result<Option<Operation>, StepError> {
    let row = database
        .find(
            "SELECT id, kind, state, report, fingerprint, started_at, finished_at FROM (
                 (SELECT 1 AS choice, * FROM broker_operations WHERE id = $3 AND binding_id = $2 AND instance_id = $1)
                 UNION ALL
                 (SELECT 2 AS choice, * FROM broker_operations WHERE instance_id = $1 AND binding_id = $2
                  ORDER BY turn DESC LIMIT 1)
             ) AS candidates ORDER BY choice LIMIT 1",
            values![
                subject.instance().as_str(),
                subject.binding().map_or("", BindingId::as_str),
                named.map(OperationId::as_str),
            ],
        )
        .await?;
    row.map(|row| read_operation(&mut database.columns(&row), subject.clone()))
        .transpose()
}

pub(super) fn read_operation(
    columns: &mut Columns<'_>,
    subject: Subject,
) -> Result<Operation, StepError> {
    let id = OperationId::parse(columns.text()?)?;
    Ok(Operation {
        kind: columns.kind()?,
        state: columns.state()?,
        report: columns.report(Cell::Report(&id, &subject))?,
        fingerprint: columns.maybe_hash()?.map(Fingerprint),
        started_at: Timestamp(columns.take()?),
        finished_at: columns.take::<Option<i64>>()?.map(Timestamp),
        id,
        subject,
    })
}

/// Whether the server takes writes: after a failover the old one may still answer.
pub(super) async fn writable(database: &Transaction<'_>) -> Result<(), StepError> {
    let row = database
        .find("SHOW transaction_read_only", values![])
        .await?;
    match row.map(|row| database.columns(&row).text().map(|word| word == "off")) {
        Some(Ok(true)) => Ok(()),
        _ => Err(StepError::ReadOnly),
    }
}

/// Writes what is there already.
pub(super) async fn probe(database: &Transaction<'_>) -> Result<(), StepError> {
    writable(database).await?;
    database
        .execute(
            "UPDATE broker_meta SET value = value WHERE name = 'fingerprint key'",
            values![],
        )
        .await
        .map(|_| ())
}
