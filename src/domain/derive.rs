//! What templates derive, for who computes it outside of one: the command `derive`.

pub use crate::template::{Alphabet, DeriveError, Derived, Key, KeyError, Keys, SHORTEST_KEY};
