//! The words of MySQL and MariaDB. A session's `sql_mode` and charset are set when it begins, but a statement may change
//! them, so a word relies on neither:
//!
//! - Two quotes are one in every mode, and no charset that a client may have reads a quote as a part of a longer sign. What
//!   a backslash means depends on the mode, so a text with one is written as its bytes. That form alone would not do, for
//!   the grammar takes none behind COMMENT and IDENTIFIED.
//! - A name stands in backquotes, which mean the same in every mode. There are charsets that read one as a part of a longer
//!   sign: before a statement with other signs than ASCII's the session's charset is set anew.

use sha1::{Digest as _, Sha1};

/// How long a name may be, in characters.
const LONGEST: usize = 64;

/// How long the name of a login may be: MariaDB would take 80.
const LONGEST_USER: usize = 32;

pub(super) fn ident(name: &str) -> Result<String, &'static str> {
    named(
        name,
        LONGEST,
        "is longer than a name of the server's can be, which is 64 characters",
    )
}

pub(super) fn user(name: &str) -> Result<String, &'static str> {
    named(
        name,
        LONGEST_USER,
        "is longer than the name of a login can be, which is 32 characters",
    )
}

/// A database's name where GRANT reads `_` and `%` as any sign. The table that keeps it there has no room for more.
pub(super) fn pattern(name: &str) -> Result<String, &'static str> {
    ident(name)?;
    let escaped = name.chars().fold(String::new(), |mut escaped, sign| {
        if matches!(sign, '_' | '%' | '\\') {
            escaped.push('\\');
        }
        escaped.push(sign);
        escaped
    });
    ident(&escaped).map_err(|_| {
        "is longer than GRANT can take: each `_`, `%` and backslash counts twice there, and 64 is the most"
    })
}

fn named(name: &str, longest: usize, too_long: &'static str) -> Result<String, &'static str> {
    if name.is_empty() {
        return Err("is empty, and no name is");
    }
    if name.chars().count() > longest {
        return Err(too_long);
    }
    if name.ends_with(char::is_whitespace) {
        return Err("ends with a space, and the server would cut it off");
    }
    // They would become question marks, and two names one.
    if name.chars().any(|sign| sign.len_utf8() > 3) {
        return Err("holds a character beyond U+FFFF, which no name of the server's can have");
    }
    Ok(format!("`{}`", name.replace('`', "``")))
}

pub(super) fn literal(text: &str) -> String {
    if text.contains('\\') {
        let hex = hex(text.as_bytes());
        return format!("_utf8mb4 x'{hex}'");
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// What the plugin `mysql_native_password` keeps of a password.
pub(super) fn native_hash(password: &str) -> String {
    let twice = Sha1::digest(Sha1::digest(password.as_bytes()));
    format!("'*{}'", hex(&twice).to_ascii_uppercase())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |of: u8| char::from(DIGITS[usize::from(of & 15)]);
    bytes.iter().fold(String::new(), |mut text, byte| {
        text.push(digit(byte >> 4));
        text.push(digit(*byte));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_means_the_same_in_every_mode() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\"; #"), "'\"; #'");
        assert_eq!(literal("\\' or"), "_utf8mb4 x'5c27206f72'");
        assert_eq!(literal(""), "''");
        assert_eq!(
            ident("a`; DROP--\"'\\").as_deref(),
            Ok("`a``; DROP--\"'\\`")
        );
        assert_eq!(pattern("d_a%\\").as_deref(), Ok("`d\\_a\\%\\\\`"));
        for name in ["", "a ", "a\n", "😀"] {
            assert!(ident(name).is_err(), "{name:?}");
            assert!(user(name).is_err(), "{name:?}");
        }
        assert!(ident(&"ä".repeat(64)).is_ok());
        assert!(ident(&"a".repeat(65)).is_err());
        assert!(user(&"ä".repeat(32)).is_ok());
        assert!(user(&"a".repeat(33)).is_err());
        assert!(pattern(&"a".repeat(64)).is_ok());
        assert!(pattern(&"_".repeat(33)).is_err());
    }

    /// As `SELECT PASSWORD('password')` has it.
    #[test]
    fn the_hash_is_the_servers_own() {
        assert_eq!(
            native_hash("password"),
            "'*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'"
        );
    }
}
