//! What files say of one instance or binding, and where they say it.

use std::sync::Arc;

use crate::document::Place;
use crate::domain::json::Object;

/// What a piece is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    Instance,
    Binding,
}

/// What one file says of one instance or binding.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) what: What,
    pub(super) place: Place,
    pub(super) object: Object,
    /// Whether it is the platform's list that says so, rather than the operator.
    pub(super) listed: bool,
}

impl What {
    /// The key of its line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Binding => "binding",
        }
    }
}

/// A text and where it begins.
pub(super) struct Source<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) text: &'a str,
    pub(super) line: u32,
}

impl Source<'_> {
    /// Where it begins.
    pub(super) fn place(&self) -> Place {
        self.at(0)
    }

    /// The line on which a quoted text first stands: JSON parsers tell no places, and an id stands first where it is
    /// defined.
    pub(super) fn place_of(&self, id: &str) -> Place {
        let quoted = format!("\"{id}\"");
        let before = self
            .text
            .split_once(&quoted)
            .map_or("", |(before, _)| before);
        self.at(before.matches('\n').count())
    }

    fn at(&self, lines: usize) -> Place {
        let lines = u32::try_from(lines).unwrap_or(u32::MAX);
        Place {
            file: Arc::clone(self.file),
            line: self.line.saturating_add(lines),
            column: 1,
            start: 0,
            end: 0,
        }
    }
}
