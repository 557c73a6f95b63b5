//! What the store of a broker remembers.

/// A store that remembers nothing can promise less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// Instances, bindings and operations.
    #[default]
    Remembers,
    /// Nothing: store `none`.
    None,
}
