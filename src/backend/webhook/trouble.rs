//! Why there is no answer: a sentence for the platform's user, and the reason for the log. All of it may pass, or be
//! mended without the platform: another attempt is made.

use std::io;

/// An exchange without an answer.
#[derive(Debug)]
pub(super) struct Trouble {
    /// For the platform's user.
    pub(super) description: &'static str,
    /// For the log; of what the endpoint or the network did, so without secrets.
    pub(super) reason: String,
}

const UNREACHABLE: &str = "The service's backend cannot be reached at the moment.";
const UNSAFE: &str = "The service's backend cannot be reached safely at the moment. If this lasts, ask the operator of the broker.";
const SILENT: &str = "The service's backend did not answer in time.";
const CUT: &str = "The service's backend broke off before it had answered.";
const GARBLED: &str = "The service's backend answered with something that is not HTTP.";
const OURS: &str = "The broker could not ask the service's backend.";

/// The endpoint says so in an alert, but has hung up by then, and who still writes does not hear it.
const HUNG_UP: &str =
    "it hung up before it had heard all: does it want a client certificate, or another one?";

impl Trouble {
    /// Nothing was asked.
    pub(super) fn ours(reason: &str) -> Self {
        Self {
            description: OURS,
            reason: reason.to_owned(),
        }
    }
}

impl From<ureq::Error> for Trouble {
    fn from(error: ureq::Error) -> Self {
        let description = match &error {
            ureq::Error::Io(error) => of_io(error),
            ureq::Error::Timeout(_) => SILENT,
            ureq::Error::Tls(_)
            | ureq::Error::Rustls(_)
            | ureq::Error::Pem(_)
            | ureq::Error::TlsRequired => UNSAFE,
            ureq::Error::Protocol(_)
            | ureq::Error::LargeResponseHeader(..)
            | ureq::Error::BodyStalled => GARBLED,
            _ => UNREACHABLE,
        };
        let reason = match error {
            ureq::Error::Io(error) if hung_up(&error) => format!("{error}; {HUNG_UP}"),
            ureq::Error::Io(error) => error.to_string(),
            // These quote the URL.
            ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => {
                "the client does not take its URL".to_owned()
            }
            other => other.to_string(),
        };
        Self {
            description,
            reason,
        }
    }
}

/// TLS reports what it refuses as data that is not valid: a certificate, a name, an alert from the other side.
fn of_io(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::InvalidData => UNSAFE,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => SILENT,
        io::ErrorKind::UnexpectedEof => CUT,
        _ if hung_up(error) => CUT,
        _ => UNREACHABLE,
    }
}

fn hung_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}
