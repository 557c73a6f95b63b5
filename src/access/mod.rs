//! Logins: who may do what. Used by http; knows nothing of it but the text of an `Authorization` header.
//!
//! Several logins at once, so that a password is changed without a gap; each for its roles.

mod login;
mod role;

pub use login::{Login, Logins, Proof};
pub use role::{Role, Roles};
