//! What is on a server, by name: for who wants to see what statements have left.

use std::collections::BTreeSet;

use super::attempt;
use super::dialect::Dialect;
use super::link::Rows;
use super::queue::{Queue, Told};
use super::server::{Room, SqlServer};
use super::statement::Rendered;
use super::trouble::{Asked, Trouble};
use super::{Prepared, Sql};
use crate::domain::backend::{Stock, Work};

/// All that is the server's; of MySQL and MariaDB that is everything.
const fn of_server(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => include_str!("inventory/postgres-server.sql"),
        Dialect::MySql => include_str!("inventory/mysql.sql"),
    }
}

/// What only its own database tells of, where there is such a thing.
const fn of_database(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::Postgres => Some(include_str!("inventory/postgres-database.sql")),
        Dialect::MySql => None,
    }
}

/// Looks at the server, at the database of its URL, and at those that the steps of these operations name, as far as they
/// can be named by now and are there.
pub(super) async fn inventory(sql: &Sql, works: &[Work<'_>]) -> Result<Stock, Trouble> {
    let server = &*sql.server;
    let dialect = server.dialect();
    let room = server.room().await?;
    let mut stock = Stock::new();
    let names = ask(server, &room, None, of_server(dialect)).await?;
    stock.insert(
        "the server".to_owned(),
        names.into_iter().flatten().collect(),
    );
    let Some(question) = of_database(dialect) else {
        return Ok(stock);
    };
    let own = server.database().map(str::to_owned);
    for name in named(sql, works).into_iter().chain(own) {
        let database = Some(&*name).filter(|name| Some(*name) != server.database());
        match ask(server, &room, database, question).await {
            Ok(names) => {
                let place = format!("database {name}");
                let names = names.into_iter().flatten();
                let names = names.map(|what| format!("{what} in {place}")).collect();
                stock.insert(place, names);
            }
            Err(trouble) if database.is_some() && trouble.is_no_database() => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(stock)
}

/// The databases that the steps name.
fn named(sql: &Sql, works: &[Work<'_>]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for work in works {
        let Ok(prepared) = Prepared::of(sql, work) else {
            continue;
        };
        let seen = prepared.seen(&sql.server.names);
        let mut scope = work.scope();
        scope.statement = Some(&seen);
        let trees = sql.steps.of(work.kind).iter();
        let trees = trees.filter_map(|step| step.database.as_ref());
        names.extend(
            trees.filter_map(|tree| attempt::database(sql.server.dialect(), tree, &scope).ok()),
        );
    }
    names
}

async fn ask(
    server: &SqlServer,
    room: &Room<'_>,
    database: Option<&str>,
    question: &str,
) -> Result<Rows, Trouble> {
    let mut session = room.session(database).await?;
    let question = Rendered {
        sql: question.to_owned(),
        values: Vec::new(),
    };
    let mut queue = Queue::default();
    queue.push(0, Told::Run(question), Asked::default());
    let rows = queue.send(session.link()?, server.timeout).await?;
    session.give_back().await;
    Ok(rows)
}
