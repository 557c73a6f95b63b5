//! The door to a store for who looks after it: all there is by filter and page, what is done to operations that will not
//! end by themselves, and every row for another store.
//!
//! A [`Store`] is what the broker needs; this is what the operator's door ([`super::desk`]) needs besides. It may be open
//! beside a broker that serves the same state, so each step is one transaction that decides its race here too.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::account::Accounts;
use super::binding::Binding;
use super::fullest::Fullness;
use super::guard::OneOf;
use super::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use super::instance::Instance;
use super::operation::{LastOperation, Operation, Report, State, Subject, Task};
use super::store::{Answer, Store};
use super::time::Timestamp;
use crate::secret::Secret;

/// What remembers, as an operator reads and mends it.
pub trait Ledger: Store + Accounts + Fullness {
    /// Instances in the order of their ids.
    fn list_instances(&self, query: InstanceQuery) -> Answer<'_, Vec<Listed>>;

    /// Bindings with their instances, those first that were bound first.
    fn list_bindings(&self, query: BindingQuery) -> Answer<'_, Vec<(Instance, Binding)>>;

    /// Operations, the newest first.
    fn list_operations(&self, query: OperationQuery) -> Answer<'_, Vec<Entry>>;

    /// The operation with that id. Bindings that went with their instance have its operation's: the instance's is meant.
    fn entry(&self, id: OperationId) -> Answer<'_, Option<Entry>>;

    /// How much there is of everything, but for what it takes a walk through all cells to know: how they are sealed, and
    /// their size.
    fn census(&self) -> Answer<'_, Counts>;

    /// How much there is of everything.
    fn counts(&self) -> Answer<'_, Counts>;

    /// An operation that waits for its next attempt goes at once, and its tries begin anew.
    fn retry(&self, id: OperationId, now: Timestamp) -> Answer<'_, Stepped>;

    /// An operation in progress fails at once. Its lease, if it has one, is lost, and counts until it is given back or has
    /// run out: what begins next on the subject waits for that.
    fn give_up(&self, id: OperationId, report: Report, now: Timestamp) -> Answer<'_, Stepped>;

    /// An instance goes with its bindings, and what is in progress on them is over; `by` is recorded as what took it away.
    /// How many bindings went; nothing where there is no such instance.
    fn forget(&self, id: InstanceId, by: Operation) -> Answer<'_, Option<u64>>;

    /// All rows, a page at a time. Nobody else may write meanwhile.
    fn export(&self, from: Place, most: u32) -> Answer<'_, Page>;

    /// Writes rows of another store, all or none. The key of fingerprints counts from the next opening on, and with it
    /// begins what is not to be served before it is [whole](Self::complete).
    fn import(&self, rows: Vec<Row>) -> Answer<'_, ()>;

    /// What was imported is whole: from now on it may be served.
    fn complete(&self) -> Answer<'_, ()>;

    /// What its cells are sealed with from now on.
    fn seal(&self) -> Seal;

    /// Seals anew what is not sealed with the key that seals, of up to `most` rows behind a place: each cell only if it
    /// still is as it was read. Others may write meanwhile.
    fn reseal(&self, from: Place, most: u32) -> Answer<'_, Resealed>;

    /// Forgets the keys that no cell is sealed with, but for the one that seals, and tells what is sealed with which.
    fn forget_keys(&self) -> Answer<'_, Kept>;

    /// The keys that cells may be sealed with, as it says itself.
    fn sealed_with(&self) -> Answer<'_, Vec<KeyId>>;

    /// What was kept of the catalog that was served last; nothing where none was. It lies in the clear.
    fn last_served(&self) -> Answer<'_, Option<Vec<u8>>>;

    /// Keeps that.
    fn keep_served(&self, served: Vec<u8>) -> Answer<'_, ()>;

    /// Who else seems to work on the same state. Nobody, where a lock keeps all others out.
    fn others(&self, now: Timestamp) -> Answer<'_, Others>;
}

/// Which instances. What is absent is no filter.
#[derive(Clone, Debug, Default)]
pub struct InstanceQuery {
    /// Of this offering.
    pub service: Option<ServiceId>,
    /// Of this plan.
    pub plan: Option<PlanId>,
    /// Of this organization.
    pub organization: Option<String>,
    /// Of this space.
    pub space: Option<String>,
    /// That this application is bound to.
    pub app: Option<String>,
    /// Whose id begins so, or of whom something else has exactly this id: organization, space, a binding, its application.
    pub any: Option<String>,
    /// Whose latest operation is this far.
    pub state: Option<State>,
    /// Those behind this one.
    pub after: Option<InstanceId>,
    /// No more than these.
    pub most: u32,
}

/// Which bindings. What is absent is no filter.
#[derive(Clone, Debug, Default)]
pub struct BindingQuery {
    /// Of this offering.
    pub service: Option<ServiceId>,
    /// Made with this plan.
    pub plan: Option<PlanId>,
    /// Of instances of this organization.
    pub organization: Option<String>,
    /// Bound by then.
    pub bound_by: Option<Timestamp>,
    /// Those behind this one.
    pub after: Option<(Timestamp, InstanceId, BindingId)>,
    /// No more than these.
    pub most: u32,
}

/// Which operations. What is absent is no filter.
#[derive(Clone, Debug, Default)]
pub struct OperationQuery {
    /// This far.
    pub state: Option<State>,
    /// On this instance and its bindings.
    pub instance: Option<InstanceId>,
    /// Those behind this one: when it began, and what tells it from others of that moment.
    pub after: Option<(Timestamp, OperationId, Option<BindingId>)>,
    /// No more than these.
    pub most: u32,
}

/// An instance, but for what a store keeps under lock.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Chosen by the platform.
    pub id: InstanceId,
    /// The offering.
    pub service_id: ServiceId,
    /// The plan it has now.
    pub plan_id: PlanId,
    /// The platform's organization.
    pub organization: String,
    /// The platform's space.
    pub space: String,
    /// Its latest operation.
    pub last_operation: LastOperation,
    /// The backend that made it; nothing where none had to act.
    pub backend: Option<Arc<str>>,
    /// When it was provisioned.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How many bindings it has.
    pub bindings: u64,
}

/// An operation, and where it stands in its queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The operation.
    pub operation: Operation,
    /// Its queue; nothing where it was over with its recording.
    pub backend: Option<Arc<str>>,
    /// How many attempts have begun.
    pub attempt: u32,
    /// How many of them count.
    pub tries: u32,
    /// The process that has it leased.
    pub owner: Option<Arc<str>>,
    /// When it may be taken up; of a leased one, when its lease ends.
    pub due_at: Option<Timestamp>,
    /// The cancelled operation that it takes over from.
    pub waits_for: Option<OperationId>,
}

/// How much there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Instances.
    pub instances: Vec<PlanCount>,
    /// Bindings.
    pub bindings: Vec<PlanCount>,
    /// Operations.
    pub operations: Vec<(State, u64)>,
    /// Of those in progress the one that was recorded first.
    pub oldest: Option<Entry>,
    /// How its cells are written: one entry for each key, and one for those that are not sealed.
    pub sealed: Vec<Sealed>,
    /// Entries of pools that were ever lent.
    pub pools: Vec<PoolCount>,
    /// The size of it all on disk, where the engine can tell.
    pub bytes: Option<u64>,
}

/// The name of a key: made of it, and telling nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 8]);

/// How many cells are written in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The key that they are sealed with; nothing where they are not.
    pub key: Option<KeyId>,
    /// How many.
    pub cells: u64,
}

/// What the cells of a store are sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// There are no keys.
    Nothing,
    /// The first of the keys.
    First(KeyId),
    /// Not this one, although it is the first of the keys: no broker was started with it in front yet.
    NotFirst(KeyId),
}

/// What came of sealing some cells anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resealed {
    /// How many are sealed anew.
    pub cells: u64,
    /// Whether all was done: nobody was just changing one.
    pub all: bool,
    /// Where it goes on; nothing where it is over.
    pub next: Option<Place>,
}

/// Which keys are still needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Those that are not.
    pub forgotten: Vec<KeyId>,
    /// How the cells are written.
    pub sealed: Vec<Sealed>,
}

/// How many there are of one plan in one state.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanCount {
    /// The offering.
    pub service_id: ServiceId,
    /// The plan.
    pub plan_id: PlanId,
    /// How far the latest operation is.
    pub state: State,
    /// How many.
    pub count: u64,
}

/// How a step on an operation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// It is done.
    Done,
    /// There is no such operation.
    Absent,
    /// The operation is over.
    Over(State),
    /// An attempt runs.
    Leased {
        /// The process that makes it.
        owner: Arc<str>,
        /// When its lease ends, if it is not renewed.
        until: Timestamp,
    },
    /// What it takes over from may still act, until then.
    Waits(Timestamp),
}

/// Who else seems to work on a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// How many connections of brokers are open.
    pub connections: u64,
    /// Until when an operation is leased.
    pub leased_until: Option<Timestamp>,
}

/// A page of an export.
#[derive(Debug)]
pub struct Page {
    /// The rows, instances before their bindings, of one subject the oldest operation first.
    pub rows: Vec<Row>,
    /// Where it goes on; nothing where it is over.
    pub next: Option<Place>,
}

/// Where an export goes on: behind this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At its beginning.
    Start,
    /// An instance, or all that comes before the first.
    Instance(String),
    /// A binding of an instance, or all that comes before the first.
    Binding(String, String),
    /// An operation by instance, binding and its turn among theirs, or all that comes before the first.
    Operation(String, String, i64),
    /// A lending by pool and entry, or all that comes before the first.
    Lending(String, String),
}

/// A row, as it goes from one store to another.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// The key of fingerprints.
    Key(Secret<[u8; 32]>),
    /// An instance.
    Instance(Box<Instance>),
    /// A binding.
    Binding(Box<Binding>),
    /// An operation.
    Operation(Box<Recorded>),
    /// Who has an entry of a pool, or had it last.
    Lending(Lending),
}

/// Who has an entry of a pool, or had it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lending {
    /// The pool.
    pub pool: String,
    /// The name of the entry.
    pub entry: String,
    /// An instance or a binding.
    pub holder: Subject,
    /// Since when.
    pub since: Timestamp,
    /// When it came back; nothing as long as it is lent.
    pub returned_at: Option<Timestamp>,
}

/// The entries of a pool that were ever lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolCount {
    /// The pool.
    pub pool: String,
    /// By name, each with when it came back, if it has.
    pub ever_lent: BTreeMap<String, Option<Timestamp>>,
}

impl PoolCount {
    /// Puts entries together by their pools; both come in their order.
    pub fn of(rows: impl IntoIterator<Item = (String, String, Option<Timestamp>)>) -> Vec<Self> {
        let mut counts: Vec<Self> = Vec::new();
        for (pool, entry, returned_at) in rows {
            match counts.last_mut().filter(|last| last.pool == pool) {
                Some(last) => {
                    last.ever_lent.insert(entry, returned_at);
                }
                None => counts.push(Self {
                    pool,
                    ever_lent: BTreeMap::from([(entry, returned_at)]),
                }),
            }
        }
        counts
    }
}

/// An operation, as it goes from one store to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// It, and where it stands in its queue.
    pub entry: Entry,
    /// What is left to do of it.
    pub task: Option<Secret<Task>>,
    /// Of two of one subject the later one has the higher turn.
    pub turn: i64,
}

impl Lending {
    /// An entry of a pool in the hands of what an operation makes.
    pub fn begun(of: &OneOf, entry: &str, operation: &Operation) -> Self {
        Self {
            pool: of.pool.to_string(),
            entry: entry.to_owned(),
            holder: operation.subject.clone(),
            since: operation.started_at,
            returned_at: None,
        }
    }
}

impl Recorded {
    /// The plan that it makes its instance have, if it is an update.
    pub fn moves_to(&self) -> Option<&PlanId> {
        self.task.as_ref()?.expose().moves_to()
    }
}

impl KeyId {
    /// The id that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let number = u64::from_str_radix(text, 16).ok()?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl Others {
    /// Whether there is nobody.
    pub fn is_nobody(&self) -> bool {
        *self == Self::default()
    }
}

impl Counts {
    /// How many of all plans and states.
    pub fn total(of: &[PlanCount]) -> u64 {
        of.iter().map(|plan| plan.count).sum()
    }

    /// Whether nothing was ever recorded.
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
            && self.bindings.is_empty()
            && self.operations.is_empty()
            && self.pools.is_empty()
    }
}

impl Place {
    /// Before the first instance.
    pub const fn instances() -> Self {
        Self::Instance(String::new())
    }

    /// Before the first binding.
    pub const fn bindings() -> Self {
        Self::Binding(String::new(), String::new())
    }

    /// Before the first operation.
    pub const fn operations() -> Self {
        Self::Operation(String::new(), String::new(), -1)
    }

    /// Behind this lending.
    pub fn of(lending: &Lending) -> Self {
        Self::Lending(lending.pool.clone(), lending.entry.clone())
    }

    /// Before the first lending.
    pub const fn lendings() -> Self {
        Self::Lending(String::new(), String::new())
    }
}
