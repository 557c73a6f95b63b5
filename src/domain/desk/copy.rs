//! A state as a whole, from one store to another.

use super::{Desk, DeskError};
use crate::domain::account::{RowQuery, Way};
use crate::domain::ledger::{Counts, Place, Row};

/// How many rows go at once: a transaction of the target.
const ROWS: u32 = 500;

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// How many instances.
    pub instances: u64,
    /// How many bindings.
    pub bindings: u64,
    /// How many operations.
    pub operations: u64,
    /// How many entries of pools that are or were lent.
    pub lendings: u64,
    /// How many lines of the account of changes.
    pub lines: u64,
}

impl Desk {
    /// Writes all that is here to `target`, which must be empty. Nobody else may have either of them open: where an engine
    /// has no lock that keeps them out, they are looked for before and afterwards, unless that is to be passed over. What
    /// fails half way leaves a target that no broker serves.
    pub async fn copy_to(&self, target: &Self, whoever: bool) -> Result<Copied, DeskError> {
        if !whoever {
            self.alone_with(target).await?;
        }
        let copied = self.copy_rows(target).await?;
        if !whoever {
            self.alone_with(target).await?;
        }
        // What breaks what lives is held against it, there as here.
        if let Some(served) = self.ledger.last_served().await? {
            target.ledger.keep_served(served).await?;
        }
        target.ledger.complete().await?;
        Ok(copied)
    }

    async fn alone_with(&self, target: &Self) -> Result<(), DeskError> {
        for (which, desk) in [("FROM", self), ("TO", target)] {
            let others = desk.ledger.others((desk.clock)()).await?;
            if !others.is_nobody() {
                return Err(DeskError::Served(which, others));
            }
        }
        Ok(())
    }

    async fn copy_rows(&self, target: &Self) -> Result<Copied, DeskError> {
        let there = target.counts().await?;
        if !there.is_empty() {
            return Err(DeskError::NotEmpty {
                instances: Counts::total(&there.instances),
                operations: there.operations.iter().map(|(_, count)| count).sum(),
            });
        }
        let account = RowQuery {
            most: 1,
            ..RowQuery::default()
        };
        if !target.ledger.rows(account).await?.is_empty() {
            return Err(DeskError::HasAccount);
        }
        let mut copied = Copied::default();
        let mut next = Some(Place::Start);
        while let Some(from) = next {
            let page = self.ledger.export(from, ROWS).await?;
            page.rows.iter().for_each(|row| copied.count(row));
            target.ledger.import(page.rows).await?;
            next = page.next;
        }
        copied.lines = self.copy_account(target).await?;
        Ok(copied)
    }

    /// The chain as it is: it goes on there.
    async fn copy_account(&self, target: &Self) -> Result<u64, DeskError> {
        let mut lines = 0;
        let mut behind = 0;
        loop {
            let rows = self.ledger.rows(RowQuery {
                way: Way::Behind(behind),
                most: ROWS,
                ..RowQuery::default()
            });
            let rows = rows.await?;
            let Some(last) = rows.last() else {
                return Ok(lines);
            };
            behind = last.seq;
            lines += rows.len() as u64;
            target.ledger.take_over(rows).await?;
        }
    }
}

impl Copied {
    const fn count(&mut self, row: &Row) {
        match row {
            Row::Key(_) => {}
            Row::Instance(_) => self.instances += 1,
            Row::Binding(_) => self.bindings += 1,
            Row::Operation(_) => self.operations += 1,
            Row::Lending(_) => self.lendings += 1,
        }
    }
}
