//! One attempt: the statements of an operation in their order, each in its database, those beside each other in one
//! transaction; some once for each row of an answer.

use serde_json::Value;

use super::Sql;
use super::dialect::Dialect;
use super::link::Rows;
use super::queue::{Queue, Told};
use super::quote::Filter;
use super::server::{Room, Session};
use super::statement::{Rendered, Statement};
use super::steps::Step;
use super::trouble::{Asked, Trouble};
use crate::domain::backend::Work;
use crate::template::{Draw, RenderError, Scope, StatementScope, Tree};

/// Carries out all steps. Each is made of its values before the first one is run: what cannot be made has done nothing.
pub(super) async fn attempt(sql: &Sql, work: &Work<'_>, scope: &Scope<'_>) -> Result<(), Trouble> {
    let steps = sql.steps.of(work.kind).iter().enumerate();
    let steps: Result<Vec<Ready>, Trouble> = steps
        .map(|(index, step)| {
            let at = index + 1;
            ready(step, scope, sql.server.database())
                .map_err(|error| Trouble::Rendering { at, error })
        })
        .collect();
    let steps = steps?;
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
        queue: Queue::default(),
    };
    for step in steps {
        run.at += 1;
        run.step(step).await?;
    }
    run.end().await
}

/// In place of a row of an answer, before there is one: a word that is a name, a text and a number.
const NO_ROW: &str = "0";

/// A step with its values.
struct Ready<'a> {
    statement: Rendered,
    /// The question for whose rows it is run, and the statement to be made of each.
    each: Option<(Rendered, &'a Statement)>,
    transaction: bool,
    /// Where it is another one than the URL's.
    database: Option<String>,
    only_if: Option<Rendered>,
    unless: Option<Rendered>,
}

fn ready<'a>(
    step: &'a Step,
    scope: &Scope<'_>,
    own: Option<&str>,
) -> Result<Ready<'a>, RenderError> {
    let question = |statement: &Option<Statement>| {
        statement
            .as_ref()
            .map(|statement| statement.render(scope))
            .transpose()
    };
    let database = match &step.database {
        None => None,
        Some(tree) => {
            let named = database(step.statement.dialect(), tree, scope)?;
            Some(named).filter(|name| Some(name.as_str()) != own)
        }
    };
    let each = question(&step.each)?.map(|question| (question, &step.statement));
    let statement = match &each {
        None => step.statement.render(scope)?,
        Some(_) => rendered_for(NO_ROW, &step.statement, scope)?,
    };
    Ok(Ready {
        statement,
        each,
        transaction: step.transaction,
        database,
        only_if: question(&step.only_if)?,
        unless: question(&step.unless)?,
    })
}

fn rendered_for(
    row: &str,
    statement: &Statement,
    scope: &Scope<'_>,
) -> Result<Rendered, RenderError> {
    let seen = scope.statement.map(|seen| StatementScope {
        row: Some(row),
        ..*seen
    });
    statement.render(&Scope {
        statement: seen.as_ref(),
        ..*scope
    })
}

/// The name goes into no statement, but to a server that cuts a long one off and opens the database of what is left.
pub(super) fn database(
    dialect: Dialect,
    tree: &Tree,
    scope: &Scope<'_>,
) -> Result<String, RenderError> {
    let named = tree
        .render(scope, &Draw::new(0))
        .map_err(|error| error.below("database"))?;
    let Some(Value::String(name)) = named else {
        return Err(RenderError::mistyped("database", "the name of a database"));
    };
    match Filter::Ident.quote(dialect, &Value::String(name.clone())) {
        Ok(_) => Ok(name),
        Err(why) => Err(RenderError::unfit("database", why).in_tree(tree)),
    }
}

struct Run<'a> {
    room: Room<'a>,
    sql: &'a Sql,
    scope: &'a Scope<'a>,
    removes: bool,
    /// Which step it is; counts from 1.
    at: usize,
    place: Place,
    /// What goes to the server with the next statement that is waited for.
    queue: Queue,
}

/// Where the last step ran. No database is the one that the URL names.
enum Place {
    Nowhere,
    In(Box<Stay>),
    /// In a database that is not there any more: what was in it has gone with it.
    Gone(Option<String>),
}

struct Stay {
    database: Option<String>,
    session: Session,
    in_transaction: bool,
}

impl Run<'_> {
    async fn step(&mut self, step: Ready<'_>) -> Result<(), Trouble> {
        self.enter(step.database).await?;
        let in_transaction = match &self.place {
            Place::In(stay) => stay.in_transaction,
            _ => return Ok(()),
        };
        if in_transaction != step.transaction {
            self.turn(step.transaction).await?;
        }
        let asked = Asked {
            unless: step.unless.is_some(),
            only_if: step.only_if.is_some() || step.each.is_some(),
        };
        if let Some(question) = step.only_if
            && self.ask(question).await?.is_empty()
        {
            return Ok(());
        }
        if let Some(question) = step.unless
            && !self.ask(question).await?.is_empty()
        {
            return Ok(());
        }
        match step.each {
            Some((question, statement)) => self.each(question, statement, asked).await,
            None => self.run(step.statement, asked).await,
        }
    }

    async fn run(&mut self, statement: Rendered, asked: Asked) -> Result<(), Trouble> {
        self.queue.push(self.at, Told::Run(statement), asked);
        let is_whole = self.sql.server.dialect().is_all_or_nothing();
        if is_whole && matches!(&self.place, Place::In(stay) if stay.in_transaction) {
            // Where it fails, the server does nothing of what comes after it.
            return Ok(());
        }
        self.flush().await.map(drop)
    }

    /// What has ended since the answer came needs nothing done to it.
    async fn each(
        &mut self,
        question: Rendered,
        statement: &Statement,
        asked: Asked,
    ) -> Result<(), Trouble> {
        for row in self.ask(question).await?.into_iter().flatten() {
            let at = self.at;
            let rendered = rendered_for(&row, statement, self.scope)
                .map_err(|error| Trouble::Row { at, error })?;
            match self.run(rendered, asked).await {
                Err(trouble) if trouble.is_ended() => {}
                sent => sent?,
            }
        }
        Ok(())
    }

    async fn enter(&mut self, database: Option<String>) -> Result<(), Trouble> {
        match &self.place {
            Place::In(stay) if stay.database == database => return Ok(()),
            Place::Gone(gone) if *gone == database => return Ok(()),
            _ => self.leave().await?,
        }
        self.place = match self.room.session(database.as_deref()).await {
            Ok(session) => Place::In(Box::new(Stay {
                database,
                session,
                in_transaction: false,
            })),
            Err(trouble) if self.removes && database.is_some() && trouble.is_no_database() => {
                Place::Gone(database)
            }
            Err(trouble) => return Err(trouble),
        };
        Ok(())
    }

    /// Ends what is begun, and gives the connection back.
    async fn leave(&mut self) -> Result<(), Trouble> {
        if let Some(session) = self.let_go().await? {
            session.give_back().await;
        }
        Ok(())
    }

    /// The same, in the end: nobody waits for the connection.
    async fn end(mut self) -> Result<(), Trouble> {
        if let Some(session) = self.let_go().await? {
            session.give_back_later(self.room).await;
        }
        Ok(())
    }

    /// Ends what is begun; the session that it was begun in.
    async fn let_go(&mut self) -> Result<Option<Session>, Trouble> {
        if matches!(&self.place, Place::In(stay) if stay.in_transaction) {
            self.turn(false).await?;
        }
        Ok(match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::In(stay) => Some(stay.session),
            _ => None,
        })
    }

    /// Begins a transaction, or commits it. Nothing is committed before all of it is answered: a server that is behind must
    /// not commit for somebody who is gone, and maybe has a successor.
    async fn turn(&mut self, begin: bool) -> Result<(), Trouble> {
        if !begin {
            self.flush().await?;
        }
        let told = if begin { Told::Begin } else { Told::Commit };
        self.queue.push(self.at, told, Asked::default());
        if let Place::In(stay) = &mut self.place {
            stay.in_transaction = begin;
        }
        if begin {
            return Ok(());
        }
        self.flush().await.map(drop)
    }

    /// The rows of a question.
    async fn ask(&mut self, question: Rendered) -> Result<Rows, Trouble> {
        self.queue
            .push(self.at, Told::Run(question), Asked::default());
        self.flush().await
    }

    /// Sends all that waits; the rows of the last one.
    async fn flush(&mut self) -> Result<Rows, Trouble> {
        let queue = std::mem::take(&mut self.queue);
        if queue.is_empty() {
            return Ok(Rows::new());
        }
        match &mut self.place {
            Place::In(stay) => {
                let timeout = self.sql.server.timeout;
                queue.send(stay.session.link()?, timeout).await
            }
            _ => Ok(Rows::new()),
        }
    }
}
