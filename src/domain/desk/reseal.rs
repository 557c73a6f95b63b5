//! All cells of a state, sealed anew with the first key, while brokers serve it.

use super::{Desk, DeskError};
use crate::domain::ledger::{Kept, KeyId, Place, Seal};

/// How many rows go at once: what others wait for, if they do.
const ROWS: u32 = 100;

/// Most times that all is gone through, for what others were just changing. They seal anew themselves what they change.
const PASSES: u32 = 20;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resealing {
    /// The key that all is sealed with now.
    pub key: KeyId,
    /// How many cells were sealed anew.
    pub cells: u64,
    /// What is needed still, and what is not any more.
    pub kept: Kept,
}

impl Resealing {
    /// How many cells are not sealed with the key that all should be.
    pub fn left(&self) -> u64 {
        let others = self.kept.sealed.iter();
        others
            .filter(|sealed| sealed.key != Some(self.key))
            .map(|sealed| sealed.cells)
            .sum()
    }
}

impl Desk {
    /// Seals anew all that is not sealed with the first key, and forgets the keys that nothing is sealed with any more.
    pub async fn reseal(&self) -> Result<Resealing, DeskError> {
        let key = match self.ledger.seal() {
            Seal::First(key) => key,
            Seal::Nothing => return Err(DeskError::NoKeys),
            Seal::NotFirst(key) => return Err(DeskError::KeyNotServed(key)),
        };
        let mut cells = 0;
        for _ in 0..PASSES {
            let (sealed, all) = self.pass().await?;
            cells += sealed;
            if all {
                break;
            }
        }
        let kept = self.ledger.forget_keys().await?;
        Ok(Resealing { key, cells, kept })
    }

    /// Goes through all once: how many cells were sealed anew, and whether none was passed over.
    async fn pass(&self) -> Result<(u64, bool), DeskError> {
        let (mut cells, mut all) = (0, true);
        let mut next = Some(Place::Start);
        while let Some(from) = next {
            let resealed = self.ledger.reseal(from, ROWS).await?;
            cells += resealed.cells;
            all &= resealed.all;
            next = resealed.next;
        }
        Ok((cells, all))
    }
}
