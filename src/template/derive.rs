//! Credentials without a store: what `derive('label', length)` comes to, of a key that is the operator's alone.
//!
//! HKDF-SHA-256 (RFC 5869) makes bytes of the key and of what the credential is for. Each byte stands for a sign of the
//! alphabet, all equally often, but those beyond the last whole round of it, which are passed over. That is all, so that
//! the service can compute the same: `config/derive.md` is the recipe, and a test holds the two together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;

use super::draw::{LENGTHS, fair};
use crate::secret::Secret;

/// The first word of what is hashed: another recipe would have another one.
const RECIPE: &str = "catalog-broker/derive/1";

/// The same for what tells one key from another. No derivation has it: theirs go on behind the first word.
const MARK: &str = "catalog-broker/derive/mark/1";

/// What HKDF-SHA-256 gives at most.
const MOST: usize = 255 * 32;

/// How short a key may be, in bytes.
pub const SHORTEST_KEY: usize = 32;

/// The longest label, in bytes.
const LONGEST_LABEL: usize = 200;

/// The signs that a derived text is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alphabet {
    /// Capital and small letters, digits.
    #[default]
    Alphanumeric,
    /// Small letters, digits.
    Lower,
    /// `0` to `f`.
    Hex,
    /// Digits.
    Digits,
    /// Letters, digits, `-` and `_`.
    Base64Url,
}

impl Alphabet {
    /// All there are.
    pub const ALL: [Self; 5] = [
        Self::Alphanumeric,
        Self::Lower,
        Self::Hex,
        Self::Digits,
        Self::Base64Url,
    ];

    /// What a template calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alphanumeric => "alphanumeric",
            Self::Lower => "lower",
            Self::Hex => "hex",
            Self::Digits => "digits",
            Self::Base64Url => "base64url",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|alphabet| alphabet.name() == name)
    }

    /// Its signs, in their order.
    pub const fn signs(self) -> &'static str {
        match self {
            Self::Alphanumeric => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            Self::Lower => "abcdefghijklmnopqrstuvwxyz0123456789",
            Self::Hex => "0123456789abcdef",
            Self::Digits => "0123456789",
            Self::Base64Url => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        }
    }
}

/// A key that credentials are derived of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Secret<Vec<u8>>);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It is no base64.
    NotBase64,
    /// It has too few bytes.
    TooShort,
}

impl fmt::Display for KeyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBase64 => out.write_str("is no base64"),
            Self::TooShort => write!(out, "has less than {SHORTEST_KEY} bytes"),
        }
    }
}

impl std::error::Error for KeyError {}

impl Key {
    /// Reads base64, with or without white space around it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD
            .decode(text.trim())
            .map_err(|_| KeyError::NotBase64)?;
        if bytes.len() < SHORTEST_KEY {
            return Err(KeyError::TooShort);
        }
        Ok(Self(Secret::new(bytes)))
    }

    /// What tells it from other keys, and nothing of it: bytes of a recipe of their own.
    pub fn mark(&self) -> String {
        let mut bytes = [0; 8];
        let hkdf = Hkdf::<Sha256>::new(None, self.0.expose());
        // A few bytes are never too many.
        let _ = hkdf.expand(MARK.as_bytes(), &mut bytes);
        format!("{:016x}", u64::from_be_bytes(bytes))
    }

    /// A text that nobody without the key can tell from one that was drawn at random.
    pub fn derive(&self, of: &Derived<'_>) -> Result<String, DeriveError> {
        of.check()?;
        let info = of.info();
        let hkdf = Hkdf::<Sha256>::new(None, self.0.expose());
        // The bytes do not depend on how many are asked for: two for each sign are nearly always enough.
        let mut wanted = (of.length * 2).next_multiple_of(32);
        loop {
            let mut bytes = vec![0; wanted];
            hkdf.expand(info.as_bytes(), &mut bytes)
                .map_err(|_| DeriveError::Exhausted)?;
            let signs = of.alphabet.signs().as_bytes();
            let text: String = bytes
                .iter()
                .filter_map(|byte| fair(signs, *byte))
                .take(of.length)
                .collect();
            if text.len() == of.length {
                return Ok(text);
            }
            if wanted == MOST {
                return Err(DeriveError::Exhausted);
            }
            wanted = (wanted * 2).min(MOST);
        }
    }
}

/// What a text is derived for.
#[derive(Clone, Copy, Debug)]
pub struct Derived<'a> {
    /// The instance's id.
    pub instance: &'a str,
    /// The binding's id; empty for what is the instance's own.
    pub binding: &'a str,
    /// What tells it from others of the same binding.
    pub label: &'a str,
    /// How many signs.
    pub length: usize,
    /// Which signs.
    pub alphabet: Alphabet,
}

/// Why nothing can be derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeriveError {
    /// The label is empty, too long, or has control characters in it.
    Label,
    /// The length is none that is made.
    Length,
    /// The bytes did not last: this cannot be, but for one case in more than there are atoms.
    Exhausted,
}

impl fmt::Display for DeriveError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label => write!(
                out,
                "a label that is empty, has control characters, or is longer than {LONGEST_LABEL} bytes"
            ),
            Self::Length => write!(
                out,
                "a length that is not from {} to {}",
                LENGTHS.start(),
                LENGTHS.end()
            ),
            Self::Exhausted => out.write_str("what the key has no signs left for"),
        }
    }
}

impl std::error::Error for DeriveError {}

impl Derived<'_> {
    fn check(&self) -> Result<(), DeriveError> {
        let label = self.label;
        if label.is_empty() || label.len() > LONGEST_LABEL || label.chars().any(char::is_control) {
            return Err(DeriveError::Label);
        }
        if LENGTHS.contains(&self.length) {
            Ok(())
        } else {
            Err(DeriveError::Length)
        }
    }

    /// Ids and labels have no control characters, so no two of these read the same. Alphabet and length are in it, so that a
    /// short text is never the beginning of a long one.
    fn info(&self) -> String {
        [
            RECIPE,
            self.instance,
            self.binding,
            self.label,
            self.alphabet.name(),
            &self.length.to_string(),
        ]
        .join("\0")
    }
}

/// The keys of a plan by their versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    current: Arc<str>,
    all: BTreeMap<Arc<str>, Key>,
}

impl Keys {
    /// Nothing where there is no key of the current version.
    pub fn new(current: &str, all: BTreeMap<Arc<str>, Key>) -> Option<Self> {
        let (current, _) = all.get_key_value(current)?;
        Some(Self {
            current: Arc::clone(current),
            all,
        })
    }

    /// The version that what is new is made with.
    pub const fn current(&self) -> &Arc<str> {
        &self.current
    }

    /// The key of that version.
    pub fn get(&self, version: &str) -> Option<&Key> {
        self.all.get(version)
    }

    /// All versions.
    pub fn versions(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(|version| &**version)
    }
}

/// What the templates of one operation derive with, and for what.
#[derive(Clone, Debug)]
pub struct Deriving {
    /// The keys that there are.
    pub keys: Arc<Keys>,
    /// The one that is meant.
    pub version: Arc<str>,
    /// The instance's id.
    pub instance: Arc<str>,
    /// The binding's id; empty while an instance is rendered.
    pub binding: Arc<str>,
}

impl Deriving {
    /// The text for a label; or a sentence.
    pub(super) fn derive(
        &self,
        label: &str,
        length: usize,
        alphabet: Alphabet,
    ) -> Result<String, String> {
        let Some(key) = self.keys.get(&self.version) else {
            return Err(format!(
                "needs the key `{}`, which is not under `derive.keys` any more",
                self.version
            ));
        };
        let derived = Derived {
            instance: &self.instance,
            binding: &self.binding,
            label,
            length,
            alphabet,
        };
        key.derive(&derived)
            .map_err(|error| format!("gives `derive` {error}"))
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> Key {
        Key::parse(&STANDARD.encode([byte; 32])).unwrap()
    }

    fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }

    /// RFC 5869 in a few lines, by hand.
    fn by_hand(key: &[u8], of: &Derived<'_>) -> String {
        let signs = of.alphabet.signs().as_bytes();
        let secret = mac(&[0; 32], &[key]);
        let (mut block, mut text) = (Vec::new(), String::new());
        for counter in 1..=255_u8 {
            block = mac(&secret, &[&block, of.info().as_bytes(), &[counter]]);
            let below = |byte: &&u8| usize::from(**byte) < 256 / signs.len() * signs.len();
            let fair = block.iter().filter(below);
            text.extend(fair.map(|byte| char::from(signs[usize::from(*byte) % signs.len()])));
        }
        text.truncate(of.length);
        text
    }

    #[test]
    fn every_sign_stands_for_as_many_bytes() {
        for alphabet in Alphabet::ALL {
            let signs = alphabet.signs().as_bytes();
            let stand_for = |sign: &u8| {
                let bytes =
                    (0..=255_u8).filter(|byte| fair(signs, *byte) == Some(char::from(*sign)));
                bytes.count()
            };
            for sign in signs {
                assert_eq!(stand_for(sign), 256 / signs.len(), "{}", alphabet.name());
            }
        }
    }

    #[test]
    fn a_key_is_base64_and_long_enough() {
        for (text, error) in [
            ("", KeyError::TooShort),
            ("not base64", KeyError::NotBase64),
            (&STANDARD.encode([1; 31]), KeyError::TooShort),
            (&STANDARD.encode([1; 32])[..43], KeyError::NotBase64),
        ] {
            assert_eq!(Key::parse(text), Err(error), "{text}");
        }
        assert!(Key::parse(&STANDARD.encode([1; 64])).is_ok());
        if !cfg!(feature = "unredacted") {
            assert_eq!(format!("{:?}", key(1)), "Key(***)");
        }
    }

    #[test]
    fn what_is_no_label_or_length_is_refused() {
        let derive = |label: &str, length| {
            key(1).derive(&Derived {
                instance: "i",
                binding: "b",
                label,
                length,
                alphabet: Alphabet::Hex,
            })
        };
        assert_eq!(derive("", 8), Err(DeriveError::Label));
        assert_eq!(derive("a\0b", 8), Err(DeriveError::Label));
        assert_eq!(derive(&"x".repeat(201), 8), Err(DeriveError::Label));
        assert_eq!(derive("a", 7), Err(DeriveError::Length));
        assert_eq!(derive("a", 257), Err(DeriveError::Length));
        assert_eq!(derive("a", 256).unwrap().len(), 256);
    }

    proptest! {
        #[test]
        fn texts_are_those_of_the_recipe_and_of_nothing_else(
            bytes in prop::collection::vec(any::<u8>(), 32..80),
            ids in prop::collection::vec("[ -~é]{1,40}", 3),
            length in LENGTHS,
            alphabet in prop::sample::select(&Alphabet::ALL[..]),
        ) {
            let own = Key(Secret::new(bytes.clone()));
            let of = Derived { instance: &ids[0], binding: &ids[1], label: &ids[2], length, alphabet };
            let text = own.derive(&of).unwrap();
            prop_assert_eq!(text.len(), length);
            prop_assert!(text.chars().all(|sign| alphabet.signs().contains(sign)));
            prop_assert_eq!(&text, &by_hand(&bytes, &of));
            prop_assert_eq!(&text, &own.derive(&of).unwrap());
            let other = |of: Derived<'_>, key: &Key| key.derive(&of).unwrap();
            let longer = format!("{}x", ids[0]);
            prop_assert_ne!(&text, &other(Derived { instance: &longer, ..of }, &own));
            prop_assert_ne!(&text, &other(Derived { binding: "", ..of }, &own));
            prop_assert_ne!(&text, &other(Derived { label: &longer, binding: &longer, ..of }, &own));
            let mut more = bytes;
            more.push(1);
            prop_assert_ne!(&text, &other(of, &Key(Secret::new(more))));
            if length < 256 {
                let one_more = other(Derived { length: length + 1, ..of }, &own);
                prop_assert!(!one_more.starts_with(&text));
            }
        }
    }
}
