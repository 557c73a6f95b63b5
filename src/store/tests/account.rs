//! The account of changes, on each engine: rows in one chain, found by instance and by place, the oldest taken away.

use std::sync::{Arc, Mutex};

use super::engines::{self, Engine};
use crate::domain::account::{AccountRow, Chain, Farewell, RowQuery, Way};
use crate::domain::ledger::Ledger;
use crate::domain::time::Timestamp;

engines::contract! {
    rows_are_added_behind_the_last_one_and_found,
    what_is_added_at_once_makes_one_chain,
    what_was_in_doubt_is_looked_for,
    the_oldest_rows_go_and_never_the_last,
}

/// Makes so many rows behind the last one; what it was asked is noted.
struct Rows {
    count: u64,
    instance: &'static str,
    at: i64,
    doubt: Option<AccountRow>,
    asked: Mutex<Vec<(Option<u64>, bool)>>,
}

impl Rows {
    fn new(count: u64, instance: &'static str, at: i64) -> Self {
        Self {
            count,
            instance,
            at,
            doubt: None,
            asked: Mutex::default(),
        }
    }
}

fn row(seq: u64, instance: &str, at: i64) -> AccountRow {
    AccountRow {
        seq,
        at: Timestamp(at),
        instance: (!instance.is_empty()).then(|| instance.to_owned()),
        line: format!("line {seq} 'of' {instance}"),
    }
}

impl Chain for Rows {
    fn doubt(&self) -> Option<&AccountRow> {
        self.doubt.as_ref()
    }

    fn rows(&self, last: Option<&AccountRow>, stands: bool) -> Vec<AccountRow> {
        let last = last.map(|row| row.seq);
        self.asked.lock().expect("a list").push((last, stands));
        let first = last.unwrap_or(0) + 1;
        (first..first + self.count)
            .map(|seq| row(seq, self.instance, self.at))
            .collect()
    }
}

impl Farewell for Rows {
    fn row(&self, last: &AccountRow, gone: &AccountRow, count: u64) -> AccountRow {
        let line = format!("{count} up to {}", gone.seq);
        AccountRow {
            line,
            ..row(last.seq + 1, "", self.at)
        }
    }
}

async fn added(ledger: &dyn Ledger, count: u64, instance: &'static str, at: i64) {
    let added = ledger.add(Arc::new(Rows::new(count, instance, at)));
    added.await.expect("an answer");
}

async fn seqs(ledger: &dyn Ledger, instance: Option<&str>, way: Way, most: u32) -> Vec<u64> {
    let query = RowQuery {
        instance: instance.map(str::to_owned),
        way,
        most,
    };
    let rows = ledger.rows(query).await.expect("an answer");
    rows.iter().map(|row| row.seq).collect()
}

async fn rows_are_added_behind_the_last_one_and_found(engine: &dyn Engine) {
    let ledger = &*engine.open();
    added(ledger, 0, "", 1).await;
    added(ledger, 2, "i", 1).await;
    added(ledger, 1, "", 2).await;
    added(ledger, 700, "j", 3).await;
    added(ledger, 1, "i", 4).await;
    ledger.settle().await.expect("on disk");
    let way = Way::Newest;
    assert_eq!(seqs(ledger, None, way, 3).await, [704, 703, 702]);
    assert_eq!(seqs(ledger, Some("i"), way, 9).await, [704, 2, 1]);
    assert_eq!(seqs(ledger, Some("i"), Way::Before(704), 1).await, [2]);
    assert_eq!(seqs(ledger, Some("none"), way, 9).await, [0; 0]);
    assert_eq!(seqs(ledger, None, Way::Behind(0), 4).await, [1, 2, 3, 4]);
    assert_eq!(seqs(ledger, None, Way::Behind(703), 4).await, [704]);
    let rows = ledger.rows(RowQuery {
        way: Way::Behind(1),
        most: 2,
        ..RowQuery::default()
    });
    assert_eq!(
        rows.await.expect("an answer"),
        [row(2, "i", 1), row(3, "", 2)]
    );
    // What another store had goes in as it is, and once.
    let taken = ledger.take_over(vec![row(900, "k", 9)]).await;
    taken.expect("an answer");
    assert!(ledger.take_over(vec![row(900, "k", 9)]).await.is_err());
    added(ledger, 1, "", 10).await;
    assert_eq!(seqs(ledger, None, way, 2).await, [901, 900]);
}

async fn what_is_added_at_once_makes_one_chain(engine: &dyn Engine) {
    let one = engine.open();
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let ledger = Arc::clone(&one);
            tokio::spawn(async move { ledger.add(Arc::new(Rows::new(5, "i", 1))).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("its end").expect("an answer");
    }
    let expected: Vec<u64> = (1..=200).collect();
    assert_eq!(seqs(&*one, None, Way::Behind(0), 999).await, expected);
}

async fn what_was_in_doubt_is_looked_for(engine: &dyn Engine) {
    let ledger = &*engine.open();
    added(ledger, 3, "i", 1).await;
    for (doubt, stands) in [
        (row(2, "i", 1), true),
        (row(2, "j", 1), false),
        (row(9, "i", 1), false),
    ] {
        let chain = Arc::new(Rows {
            doubt: Some(doubt),
            ..Rows::new(0, "", 1)
        });
        let adding = ledger.add(Arc::clone(&chain) as Arc<dyn Chain>);
        adding.await.expect("an answer");
        let asked = chain.asked.lock().expect("a list").clone();
        assert_eq!(asked.last(), Some(&(Some(3), stands)));
    }
}

async fn the_oldest_rows_go_and_never_the_last(engine: &dyn Engine) {
    let ledger = &*engine.open();
    let forget = async |before: i64, most: u32| {
        let farewell: Arc<dyn Farewell> = Arc::new(Rows::new(0, "", 50));
        let gone = ledger.forget_rows(Timestamp(before), most, farewell);
        gone.await.expect("an answer")
    };
    assert_eq!(forget(100, 10).await, 0);
    added(ledger, 3, "i", 10).await;
    added(ledger, 1, "i", 30).await;
    // The clock of another one is behind: what it wrote later stays as long as what stands before it.
    added(ledger, 2, "i", 20).await;
    assert_eq!(forget(10, 10).await, 0);
    assert_eq!(forget(25, 2).await, 2);
    assert_eq!(seqs(ledger, None, Way::Newest, 99).await, [7, 6, 5, 4, 3]);
    assert_eq!(forget(25, 10).await, 1);
    assert_eq!(forget(25, 10).await, 0, "row 4 is not that old");
    assert_eq!(forget(45, 10).await, 3);
    assert_eq!(seqs(ledger, None, Way::Newest, 99).await, [9, 8, 7]);
    assert_eq!(forget(99, 10).await, 2);
    let rows = ledger.rows(RowQuery {
        most: 9,
        ..RowQuery::default()
    });
    let lines = rows.await.expect("an answer");
    let lines: Vec<&str> = lines.iter().map(|row| row.line.as_str()).collect();
    assert_eq!(lines, ["2 up to 8", "3 up to 6"]);
}
