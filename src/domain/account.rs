//! The account of changes where it is kept: rows of a store that has them, and lines as an operator reads them.
//!
//! What a line says is made elsewhere ([`super::audit`] is what it is made of); here a line is a text in a chain.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::store::{Answer, StoreError};
use super::time::Timestamp;

/// One line of the account, as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its number in the chain.
    pub seq: u64,
    /// When it was put there.
    pub at: Timestamp,
    /// The instance that it names, to find it by.
    pub instance: Option<String>,
    /// The line.
    pub line: String,
}

/// Makes the rows that come behind the one that stands last. It may be asked more than once, where another one was quicker.
pub trait Chain: Send + Sync {
    /// A row of an earlier try of which nobody knows whether it was written.
    fn doubt(&self) -> Option<&AccountRow>;

    /// The rows; `stands`: the doubted one is there, and those that were sent with it.
    fn rows(&self, last: Option<&AccountRow>, stands: bool) -> Vec<AccountRow>;
}

/// Which rows.
#[derive(Clone, Debug, Default)]
pub struct RowQuery {
    /// Those that name this instance.
    pub instance: Option<String>,
    /// Where they begin.
    pub way: Way,
    /// No more than these.
    pub most: u32,
}

/// Where rows begin, and which way they go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// The newest first.
    #[default]
    Newest,
    /// The newest first of those before this number.
    Before(u64),
    /// The oldest first of those behind this number.
    Behind(u64),
}

/// A store that keeps the account: one chain, whoever adds to it.
pub trait Accounts: Send + Sync {
    /// Adds rows behind the last one. Nobody else does meanwhile.
    fn add(&self, chain: Arc<dyn Chain>) -> Answer<'_, ()>;

    /// Has on the disk what was added, where that is not so already.
    fn settle(&self) -> Answer<'_, ()>;

    /// Rows in their order.
    fn rows(&self, query: RowQuery) -> Answer<'_, Vec<AccountRow>>;

    /// Takes rows of another store as they are.
    fn take_over(&self, rows: Vec<AccountRow>) -> Answer<'_, ()>;

    /// Takes the oldest rows away, of those that were put there before `before` no more than `most`, and never the last
    /// one. `chain` makes what is said of that, of the last row and the last that goes: nothing where none does.
    fn forget_rows(
        &self,
        before: Timestamp,
        most: u32,
        chain: Arc<dyn Farewell>,
    ) -> Answer<'_, u64>;
}

/// Makes the row that tells of those that were taken away.
pub trait Farewell: Send + Sync {
    /// It comes behind `last`; `gone` is the last of so many that go.
    fn row(&self, last: &AccountRow, gone: &AccountRow, count: u64) -> AccountRow;
}

/// A line as it is read. What it does not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Line {
    /// Its number in its chain.
    pub seq: u64,
    /// When, as people write it.
    pub at: String,
    /// What is told.
    pub event: String,
    /// Who did it where no platform asked: `broker`, `operator`, `command`.
    pub by: Option<String>,
    /// The user of the system who ran the command.
    pub uid: Option<u32>,
    /// The login's name.
    pub login: Option<String>,
    /// The platform.
    pub platform: Option<String>,
    /// The platform's user.
    pub user: Option<String>,
    /// The address that the connection came from.
    pub from: Option<String>,
    /// The address that a proxy says it came from.
    pub forwarded: Option<String>,
    /// What was to be done.
    pub kind: Option<String>,
    /// To this instance.
    pub instance: Option<String>,
    /// To this binding.
    pub binding: Option<String>,
    /// Of this offering.
    pub service: Option<String>,
    /// Of this plan.
    pub plan: Option<String>,
    /// In this organization.
    pub organization: Option<String>,
    /// In this space.
    pub space: Option<String>,
    /// By this operation.
    pub operation: Option<String>,
    /// What came of it.
    pub result: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The word of the answer.
    pub error: Option<String>,
    /// The broker's version.
    pub version: Option<String>,
    /// How many lines.
    pub lines: Option<u64>,
}

impl Line {
    /// Nothing where it is no line of an account.
    pub fn read(text: &str) -> Option<Self> {
        let line: Self = serde_json::from_str(text).ok()?;
        (line.seq > 0 && !line.event.is_empty()).then_some(line)
    }
}

/// Which lines. What is absent is no filter.
#[derive(Clone, Debug, Default)]
pub struct LineQuery {
    /// Of the instance, the binding or the operation with this id.
    pub any: Option<String>,
    /// Of this instance.
    pub instance: Option<String>,
    /// Of this binding.
    pub binding: Option<String>,
    /// Of this operation.
    pub operation: Option<String>,
    /// Of this login, or this user of a platform.
    pub who: Option<String>,
    /// Of this event, this kind of change, or with this result.
    pub what: Option<String>,
    /// Where a page before said that it goes on.
    pub from: Option<u64>,
    /// No more than these.
    pub most: usize,
}

impl LineQuery {
    /// Whether a line is wanted.
    pub fn wants(&self, line: &Line) -> bool {
        let is = |asked: &Option<String>, said: &[&Option<String>]| {
            asked
                .as_ref()
                .is_none_or(|asked| said.iter().any(|said| said.as_ref() == Some(asked)))
        };
        let event = Some(line.event.clone());
        is(&self.any, &[&line.instance, &line.binding, &line.operation])
            && is(&self.instance, &[&line.instance])
            && is(&self.binding, &[&line.binding])
            && is(&self.operation, &[&line.operation])
            && is(&self.who, &[&line.login, &line.user])
            && is(&self.what, &[&event, &line.kind, &line.result])
    }
}

/// A page of lines, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Those that were asked for.
    pub items: Vec<Line>,
    /// Where it goes on; nothing at the beginning of the account.
    pub next: Option<u64>,
    /// How many lines were looked through: no page looks through more than a part of a long account.
    pub looked: u64,
}

/// Where an operator reads the account.
pub trait Reading: Send + Sync {
    /// A page of it.
    fn page(&self, query: LineQuery) -> Answer<'_, Lines>;
}

impl fmt::Debug for dyn Accounts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Accounts")
    }
}

/// How many rows are read at once, and how many at most for one page.
const ROWS: u32 = 1_000;
const LOOKED: u64 = 20_000;

/// The account of a store, as an operator reads it.
pub struct StoreReading(pub Arc<dyn Accounts>);

impl Reading for StoreReading {
    fn page(&self, query: LineQuery) -> Answer<'_, Lines> {
        Box::pin(async move { self.read(query).await })
    }
}

impl StoreReading {
    /// The instance that all lines name which are wanted, as far as that is known: rows are found by it.
    async fn instance(&self, query: &LineQuery) -> Result<Option<String>, StoreError> {
        if query.instance.is_some() {
            return Ok(query.instance.clone());
        }
        let any = self.0.rows(RowQuery {
            instance: query.any.clone(),
            way: Way::Newest,
            most: u32::from(query.any.is_some()),
        });
        let is_one = !any.await?.is_empty();
        Ok(query.any.clone().filter(|_| is_one))
    }

    async fn read(&self, query: LineQuery) -> Result<Lines, StoreError> {
        let mut lines = Lines::default();
        let mut way = query.from.map_or(Way::Newest, Way::Before);
        let instance = self.instance(&query).await?;
        loop {
            let rows = self.0.rows(RowQuery {
                instance: instance.clone(),
                way,
                most: ROWS,
            });
            let rows = rows.await?;
            let is_all = rows.len() < ROWS as usize;
            for row in rows {
                if lines.items.len() == query.most || lines.looked == LOOKED {
                    return Ok(lines);
                }
                lines.looked += 1;
                lines.next = Some(row.seq);
                way = Way::Before(row.seq);
                let line = Line::read(&row.line);
                lines.items.extend(line.filter(|line| query.wants(line)));
            }
            if is_all {
                lines.next = None;
                return Ok(lines);
            }
        }
    }
}
