//! What PostgreSQL keeps of a password: made here, so that the password itself is in no statement.
//!
//! The rounds are those that servers and clients expect (RFC 7677: at least 4096, and clients refuse fewer), however good
//! the password is. They are most of what a bind costs here, so the key is set up once for all of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use postgres_protocol::password::scram_sha_256;
use sha2::{Digest as _, Sha256};

const ROUNDS: u32 = 4096;
const SALT: usize = 16;

type Key = [u8; 32];

/// The verifier of a password.
pub(super) fn verifier(password: &str) -> String {
    // What SASLprep would change is left to who knows it.
    let plain = password.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let mut salt = [0; SALT];
    if !plain || getrandom::fill(&mut salt).is_err() {
        return scram_sha_256(password.as_bytes());
    }
    salted(password, salt).unwrap_or_else(|| scram_sha_256(password.as_bytes()))
}

fn salted(password: &str, salt: [u8; SALT]) -> Option<String> {
    let key = Hmac::<Sha256>::new_from_slice(password.as_bytes()).ok()?;
    let round = |text: &[u8]| -> Key {
        let mut round = key.clone();
        round.update(text);
        round.finalize().into_bytes().into()
    };
    let mut last = round(&[&salt[..], &[0, 0, 0, 1]].concat());
    let mut all = last;
    for _ in 1..ROUNDS {
        last = round(&last);
        for (sum, byte) in all.iter_mut().zip(last) {
            *sum ^= byte;
        }
    }
    let of = |name: &[u8]| -> Option<Key> {
        let mut key = Hmac::<Sha256>::new_from_slice(&all).ok()?;
        key.update(name);
        Some(key.finalize().into_bytes().into())
    };
    let stored = Sha256::digest(of(b"Client Key")?);
    let server = of(b"Server Key")?;
    Some(format!(
        "SCRAM-SHA-256${ROUNDS}:{}${}:{}",
        STANDARD.encode(salt),
        STANDARD.encode(stored),
        STANDARD.encode(server)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_the_one_that_the_library_makes() {
        let long = "x".repeat(1024);
        for password in ["s", "pass word", "!~aZ09'\\$\"", long.as_str()] {
            let theirs = scram_sha_256(password.as_bytes());
            let salt = theirs.split([':', '$']).nth(2).expect("a salt");
            let salt = STANDARD.decode(salt).expect("base64");
            let ours = salted(password, salt.try_into().expect("16 bytes"));
            assert_eq!(ours.as_deref(), Some(theirs.as_str()), "{password}");
        }
    }

    #[test]
    fn no_two_are_the_same() {
        for password in ["pencil", "p\u{e9}ncil", "p\u{a0}ncil"] {
            let [one, other] = [verifier(password), verifier(password)];
            assert!(one.starts_with("SCRAM-SHA-256$4096:") && one != other);
        }
    }
}
