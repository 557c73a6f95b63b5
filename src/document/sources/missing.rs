//! Why a reference brings nothing in.

use std::fmt;
use std::sync::Arc;

use crate::document::reference::{Reference, Scheme};

/// A reference that brings nothing in, and what to do about it. Holds names and paths, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The reference without its default.
    pub source: Arc<str>,
    /// Whether it is not there (or is there but cannot be read).
    pub absent: bool,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub mend: String,
}

impl Missing {
    /// What the reference names is not there.
    pub(super) fn absent(reference: &Reference) -> Self {
        let (message, mend) = match &reference.pointer {
            Some(pointer) => (
                format!("nothing is there for {}", reference.source),
                format!(
                    "look whether {} is there and has a part {pointer}",
                    subject(reference)
                ),
            ),
            None => (
                format!("{} is missing", subject(reference)),
                provide(reference),
            ),
        };
        let default = reference.with_default("value");
        let mend = format!("{mend}, or give a default: {default}");
        Self {
            source: Arc::clone(&reference.source),
            absent: true,
            message,
            mend,
        }
    }

    /// What the reference names is there but does not serve.
    pub(super) fn broken(
        reference: &Reference,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            source: Arc::clone(&reference.source),
            absent: false,
            message: message.into(),
            mend: mend.into(),
        }
    }
}

fn subject(reference: &Reference) -> String {
    let address = &reference.address;
    match reference.scheme {
        Scheme::Name if address.contains('.') => format!("the value {address} of the vars files"),
        Scheme::Name | Scheme::JsonName => format!("the environment variable {address}"),
        Scheme::File | Scheme::JsonFile => format!("the file {address}"),
        Scheme::Dir => format!("the folder {address}"),
        Scheme::Vcap => format!("the bound service {address}"),
    }
}

fn provide(reference: &Reference) -> String {
    let subject = subject(reference);
    match reference.scheme {
        Scheme::Name | Scheme::JsonName => format!("set {subject}"),
        Scheme::File | Scheme::JsonFile | Scheme::Dir => format!("provide {subject}"),
        Scheme::Vcap => format!("bind {subject} to this app"),
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Missing {}
