//! What goes into the columns that nobody reads from outside (`details`, `report`, `task`): JSON, sealed or as it is
//! ([`super::seal`]). All engines write the same bytes.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::seal::{Cell, Sealer};
use crate::secret::Secret;

/// What cannot be packed or unpacked; words for the log, never the value.
#[derive(Debug)]
pub(super) struct Unreadable(pub(super) String);

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

pub(super) fn pack<T: Serialize>(
    sealer: &Sealer,
    cell: Cell<'_>,
    value: &Secret<T>,
) -> Result<Vec<u8>, Unreadable> {
    // Most fit in, so that it need not grow piece by piece.
    let mut bytes = Vec::with_capacity(1024);
    sealer.begin(&mut bytes)?;
    serde_json::to_writer(&mut bytes, value.expose())
        .map_err(|_| cell.unreadable("it cannot be written as JSON"))?;
    sealer.finish(cell, &mut bytes)?;
    Ok(bytes)
}

pub(super) fn unpack<T: DeserializeOwned>(
    sealer: &Sealer,
    cell: Cell<'_>,
    bytes: &[u8],
) -> Result<Secret<T>, Unreadable> {
    let json = sealer.open(cell, bytes)?;
    serde_json::from_slice(&json)
        .map(Secret::new)
        .map_err(|_| cell.unreadable("not what this broker writes"))
}
