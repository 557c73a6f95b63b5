//! What the desk refuses, as types that say what to do.

use std::fmt;
use std::sync::Arc;

use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId, OperationId, PlanId};
use crate::domain::ledger::{KeyId, Others};
use crate::domain::operation::State;
use crate::domain::store::StoreError;
use crate::domain::time::Timestamp;
use crate::domain::unbinding::Unfit;

/// Why a step of the operator was not taken.
#[derive(Debug)]
pub enum DeskError {
    /// There is no such instance.
    NoInstance(InstanceId),
    /// There is no such operation.
    NoOperation(OperationId),
    /// There is no such binding.
    NoBinding(InstanceId, BindingId),
    /// The binding, or its instance, is being changed.
    BindingChanges(BindingId),
    /// The plan's backend has to act, and left the catalog.
    BackendGone(PlanId),
    /// The operation is over.
    Over(OperationId, State),
    /// An attempt at the operation runs.
    Runs {
        /// The operation.
        operation: OperationId,
        /// The process that makes it.
        owner: Arc<str>,
        /// The end of its lease.
        until: Timestamp,
    },
    /// What the operation takes over from may still act.
    Waits(OperationId, Timestamp),
    /// What is to be written to is not empty.
    NotEmpty {
        /// How many instances it has.
        instances: u64,
        /// How many operations.
        operations: u64,
    },
    /// What is to be written to has an account of changes already.
    HasAccount,
    /// One of two stores seems to be served by others.
    Served(&'static str, Others),
    /// There are no keys to seal with.
    NoKeys,
    /// No broker was started with this key in front yet.
    KeyNotServed(KeyId),
    /// The state changed between the look and the step.
    Changed,
    /// The broker's rules do not take it.
    Broker(BrokerError),
    /// The store could not answer.
    Store(StoreError),
}

impl DeskError {
    /// Whether what was asked for is not there, rather than cannot be done.
    pub const fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::NoInstance(_) | Self::NoBinding(..) | Self::NoOperation(_)
        )
    }
}

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Unfit> for DeskError {
    fn from(why: Unfit) -> Self {
        match why {
            Unfit::Broker(error) => Self::Broker(error),
            Unfit::BackendGone(plan) => Self::BackendGone(plan),
        }
    }
}

impl From<BrokerError> for DeskError {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

impl fmt::Display for DeskError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInstance(id) => write!(
                out,
                "there is no instance {id}: `instances list` shows those that there are"
            ),
            Self::NoOperation(id) => write!(
                out,
                "there is no operation {id}: `operations list` shows those that are remembered"
            ),
            Self::NoBinding(instance, id) => write!(
                out,
                "the instance {instance} has no binding {id}: its platform may just have unbound it"
            ),
            Self::BindingChanges(id) => write!(
                out,
                "an operation on the binding {id} or its instance is under way: wait for its end, or give it up"
            ),
            Self::BackendGone(plan) => write!(
                out,
                "the plan {plan} is no longer in the catalog, and its backend has to act: put it back, with `offered: false`"
            ),
            Self::Over(id, state) => write!(
                out,
                "operation {id} is over ({state}): only the platform can ask for another one"
            ),
            Self::Runs {
                operation,
                owner,
                until,
            } => write!(
                out,
                "an attempt at operation {operation} runs, leased to {owner} until {until}: wait for its end, or give the operation up"
            ),
            Self::Waits(id, until) => write!(
                out,
                "operation {id} takes over from one that may still act, until {until} at the latest: it goes by itself then"
            ),
            Self::NotEmpty {
                instances,
                operations,
            } => write!(
                out,
                "the target has {instances} instances and {operations} operations: name a store that is empty"
            ),
            Self::HasAccount => out.write_str(
                "the target has lines of an audit, to which those of another store cannot be added: name a store that is empty",
            ),
            Self::Served(which, others) => served(out, which, others),
            Self::NoKeys => out.write_str(
                "there is no key to seal with: make one with `openssl rand -base64 32`, start the broker with it as store.keys \
                 (BROKER_STORE__KEYS), then give it here, too",
            ),
            Self::KeyNotServed(key) => write!(
                out,
                "no broker was started with key {key} in front of store.keys, and what is sealed with it none could read: \
                 start all brokers so, then reseal"
            ),
            Self::Changed => out.write_str(
                "others changed the same instances meanwhile: run it again, what is done already is left as it is",
            ),
            Self::Broker(error) => error.fmt(out),
            Self::Store(error) => error.fmt(out),
        }
    }
}

fn served(out: &mut fmt::Formatter<'_>, which: &str, others: &Others) -> fmt::Result {
    write!(out, "{which} seems to be served: ")?;
    match others.leased_until {
        Some(until) if others.connections == 0 => {
            write!(out, "an operation in it is leased until {until}")?;
        }
        _ => write!(
            out,
            "{} connections of brokers are open",
            others.connections
        )?,
    }
    out.write_str(
        ". Stop its brokers (one that died: wait for that moment), then copy again; where none is left, say --force",
    )
}

impl std::error::Error for DeskError {}
