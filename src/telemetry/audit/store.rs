//! The store as the place of a chain: one for all brokers that share it, and for the commands beside them.
//!
//! What stands last is read where nobody else can add meanwhile, so each adds behind the others. A try of which nobody knows
//! what came of it is looked for by the next one, so that no line is there twice.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use serde::Deserialize;

use super::chain::{Chained, Link, hash, text};
use super::line::Entry;
use super::lines::Lines;
use crate::domain::account::{AccountRow, Accounts, Chain, Farewell};
use crate::domain::store::StoreError;
use crate::domain::time::{Clock, Timestamp};

/// How many lines are taken away at once.
const GONE_AT_ONCE: u32 = 1_000;

pub(super) struct StoreChain {
    store: Arc<dyn Accounts>,
    clock: Clock,
    /// How long lines stay; nothing where they do for ever.
    keep: Option<Duration>,
    /// The chain as this process left it.
    link: Option<Link>,
    /// How many of the lines that wait are known to be there: those of a try whose answer was lost.
    there: usize,
    /// The first row of a try that may have been written or not, and how many of the lines that wait are there if it was.
    doubt: Option<(AccountRow, usize)>,
}

impl StoreChain {
    pub(super) const fn new(
        store: Arc<dyn Accounts>,
        keep: Option<Duration>,
        clock: Clock,
    ) -> Self {
        Self {
            store,
            clock,
            keep,
            link: None,
            there: 0,
            doubt: None,
        }
    }

    /// Adds lines: all of them, or none. After an error the same ones come first the next time.
    pub(super) fn append(&mut self, entries: &Lines) -> io::Result<()> {
        let adding = Arc::new(Adding {
            entries: entries.clone(),
            there: self.there,
            doubt: self.doubt.clone(),
            mine: self.link,
            now: (self.clock)(),
            made: Mutex::new(None),
        });
        let done = wait(self.store.add(Arc::clone(&adding) as Arc<dyn Chain>));
        let mut made = adding.made.lock().unwrap_or_else(PoisonError::into_inner);
        match (done, made.take()) {
            (Ok(()), made) => {
                self.there = 0;
                self.doubt = None;
                self.link = made.map_or(self.link, |made| Some(made.link));
                Ok(())
            }
            (Err(why), made) => {
                // Where it did not come to making rows, what was in doubt still is.
                if let Some(made) = made {
                    self.there = made.there;
                    self.doubt = made.first.map(|first| (first, entries.len()));
                }
                Err(trouble(&why))
            }
        }
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        wait(self.store.settle()).map_err(|why| trouble(&why))
    }

    /// Takes away what is older than lines stay, and has a line say so.
    pub(super) fn forget(&self) -> io::Result<()> {
        let Some(keep) = self.keep else {
            return Ok(());
        };
        let now = (self.clock)();
        let farewell: Arc<dyn Farewell> = Arc::new(Swept { now });
        loop {
            let gone =
                self.store
                    .forget_rows(now.earlier(keep), GONE_AT_ONCE, Arc::clone(&farewell));
            let gone = wait(gone).map_err(|why| trouble(&why))?;
            if gone < u64::from(GONE_AT_ONCE) {
                return Ok(());
            }
        }
    }
}

/// The reason is in the log, for who looks after the broker.
fn trouble(why: &StoreError) -> io::Error {
    io::Error::other(why.to_string())
}

/// Lines that are to be added.
struct Adding {
    entries: Lines,
    /// How many of them are there, and how many if the row in doubt is.
    there: usize,
    doubt: Option<(AccountRow, usize)>,
    mine: Option<Link>,
    now: Timestamp,
    made: Mutex<Option<Made>>,
}

/// What the latest try made.
#[derive(Clone)]
struct Made {
    first: Option<AccountRow>,
    link: Link,
    /// How many lines were there already.
    there: usize,
}

impl Chain for Adding {
    fn doubt(&self) -> Option<&AccountRow> {
        self.doubt.as_ref().map(|(row, _)| row)
    }

    fn rows(&self, last: Option<&AccountRow>, stands: bool) -> Vec<AccountRow> {
        let sent = self.doubt.as_ref().filter(|_| stands);
        let there = sent.map_or(self.there, |(_, sent)| *sent);
        let entries = self.entries.iter().skip(there);
        let mut link = behind(last, self.mine);
        let rows: Vec<AccountRow> = entries
            .map(|entry| row(&mut link, entry, self.now))
            .collect();
        let made = Made {
            first: rows.first().cloned(),
            link,
            there,
        };
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        rows
    }
}

/// Where the chain goes on. Rows that were cut off behind what this process wrote show by the next number.
fn behind(last: Option<&AccountRow>, mine: Option<Link>) -> Link {
    let last = last.map_or(Link::START, link_of);
    mine.filter(|mine| mine.seq > last.seq).unwrap_or(last)
}

/// Behind a row that is no line the chain goes on all the same, and breaks there for who verifies it.
fn link_of(row: &AccountRow) -> Link {
    let read = Chained::read(row.line.as_bytes());
    Link {
        seq: row.seq,
        hash: read.map_or_else(|| hash(row.line.as_bytes()), |read| read.hash),
    }
}

fn row(link: &mut Link, entry: &str, at: Timestamp) -> AccountRow {
    let mut chained = Vec::new();
    link.add(entry, &mut chained);
    chained.pop();
    AccountRow {
        seq: link.seq,
        at,
        instance: named(entry),
        // It is made of text.
        line: String::from_utf8_lossy(&chained).into_owned(),
    }
}

/// The instance that a line names, as all stores can keep it.
pub(super) fn named(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        instance: Option<String>,
    }
    let named = serde_json::from_str::<Named>(line).ok()?.instance?;
    Some(named.replace('\0', "\u{FFFD}"))
}

/// Says which rows are gone.
struct Swept {
    now: Timestamp,
}

impl Farewell for Swept {
    fn row(&self, last: &AccountRow, gone: &AccountRow, count: u64) -> AccountRow {
        let entry = Entry::new(self.now, "swept")
            .number("lines", Some(count))
            .text("after", Some(&text(&link_of(gone).hash)));
        row(&mut link_of(last), &entry.json(), self.now)
    }
}

/// Waits for a store on this thread, which has nothing else to do.
fn wait<T>(work: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut work = pin!(work);
    loop {
        match work.as_mut().poll(&mut context) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::super::verify::Verifier;
    use super::*;
    use crate::domain::account::RowQuery;
    use crate::domain::store::Answer;

    /// Rows in memory. What comes of the next tries is said beforehand.
    #[derive(Default)]
    struct Rows {
        rows: Mutex<Vec<AccountRow>>,
        next: Mutex<Vec<Comes>>,
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Comes {
        /// It is done.
        Well,
        /// The store is away.
        Away,
        /// Rows were made, and not written.
        NotWritten,
        /// They were written, and nobody heard of it.
        AnswerLost,
    }

    impl Accounts for Rows {
        fn add(&self, chain: Arc<dyn Chain>) -> Answer<'_, ()> {
            let comes = self.next.lock().expect("a list").pop();
            let comes = comes.unwrap_or(Comes::Well);
            if comes != Comes::Away {
                let mut rows = self.rows.lock().expect("rows");
                let doubt = chain.doubt();
                let stands = doubt.is_some_and(|doubt| rows.contains(doubt));
                let new = chain.rows(rows.last(), stands);
                if comes != Comes::NotWritten {
                    rows.extend(new);
                }
            }
            let lost = StoreError::Unavailable("gone".to_owned());
            let well = comes == Comes::Well;
            Box::pin(ready(if well { Ok(()) } else { Err(lost) }))
        }

        fn settle(&self) -> Answer<'_, ()> {
            Box::pin(ready(Ok(())))
        }

        fn rows(&self, _: RowQuery) -> Answer<'_, Vec<AccountRow>> {
            Box::pin(ready(Ok(self.rows.lock().expect("rows").clone())))
        }

        fn take_over(&self, rows: Vec<AccountRow>) -> Answer<'_, ()> {
            self.rows.lock().expect("rows").extend(rows);
            Box::pin(ready(Ok(())))
        }

        fn forget_rows(&self, _: Timestamp, _: u32, _: Arc<dyn Farewell>) -> Answer<'_, u64> {
            Box::pin(ready(Ok(0)))
        }
    }

    fn chain(rows: &Arc<Rows>) -> StoreChain {
        let clock = || Timestamp(1);
        StoreChain::new(Arc::clone(rows) as Arc<dyn Accounts>, None, clock)
    }

    fn entry(name: &str) -> String {
        format!("{{\"event\":\"began\",\"instance\":\"{name}\"}}")
    }

    fn lines<const N: usize>(names: [&str; N]) -> Lines {
        let mut lines = Lines::default();
        for name in names {
            lines.push(&entry(name));
        }
        lines
    }

    /// What comes of four tries: each way that it can be.
    fn ways() -> Vec<[Comes; 4]> {
        let all = [
            Comes::Well,
            Comes::Away,
            Comes::NotWritten,
            Comes::AnswerLost,
        ];
        let mut ways = Vec::new();
        for one in all {
            for two in all {
                for three in all {
                    ways.extend(all.map(|four| [one, two, three, four]));
                }
            }
        }
        ways
    }

    /// Whatever answers go lost, and however many lines come meanwhile: each is there once, in order.
    #[test]
    fn no_line_is_there_twice_and_none_is_missing() {
        let ways = ways();
        assert_eq!(ways.len(), 256);
        for way in ways {
            let rows = Arc::new(Rows::default());
            let (mut mine, mut others) = (chain(&rows), chain(&rows));
            let mut waiting = Lines::default();
            for (at, comes) in way.iter().enumerate() {
                waiting.push(&entry(&format!("mine-{at}")));
                rows.next.lock().expect("a list").push(*comes);
                if mine.append(&waiting).is_ok() {
                    waiting.clear();
                }
                others.append(&lines(["other"])).expect("it is there");
            }
            waiting.push(&entry("mine-4"));
            mine.append(&waiting).expect("it is there");
            let rows = rows.rows.lock().expect("rows").clone();
            let told: Vec<&str> = rows
                .iter()
                .filter_map(|row| row.instance.as_deref())
                .filter(|name| name.starts_with("mine"))
                .collect();
            let expected = ["mine-0", "mine-1", "mine-2", "mine-3", "mine-4"];
            assert_eq!(told, expected, "{way:?}");
            let mut verifier = Verifier::default();
            for row in &rows {
                verifier.row(row, |said| panic!("{way:?}: {said:?}"));
            }
        }
    }

    #[test]
    fn rows_that_were_cut_off_behind_what_was_written_show() {
        let rows = Arc::new(Rows::default());
        let mut chain = chain(&rows);
        chain.append(&lines(["a", "b", "c"])).expect("it is there");
        rows.rows.lock().expect("rows").truncate(1);
        chain.append(&lines(["d"])).expect("it is there");
        let mut verifier = Verifier::default();
        let mut told = Vec::new();
        for row in &*rows.rows.lock().expect("rows") {
            verifier.row(row, |said| told.push(format!("{said:?}")));
        }
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("lines 2 to 3 are missing"), "{told:?}");
    }
}
