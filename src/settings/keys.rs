//! The keys that the store is sealed with. No error repeats one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::environment::contents;
use super::error::Refused;
use super::merged::Merged;
use super::table::KEYS;
use crate::document::Sources;
use crate::secret::Secret;

/// What an entry begins with that names a file.
const FILE: &str = "file:";

/// All keys in their order; absent where one is wrong.
pub(super) fn read(merged: &mut Merged, sources: &Sources) -> Option<Vec<Secret<[u8; 32]>>> {
    let mut keys = Vec::new();
    let mut refused = Vec::new();
    for (number, text) in (1..).zip(merged.texts(KEYS)) {
        match key(number, &text, sources) {
            Ok(key) => keys.push(key),
            Err(why) => refused.push(why),
        }
    }
    let all_well = refused.is_empty();
    for why in refused {
        merged.refuse(KEYS, why);
    }
    all_well.then_some(keys)
}

fn key(number: usize, text: &str, sources: &Sources) -> Result<Secret<[u8; 32]>, Refused> {
    let text = match text.strip_prefix(FILE) {
        Some(path) => Secret::new(contents(path, sources)?),
        None => Secret::new(text.to_owned()),
    };
    let bytes = STANDARD.decode(text.expose().trim()).ok();
    let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    key.map(Secret::new).ok_or_else(|| {
        Refused::new(
            format!("number {number} is no key, which is 32 bytes in base64"),
            "give file:/path, or the key itself; `openssl rand -base64 32` makes one",
        )
    })
}
