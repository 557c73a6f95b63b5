//! A store says by itself which keys its cells may be sealed with.

use super::engines::{self, Engine};
use crate::domain::ledger::Seal;

engines::contract! {
    the_keys_that_it_is_sealed_with_are_named,
}

async fn the_keys_that_it_is_sealed_with_are_named(engine: &dyn Engine) {
    let store = engine.open();
    let expected = match store.seal() {
        Seal::Nothing => Vec::new(),
        Seal::First(key) => vec![key],
        Seal::NotFirst(key) => panic!("{key} is not in front"),
    };
    assert_eq!(store.sealed_with().await.expect("its keys"), expected);
    store.close().await.expect("an end");
}
