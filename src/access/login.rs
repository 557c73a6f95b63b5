//! Logins, and how one shows who one is.
//!
//! All are compared, in constant time, before the answer: neither which login was meant nor how far a guess was right can be
//! timed.

use std::io;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::{Choice, ConstantTimeEq};

use super::certificate::{Certificate, CertificateRule};
use super::role::Roles;
use super::verifier::{Claim, Full, Hashed, Pending, Verifier};
use crate::domain::scope::Scope;
use crate::password::PasswordHash;
use crate::secret::Secret;

/// Who may use the broker.
#[derive(Debug)]
pub struct Logins {
    plain: Vec<Arc<Login>>,
    /// Those that are known by a hash of their password, where there are some.
    hashed: Option<Verifier>,
    /// Those that are known by a certificate.
    certified: Vec<Arc<Login>>,
}

/// One who may.
#[derive(Debug)]
pub struct Login {
    name: Arc<str>,
    roles: Roles,
    scope: Scope,
    proof: Proof,
    // The header that nearly every client sends, ready to be compared: nothing is decoded on the hot path. Of a hash there
    // is none.
    header: Option<Secret<String>>,
}

/// How one shows who one is.
#[derive(Clone, Debug)]
pub enum Proof {
    /// User name and password (RFC 7617).
    Basic(String, Secret<String>),
    /// User name and password, of which the hash is known.
    Hashed(String, PasswordHash),
    /// A certificate of the connection.
    Certificate(CertificateRule),
    /// A bearer token (RFC 6750).
    Bearer(Secret<String>),
}

impl Login {
    /// A login that the settings call `name`, for `roles`.
    pub fn new(name: &str, roles: Roles, proof: Proof) -> Self {
        let header = match &proof {
            Proof::Basic(user, password) => Some(basic(user, password.expose())),
            Proof::Hashed(..) | Proof::Certificate(_) => None,
            Proof::Bearer(token) => Some(Secret::new(format!("Bearer {}", token.expose()))),
        };
        Self {
            name: name.into(),
            roles,
            scope: Scope::All,
            header,
            proof,
        }
    }

    /// What the settings call it.
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// For these offerings only.
    #[must_use]
    pub fn within(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// What it may see.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What it may do.
    pub const fn roles(&self) -> Roles {
        self.roles
    }
}

impl Logins {
    /// These may, and nobody else. What was right once is remembered under `key`, which is drawn for it.
    pub fn new(logins: Vec<Login>, key: &[u8; 16]) -> io::Result<Self> {
        let all = logins.into_iter().map(Arc::new);
        let (plain, others): (Vec<_>, Vec<_>) = all.partition(|login| login.header.is_some());
        let is_certified = |login: &Arc<Login>| matches!(login.proof, Proof::Certificate(_));
        let (certified, hashed): (Vec<_>, Vec<_>) = others.into_iter().partition(is_certified);
        let hashed: Vec<_> = hashed.into_iter().filter_map(Hashed::of).collect();
        let hashed = (!hashed.is_empty())
            .then(|| Verifier::start(hashed, key))
            .transpose()?;
        Ok(Self {
            plain,
            hashed,
            certified,
        })
    }

    /// The login whose header this is, to the letter, as clients commonly write it.
    pub fn by_header(&self, header: &[u8]) -> Option<&Arc<Login>> {
        self.find(|login| match &login.header {
            Some(known) => known.expose().as_bytes().ct_eq(header),
            None => Choice::from(0),
        })
    }

    /// The login by a hash whose header this is, to the letter, if it was right before.
    pub fn known(&self, header: &[u8]) -> Option<&Arc<Login>> {
        self.hashed.as_ref()?.known(header)
    }

    /// The login by a hash with that user name and password, if it was right before.
    pub fn known_password(&self, user: &str, password: &str) -> Option<&Arc<Login>> {
        let hashed = self.hashed.as_ref()?;
        hashed.known(basic(user, password).expose().as_bytes())
    }

    /// What each of them may see.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        let hashed = self.hashed.iter().flat_map(Verifier::logins);
        let all = self.plain.iter().chain(hashed).chain(&self.certified);
        all.map(|login| login.scope())
    }

    /// The login that a client's certificate is; of several the first by name.
    pub fn by_certificate(&self, certificate: &Certificate) -> Option<&Arc<Login>> {
        self.certified.iter().find(|login| match &login.proof {
            Proof::Certificate(rule) => rule.fits(certificate),
            _ => false,
        })
    }

    /// Whether a user name and password that are none of the plain ones may be right all the same.
    pub const fn have_hashes(&self) -> bool {
        self.hashed.is_some()
    }

    /// Has what is none of the plain ones compared with the hashes, elsewhere.
    pub fn verify(&self, claim: Claim) -> Result<Pending, Full> {
        self.hashed.as_ref().ok_or(Full)?.verify(claim)
    }

    /// The login with that user name and password.
    pub fn by_password(&self, user: &str, password: &str) -> Option<&Arc<Login>> {
        self.find(|login| match &login.proof {
            Proof::Basic(known, secret) => {
                known.as_bytes().ct_eq(user.as_bytes())
                    & secret.expose().as_bytes().ct_eq(password.as_bytes())
            }
            Proof::Hashed(..) | Proof::Certificate(_) | Proof::Bearer(_) => Choice::from(0),
        })
    }

    /// The login with that token.
    pub fn by_token(&self, token: &str) -> Option<&Arc<Login>> {
        self.find(|login| match &login.proof {
            Proof::Bearer(secret) => secret.expose().as_bytes().ct_eq(token.as_bytes()),
            Proof::Basic(..) | Proof::Hashed(..) | Proof::Certificate(_) => Choice::from(0),
        })
    }

    fn find(&self, matches: impl Fn(&Login) -> Choice) -> Option<&Arc<Login>> {
        let mut found = None;
        for login in &self.plain {
            if bool::from(matches(login)) {
                found = Some(login);
            }
        }
        found
    }
}

impl Hashed {
    fn of(login: Arc<Login>) -> Option<Self> {
        match &login.proof {
            Proof::Hashed(user, hash) => Some(Self {
                user: user.clone(),
                hash: hash.clone(),
                login,
                known: OnceLock::new(),
            }),
            Proof::Basic(..) | Proof::Certificate(_) | Proof::Bearer(_) => None,
        }
    }
}

/// The header of a user name and password, as clients commonly write it.
pub(super) fn basic(user: &str, password: &str) -> Secret<String> {
    let text = Secret::new(format!("{user}:{password}"));
    Secret::new(format!("Basic {}", STANDARD.encode(text.expose())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins() -> Logins {
        let roles: Roles = [crate::access::Role::Platform].into_iter().collect();
        let all = vec![
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
        ];
        Logins::new(all, &[7; 16]).unwrap()
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
