//! The URL: where a database is, and how the way there is secured. The client library knows neither `verify-ca`,
//! `verify-full` nor certificates in files, so these parameters are read here and the rest is handed over.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::error::AddressError;
use super::tls::{Trust, Way};
use crate::secret::Secret;

/// How often an idle connection is looked after, so that firewalls on the way do not forget it.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// What a URL says.
pub struct Target {
    /// For the client library.
    pub config: Config,
    /// How the way there is secured.
    pub way: Way,
}

/// Reads a URL. `name` is what the server's own lists call the connections, unless the URL says otherwise.
pub fn read(url: &Secret, name: &str) -> Result<Target, AddressError> {
    let (address, parameters) = match url.expose().split_once('?') {
        Some((address, parameters)) => (address, parameters),
        None => (url.expose().as_str(), ""),
    };
    unambiguous(address)?;
    let mut way = Way::default();
    let mut rest = Vec::new();
    for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decoded(value)?;
        match name {
            "sslmode" => way.trust = trust(&value)?,
            "sslrootcert" => way.roots = Some(value),
            "sslcert" => way.certificate = Some(value),
            "sslkey" => way.key = Some(value),
            _ => rest.push(parameter),
        }
    }
    // As libpq: who names a certificate authority wants it to be asked.
    if way.trust == Trust::Encrypt && way.roots.is_some() {
        way.trust = Trust::Authority;
    }
    Ok(Target {
        config: secured(config(address, &rest, name)?, way.trust),
        way,
    })
}

/// Where the database is, for the operator: hosts, ports and its name, and nothing that is confidential.
pub fn place(url: &Secret) -> String {
    let Ok(Target { config, .. }) = read(url, "") else {
        return "postgres://...".to_owned();
    };
    let port = |at: usize| {
        let ports = config.get_ports();
        ports.get(at).or(ports.first()).copied().unwrap_or(5432)
    };
    let hosts: Vec<String> = (config.get_hosts().iter().enumerate())
        .map(|(at, host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(at)),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    let name = config.get_dbname().unwrap_or_default();
    format!("postgres://{}/{name}", hosts.join(","))
}

/// The hosts with their ports, in an order of their own: which of them is asked first makes no other server of them.
pub fn hosts(config: &Config) -> Vec<String> {
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
    let name = |host: &Host| match host {
        Host::Tcp(name) => name.to_lowercase(),
        Host::Unix(path) => path.display().to_string(),
    };
    let names: Vec<String> = match config.get_hosts() {
        [] => (config.get_hostaddrs().iter().map(ToString::to_string)).collect(),
        hosts => hosts.iter().map(name).collect(),
    };
    let names = names.iter().enumerate();
    let mut hosts: Vec<String> = names
        .map(|(at, name)| format!("{name}:{}", port(at)))
        .collect();
    hosts.sort();
    hosts
}

/// Of a password with a bare `@` or `/` a part would pass for the host, and be shown as one.
fn unambiguous(address: &str) -> Result<(), AddressError> {
    let authority = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (authority, path) = authority.split_once('/').unwrap_or((authority, ""));
    if authority.matches('@').count() > 1 || path.contains('@') {
        return Err(AddressError::Url(
            "in user and password `@` is written %40 and `/` is written %2F",
        ));
    }
    Ok(())
}

fn decoded(value: &str) -> Result<String, AddressError> {
    percent_decode_str(value)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| AddressError::Url("the URL is not UTF-8"))
}

fn trust(mode: &str) -> Result<Trust, AddressError> {
    Ok(match mode {
        "disable" => Trust::Plain,
        "allow" | "prefer" => Trust::Prefer,
        "require" => Trust::Encrypt,
        "verify-ca" => Trust::Authority,
        "verify-full" => Trust::Full,
        _ => {
            return Err(AddressError::Url(
                "sslmode is none of disable, prefer, require, verify-ca, verify-full",
            ));
        }
    })
}

/// The library's own words may repeat the URL, so they are not passed on.
fn config(address: &str, parameters: &[&str], application: &str) -> Result<Config, AddressError> {
    let url = format!("{address}?{}", parameters.join("&"));
    let mut config: Config = url.trim_end_matches('?').parse().map_err(|_| {
        AddressError::Url("the URL cannot be read, or has a parameter of no meaning")
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(AddressError::Url("the URL names no host"));
    }
    let given = |name: &str| {
        let prefix = format!("{name}=");
        parameters
            .iter()
            .any(|parameter| parameter.starts_with(&prefix))
    };
    if !given("application_name") {
        config.application_name(application);
    }
    if !given("keepalives_idle") {
        config.keepalives_idle(KEEP_ALIVE);
    }
    Ok(config)
}

fn secured(mut config: Config, trust: Trust) -> Config {
    config.ssl_mode(match trust {
        Trust::Plain => SslMode::Disable,
        Trust::Prefer => SslMode::Prefer,
        Trust::Encrypt | Trust::Authority | Trust::Full => SslMode::Require,
    });
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, AddressError> {
        read(&Secret::new(url.to_owned()), "broker")
    }

    #[test]
    fn a_password_that_could_pass_for_a_host_is_refused_and_not_shown() {
        for url in [
            "postgres://u:pa@ss@db.example:6432/d",
            "postgres://u:pa/ss@db.example:6432/d",
            "postgres://u@x:pass@db.example/d?sslmode=disable",
        ] {
            assert!(target(url).is_err(), "{url}");
            assert_eq!(place(&Secret::new(url.to_owned())), "postgres://...");
        }
        let url = "postgres://u:pa%40%2Fss@db.example:6432/d";
        let shown = place(&Secret::new(url.to_owned()));
        assert_eq!(shown, "postgres://db.example:6432/d");
    }

    #[test]
    fn modes_and_files_are_read_and_the_rest_is_handed_over() {
        for (parameters, trust, mode) in [
            ("", Trust::Prefer, SslMode::Prefer),
            ("?sslmode=disable", Trust::Plain, SslMode::Disable),
            ("?sslmode=require", Trust::Encrypt, SslMode::Require),
            (
                "?sslmode=require&sslrootcert=/ca.pem",
                Trust::Authority,
                SslMode::Require,
            ),
            ("?sslmode=verify-ca", Trust::Authority, SslMode::Require),
            (
                "?connect_timeout=3&sslmode=verify-full&sslrootcert=%2Fca%20.pem",
                Trust::Full,
                SslMode::Require,
            ),
        ] {
            let url = format!("postgres://u:p%40ss@db.example:6432/d{parameters}");
            let target = target(&url).expect("a target");
            assert_eq!(target.way.trust, trust, "{parameters}");
            assert_eq!(target.config.get_ssl_mode(), mode, "{parameters}");
            assert_eq!(target.config.get_password(), Some(&b"p@ss"[..]));
            assert_eq!(
                target.config.get_hosts(),
                [Host::Tcp("db.example".to_owned())]
            );
            assert_eq!(target.config.get_application_name(), Some("broker"));
            assert_eq!(place(&Secret::new(url)), "postgres://db.example:6432/d");
        }
        let named = target("postgres://h/d?application_name=blue").expect("a target");
        assert_eq!(named.config.get_application_name(), Some("blue"));
        let full = target("postgres://h/d?sslmode=verify-full&sslrootcert=%2Fca%20.pem");
        assert_eq!(
            full.expect("a target").way.roots.as_deref(),
            Some("/ca .pem")
        );
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for url in [
            "postgres://u:MARKED@h:port/d",
            "postgres://u:MARKED@h/d?sslmode=MARKED",
            "postgres://u:MARKED@h/d?MARKED=1",
            "postgres:///d?password=MARKED",
            "postgres://u:p@h/d?sslrootcert=%ffMARKED",
        ] {
            let error = target(url).err().expect(url);
            assert!(!error.to_string().contains("MARKED"), "{error}");
            assert!(!format!("{error:?}").contains("MARKED"), "{error:?}");
        }
    }
}
