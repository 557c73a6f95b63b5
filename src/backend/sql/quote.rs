//! The filters that every value of a statement passes. Each writes one word of SQL that the server reads as the value and
//! as nothing else, whatever the value is and however the server is set up (`standard_conforming_strings`, `sql_mode`).

mod mysql;

use serde_json::Value;

use super::dialect::Dialect;
use super::scram::verifier;

/// How long a name may be, in bytes: the server would cut a longer one off, and two could become one.
const LONGEST: usize = 63;

/// How long a password may be, in bytes: about what clients of the server take.
const LONGEST_PASSWORD: usize = 1024;

/// What makes a word of SQL of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// A name: of a role, a database, a schema.
    Ident,
    /// The name of a login of MySQL's: shorter than others, and before `@`.
    User,
    /// The name of a database where MySQL's GRANT takes one for a pattern.
    Pattern,
    /// A text constant.
    Literal,
    /// A whole number, without quotes.
    Int,
    /// A text constant: what PostgreSQL keeps of a password, and cannot be turned back into it.
    Scram,
    /// The same of MySQL and MariaDB.
    NativeHash,
}

impl Filter {
    const ALL: [Self; 7] = [
        Self::Ident,
        Self::User,
        Self::Pattern,
        Self::Literal,
        Self::Int,
        Self::Scram,
        Self::NativeHash,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ident => "ident",
            Self::User => "user",
            Self::Pattern => "pattern",
            Self::Literal => "literal",
            Self::Int => "int",
            Self::Scram => "scram",
            Self::NativeHash => "native_hash",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.name() == name)
    }

    /// Whether it writes what that server reads.
    pub(super) const fn is_of(self, dialect: Dialect) -> bool {
        match self {
            Self::Ident | Self::Literal | Self::Int => true,
            Self::Scram => matches!(dialect, Dialect::Postgres),
            Self::User | Self::Pattern | Self::NativeHash => matches!(dialect, Dialect::MySql),
        }
    }

    /// Whether what it writes is a name, which is nothing confidential.
    pub(super) const fn is_name(self) -> bool {
        matches!(self, Self::Ident | Self::User | Self::Pattern)
    }

    /// The word, or why the value makes none; never the value.
    pub(super) fn quote(self, dialect: Dialect, value: &Value) -> Result<String, &'static str> {
        match (self, dialect) {
            (Self::Ident, Dialect::Postgres) => ident(&text(value)?),
            (Self::Ident, Dialect::MySql) => mysql::ident(&text(value)?),
            (Self::User, _) => mysql::user(&text(value)?),
            (Self::Pattern, _) => mysql::pattern(&text(value)?),
            (Self::Literal, Dialect::Postgres) => Ok(literal(&text(value)?)),
            (Self::Literal, Dialect::MySql) => Ok(mysql::literal(&text(value)?)),
            (Self::Int, _) => int(value),
            (Self::Scram, _) => {
                let password = password(value)?;
                Ok(literal(&verifier(&password)))
            }
            (Self::NativeHash, _) => Ok(mysql::native_hash(&password(value)?)),
        }
    }
}

fn password(value: &Value) -> Result<String, &'static str> {
    match text(value)? {
        password if password.is_empty() => Err("is an empty password"),
        password if password.len() > LONGEST_PASSWORD => {
            Err("is longer than 1024 bytes, and no client logs in with that")
        }
        password => Ok(password),
    }
}

fn text(value: &Value) -> Result<String, &'static str> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null => return Err("is null: give it a value with `default`"),
        Value::Array(_) | Value::Object(_) => {
            return Err("is a list or a map: write it with `json`");
        }
    };
    if text.contains('\0') {
        return Err("holds the character NUL, which the server cannot take");
    }
    Ok(text)
}

fn ident(name: &str) -> Result<String, &'static str> {
    match name.len() {
        0 => Err("is empty, and no name is"),
        1..=LONGEST => Ok(format!("\"{}\"", name.replace('"', "\"\""))),
        _ => Err("is longer than a name of the server's can be, which is 63 bytes"),
    }
}

/// Without a backslash a text is the same constant for every setting of the server's; with one it is written so that
/// the setting does not matter.
fn literal(text: &str) -> String {
    let text = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", text.replace('\\', "\\\\"))
    } else {
        format!("'{text}'")
    }
}

fn int(value: &Value) -> Result<String, &'static str> {
    let whole = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    whole
        .map(|whole| whole.to_string())
        .ok_or("is no whole number of 64 bits")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_filter_writes_one_word_or_none() {
        for (filter, value, word) in [
            (Filter::Ident, json!("a"), Some("\"a\"")),
            (
                Filter::Ident,
                json!("a\"; DROP--"),
                Some("\"a\"\"; DROP--\""),
            ),
            (Filter::Ident, json!("A\\b'$$"), Some("\"A\\b'$$\"")),
            (Filter::Ident, json!(5), Some("\"5\"")),
            (Filter::Ident, json!(""), None),
            (Filter::Ident, json!("a\0b"), None),
            (Filter::Ident, json!("ä".repeat(32)), None),
            (Filter::Ident, json!(null), None),
            (Filter::Ident, json!(["a"]), None),
            (Filter::Literal, json!("it's"), Some("'it''s'")),
            (Filter::Literal, json!("\\'; DROP"), Some("E'\\\\''; DROP'")),
            (Filter::Literal, json!(""), Some("''")),
            (Filter::Literal, json!(true), Some("'true'")),
            (Filter::Literal, json!(1.5), Some("'1.5'")),
            (Filter::Literal, json!("a\0"), None),
            (Filter::Literal, json!(null), None),
            (Filter::Literal, json!({}), None),
            (Filter::Int, json!(-1), Some("-1")),
            (Filter::Int, json!("20"), Some("20")),
            (Filter::Int, json!("1; DROP"), None),
            (Filter::Int, json!(" 1"), None),
            (Filter::Int, json!(1.5), None),
            (Filter::Int, json!(true), None),
            (Filter::Int, json!(null), None),
            (Filter::Scram, json!(""), None),
        ] {
            let quoted = filter.quote(Dialect::Postgres, &value);
            assert_eq!(quoted.ok().as_deref(), word, "{filter:?} {value}");
        }
        assert!(
            Filter::Scram
                .quote(Dialect::Postgres, &json!("a".repeat(1025)))
                .is_err()
        );
        assert!(ident(&"a".repeat(63)).is_ok());
        assert!(ident(&"a".repeat(64)).is_err());
    }

    #[test]
    fn a_verifier_does_not_tell_the_password() {
        let verifier = Filter::Scram
            .quote(Dialect::Postgres, &json!("MARKED"))
            .expect("a verifier");
        assert!(verifier.starts_with("'SCRAM-SHA-256$4096:"), "{verifier}");
        assert!(!verifier.contains("MARKED"));
    }
}
