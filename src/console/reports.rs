//! What there is to say of the document: its findings, and what came of the latest reload. Only what is published, and
//! what the log says, too.

use std::fmt;

use arc_swap::ArcSwap;
use std::sync::Arc;

use crate::domain::time::Timestamp;

/// What is known of the document; the reloader writes, pages read.
pub struct Reports(ArcSwap<Report>);

/// What is known of the document at a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    /// Since when this catalog is served.
    pub since: Timestamp,
    /// What there is to say of it.
    pub findings: Vec<Said>,
    /// The latest reload.
    pub reload: Option<Reload>,
    /// What the latest catalog changed for platforms, a sentence each; nothing where it is the first.
    pub changes: Option<Vec<String>>,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something that must be switched on elsewhere.
    Note,
    /// Likely not what is wanted.
    Warning,
    /// It is not served with it.
    Error,
}

/// One thing that a rule has to say.
#[derive(Clone, Debug)]
pub struct Said {
    /// How much it weighs.
    pub weight: Weight,
    /// The rule's name.
    pub rule: String,
    /// File, line and column; empty where it stands in no file.
    pub place: String,
    /// The way to the value.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub mend: String,
}

/// A reload that came to an end.
#[derive(Clone, Debug)]
pub struct Reload {
    /// When.
    pub at: Timestamp,
    /// Why it was refused; nothing where it was not.
    pub refused: Option<String>,
    /// The findings of the document that was refused.
    pub findings: Vec<Said>,
}

impl Reports {
    /// A document that is served since then.
    pub fn new(since: Timestamp, findings: Vec<Said>) -> Self {
        Self(ArcSwap::from_pointee(Report {
            since,
            findings,
            ..Report::default()
        }))
    }

    /// Another document is served since then, and this changed for platforms.
    pub fn served(&self, at: Timestamp, findings: Vec<Said>, changes: Vec<String>) {
        self.0.store(Arc::new(Report {
            since: at,
            findings,
            changes: Some(changes),
            reload: Some(Reload {
                at,
                refused: None,
                findings: Vec::new(),
            }),
        }));
    }

    /// Another document was refused: the one before is served on.
    pub fn refused(&self, reload: &Reload) {
        self.0.rcu(|report| Report {
            reload: Some(reload.clone()),
            ..Report::clone(report)
        });
    }

    pub(super) fn now(&self) -> Arc<Report> {
        self.0.load_full()
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Reports")
    }
}

impl Weight {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
