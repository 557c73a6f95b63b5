//! `GET /v2/catalog` of a running broker. Redirects are not followed: a login is for the host that was named.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::Arguments;
use crate::secret::Secret;

/// Beyond this nobody publishes a catalog.
pub(super) const LARGEST: u64 = 16 * 1024 * 1024;

const PATIENCE: Duration = Duration::from_secs(60);

/// A broker's address without the login in it.
struct Target {
    url: String,
    username: Option<String>,
    password: Option<Secret>,
}

/// The catalog that the broker at `url` publishes.
pub(super) fn catalog(url: &str, arguments: &Arguments) -> Result<Value, String> {
    let target = Target::read(url)?;
    let wrong = |why: String| format!("{}: {why}", target.url);
    let agent = agent(arguments.ca.as_deref()).map_err(wrong)?;
    let mut request = agent
        .get(&target.url)
        .header("X-Broker-API-Version", "2.17")
        .header("Accept", "application/json");
    if let Some(login) = target.login(arguments)? {
        request = request.header("Authorization", login.expose());
    }
    let mut response = request.call().map_err(|error| wrong(reason(&error)))?;
    let status = response.status().as_u16();
    if status != 200 {
        return Err(wrong(refusal(status)));
    }
    let body = response.body_mut().with_config().limit(LARGEST);
    let body = body.read_to_vec().map_err(|error| wrong(reason(&error)))?;
    let catalog: Value =
        serde_json::from_slice(&body).map_err(|_| wrong("the answer is not JSON".to_owned()))?;
    if catalog.get("services").is_some_and(Value::is_array) {
        Ok(catalog)
    } else {
        Err(wrong(
            "the answer is no catalog: it has no list of `services`".to_owned(),
        ))
    }
}

fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn refusal(status: u16) -> String {
    match status {
        401 | 403 => {
            format!("the broker refuses the login ({status}): give --username and --password-file")
        }
        404 => "there is no /v2/catalog (404): give the URL that the broker is registered with"
            .to_owned(),
        300..=399 => {
            format!("the broker sends elsewhere ({status}): give the URL that it sends to")
        }
        412 => "the broker does not speak version 2.17 of the API (412)".to_owned(),
        _ => format!("the broker answers {status}"),
    }
}

fn agent(ca: Option<&Path>) -> Result<Agent, String> {
    let mut tls = TlsConfig::builder();
    if let Some(path) = ca {
        tls = tls.root_certs(authorities(path)?);
    }
    let config = Agent::config_builder()
        .tls_config(tls.build())
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("catalog-broker/", env!("CARGO_PKG_VERSION")));
    Ok(config.build().new_agent())
}

fn authorities(path: &Path) -> Result<RootCerts, String> {
    let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(format!("{} holds no certificate", path.display()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

impl Target {
    fn read(url: &str) -> Result<Self, String> {
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
            url: format!("{scheme}://{host}{base}/v2/catalog"),
            username,
            password,
        })
    }

    /// The header that logs in; nothing where no name is given.
    fn login(&self, arguments: &Arguments) -> Result<Option<Secret>, String> {
        let username = self.username.as_ref().or(arguments.username.as_ref());
        let Some(username) = username else {
            return Ok(None);
        };
        let password = match (&self.password, &arguments.password_file) {
            (Some(password), _) => password.clone(),
            (None, Some(path)) => password_of(path)?,
            (None, None) => return Err(format!("{}: give --password-file", self.url)),
        };
        let login = STANDARD.encode(format!("{username}:{}", password.expose()));
        Ok(Some(Secret::new(format!("Basic {login}"))))
    }
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
            ("http://h", "http://h/v2/catalog", None, None),
            ("https://h:1/", "https://h:1/v2/catalog", None, None),
            (
                "https://u@h/base/",
                "https://h/base/v2/catalog",
                Some("u"),
                None,
            ),
            (
                "https://u:p%40@h/v2/catalog",
                "https://h/v2/catalog",
                Some("u"),
                Some("p@"),
            ),
            (
                "http://u:a:b@[::1]:80",
                "http://[::1]:80/v2/catalog",
                Some("u"),
                Some("a:b"),
            ),
        ] {
            let read = Target::read(url).expect(url);
            assert_eq!(read.url, target);
            assert_eq!(read.username.as_deref(), name);
            assert_eq!(read.password.map(Secret::into_exposed).as_deref(), password);
        }
        let wrong = Target::read("http://u:s3cret@h/?x")
            .map(|_| ())
            .unwrap_err();
        assert!(!wrong.contains("s3cret"), "{wrong}");
    }
}
