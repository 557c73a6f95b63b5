//! One attempt: the statements of an operation in their order, each in its database, those beside each other in one
//! transaction.

use std::collections::BTreeSet;

use tokio_postgres::Row;

use super::Sql;
use super::queue::Queue;
use super::server::{Room, Session, SqlServer};
use super::statement::{Rendered, Statement};
use super::steps::Step;
use super::trouble::{Asked, Trouble};
use crate::domain::backend::Work;
use crate::template::{Draw, RenderError, Scope, Tree};

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

/// A step with its values.
struct Ready {
    statement: Rendered,
    transaction: bool,
    /// Where it is another one than the URL's.
    database: Option<String>,
    only_if: Option<Rendered>,
    unless: Option<Rendered>,
}

fn ready(step: &Step, scope: &Scope<'_>, own: Option<&str>) -> Result<Ready, RenderError> {
    let question = |statement: &Option<Statement>| {
        statement
            .as_ref()
            .map(|statement| statement.render(scope))
            .transpose()
    };
    let database = match &step.database {
        None => None,
        Some(tree) => Some(database(tree, scope)?).filter(|name| Some(name.as_str()) != own),
    };
    Ok(Ready {
        statement: step.statement.render(scope)?,
        transaction: step.transaction,
        database,
        only_if: question(&step.only_if)?,
        unless: question(&step.unless)?,
    })
}

fn database(tree: &Tree, scope: &Scope<'_>) -> Result<String, RenderError> {
    let named = tree
        .render(scope, &Draw::new(0))
        .map_err(|error| error.below("database"))?;
    let named = named.as_ref().and_then(|name| name.as_str());
    named
        .filter(|name| !name.is_empty() && !name.contains('\0'))
        .map(str::to_owned)
        .ok_or_else(|| RenderError::mistyped("database", "the name of a database"))
}

struct Run<'a> {
    room: Room<'a>,
    sql: &'a Sql,
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
    async fn step(&mut self, step: Ready) -> Result<(), Trouble> {
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
            only_if: step.only_if.is_some(),
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
        self.queue.push(self.at, step.statement, asked);
        if step.transaction {
            // Where it fails, the server does nothing of what comes after it.
            return Ok(());
        }
        self.flush().await.map(|_| ())
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
        let sql = if begin { "BEGIN" } else { "COMMIT" };
        let rendered = Rendered {
            sql: sql.to_owned(),
            values: Vec::new(),
        };
        self.queue.push(self.at, rendered, Asked::default());
        if let Place::In(stay) = &mut self.place {
            stay.in_transaction = begin;
        }
        if begin {
            return Ok(());
        }
        self.flush().await.map(|_| ())
    }

    /// The rows of a question.
    async fn ask(&mut self, question: Rendered) -> Result<Vec<Row>, Trouble> {
        self.queue.push(self.at, question, Asked::default());
        self.flush().await
    }

    /// Sends all that waits; the rows of the last one.
    async fn flush(&mut self) -> Result<Vec<Row>, Trouble> {
        let queue = std::mem::take(&mut self.queue);
        if queue.is_empty() {
            return Ok(Vec::new());
        }
        match &self.place {
            Place::In(stay) => {
                queue
                    .send(stay.session.client()?, self.sql.server.timeout)
                    .await
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// All that a statement may have left, as far as it has a name: roles, databases, and what is in the database of the URL.
const INVENTORY: &str = "
    SELECT 'role ' || quote_ident(rolname) FROM pg_roles
    UNION SELECT 'database ' || quote_ident(datname) FROM pg_database
    UNION SELECT 'schema ' || quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
    UNION SELECT 'relation ' || oid::regclass FROM pg_class WHERE relnamespace <> 'pg_toast'::regnamespace
        AND relpersistence <> 't'
    UNION SELECT 'function ' || oid::regprocedure FROM pg_proc
    UNION SELECT 'default privileges of ' || defaclrole::regrole || ' in ' || defaclnamespace::regnamespace
        FROM pg_default_acl WHERE defaclnamespace <> 0
    UNION SELECT 'membership of ' || member::regrole || ' in ' || roleid::regrole FROM pg_auth_members";

/// The names of what is there now.
pub(super) async fn inventory(server: &SqlServer) -> Result<BTreeSet<String>, Trouble> {
    let room = server.room().await?;
    let session = room.session(None).await?;
    let rows = session.client()?.query_typed(INVENTORY, &[]).await;
    let rows = rows.map_err(|error| Trouble::Statement {
        at: 0,
        error,
        values: Vec::new(),
        asked: Asked::default(),
    })?;
    session.give_back().await;
    Ok(rows.iter().filter_map(|row| row.try_get(0).ok()).collect())
}
