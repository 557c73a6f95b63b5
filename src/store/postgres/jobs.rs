//! Operations that are not over when they are recorded: queued, leased, renewed, ended, given back, forgotten. Each
//! function is one step of their life, carried out inside the transaction that is open.

use super::changes;
use super::error::StepError;
use super::rows::{self, binding_columns, instance_columns};
use super::transaction::Transaction;
use super::values::{Columns, values};
use crate::domain::id::{BindingId, InstanceId, OperationId, PlanId};
use crate::domain::operation::{Operation, Report, State, Subject};
use crate::domain::store::{Begun, End, Ending, Job, Lease, Leaves, Renewal, Take, Taken, Unbound};
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::store::seal::Cell;

/// What [`read_taken`] reads first, of `o`.
macro_rules! operation_columns {
    () => {
        "o.instance_id, o.binding_id, o.id, o.kind, o.state, o.report, o.fingerprint, o.started_at, o.finished_at, \
         o.attempt, o.tries, o.task"
    };
}

/// Records an operation, with a lease where one comes with it and nobody may still act; gives that one back as it is taken.
const RECORD: &str = concat!(
    "WITH acting AS (
         SELECT id, due_at FROM broker_operations
         WHERE instance_id = $3 AND (binding_id IN ($4, '') OR $4 = '')
               AND owner IS NOT NULL AND state <> 'in progress' AND due_at > $7
     ), held AS (
         SELECT $12::text AS owner, $13::bigint AS until WHERE $12 IS NOT NULL AND NOT EXISTS (SELECT FROM acting)
     ), recorded AS (
         INSERT INTO broker_operations (id, kind, instance_id, binding_id, state, fingerprint, started_at, backend,
                                        task, due_at, waits_for, moves_to, owner, attempt, tries, turn)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
                 coalesce((SELECT max(due_at) FROM acting), (SELECT until FROM held), $7),
                 CASE (SELECT count(*) FROM acting) WHEN 0 THEN $10 WHEN 1 THEN (SELECT min(id) FROM acting) END, $11,
                 (SELECT owner FROM held), (SELECT count(*) FROM held), (SELECT count(*) FROM held),
                 coalesce((
             SELECT turn FROM broker_operations WHERE instance_id = $3 AND binding_id = $4
             ORDER BY turn DESC LIMIT 1), 0) + 1)
         RETURNING *
     )
     SELECT ",
    operation_columns!(),
    ", ",
    instance_columns!(),
    ", ",
    binding_columns!(),
    " FROM recorded o LEFT JOIN broker_instances i ON i.id = o.instance_id
      LEFT JOIN broker_bindings b ON b.instance_id = o.instance_id AND b.id = o.binding_id
      WHERE o.owner IS NOT NULL"
);

/// Records an operation that is to be carried out, due at once or when nobody acts any more whose operation was ended
/// from outside: the one that it cancels, what was given up on the subject, what stood on a forgotten one of its id. It
/// waits for that one by name where there is one alone: of several, the first that lets go must not let it go beside the
/// others.
pub(super) async fn record(
    database: &Transaction<'_>,
    operation: &Operation,
    job: &Job,
) -> Result<Begun, StepError> {
    let now = operation.started_at;
    if let Some(cancelled) = &job.cancels {
        cancel(database, cancelled, &operation.subject, now).await?;
    }
    let values = values![
        operation.id.as_str(),
        operation.kind.name(),
        operation.subject.instance().as_str(),
        operation.subject.binding().map_or("", BindingId::as_str),
        operation.state.name(),
        operation
            .fingerprint
            .map(|fingerprint| fingerprint.0.to_vec()),
        now.0,
        &*job.backend,
        database.packed(Cell::Task(&operation.id, &operation.subject), &job.task)?,
        job.cancels.as_ref().map(OperationId::as_str),
        job.task.expose().moves_to().map(PlanId::as_str),
        job.hold.as_ref().map(|hold| &*hold.owner),
        job.hold.as_ref().map(|hold| hold.until.0),
    ];
    let taken = database.find(RECORD, values).await?;
    let taken = taken.map(|row| read_taken(&mut database.columns(&row)));
    Ok(match taken.transpose()? {
        Some(taken) => Begun::Taken(Box::new(taken)),
        None => Begun::Done,
    })
}

/// Fails what runs on a subject, at once; its lease counts until it is given back.
async fn cancel(
    database: &Transaction<'_>,
    operation: &OperationId,
    subject: &Subject,
    now: Timestamp,
) -> Result<(), StepError> {
    let report = Secret::new(Report::of("It was cancelled by a delete."));
    database
        .execute(
            "UPDATE broker_operations SET state = 'failed', finished_at = $1, report = $2
             WHERE id = $3 AND state = 'in progress'",
            values![
                now.0,
                database.packed(Cell::Report(operation, subject), &report)?,
                operation.as_str()
            ],
        )
        .await?;
    Ok(())
}

/// The queues that have anything due, in order: a few steps of the index for each, however much waits.
pub(super) async fn due(
    database: &Transaction<'_>,
    now: Timestamp,
) -> Result<Vec<String>, StepError> {
    database
        .query(
            "WITH RECURSIVE queues (name) AS (
                 SELECT min(backend) FROM broker_operations WHERE state = 'in progress'
                 UNION ALL
                 SELECT (SELECT min(backend) FROM broker_operations WHERE state = 'in progress' AND backend > name)
                 FROM queues WHERE name IS NOT NULL)
             SELECT name FROM queues WHERE name IS NOT NULL AND (
                 SELECT min(due_at) FROM broker_operations WHERE state = 'in progress' AND backend = name) <= $1
             ORDER BY name",
            values![now.0],
        )
        .await?
        .iter()
        .map(|row| database.columns(row).take())
        .collect()
}

/// Leases what is due of these queues, each in the order in which it came due. What another broker is just leasing is
/// passed over.
pub(super) async fn take(
    database: &Transaction<'_>,
    take: &Take,
    queues: &[String],
) -> Result<Vec<Taken>, StepError> {
    let mut taken: Vec<Taken> = Vec::new();
    for backend in queues {
        let most = take
            .most
            .saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
        if most == 0 {
            break;
        }
        let room = match take.limits.iter().find(|(name, _)| **name == **backend) {
            Some((_, limit)) => limit
                .saturating_sub(leased(database, backend, take.now).await?)
                .min(most),
            None => most,
        };
        if room > 0 {
            taken.extend(lease(database, backend, room, take).await?);
        }
    }
    Ok(taken)
}

/// How many of a queue are leased now, cancelled ones that still act among them. Whoever counts holds the row of the
/// queue until its own leases are there to be counted.
async fn leased(
    database: &Transaction<'_>,
    backend: &str,
    now: Timestamp,
) -> Result<u32, StepError> {
    const LOCK: &str = "SELECT 1 FROM broker_queues WHERE name = $1 FOR UPDATE";
    if !database.exists(LOCK, values![backend]).await? {
        database
            .execute(
                "INSERT INTO broker_queues (name) VALUES ($1) ON CONFLICT (name) DO NOTHING",
                values![backend],
            )
            .await?;
        database.exists(LOCK, values![backend]).await?;
    }
    let row = database
        .find(
            "SELECT count(*) FROM broker_operations WHERE owner IS NOT NULL AND due_at > $1 AND backend = $2",
            values![now.0, backend],
        )
        .await?;
    row.map_or(Ok(0), |row| database.columns(&row).number())
}

async fn lease(
    database: &Transaction<'_>,
    backend: &str,
    most: u32,
    take: &Take,
) -> Result<Vec<Taken>, StepError> {
    database
        .query(
            concat!(
                "WITH due AS (
                     SELECT id, binding_id, due_at, started_at FROM broker_operations
                     WHERE state = 'in progress' AND backend = $1 AND due_at <= $2
                     ORDER BY due_at, started_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
                 ), leased AS (
                     UPDATE broker_operations o
                     SET owner = $4, due_at = $5, attempt = o.attempt + 1, tries = o.tries + 1
                     FROM due WHERE o.id = due.id AND o.binding_id = due.binding_id
                     RETURNING o.*, due.due_at AS was_due_at
                 )
                 SELECT ",
                operation_columns!(),
                ", ",
                instance_columns!(),
                ", ",
                binding_columns!(),
                " FROM leased o LEFT JOIN broker_instances i ON i.id = o.instance_id
                  LEFT JOIN broker_bindings b ON b.instance_id = o.instance_id AND b.id = o.binding_id
                  ORDER BY o.was_due_at, o.started_at, o.id"
            ),
            values![
                backend,
                take.now.0,
                most,
                &*take.owner,
                take.until.0,
            ],
        )
        .await?
        .iter()
        .map(|row| read_taken(&mut database.columns(row)))
        .collect()
}

fn read_taken(columns: &mut Columns<'_>) -> Result<Taken, StepError> {
    let subject = subject(columns)?;
    let operation = rows::read_operation(columns, subject)?;
    let (attempt, tries) = (columns.number()?, columns.number()?);
    let task = columns.unpacked(Cell::Task(&operation.id, &operation.subject))?;
    if !columns.is_there()? {
        return Err(StepError::Unreadable(
            "instance of an operation in progress",
        ));
    }
    Ok(Taken {
        operation,
        attempt,
        tries,
        task,
        instance: rows::read_instance(columns)?,
        binding: rows::read_maybe_binding(columns)?,
    })
}

pub(super) fn subject(columns: &mut Columns<'_>) -> Result<Subject, StepError> {
    let instance = InstanceId::parse(columns.text()?)?;
    Ok(match columns.text()? {
        "" => Subject::Instance(instance),
        binding => Subject::Binding(instance, BindingId::parse(binding)?),
    })
}

pub(super) async fn renew(
    database: &Transaction<'_>,
    renewal: &Renewal,
) -> Result<Lease, StepError> {
    let cell = Cell::Report(&renewal.operation, &renewal.subject);
    let renewed = database
        .execute(
            "UPDATE broker_operations SET due_at = $1, report = coalesce($2, report)
             WHERE id = $3 AND attempt = $4 AND state = 'in progress' AND owner IS NOT NULL AND due_at > $5",
            values![
                renewal.until.0,
                report(database, cell, renewal.description.as_ref())?,
                renewal.operation.as_str(),
                renewal.attempt,
                renewal.now.0,
            ],
        )
        .await?;
    Ok(held(renewed))
}

fn report(
    database: &Transaction<'_>,
    cell: Cell<'_>,
    description: Option<&String>,
) -> Result<Option<Vec<u8>>, StepError> {
    description
        .map(|text| database.packed(cell, &Secret::new(Report::of(text))))
        .transpose()
}

const fn held(changed: u64) -> Lease {
    if changed > 0 {
        Lease::Held
    } else {
        Lease::Lost
    }
}

pub(super) async fn end(database: &Transaction<'_>, end: &End) -> Result<Lease, StepError> {
    let lease = match &end.ending {
        Ending::Over {
            state,
            report,
            leaves,
        } => over(database, end, *state, report, leaves).await?,
        Ending::Again {
            due_at,
            description,
        } => again(database, end, *due_at, description.as_ref()).await?,
        Ending::Stopped => Lease::Lost,
    };
    if lease == Lease::Lost {
        stopped(database, end).await?;
    }
    Ok(lease)
}

async fn over(
    database: &Transaction<'_>,
    end: &End,
    state: State,
    report: &Report,
    leaves: &Leaves,
) -> Result<Lease, StepError> {
    lock_subject(database, &end.operation).await?;
    let row = database
        .find(
            "UPDATE broker_operations SET state = $1, report = $2, finished_at = $3, owner = NULL, due_at = NULL
             WHERE id = $4 AND attempt = $5 AND state = 'in progress'
             RETURNING instance_id, binding_id, id, kind, state, report, fingerprint, started_at, finished_at",
            values![
                state.name(),
                database.packed(
                    Cell::Report(&end.operation, &end.subject),
                    &Secret::new(report)
                )?,
                end.at.0,
                end.operation.as_str(),
                end.attempt,
            ],
        )
        .await?;
    let Some(row) = row else {
        return Ok(Lease::Lost);
    };
    let mut columns = database.columns(&row);
    let subject = subject(&mut columns)?;
    let operation = rows::read_operation(&mut columns, subject)?;
    leave(database, &operation, leaves).await?;
    Ok(Lease::Held)
}

/// Locks what an operation is about, if it is remembered. A delete that cancels locks the instance or the binding before
/// the operation: so does everybody else, or they would wait for each other.
pub(super) async fn lock_subject(
    database: &Transaction<'_>,
    operation: &OperationId,
) -> Result<Option<Subject>, StepError> {
    let row = database
        .find(
            "SELECT instance_id, binding_id FROM broker_operations WHERE id = $1 ORDER BY binding_id LIMIT 1",
            values![operation.as_str()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let subject = subject(&mut database.columns(&row))?;
    match &subject {
        Subject::Instance(id) => {
            changes::lock_instance(database, id).await?;
        }
        Subject::Binding(instance, id) => {
            database
                .exists(
                    "SELECT 1 FROM broker_bindings WHERE instance_id = $1 AND id = $2 FOR UPDATE",
                    values![instance.as_str(), id.as_str()],
                )
                .await?;
        }
    }
    Ok(Some(subject))
}

async fn leave(
    database: &Transaction<'_>,
    operation: &Operation,
    leaves: &Leaves,
) -> Result<(), StepError> {
    match (leaves, &operation.subject) {
        (Leaves::Instance(instance), _) => {
            // No change can begin while an operation is in progress, so the version is the one that was taken.
            changes::write_instance(database, instance, instance.version - 1).await?;
        }
        (Leaves::Binding(binding), _) => {
            changes::write_binding(database, binding, &operation.id).await?;
        }
        (Leaves::Nothing, Subject::Instance(id)) => {
            changes::delete_instance(database, id, operation).await?;
        }
        (Leaves::Nothing, Subject::Binding(instance, id)) => {
            let now = operation.finished_at.unwrap_or(operation.started_at);
            changes::take_away(database, (instance, id), &operation.id, now).await?;
        }
    }
    Ok(())
}

async fn again(
    database: &Transaction<'_>,
    end: &End,
    due_at: Timestamp,
    description: Option<&String>,
) -> Result<Lease, StepError> {
    let changed = database
        .execute(
            "UPDATE broker_operations SET owner = NULL, due_at = $1, report = coalesce($2, report)
             WHERE id = $3 AND attempt = $4 AND state = 'in progress'",
            values![
                due_at.0,
                report(
                    database,
                    Cell::Report(&end.operation, &end.subject),
                    description
                )?,
                end.operation.as_str(),
                end.attempt,
            ],
        )
        .await?;
    Ok(held(changed))
}

/// The attempt acts no more: its lease goes, if it still has it, and what waits for that is due.
async fn stopped(database: &Transaction<'_>, end: &End) -> Result<(), StepError> {
    let let_go = database
        .execute(
            "UPDATE broker_operations SET owner = NULL, due_at = NULL
             WHERE id = $1 AND attempt = $2 AND state <> 'in progress' AND owner IS NOT NULL",
            values![end.operation.as_str(), end.attempt],
        )
        .await?;
    if let_go > 0 {
        release(database, end.operation.as_str(), end.at).await?;
    }
    Ok(())
}

async fn release(
    database: &Transaction<'_>,
    cancelled: &str,
    now: Timestamp,
) -> Result<(), StepError> {
    database
        .execute(
            "UPDATE broker_operations SET due_at = $1
             WHERE waits_for = $2 AND state = 'in progress' AND owner IS NULL AND due_at > $1 AND attempt = 0",
            values![now.0, cancelled],
        )
        .await?;
    Ok(())
}

pub(super) async fn unbound(
    database: &Transaction<'_>,
    unbound: &Unbound,
) -> Result<Lease, StepError> {
    lock_subject(database, &unbound.operation).await?;
    let holds = database
        .exists(
            "SELECT 1 FROM broker_operations
             WHERE id = $1 AND attempt = $2 AND state = 'in progress' AND owner IS NOT NULL FOR UPDATE",
            values![unbound.operation.as_str(), unbound.attempt],
        )
        .await?;
    if !holds {
        return Ok(Lease::Lost);
    }
    let Subject::Binding(instance, id) = &unbound.unbind.subject else {
        return Err(StepError::Unreadable("subject of an unbind"));
    };
    let now = unbound
        .unbind
        .finished_at
        .unwrap_or(unbound.unbind.started_at);
    changes::delete_binding(database, instance, id, now).await?;
    changes::record(database, &unbound.unbind).await?;
    Ok(Lease::Held)
}

/// Gives all leases of a process back. An attempt that was stopped so does not count as a try.
pub(super) async fn give_back(
    database: &Transaction<'_>,
    owner: &str,
    now: Timestamp,
) -> Result<(), StepError> {
    let cancelled = database
        .query(
            "UPDATE broker_operations SET owner = NULL, due_at = NULL
             WHERE owner = $1 AND state <> 'in progress' RETURNING id",
            values![owner],
        )
        .await?;
    for row in &cancelled {
        release(database, database.columns(row).text()?, now).await?;
    }
    database
        .execute(
            "UPDATE broker_operations SET owner = NULL, due_at = $2, tries = tries - 1
             WHERE owner = $1 AND state = 'in progress'",
            values![owner, now.0],
        )
        .await?;
    Ok(())
}

/// Forgets the oldest operations that were over before a moment, those that another broker is just forgetting aside, and
/// whose leases were: nobody lets go of one that was cancelled when its process had died.
pub(super) async fn sweep(
    database: &Transaction<'_>,
    before: Timestamp,
    most: u32,
) -> Result<u64, StepError> {
    database
        .execute(
            "WITH old AS (
                 SELECT id, binding_id FROM broker_operations
                 WHERE finished_at < $1 AND (owner IS NULL OR due_at < $1)
                 ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED)
             DELETE FROM broker_operations o USING old WHERE o.id = old.id AND o.binding_id = old.binding_id",
            values![before.0, most],
        )
        .await
}
