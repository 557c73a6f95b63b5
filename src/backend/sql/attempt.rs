//! One attempt: the statements of an operation in their order, each in its database, those beside each other in one
//! transaction.

use tokio_postgres::Row;

use super::Sql;
use super::server::{GRACE, Room, Session};
use super::statement::{Rendered, Statement};
use super::steps::Step;
use super::trouble::Trouble;
use crate::domain::backend::Work;
use crate::template::{Draw, Scope};

/// Carries out all steps.
pub(super) async fn attempt(sql: &Sql, work: &Work<'_>, scope: &Scope<'_>) -> Result<(), Trouble> {
    let steps = sql.steps.of(work.kind);
    if steps.is_empty() {
        return Ok(());
    }
    let mut run = Run {
        room: sql.server.room().await?,
        sql,
        scope,
        removes: work.kind.removes(),
        at: 0,
        place: Place::Nowhere,
    };
    for (index, step) in steps.iter().enumerate() {
        run.at = index + 1;
        run.step(step).await?;
    }
    run.leave().await
}

struct Run<'a> {
    room: Room<'a>,
    sql: &'a Sql,
    scope: &'a Scope<'a>,
    removes: bool,
    /// Which step it is; counts from 1.
    at: usize,
    place: Place,
}

/// Where the last step ran. No database is the one that the URL names.
enum Place {
    Nowhere,
    In(Stay),
    /// In a database that is not there any more: what was in it has gone with it.
    Gone(Option<String>),
}

struct Stay {
    database: Option<String>,
    session: Session,
    in_transaction: bool,
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), Trouble> {
        let database = self.database(step)?;
        self.enter(database).await?;
        let in_transaction = match &self.place {
            Place::In(stay) => stay.in_transaction,
            _ => return Ok(()),
        };
        if in_transaction != step.transaction {
            self.turn(step.transaction).await?;
        }
        if let Some(question) = &step.only_if
            && !self.ask(question).await?
        {
            return Ok(());
        }
        if let Some(question) = &step.unless
            && self.ask(question).await?
        {
            return Ok(());
        }
        self.ask(&step.statement).await.map(|_| ())
    }

    /// The database that a step names, where it is another one than the URL's.
    fn database(&self, step: &Step) -> Result<Option<String>, Trouble> {
        let Some(tree) = &step.database else {
            return Ok(None);
        };
        let trouble = |error| Trouble::Rendering { at: self.at, error };
        let named = tree
            .render(self.scope, &Draw::new(0))
            .map_err(|error| trouble(error.below("database")))?;
        let named = named.as_ref().and_then(|name| name.as_str());
        match named.filter(|name| !name.is_empty() && !name.contains('\0')) {
            Some(name) if Some(name) == self.sql.server.database() => Ok(None),
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(trouble(crate::template::RenderError::mistyped(
                "database",
                "the name of a database",
            ))),
        }
    }

    async fn enter(&mut self, database: Option<String>) -> Result<(), Trouble> {
        match &self.place {
            Place::In(stay) if stay.database == database => return Ok(()),
            Place::Gone(gone) if *gone == database => return Ok(()),
            _ => self.leave().await?,
        }
        self.place = match self.room.session(database.as_deref()).await {
            Ok(session) => Place::In(Stay {
                database,
                session,
                in_transaction: false,
            }),
            Err(trouble) if self.removes && database.is_some() && trouble.is_no_database() => {
                Place::Gone(database)
            }
            Err(trouble) => return Err(trouble),
        };
        Ok(())
    }

    /// Ends what is begun, and gives the connection back.
    async fn leave(&mut self) -> Result<(), Trouble> {
        if matches!(&self.place, Place::In(stay) if stay.in_transaction) {
            self.turn(false).await?;
        }
        if let Place::In(stay) = std::mem::replace(&mut self.place, Place::Nowhere) {
            stay.session.give_back().await;
        }
        Ok(())
    }

    /// Begins a transaction, or commits it.
    async fn turn(&mut self, begin: bool) -> Result<(), Trouble> {
        let sql = if begin { "BEGIN" } else { "COMMIT" };
        self.send(Rendered {
            sql: sql.to_owned(),
            values: Vec::new(),
        })
        .await?;
        if let Place::In(stay) = &mut self.place {
            stay.in_transaction = begin;
        }
        Ok(())
    }

    /// Carries a statement out; whether it gave a row.
    async fn ask(&self, statement: &Statement) -> Result<bool, Trouble> {
        let rendered = statement
            .render(self.scope)
            .map_err(|error| Trouble::Rendering { at: self.at, error })?;
        Ok(!self.send(rendered).await?.is_empty())
    }

    /// In the protocol that takes one statement at a time: a second one is refused, wherever it comes from.
    async fn send(&self, rendered: Rendered) -> Result<Vec<Row>, Trouble> {
        let Place::In(stay) = &self.place else {
            return Ok(Vec::new());
        };
        let limit = self.sql.server.timeout.saturating_add(GRACE);
        let sent = stay.session.client()?.query_typed(&rendered.sql, &[]);
        match tokio::time::timeout(limit, sent).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(error)) => Err(Trouble::Statement {
                at: self.at,
                error,
                values: rendered.values,
            }),
            Err(_) => Err(Trouble::Slow("a statement")),
        }
    }
}
