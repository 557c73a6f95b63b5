//! The way to a value while a document is walked: it costs nothing until a finding asks for it.

use crate::document::{Path, Step};

/// One step, and the way to it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trail<'a> {
    /// The document, or a path that is known already.
    Root(&'a [Step]),
    /// Into a map.
    Key(&'a Trail<'a>, &'a str),
    /// Into a list.
    Index(&'a Trail<'a>, usize),
}

impl<'a> Trail<'a> {
    /// The document.
    pub const ROOT: Self = Self::Root(&[]);

    /// One step further, by key.
    pub const fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }

    /// One step further, by index.
    pub const fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }

    /// The way as a finding holds it.
    pub fn path(&self) -> Path {
        match self {
            Self::Root(steps) => steps.iter().fold(Path::root(), |path, step| match step {
                Step::Key(key) => path.key(std::sync::Arc::clone(key)),
                Step::Index(index) => path.index(*index),
            }),
            Self::Key(before, key) => before.path().key(*key),
            Self::Index(before, index) => before.path().index(*index),
        }
    }
}
