//! The door to what remembers instances, bindings and operations.
//!
//! A store decides every race in its own transaction: a change is asked for, never looked for first. Look-ups answer
//! [`Lookup::Unknowable`] where nothing is remembered (store `none`); what that means is the broker's to say.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::binding::Binding;
use super::breaking::Hits;
use super::guard::{AtMost, Guard, OneOf};
use super::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use super::instance::Instance;
use super::json::FingerprintKey;
use super::operation::{Operation, Report, State, Subject, Task};
use super::tally::{Inventory, UnderWay};
use super::time::Timestamp;
use crate::secret::Secret;
use crate::template::RenderError;

/// What a store's method gives back.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What remembers.
pub trait Store: Send + Sync {
    /// Records an operation and does what it says, in one transaction that decides its race. One that comes without a
    /// job is over with that same transaction.
    fn begin(&self, change: Change) -> Answer<'_, Begun>;

    /// The instance with that id.
    fn instance(&self, id: InstanceId) -> Answer<'_, Lookup<Instance>>;

    /// The instance, and the binding of it with that id, as they were at one moment.
    fn binding(
        &self,
        instance: InstanceId,
        id: BindingId,
    ) -> Answer<'_, Lookup<(Instance, Option<Binding>)>>;

    /// The operation with that id if it is about `subject`; without one, or if there is none such, the latest.
    fn operation(
        &self,
        subject: Subject,
        named: Option<OperationId>,
    ) -> Answer<'_, Lookup<Operation>>;

    /// Takes operations up that are due: leases them to a process, in the order in which they came due, none beyond the
    /// limit of its backend.
    fn take(&self, take: Take) -> Answer<'_, Vec<Taken>>;

    /// Renews a lease and notes how far the operation is.
    fn renew(&self, renewal: Renewal) -> Answer<'_, Lease>;

    /// Ends an attempt, if its lease still counts.
    fn end(&self, end: End) -> Answer<'_, Lease>;

    /// One binding less on the way of a deprovision that unbinds first, if its lease still counts.
    fn unbound(&self, unbound: Unbound) -> Answer<'_, Lease>;

    /// The bindings of an instance.
    fn bindings(&self, instance: InstanceId) -> Answer<'_, Vec<Binding>>;

    /// The plans that have instances made by a backend that acts, or that such instances are on their way to, in the order of
    /// their ids.
    fn plans_in_use(&self) -> Answer<'_, Vec<PlanInUse>>;

    /// Gives back all leases of a process that stops: others may go on at once, and the attempts do not count.
    fn give_back(&self, owner: Arc<str>, now: Timestamp) -> Answer<'_, ()>;

    /// Bindings that have ended and that nothing is in progress on, those first that were to be unbound first. They are left
    /// to whoever asks: nobody else gets them before they have rested.
    fn claim_expired(&self, claim: Claim) -> Answer<'_, Vec<(InstanceId, BindingId)>>;

    /// Forgets up to `most` operations that were over before a moment; how many.
    fn sweep(&self, before: Timestamp, most: u32) -> Answer<'_, u64>;

    /// What is under way by now. Nothing where nothing is remembered.
    fn under_way(&self) -> Answer<'_, UnderWay> {
        Box::pin(std::future::ready(Ok(UnderWay::default())))
    }

    /// What there is of each plan, which may take as long as a look at every row. Nothing where nothing is remembered.
    fn inventory(&self) -> Answer<'_, Inventory> {
        Box::pin(std::future::ready(Ok(Inventory::default())))
    }

    /// Whether it can be reached and written to.
    fn health(&self) -> Answer<'_, ()>;

    /// The key of fingerprints, the same as long as the state lives.
    fn fingerprint_key(&self) -> &FingerprintKey;

    /// Gets ready to count instances, before a broker serves a catalog that limits them: where nothing is limited,
    /// nothing is paid for it.
    fn ready_to_count(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Ends all that is under way and lets go of the state.
    fn close(&self) -> Answer<'_, ()>;
}

/// A change to the state.
#[derive(Clone, Debug)]
pub struct Change {
    /// The operation that makes it.
    pub operation: Operation,
    /// What changes.
    pub act: Act,
    /// What is left to be done, where the operation is not over with this change.
    pub job: Option<Job>,
    /// What it is held against when nothing else is in its way.
    pub guards: Vec<Guard>,
}

impl Change {
    /// The pool that an entry is needed of, if one is.
    pub fn one_of(&self) -> Option<&OneOf> {
        self.guards.iter().find_map(|guard| match guard {
            Guard::OneOf(one_of) => Some(one_of),
            Guard::AtMost(_) => None,
        })
    }

    /// The change as it is with an entry: all else that it is held against stays.
    pub fn filled(&self, one_of: &OneOf, entry: &str) -> Result<Self, RenderError> {
        let others = self.guards.iter();
        let others = others.filter(|guard| matches!(guard, Guard::AtMost(_)));
        Ok(Self {
            operation: self.operation.clone(),
            act: (one_of.fill.0)(entry)?,
            job: self.job.clone(),
            guards: others.cloned().collect(),
        })
    }
}

/// An operation that waits to be carried out.
#[derive(Clone, Debug)]
pub struct Job {
    /// The queue: the name of the backend.
    pub backend: Arc<str>,
    /// Whether only so many of the queue may be leased at once, and the rest waits in order.
    pub limited: bool,
    /// The lease that it is recorded with, for a process that takes it up at once; not counted where somebody may still
    /// act that it has to wait for. Never of a limited queue, nor of one that cancels.
    pub hold: Option<Hold>,
    /// What to do.
    pub task: Secret<Task>,
    /// The operation that this one takes over from. It fails at once, but this one waits until its lease has been given
    /// back or has run out.
    pub cancels: Option<OperationId>,
}

/// A lease that an operation is recorded with.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The process.
    pub owner: Arc<str>,
    /// The end of the lease.
    pub until: Timestamp,
}

/// What changes. Each says what it has seen: where that is not so any more, nothing changes.
#[derive(Clone, Debug)]
pub enum Act {
    /// A new instance, unless there is one with its id.
    Provision {
        /// The instance.
        instance: Box<Instance>,
        /// The version of a failed one that it takes the place of.
        replaces: Option<i64>,
    },
    /// An instance that was made elsewhere, unless there is one with its id, or one was there and the store remembers
    /// what became of it.
    Adopt {
        /// The instance.
        instance: Box<Instance>,
    },
    /// A binding that was made elsewhere, unless there is one with its id, or one was there and the store remembers what
    /// became of it; if the instance still has the version that was read.
    AdoptBinding {
        /// The binding.
        binding: Box<Binding>,
        /// The version of the instance that was read.
        expected_version: i64,
    },
    /// An instance as it is from now on, if it still has the version before it and none of its bindings is in progress.
    Update {
        /// The instance, its version already the next.
        instance: Box<Instance>,
        /// The version that the change was made of.
        expected_version: i64,
    },
    /// An instance and its bindings go, at once or when the job is done, if it still has the version that was read and
    /// none of its bindings is in progress.
    Deprovision {
        /// The version that was read.
        expected_version: i64,
    },
    /// A new binding, unless there is one with its id, if the instance still has the version that was read.
    Bind {
        /// The binding.
        binding: Box<Binding>,
        /// The version of the instance that it was rendered with.
        expected_version: i64,
        /// The operation of a failed one that it takes the place of.
        replaces: Option<OperationId>,
    },
    /// A binding goes, at once or when the job is done, if its latest operation still is the one that was read and its
    /// instance is not in progress.
    Unbind {
        /// The operation that was read.
        expected: OperationId,
    },
}

/// How a change went.
#[derive(Clone, Debug)]
pub enum Begun {
    /// Recorded, and done.
    Done,
    /// Recorded, and taken up with the lease that it came with.
    Taken(Box<Taken>),
    /// There is an instance with that id already.
    InstanceThere(Box<Instance>),
    /// There is a binding with that id already.
    BindingThere(Box<Binding>),
    /// What was read has changed since: look again.
    Stale,
    /// Another operation is under way that this one may not run beside.
    Busy,
    /// What was to be changed, or the instance to be bound, is not there; or what was to be adopted is there no more.
    Absent,
    /// There are as many as there may be.
    Full(AtMost),
    /// Recorded as it became with the entry that was lent, and done.
    Lent(Box<Act>),
    /// No entry of the pool is free.
    Exhausted,
    /// With the entry that is free it came to nothing usable.
    Unmade(RenderError),
    /// Nothing is remembered here, so nothing stood in the way (store `none`).
    Unrecorded,
}

/// Who takes operations up, and how many.
#[derive(Clone, Debug)]
pub struct Take {
    /// The process.
    pub owner: Arc<str>,
    /// What is due by now.
    pub now: Timestamp,
    /// The end of the leases.
    pub until: Timestamp,
    /// No more than these.
    pub most: u32,
    /// How many of a backend's may be leased at once, over all processes. A backend that is not named has no limit.
    pub limits: Vec<(Arc<str>, u32)>,
}

impl Take {
    /// The lease that each gets.
    pub fn hold(&self) -> Hold {
        Hold {
            owner: Arc::clone(&self.owner),
            until: self.until,
        }
    }
}

/// An operation that was taken up, and what it is about as it was at that moment.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The operation.
    pub operation: Operation,
    /// The attempt: what a lease is told from its successors by.
    pub attempt: u32,
    /// How many attempts have been made, this one with them, but for those that were given back.
    pub tries: u32,
    /// What to do.
    pub task: Secret<Task>,
    /// The instance.
    pub instance: Instance,
    /// The binding, where the operation is about one.
    pub binding: Option<Binding>,
}

impl Taken {
    /// The plan that acts: of an update, the one that is moved to.
    pub fn plan_id(&self) -> &PlanId {
        match &self.task.expose().update {
            Some(target) => &target.plan_id,
            None => &self.instance.plan_id,
        }
    }

    /// Whether no attempt before this one can have done anything.
    pub const fn is_first(&self) -> bool {
        self.tries <= 1 && self.attempt <= 1
    }
}

/// A lease to be renewed.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// Of this operation.
    pub operation: OperationId,
    /// Which is about this.
    pub subject: Subject,
    /// Of this attempt.
    pub attempt: u32,
    /// When. One that has run out by then is lost, though nobody has taken the operation up: its room under a limit may
    /// be another's.
    pub now: Timestamp,
    /// Its new end.
    pub until: Timestamp,
    /// What is told of the operation from now on; nothing leaves it as it is.
    pub description: Option<String>,
}

/// Whether a lease still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It does, and what was asked is done.
    Held,
    /// Another attempt has begun or may begin, or the operation is over: nothing was changed.
    Lost,
}

/// The end of an attempt.
#[derive(Clone, Debug)]
pub struct End {
    /// Of this operation.
    pub operation: OperationId,
    /// Which is about this.
    pub subject: Subject,
    /// Of this attempt.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// How.
    pub ending: Ending,
}

/// How an attempt ends.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The operation is over.
    Over {
        /// Whether it was done.
        state: State,
        /// What is told of it.
        report: Report,
        /// What it leaves of its subject.
        leaves: Leaves,
    },
    /// Another attempt is due then.
    Again {
        /// Not before.
        due_at: Timestamp,
        /// What is told meanwhile; nothing leaves it as it is.
        description: Option<String>,
    },
    /// It acts no more, because the lease was lost: what waits for that goes on. Always answered `Lost`.
    Stopped,
}

/// What an operation leaves of its subject.
#[derive(Clone, Debug)]
pub enum Leaves {
    /// The instance, like this.
    Instance(Box<Instance>),
    /// The binding, like this.
    Binding(Box<Binding>),
    /// It is gone; of an instance, with all its bindings.
    Nothing,
}

/// A binding that went on the way of a deprovision.
#[derive(Clone, Debug)]
pub struct Unbound {
    /// The deprovision.
    pub operation: OperationId,
    /// Its attempt.
    pub attempt: u32,
    /// What took the binding away, for polls: over already.
    pub unbind: Operation,
}

/// Which bindings are claimed, to be unbound because they have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Those that ended by then. All times of a claim are of this one's clock, which may be behind by a grace.
    pub by: Timestamp,
    /// Those too whose platform was not told.
    pub untold: bool,
    /// No more than these.
    pub most: u32,
    /// How long a binding rests before it is claimed again: as long as it has been over its end, no less and no more than
    /// these. So each rest is about twice the last.
    pub rests: (Duration, Duration),
}

impl Claim {
    /// The same in milliseconds.
    pub fn rests_ms(&self) -> (i64, i64) {
        let millis = |rest: Duration| i64::try_from(rest.as_millis()).unwrap_or(i64::MAX);
        (millis(self.rests.0), millis(self.rests.1))
    }
}

/// A plan that has instances made by a backend that acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanInUse {
    /// The offering.
    pub service_id: ServiceId,
    /// The plan that they have now, or are on their way to.
    pub plan_id: PlanId,
    /// How many of which organizations.
    pub hits: Hits,
}

impl PlanInUse {
    /// Adds so many of an organization, where those of one plan stand behind each other.
    pub fn add(
        plans: &mut Vec<Self>,
        (service_id, plan_id): (ServiceId, PlanId),
        organization: &str,
        instances: u64,
    ) {
        match plans.last_mut() {
            Some(last) if (&last.service_id, &last.plan_id) == (&service_id, &plan_id) => {
                last.hits.add(organization, instances);
            }
            _ => {
                let mut hits = Hits::default();
                hits.add(organization, instances);
                plans.push(Self {
                    service_id,
                    plan_id,
                    hits,
                });
            }
        }
    }
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup<T> {
    /// This.
    Found(T),
    /// It is not there.
    Absent,
    /// Nothing is remembered here, so nobody knows (store `none`).
    Unknowable,
}

/// Why a store could not answer. What it says goes to the log: a platform reads only that the store cannot be reached.
#[derive(Debug)]
pub enum StoreError {
    /// It is away, full, locked or read-only, and may come back. Nothing was changed; or, where it went while a commit
    /// was under way, nobody knows: who asks again finds out, for every step says what it has seen.
    Unavailable(String),
    /// What it holds cannot be read.
    Corrupt(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(out, "the store cannot be used: {why}"),
            Self::Corrupt(why) => write!(out, "the store holds what cannot be read: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}
