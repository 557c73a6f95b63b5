//! Operations that are not over when they are recorded: queued, leased, renewed, ended, given back, forgotten. Each
//! function is one step of their life, carried out inside the transaction that is open.

use rusqlite::{OptionalExtension, Row, named_params, params};

use super::changes;
use super::database::Database;
use super::rows::{self, RowError, text};
use crate::domain::id::{BindingId, InstanceId, OperationId, PlanId};
use crate::domain::operation::{Operation, Report, State, Subject, Task};
use crate::domain::store::{
    Begun, End, Ending, Hold, Job, Lease, Leaves, Renewal, Take, Taken, Unbound,
};
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::store::seal::Cell;

/// Records an operation that is to be carried out, due at once or when nobody acts any more whose operation was ended
/// from outside. Due at once, it is leased to the process that takes it up with its recording, if one does.
pub(super) fn record(
    connection: &Database,
    operation: &Operation,
    job: &Job,
) -> Result<Begun, RowError> {
    let now = operation.started_at;
    if let Some(cancelled) = &job.cancels {
        cancel(connection, cancelled, &operation.subject, now)?;
    }
    let (due_at, waits_for) = after_acting(connection, operation, job.cancels.as_ref())?;
    connection
        .prepare_cached(
            "INSERT INTO operations (id, kind, instance_id, binding_id, state, fingerprint, started_at, backend, task,
                                     due_at, waits_for, moves_to)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            operation.id.as_str(),
            operation.kind.name(),
            operation.subject.instance().as_str(),
            operation.subject.binding().map_or("", BindingId::as_str),
            operation.state.name(),
            operation.fingerprint.map(|fingerprint| fingerprint.0),
            now.0,
            &*job.backend,
            connection.packed(Cell::Task(&operation.id, &operation.subject), &job.task)?,
            due_at.0,
            waits_for,
            job.task.expose().moves_to().map(PlanId::as_str),
        ])?;
    match &job.hold {
        Some(hold) if due_at == now => {
            let seq = connection.last_insert_rowid();
            Ok(Begun::Taken(Box::new(lease(connection, seq, hold)?)))
        }
        _ => Ok(Begun::Done),
    }
}

/// Fails what runs on a subject, at once; its lease counts until it is given back.
fn cancel(
    connection: &Database,
    operation: &OperationId,
    subject: &Subject,
    now: Timestamp,
) -> Result<(), RowError> {
    let report = Secret::new(Report::of("It was cancelled by a delete."));
    let report = connection.packed(Cell::Report(operation, subject), &report)?;
    connection
        .prepare_cached(
            "UPDATE operations SET state = 'failed', finished_at = ?1, report = ?2
             WHERE id = ?3 AND state = 'in progress'",
        )?
        .execute(params![now.0, report, operation.as_str()])?;
    Ok(())
}

/// When an operation may act, and the one that it waits for by name: the one that it cancels, what was given up on its
/// subject, or what stood on a forgotten one of its id, may still act until its lease ends.
fn after_acting(
    connection: &Database,
    operation: &Operation,
    cancels: Option<&OperationId>,
) -> Result<(Timestamp, Option<String>), RowError> {
    let now = operation.started_at;
    let subject = &operation.subject;
    let acting: Vec<(i64, String)> = connection
        .prepare_cached(
            "SELECT due_at, id FROM operations
             WHERE instance_id = ?1 AND (binding_id IN (?2, '') OR ?2 = '') AND indexed
                   AND owner IS NOT NULL AND state <> 'in progress' AND due_at > ?3",
        )?
        .query_map(
            params![
                subject.instance().as_str(),
                subject.binding().map_or("", BindingId::as_str),
                now.0
            ],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .collect::<Result<_, _>>()?;
    let last = acting.iter().map(|(until, _)| *until).max();
    let waits_for = match acting.as_slice() {
        [] => cancels.map(|cancelled| cancelled.as_str().to_owned()),
        [(_, only)] => Some(only.clone()),
        // Of several, the first that lets go must not let it go beside the others.
        _ => None,
    };
    Ok((last.map_or(now, Timestamp), waits_for))
}

/// Whether anything is due.
pub(super) fn any_due(connection: &Database, now: Timestamp) -> Result<bool, RowError> {
    for backend in queues(connection)? {
        if !due(connection, &backend, now, 1)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Leases what is due, queue by queue, each in the order in which it came due.
pub(super) fn take(connection: &Database, take: &Take) -> Result<Vec<Taken>, RowError> {
    let mut taken = Vec::new();
    for backend in queues(connection)? {
        let most = take.most.saturating_sub(count(taken.len()));
        let room = match take.limits.iter().find(|(name, _)| **name == *backend) {
            Some((_, limit)) => limit
                .saturating_sub(leased(connection, &backend, take.now)?)
                .min(most),
            None => most,
        };
        if room == 0 {
            continue;
        }
        for seq in due(connection, &backend, take.now, room)? {
            taken.push(lease(connection, seq, &take.hold())?);
        }
    }
    Ok(taken)
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The queues that have anything in them: one step of the index for each, however much waits.
fn queues(connection: &Database) -> Result<Vec<String>, RowError> {
    let queues = connection
        .prepare_cached(
            "WITH RECURSIVE queues (name) AS (
                 SELECT min(backend) FROM operations WHERE state = 'in progress'
                 UNION ALL
                 SELECT (SELECT min(backend) FROM operations WHERE state = 'in progress' AND backend > name)
                 FROM queues WHERE name IS NOT NULL)
             SELECT name FROM queues WHERE name IS NOT NULL",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(queues)
}

/// How many of a queue are leased now, cancelled ones that still act among them.
fn leased(connection: &Database, backend: &str, now: Timestamp) -> Result<u32, RowError> {
    Ok(connection
        .prepare_cached(
            "SELECT count(*) FROM operations WHERE owner IS NOT NULL AND due_at > ?1 AND backend = ?2",
        )?
        .query_row(params![now.0, backend], |row| row.get(0))?)
}

fn due(
    connection: &Database,
    backend: &str,
    now: Timestamp,
    most: u32,
) -> Result<Vec<i64>, RowError> {
    let due = connection
        .prepare_cached(
            "SELECT seq FROM operations
             WHERE state = 'in progress' AND backend = ?1 AND due_at <= ?2 ORDER BY due_at, seq LIMIT ?3",
        )?
        .query_map(params![backend, now.0, most], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(due)
}

fn lease(connection: &Database, seq: i64, hold: &Hold) -> Result<Taken, RowError> {
    connection
        .prepare_cached(
            "UPDATE operations SET owner = ?1, due_at = ?2, attempt = attempt + 1, tries = tries + 1 WHERE seq = ?3
             RETURNING id, kind, instance_id, binding_id, state, report, fingerprint, started_at, finished_at, attempt,
                       tries, task",
        )?
        .query_row(params![&*hold.owner, hold.until.0, seq], |row| {
            Ok(read_taken(connection, row))
        })?
}

fn read_taken(connection: &Database, row: &Row<'_>) -> Result<Taken, RowError> {
    let subject = subject(row)?;
    let operation = rows::read_operation(connection, row, &subject)?;
    let task: Secret<Task> =
        connection.unpacked(Cell::Task(&operation.id, &subject), row, "task")?;
    let binding = match &subject {
        Subject::Instance(_) => None,
        Subject::Binding(instance, id) => rows::binding(connection, instance, id)?,
    };
    Ok(Taken {
        operation,
        attempt: row.get("attempt")?,
        tries: row.get("tries")?,
        task,
        instance: rows::instance(connection, subject.instance())?
            .ok_or(RowError::Unreadable("instance of an operation in progress"))?,
        binding,
    })
}

pub(super) fn renew(connection: &Database, renewal: &Renewal) -> Result<Lease, RowError> {
    let cell = Cell::Report(&renewal.operation, &renewal.subject);
    let report = told(connection, cell, renewal.description.as_ref())?;
    let renewed = connection
        .prepare_cached(
            "UPDATE operations SET due_at = :until, report = coalesce(:report, report)
             WHERE id = :id AND attempt = :attempt AND state = 'in progress' AND owner IS NOT NULL AND due_at > :now",
        )?
        .execute(named_params! {
            ":now": renewal.now.0,
            ":until": renewal.until.0,
            ":report": report,
            ":id": renewal.operation.as_str(),
            ":attempt": renewal.attempt,
        })?;
    Ok(held(renewed))
}

fn told(
    connection: &Database,
    cell: Cell<'_>,
    description: Option<&String>,
) -> Result<Option<Vec<u8>>, RowError> {
    description
        .map(|text| connection.packed(cell, &Secret::new(Report::of(text))))
        .transpose()
}

const fn held(changed: usize) -> Lease {
    if changed > 0 {
        Lease::Held
    } else {
        Lease::Lost
    }
}

pub(super) fn end(connection: &Database, end: &End) -> Result<Lease, RowError> {
    match &end.ending {
        Ending::Over {
            state,
            report,
            leaves,
        } => over(connection, end, *state, report, leaves),
        Ending::Again {
            due_at,
            description,
        } => again(connection, end, *due_at, description.as_ref()),
        Ending::Stopped => stopped(connection, end).map(|()| Lease::Lost),
    }
}

fn over(
    connection: &Database,
    end: &End,
    state: State,
    report: &Report,
    leaves: &Leaves,
) -> Result<Lease, RowError> {
    let subject = connection
        .prepare_cached(
            "UPDATE operations SET state = :state, report = :report, finished_at = :at, owner = NULL, due_at = NULL
             WHERE id = :id AND attempt = :attempt AND state = 'in progress'
             RETURNING id, kind, instance_id, binding_id, state, report, fingerprint, started_at, finished_at",
        )?
        .query_row(
            named_params! {
                ":state": state.name(),
                ":report": connection.packed(Cell::Report(&end.operation, &end.subject), &Secret::new(report))?,
                ":at": end.at.0,
                ":id": end.operation.as_str(),
                ":attempt": end.attempt,
            },
            |row| {
                Ok(subject(row).and_then(|subject| rows::read_operation(connection, row, &subject)))
            },
        )
        .optional()?;
    let Some(operation) = subject.transpose()? else {
        stopped(connection, end)?;
        return Ok(Lease::Lost);
    };
    leave(connection, &operation, leaves)?;
    Ok(Lease::Held)
}

pub(super) fn subject(row: &Row<'_>) -> Result<Subject, RowError> {
    let instance = InstanceId::parse(text(row, "instance_id")?)?;
    Ok(match text(row, "binding_id")? {
        "" => Subject::Instance(instance),
        binding => Subject::Binding(instance, BindingId::parse(binding)?),
    })
}

fn leave(connection: &Database, operation: &Operation, leaves: &Leaves) -> Result<(), RowError> {
    match (leaves, &operation.subject) {
        (Leaves::Instance(instance), _) => {
            // No change can begin while an operation is in progress, so the version is the one that was taken.
            changes::write_instance(connection, instance, instance.version - 1)?;
        }
        (Leaves::Binding(binding), _) => {
            changes::write_binding(connection, binding, &operation.id)?;
        }
        (Leaves::Nothing, Subject::Instance(id)) => {
            changes::delete_instance(connection, id, operation)?;
        }
        (Leaves::Nothing, Subject::Binding(instance, id)) => {
            let now = operation.finished_at.unwrap_or(operation.started_at);
            changes::take_away(connection, (instance, id), &operation.id, now)?;
        }
    }
    Ok(())
}

fn again(
    connection: &Database,
    end: &End,
    due_at: Timestamp,
    description: Option<&String>,
) -> Result<Lease, RowError> {
    let cell = Cell::Report(&end.operation, &end.subject);
    let report = told(connection, cell, description)?;
    let changed = connection
        .prepare_cached(
            "UPDATE operations SET owner = NULL, due_at = :due_at, report = coalesce(:report, report)
             WHERE id = :id AND attempt = :attempt AND state = 'in progress'",
        )?
        .execute(named_params! {
            ":due_at": due_at.0,
            ":report": report,
            ":id": end.operation.as_str(),
            ":attempt": end.attempt,
        })?;
    if changed == 0 {
        stopped(connection, end)?;
    }
    Ok(held(changed))
}

/// The attempt acts no more: its lease goes, if it still has it, and what waits for that is due.
fn stopped(connection: &Database, end: &End) -> Result<(), RowError> {
    let let_go = connection
        .prepare_cached(
            "UPDATE operations SET owner = NULL, due_at = NULL
             WHERE id = ?1 AND attempt = ?2 AND state <> 'in progress' AND owner IS NOT NULL",
        )?
        .execute(params![end.operation.as_str(), end.attempt])?;
    if let_go > 0 {
        release(connection, end.operation.as_str(), end.at)?;
    }
    Ok(())
}

fn release(connection: &Database, cancelled: &str, now: Timestamp) -> Result<(), RowError> {
    connection
        .prepare_cached(
            "UPDATE operations SET due_at = ?1
             WHERE waits_for = ?2 AND state = 'in progress' AND owner IS NULL AND due_at > ?1 AND attempt = 0",
        )?
        .execute(params![now.0, cancelled])?;
    Ok(())
}

pub(super) fn unbound(connection: &Database, unbound: &Unbound) -> Result<Lease, RowError> {
    let holds = connection
        .prepare_cached(
            "SELECT 1 FROM operations
             WHERE id = ?1 AND attempt = ?2 AND state = 'in progress' AND owner IS NOT NULL",
        )?
        .exists(params![unbound.operation.as_str(), unbound.attempt])?;
    if !holds {
        return Ok(Lease::Lost);
    }
    let Subject::Binding(instance, id) = &unbound.unbind.subject else {
        return Err(RowError::Unreadable("subject of an unbind"));
    };
    let now = unbound
        .unbind
        .finished_at
        .unwrap_or(unbound.unbind.started_at);
    changes::delete_binding(connection, instance, id, now)?;
    changes::record(connection, &unbound.unbind, &unbound.unbind.subject)?;
    Ok(Lease::Held)
}

/// Gives all leases of a process back. An attempt that was stopped so does not count as a try.
pub(super) fn give_back(
    connection: &Database,
    owner: &str,
    now: Timestamp,
) -> Result<(), RowError> {
    let cancelled: Vec<String> = connection
        .prepare_cached(
            "UPDATE operations SET owner = NULL, due_at = NULL
             WHERE owner = ?1 AND state <> 'in progress' RETURNING id",
        )?
        .query_map([owner], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for operation in cancelled {
        release(connection, &operation, now)?;
    }
    connection
        .prepare_cached(
            "UPDATE operations SET owner = NULL, due_at = ?2, tries = tries - 1
             WHERE owner = ?1 AND state = 'in progress'",
        )?
        .execute(params![owner, now.0])?;
    Ok(())
}

/// Forgets the oldest operations that were over before a moment, and whose leases were: nobody lets go of one that was
/// cancelled when its process had died.
pub(super) fn sweep(connection: &Database, before: Timestamp, most: u32) -> Result<u64, RowError> {
    let forgotten = connection
        .prepare_cached(
            "DELETE FROM operations WHERE seq IN (
                 SELECT seq FROM operations WHERE finished_at < ?1 AND (owner IS NULL OR due_at < ?1)
                 ORDER BY finished_at LIMIT ?2)",
        )?
        .execute(params![before.0, most])?;
    Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
}
