//! How MySQL and MariaDB read a text. What a backslash and a double quote mean there depends on `sql_mode`, so a text is
//! read both ways, and a value stands only where both agree.

use super::{Open, continues, dollar, past};

/// What is still open at the end of a text that begins where values may stand.
pub(super) fn ending(text: &str) -> Option<Open> {
    read(text, true).or_else(|| read(text, false))
}

fn read(text: &str, escapes: bool) -> Option<Open> {
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '`', '$', '-', '/', '#']) {
        let (before, from) = rest.split_at(at);
        let closed = match from.as_bytes() {
            [b'\'', ..] => quoted(&from[1..], b'\'', escapes).ok_or(Open::Single),
            // An identifier, where the server reads it so, has no escapes; one whose reading hangs on that is refused.
            [b'"', ..] => quoted(&from[1..], b'"', escapes).ok_or(Open::Double),
            [b'`', ..] => past(&from[1..], "`").ok_or(Open::Double),
            [b'#', ..] => line(from).ok_or(Open::Comment),
            [b'-', b'-', next, ..] if next.is_ascii_whitespace() || next.is_ascii_control() => {
                line(&from[2..]).ok_or(Open::Comment)
            }
            // What stands in it is run, by some servers.
            [b'/', b'*', b'!', ..] | [b'/', b'*', b'M', b'!', ..] => Err(Open::Executed),
            // They do not nest.
            [b'/', b'*', ..] => past(&from[2..], "*/").ok_or(Open::Comment),
            [b'$', ..] if !continues(before) => quoted_by_dollars(from),
            _ => Ok(&from[1..]),
        };
        match closed {
            Ok(behind) => rest = behind,
            Err(open) => return Some(open),
        }
    }
    None
}

/// Only a newline ends a comment here: a carriage return does not.
fn line(text: &str) -> Option<&str> {
    text.find('\n').map(|at| &text[at + 1..])
}

/// Some servers read a dollar-quoted text there, the others names with dollars in them.
fn quoted_by_dollars(from: &str) -> Result<&str, Open> {
    match dollar(from) {
        Some(behind) if behind.len() == from.len() - 1 => Ok(behind),
        _ => Err(Open::Dollar),
    }
}

/// Behind the quote that ends a text; two of them are one in it.
fn quoted(mut text: &str, quote: u8, escapes: bool) -> Option<&str> {
    loop {
        let at = text.find([char::from(quote), '\\'])?;
        if text.as_bytes().get(at) == Some(&b'\\') {
            let next = text[at + 1..].chars().next().filter(|_| escapes);
            text = &text[at + 1 + next.map_or(0, char::len_utf8)..];
            continue;
        }
        match text.as_bytes().get(at + 1) {
            Some(next) if *next == quote => text = &text[at + 2..],
            _ => return Some(&text[at + 1..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Misplaced, after, before};
    use crate::backend::sql::dialect::Dialect::MySql;
    use crate::backend::sql::quote::Filter;

    #[test]
    fn a_value_stands_where_every_server_reads_one() {
        let quoted = Err(Misplaced::Quoted);
        let comment = Err(Misplaced::Comment);
        for (text, expected) in [
            ("CREATE USER ", Ok(())),
            ("'it''s' = ", Ok(())),
            ("\"it\"\"s\" = ", Ok(())),
            ("`a``b'` = ", Ok(())),
            ("`a\\` = ", Ok(())),
            ("`a", quoted),
            ("'it''", quoted),
            ("\"", quoted),
            // What a backslash means depends on the server's mode.
            (r"'\' = ", quoted),
            (r"'\\' = ", Ok(())),
            (r"'\'' = ", quoted),
            (r"'\n' = ", Ok(())),
            ("\"\\\" = ", quoted),
            ("# it's\n", Ok(())),
            ("# it's ", comment),
            ("-- it's\n", Ok(())),
            ("-- it's ", comment),
            ("-- it's\r ", comment),
            ("--it's\n' = ", Ok(())),
            ("1--1, ", Ok(())),
            ("/* ' */ ", Ok(())),
            ("/* /* */ ", Ok(())),
            ("/* /* */ */ ' ", quoted),
            ("/* ", comment),
            ("/*! 1 */ ", Err(Misplaced::Executed)),
            ("/*M!100100 1 */ ", Err(Misplaced::Executed)),
            ("'/*! */' = ", Ok(())),
            ("$$ ' $$ ", Err(Misplaced::DollarQuoted)),
            ("$a$ ", Err(Misplaced::DollarQuoted)),
            ("a$b$ = ", Ok(())),
            ("1 -", Err(Misplaced::Beside('-'))),
            ("x", Err(Misplaced::Beside('x'))),
            ("_utf8mb4", Err(Misplaced::Beside('4'))),
            ("'a'", Err(Misplaced::Beside('\''))),
            ("@", Err(Misplaced::Beside('@'))),
        ] {
            assert_eq!(before(MySql, text, Filter::Literal), expected, "{text:?}");
        }
        assert_eq!(before(MySql, "`a`.", Filter::Ident), Ok(()));
        assert_eq!(after(".*", Filter::Pattern), Ok(()));
        assert_eq!(after("@'%'", Filter::User), Ok(()));
        assert!(after("@'%'", Filter::Literal).is_err());
    }
}
