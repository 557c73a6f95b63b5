//! The life of a plan: offered, then deprecated, then retired. What is retired makes no new instance and takes none from
//! another plan; those that it has go on.

use super::time::Timestamp;

/// How far a plan is, and what its users are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// How far.
    pub state: LifecycleState,
    /// What users are told.
    pub note: Option<String>,
    /// The name of the plan to take instead, of the same offering.
    pub successor: Option<String>,
    /// When a deprecated plan is retired by itself.
    pub after: Option<Deadline>,
}

/// How far a plan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LifecycleState {
    /// It is offered.
    #[default]
    Active,
    /// It is offered, and on its way out.
    Deprecated,
    /// It has what it has.
    Retired,
}

/// A moment as the document wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// A date or a time.
    pub text: String,
    /// Its end.
    pub at: Timestamp,
}

impl LifecycleState {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Retired => "retired",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Deprecated, Self::Retired]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

impl Lifecycle {
    /// Whether it is retired by now.
    pub fn is_retired(&self, now: Timestamp) -> bool {
        match self.state {
            LifecycleState::Active => false,
            LifecycleState::Deprecated => self.after.as_ref().is_some_and(|after| after.at <= now),
            LifecycleState::Retired => true,
        }
    }

    /// What is told of it behind the plan's description; nothing of an active one. It does not depend on the time.
    pub fn told(&self) -> Option<String> {
        let mut text = match self.state {
            LifecycleState::Active => return None,
            LifecycleState::Deprecated => "deprecated".to_owned(),
            LifecycleState::Retired => "retired".to_owned(),
        };
        if let Some(after) = &self.after {
            text = text + ", retired after " + &after.text;
        }
        if let Some(successor) = &self.successor {
            text = text + ", use " + successor;
        }
        if let Some(note) = &self.note {
            text = text + ": " + note;
        }
        Some(text)
    }
}
