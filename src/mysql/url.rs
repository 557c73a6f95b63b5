//! The URL: where a server is, and how the way there is secured. What is known of it are the names that MySQL's own
//! programs have for the same: `ssl-mode`, `ssl-ca`, `ssl-cert`, `ssl-key`, `socket`; and `ssl-server-name`, for a certificate
//! that has another name than the host. There is no `VERIFY_CA`: the client library looks at the name in any case.

use std::fs;

use mysql_async::{ClientIdentity, Conn, DriverError, Error, Opts, OptsBuilder, SslOpts};
use percent_encoding::percent_decode_str;

use super::error::AddressError;
use crate::secret::Secret;

const PORT: u16 = 3306;

/// What a URL says.
#[derive(Clone)]
pub struct Target {
    /// The host's name or address; the path of a socket on this machine.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Who connects.
    pub username: String,
    /// The database that statements run in.
    pub database: Option<String>,
    secured: Option<Opts>,
    plain: Option<Opts>,
}

/// `ssl-mode`: how much the other side is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Disabled,
    Preferred,
    Required,
    Identity,
}

/// The parameters of a URL.
#[derive(Default)]
struct Parameters {
    trust: Option<Trust>,
    authorities: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    name: Option<String>,
    socket: Option<String>,
}

impl Target {
    /// Connects to a database, or to the one that the URL names; `setup` is run there, and again whenever the connection
    /// is made like new.
    pub async fn connect(&self, database: Option<&str>, setup: Vec<String>) -> Result<Conn, Error> {
        let to = |opts: &Opts| {
            let mut builder = OptsBuilder::from_opts(opts.clone()).setup(setup.clone());
            if let Some(database) = database {
                builder = builder.db_name(Some(database));
            }
            Conn::new(builder)
        };
        match (&self.secured, &self.plain) {
            (Some(secured), plain) => match (to(secured).await, plain) {
                (Err(Error::Driver(DriverError::NoClientSslFlagFromServer)), Some(plain)) => {
                    to(plain).await
                }
                (connected, _) => connected,
            },
            (None, Some(plain)) => to(plain).await,
            (None, None) => Err(Error::Driver(DriverError::ConnectionClosed)),
        }
    }
}

/// Reads a URL. What its text is wrong in is told without it.
pub fn read(url: &Secret) -> Result<Target, AddressError> {
    let wrong = || AddressError::Url("the URL cannot be read");
    let (_, rest) = url.expose().split_once("://").ok_or_else(wrong)?;
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = address.split_once('/').unwrap_or((address, ""));
    // Of a password with a bare `@` or `/` a part would pass for the host, and be shown as one.
    if authority.matches('@').count() > 1 || database.contains(['@', '/']) {
        return Err(AddressError::Url(
            "in user and password `@` is written %40 and `/` is written %2F",
        ));
    }
    let (login, place) = authority.split_once('@').unwrap_or(("", authority));
    let (username, password) = match login.split_once(':') {
        Some((username, password)) => (decoded(username)?, Some(decoded(password)?)),
        None => (decoded(login)?, None),
    };
    if username.is_empty() {
        return Err(AddressError::Url("the URL names no user"));
    }
    let parameters = parameters_of(parameters)?;
    let (host, port) = host_and_port(place)?;
    if host.is_empty() && parameters.socket.is_none() {
        return Err(AddressError::Url("the URL names no host"));
    }
    let database = Some(decoded(database)?).filter(|name| !name.is_empty());
    let plain = OptsBuilder::default()
        .ip_or_hostname(host.clone())
        .tcp_port(port)
        .user(Some(username.clone()))
        .pass(password)
        .db_name(database.clone())
        .socket(parameters.socket.clone())
        // The way that was asked for is the way that is taken.
        .prefer_socket(false)
        // A statement is run once, or a few times.
        .stmt_cache_size(0)
        .connect_attribute("program_name", "catalog-broker");
    let trust = parameters.trust();
    let secured = OptsBuilder::from_opts(plain.clone()).ssl_opts(parameters.tls(trust)?);
    let is_local = parameters.socket.is_some();
    Ok(Target {
        host: parameters.socket.unwrap_or(host),
        port,
        username,
        database,
        secured: (trust != Trust::Disabled && !is_local).then(|| secured.into()),
        plain: (is_local || matches!(trust, Trust::Disabled | Trust::Preferred))
            .then(|| plain.into()),
    })
}

fn host_and_port(place: &str) -> Result<(String, u16), AddressError> {
    let (host, port) = match place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, behind)) => (host, behind.strip_prefix(':')),
        None => match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port
        .filter(|port| !port.is_empty())
        .map_or(Ok(PORT), |port| {
            port.parse()
                .map_err(|_| AddressError::Url("the URL's port is no number of one"))
        })?;
    Ok((decoded(host)?, port))
}

fn parameters_of(text: &str) -> Result<Parameters, AddressError> {
    let mut parameters = Parameters::default();
    for parameter in text.split('&').filter(|text| !text.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decoded(value)?;
        // Written with `-` by MySQL's programs, with `_` or in one word by its drivers.
        match name.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
            "sslmode" => parameters.trust = Some(trust(&value)?),
            "sslca" => parameters.authorities = Some(value),
            "sslcert" => parameters.certificate = Some(value),
            "sslkey" => parameters.key = Some(value),
            "sslservername" => parameters.name = Some(value),
            "socket" => parameters.socket = Some(value),
            _ => {
                return Err(AddressError::Url(
                    "the URL has a parameter that is none of ssl-mode, ssl-ca, ssl-cert, ssl-key, ssl-server-name, socket",
                ));
            }
        }
    }
    Ok(parameters)
}

fn trust(mode: &str) -> Result<Trust, AddressError> {
    Ok(match mode.to_ascii_uppercase().replace('-', "_").as_str() {
        "DISABLED" => Trust::Disabled,
        "PREFERRED" => Trust::Preferred,
        "REQUIRED" => Trust::Required,
        "VERIFY_CA" => {
            return Err(AddressError::Url(
                "ssl-mode VERIFY_CA is not to be had, but VERIFY_IDENTITY is, with ssl-server-name where the certificate has another name than the host",
            ));
        }
        "VERIFY_IDENTITY" => Trust::Identity,
        _ => {
            return Err(AddressError::Url(
                "ssl-mode is none of DISABLED, PREFERRED, REQUIRED, VERIFY_IDENTITY",
            ));
        }
    })
}

impl Parameters {
    /// As with MySQL's programs: who names a certificate authority wants it to be asked.
    fn trust(&self) -> Trust {
        match (self.trust, &self.authorities) {
            (Some(Trust::Required) | None, Some(_)) => Trust::Identity,
            (Some(trust), _) => trust,
            (None, None) => Trust::Preferred,
        }
    }

    fn tls(&self, trust: Trust) -> Result<SslOpts, AddressError> {
        let mut tls = SslOpts::default()
            .with_danger_accept_invalid_certs(matches!(trust, Trust::Preferred | Trust::Required))
            .with_danger_tls_hostname_override(self.name.clone());
        if let Some(path) = &self.authorities {
            tls = tls
                .with_root_certs(vec![pem("ssl-ca", path)?.into()])
                .with_disable_built_in_roots(true);
        }
        match (&self.certificate, &self.key) {
            (None, None) => Ok(tls),
            (Some(certificate), Some(key)) => {
                let identity = ClientIdentity::new(
                    pem("ssl-cert", certificate)?.into(),
                    pem("ssl-key", key)?.into(),
                );
                Ok(tls.with_client_identity(Some(identity)))
            }
            _ => Err(AddressError::Url(
                "ssl-cert and ssl-key come together or not at all",
            )),
        }
    }
}

/// A file is read when the document is: what is missing is told at once.
fn pem(parameter: &'static str, path: &str) -> Result<Vec<u8>, AddressError> {
    let wrong = |why: String| AddressError::File(parameter, why);
    let text = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    if !String::from_utf8_lossy(&text).contains("-----BEGIN ") {
        return Err(wrong("it holds no PEM".to_owned()));
    }
    Ok(text)
}

fn decoded(value: &str) -> Result<String, AddressError> {
    percent_decode_str(value)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| AddressError::Url("the URL is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, AddressError> {
        read(&Secret::new(url.to_owned()))
    }

    #[test]
    fn a_url_says_where_and_who_and_how_safely() {
        for (url, host, port, database, secured, plain) in [
            (
                "mysql://u:p%40ss@db.example:3307/d",
                "db.example",
                3307,
                Some("d"),
                true,
                true,
            ),
            ("mysql://u@db.example", "db.example", 3306, None, true, true),
            ("mysql://u@[::1]:3308/", "::1", 3308, None, true, true),
            (
                "mysql://u@h/d?ssl-mode=DISABLED",
                "h",
                3306,
                Some("d"),
                false,
                true,
            ),
            (
                "mysql://u@h/d?sslMode=required",
                "h",
                3306,
                Some("d"),
                true,
                false,
            ),
            (
                "mysql://u@h/d?ssl_mode=REQUIRED&ssl-server-name=db",
                "h",
                3306,
                Some("d"),
                true,
                false,
            ),
            (
                "mysql://u@h/d?ssl-mode=verify_identity",
                "h",
                3306,
                Some("d"),
                true,
                false,
            ),
            (
                "mysql://u@localhost/d?socket=%2Frun%2Fm.sock",
                "/run/m.sock",
                3306,
                Some("d"),
                false,
                true,
            ),
        ] {
            let target = target(url).expect(url);
            assert_eq!(target.host, host, "{url}");
            assert_eq!(target.port, port, "{url}");
            assert_eq!(target.database.as_deref(), database, "{url}");
            assert_eq!(target.secured.is_some(), secured, "{url}");
            assert_eq!(target.plain.is_some(), plain, "{url}");
        }
        let password = target("mysql://u:p%40ss@h/d").expect("a target").plain;
        assert_eq!(password.expect("a way").pass(), Some("p@ss"));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for url in [
            "mysql://u:MARKED@h:port/d",
            "mysql://u:MARKED@h/d?ssl-mode=MARKED",
            "mysql://u:MARKED@h/d?MARKED=1",
            "mysql://u:MARKED@h/d?ssl-mode=VERIFY_CA",
            "mysql://u:MARKED@/d",
            "mysql://:MARKED@h/d",
            "mysql://u:MAR@KED@h/d",
            "mysql://u:MAR/KED@h/d",
            "mysql://u:p@h/d?ssl-ca=%ffMARKED",
            "mysql://u:MARKED@h/d?ssl-ca=/nowhere.pem",
            "mysql://u:MARKED@h/d?ssl-cert=/nowhere.pem",
        ] {
            let error = target(url).err().expect(url);
            assert!(!error.to_string().contains("MARKED"), "{error}");
            assert!(!format!("{error:?}").contains("MARKED"), "{error:?}");
        }
    }
}
