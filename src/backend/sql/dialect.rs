//! What kind of server statements are for. It is known from the URL when the document is loaded, for it decides how a
//! statement is read and which filters there are.

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    MySql,
}

impl Dialect {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Postgres, Self::MySql];

    /// The kind that a URL leads to.
    pub fn of_url(url: &str) -> Option<Self> {
        let (scheme, _) = url.split_once("://")?;
        match scheme {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mysql" | "mariadb" => Some(Self::MySql),
            _ => None,
        }
    }

    /// The kind that a ready-made set is for: the word before its name.
    pub fn of_set(name: &str) -> Option<Self> {
        match name.split_once('/')?.0 {
            "postgresql" => Some(Self::Postgres),
            "mysql" => Some(Self::MySql),
            _ => None,
        }
    }

    /// Whether a transaction is all or nothing, whatever stands in it: behind what failed nothing of it is done, and of what
    /// was done before nothing stays. MySQL commits by itself what makes, changes or drops something, and goes on behind what
    /// failed.
    pub(super) const fn is_all_or_nothing(self) -> bool {
        matches!(self, Self::Postgres)
    }

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL or MariaDB",
        }
    }
}
