//! Time, chance and keys, as arguments: what `now()`, `random_password(n)`, `random_username()`, `uuid()` and `derive()`
//! give.

use std::fmt;
use std::sync::Arc;

use super::derive::Deriving;
use super::time::format_utc;

/// A function that a template may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// `now()`: the time at which the operation began.
    Now,
    /// `random_password(n)`: `n` letters and digits.
    RandomPassword,
    /// `random_username()`: a letter, then lower-case letters and digits.
    RandomUsername,
    /// `uuid()`: a random UUID.
    Uuid,
    /// `derive('label', n)`: `n` signs, made of a key and the ids.
    Derive,
    /// `derive_version()`: the version of that key.
    DeriveVersion,
}

impl Function {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::Now,
        Self::RandomPassword,
        Self::RandomUsername,
        Self::Uuid,
        Self::Derive,
        Self::DeriveVersion,
    ];

    /// Its name in a template.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::RandomPassword => "random_password",
            Self::RandomUsername => "random_username",
            Self::Uuid => "uuid",
            Self::Derive => "derive",
            Self::DeriveVersion => "derive_version",
        }
    }

    /// Whether it gives something else each time it is called.
    pub const fn is_chance(self) -> bool {
        matches!(
            self,
            Self::RandomPassword | Self::RandomUsername | Self::Uuid
        )
    }

    /// Whether it is of the keys under `derive`.
    pub const fn derives(self) -> bool {
        matches!(self, Self::Derive | Self::DeriveVersion)
    }

    /// Whether it gives something else when it is called for the same thing another time.
    pub const fn is_made_once(self) -> bool {
        !self.derives()
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|function| function.name() == name)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}()", self.name())
    }
}

/// The source of chance gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoChance;

/// Fills a buffer with bytes that nobody can guess.
pub type Chance = dyn Fn(&mut [u8]) -> Result<(), NoChance> + Send + Sync;

/// What chance, time and keys there are for the templates of one operation. Each call in them draws anew.
#[derive(Clone)]
pub struct Draw {
    now_ms: i64,
    chance: Arc<Chance>,
    deriving: Option<Arc<Deriving>>,
}

impl Draw {
    /// Of an operation that began `now_ms` milliseconds after 1970, with the system's chance.
    pub fn new(now_ms: i64) -> Self {
        Self::with_chance(now_ms, |bytes| getrandom::fill(bytes).map_err(|_| NoChance))
    }

    /// The same with another source of chance.
    pub fn with_chance(
        now_ms: i64,
        chance: impl Fn(&mut [u8]) -> Result<(), NoChance> + Send + Sync + 'static,
    ) -> Self {
        Self {
            now_ms,
            chance: Arc::new(chance),
            deriving: None,
        }
    }

    /// The same with something to derive of.
    #[must_use]
    pub fn deriving(self, deriving: Option<Deriving>) -> Self {
        Self {
            deriving: deriving.map(Arc::new),
            ..self
        }
    }

    pub(super) fn keys(&self) -> Option<&Deriving> {
        self.deriving.as_deref()
    }

    pub(super) fn now(&self) -> String {
        format_utc(self.now_ms)
    }

    pub(super) fn random_password(&self, length: usize) -> Result<String, NoChance> {
        random_password(length, &*self.chance)
    }

    pub(super) fn random_username(&self) -> Result<String, NoChance> {
        random_username(&*self.chance)
    }

    pub(super) fn uuid(&self) -> Result<String, NoChance> {
        uuid(&*self.chance)
    }
}

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Letters first: a name begins with one of these.
const LOWER: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// How long a name is that `random_username` makes: no server's limit is below it (that of MySQL once was 16), and 82 bits
/// of chance are in it.
const USERNAME: usize = 16;

/// The lengths that `random_password` makes.
pub(super) const LENGTHS: std::ops::RangeInclusive<usize> = 8..=256;

/// Letters and digits that need no quoting in a shell, a URL or a connection string; at least one upper-case letter,
/// one lower-case letter and one digit.
///
/// Each such password of `length` is as likely as any other: bytes beyond the last multiple of 62 are thrown away, and
/// so is a whole password that lacks a kind. A `length` below 8 or above 256 is taken as 8 or 256.
pub fn random_password(length: usize, chance: &Chance) -> Result<String, NoChance> {
    let length = length.clamp(*LENGTHS.start(), *LENGTHS.end());
    let mut bytes = [0; 64];
    loop {
        let mut password = String::with_capacity(length);
        while password.len() < length {
            chance(&mut bytes)?;
            let signs = bytes.iter().filter_map(|byte| fair(ALPHABET, *byte));
            password.extend(signs.take(length - password.len()));
        }
        let has = |kind: fn(&u8) -> bool| password.bytes().any(|byte| kind(&byte));
        if has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit) {
            return Ok(password);
        }
    }
}

/// A letter, then lower-case letters and digits, 16 in all: a name that needs quotes nowhere, on any server.
fn random_username(chance: &Chance) -> Result<String, NoChance> {
    let mut name = String::with_capacity(USERNAME);
    let mut bytes = [0; 64];
    while name.len() < USERNAME {
        chance(&mut bytes)?;
        for byte in bytes {
            let signs = if name.is_empty() {
                &LOWER[..26]
            } else {
                &LOWER[..]
            };
            if name.len() < USERNAME
                && let Some(sign) = fair(signs, byte)
            {
                name.push(sign);
            }
        }
    }
    Ok(name)
}

/// The sign that a byte stands for, so that each is as likely as any other; bytes beyond the last whole round of the signs
/// stand for none.
pub(super) fn fair(signs: &[u8], byte: u8) -> Option<char> {
    let round = 256 - 256 % signs.len();
    let byte = usize::from(byte);
    (byte < round).then(|| char::from(signs[byte % signs.len()]))
}

/// Of version 4.
fn uuid(chance: &Chance) -> Result<String, NoChance> {
    let mut bytes = [0; 16];
    chance(&mut bytes)?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0x0f] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_their_length_and_every_kind() {
        let draw = Draw::new(0);
        for length in [8, 9, 32, 64, 65, 256] {
            let password = draw.random_password(length).unwrap();
            assert_eq!(password.len(), length);
            assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert!(password.bytes().any(|byte| byte.is_ascii_digit()));
            assert!(password.bytes().any(|byte| byte.is_ascii_lowercase()));
            assert!(password.bytes().any(|byte| byte.is_ascii_uppercase()));
            assert_ne!(password, draw.random_password(length).unwrap());
        }
    }

    #[test]
    fn every_sign_is_about_as_likely() {
        let draw = Draw::new(0);
        let mut counts = [0_u32; 128];
        for _ in 0..2_000 {
            draw.random_password(256)
                .unwrap()
                .bytes()
                .for_each(|byte| counts[usize::from(byte)] += 1);
        }
        let expected = 2_000 * 256 / 62;
        for byte in ALPHABET {
            let count = counts[usize::from(*byte)];
            assert!(
                count.abs_diff(expected) < expected / 10,
                "{}: {count}",
                char::from(*byte)
            );
        }
    }

    #[test]
    fn names_begin_with_a_letter_and_fit_every_server() {
        let draw = Draw::new(0);
        let names: Vec<String> = (0..4_000)
            .map(|_| draw.random_username().unwrap())
            .collect();
        let mut first = [0_u32; 128];
        let mut rest = [0_u32; 128];
        for name in &names {
            assert_eq!(name.len(), 16);
            first[usize::from(name.as_bytes()[0])] += 1;
            for byte in &name.as_bytes()[1..] {
                rest[usize::from(*byte)] += 1;
            }
        }
        for (counts, signs, drawn) in [(first, &LOWER[..26], 4_000), (rest, &LOWER[..], 60_000)] {
            let expected = drawn / u32::try_from(signs.len()).unwrap();
            let known: u32 = signs.iter().map(|sign| counts[usize::from(*sign)]).sum();
            assert_eq!(known, drawn, "there are other signs");
            for sign in signs {
                let count = counts[usize::from(*sign)];
                assert!(count.abs_diff(expected) < expected / 2, "{sign}: {count}");
            }
        }
        let others: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(others.len(), names.len());
    }

    #[test]
    fn uuids_are_of_version_four() {
        let ones = Draw::with_chance(0, |bytes| {
            bytes.fill(0xff);
            Ok(())
        });
        assert_eq!(ones.uuid().unwrap(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_ne!(Draw::new(0).uuid(), Draw::new(0).uuid());
    }

    #[test]
    fn without_chance_there_is_none_of_them() {
        let draw = Draw::with_chance(0, |_| Err(NoChance));
        assert_eq!(draw.random_password(16), Err(NoChance));
        assert_eq!(draw.random_username(), Err(NoChance));
        assert_eq!(draw.uuid(), Err(NoChance));
    }
}
