//! A running broker, asked over HTTP: its URL, and the login for it. Redirects are not followed: a login is for the host that
//! was named.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request};
use ureq::tls::TlsConfig;

use crate::authorities;
use crate::secret::Secret;

/// Beyond this nobody answers.
pub(super) const LARGEST: u64 = 16 * 1024 * 1024;

const PATIENCE: Duration = Duration::from_secs(60);

/// How to get in.
#[derive(Args, Debug)]
pub(super) struct Entry {
    /// The name to log in with at a broker
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// A file with the password to log in with; one newline at its end is dropped
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Certificates (PEM) of the authorities to trust, in place of those that browsers know
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// A broker's address without the login in it.
pub(super) struct Target {
    /// Where it begins: no slash at its end.
    base: String,
    username: Option<String>,
    password: Option<Secret>,
}

/// What a broker answers.
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    /// The body, where it is JSON.
    pub body: Option<Value>,
}

fn agent(ca: Option<&Path>) -> Result<Agent, String> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = ca {
        tls = tls.root_certs(authorities::read(path)?);
    }
    let config = Agent::config_builder()
        .tls_config(tls.build())
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("catalog-broker/", env!("CARGO_PKG_VERSION")));
    Ok(config.build().new_agent())
}

fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

impl Target {
    pub(super) fn read(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, authority),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (username, password) = match login.map(|login| login.split_once(':')) {
            None => (None, None),
            Some(None) => (login.map(decoded), None),
            Some(Some((name, password))) => {
                (Some(decoded(name)), Some(Secret::new(decoded(password))))
            }
        };
        if path.contains(['?', '#']) {
            return Err(format!(
                "{scheme}://{host}: a broker's URL has no `?` and no `#`"
            ));
        }
        let base = path.trim_end_matches('/').trim_end_matches("/v2/catalog");
        Ok(Self {
            base: format!("{scheme}://{host}{base}"),
            username,
            password,
        })
    }

    /// The address of what is below it at `path`: fit to be shown.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The header that logs in, by the URL and what was given beside it; nothing where no name is given.
    pub(super) fn login(&self, entry: &Entry) -> Result<Option<Secret>, String> {
        let username = self.username.as_ref().or(entry.username.as_ref());
        let Some(username) = username else {
            return Ok(None);
        };
        let password = match (&self.password, &entry.password_file) {
            (Some(password), _) => password.clone(),
            (None, Some(path)) => password_of(path)?,
            (None, None) => return Err(format!("{}: give --password-file", self.base)),
        };
        Ok(Some(basic(username, &password)))
    }

    /// Asks for what is below it at `path`.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        login: Option<&Secret>,
        entry: &Entry,
    ) -> Result<Answer, String> {
        let agent = agent(entry.ca.as_deref())?;
        let mut request = Request::builder()
            .method(method)
            .uri(self.url(path))
            .header("X-Broker-API-Version", "2.17")
            .header("Accept", "application/json");
        if let Some(login) = login {
            request = request.header("Authorization", login.expose());
        }
        let request = request.body(()).map_err(|error| error.to_string())?;
        let mut response = agent.run(request).map_err(|error| reason(&error))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(LARGEST);
        let body = body.read_to_vec().map_err(|error| reason(&error))?;
        Ok(Answer {
            status,
            body: serde_json::from_slice(&body).ok(),
        })
    }
}

/// The header that a user name and a password make.
pub(super) fn basic(username: &str, password: &Secret) -> Secret {
    let login = STANDARD.encode(format!("{username}:{}", password.expose()));
    Secret::new(format!("Basic {login}"))
}

fn password_of(path: &Path) -> Result<Secret, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| {
        text.strip_suffix('\r').unwrap_or(text)
    });
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, target, name, password) in [
            ("http://h", "http://h", None, None),
            ("https://h:1/", "https://h:1", None, None),
            ("https://u@h/base/", "https://h/base", Some("u"), None),
            (
                "https://u:p%40@h/v2/catalog",
                "https://h",
                Some("u"),
                Some("p@"),
            ),
            (
                "http://u:a:b@[::1]:80",
                "http://[::1]:80",
                Some("u"),
                Some("a:b"),
            ),
        ] {
            let read = Target::read(url).expect(url);
            assert_eq!(read.base, target);
            assert_eq!(read.username.as_deref(), name);
            assert_eq!(read.password.map(Secret::into_exposed).as_deref(), password);
        }
        let wrong = Target::read("http://u:s3cret@h/?x")
            .map(|_| ())
            .unwrap_err();
        assert!(!wrong.contains("s3cret"), "{wrong}");
    }
}
