//! One change to an instance or a binding, and how far it is.

use std::fmt;

use super::id::{BindingId, InstanceId, OperationId};
use super::time::Timestamp;

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Makes an instance.
    Provision,
    /// Changes an instance.
    Update,
    /// Takes an instance away.
    Deprovision,
    /// Makes a binding.
    Bind,
    /// Takes a binding away.
    Unbind,
}

/// How far an operation is (specification, "Polling Last Operation", `state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It runs, or waits to.
    InProgress,
    /// It is done.
    Succeeded,
    /// It is over and was not done.
    Failed,
}

/// What an operation is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An instance.
    Instance(InstanceId),
    /// A binding of an instance.
    Binding(InstanceId, BindingId),
}

/// An operation, as a store remembers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Made by the broker.
    pub id: OperationId,
    /// What it does.
    pub kind: Kind,
    /// To what.
    pub subject: Subject,
    /// How far it is.
    pub state: State,
    /// What the platform's user reads of it.
    pub description: Option<String>,
    /// When it was recorded.
    pub started_at: Timestamp,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
}

impl Kind {
    /// The word for it in stores and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Update => "update",
            Self::Deprovision => "deprovision",
            Self::Bind => "bind",
            Self::Unbind => "unbind",
        }
    }

    /// Whether it takes its subject away.
    pub const fn removes(self) -> bool {
        matches!(self, Self::Deprovision | Self::Unbind)
    }

    /// The kind with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Provision,
            Self::Update,
            Self::Deprovision,
            Self::Bind,
            Self::Unbind,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }
}

impl State {
    /// The specification's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in progress",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The state with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::InProgress, Self::Succeeded, Self::Failed]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

impl Subject {
    /// The instance that it is, or that it belongs to.
    pub const fn instance(&self) -> &InstanceId {
        match self {
            Self::Instance(id) | Self::Binding(id, _) => id,
        }
    }

    /// The binding, if it is one.
    pub const fn binding(&self) -> Option<&BindingId> {
        match self {
            Self::Instance(_) => None,
            Self::Binding(_, id) => Some(id),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}
