//! The way to a MySQL or MariaDB server: its URL, TLS, and what is said of its errors. A leaf: what is asked there, and over
//! how many connections, is not its own.

mod error;
mod url;

pub use error::{AddressError, told};
pub use url::{Target, read};
