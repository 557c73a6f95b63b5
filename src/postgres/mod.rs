//! The way to a PostgreSQL server, for all who have one to talk to: its URL, TLS, and what is said of its errors. A leaf:
//! what is asked there, and over how many connections, is everybody's own.

mod error;
mod tls;
mod url;

pub use error::{AddressError, told};
pub use tls::{Tls, TlsStream, TlsTo, Trust, Way};
pub use url::{Target, hosts, place, read};
