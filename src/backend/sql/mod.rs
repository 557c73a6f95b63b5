//! Backend `sql`: statements of the operator's, run on a PostgreSQL, MySQL or MariaDB server.
//!
//! An attempt runs the statements of its operation in their order, from the first one on: they have to stand being run
//! again after a crash. Those beside each other in one database are one transaction; a statement with
//! `transaction: false` is none, for `CREATE DATABASE` and its like. A database that is gone is passed over by what
//! removes.
//!
//! MySQL and MariaDB commit by themselves what makes, changes or drops something (DDL, GRANT): there a transaction is what
//! stands between two of those.
//!
//! A value comes into a statement through a filter alone ([`quote`]), in a place where it is one word ([`lexer`]); each
//! statement is sent by itself, so that a second one in it would be refused. No statement sees a password, where the
//! filters `scram` and `native_hash` made of it what the server keeps.
//!
//! Two attempts that overlap, because a process slept, are kept apart by the server alone: by its transactions, and by
//! what the statements ask before they act.
//!
//! In reading order: [`dialect`] is what kind of server it is; [`settings`] and [`server`] are the way to it, [`link`] one
//! connection of either kind, [`postgres`] and [`mysql`] what is theirs alone; [`steps`] and [`statement`] what is run,
//! [`attempt`] and [`queue`] how; [`outputs`], [`trouble`] and [`aftermath`] are what comes of it, [`inventory`] what is there
//! afterwards.

mod aftermath;
mod attempt;
mod dialect;
mod inventory;
mod lexer;
mod link;
mod mysql;
mod outputs;
mod postgres;
mod queue;
mod quote;
mod scram;
mod server;
mod settings;
mod statement;
mod steps;
mod trouble;

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use self::trouble::Trouble;
use crate::domain::backend::{Acting, Backend, Done, Looking, Outcome, Previous, Progress, Work};
use crate::domain::json::Object;
use crate::domain::operation::Kind;
use crate::secret::Secret;
use crate::template::{Draw, RenderError, StatementScope};

pub use self::dialect::Dialect;
pub use self::server::SqlServer;
pub use self::settings::{SqlError, SqlSettings};
pub use self::statement::{Statement, StatementError, StatementPart};
pub use self::steps::{Step, Steps};

/// Runs statements.
pub struct Sql {
    server: Arc<SqlServer>,
    steps: Steps,
}

impl Sql {
    /// A backend that runs these statements on that server, which others may share.
    pub const fn new(server: Arc<SqlServer>, steps: Steps) -> Self {
        Self { server, steps }
    }

    async fn act(&self, work: Work<'_>) -> Outcome {
        match self.carried_out(&work).await {
            Ok(outputs) => Outcome::Done(Done {
                outputs: Secret::new(outputs),
                ..Done::default()
            }),
            Err(trouble) => {
                self.complain(&work, &trouble);
                let mut outcome = trouble.outcome(work.kind);
                let steps = self.steps.of(work.kind);
                aftermath::mark(&mut outcome, &trouble, self.server.dialect(), steps);
                outcome
            }
        }
    }

    async fn carried_out(&self, work: &Work<'_>) -> Result<Object, Trouble> {
        let prepared =
            Prepared::of(self, work).map_err(|error| Trouble::Rendering { at: 0, error })?;
        let seen = prepared.seen(&self.server.names);
        let mut scope = work.scope();
        scope.statement = Some(&seen);
        attempt::attempt(self, work, &scope).await?;
        Ok(outputs::outputs(
            self.server.dialect(),
            work,
            &prepared.with,
            &self.server.names,
        ))
    }

    fn complain(&self, work: &Work<'_>, trouble: &Trouble) {
        log::warn!(
            target: "backend",
            operation = work.operation.as_str(),
            kind = work.kind.name(),
            attempt = work.attempt,
        trace = work.trace_id();
            "{}: {}", self.server.name, trouble.told()
        );
    }
}

/// What only statements see, made for one operation.
struct Prepared {
    with: Object,
    previous: Object,
}

impl Prepared {
    fn of(sql: &Sql, work: &Work<'_>) -> Result<Self, RenderError> {
        let mut prepared = Self {
            with: Object::new(),
            previous: previous(work),
        };
        let Some(tree) = &sql.steps.with else {
            return Ok(prepared);
        };
        let rendered = {
            let seen = prepared.seen(&sql.server.names);
            let mut scope = work.scope();
            scope.statement = Some(&seen);
            tree.render(&scope, &Draw::new(0))
                .map_err(|error| error.below("with"))?
        };
        prepared.with = match rendered {
            None => Object::new(),
            Some(Value::Object(with)) => with,
            Some(_) => return Err(RenderError::mistyped("with", "a map")),
        };
        Ok(prepared)
    }

    fn seen<'a>(&'a self, server: &'a Object) -> StatementScope<'a> {
        StatementScope {
            with: &self.with,
            server,
            previous: &self.previous,
            row: None,
        }
    }
}

/// `previous`: nothing but in an update.
fn previous(work: &Work<'_>) -> Object {
    let Some(Previous {
        instance,
        plan_name,
    }) = work.previous
    else {
        return Object::new();
    };
    let details = instance.details.expose();
    let previous = json!({
        "plan": { "id": instance.plan_id.as_str(), "name": plan_name },
        "parameters": details.parameters,
        "maintenance_info": { "version": details.maintenance_version },
    });
    match previous {
        Value::Object(previous) => previous,
        _ => Object::new(),
    }
}

impl Backend for Sql {
    fn kind(&self) -> &'static str {
        "sql"
    }

    fn name(&self) -> &str {
        &self.server.name
    }

    fn concurrency(&self) -> Option<u32> {
        self.server.concurrency
    }

    fn place(&self) -> Option<String> {
        Some(self.server.place.clone())
    }

    fn statements(&self) -> Option<&str> {
        Some(self.steps.set.as_deref().unwrap_or("of the plan alone"))
    }

    // A bind has outputs, whatever is run for it.
    fn carries_out(&self, kind: Kind) -> bool {
        kind == Kind::Bind || !self.steps.of(kind).is_empty()
    }

    fn inventory<'a>(&'a self, works: &'a [Work<'a>]) -> Looking<'a> {
        Box::pin(async {
            let stock = inventory::inventory(self, works).await;
            Some(stock.map_err(|trouble| trouble.told()))
        })
    }

    fn carry_out<'a>(&'a self, work: Work<'a>, _: &'a dyn Progress) -> Acting<'a> {
        Box::pin(self.act(work))
    }
}

impl fmt::Debug for Sql {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Sql").field(&self.server).finish()
    }
}
