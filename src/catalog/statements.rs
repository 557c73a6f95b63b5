//! The statements of a plan whose backend is `sql`: those of a ready-made set below its own, compiled once.

use super::answers::{Compiler, Names, Reading};
use super::language::nearest;
use super::merge;
use super::reading::resolve::is_unresolved;
use super::reading::shape::is_one_template;
use super::sets;
use super::trail::Trail;
use crate::backend::{Dialect, Statement, StatementError, StatementPart, Step, Steps};
use crate::document::{Entry, Finding, Map, Node, Piece, Text, Value};
use crate::domain::operation::Kind;
use crate::template::{KnownNames, Tree, Where, check_names, without_texts};

/// The ready-made set that a merged plan takes.
fn set(backend: &Node) -> Option<&Node> {
    let sql = backend.get("sql")?;
    let statements = backend
        .get("statements")
        .or_else(|| sql.get("statements"))?;
    let named = statements.get("set").or(Some(statements))?;
    sets::named(named.as_text()?)
}

/// The plan with its statements and knobs in one place, below `sql`, and over those of its set.
pub(crate) fn gathered(plan: Node) -> Node {
    let Some((backend, sql)) = plan
        .get("backend")
        .and_then(|backend| Some((backend, backend.get("sql")?)))
    else {
        return plan;
    };
    let set = set(backend);
    let below = |key: &str| set.and_then(|plan| plan.get("backend")?.get(key));
    let mut own = sql.clone();
    for key in ["statements", "with"] {
        let said = [below(key), sql.get(key), backend.get(key)];
        let said = said.into_iter().flatten().map(as_map);
        let merged = said.reduce(|below, above| merge::over_any(&below, &above));
        put(&mut own, key, merged);
    }
    let mut gathered = backend.clone();
    for key in ["statements", "with"] {
        put(&mut gathered, key, None);
    }
    put(&mut gathered, "sql", Some(own));
    let mut whole = match set {
        Some(set) => merge::over_plan(set, &plan),
        None => plan,
    };
    put(&mut whole, "backend", Some(gathered));
    whole
}

/// A set that is given by its name alone says the same as one under `set`.
fn as_map(node: &Node) -> Node {
    if node.as_text().is_none() {
        return node.clone();
    }
    let mut map = Map::default();
    map.push_new(Entry {
        key: "set".into(),
        key_place: node.place.clone(),
        node: node.clone(),
    });
    Node::new(Value::Map(map), node.place.clone())
}

fn put(node: &mut Node, key: &str, value: Option<Node>) {
    let place = node.place.clone();
    let Some(map) = node.as_map_mut() else { return };
    match value {
        None => drop(map.remove(key)),
        Some(value) => {
            map.insert(Entry {
                key: key.into(),
                key_place: place,
                node: value,
            });
        }
    }
}

impl Compiler {
    /// The statements of a gathered plan, where its backend is `sql`.
    pub(super) fn steps<'a>(
        &mut self,
        plan: &'a Node,
        names: &mut Names<'a>,
        is_whole: &mut bool,
        trail: &Trail<'_>,
    ) -> Option<Steps> {
        let sql = plan.get("backend")?.get("sql")?;
        let trail = trail.key("backend");
        let mut steps = Steps::default();
        steps.set = set_of(sql).and_then(Node::as_text).map(str::to_owned);
        if let Some(with) = sql.get("with") {
            let mut reading = Reading {
                known: names.known(Where::InstanceStatement),
                is_whole: true,
            };
            steps.with = Some(self.tree(with, &mut reading, &trail.key("with")));
            *is_whole &= reading.is_whole;
            self.knobs(sql, with, &trail.key("with"));
            let entries = with.as_map().into_iter().flat_map(Map::iter);
            names.with = entries.map(|entry| &*entry.key).collect();
        }
        self.fits(sql, &trail.key("statements")).then_some(())?;
        // Where the URL could not be read, and there is no set, it may be for any.
        let dialect = of_server(sql).or_else(|| of_set(sql));
        let trail = trail.key("statements");
        for kind in Kind::ALL {
            let Some(node) = sql.get("statements").and_then(|all| all.get(kind.name())) else {
                continue;
            };
            let place = match kind {
                Kind::Bind | Kind::Unbind => Where::BindingStatement,
                _ => Where::InstanceStatement,
            };
            let trail = trail.key(kind.name());
            let items = node.as_list().unwrap_or_default().iter().enumerate();
            let known = names.known(place);
            let read = items.map(|(at, item)| self.step(dialect, item, known, &trail.index(at)));
            let read: Vec<Option<Step>> = read.collect();
            *is_whole &= node.as_list().is_some() && read.iter().all(Option::is_some);
            if is_one_template(node) {
                let message = "a list is wanted here, and this is a template";
                self.say("wrong-type", node, &trail, message, "write a list: [...]");
            }
            steps.run_for(kind, read.into_iter().flatten().collect());
        }
        Some(steps)
    }

    /// Whether the set is for the kind of server that there is.
    fn fits(&mut self, sql: &Node, trail: &Trail<'_>) -> bool {
        let (Some(server), Some(set), Some(of_set)) = (of_server(sql), set_of(sql), of_set(sql))
        else {
            return true;
        };
        if server != of_set {
            let message = format!(
                "`{}` is for {}, and `server` is {}",
                set.as_text().unwrap_or_default(),
                of_set.name(),
                server.name()
            );
            let mend = "take a set for that kind of server, or another server";
            self.say("statement-server", set, trail, message, mend);
        }
        server == of_set
    }

    /// A misspelt knob of a set would do nothing.
    fn knobs(&mut self, sql: &Node, with: &Node, trail: &Trail<'_>) {
        let name = sql
            .get("statements")
            .and_then(|all| all.get("set")?.as_text());
        let Some(known) = name
            .and_then(sets::named)
            .and_then(|plan| plan.get("backend")?.get("with")?.as_map())
        else {
            return;
        };
        let known: Vec<&str> = known.iter().map(|entry| &*entry.key).collect();
        for entry in with.as_map().into_iter().flat_map(Map::iter) {
            if !known.contains(&&*entry.key) {
                let mend = match nearest(&entry.key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                let message = format!("the set has no knob `{}`", entry.key);
                self.say(
                    "statement-knob",
                    &entry.node,
                    &trail.key(&entry.key),
                    message,
                    mend,
                );
            }
        }
    }

    fn step(
        &mut self,
        dialect: Option<Dialect>,
        node: &Node,
        known: KnownNames<'_>,
        trail: &Trail<'_>,
    ) -> Option<Step> {
        let plain = Reader {
            dialect,
            known,
            knows_row: false,
        };
        if node.as_map().is_none() {
            return Some(Step {
                statement: self.statement(node, plain, trail)?,
                transaction: true,
                database: None,
                only_if: None,
                unless: None,
                each: None,
            });
        }
        let knows_row = node.get("each").is_some();
        let mut asked = |key: &str| {
            let knows_row = knows_row && key == "statement";
            let reader = Reader { knows_row, ..plain };
            node.get(key)
                .map(|text| self.statement(text, reader, &trail.key(key)))
        };
        let [statement, only_if, unless, each] =
            ["statement", "only_if", "unless", "each"].map(&mut asked);
        let statement = statement.unwrap_or_else(|| {
            let known = ["transaction", "database", "only_if", "unless", "each"];
            let entries = node.as_map().into_iter().flat_map(Map::iter);
            // One that is misspelt was told.
            if entries
                .into_iter()
                .all(|entry| known.contains(&&*entry.key))
            {
                let message = "there is no statement";
                let mend = "write it under `statement`";
                self.say("statement-empty", node, trail, message, mend);
            }
            None
        });
        let mut reading = Reading {
            known,
            is_whole: true,
        };
        let database: Option<Tree> = node
            .get("database")
            .map(|database| self.tree(database, &mut reading, &trail.key("database")));
        reading.is_whole.then_some(())?;
        Some(Step {
            statement: statement?,
            transaction: node.get("transaction").and_then(Node::as_bool) != Some(false),
            database,
            only_if: only_if.map_or(Some(None), |read| read.map(Some))?,
            unless: unless.map_or(Some(None), |read| read.map(Some))?,
            each: each.map_or(Some(None), |read| read.map(Some))?,
        })
    }

    fn statement(
        &mut self,
        node: &Node,
        reader: Reader<'_>,
        trail: &Trail<'_>,
    ) -> Option<Statement> {
        let parts = match &node.value {
            Value::Text(Text::Pieces(pieces)) => pieces.iter().map(part).collect(),
            Value::Text(_) if is_unresolved(node) => return None,
            Value::Text(Text::Written(text) | Text::Literal(text)) => {
                vec![StatementPart::Text(text)]
            }
            // Its type was told.
            _ => return None,
        };
        match reader.read(&parts) {
            Ok(statement) => {
                let unknown = statement.expressions().flat_map(|expression| {
                    let shown = without_texts(expression.source());
                    check_names(expression, &reader.known)
                        .into_iter()
                        .filter(|name| !(reader.knows_row && name.name == "row"))
                        .map(move |name| (shown.clone(), name))
                });
                let unknown: Vec<_> = unknown.collect();
                for (shown, name) in &unknown {
                    let mend = match &name.nearest {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "use a name that is known here: with, server, previous, service, plan, values, platform, instance, and for a binding also binding".to_owned(),
                    };
                    let message = format!("`{}` is not known in {{{{{shown}}}}}", name.name);
                    self.say("template-name", node, trail, message, mend);
                }
                unknown.is_empty().then_some(statement)
            }
            Err(error) => {
                let (rule, message) = match &error.expression {
                    Some(source) => (
                        "statement-filter",
                        format!("{{{{{}}}}} {}", without_texts(source), error.message),
                    ),
                    None => ("statement-empty", error.message),
                };
                self.say(rule, node, trail, message, error.mend);
                None
            }
        }
    }

    fn say(
        &mut self,
        rule: &'static str,
        node: &Node,
        trail: &Trail<'_>,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let path = trail.path();
        self.findings
            .push(Finding::error(rule, &path, &node.place, message, mend));
    }
}

/// The kind of server that the URL leads to.
fn of_server(sql: &Node) -> Option<Dialect> {
    let server = sql.get("server").filter(|server| !is_unresolved(server))?;
    Dialect::of_url(server.as_text()?)
}

/// The kind of server that the set is for.
fn of_set(sql: &Node) -> Option<Dialect> {
    Dialect::of_set(set_of(sql)?.as_text()?)
}

fn set_of(sql: &Node) -> Option<&Node> {
    sql.get("statements")?.get("set")
}

/// How a statement is read: for what kind of server, and what it may name.
#[derive(Clone, Copy)]
struct Reader<'a> {
    dialect: Option<Dialect>,
    known: KnownNames<'a>,
    /// Whether it is run for each row of an answer.
    knows_row: bool,
}

impl Reader<'_> {
    /// Where the kind is not known, what some kind can read is not complained of.
    fn read(&self, parts: &[StatementPart<'_>]) -> Result<Statement, StatementError> {
        match self.dialect {
            Some(dialect) => Statement::read(dialect, parts),
            None => Statement::read(Dialect::Postgres, parts)
                .or_else(|error| Statement::read(Dialect::MySql, parts).map_err(|_| error)),
        }
    }
}

/// Literal text is SQL that the operator wrote: a reference in it was refused.
fn part(piece: &Piece) -> StatementPart<'_> {
    match piece {
        Piece::Template(source) => StatementPart::Expression(source),
        Piece::Literal(text) => StatementPart::Text(text),
        Piece::Reference(reference) => StatementPart::Text(&reference.source),
    }
}
