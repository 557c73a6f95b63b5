//! Entries of pools: each is free or held by one, at every moment and in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// How many entries each pool has: fewer than there are clients, so that some find nothing.
pub const SEATS: usize = 3;
pub const ROOMS: usize = 2;

/// Who has something: an instance, or a binding of it.
pub type Holder = (String, Option<String>);

/// Who has which entry, as far as clients know: an entry is theirs from the answer that gives it to the request that gives
/// it back.
#[derive(Default)]
pub struct Holders(Mutex<BTreeMap<String, Holder>>);

impl Holders {
    /// Somebody was told that an entry is theirs.
    pub fn has(&self, entry: &str, holder: &Holder) -> Result<(), String> {
        let mut holders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = holders
            .entry(entry.to_owned())
            .or_insert_with(|| holder.clone());
        if known == holder {
            return Ok(());
        }
        Err(format!("{entry} is held by {known:?}, and by {holder:?}"))
    }

    /// An instance, or a binding of it, is about to go, and with an instance its bindings.
    pub fn goes(&self, gone: &Holder) {
        let mut holders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        holders.retain(|_, (instance, binding)| {
            *instance != gone.0 || gone.1.is_some() && *binding != gone.1
        });
    }
}

/// Which pool an entry belongs to is the beginning of its name.
pub fn pool_of(entry: &str) -> &str {
    entry.split('-').next().unwrap_or_default()
}

/// All that is wrong with what is lent in the end: what the store says is lent, by pool and entry; who should have one; and
/// what the broker says who has.
pub fn judge(
    lent: &[(String, String, Holder)],
    entitled: &BTreeSet<Holder>,
    shown: &BTreeMap<Holder, String>,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut has: BTreeMap<&Holder, &str> = BTreeMap::new();
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    for (pool, entry, holder) in lent {
        if pool_of(entry) != pool.trim_end_matches('s') {
            faults.push(format!("{entry} is no entry of {pool}"));
        }
        if !taken.insert(entry) {
            faults.push(format!("{entry} is lent twice"));
        }
        if !entitled.contains(holder) {
            faults.push(format!("{entry} is lent to {holder:?}, which is not there"));
        }
        if let Some(other) = has.insert(holder, entry) {
            faults.push(format!("{holder:?} has {entry} and {other}"));
        }
    }
    for holder in entitled {
        if !has.contains_key(holder) {
            faults.push(format!("{holder:?} has no entry"));
        }
    }
    for (holder, entry) in shown {
        if has.get(holder) != Some(&entry.as_str()) {
            let lent = has.get(holder);
            faults.push(format!(
                "{holder:?} says it has {entry}, and was lent {lent:?}"
            ));
        }
    }
    faults
}

#[cfg(test)]
mod counterproofs {
    use super::*;

    fn holder(instance: &str, binding: &str) -> Holder {
        (
            instance.to_owned(),
            (!binding.is_empty()).then(|| binding.to_owned()),
        )
    }

    fn lent(entry: &str, to: Holder) -> (String, String, Holder) {
        (format!("{}s", pool_of(entry)), entry.to_owned(), to)
    }

    #[test]
    fn an_entry_that_is_held_twice_or_by_nobody_is_told() {
        let good = || {
            vec![
                lent("seat-1", holder("i", "a")),
                lent("room-1", holder("j", "")),
            ]
        };
        let entitled = || BTreeSet::from([holder("i", "a"), holder("j", "")]);
        let shown = || BTreeMap::from([(holder("i", "a"), "seat-1".to_owned())]);
        assert_eq!(judge(&good(), &entitled(), &shown()), Vec::<String>::new());
        let told = |faults: Vec<String>, what: &str| {
            assert!(
                faults.iter().any(|fault| fault.contains(what)),
                "{what}: {faults:?}"
            );
        };
        let mut twice = good();
        twice.push(lent("seat-1", holder("k", "a")));
        let mut all = entitled();
        all.insert(holder("k", "a"));
        told(judge(&twice, &all, &shown()), "seat-1 is lent twice");
        let mut lost = good();
        lost.push(lent("seat-2", holder("gone", "a")));
        told(judge(&lost, &entitled(), &shown()), "which is not there");
        told(judge(&good()[1..], &entitled(), &shown()), "has no entry");
        let mut two = good();
        two.push(lent("seat-2", holder("i", "a")));
        told(judge(&two, &entitled(), &shown()), "has seat-2 and seat-1");
        let mut other = shown();
        other.insert(holder("i", "a"), "seat-3".to_owned());
        told(judge(&good(), &entitled(), &other), "says it has seat-3");
        let mut strange = good();
        strange[0].0 = "rooms".to_owned();
        told(judge(&strange, &entitled(), &shown()), "no entry of rooms");
    }

    #[test]
    fn an_entry_has_one_holder_at_a_time() {
        let holders = Holders::default();
        let (one, other) = (holder("i", "a"), holder("k", "a"));
        assert_eq!(holders.has("seat-1", &one), Ok(()));
        assert_eq!(holders.has("seat-1", &one), Ok(()));
        assert!(holders.has("seat-1", &other).is_err());
        holders.goes(&holder("i", "b"));
        assert!(holders.has("seat-1", &other).is_err());
        holders.goes(&one);
        assert_eq!(holders.has("seat-1", &other), Ok(()));
        holders.goes(&holder("k", ""));
        assert_eq!(holders.has("seat-1", &one), Ok(()));
    }
}
