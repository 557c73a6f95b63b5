//! What can go wrong with a server, and what comes of it: another attempt, or none. The platform's user is told in
//! words of ours, the log more; neither is told a value.

use super::link::{Cause, Refusal};
use crate::domain::backend::{Failure, Outcome};
use crate::domain::operation::Kind;
use crate::template::RenderError;

/// Why an attempt did not come to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// All connections are in use.
    Full,
    /// The server is not there, or lets nobody in.
    Connecting(Refusal),
    /// It took too long.
    Slow(&'static str),
    /// A statement was refused; which, and the values that its words hold.
    Statement {
        /// Counts from 1.
        at: usize,
        error: Refusal,
        values: Vec<String>,
        /// What was asked before it.
        asked: Asked,
    },
    /// A value fits no statement.
    Rendering { at: usize, error: RenderError },
    /// What the server answered fits no statement. Others were run before.
    Row { at: usize, error: RenderError },
}

/// What was asked before a statement, and answered so that it was run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whether what it makes is there: it was not (`unless`).
    pub(super) unless: bool,
    /// Whether what it is about is there: it was (`only_if`, or a row of `each`).
    pub(super) only_if: bool,
}

const AWAY: &str = "The database server cannot be reached at the moment.";
const FULL: &str = "The database server has no connection free at the moment.";
const LOGIN: &str = "The database server refuses the broker's own login. Ask the operator of the broker: its password may have been changed.";
const BUSY: &str = "The database server could not carry this out at the moment.";

impl Trouble {
    /// Whether the database that was to be connected to is not there.
    pub(super) fn is_no_database(&self) -> bool {
        matches!(self, Self::Connecting(error) if error.cause() == Cause::NoDatabase)
    }

    /// Whether what was to be ended has ended by itself.
    pub(super) fn is_ended(&self) -> bool {
        matches!(self, Self::Statement { error, .. } if error.cause() == Cause::Ended)
    }

    /// Whether the values are to blame that the user asked for: with the same ones it would fail again. All else can be mended
    /// by an operator, or passes.
    pub(super) fn is_of_values(&self) -> bool {
        match self {
            Self::Rendering { .. } => true,
            Self::Statement { error, .. } => error.is_of_values(),
            Self::Full | Self::Connecting(_) | Self::Slow(_) | Self::Row { .. } => false,
        }
    }

    /// What comes of it.
    pub(super) fn outcome(&self, kind: Kind) -> Outcome {
        match self {
            Self::Full => again(FULL),
            Self::Slow(_) => again(BUSY),
            Self::Connecting(error) => match error.cause() {
                Cause::Login => again(LOGIN),
                Cause::NoDatabase => failed(
                    "The database to connect to is not there. Ask the operator of the broker."
                        .to_owned(),
                ),
                Cause::Full => again(FULL),
                _ => again(AWAY),
            },
            Self::Statement {
                at, error, asked, ..
            } => match error.cause() {
                Cause::Away => again(AWAY),
                Cause::Passing | Cause::Full | Cause::Ended => again(BUSY),
                Cause::DependedOn if kind.removes() => again(BUSY),
                // Another attempt may have been quicker: the next one is told so by `unless`, or by `only_if` and `each`.
                cause if asked.unless && cause.is_there() => again(&refused(*at, error, kind)),
                cause if asked.only_if && kind.removes() && cause.is_not_there() => {
                    again(&refused(*at, error, kind))
                }
                _ => failed(refused(*at, error, kind)),
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
            Self::Row { at, .. } => failed(format!(
                "Statement {at} of `{kind}` cannot be made of what the database server answered. Ask the operator of the broker: its log names the expression."
            )),
        }
    }

    /// What the log reads.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Full => "no connection became free in time (`connections`)".to_owned(),
            Self::Slow(what) => format!("{what} took too long (`timeout`)"),
            Self::Connecting(error) => format!("connecting: {}", error.told()),
            Self::Statement {
                at, error, values, ..
            } => {
                format!("statement {at}: {}", without(values, &error.told()))
            }
            Self::Rendering { at, error } => format!("statement {at}: {error}"),
            Self::Row { at, error } => format!("statement {at}, for a row of `each`: {error}"),
        }
    }
}

/// How many characters of a value are taken for a part of it, where a server cut it.
const BEGINNING: usize = 8;

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
                text = without_beginning(&form, &text);
            }
        }
    }
    text
}

fn without_beginning(value: &str, text: &str) -> String {
    let Some((length, _)) = value.char_indices().nth(BEGINNING) else {
        return text.to_owned();
    };
    let Some(from) = text.find(&value[..length]) else {
        return text.to_owned();
    };
    let same = value.chars().zip(text[from..].chars());
    let same = same.take_while(|(one, other)| one == other);
    let length: usize = same.map(|(sign, _)| sign.len_utf8()).sum();
    let (before, behind) = (&text[..from], &text[from + length..]);
    format!("{before}{}{behind}", crate::secret::MASK)
}

fn refused(at: usize, error: &Refusal, kind: Kind) -> String {
    format!(
        "The database server refused statement {at} of `{}`: {}. Ask the operator of the broker.",
        kind.name(),
        error.condition()
    )
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

    /// A server may cut what it repeats.
    #[test]
    fn a_part_of_a_value_is_a_part_of_a_secret() {
        let values = [
            "'long MARKED secret'".to_owned(),
            "long MARKED secret".to_owned(),
        ];
        let told = without(&values, "Duplicate entry 'long MARKED s' for key 'k'");
        assert_eq!(told, "Duplicate entry '***' for key 'k'");
        let told = without(&values, "no longer");
        assert_eq!(told, "no longer");
    }
}
