//! The database as an operator reads and mends it. Lists go through whole tables: who asks is a person, not a platform.

use super::PostgresStore;
use super::error::StepError;
use super::jobs::subject;
use super::open::recorded;
use super::transaction::Transaction;
use super::values::{Columns, values};
use super::{expiring, lendings, reseal, rows, served, steps, transfer};
use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::ledger::{
    BindingQuery, Counts, Entry, InstanceQuery, Kept, KeyId, Ledger, Listed, OperationQuery,
    Others, Page, Place, PlanCount, Resealed, Row, Seal, Stepped,
};
use crate::domain::operation::{Operation, Report, State};
use crate::domain::store::Answer;
use crate::domain::time::Timestamp;
use crate::secret::Secret;

/// What [`read_entry`] reads.
macro_rules! entry_columns {
    () => {
        "instance_id, binding_id, id, kind, state, report, fingerprint, started_at, finished_at, backend, attempt, tries, \
         owner, due_at, waits_for"
    };
}
pub(super) use entry_columns;

impl Ledger for PostgresStore {
    fn list_instances(&self, query: InstanceQuery) -> Answer<'_, Vec<Listed>> {
        Box::pin(self.driver.run(async move |pool| {
            pool.ask(async |database| list_instances(database, &query).await)
                .await
        }))
    }

    fn list_bindings(&self, query: BindingQuery) -> Answer<'_, Vec<(Instance, Binding)>> {
        Box::pin(self.driver.run(async move |pool| {
            pool.ask(async |database| expiring::list(database, &query).await)
                .await
        }))
    }

    fn list_operations(&self, query: OperationQuery) -> Answer<'_, Vec<Entry>> {
        Box::pin(self.driver.run(async move |pool| {
            pool.ask(async |database| list_operations(database, &query).await)
                .await
        }))
    }

    fn entry(&self, id: OperationId) -> Answer<'_, Option<Entry>> {
        Box::pin(
            self.driver
                .run(async move |pool| pool.ask(async |database| entry(database, &id).await).await),
        )
    }

    fn census(&self) -> Answer<'_, Counts> {
        Box::pin(self.driver.run(async |pool| {
            let mut counts = pool.ask(counts).await?;
            counts.oldest = pool.ask(oldest).await?;
            counts.pools = pool.ask(lendings::counts).await?;
            Ok(counts)
        }))
    }

    fn counts(&self) -> Answer<'_, Counts> {
        Box::pin(self.driver.run(async |pool| {
            let mut counts = pool.ask(counts).await?;
            counts.oldest = pool.ask(oldest).await?;
            counts.sealed = pool.ask(reseal::sealed).await?;
            counts.pools = pool.ask(lendings::counts).await?;
            counts.bytes = match pool.ask(bytes).await {
                Err(error) if error.is_unknown_function() => None,
                bytes => Some(bytes?),
            };
            Ok(counts)
        }))
    }

    fn retry(&self, id: OperationId, now: Timestamp) -> Answer<'_, Stepped> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| steps::retry(database, &id, now).await)
                .await
        }))
    }

    fn give_up(&self, id: OperationId, report: Report, now: Timestamp) -> Answer<'_, Stepped> {
        let report = Secret::new(report);
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| steps::give_up(database, &id, &report, now).await)
                .await
        }))
    }

    fn forget(&self, id: InstanceId, by: Operation) -> Answer<'_, Option<u64>> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| steps::forget(database, &id, &by).await)
                .await
        }))
    }

    fn export(&self, from: Place, most: u32) -> Answer<'_, Page> {
        Box::pin(self.driver.run(async move |pool| {
            pool.ask(async |database| transfer::page(database, &from, most).await)
                .await
        }))
    }

    fn import(&self, rows: Vec<Row>) -> Answer<'_, ()> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| transfer::write(database, &rows).await)
                .await
        }))
    }

    fn complete(&self) -> Answer<'_, ()> {
        Box::pin(
            self.driver
                .run(async |pool| pool.step(transfer::complete).await),
        )
    }

    fn seal(&self) -> Seal {
        self.sealer.seal()
    }

    fn reseal(&self, from: Place, most: u32) -> Answer<'_, Resealed> {
        Box::pin(self.driver.run(async move |pool| {
            let page = pool.ask(async |database| reseal::page(database, &from, most).await);
            let page = page.await?;
            let cells = pool.ask(async |database| reseal::write(database, &page.changes).await);
            let cells = cells.await?;
            Ok(Resealed {
                cells,
                all: cells == page.cells,
                next: page.next,
            })
        }))
    }

    fn forget_keys(&self) -> Answer<'_, Kept> {
        Box::pin(
            self.driver
                .run(async |pool| pool.step(reseal::forget_keys).await),
        )
    }

    fn sealed_with(&self) -> Answer<'_, Vec<KeyId>> {
        Box::pin(self.driver.run(async |pool| {
            let recorded = pool.ask(recorded).await?;
            Ok(recorded.into_keys())
        }))
    }

    fn last_served(&self) -> Answer<'_, Option<Vec<u8>>> {
        Box::pin(self.driver.run(async |pool| pool.ask(served::read).await))
    }

    fn keep_served(&self, served: Vec<u8>) -> Answer<'_, ()> {
        Box::pin(self.driver.run(async move |pool| {
            pool.step(async |database| served::keep(database, &served).await)
                .await
        }))
    }

    fn others(&self, now: Timestamp) -> Answer<'_, Others> {
        Box::pin(self.driver.run(async move |pool| {
            pool.ask(async |database| others(database, &pool.brokers, now).await)
                .await
        }))
    }
}

async fn list_instances(
    database: &Transaction<'_>,
    query: &InstanceQuery,
) -> Result<Vec<Listed>, StepError> {
    database
        .query(
            "SELECT id, service_id, plan_id, organization, space, operation, kind, state, backend, created_at, updated_at,
                    (SELECT count(*) FROM broker_bindings WHERE instance_id = broker_instances.id)
             FROM broker_instances
             WHERE id > $1 AND ($2 IS NULL OR service_id = $2) AND ($3 IS NULL OR plan_id = $3)
                   AND ($4 IS NULL OR organization = $4) AND ($5 IS NULL OR state = $5)
                   AND ($7 IS NULL OR space = $7)
                   AND ($8 IS NULL OR id IN (SELECT instance_id FROM broker_bindings WHERE app_guid = $8))
                   AND ($9 IS NULL OR left(id, length($9)) = $9 OR organization = $9 OR space = $9
                        OR id IN (SELECT instance_id FROM broker_bindings WHERE id = $9 OR app_guid = $9))
             ORDER BY id LIMIT $6",
            values![
                query.after.as_ref().map_or("", InstanceId::as_str),
                query.service.as_ref().map(ServiceId::as_str),
                query.plan.as_ref().map(PlanId::as_str),
                query.organization.as_deref(),
                query.state.map(State::name),
                query.most,
                query.space.as_deref(),
                query.app.as_deref(),
                query.any.as_deref(),
            ],
        )
        .await?
        .iter()
        .map(|row| read_listed(&mut database.columns(row)))
        .collect()
}

fn read_listed(columns: &mut Columns<'_>) -> Result<Listed, StepError> {
    Ok(Listed {
        id: InstanceId::parse(columns.text()?)?,
        service_id: ServiceId::parse(columns.text()?)?,
        plan_id: PlanId::parse(columns.text()?)?,
        organization: columns.take()?,
        space: columns.take()?,
        last_operation: columns.last_operation()?,
        backend: columns.take::<Option<&str>>()?.map(Into::into),
        created_at: Timestamp(columns.take()?),
        updated_at: Timestamp(columns.take()?),
        bindings: columns.count()?,
    })
}

async fn list_operations(
    database: &Transaction<'_>,
    query: &OperationQuery,
) -> Result<Vec<Entry>, StepError> {
    database
        .query(
            concat!(
                "SELECT ",
                entry_columns!(),
                " FROM broker_operations
                 WHERE ($1 IS NULL OR state = $1) AND ($2 IS NULL OR instance_id = $2)
                       AND ($4 IS NULL OR started_at < $4 OR (started_at = $4 AND (id, binding_id) > ($5, $6)))
                 ORDER BY started_at DESC, id, binding_id LIMIT $3"
            ),
            values![
                query.state.map(State::name),
                query.instance.as_ref().map(InstanceId::as_str),
                query.most,
                query.after.as_ref().map(|(at, _, _)| at.0),
                query.after.as_ref().map(|(_, id, _)| id.as_str()),
                query.after.as_ref().map(|(_, _, binding)| binding.as_ref().map_or("", BindingId::as_str)),
            ],
        )
        .await?
        .iter()
        .map(|row| read_entry(&mut database.columns(row)))
        .collect()
}

async fn entry(database: &Transaction<'_>, id: &OperationId) -> Result<Option<Entry>, StepError> {
    let row = database
        .find(
            concat!(
                "SELECT ",
                entry_columns!(),
                " FROM broker_operations WHERE id = $1 ORDER BY binding_id LIMIT 1"
            ),
            values![id.as_str()],
        )
        .await?;
    row.map(|row| read_entry(&mut database.columns(&row)))
        .transpose()
}

pub(super) fn read_entry(columns: &mut Columns<'_>) -> Result<Entry, StepError> {
    let subject = subject(columns)?;
    Ok(Entry {
        operation: rows::read_operation(columns, subject)?,
        backend: columns.take::<Option<&str>>()?.map(Into::into),
        attempt: columns.number()?,
        tries: columns.number()?,
        owner: columns.take::<Option<&str>>()?.map(Into::into),
        due_at: columns.take::<Option<i64>>()?.map(Timestamp),
        waits_for: columns
            .take::<Option<&str>>()?
            .map(OperationId::parse)
            .transpose()?,
    })
}

/// All of one moment, for it is one statement. An operation has neither offering nor plan.
async fn counts(database: &Transaction<'_>) -> Result<Counts, StepError> {
    let rows = database
        .query(
            "SELECT 1, state, count(*), service_id, plan_id FROM broker_instances GROUP BY state, service_id, plan_id
             UNION ALL
             SELECT 2, state, count(*), service_id, plan_id FROM broker_bindings GROUP BY state, service_id, plan_id
             UNION ALL
             SELECT 3, state, count(*), '', '' FROM broker_operations GROUP BY state
             ORDER BY 1, 4, 5, 2",
            values![],
        )
        .await?;
    let mut counts = Counts::default();
    for row in &rows {
        let mut columns = database.columns(row);
        let what: i32 = columns.take()?;
        let (state, count) = (columns.state()?, columns.count()?);
        if what == 3 {
            counts.operations.push((state, count));
            continue;
        }
        let of_plan = PlanCount {
            service_id: ServiceId::parse(columns.text()?)?,
            plan_id: PlanId::parse(columns.text()?)?,
            state,
            count,
        };
        match what {
            1 => counts.instances.push(of_plan),
            _ => counts.bindings.push(of_plan),
        }
    }
    Ok(counts)
}

async fn oldest(database: &Transaction<'_>) -> Result<Option<Entry>, StepError> {
    let row = database
        .find(
            concat!(
                "SELECT ",
                entry_columns!(),
                " FROM broker_operations WHERE state = 'in progress' ORDER BY started_at, id LIMIT 1"
            ),
            values![],
        )
        .await?;
    row.map(|row| read_entry(&mut database.columns(&row)))
        .transpose()
}

async fn bytes(database: &Transaction<'_>) -> Result<u64, StepError> {
    let row = database
        .find(
            "SELECT pg_total_relation_size('broker_instances') + pg_total_relation_size('broker_bindings')
                    + pg_total_relation_size('broker_operations') + pg_total_relation_size('broker_meta')
                    + pg_total_relation_size('broker_audit')",
            values![],
        )
        .await?;
    row.map_or(Ok(0), |row| database.columns(&row).count())
}

/// Brokers by their connections, and by what they have leased. An engine that lists no connections shows the leases alone.
async fn others(
    database: &Transaction<'_>,
    brokers: &str,
    now: Timestamp,
) -> Result<Others, StepError> {
    let row = database
        .find(
            "SELECT (SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()),
                    (SELECT max(due_at) FROM broker_operations WHERE owner IS NOT NULL AND due_at > $2)",
            values![brokers, now.0],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Others::default());
    };
    let mut columns = database.columns(&row);
    Ok(Others {
        connections: columns.count()?,
        leased_until: columns.take::<Option<i64>>()?.map(Timestamp),
    })
}
