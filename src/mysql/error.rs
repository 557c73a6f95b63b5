//! What can be wrong with the way to a server, and what is said of an error of the client library.

use std::fmt;

use mysql_async::Error;

/// Why a URL leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// It is none, or asks for what is not there.
    Url(&'static str),
    /// A file that it names cannot be used.
    File(&'static str, String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(
                out,
                "{why}: give mysql://USER:PASSWORD@HOST:PORT/DATABASE, special characters as %40"
            ),
            Self::File(parameter, why) => write!(
                out,
                "the file of {parameter} cannot be used ({why}): give a PEM file that the broker can read"
            ),
        }
    }
}

impl std::error::Error for AddressError {}

/// What the log reads of an error. Where the server found no way to read a statement it repeats the rest of it, cut off
/// somewhere: that is left out, for it may begin in the middle of a value.
pub fn told(error: &Error) -> String {
    match error {
        Error::Server(error) => {
            let message = match (error.message.find(" near '"), error.message.rfind('\'')) {
                (Some(from), Some(to)) if from + 6 < to => format!(
                    "{} there{}",
                    &error.message[..from],
                    &error.message[to + 1..]
                ),
                _ => error.message.clone(),
            };
            format!("{message} (error {})", error.code)
        }
        // Its text would have the bytes that came, which may be anything.
        Error::Driver(mysql_async::DriverError::UnexpectedPacket { .. }) => {
            "the server said something that is not of its protocol".to_owned()
        }
        Error::Driver(error) => error.to_string(),
        Error::Io(error) => error.to_string(),
        Error::Other(_) | Error::Url(_) => "the client library gave up".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::{DriverError, ServerError};

    use super::*;

    #[test]
    fn what_the_server_could_not_read_is_not_repeated() {
        let server = |message: &str| {
            told(&Error::Server(ServerError {
                code: 1064,
                message: message.to_owned(),
                state: "42000".to_owned(),
            }))
        };
        assert_eq!(
            server("You have an error near 'it's MARKED' at line 1"),
            "You have an error there at line 1 (error 1064)"
        );
        assert_eq!(
            server("No such thing near"),
            "No such thing near (error 1064)"
        );
        let packet = DriverError::UnexpectedPacket {
            payload: b"MARKED".to_vec(),
        };
        assert!(!told(&Error::Driver(packet)).contains("MARKED"));
    }
}
