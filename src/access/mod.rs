//! Logins: who may do what. Used by http; knows nothing of it but the text of an `Authorization` header.
//!
//! Several logins at once, so that a password is changed without a gap; each for its roles.

mod certificate;
mod live;
mod login;
mod role;
mod throttle;
mod verifier;

pub use certificate::{Certificate, CertificateRule};
pub use live::LiveLogins;
pub use login::{Login, Logins, Proof};
pub use role::{Role, Roles};
pub use throttle::{Failed, Throttle};
pub use verifier::{Claim, Full, Pending};
