//! The door to what remembers instances, bindings and operations.
//!
//! A store decides every race in its own transaction: a change is asked for, never looked for first. Look-ups answer
//! [`Lookup::Unknowable`] where nothing is remembered (store `none`); what that means is the broker's to say.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use super::binding::Binding;
use super::id::{BindingId, InstanceId, OperationId};
use super::instance::Instance;
use super::json::FingerprintKey;
use super::operation::{Operation, Subject};

/// What a store's method gives back.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What remembers.
pub trait Store: Send + Sync {
    /// Records an operation and does what it says, in one transaction that decides its race. An operation that comes
    /// with `finished_at` is over with that same transaction.
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

    /// Whether it can be reached and written to.
    fn health(&self) -> Answer<'_, ()>;

    /// The key of fingerprints, the same as long as the state lives.
    fn fingerprint_key(&self) -> &FingerprintKey;

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
}

/// What changes.
#[derive(Clone, Debug)]
pub enum Act {
    /// A new instance, unless there is one with its id.
    Provision(Box<Instance>),
    /// An instance as it is after the change, if it still has the version before it.
    Update {
        /// The instance, its version already the next.
        instance: Box<Instance>,
        /// The version that the change was made of.
        expected_version: i64,
    },
    /// An instance and its bindings go.
    Deprovision,
    /// A new binding, unless there is one with its id, if the instance still has the version that was read.
    Bind {
        /// The binding.
        binding: Box<Binding>,
        /// The version of the instance that it was rendered with.
        expected_version: i64,
    },
    /// A binding goes.
    Unbind,
}

/// How a change went.
#[derive(Clone, Debug)]
pub enum Begun {
    /// Recorded, and done.
    Done,
    /// There is an instance with that id already.
    InstanceThere(Box<Instance>),
    /// There is a binding with that id already.
    BindingThere(Box<Binding>),
    /// The instance changed since it was read: look again.
    Stale,
    /// What was to be changed, or the instance to be bound, is not there.
    Absent,
    /// Nothing is remembered here, so nothing stood in the way (store `none`).
    Unrecorded,
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
    /// It is away, full, locked or read-only: nothing was changed, and it may come back.
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
