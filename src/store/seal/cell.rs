//! Where a cell stands, which is bound to what is sealed in it.

use std::fmt;

use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::operation::Subject;
use crate::store::packed::Unreadable;

/// Where a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Cell<'a> {
    /// The details of an instance.
    Instance(&'a InstanceId),
    /// The details of a binding.
    Binding(&'a InstanceId, &'a BindingId),
    /// The report of an operation on a subject.
    Report(&'a OperationId, &'a Subject),
    /// The task of an operation on a subject.
    Task(&'a OperationId, &'a Subject),
    /// The key of fingerprints.
    Fingerprints,
}

impl<'a> Cell<'a> {
    /// Its column, and the ids of instance, binding and operation.
    fn place(self) -> (u8, [&'a str; 3]) {
        let of = |subject: &'a Subject, operation: &'a OperationId| {
            let binding = subject.binding().map_or("", BindingId::as_str);
            [subject.instance().as_str(), binding, operation.as_str()]
        };
        match self {
            Self::Instance(id) => (1, [id.as_str(), "", ""]),
            Self::Binding(instance, id) => (2, [instance.as_str(), id.as_str(), ""]),
            Self::Report(operation, subject) => (3, of(subject, operation)),
            Self::Task(operation, subject) => (4, of(subject, operation)),
            Self::Fingerprints => (5, ["", "", ""]),
        }
    }

    /// What is bound to what is sealed: each part with its length, so that no two cells have the same.
    pub(super) fn bound(self) -> Vec<u8> {
        let (column, ids) = self.place();
        let mut bound = Vec::with_capacity(160);
        bound.push(column);
        for id in ids {
            bound.extend_from_slice(&(id.len() as u64).to_be_bytes());
            bound.extend_from_slice(id.as_bytes());
        }
        bound
    }

    pub(in crate::store) fn unreadable(self, why: impl fmt::Display) -> Unreadable {
        Unreadable(format!("{self}: {why}"))
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => write!(out, "details of instance {id}"),
            Self::Binding(instance, id) => {
                write!(out, "details of binding {id} of instance {instance}")
            }
            Self::Report(operation, _) => write!(out, "report of operation {operation}"),
            Self::Task(operation, _) => write!(out, "task of operation {operation}"),
            Self::Fingerprints => out.write_str("key of fingerprints"),
        }
    }
}
