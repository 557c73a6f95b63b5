//! What a person looks for: instances by any id, operations page by page, and how much there is.

use super::engines::{self, Engine};
use super::jobs::begin;
use super::{id, ledger};
use crate::domain::id::{BindingId, OperationId};
use crate::domain::ledger::{Counts, InstanceQuery, OperationQuery};
use crate::domain::store::Act;
use crate::domain::time::Timestamp;

engines::contract! {
    instances_are_found_by_any_id,
    operations_are_gone_through_page_by_page,
    a_census_is_a_count_without_what_lies_in_cells,
}

async fn instances_are_found_by_any_id(engine: &dyn Engine) {
    let store = &*engine.open();
    for (name, organization, space) in [
        ("aa-1", "o1", "s1"),
        ("aa-2", "o1", "s2"),
        ("ä%_", "o2", "s2"),
    ] {
        let mut change = super::provision(name);
        if let Act::Provision { instance, .. } = &mut change.act {
            organization.clone_into(&mut instance.organization);
            space.clone_into(&mut instance.space);
        }
        begin(store, change).await;
    }
    for (of, name, app) in [
        ("aa-2", "b1", Some("app-1")),
        ("ä%_", "b2", Some("app-1")),
        ("ä%_", "b3", None),
    ] {
        let mut change = super::bind(of, name, 1);
        if let Act::Bind { binding, .. } = &mut change.act {
            binding.app_guid = app.map(str::to_owned);
        }
        begin(store, change).await;
    }
    let some = |text: &str| Some(text.to_owned());
    let of = |any: Option<String>, space, app| InstanceQuery {
        any,
        space,
        app,
        most: 10,
        ..InstanceQuery::default()
    };
    for (query, expected) in [
        (of(some("aa"), None, None), &["aa-1", "aa-2"][..]),
        (of(some("aa-2"), None, None), &["aa-2"]),
        (of(some("a-2"), None, None), &[]),
        (of(some("ä"), None, None), &["ä%_"]),
        (of(some("%"), None, None), &[]),
        (of(some("o1"), None, None), &["aa-1", "aa-2"]),
        (of(some("s2"), None, None), &["aa-2", "ä%_"]),
        (of(some("b3"), None, None), &["ä%_"]),
        (of(some("app-1"), None, None), &["aa-2", "ä%_"]),
        (of(some("app"), None, None), &[]),
        (of(some("\0"), None, None), &[]),
        (of(None, some("s2"), None), &["aa-2", "ä%_"]),
        (of(None, None, some("app-1")), &["aa-2", "ä%_"]),
        (of(some("o1"), some("s2"), some("app-1")), &["aa-2"]),
        (of(some("o2"), some("s1"), None), &[]),
    ] {
        let found = store.list_instances(query.clone()).await;
        let found = found.expect("an answer");
        let names: Vec<&str> = found.iter().map(|found| found.id.as_str()).collect();
        assert_eq!(names, expected, "{query:?}");
    }
}

/// Each once, those of one moment and one operation too.
async fn operations_are_gone_through_page_by_page(engine: &dyn Engine) {
    let store = &*engine.open();
    for (name, at) in [("a", 5), ("b", 7), ("c", 7), ("d", 7), ("e", 9)] {
        let mut change = super::provision(name);
        change.operation.started_at = Timestamp(at);
        begin(store, change).await;
    }
    for name in ["x", "y", "z"] {
        begin(store, super::bind("c", name, 1)).await;
    }
    begin(store, super::deprovision("c", 1)).await;
    let all = OperationQuery {
        most: 100,
        ..OperationQuery::default()
    };
    let told = |entry: &crate::domain::ledger::Entry| {
        let operation = &entry.operation;
        let binding = operation.subject.binding().cloned();
        (operation.started_at, operation.id.clone(), binding)
    };
    let expected: Vec<(Timestamp, OperationId, Option<BindingId>)> = store
        .list_operations(all)
        .await
        .expect("an answer")
        .iter()
        .map(told)
        .collect();
    assert!(expected.len() > 9, "{expected:?}");
    for most in 1..4 {
        let mut seen = Vec::new();
        loop {
            let query = OperationQuery {
                after: seen.last().cloned(),
                most,
                ..OperationQuery::default()
            };
            let page = store.list_operations(query).await.expect("an answer");
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(told));
        }
        assert_eq!(seen, expected, "{most} at a time");
    }
}

async fn a_census_is_a_count_without_what_lies_in_cells(engine: &dyn Engine) {
    let store = &*engine.open();
    ledger::fill(store).await;
    let counts = store.counts().await.expect("an answer");
    let census = store.census().await.expect("an answer");
    assert!(!census.is_empty() && census.oldest.is_some());
    let expected = Counts {
        sealed: Vec::new(),
        bytes: None,
        ..counts
    };
    assert_eq!(census, expected);
    assert!(store.instance(id("a")).await.is_ok());
}
