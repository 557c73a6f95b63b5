//! The form of a chained line: its number and the hash of the line before it in front, what it says, and the SHA-256 of
//! all that at its end.

use std::io::Write as _;

use sha2::{Digest as _, Sha256};

/// A hash as it is written.
pub(super) type Hash = [u8; 64];

/// What stands where a chain begins.
pub(super) const ORIGIN: Hash = [b'0'; 64];

const SEQ: &[u8] = b"{\"seq\":";
const PREV: &[u8] = b",\"prev\":\"";
const HASH: &[u8] = b",\"hash\":\"";
const END: &[u8] = b"\"}";

/// The end of a chain so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The number of the last line; 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Link {
    /// Of a chain that has no line yet.
    pub(super) const START: Self = Self {
        seq: 0,
        hash: ORIGIN,
    };

    /// Puts one more line behind `out`: the chain goes on with it. `entry` is an object of JSON that has a key.
    pub(super) fn add(&mut self, entry: &str, out: &mut Vec<u8>) {
        let begins = out.len();
        self.seq += 1;
        out.extend_from_slice(SEQ);
        let _ = write!(out, "{}", self.seq);
        out.extend_from_slice(PREV);
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(b"\",");
        let entry = entry.strip_prefix('{').unwrap_or(entry);
        out.extend_from_slice(entry.strip_suffix('}').unwrap_or(entry).as_bytes());
        self.hash = hash(out.get(begins..).unwrap_or_default());
        out.extend_from_slice(HASH);
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(END);
        out.push(b'\n');
    }
}

/// A line as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chained {
    pub seq: u64,
    pub prev: Hash,
    pub hash: Hash,
    /// Whether the hash is that of what the line says.
    pub is_whole: bool,
}

impl Chained {
    /// Nothing where it does not have the form; without the end of the line.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let (said, hash) = ending(line)?;
        let rest = said.strip_prefix(SEQ)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (seq, rest) = rest.split_at_checked(digits)?;
        let rest = rest.strip_prefix(PREV)?;
        let (prev, rest) = rest.split_first_chunk::<64>()?;
        rest.strip_prefix(b"\",")?;
        Some(Self {
            seq: std::str::from_utf8(seq).ok()?.parse().ok()?,
            prev: *prev,
            hash,
            is_whole: self::hash(said) == hash,
        })
    }

    pub(super) const fn link(&self) -> Link {
        Link {
            seq: self.seq,
            hash: self.hash,
        }
    }
}

fn ending(line: &[u8]) -> Option<(&[u8], Hash)> {
    let line = line.strip_suffix(END)?;
    let (said, hash) = line.split_last_chunk::<64>()?;
    Some((said.strip_suffix(HASH)?, *hash))
}

/// The SHA-256 of `bytes`, in hexadecimal digits.
pub(super) fn hash(bytes: &[u8]) -> Hash {
    let mut digits = [0; 64];
    let sum = Sha256::digest(bytes);
    for (pair, byte) in digits.chunks_exact_mut(2).zip(sum.iter()) {
        pair.copy_from_slice(&pair_of(*byte));
    }
    digits
}

/// A hash as text.
pub(super) fn text(hash: &[u8]) -> String {
    String::from_utf8_lossy(hash).into_owned()
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits: Vec<u8> = bytes.iter().flat_map(|byte| pair_of(*byte)).collect();
    text(&digits)
}

fn pair_of(byte: u8) -> [u8; 2] {
    let digit = |value: u8| match value {
        0..=9 => b'0' + value,
        _ => b'a' + (value - 10),
    };
    [digit(byte >> 4), digit(byte & 0xf)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let mut link = Link::START;
        let mut out = Vec::new();
        link.add(r#"{"event":"one"}"#, &mut out);
        link.add(r#"{"event":"two","hash":"x"}"#, &mut out);
        let lines: Vec<_> = out.split(|byte| *byte == b'\n').collect();
        let one = Chained::read(lines[0]).unwrap();
        let two = Chained::read(lines[1]).unwrap();
        assert!(one.is_whole && two.is_whole);
        assert_eq!((one.seq, one.prev), (1, ORIGIN));
        assert_eq!((two.prev, two.link()), (one.hash, link));
        serde_json::from_slice::<serde_json::Value>(lines[0]).expect("JSON");
    }

    #[test]
    fn every_byte_counts() {
        let mut out = Vec::new();
        Link::START.clone().add(r#"{"event":"one"}"#, &mut out);
        out.pop();
        for at in 0..out.len() {
            let mut changed = out.clone();
            changed[at] ^= 1;
            let read = Chained::read(&changed);
            assert!(read.is_none_or(|read| !read.is_whole), "byte {at}");
        }
    }

    /// What others compute: `printf abc | sha256sum`.
    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(
            text(&hash(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
