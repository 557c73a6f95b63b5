//! Logins, and how one shows who one is.
//!
//! All are compared, in constant time, before the answer: neither which login was meant nor how far a guess was right can be
//! timed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::{Choice, ConstantTimeEq};

use super::role::Roles;
use crate::secret::Secret;

/// Who may use the broker.
#[derive(Debug)]
pub struct Logins(Vec<Arc<Login>>);

/// One who may.
#[derive(Debug)]
pub struct Login {
    name: Arc<str>,
    roles: Roles,
    proof: Proof,
    // The header that nearly every client sends, ready to be compared: nothing is decoded on the hot path.
    header: Secret<String>,
}

/// How one shows who one is.
#[derive(Clone, Debug)]
pub enum Proof {
    /// User name and password (RFC 7617).
    Basic(String, Secret<String>),
    /// A bearer token (RFC 6750).
    Bearer(Secret<String>),
}

impl Login {
    /// A login that the settings call `name`, for `roles`.
    pub fn new(name: &str, roles: Roles, proof: Proof) -> Self {
        let header = match &proof {
            Proof::Basic(user, password) => format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:{}", password.expose()))
            ),
            Proof::Bearer(token) => format!("Bearer {}", token.expose()),
        };
        Self {
            name: name.into(),
            roles,
            proof,
            header: Secret::new(header),
        }
    }

    /// What the settings call it.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it may do.
    pub const fn roles(&self) -> Roles {
        self.roles
    }
}

impl Logins {
    /// These may, and nobody else.
    pub fn new(logins: Vec<Login>) -> Self {
        Self(logins.into_iter().map(Arc::new).collect())
    }

    /// The login whose header this is, to the letter, as clients commonly write it.
    pub fn by_header(&self, header: &[u8]) -> Option<&Arc<Login>> {
        self.find(|login| login.header.expose().as_bytes().ct_eq(header))
    }

    /// The login with that user name and password.
    pub fn by_password(&self, user: &str, password: &str) -> Option<&Arc<Login>> {
        self.find(|login| match &login.proof {
            Proof::Basic(known, secret) => {
                known.as_bytes().ct_eq(user.as_bytes())
                    & secret.expose().as_bytes().ct_eq(password.as_bytes())
            }
            Proof::Bearer(_) => Choice::from(0),
        })
    }

    /// The login with that token.
    pub fn by_token(&self, token: &str) -> Option<&Arc<Login>> {
        self.find(|login| match &login.proof {
            Proof::Bearer(secret) => secret.expose().as_bytes().ct_eq(token.as_bytes()),
            Proof::Basic(..) => Choice::from(0),
        })
    }

    fn find(&self, matches: impl Fn(&Login) -> Choice) -> Option<&Arc<Login>> {
        let mut found = None;
        for login in &self.0 {
            if bool::from(matches(login)) {
                found = Some(login);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins() -> Logins {
        let roles: Roles = [crate::access::Role::Platform].into_iter().collect();
        Logins::new(vec![
            Login::new(
                "old",
                roles,
                Proof::Basic("cf".to_owned(), Secret::new("a:b".to_owned())),
            ),
            Login::new(
                "new",
                roles,
                Proof::Basic("cf".to_owned(), Secret::new("0123".to_owned())),
            ),
            Login::new(
                "script",
                roles,
                Proof::Bearer(Secret::new("t0ken".to_owned())),
            ),
        ])
    }

    #[test]
    fn several_logins_hold_at_once() {
        let logins = logins();
        assert_eq!(
            logins.by_password("cf", "a:b").map(|login| &*login.name),
            Some("old")
        );
        assert_eq!(
            logins.by_password("cf", "0123").map(|login| &*login.name),
            Some("new")
        );
        assert_eq!(
            logins.by_token("t0ken").map(|login| &*login.name),
            Some("script")
        );
        assert_eq!(
            logins
                .by_header(b"Basic Y2Y6YTpi")
                .map(|login| &*login.name),
            Some("old")
        );
    }

    #[test]
    fn nothing_else_holds() {
        let logins = logins();
        for (user, password) in [
            ("cf", ""),
            ("cf", "a:"),
            ("", "a:b"),
            ("cf", "t0ken"),
            ("CF", "a:b"),
            ("cf", "a:b "),
        ] {
            assert!(
                logins.by_password(user, password).is_none(),
                "{user} {password}"
            );
        }
        assert!(logins.by_token("a:b").is_none());
        assert!(logins.by_header(b"Basic").is_none());
    }
}
