//! The file as an operator reads and mends it. Lists go through whole tables: who asks is a person, not a platform.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

use rusqlite::{OptionalExtension, Row as SqlRow, named_params, params};

use super::changes;
use super::database::Database;
use super::jobs::subject;
use super::open::recorded;
use super::rows::{self, RowError, text};
use super::{SqliteStore, expiring, lendings, reseal, served, tally, transfer};
use crate::domain::binding::Binding;
use crate::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use crate::domain::instance::Instance;
use crate::domain::ledger::{
    BindingQuery, Counts, Entry, InstanceQuery, Kept, KeyId, Ledger, Listed, OperationQuery,
    Others, Page, Place, PlanCount, Resealed, Row, Seal, Stepped,
};
use crate::domain::operation::{Operation, Report, State, Subject};
use crate::domain::store::Answer;
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::store::seal::Cell;

impl Ledger for SqliteStore {
    fn list_instances(&self, query: InstanceQuery) -> Answer<'_, Vec<Listed>> {
        Box::pin(
            self.readers
                .ask(move |connection| Ok(list_instances(connection, &query)?)),
        )
    }

    fn list_bindings(&self, query: BindingQuery) -> Answer<'_, Vec<(Instance, Binding)>> {
        Box::pin(self.readers.ask(move |connection| {
            // One transaction, so that both are of one moment.
            let _moment = connection
                .unchecked_transaction()
                .map_err(rows::unavailable)?;
            Ok(expiring::list(connection, &query)?)
        }))
    }

    fn list_operations(&self, query: OperationQuery) -> Answer<'_, Vec<Entry>> {
        Box::pin(
            self.readers
                .ask(move |connection| Ok(list_operations(connection, &query)?)),
        )
    }

    fn entry(&self, id: OperationId) -> Answer<'_, Option<Entry>> {
        Box::pin(
            self.readers
                .ask(move |connection| Ok(entry(connection, &id)?)),
        )
    }

    fn census(&self) -> Answer<'_, Counts> {
        Box::pin(self.readers.ask(|connection| {
            let _moment = connection
                .unchecked_transaction()
                .map_err(rows::unavailable)?;
            Ok(census(connection)?)
        }))
    }

    fn counts(&self) -> Answer<'_, Counts> {
        Box::pin(self.readers.ask(|connection| {
            // One transaction, so that all is of one moment.
            let _moment = connection
                .unchecked_transaction()
                .map_err(rows::unavailable)?;
            Ok(counts(connection)?)
        }))
    }

    fn retry(&self, id: OperationId, now: Timestamp) -> Answer<'_, Stepped> {
        Box::pin(
            self.writer
                .step(move |connection| retry(connection, &id, now)),
        )
    }

    fn give_up(&self, id: OperationId, report: Report, now: Timestamp) -> Answer<'_, Stepped> {
        let report = Secret::new(report);
        Box::pin(
            self.writer
                .step(move |connection| give_up(connection, &id, &report, now)),
        )
    }

    fn forget(&self, id: InstanceId, by: Operation) -> Answer<'_, Option<u64>> {
        Box::pin(
            self.writer
                .step(move |connection| forget(connection, &id, &by)),
        )
    }

    fn export(&self, from: Place, most: u32) -> Answer<'_, Page> {
        Box::pin(
            self.readers
                .ask(move |connection| Ok(transfer::page(connection, &from, most)?)),
        )
    }

    fn import(&self, rows: Vec<Row>) -> Answer<'_, ()> {
        Box::pin(self.writer.step(move |connection| {
            rows.iter()
                .try_for_each(|row| transfer::write(connection, row))
        }))
    }

    fn complete(&self) -> Answer<'_, ()> {
        Box::pin(self.writer.step(transfer::complete))
    }

    fn seal(&self) -> Seal {
        self.sealer.seal()
    }

    fn reseal(&self, from: Place, most: u32) -> Answer<'_, Resealed> {
        Box::pin(async move {
            let page = self
                .readers
                .ask(move |connection| Ok(reseal::page(connection, &from, most)?));
            let page = page.await?;
            let (count, next, changes) = (page.cells, page.next, page.changes);
            // Nothing is written to find out that nothing is to be done.
            let cells = if changes.is_empty() {
                0
            } else {
                self.writer
                    .step(move |connection| reseal::write(connection, &changes))
                    .await?
            };
            Ok(Resealed {
                cells,
                all: cells == count,
                next,
            })
        })
    }

    fn forget_keys(&self) -> Answer<'_, Kept> {
        Box::pin(async move {
            let kept = self.writer.step(reseal::forget_keys).await?;
            self.writer.settle().await?;
            Ok(kept)
        })
    }

    fn sealed_with(&self) -> Answer<'_, Vec<KeyId>> {
        Box::pin(self.readers.ask(|connection| {
            let recorded = recorded(connection).map_err(RowError::from)?;
            Ok(recorded.into_keys())
        }))
    }

    fn last_served(&self) -> Answer<'_, Option<Vec<u8>>> {
        Box::pin(self.readers.ask(|connection| Ok(served::read(connection)?)))
    }

    fn keep_served(&self, served: Vec<u8>) -> Answer<'_, ()> {
        Box::pin(
            self.writer
                .step(move |connection| served::keep(connection, &served)),
        )
    }

    fn others(&self, _: Timestamp) -> Answer<'_, Others> {
        // Who imports or exports holds the lock.
        Box::pin(ready(Ok(Others::default())))
    }
}

fn list_instances(connection: &Database, query: &InstanceQuery) -> Result<Vec<Listed>, RowError> {
    connection
        .prepare_cached(
            "SELECT id, service_id, plan_id, organization, space, operation, kind, state, backend, created_at, updated_at,
                    (SELECT count(*) FROM bindings WHERE instance_id = instances.id) AS bindings
             FROM instances
             WHERE id > :after AND (:service IS NULL OR service_id = :service) AND (:plan IS NULL OR plan_id = :plan)
                   AND (:organization IS NULL OR organization = :organization) AND (:state IS NULL OR state = :state)
                   AND (:space IS NULL OR space = :space)
                   AND (:app IS NULL OR id IN (SELECT instance_id FROM bindings WHERE app_guid = :app))
                   AND (:any IS NULL OR substr(id, 1, length(:any)) = :any OR organization = :any OR space = :any
                        OR id IN (SELECT instance_id FROM bindings WHERE id = :any OR app_guid = :any))
             ORDER BY id LIMIT :most",
        )?
        .query_map(
            named_params! {
                ":after": query.after.as_ref().map_or("", InstanceId::as_str),
                ":service": query.service.as_ref().map(ServiceId::as_str),
                ":plan": query.plan.as_ref().map(PlanId::as_str),
                ":organization": query.organization,
                ":space": query.space,
                ":app": query.app,
                ":any": query.any,
                ":state": query.state.map(State::name),
                ":most": query.most,
            },
            |row| Ok(read_listed(row)),
        )?
        .map(|row| row.map_err(RowError::from).and_then(|listed| listed))
        .collect()
}

fn read_listed(row: &SqlRow<'_>) -> Result<Listed, RowError> {
    Ok(Listed {
        id: InstanceId::parse(text(row, "id")?)?,
        service_id: ServiceId::parse(text(row, "service_id")?)?,
        plan_id: PlanId::parse(text(row, "plan_id")?)?,
        organization: row.get("organization")?,
        space: row.get("space")?,
        last_operation: rows::last_operation(row)?,
        backend: row.get::<_, Option<String>>("backend")?.map(Into::into),
        created_at: Timestamp(row.get("created_at")?),
        updated_at: Timestamp(row.get("updated_at")?),
        bindings: number(row, "bindings")?,
    })
}

fn list_operations(connection: &Database, query: &OperationQuery) -> Result<Vec<Entry>, RowError> {
    connection
        .prepare_cached(
            "SELECT id, kind, instance_id, binding_id, state, report, fingerprint, started_at, finished_at, backend,
                    attempt, tries, owner, due_at, waits_for
             FROM operations
             WHERE (:state IS NULL OR state = :state) AND (:instance IS NULL OR instance_id = :instance)
                   AND (:at IS NULL OR started_at < :at OR (started_at = :at AND (id, binding_id) > (:after, :binding)))
             ORDER BY started_at DESC, id, binding_id LIMIT :most",
        )?
        .query_map(
            named_params! {
                ":state": query.state.map(State::name),
                ":instance": query.instance.as_ref().map(InstanceId::as_str),
                ":at": query.after.as_ref().map(|(at, _, _)| at.0),
                ":after": query.after.as_ref().map(|(_, id, _)| id.as_str()),
                ":binding": query.after.as_ref().map(|(_, _, binding)| binding.as_ref().map_or("", BindingId::as_str)),
                ":most": query.most,
            },
            |row| Ok(read_entry(connection, row)),
        )?
        .map(|row| row.map_err(RowError::from).and_then(|entry| entry))
        .collect()
}

fn entry(connection: &Database, id: &OperationId) -> Result<Option<Entry>, RowError> {
    connection
        .prepare_cached(
            "SELECT id, kind, instance_id, binding_id, state, report, fingerprint, started_at, finished_at, backend,
                    attempt, tries, owner, due_at, waits_for
             FROM operations WHERE id = ?1 ORDER BY binding_id LIMIT 1",
        )?
        .query_row([id.as_str()], |row| Ok(read_entry(connection, row)))
        .optional()?
        .transpose()
}

pub(super) fn read_entry(connection: &Database, row: &SqlRow<'_>) -> Result<Entry, RowError> {
    let shared = |column| -> Result<Option<Arc<str>>, RowError> {
        Ok(row.get::<_, Option<String>>(column)?.map(Into::into))
    };
    let waits_for: Option<String> = row.get("waits_for")?;
    Ok(Entry {
        operation: rows::read_operation(connection, row, &subject(row)?)?,
        backend: shared("backend")?,
        attempt: row.get("attempt")?,
        tries: row.get("tries")?,
        owner: shared("owner")?,
        due_at: row.get::<_, Option<i64>>("due_at")?.map(Timestamp),
        waits_for: waits_for.as_deref().map(OperationId::parse).transpose()?,
    })
}

fn census(connection: &Database) -> Result<Counts, RowError> {
    let all = tally::inventory(connection)?;
    Ok(Counts {
        instances: all.instances,
        bindings: all.bindings,
        operations: counted_operations(connection)?,
        oldest: oldest(connection)?,
        pools: lendings::counts(connection)?,
        ..Counts::default()
    })
}

fn counts(connection: &Database) -> Result<Counts, RowError> {
    Ok(Counts {
        sealed: reseal::sealed(connection)?,
        bytes: Some(connection.query_row(
            "SELECT page_count * page_size AS number FROM pragma_page_count, pragma_page_size",
            [],
            |row| Ok(number(row, "number")),
        )??),
        ..census(connection)?
    })
}

/// Grouped here: the engine sorts all rows to group them, which takes it ten times as long as to read them.
pub(super) fn counted(connection: &Database, sql: &str) -> Result<Vec<PlanCount>, RowError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut counts: HashMap<String, PlanCount> = HashMap::new();
    let mut key = String::new();
    while let Some(row) = rows.next()? {
        key.clear();
        for column in ["service_id", "plan_id", "state"] {
            key.push_str(text(row, column)?);
            // Which no id has.
            key.push('\0');
        }
        if let Some(known) = counts.get_mut(key.as_str()) {
            known.count += 1;
        } else {
            let count = PlanCount {
                service_id: ServiceId::parse(text(row, "service_id")?)?,
                plan_id: PlanId::parse(text(row, "plan_id")?)?,
                state: rows::state(row)?,
                count: 1,
            };
            counts.insert(key.clone(), count);
        }
    }
    let mut counts: Vec<PlanCount> = counts.into_values().collect();
    counts.sort_by(|one, other| order(one).cmp(&order(other)));
    Ok(counts)
}

fn order(count: &PlanCount) -> (&ServiceId, &PlanId, &'static str) {
    (&count.service_id, &count.plan_id, count.state.name())
}

fn counted_operations(connection: &Database) -> Result<Vec<(State, u64)>, RowError> {
    connection
        .prepare_cached(
            "SELECT state, count(*) AS number FROM operations GROUP BY state ORDER BY state",
        )?
        .query_map([], |row| {
            Ok(rows::state(row).and_then(|state| Ok((state, number(row, "number")?))))
        })?
        .map(|row| row.map_err(RowError::from).and_then(|count| count))
        .collect()
}

fn oldest(connection: &Database) -> Result<Option<Entry>, RowError> {
    connection
        .prepare_cached(
            "SELECT id, kind, instance_id, binding_id, state, report, fingerprint, started_at, finished_at, backend,
                    attempt, tries, owner, due_at, waits_for
             FROM operations WHERE state = 'in progress' ORDER BY started_at, id LIMIT 1",
        )?
        .query_row([], |row| Ok(read_entry(connection, row)))
        .optional()?
        .transpose()
}

fn retry(connection: &Database, id: &OperationId, now: Timestamp) -> Result<Stepped, RowError> {
    let Some(found) = entry(connection, id)? else {
        return Ok(Stepped::Absent);
    };
    if found.operation.state != State::InProgress {
        return Ok(Stepped::Over(found.operation.state));
    }
    let until = found.due_at.unwrap_or(now);
    if let Some(owner) = found.owner.filter(|_| until > now) {
        return Ok(Stepped::Leased { owner, until });
    }
    // Before its first attempt it rests for one reason only: what it takes over from may still act.
    if found.attempt == 0 && until > now {
        return Ok(Stepped::Waits(until));
    }
    // Its owner's lease has run out: what that gives back later is not its own any more.
    connection
        .prepare_cached(
            "UPDATE operations SET owner = NULL, due_at = ?1, tries = 0 WHERE id = ?2 AND state = 'in progress'",
        )?
        .execute(params![now.0, id.as_str()])?;
    Ok(Stepped::Done)
}

fn give_up(
    connection: &Database,
    id: &OperationId,
    report: &Secret<Report>,
    now: Timestamp,
) -> Result<Stepped, RowError> {
    let Some(found) = entry(connection, id)? else {
        return Ok(Stepped::Absent);
    };
    if found.operation.state != State::InProgress {
        return Ok(Stepped::Over(found.operation.state));
    }
    let subject = &found.operation.subject;
    let report = connection.packed(Cell::Report(id, subject), report)?;
    // The owner stays: its lease counts until it is given back, as that of a cancelled one.
    connection
        .prepare_cached(
            "UPDATE operations SET state = 'failed', finished_at = ?1, report = ?2
             WHERE id = ?3 AND state = 'in progress'",
        )?
        .execute(params![now.0, report, id.as_str()])?;
    match subject.binding() {
        None => connection
            .prepare_cached(
                "UPDATE instances SET state = 'failed', version = version + 1, updated_at = ?1
                 WHERE id = ?2 AND operation = ?3",
            )?
            .execute(params![now.0, subject.instance().as_str(), id.as_str()])?,
        Some(binding) => connection
            .prepare_cached(
                "UPDATE bindings SET state = 'failed' WHERE instance_id = ?1 AND id = ?2 AND operation = ?3",
            )?
            .execute([subject.instance().as_str(), binding.as_str(), id.as_str()])?,
    };
    Ok(Stepped::Done)
}

fn forget(connection: &Database, id: &InstanceId, by: &Operation) -> Result<Option<u64>, RowError> {
    // It goes even where its details cannot be read.
    let there = connection
        .prepare_cached("SELECT 1 FROM instances WHERE id = ?1")?
        .exists([id.as_str()])?;
    if !there {
        return Ok(None);
    }
    let bindings = connection
        .prepare_cached("SELECT count(*) AS number FROM bindings WHERE instance_id = ?1")?
        .query_row([id.as_str()], |row| Ok(number(row, "number")))??;
    end_all(connection, id, by.started_at)?;
    changes::delete_instance(connection, id, by)?;
    changes::record(connection, by, &by.subject)?;
    Ok(Some(bindings))
}

/// What was to be taken away is gone, so that is how its platform's polls end; all else came to nothing.
fn end_all(connection: &Database, id: &InstanceId, now: Timestamp) -> Result<(), RowError> {
    let running: Vec<(i64, OperationId, Subject)> = connection
        .prepare_cached(
            "SELECT seq, id, instance_id, binding_id FROM operations
             WHERE instance_id = ?1 AND state = 'in progress' AND indexed",
        )?
        .query_map([id.as_str()], |row| Ok(read_running(row)))?
        .map(|row| row.map_err(RowError::from).and_then(|running| running))
        .collect::<Result<_, _>>()?;
    let report = Secret::new(Report::of("The operator of the broker has forgotten it."));
    for (seq, operation, subject) in running {
        let report = connection.packed(Cell::Report(&operation, &subject), &report)?;
        connection
            .prepare_cached(
                "UPDATE operations
                 SET state = CASE WHEN kind IN ('deprovision', 'unbind') THEN 'succeeded' ELSE 'failed' END,
                     finished_at = ?1, report = ?2
                 WHERE seq = ?3",
            )?
            .execute(params![now.0, report, seq])?;
    }
    Ok(())
}

fn read_running(row: &SqlRow<'_>) -> Result<(i64, OperationId, Subject), RowError> {
    let id = OperationId::parse(text(row, "id")?)?;
    Ok((row.get("seq")?, id, subject(row)?))
}

pub(super) fn number(row: &SqlRow<'_>, column: &str) -> Result<u64, RowError> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| RowError::Unreadable("number"))
}

/// The columns of a subject's binding: empty for the instance itself.
pub(super) fn binding_column(operation: &Operation) -> &str {
    operation.subject.binding().map_or("", BindingId::as_str)
}
