//! One attempt: the statements of an operation in their order, each in its database, those beside each other in one
//! transaction.

use std::collections::BTreeSet;

use tokio_postgres::Row;

use super::Sql;
use super::server::{GRACE, Room, Session, SqlServer};
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
    };
    for step in steps {
        run.at += 1;
        run.step(step).await?;
    }
    run.leave().await
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
            && self.send(question).await?.is_empty()
        {
            return Ok(());
        }
        if let Some(question) = step.unless
            && !self.send(question).await?.is_empty()
        {
            return Ok(());
        }
        let sent = self.send(step.statement).await;
        sent.map(|_| ())
            .map_err(|trouble| trouble.after_question(asked))
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
                asked: Asked::default(),
            }),
            Err(_) => Err(Trouble::Slow("a statement")),
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
