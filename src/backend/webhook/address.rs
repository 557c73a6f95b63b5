//! Where a request goes. Read by the same parser that the client connects by, so that what is compared here is where it
//! goes there; what is in no part of an address (a login, a fragment) does not survive.

use std::fmt;

use ureq::http::Uri;
use ureq::http::uri::Scheme;

/// A URL of a webhook, its polls, or where it redirects to.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    origin: Origin,
    /// Path and query; often a secret.
    path: String,
}

/// Scheme, host and port: whom a login is for.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Origin {
    encrypted: bool,
    host: String,
    port: u16,
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAddress {
    /// It is no absolute URL.
    Malformed,
    /// It is neither `http` nor `https`.
    Scheme,
    /// There is a login in it.
    Login,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, NoAddress> {
        let uri: Uri = text.parse().map_err(|_| NoAddress::Malformed)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(NoAddress::Malformed);
        };
        let encrypted = *scheme == Scheme::HTTPS;
        if !encrypted && *scheme != Scheme::HTTP {
            return Err(NoAddress::Scheme);
        }
        if authority.as_str().contains('@') {
            return Err(NoAddress::Login);
        }
        if authority.host().is_empty() {
            return Err(NoAddress::Malformed);
        }
        let origin = Origin {
            encrypted,
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(default_port(encrypted)),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            origin,
            path: format!("{}{path}", if path.starts_with('/') { "" } else { "/" }),
        })
    }

    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The whole URL, for the client and for nobody else.
    pub(super) fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// What a `Location` in an answer from here means (RFC 3986, "Reference Resolution").
    pub(super) fn join(&self, reference: &str) -> Result<Self, NoAddress> {
        let reference = reference.split('#').next().unwrap_or_default();
        if has_scheme(reference) {
            return Self::parse(reference);
        }
        if reference.starts_with("//") {
            return Self::parse(&format!("{}:{reference}", self.origin.scheme()));
        }
        let here = self.path.split('?').next().unwrap_or_default();
        let path = match reference.chars().next() {
            None => self.path.clone(),
            Some('/') => without_dots(reference),
            Some('?') => format!("{here}{reference}"),
            Some(_) => {
                let folder = here.rsplit_once('/').map_or("", |(folder, _)| folder);
                without_dots(&format!("{folder}/{reference}"))
            }
        };
        Self::parse(&format!("{}{path}", self.origin))
    }
}

impl Origin {
    pub(super) const fn encrypted(&self) -> bool {
        self.encrypted
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is this machine, whatever names say: what is sent leaves no wire to listen on.
    pub(super) fn is_loopback(&self) -> bool {
        let digits = |text: &str| {
            text.chars()
                .all(|char| char.is_ascii_digit() || char == '.')
        };
        matches!(&*self.host, "localhost" | "[::1]")
            || self.host.starts_with("127.") && digits(&self.host)
    }

    const fn scheme(&self) -> &'static str {
        if self.encrypted { "https" } else { "http" }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}", self.scheme(), self.host)?;
        if self.port == default_port(self.encrypted) {
            return Ok(());
        }
        write!(out, ":{}", self.port)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

const fn default_port(encrypted: bool) -> u16 {
    if encrypted { 443 } else { 80 }
}

fn has_scheme(reference: &str) -> bool {
    let end = reference.find([':', '/', '?']).unwrap_or(0);
    end > 0 && reference[end..].starts_with(':')
}

fn without_dots(path: &str) -> String {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (path, String::new()),
    };
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Address {
        Address::parse(text).expect("an address")
    }

    #[test]
    fn a_location_is_read_from_where_it_was_given() {
        let base = parsed("https://Hook.example/a/b?token=1");
        for (reference, url) in [
            ("/jobs/1", "https://hook.example/jobs/1"),
            ("jobs/1?x=/../", "https://hook.example/a/jobs/1?x=/../"),
            ("./c", "https://hook.example/a/c"),
            ("../c/./d/..", "https://hook.example/c/"),
            ("../../../c", "https://hook.example/c"),
            ("?x=2", "https://hook.example/a/b?x=2"),
            ("", "https://hook.example/a/b?token=1"),
            ("//other.example:444/x", "https://other.example:444/x"),
            ("HTTPS://hook.example:443/x#y", "https://hook.example/x"),
            ("http://hook.example", "http://hook.example/"),
        ] {
            let joined = base.join(reference).expect(reference);
            assert_eq!(joined.url(), url, "{reference}");
        }
        assert_eq!(
            base.join("ftp://hook.example/x").err(),
            Some(NoAddress::Scheme)
        );
        assert_eq!(base.join("a b").err(), Some(NoAddress::Malformed));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let origin = |text: &str| parsed(text).origin().clone();
        assert_eq!(origin("https://a:443/x"), origin("HTTPS://A"));
        for other in ["http://a", "https://a:444", "https://a.b", "http://a:443"] {
            assert_ne!(origin("https://a"), origin(other), "{other}");
        }
        for wrong in ["a", "/a", "https://", "https:///a", ""] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            Address::parse("https://u:p@a/").err(),
            Some(NoAddress::Login)
        );
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        let loopback = |host: &str| parsed(&format!("http://{host}/")).origin().is_loopback();
        for host in ["localhost:1", "127.0.0.1", "127.1.2.3:80", "[::1]:80"] {
            assert!(loopback(host), "{host}");
        }
        for host in [
            "127.0.0.1.example",
            "localhost.example",
            "10.0.0.1",
            "[::2]",
        ] {
            assert!(!loopback(host), "{host}");
        }
    }
}
