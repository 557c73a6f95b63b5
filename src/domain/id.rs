//! The names of things: each its own type, none of them ever empty.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// There is nothing.
    Empty,
    /// It has a control character, which no store and no log line should carry.
    ControlCharacter,
}

impl fmt::Display for IdError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Empty => "must not be empty",
            Self::ControlCharacter => "must not contain control characters",
        })
    }
}

impl std::error::Error for IdError {}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes any text that is not empty and has no control characters: the specification restricts no more.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                if text.is_empty() {
                    return Err(IdError::Empty);
                }
                if text.chars().any(char::is_control) {
                    return Err(IdError::ControlCharacter);
                }
                Ok(Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(input)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, out)
            }
        }
    )*};
}

ids! {
    /// The id of an offering: `service_id` in the API.
    ServiceId;
    /// The id of a plan.
    PlanId;
    /// The id of an instance, chosen by the platform.
    InstanceId;
    /// The id of a binding, chosen by the platform, unique within its instance.
    BindingId;
    /// The id of an operation, made by the broker.
    OperationId;
}

impl OperationId {
    /// The id of what an operation does to one binding on its way: the same in every attempt, and no other's.
    #[must_use]
    pub fn for_binding(&self, binding: &BindingId) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.as_str());
        hash.update([0]);
        hash.update(binding.as_str());
        let mut bits = [0; 16];
        bits.copy_from_slice(&hash.finalize()[..16]);
        Self::from_random(bits)
    }

    /// An id out of 128 random bits.
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(bits)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_any_text_but_nothing_and_control_characters() {
        for good in ["a", "a/b", "..", "ä", "'; --", " ", &"x".repeat(10_000)] {
            assert_eq!(InstanceId::parse(good).expect(good).as_str(), good);
        }
        assert_eq!(InstanceId::parse(""), Err(IdError::Empty));
        for bad in ["\0", "a\nb", "\u{7f}", "\u{85}"] {
            assert_eq!(
                InstanceId::parse(bad),
                Err(IdError::ControlCharacter),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn an_operation_id_is_32_hexadecimal_digits() {
        assert_eq!(
            OperationId::from_random([0xab; 16]).as_str(),
            "ab".repeat(16)
        );
    }
}
