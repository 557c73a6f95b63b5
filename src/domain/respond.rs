//! How a plan answers while its backend works: in place, later, or whichever comes first.

use std::time::Duration;

use super::operation::Kind;

/// How one kind of operation is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Respond {
    /// In place, however long it takes; never 202.
    Sync,
    /// With 202, always; a platform that does not accept that is refused.
    Async,
    /// In place if it is done soon, else with 202 where the platform accepts that.
    #[default]
    Auto,
}

/// How a plan answers, and how patient it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Responding {
    by_kind: [Respond; 5],
    /// How soon is soon, for `auto`.
    pub answer_within: Duration,
    /// How long a platform is asked to wait between two polls; nothing leaves it to the platform.
    pub poll_every: Option<Duration>,
    /// After so many attempts an operation fails.
    pub max_attempts: u32,
}

impl Responding {
    /// How this kind is answered.
    pub const fn to(&self, kind: Kind) -> Respond {
        self.by_kind[kind as usize]
    }

    /// Sets how this kind is answered.
    pub const fn set(&mut self, kind: Kind, respond: Respond) {
        self.by_kind[kind as usize] = respond;
    }

    /// Whether any kind may be answered with 202.
    pub fn ever_later(&self) -> bool {
        self.by_kind.iter().any(|respond| *respond != Respond::Sync)
    }
}

impl Default for Responding {
    fn default() -> Self {
        Self {
            by_kind: [Respond::default(); 5],
            answer_within: Duration::from_secs(2),
            poll_every: None,
            max_attempts: 10,
        }
    }
}
