//! Cells that nobody reads from outside, sealed: encrypted, and bound to the row and column that they were written for.
//!
//! XChaCha20-Poly1305: its nonces are long enough to be drawn, however many brokers seal with one key for however long. A
//! sealed cell is a byte (1), the id of its key (8), the nonce (24), then the ciphertext with its tag (16). What is bound
//! to it (associated data) is which column it is, the ids of its instance and binding, and of an operation its id; so a
//! cell that is moved elsewhere does not open.
//!
//! The store's record ([`Record`]) names the keys that its cells were sealed with, so that a broker that lacks one is told
//! at start. Whether cells may be there that are not sealed stands in it, too: where none can be, one that appears was put
//! there by somebody else.

mod cell;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use chacha20poly1305::{AeadInOut as _, KeyInit as _, Tag, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};

use super::packed::Unreadable;
use crate::domain::ledger::{KeyId, Seal};
use crate::secret::Secret;

pub(super) use cell::Cell;

/// How a cell is written: as it is.
const PLAIN: u8 = 0;

/// How a cell is written: sealed.
const SEALED: u8 = 1;

const ID: usize = 8;
const NONCE: usize = 24;
const TAG: usize = 16;
const HEAD: usize = 1 + ID + NONCE;

/// How many bytes at the front of a sealed cell say what it is sealed with.
pub(super) const MARK: usize = 1 + ID;

/// The length of the key of fingerprints; what is longer in its place is sealed.
pub(super) const BARE_KEY: usize = 32;

/// The keys that an operator gives: the first seals, all open. Without any nothing is sealed.
#[derive(Clone, Default)]
pub struct Keys(Arc<[Key]>);

struct Key {
    id: KeyId,
    cipher: XChaCha20Poly1305,
}

impl Keys {
    /// Keys in their order.
    pub fn new(keys: &[Secret<[u8; 32]>]) -> Self {
        Self(keys.iter().map(Key::new).collect())
    }

    /// The names of them.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(|key| key.id)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Ids alone.
impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list()
            .entries(self.0.iter().map(|key| key.id))
            .finish()
    }
}

impl Key {
    fn new(key: &Secret<[u8; 32]>) -> Self {
        let digest = Sha256::new()
            .chain_update(b"catalog-broker store key")
            .chain_update(key.expose())
            .finalize();
        let mut id = [0; ID];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self {
            id: KeyId(id),
            cipher: XChaCha20Poly1305::new(key.expose().into()),
        }
    }
}

/// Seals and opens the cells of one store.
pub(super) struct Sealer {
    keys: Keys,
    terms: OnceLock<Terms>,
}

/// What the store's record makes of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Terms {
    /// Which key seals; nothing where cells are written as they are.
    seals: Option<usize>,
    /// Whether cells are opened that are not sealed.
    opens_plain: bool,
}

/// What comes of holding keys against a store's record.
#[derive(Debug)]
pub(super) struct Agreed {
    /// To be recorded before anything is written.
    pub(super) names: Vec<String>,
    terms: Terms,
}

/// As whom a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    /// As a broker, or in the place of one: what its keys will seal is recorded first.
    Broker,
    /// As a command, which seals as brokers do and records nothing.
    Command,
}

/// What a store remembers of how its cells are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    keys: Vec<KeyId>,
    plain: bool,
}

/// The names in the table of what a store remembers of itself: of a key this and its id, and that cells may be there
/// that are not sealed.
const KEY: &str = "key ";
const UNSEALED: &str = "unsealed";

impl Record {
    /// What the names in that table say.
    pub(super) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut record = Self::default();
        for name in names {
            record.plain |= name == UNSEALED;
            record
                .keys
                .extend(name.strip_prefix(KEY).and_then(KeyId::parse));
        }
        record
    }

    fn has(&self, wanted: &str) -> bool {
        wanted == UNSEALED && self.plain || self.keys.iter().any(|key| name(*key) == wanted)
    }

    /// The keys that stand in it.
    pub(super) fn into_keys(self) -> Vec<KeyId> {
        self.keys
    }

    /// What stands in it although no cell is written so: names to be forgotten, and the keys among them. `sealing` stays.
    pub(super) fn unused(
        &self,
        used: &[Option<KeyId>],
        sealing: Option<KeyId>,
    ) -> (Vec<String>, Vec<KeyId>) {
        let is_unused = |key: &KeyId| Some(*key) != sealing && !used.contains(&Some(*key));
        let keys: Vec<KeyId> = self.keys.iter().copied().filter(is_unused).collect();
        let mut names: Vec<String> = keys.iter().copied().map(name).collect();
        if self.plain && !used.contains(&None) && sealing.is_some() {
            names.push(UNSEALED.to_owned());
        }
        (names, keys)
    }
}

fn name(key: KeyId) -> String {
    format!("{KEY}{key}")
}

impl Sealer {
    pub(super) fn new(keys: &Keys) -> Self {
        Self {
            keys: keys.clone(),
            terms: OnceLock::new(),
        }
    }

    /// Holds the keys against a store's record; or the keys that are missing. A store is `fresh` as long as nothing was ever
    /// written to it.
    pub(super) fn agree(
        &self,
        record: &Record,
        opener: Opener,
        fresh: bool,
    ) -> Result<Agreed, Vec<KeyId>> {
        if let Some(missing) = self.missing(record) {
            return Err(missing);
        }
        // Whoever is the first to open one is as good as its broker.
        let opener = if fresh { Opener::Broker } else { opener };
        // One that says nothing is of a broker that knew no keys.
        let nothing_said = record.keys.is_empty() && !fresh;
        let opens_plain = record.plain || nothing_said || self.keys.is_empty();
        let seals = match opener {
            Opener::Broker => (!self.keys.is_empty()).then_some(0),
            Opener::Command => self
                .keys
                .0
                .iter()
                .position(|key| record.keys.contains(&key.id)),
        };
        let mut names = Vec::new();
        if opener == Opener::Broker {
            names.extend(self.keys.0.first().map(|key| name(key.id)));
            names.extend(opens_plain.then(|| UNSEALED.to_owned()));
        }
        names.retain(|name| !record.has(name));
        let terms = Terms { seals, opens_plain };
        Ok(Agreed { names, terms })
    }

    /// From now on cells are written and opened so: what was to be recorded is.
    pub(super) fn settle(&self, agreed: &Agreed) {
        let _ = self.terms.set(agreed.terms);
    }

    pub(super) fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The keys that a store is sealed with and that are not given, if there are any.
    pub(super) fn missing(&self, record: &Record) -> Option<Vec<KeyId>> {
        let is_given = |id: &KeyId| self.keys.0.iter().any(|key| key.id == *id);
        let missing: Vec<KeyId> = record
            .keys
            .iter()
            .copied()
            .filter(|id| !is_given(id))
            .collect();
        (!missing.is_empty()).then_some(missing)
    }

    fn terms(&self) -> Terms {
        self.terms.get().copied().unwrap_or(Terms {
            seals: (!self.keys.is_empty()).then_some(0),
            opens_plain: true,
        })
    }

    fn sealing(&self) -> Option<&Key> {
        self.terms().seals.and_then(|at| self.keys.0.get(at))
    }

    /// Whether cells are sealed that were not before.
    pub(super) fn replaces_plain(&self) -> bool {
        self.has_keys() && self.terms().opens_plain
    }

    /// The key that seals.
    pub(super) fn sealing_key(&self) -> Option<KeyId> {
        self.sealing().map(|key| key.id)
    }

    /// What the store's cells are sealed with, as an operator is told.
    pub(super) fn seal(&self) -> Seal {
        match (self.keys.0.first(), self.sealing_key()) {
            (None, _) => Seal::Nothing,
            (Some(first), Some(sealing)) if first.id == sealing => Seal::First(sealing),
            (Some(first), _) => Seal::NotFirst(first.id),
        }
    }

    /// The front of a sealed cell that the first key sealed.
    pub(super) fn mark(&self) -> Option<Vec<u8>> {
        let key = self.sealing()?;
        Some([&[SEALED], &key.id.0[..]].concat())
    }

    /// Begins a cell: what follows is its text, then [`Self::finish`].
    pub(super) fn begin(&self, bytes: &mut Vec<u8>) -> Result<(), Unreadable> {
        let Some(key) = self.sealing() else {
            bytes.push(PLAIN);
            return Ok(());
        };
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)
            .map_err(|error| Unreadable(format!("the system gave no random numbers: {error}")))?;
        bytes.push(SEALED);
        bytes.extend_from_slice(&key.id.0);
        bytes.extend_from_slice(&nonce);
        Ok(())
    }

    /// Seals the text that was written behind the front of a cell.
    pub(super) fn finish(&self, cell: Cell<'_>, bytes: &mut Vec<u8>) -> Result<(), Unreadable> {
        let Some(key) = self.sealing() else {
            return Ok(());
        };
        let too_long = |_| cell.unreadable("too long to be sealed");
        let Some((head, text)) = bytes.split_at_mut_checked(HEAD) else {
            return Err(cell.unreadable("it was never begun"));
        };
        let nonce = head.last_chunk::<NONCE>().copied().map(XNonce::from);
        let nonce = nonce.ok_or_else(|| cell.unreadable("it was never begun"))?;
        let tag = key
            .cipher
            .encrypt_inout_detached(&nonce, &cell.bound(), text.into())
            .map_err(too_long)?;
        bytes.extend_from_slice(&tag);
        Ok(())
    }

    /// Writes a text as a cell.
    pub(super) fn write(&self, cell: Cell<'_>, text: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let mut bytes = Vec::with_capacity(HEAD + text.len() + TAG);
        self.begin(&mut bytes)?;
        bytes.extend_from_slice(text);
        self.finish(cell, &mut bytes)?;
        Ok(bytes)
    }

    /// The text of a cell.
    pub(super) fn open<'b>(
        &self,
        cell: Cell<'_>,
        bytes: &'b [u8],
    ) -> Result<Cow<'b, [u8]>, Unreadable> {
        match bytes {
            [PLAIN, text @ ..] if self.terms().opens_plain => Ok(Cow::Borrowed(text)),
            [PLAIN, ..] => Err(cell
                .unreadable("not sealed, in a store where all is: whoever wrote it was no broker")),
            [SEALED, rest @ ..] => self.unseal(cell, rest).map(Cow::Owned),
            _ => Err(cell.unreadable("written in no way that this broker knows")),
        }
    }

    fn unseal(&self, cell: Cell<'_>, bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let cut_off = || cell.unreadable("cut off");
        let (id, bytes) = bytes.split_first_chunk::<ID>().ok_or_else(cut_off)?;
        let (nonce, bytes) = bytes.split_first_chunk::<NONCE>().ok_or_else(cut_off)?;
        let (text, tag) = bytes.split_last_chunk::<TAG>().ok_or_else(cut_off)?;
        let id = KeyId(*id);
        let key = self.keys.0.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| {
            cell.unreadable(format_args!(
                "sealed with key {id}, which is not given (store.keys)"
            ))
        })?;
        let mut text = text.to_vec();
        key.cipher
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                &cell.bound(),
                text.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| {
                cell.unreadable(format_args!(
                    "changed or moved since it was sealed with key {id}"
                ))
            })?;
        Ok(text)
    }

    /// The same cell, sealed anew.
    pub(super) fn reseal(&self, cell: Cell<'_>, bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
        self.write(cell, &self.open(cell, bytes)?)
    }

    /// The key of fingerprints as it is stored: where nothing is sealed, bare.
    pub(super) fn write_key(&self, key: &Secret<[u8; BARE_KEY]>) -> Result<Vec<u8>, Unreadable> {
        if self.sealing().is_none() {
            return Ok(key.expose().to_vec());
        }
        self.write(Cell::Fingerprints, key.expose())
    }

    /// The key of fingerprints, as it was stored.
    pub(super) fn open_key(&self, bytes: &[u8]) -> Result<Secret<[u8; BARE_KEY]>, Unreadable> {
        let cell = Cell::Fingerprints;
        let opened = match bytes.len() {
            BARE_KEY if self.terms().opens_plain => Cow::Borrowed(bytes),
            _ => self.open(cell, bytes)?,
        };
        let key = <[u8; BARE_KEY]>::try_from(&*opened);
        key.map(Secret::new)
            .map_err(|_| cell.unreadable("not 32 bytes long"))
    }
}

/// What an operator is told whose store is sealed with keys that are not given.
pub(super) fn lacking(missing: &[KeyId]) -> String {
    let ids: Vec<String> = missing.iter().map(ToString::to_string).collect();
    format!(
        "it is sealed with {} that {} not given, {}: give store.keys (BROKER_STORE__KEYS) all that it was sealed with; the \
         first seals",
        if ids.len() == 1 { "a key" } else { "keys" },
        if ids.len() == 1 { "is" } else { "are" },
        ids.join(", ")
    )
}

/// What the front of a cell says it is sealed with; nothing where it is not.
pub(super) fn sealed_with(mark: &[u8]) -> Option<KeyId> {
    match mark {
        [SEALED, id @ ..] => id.first_chunk().map(|id| KeyId(*id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
