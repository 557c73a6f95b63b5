//! Where in a statement a value may stand. A value is quoted by its filter, and a quoted value means itself only where a
//! value is read: in a quoted text, a dollar-quoted one or a comment it would be something else, and beside a letter or a
//! quote it would become a part of what stands there (`E{{ }}`, `'a'{{ }}`, `-{{ }}`).

mod mysql;

use super::dialect::Dialect;
use super::quote::Filter;

/// Why no value may stand in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misplaced {
    /// In a quoted text: it has quotes of its own.
    Quoted,
    /// In a dollar-quoted text.
    DollarQuoted,
    /// In a comment.
    Comment,
    /// Behind the beginning of a comment whose text some servers run.
    Executed,
    /// Beside something that it would become a part of.
    Beside(char),
}

impl Misplaced {
    /// What is wrong, and what to do.
    pub(super) fn told(self) -> (String, &'static str) {
        match self {
            Self::Quoted => (
                "stands between quotes, and the filter brings its own".to_owned(),
                "leave the quotes out",
            ),
            Self::DollarQuoted => (
                "stands in a dollar-quoted text, where no filter can quote it".to_owned(),
                "write plain statements, with `only_if` or `unless`, or hand it to a function as an argument",
            ),
            Self::Comment => (
                "stands in a comment".to_owned(),
                "remove it, or end the comment before it",
            ),
            Self::Executed => (
                "stands in or behind a comment (`/*!`) whose text some servers run".to_owned(),
                "write the statement without that comment",
            ),
            Self::Beside(sign) => (
                format!("stands beside `{sign}`, and would become a part of what stands there"),
                "put a space between them, or join texts in the expression with `~`",
            ),
        }
    }
}

/// What the text before a value leaves open, with the sign beside it.
pub(super) fn before(dialect: Dialect, text: &str, filter: Filter) -> Result<(), Misplaced> {
    let open = match dialect {
        Dialect::Postgres => ending(text),
        Dialect::MySql => mysql::ending(text),
    };
    if let Some(open) = open {
        return Err(open.into());
    }
    match text.chars().next_back() {
        None | Some(' ' | '\t' | '\r' | '\n' | '(' | ',' | '[' | '=') => Ok(()),
        Some('.') if filter == Filter::Ident => Ok(()),
        Some(sign) => Err(Misplaced::Beside(sign)),
    }
}

/// The sign behind a value.
pub(super) fn after(text: &str, filter: Filter) -> Result<(), Misplaced> {
    match text.chars().next() {
        None | Some(' ' | '\t' | '\r' | '\n' | ')' | ',' | ']' | ';' | ':' | '=') => Ok(()),
        Some('.') if matches!(filter, Filter::Ident | Filter::Pattern) => Ok(()),
        Some('@') if filter == Filter::User => Ok(()),
        Some(sign) => Err(Misplaced::Beside(sign)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Single,
    Double,
    Dollar,
    Comment,
    Executed,
}

impl From<Open> for Misplaced {
    fn from(open: Open) -> Self {
        match open {
            Open::Single | Open::Double => Self::Quoted,
            Open::Dollar => Self::DollarQuoted,
            Open::Comment => Self::Comment,
            Open::Executed => Self::Executed,
        }
    }
}

/// What is still open at the end of a text that begins where values may stand.
fn ending(text: &str) -> Option<Open> {
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '$', '-', '/']) {
        let (before, from) = rest.split_at(at);
        let closed = match from.as_bytes() {
            [b'\'', ..] => single(&from[1..], has_escapes(before)).ok_or(Open::Single),
            [b'"', ..] => past(&from[1..], "\"").ok_or(Open::Double),
            [b'-', b'-', ..] => line(from).ok_or(Open::Comment),
            [b'/', b'*', ..] => block(&from[2..]).ok_or(Open::Comment),
            [b'$', ..] if !continues(before) => dollar(from).ok_or(Open::Dollar),
            _ => Ok(&from[1..]),
        };
        match closed {
            Ok(behind) => rest = behind,
            Err(open) => return Some(open),
        }
    }
    None
}

fn past<'t>(text: &'t str, end: &str) -> Option<&'t str> {
    text.find(end).map(|at| &text[at + end.len()..])
}

fn line(text: &str) -> Option<&str> {
    text.find(['\n', '\r']).map(|at| &text[at + 1..])
}

/// Behind the quote that ends a text; two of them are one in the text, and read as the end of one and the beginning of
/// another they come to the same, as long as the second knows of the escapes too.
fn single(mut text: &str, escapes: bool) -> Option<&str> {
    loop {
        let at = text.find(['\'', '\\'])?;
        if text.as_bytes().get(at) == Some(&b'\\') {
            let next = text[at + 1..].chars().next().filter(|_| escapes);
            text = &text[at + 1 + next.map_or(0, char::len_utf8)..];
            continue;
        }
        match text.as_bytes().get(at + 1) {
            Some(b'\'') => text = &text[at + 2..],
            _ => return Some(&text[at + 1..]),
        }
    }
}

/// Whether a quote behind this text begins one with backslashes that mean something: `E'...'`.
fn has_escapes(before: &str) -> bool {
    before
        .strip_suffix(['e', 'E'])
        .is_some_and(|before| !continues(before))
}

/// Whether the text ends within a name or a number.
fn continues(before: &str) -> bool {
    let last = before.chars().next_back();
    last.is_some_and(|sign| sign.is_alphanumeric() || matches!(sign, '_' | '$') || !sign.is_ascii())
}

/// Comments nest.
fn block(mut text: &str) -> Option<&str> {
    let mut depth = 1;
    while depth > 0 {
        let at = text.find(['*', '/'])?;
        let from = &text[at..];
        let length = match from.as_bytes() {
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            _ => 1,
        };
        text = &from[length..];
    }
    Some(text)
}

/// Behind a dollar-quoted text; behind the sign alone where it begins none, as in `$1`.
fn dollar(from: &str) -> Option<&str> {
    let tag = from[1..].find('$').map(|at| &from[..at + 2]);
    let name = tag.map(|tag| &tag[1..tag.len() - 1]);
    let begins = name.is_some_and(|name| {
        !name.starts_with(|sign: char| sign.is_ascii_digit())
            && name
                .chars()
                .all(|sign| sign.is_alphanumeric() || sign == '_' || !sign.is_ascii())
    });
    match tag {
        Some(tag) if begins => past(&from[tag.len()..], tag),
        _ => Some(&from[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_where_values_are_read_and_nowhere_else() {
        let quoted = Err(Misplaced::Quoted);
        let comment = Err(Misplaced::Comment);
        for (text, expected) in [
            ("", Ok(())),
            ("CREATE ROLE ", Ok(())),
            ("f(", Ok(())),
            ("f(1,", Ok(())),
            ("a =", Ok(())),
            ("'it''s' = ", Ok(())),
            (r"'\' = ", Ok(())),
            (r"E'\' = ", quoted),
            (r"e'\\' = ", Ok(())),
            (r"nE'\' = ", Ok(())),
            ("\"a\"\"b\" = ", Ok(())),
            ("'a' || '", quoted),
            ("'it''", quoted),
            ("\"", quoted),
            ("SELECT $$ ", Err(Misplaced::DollarQuoted)),
            ("SELECT $a$ $$ ", Err(Misplaced::DollarQuoted)),
            ("SELECT $a$ $$ $a$ || ", Ok(())),
            ("SELECT $ä$ ' ", Err(Misplaced::DollarQuoted)),
            ("SELECT $1 || ' ' || ", Ok(())),
            ("SELECT a$b$ || ", Ok(())),
            ("-- it's\n", Ok(())),
            ("-- it's ", comment),
            ("-- it's\r 'a", quoted),
            ("/* ' */ ", Ok(())),
            ("/* /* */ ", comment),
            ("/* /* */ */ ", Ok(())),
            ("1 - ", Ok(())),
            ("1 -", Err(Misplaced::Beside('-'))),
            ("E", Err(Misplaced::Beside('E'))),
            ("U&", Err(Misplaced::Beside('&'))),
            ("'a'", Err(Misplaced::Beside('\''))),
            ("ä", Err(Misplaced::Beside('ä'))),
            ("$", Err(Misplaced::Beside('$'))),
            ("a.", Err(Misplaced::Beside('.'))),
        ] {
            assert_eq!(
                before(Dialect::Postgres, text, Filter::Literal),
                expected,
                "{text:?}"
            );
        }
        assert_eq!(before(Dialect::Postgres, "a.", Filter::Ident), Ok(()));
        assert_eq!(after(".b", Filter::Ident), Ok(()));
        assert_eq!(after("::text", Filter::Literal), Ok(()));
        for text in ["'b'", "b", "\"", ".5", "$1", "-- x"] {
            assert!(after(text, Filter::Literal).is_err(), "{text:?}");
        }
    }
}
