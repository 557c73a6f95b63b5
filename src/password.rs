//! A password that is known by its argon2id hash alone: the text of one (`$argon2id$v=19$m=...,t=...,p=...$SALT$HASH`), what
//! is made of a password, and whether a password is the one. A leaf.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq as _;

/// What `catalog-broker login hash` makes: 19 MiB, two passes, one lane (OWASP, "Password Storage").
const MADE: Cost = Cost {
    memory: 19 * 1024,
    passes: 2,
    lanes: 1,
};

/// Most memory of one hash, in KiB: one at a time is looked at.
const MOST_MEMORY: u32 = 256 * 1024;

/// Most memory times passes, in KiB: some seconds of work.
const MOST_WORK: u64 = 2 * 1024 * 1024;

const MOST_LANES: u32 = 16;

/// Least memory, in KiB, and least memory times passes: of what OWASP counts as equally strong, that with the least.
const LEAST_MEMORY: u32 = 7 * 1024;
const LEAST_WORK: u64 = 5 * 7 * 1024;

/// Least bytes of a salt and of a hash, and most.
const SALT: std::ops::RangeInclusive<usize> = 8..=64;
const HASH: std::ops::RangeInclusive<usize> = 16..=64;

/// The hash of a password. It prints as `***`: who has it can try passwords on it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    cost: Cost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

/// The memory that hashes are looked at in: as much as the largest of them takes, and kept for the next one. Given back
/// each time it would pile up, for what an allocator keeps of such pieces fits no other.
#[derive(Default)]
pub struct Memory(Vec<Block>);

/// Why a text is no hash that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAHash {
    /// It has another form.
    Malformed,
    /// It is one of another algorithm.
    NotArgon2id,
    /// It is quick to guess.
    Weak,
    /// It takes more memory or time than a login may.
    Costly,
}

impl PasswordHash {
    /// The hash of `password` with that salt, at the cost that is recommended.
    pub fn make(password: &[u8], salt: [u8; 16]) -> Option<Self> {
        let mut made = Self {
            cost: MADE,
            salt: salt.to_vec(),
            hash: vec![0; 32],
        };
        made.hash = made.of(password, &mut Memory::default())?;
        Some(made)
    }

    /// Reads the text of a hash.
    pub fn parse(text: &str) -> Result<Self, NotAHash> {
        let rest = text.strip_prefix('$').ok_or(NotAHash::Malformed)?;
        let mut parts = rest.split('$');
        let mut part = || parts.next().ok_or(NotAHash::Malformed);
        match part()? {
            "argon2id" => {}
            name if !name.is_empty() && !name.contains(' ') => return Err(NotAHash::NotArgon2id),
            _ => return Err(NotAHash::Malformed),
        }
        if part()? != "v=19" {
            return Err(NotAHash::Malformed);
        }
        let cost = Cost::parse(part()?)?;
        let mut bytes = |length: &std::ops::RangeInclusive<usize>| {
            let bytes = STANDARD_NO_PAD.decode(part()?);
            let bytes = bytes.map_err(|_| NotAHash::Malformed)?;
            match bytes.len() {
                short if short < *length.start() => Err(NotAHash::Weak),
                long if long > *length.end() => Err(NotAHash::Costly),
                _ => Ok(bytes),
            }
        };
        let (salt, hash) = (bytes(&SALT)?, bytes(&HASH)?);
        if parts.next().is_some() {
            return Err(NotAHash::Malformed);
        }
        Ok(Self { cost, salt, hash })
    }

    /// Whether it is the hash of `password`. Takes as long and as much memory as the hash says.
    pub fn matches(&self, password: &[u8], memory: &mut Memory) -> bool {
        self.of(password, memory)
            .is_some_and(|hash| hash.ct_eq(&self.hash).into())
    }

    /// The text of it, for whoever is to keep it.
    pub fn expose(&self) -> String {
        let Cost {
            memory,
            passes,
            lanes,
        } = self.cost;
        format!(
            "$argon2id$v=19$m={memory},t={passes},p={lanes}${}${}",
            STANDARD_NO_PAD.encode(&self.salt),
            STANDARD_NO_PAD.encode(&self.hash)
        )
    }

    fn of(&self, password: &[u8], Memory(blocks): &mut Memory) -> Option<Vec<u8>> {
        let Cost {
            memory,
            passes,
            lanes,
        } = self.cost;
        let mut hash = vec![0; self.hash.len()];
        let params = Params::new(memory, passes, lanes, Some(hash.len())).ok()?;
        let count = params.block_count();
        if blocks.len() < count {
            blocks.resize(count, Block::default());
        }
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(password, &self.salt, &mut hash, &mut blocks[..count])
            .ok()?;
        Some(hash)
    }
}

impl Cost {
    fn parse(text: &str) -> Result<Self, NotAHash> {
        let mut parts = text.split(',');
        let mut number = |name: &str| {
            let digits = parts.next().and_then(|part| part.strip_prefix(name));
            let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            digits
                .and_then(|digits| digits.parse::<u32>().ok())
                .ok_or(NotAHash::Malformed)
        };
        let (memory, passes, lanes) = (number("m=")?, number("t=")?, number("p=")?);
        if parts.next().is_some() || passes == 0 || lanes == 0 {
            return Err(NotAHash::Malformed);
        }
        let work = u64::from(memory) * u64::from(passes);
        if memory > MOST_MEMORY || work > MOST_WORK || lanes > MOST_LANES {
            return Err(NotAHash::Costly);
        }
        if memory < LEAST_MEMORY || work < LEAST_WORK {
            return Err(NotAHash::Weak);
        }
        Ok(Self {
            memory,
            passes,
            lanes,
        })
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(crate::secret::MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `printf 'pa:ss w0rd' | argon2 saltsaltsaltsalt -id -t 2 -k 19456 -p 1 -l 32 -e`.
    const MADE_ELSEWHERE: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$MdNHBbpPezhxiAx5GE1OUfKiA1C1s37uHxGfOImFSTI";

    #[test]
    fn a_hash_of_another_program_is_that_of_its_password() {
        let hash = PasswordHash::parse(MADE_ELSEWHERE).unwrap();
        let mut memory = Memory::default();
        // What is left in the memory of the one before, and of a larger one, makes no difference.
        for size in [0, 60_000] {
            memory.0.resize(memory.0.len().max(size), Block::default());
            assert!(hash.matches(b"pa:ss w0rd", &mut memory));
            assert!(!hash.matches(b"pa:ss w0re", &mut memory));
            assert!(!hash.matches(b"", &mut memory));
        }
        assert_eq!(hash.expose(), MADE_ELSEWHERE);
        assert_eq!(format!("{hash:?}"), "***");
    }

    #[test]
    fn what_is_made_is_read_and_holds() {
        let made = PasswordHash::make(b"hunter2", *b"0123456789abcdef").unwrap();
        let other = PasswordHash::make(b"hunter2", *b"0123456789abcdeg").unwrap();
        assert!(made != other, "salted");
        let read = PasswordHash::parse(&made.expose()).unwrap();
        let mut memory = Memory::default();
        assert!(read == made && read.matches(b"hunter2", &mut memory));
        assert!(!read.matches(b"hunter3", &mut memory));
    }

    #[test]
    fn what_is_no_hash_or_a_bad_one_is_refused() {
        let salt = "c2FsdHNhbHRzYWx0c2FsdA";
        let hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let of = |cost: &str| format!("$argon2id$v=19${cost}${salt}${hash}");
        let cases = [
            (of("m=19456,t=2,p=1"), None),
            (of("m=47104,t=1,p=1"), None),
            (of("m=7168,t=5,p=1"), None),
            (of("m=262144,t=8,p=4"), None),
            (of("m=262145,t=1,p=1"), Some(NotAHash::Costly)),
            (of("m=262144,t=9,p=1"), Some(NotAHash::Costly)),
            (of("m=4294967295,t=4294967295,p=1"), Some(NotAHash::Costly)),
            (of("m=19456,t=2,p=17"), Some(NotAHash::Costly)),
            (of("m=19456,t=1,p=1"), Some(NotAHash::Weak)),
            (of("m=4096,t=100,p=1"), Some(NotAHash::Weak)),
            (of("m=8,t=1,p=1"), Some(NotAHash::Weak)),
            (of("m=19456,t=0,p=1"), Some(NotAHash::Malformed)),
            (of("m=19456,t=2,p=0"), Some(NotAHash::Malformed)),
            (of("m=19456,t=2"), Some(NotAHash::Malformed)),
            (of("m=+19456,t=2,p=1"), Some(NotAHash::Malformed)),
            (of("m=19456,t=2,p=1,keyid=x"), Some(NotAHash::Malformed)),
            (of("t=2,m=19456,p=1"), Some(NotAHash::Malformed)),
            (
                format!("$argon2id$v=19$m=19456,t=2,p=1$YWJj${hash}"),
                Some(NotAHash::Weak),
            ),
            (
                format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$AAAA"),
                Some(NotAHash::Weak),
            ),
            (
                format!("$argon2id$v=16$m=19456,t=2,p=1${salt}${hash}"),
                Some(NotAHash::Malformed),
            ),
            (
                format!("$argon2id$m=19456,t=2,p=1${salt}${hash}"),
                Some(NotAHash::Malformed),
            ),
            (
                format!("$argon2i$v=19$m=19456,t=2,p=1${salt}${hash}"),
                Some(NotAHash::NotArgon2id),
            ),
            (
                "$2y$10$abcdefghijklmnopqrstuv".to_owned(),
                Some(NotAHash::NotArgon2id),
            ),
            (of("m=19456,t=2,p=1") + "$", Some(NotAHash::Malformed)),
            (of("m=19456,t=2,p=1") + "=", Some(NotAHash::Malformed)),
            ("hunter2".to_owned(), Some(NotAHash::Malformed)),
            (String::new(), Some(NotAHash::Malformed)),
        ];
        for (text, expected) in cases {
            assert_eq!(PasswordHash::parse(&text).err(), expected, "{text}");
        }
    }
}
