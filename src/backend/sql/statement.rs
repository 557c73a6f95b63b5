//! A statement: text of the operator's, and values that pass a filter. Whatever a value is, it stays one word.

use std::fmt;

use super::dialect::Dialect;
use super::lexer;
use super::quote::Filter;
use crate::template::{Draw, Expression, RenderError, Scope};

/// A piece of a statement as it is written.
#[derive(Clone, Copy, Debug)]
pub enum StatementPart<'a> {
    /// SQL.
    Text(&'a str),
    /// What stands between `{{` and `}}`.
    Expression(&'a str),
}

/// A statement that can be rendered.
#[derive(Clone)]
pub struct Statement {
    pieces: Vec<Piece>,
    dialect: Dialect,
}

#[derive(Clone)]
enum Piece {
    Text(String),
    Value(Expression, Filter),
}

/// Why a text is no statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub mend: String,
    /// The expression that is to blame, where one is.
    pub expression: Option<String>,
}

/// A statement as it is sent.
pub(super) struct Rendered {
    pub(super) sql: String,
    /// The words that may hold something confidential, all but names; and what they are made of.
    pub(super) values: Vec<String>,
}

impl Statement {
    /// Reads a statement for a kind of server.
    pub fn read(dialect: Dialect, parts: &[StatementPart<'_>]) -> Result<Self, StatementError> {
        let mut pieces = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            match *part {
                StatementPart::Text(text) => pieces.push(Piece::Text(text.to_owned())),
                StatementPart::Expression(source) => {
                    let before = at.checked_sub(1).map(|before| parts[before]);
                    let piece = value(dialect, source, before, parts.get(at + 1).copied());
                    pieces.push(piece.map_err(|(message, mend)| StatementError {
                        message,
                        mend,
                        expression: Some(source.to_owned()),
                    })?);
                }
            }
        }
        if !pieces.iter().any(Piece::says) {
            return Err(StatementError {
                message: "the statement is empty".to_owned(),
                mend: "write it, or leave it out".to_owned(),
                expression: None,
            });
        }
        Ok(Self { pieces, dialect })
    }

    /// Its expressions, without their filters.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Value(expression, _) => Some(expression),
        })
    }

    /// The kind of server that it was read for.
    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn render(&self, scope: &Scope<'_>) -> Result<Rendered, RenderError> {
        let draw = Draw::new(0);
        let mut rendered = Rendered {
            sql: String::new(),
            values: Vec::new(),
        };
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => rendered.sql.push_str(text),
                Piece::Value(expression, filter) => {
                    let value = expression.eval(scope, &draw)?;
                    let word = filter.quote(self.dialect, &value).map_err(|why| {
                        RenderError::unusable(expression, format!("{why} (`{}`)", filter.name()))
                    })?;
                    rendered.sql.push_str(&word);
                    if !filter.is_name() {
                        rendered.values.push(word);
                        rendered.values.extend(value.as_str().map(str::to_owned));
                    }
                }
            }
        }
        Ok(rendered)
    }
}

impl Piece {
    fn says(&self) -> bool {
        match self {
            Self::Text(text) => !text.trim().is_empty(),
            Self::Value(..) => true,
        }
    }
}

fn filters(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "put one last: `ident` for a name, `literal` for a text, `int` for a number, `scram` for a password"
        }
        Dialect::MySql => {
            "put one last: `ident` for a name, `user` for a login's, `pattern` for a database in GRANT, `literal` for a text, `int` for a number, `native_hash` for a password"
        }
    }
}

fn value(
    dialect: Dialect,
    source: &str,
    before: Option<StatementPart<'_>>,
    after: Option<StatementPart<'_>>,
) -> Result<Piece, (String, String)> {
    let split = Expression::split_filter(source);
    let Some((inner, filter)) = split.and_then(|(inner, name)| Some((inner, Filter::named(name)?)))
    else {
        return Err((
            "passes no filter that makes it one word of SQL".to_owned(),
            filters(dialect).to_owned(),
        ));
    };
    if !filter.is_of(dialect) {
        return Err((
            format!(
                "passes `{}`, which {} does not read",
                filter.name(),
                dialect.name()
            ),
            filters(dialect).to_owned(),
        ));
    }
    let place = match before {
        None => Ok(()),
        Some(StatementPart::Text(text)) => lexer::before(dialect, text, filter),
        Some(StatementPart::Expression(_)) => Err(lexer::Misplaced::Beside('}')),
    };
    let place = place.and_then(|()| match after {
        None => Ok(()),
        Some(StatementPart::Text(text)) => lexer::after(text, filter),
        Some(StatementPart::Expression(_)) => Err(lexer::Misplaced::Beside('{')),
    });
    place.map_err(|misplaced| {
        let (message, mend) = misplaced.told();
        (message, mend.to_owned())
    })?;
    let expression = Expression::compile(inner).map_err(|error| {
        let mend = "write an expression of names, filters and operators".to_owned();
        (error.to_string(), mend)
    })?;
    if !expression.functions().is_empty() {
        return Err((
            "would be made anew with every attempt".to_owned(),
            "make it in `instance.values` or `binding.values`, which are stored".to_owned(),
        ));
    }
    Ok(Piece::Value(expression, filter))
}

// What a reference brought in may be confidential.
impl fmt::Debug for Statement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.expressions()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, text: &str) -> Result<Statement, StatementError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("{{") {
            let (source, behind) = from.split_once("}}").expect("a closed expression");
            if !before.is_empty() {
                parts.push(StatementPart::Text(before));
            }
            parts.push(StatementPart::Expression(source));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(StatementPart::Text(rest));
        }
        Statement::read(dialect, &parts)
    }

    #[test]
    fn an_expression_without_a_filter_or_in_a_wrong_place_is_refused() {
        for (text, word) in [
            ("DROP ROLE {{ binding.id }}", "no filter"),
            ("DROP ROLE {{ binding.id | lower }}", "no filter"),
            ("DROP ROLE {{ binding.id | ident | lower }}", "no filter"),
            ("DROP ROLE {{ (binding.id | ident) }}", "no filter"),
            ("DROP ROLE {{ binding.id | ident('x') }}", "no filter"),
            ("DROP ROLE {{ 'a | ident' }}", "no filter"),
            ("DROP ROLE {{ | ident }}", "nothing stands"),
            ("SELECT '{{ binding.id | literal }}'", "quotes"),
            ("SELECT \"{{ binding.id | ident }}\"", "quotes"),
            ("DO $$ BEGIN {{ binding.id | literal }} END $$", "dollar"),
            ("SELECT 1 -- {{ binding.id | literal }}", "comment"),
            ("SELECT E{{ binding.id | literal }}", "beside `E`"),
            ("SELECT {{ 1 | int }}{{ 2 | int }}", "beside `{`"),
            ("SELECT -{{ binding.id | int }}", "beside `-`"),
            ("SELECT {{ random_password(9) | literal }}", "anew"),
            ("  ", "empty"),
        ] {
            let error = read(Dialect::Postgres, text).expect_err(text);
            assert!(error.message.contains(word), "{text}: {}", error.message);
        }
    }

    #[test]
    fn a_filter_takes_the_whole_of_what_stands_before_it() {
        for text in [
            "DROP ROLE {{ 'a' ~ binding.id | ident }}",
            "DROP ROLE {{ binding.id | lower | replace('-', '_') | ident }}",
            "ALTER TABLE {{ with.schema | ident }}.{{ with.table | ident }} OWNER TO CURRENT_USER",
            "SELECT f({{ binding.id | literal }}::text, {{ with.n | int }})",
        ] {
            let read = read(Dialect::Postgres, text);
            assert!(read.is_ok(), "{text}: {:?}", read.err());
        }
    }

    #[test]
    fn a_filter_of_another_server_is_refused() {
        for (dialect, filter) in [
            (Dialect::Postgres, "user"),
            (Dialect::Postgres, "pattern"),
            (Dialect::Postgres, "native_hash"),
            (Dialect::MySql, "scram"),
        ] {
            let text = format!("SELECT {{{{ binding.id | {filter} }}}}");
            let error = read(dialect, &text).expect_err(filter);
            assert!(error.message.contains("does not read"), "{}", error.message);
            let other = Dialect::ALL.into_iter().find(|other| *other != dialect);
            assert!(read(other.expect("another"), &text).is_ok(), "{text}");
        }
    }
}
