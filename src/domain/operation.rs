//! One change to an instance or a binding, and how far it is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::caller::Asker;
use super::id::{BindingId, InstanceId, OperationId, PlanId};
use super::instance::InstanceDetails;
use super::json::Fingerprint;
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
    /// Made by the broker; a backend sees the same one in every attempt.
    pub id: OperationId,
    /// What it does.
    pub kind: Kind,
    /// To what.
    pub subject: Subject,
    /// How far it is.
    pub state: State,
    /// What is told of it.
    pub report: Report,
    /// Of an update as it was asked for: what a repeat is compared with while it runs.
    pub fingerprint: Option<Fingerprint>,
    /// When it was recorded.
    pub started_at: Timestamp,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
}

/// What the platform's user is told of an operation (specification, "Polling Last Operation", body of a success).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Of a failed update or deprovision: whether the instance can still be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_usable: Option<bool>,
    /// Of a failed update: whether it may be sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_repeatable: Option<bool>,
    /// Whether the backend would not do it and did nothing, rather than fail at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

/// The latest operation of an instance or a binding: where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastOperation {
    /// Which.
    pub id: OperationId,
    /// What it does, or did.
    pub kind: Kind,
    /// How far it is.
    pub state: State,
}

/// What is needed to carry an operation out that is not over when it is recorded: by whoever takes it up, in every
/// attempt the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Who asked.
    pub asker: Asker,
    /// What an update makes of the instance; nothing for all other kinds, whose subject is recorded as it will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<Box<Target>>,
}

/// What an update makes of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The plan it will have.
    pub plan_id: PlanId,
    /// What will be remembered of it.
    pub details: InstanceDetails,
}

impl Task {
    /// The plan that an update makes its instance have.
    pub fn moves_to(&self) -> Option<&PlanId> {
        self.update.as_ref().map(|target| &target.plan_id)
    }
}

impl Report {
    /// A report that is a sentence.
    pub fn of(description: impl Into<String>) -> Self {
        Self {
            description: Some(description.into()),
            ..Self::default()
        }
    }
}

impl Operation {
    /// Where its subject stands by it.
    pub fn standing(&self) -> LastOperation {
        LastOperation {
            id: self.id.clone(),
            kind: self.kind,
            state: self.state,
        }
    }
}

impl LastOperation {
    /// Whether it is this far.
    pub fn is(&self, kind: Kind, state: State) -> bool {
        self.kind == kind && self.state == state
    }

    /// Whether it runs, or waits to.
    pub fn in_progress(&self) -> bool {
        self.state == State::InProgress
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Provision,
        Self::Update,
        Self::Deprovision,
        Self::Bind,
        Self::Unbind,
    ];

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
        Self::ALL.into_iter().find(|kind| kind.name() == name)
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
