//! What can go wrong with a server, and what comes of it: another attempt, or none. The platform's user is told in
//! words of ours, the log more; neither is told a value.

use tokio_postgres::error::SqlState;

use crate::domain::backend::{Failure, Outcome};
use crate::domain::operation::Kind;
use crate::postgres::told;
use crate::template::RenderError;

/// Why an attempt did not come to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// All connections are in use.
    Full,
    /// The server is not there, or lets nobody in.
    Connecting(tokio_postgres::Error),
    /// It took too long.
    Slow(&'static str),
    /// A statement was refused; which, and the values that its words hold.
    Statement {
        /// Counts from 1.
        at: usize,
        error: tokio_postgres::Error,
        values: Vec<String>,
        /// What was asked before it.
        asked: Asked,
    },
    /// A value fits no statement.
    Rendering { at: usize, error: RenderError },
}

/// What was asked before a statement, and answered so that it was run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whether what it makes is there: it was not (`unless`).
    pub(super) unless: bool,
    /// Whether what it is about is there: it was (`only_if`).
    pub(super) only_if: bool,
}

const AWAY: &str = "The database server cannot be reached at the moment.";
const FULL: &str = "The database server has no connection free at the moment.";
const LOGIN: &str = "The database server refuses the broker's own login. Ask the operator of the broker: its password may have been changed.";
const BUSY: &str = "The database server could not carry this out at the moment.";

impl Trouble {
    /// The same, of a statement before which this was asked.
    pub(super) fn after_question(mut self, was: Asked) -> Self {
        if let Self::Statement { asked, .. } = &mut self {
            *asked = was;
        }
        self
    }

    /// Whether the database that was to be connected to is not there.
    pub(super) fn is_no_database(&self) -> bool {
        matches!(self, Self::Connecting(error) if error.code() == Some(&SqlState::INVALID_CATALOG_NAME))
    }

    /// Whether the values are to blame that the user asked for: with the same ones it would fail again. All else can be mended
    /// by an operator, or passes.
    pub(super) fn is_of_values(&self) -> bool {
        match self {
            Self::Rendering { .. } => true,
            Self::Statement { error, .. } => {
                let class = error.code().map(|code| &code.code()[..2]);
                matches!(class, Some("22" | "23"))
            }
            Self::Full | Self::Connecting(_) | Self::Slow(_) => false,
        }
    }

    /// What comes of it.
    pub(super) fn outcome(&self, kind: Kind) -> Outcome {
        match self {
            Self::Full => again(FULL),
            Self::Slow(_) => again(BUSY),
            Self::Connecting(error) => match error.code().map(SqlState::code) {
                Some(code) if code.starts_with("28") => again(LOGIN),
                Some("3D000") => failed(
                    "The database to connect to is not there. Ask the operator of the broker."
                        .to_owned(),
                ),
                Some(code) if code.starts_with("53") => again(FULL),
                _ if is_config(error) => again(LOGIN),
                _ => again(AWAY),
            },
            Self::Statement {
                at, error, asked, ..
            } => match error.code() {
                None => again(AWAY),
                Some(code) if passes(code, kind) => again(BUSY),
                // Another attempt may have been quicker: the next one is told so by `unless`, or by `only_if`.
                Some(code) if asked.unless && is_there(code) => again(&refused(*at, code, kind)),
                Some(code) if asked.only_if && kind.removes() && is_gone(code) => {
                    again(&refused(*at, code, kind))
                }
                Some(code) => failed(refused(*at, code, kind)),
            },
            // Nothing was run yet. Of what is made nothing is kept then, which could not be named when it is removed.
            Self::Rendering { error, .. } if !kind.removes() => Outcome::Refused(
                format!(
                    "This cannot be done with the values that it has: one {}.",
                    error.sentence()
                )
                .into(),
            ),
            Self::Rendering { at, .. } => failed(format!(
                "Statement {at} of `{kind}` cannot be made of the values at hand. Ask the operator of the broker: its log names the expression."
            )),
        }
    }

    /// What the log reads.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Full => "no connection became free in time (`connections`)".to_owned(),
            Self::Slow(what) => format!("{what} took too long (`timeout`)"),
            Self::Connecting(error) => format!("connecting: {}", told(error)),
            Self::Statement {
                at, error, values, ..
            } => {
                format!("statement {at}: {}", without(values, &told(error)))
            }
            Self::Rendering { at, error } => format!("statement {at}: {error}"),
        }
    }
}

/// The server's words may quote a part of the statement: without what may be confidential of it. What its words hold is
/// looked for as the server reads it, and a short one may be anywhere.
fn without(values: &[String], text: &str) -> String {
    let mut text = text.to_owned();
    for word in values {
        let value = word.trim_start_matches('E').trim_matches('\'');
        for form in [
            value.to_owned(),
            value.replace("''", "'"),
            value.replace("''", "'").replace("\\\\", "\\"),
        ] {
            if form.len() > 2 {
                text = text.replace(&form, crate::secret::MASK);
            }
        }
    }
    text
}

/// Whether it is over the next time: the server is stopping, starting or full, or another transaction was in the way.
/// Who removes may find what was made a moment ago.
fn passes(code: &SqlState, kind: Kind) -> bool {
    let class = &code.code()[..2];
    let passing = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::OBJECT_IN_USE,
        SqlState::UNIQUE_VIOLATION,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        // "tuple concurrently updated"
        SqlState::INTERNAL_ERROR,
        SqlState::IO_ERROR,
    ];
    ["08", "40", "53", "57"].contains(&class)
        || passing.contains(code)
        || (kind.removes() && *code == SqlState::DEPENDENT_OBJECTS_STILL_EXIST)
}

/// Whether what was to be made is there already.
fn is_there(code: &SqlState) -> bool {
    let there = [
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_DATABASE,
        SqlState::DUPLICATE_SCHEMA,
    ];
    there.contains(code)
}

/// Whether what was to be removed is not there.
fn is_gone(code: &SqlState) -> bool {
    let gone = [
        SqlState::UNDEFINED_OBJECT,
        SqlState::UNDEFINED_DATABASE,
        SqlState::INVALID_CATALOG_NAME,
        SqlState::INVALID_SCHEMA_NAME,
    ];
    gone.contains(code)
}

fn refused(at: usize, code: &SqlState, kind: Kind) -> String {
    format!(
        "The database server refused statement {at} of `{kind}`: {} (SQLSTATE {}). Ask the operator of the broker.",
        condition(code),
        code.code()
    )
}

/// Whether the URL has no login that the server asks for.
fn is_config(error: &tokio_postgres::Error) -> bool {
    error.to_string().contains("authentication") || told(error).contains("password missing")
}

/// A few words for the commonest; the number says the rest.
fn condition(code: &SqlState) -> &'static str {
    match code.code() {
        "42501" => "its login has not the privilege",
        "42601" => "it has a syntax error",
        "42710" | "42P04" | "42P06" | "42P07" => "something of that name is there already",
        "42704" | "3D000" | "3F000" | "42P01" | "42883" => "something that it names is not there",
        "2BP01" => "something still depends on what it removes",
        code if code.starts_with("22") => "a value does not fit",
        code if code.starts_with("23") => "a constraint is against it",
        code if code.starts_with("42") => "it is not valid",
        code if code.starts_with("0A") => "the server cannot do this",
        "25001" => "it cannot run in a transaction",
        _ => "it could not be carried out",
    }
}

fn again(description: &str) -> Outcome {
    Outcome::Again {
        after: None,
        description: Some(description.to_owned()),
    }
}

fn failed(description: String) -> Outcome {
    Outcome::Failed(Failure {
        description,
        ..Failure::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_quotes_is_told_without_values() {
        let values = [
            "'it''s MARKED'".to_owned(),
            "E'a\\\\b'".to_owned(),
            "5".to_owned(),
        ];
        let told = without(&values, "invalid \"it's MARKED\" or a\\b near 5");
        assert_eq!(told, "invalid \"***\" or *** near 5");
    }

    #[test]
    fn what_passes_is_tried_again() {
        for (code, kind, expected) in [
            ("40001", Kind::Bind, true),
            ("40P01", Kind::Bind, true),
            ("53300", Kind::Bind, true),
            ("55006", Kind::Provision, true),
            ("57P01", Kind::Bind, true),
            ("XX000", Kind::Bind, true),
            ("42501", Kind::Bind, false),
            ("42601", Kind::Bind, false),
            ("42710", Kind::Bind, false),
            ("2BP01", Kind::Bind, false),
            ("2BP01", Kind::Unbind, true),
        ] {
            assert_eq!(passes(&SqlState::from_code(code), kind), expected, "{code}");
        }
    }
}
