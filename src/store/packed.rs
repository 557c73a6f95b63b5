//! What goes into the columns that nobody reads from outside (`details`, `report`, `task`): a byte that says how it is
//! written, then the JSON. All engines write the same bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::secret::Secret;

/// How it is written: as it is.
const PLAIN: u8 = 0;

/// What cannot be packed or unpacked; a word for the log, never the value.
#[derive(Debug)]
pub(super) struct Unreadable(pub(super) &'static str);

pub(super) fn pack<T: Serialize>(value: &Secret<T>) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = vec![PLAIN];
    serde_json::to_writer(&mut bytes, value.expose()).map_err(|_| Unreadable("details"))?;
    Ok(bytes)
}

pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<Secret<T>, Unreadable> {
    match bytes {
        [PLAIN, json @ ..] => serde_json::from_slice(json)
            .map(Secret::new)
            .map_err(|_| Unreadable("details")),
        _ => Err(Unreadable("scheme of details")),
    }
}
