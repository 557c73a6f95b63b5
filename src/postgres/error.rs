//! What can be wrong with the way to a server, and what is said of an error of the client library. No text of the server's
//! is passed on that may hold a value of a row (`DETAIL`), and no part of a URL but the host.

use std::fmt;

/// Why a URL leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// It is none, or asks for what is not there.
    Url(&'static str),
    /// A file that it names cannot be used.
    File(&'static str, String),
    /// TLS cannot be had at all.
    Tls(String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(
                out,
                "{why}: give postgres://USER:PASSWORD@HOST:PORT/DATABASE, special characters as %40"
            ),
            Self::File(parameter, why) => write!(
                out,
                "the file of {parameter} cannot be used ({why}): give a PEM file that the broker can read"
            ),
            Self::Tls(why) => out.write_str(why),
        }
    }
}

impl std::error::Error for AddressError {}

/// What the log reads of an error.
pub fn told(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", error.message(), error.code().code());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.contains(&why) {
            text = format!("{text}: {why}");
        }
        cause = error.source();
    }
    text
}
