//! What has ended is left to one at a time, and rests.

use std::time::Duration;

use super::engines::{self, Engine};
use super::jobs::queued;
use super::{began, bind, id, provision, unbind};
use crate::domain::expiry::Ends;
use crate::domain::ledger::Ledger;
use crate::domain::store::{Act, Change, Claim};
use crate::domain::time::Timestamp;

engines::contract! {
    what_has_ended_is_claimed_once_and_rests,
    what_was_not_told_is_claimed_where_that_is_asked_for,
    what_is_in_progress_or_gone_is_not_claimed,
    of_many_that_claim_at_once_each_gets_others,
}

fn ending(name: &str, expires_at: i64, told: bool) -> Change {
    let mut change = bind("i", name, 1);
    if let Act::Bind { binding, .. } = &mut change.act {
        let mut details = std::mem::take(&mut binding.details).into_exposed();
        details.ends = Some(Ends {
            expires_at: Timestamp(expires_at),
            renew_before: None,
            told,
        });
        binding.details = crate::secret::Secret::new(details);
    }
    change
}

async fn claimed(store: &dyn Ledger, by: i64, untold: bool, most: u32) -> Vec<String> {
    let claim = Claim {
        by: Timestamp(by),
        untold,
        most,
        rests: (Duration::from_millis(60), Duration::from_millis(500)),
    };
    let claimed = store.claim_expired(claim).await.expect("an answer");
    let mut names: Vec<String> = claimed
        .into_iter()
        .map(|(instance, binding)| {
            assert_eq!(instance, id("i"));
            binding.to_string()
        })
        .collect();
    names.sort();
    names
}

async fn what_has_ended_is_claimed_once_and_rests(engine: &dyn Engine) {
    let store = engine.open();
    let store = &*store;
    assert_eq!(began(store, provision("i")).await, "done");
    for (name, end) in [("a", 1000), ("b", 1001), ("c", 2000)] {
        assert_eq!(began(store, ending(name, end, true)).await, "done");
    }
    assert_eq!(began(store, bind("i", "endless", 1)).await, "done");
    let none: Vec<String> = vec![];
    assert_eq!(claimed(store, 999, false, 9).await, none);
    // Those that were to go first go first, no more than were asked for, and each once.
    assert_eq!(claimed(store, 1001, false, 1).await, ["a"]);
    assert_eq!(claimed(store, 1001, false, 9).await, ["b"]);
    assert_eq!(claimed(store, 1001, false, 9).await, none);
    // The first rests at least so long, and each time twice as long, up to a longest rest.
    for (by, expected) in [
        (1060, vec![]),
        (1061, vec!["a", "b"]),
        (1120, vec![]),
        (1122, vec!["a", "b"]),
        (1242, vec![]),
        (1244, vec!["a", "b"]),
        (1488, vec!["a", "b"]),
        // From here on it is the longest rest.
        (1974, vec![]),
        (1988, vec!["a", "b"]),
        (2487, vec!["c"]),
        (2488, vec!["a", "b"]),
    ] {
        assert_eq!(claimed(store, by, false, 9).await, expected, "{by}");
    }
}

async fn what_was_not_told_is_claimed_where_that_is_asked_for(engine: &dyn Engine) {
    let store = engine.open();
    let store = &*store;
    assert_eq!(began(store, provision("i")).await, "done");
    for (name, told) in [("old", false), ("new", true)] {
        assert_eq!(began(store, ending(name, 1000, told)).await, "done");
    }
    assert_eq!(claimed(store, 1000, false, 9).await, ["new"]);
    assert_eq!(claimed(store, 1000, true, 9).await, ["old"]);
    assert_eq!(claimed(store, 1060, true, 9).await, ["new", "old"]);
}

async fn what_is_in_progress_or_gone_is_not_claimed(engine: &dyn Engine) {
    let store = engine.open();
    let store = &*store;
    assert_eq!(began(store, provision("i")).await, "done");
    for name in ["goes", "gone", "stays"] {
        assert_eq!(began(store, ending(name, 1000, true)).await, "done");
    }
    assert_eq!(
        began(store, queued(unbind("i", "goes"), "b", 900)).await,
        "done"
    );
    assert_eq!(began(store, unbind("i", "gone")).await, "done");
    assert_eq!(claimed(store, 1000, false, 9).await, ["stays"]);
    // What takes the place of one that is gone ends when it says itself.
    assert_eq!(began(store, ending("gone", 5000, true)).await, "done");
    assert_eq!(claimed(store, 4999, false, 9).await, ["stays"]);
    assert_eq!(claimed(store, 5000, false, 9).await, ["gone"]);
}

async fn of_many_that_claim_at_once_each_gets_others(engine: &dyn Engine) {
    let store = engine.open();
    assert_eq!(began(&*store, provision("i")).await, "done");
    let names: Vec<String> = (0..30).map(|at| format!("b{at:02}")).collect();
    for name in &names {
        assert_eq!(began(&*store, ending(name, 1000, true)).await, "done");
    }
    let one = || claimed(&*store, 1000, false, 5);
    let (first, second, third, fourth) = tokio::join!(one(), one(), one(), one());
    let mut all = [first, second, third, fourth].concat();
    // Who passes over what another one is just claiming may get less than it could.
    while let more = one().await
        && !more.is_empty()
    {
        all.extend(more);
    }
    all.sort();
    assert_eq!(all, names, "each once");
}
