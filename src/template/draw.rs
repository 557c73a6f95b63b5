//! Time and chance, as arguments: what `now()` and `random_password(n)` give.

use std::fmt;
use std::sync::Arc;

use super::time::format_utc;

/// A function that a template may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// `now()`: the time at which the operation began.
    Now,
    /// `random_password(n)`: `n` letters and digits.
    RandomPassword,
}

impl Function {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Now, Self::RandomPassword];

    /// Its name in a template.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::RandomPassword => "random_password",
        }
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

/// What chance and time there is for the templates of one operation. Each call in them draws anew.
#[derive(Clone)]
pub struct Draw {
    now_ms: i64,
    chance: Arc<Chance>,
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
        }
    }

    pub(super) fn now(&self) -> String {
        format_utc(self.now_ms)
    }

    pub(super) fn random_password(&self, length: usize) -> Result<String, NoChance> {
        random_password(length, &*self.chance)
    }
}

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

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
            let fair = bytes.iter().filter(|byte| **byte < 248);
            password.extend(
                fair.map(|byte| char::from(ALPHABET[usize::from(*byte) % 62]))
                    .take(length - password.len()),
            );
        }
        let has = |kind: fn(&u8) -> bool| password.bytes().any(|byte| kind(&byte));
        if has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit) {
            return Ok(password);
        }
    }
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
    fn without_chance_there_is_no_password() {
        assert_eq!(
            Draw::with_chance(0, |_| Err(NoChance)).random_password(16),
            Err(NoChance)
        );
    }
}
