//! A value that cannot be printed and is compared in constant time.
//!
//! Everything an operator or a platform gives in confidence (passwords, credentials, parameters) is a `Secret` from the
//! border on. Plain text leaves it in one place, [`Secret::expose`], whose name says so.

use std::fmt;

use subtle::ConstantTimeEq;

/// What stands in place of a secret wherever one would be printed.
pub const MASK: &str = "***";

/// A value that prints as `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Takes `value` into confidence.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The plain value, for the one who needs it: an answer of bind, a comparison, a store.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The plain value, taken out.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl Secret<String> {
    /// Whether `other` is this text, in a time that depends on the lengths alone.
    pub fn matches(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Secret<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if cfg!(feature = "unredacted") {
            write!(out, "{:?}", self.0)
        } else {
            out.write_str(MASK)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_stars_and_compares_as_itself() {
        let secret = Secret::new("hunter2".to_owned());
        if !cfg!(feature = "unredacted") {
            assert_eq!(format!("{secret:?}"), MASK);
        }
        assert!(secret.matches(b"hunter2"));
        assert!(!secret.matches(b"hunter"));
        assert!(!secret.matches(b"hunter3"));
    }
}
