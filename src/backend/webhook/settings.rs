//! What a webhook is made of, and what can be wrong with it. Parsed here once; nothing below asks again.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::HeaderValue;

use super::address::{Address, NoAddress};
use super::sign::Signer;
use crate::domain::operation::Kind;
use crate::secret::Secret;

/// How long one exchange may take, where nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long an attempt may take, polls and all, where nothing else is said.
const LIMIT: Duration = Duration::from_secs(600);

/// A webhook as it is written down.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    /// The name under which its work queues.
    pub name: String,
    /// Where to POST: `https://HOST/PATH`. Often its path is a secret.
    pub url: Secret,
    /// Whether `http://` to another machine is wanted; to this one it is always allowed.
    pub allow_http: bool,
    /// Shared with the endpoint, which checks signatures with it; nothing signs nothing.
    pub secret: Option<Secret>,
    /// The login.
    pub auth: Auth,
    /// The login by TLS.
    pub client_certificate: Option<ClientCertificate>,
    /// Certificates (PEM) of the authorities to trust, in place of those that browsers trust.
    pub ca: Option<Vec<u8>>,
    /// `http://HOST:PORT` to go through, as `HTTPS_PROXY` of the environment says. It may hold a login.
    pub proxy: Option<Secret>,
    /// Hosts to reach without it, as `NO_PROXY` of the environment says.
    pub no_proxy: Option<String>,
    /// For one exchange, connecting and all.
    pub timeout: Duration,
    /// For the whole attempt, polls and all.
    pub limit: Duration,
    /// How many attempts may run at once.
    pub concurrency: Option<u32>,
    /// What it carries out; the rest is over with being recorded.
    pub operations: Vec<Kind>,
}

/// How a webhook is logged in to.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Not at all.
    #[default]
    None,
    /// With a name and a password.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// With a token.
    Bearer {
        /// The token.
        token: Secret,
    },
}

/// A certificate that says who the broker is.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The certificate and those between it and its authority, PEM.
    pub chain: Vec<u8>,
    /// Its key, PEM, not encrypted.
    pub key: Secret<Vec<u8>>,
}

/// Why settings make no webhook: when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookError {
    /// It is no URL.
    Url,
    /// There is a login in the URL, where logs and errors would have it.
    LoginInUrl,
    /// It is neither `http` nor `https`.
    Scheme,
    /// It goes to another machine for all to read.
    NotEncrypted,
    /// Signed with nothing.
    EmptySecret,
    /// A login that no header can carry.
    Login(&'static str),
    /// No certificate is in what should have one: `ca` or `client_certificate`.
    NoCertificate(&'static str),
    /// No key is in what should have one.
    NoKey,
    /// The key is not that of the certificate.
    NoPair,
    /// It is no URL of a proxy.
    Proxy,
    /// A time that has passed before anything can be done.
    NoTime(&'static str),
}

impl WebhookSettings {
    /// The settings of a webhook that all else is the default of.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: Secret::new(url.into()),
            allow_http: false,
            secret: None,
            auth: Auth::None,
            client_certificate: None,
            ca: None,
            proxy: None,
            no_proxy: None,
            timeout: TIMEOUT,
            limit: LIMIT,
            concurrency: None,
            operations: Kind::ALL.to_vec(),
        }
    }

    pub(super) fn address(&self) -> Result<Address, WebhookError> {
        let address = Address::parse(self.url.expose()).map_err(|error| match error {
            NoAddress::Malformed => WebhookError::Url,
            NoAddress::Login => WebhookError::LoginInUrl,
            NoAddress::Scheme => WebhookError::Scheme,
        })?;
        let origin = address.origin();
        if origin.encrypted() || origin.is_loopback() || self.allow_http {
            Ok(address)
        } else {
            Err(WebhookError::NotEncrypted)
        }
    }

    pub(super) fn signer(&self) -> Result<Option<Signer>, WebhookError> {
        let signer = |secret| Signer::new(secret).ok_or(WebhookError::EmptySecret);
        self.secret.as_ref().map(signer).transpose()
    }
}

impl Auth {
    /// The value of `Authorization`.
    pub(super) fn header(&self) -> Result<Option<Secret>, WebhookError> {
        let value = match self {
            Self::None => return Ok(None),
            Self::Basic { username, .. } if username.contains(':') => {
                return Err(WebhookError::Login("a user name has no `:`"));
            }
            Self::Basic { username, password } => {
                let login = STANDARD.encode(format!("{username}:{}", password.expose()));
                format!("Basic {login}")
            }
            Self::Bearer { token } => format!("Bearer {}", token.expose()),
        };
        match HeaderValue::from_str(&value) {
            Ok(_) if value.is_ascii() => Ok(Some(Secret::new(value))),
            _ => Err(WebhookError::Login(
                "a token is one line of ASCII: is there a line break at its end?",
            )),
        }
    }
}

impl WebhookError {
    /// The key of the setting that is wrong.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Url | Self::LoginInUrl | Self::Scheme | Self::NotEncrypted => "url",
            Self::EmptySecret => "secret",
            Self::Login(_) => "auth",
            Self::NoCertificate(key) | Self::NoTime(key) => key,
            Self::NoKey | Self::NoPair => "client_certificate",
            Self::Proxy => "proxy",
        }
    }
}

impl fmt::Display for WebhookError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => out.write_str("is no URL: give https://HOST/PATH"),
            Self::LoginInUrl => {
                out.write_str("has a login in it, where logs would show it: give it as `auth`")
            }
            Self::Scheme => out.write_str("goes elsewhere than by HTTP: give https://HOST/PATH"),
            Self::NotEncrypted => out.write_str(
                "would send credentials unencrypted to another machine: give https://, or `allow_http: true` where the network keeps them",
            ),
            Self::EmptySecret => {
                out.write_str("is empty: give a long random text, or leave it out to sign nothing")
            }
            Self::Login(why) => write!(out, "cannot be sent: {why}"),
            Self::NoCertificate(_) => {
                out.write_str("holds no certificate: give PEM, `-----BEGIN CERTIFICATE-----` and on")
            }
            Self::NoKey => out.write_str(
                "holds no key: give PEM that is not encrypted, `-----BEGIN PRIVATE KEY-----` and on",
            ),
            Self::NoPair => out.write_str(
                "has a key of another certificate, or one that cannot be read: give the two that were made together",
            ),
            Self::Proxy => out.write_str("is no URL of a proxy: give http://HOST:PORT"),
            Self::NoTime(_) => out.write_str("must be longer than nothing: 30s, for one"),
        }
    }
}

impl std::error::Error for WebhookError {}
