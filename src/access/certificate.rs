//! Certificates that clients show, and which of them are a login. That an authority has signed them, and that they are not
//! over, the handshake has seen to; here it is asked whose they are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_cert::Certificate as X509;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::domain::time::Timestamp;

/// What a client's certificate says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// `CN=platform`, `O=Example`, each as RFC 4514 writes it.
    subject: Vec<String>,
    /// Names of hosts, addresses, mail addresses, URIs.
    names: Vec<String>,
    /// When it is over, since 1970.
    ends: Duration,
}

/// Which certificates are a login: all that is asked must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRule {
    /// These parts of the subject, in any order.
    subject: Vec<String>,
    /// This among the subject's alternative names.
    name: Option<String>,
}

impl Certificate {
    /// Reads a certificate in DER.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let certificate = X509::from_der(der).ok()?;
        let certificate = certificate.tbs_certificate();
        let subject = certificate.subject().iter().map(ToString::to_string);
        let names = match certificate.get_extension::<SubjectAltName>() {
            Ok(Some((_, SubjectAltName(names)))) => names.iter().filter_map(text).collect(),
            // One whose names cannot be read has none.
            Ok(None) | Err(_) => Vec::new(),
        };
        Some(Self {
            subject: subject.collect(),
            names,
            ends: certificate.validity().not_after.to_unix_duration(),
        })
    }

    /// When it is over.
    pub fn ends(&self) -> SystemTime {
        UNIX_EPOCH + self.ends
    }

    /// Whether it is over by now: a connection may last longer than what its client has shown for it.
    pub fn is_over(&self, now: Timestamp) -> bool {
        i64::try_from(self.ends.as_millis()).is_ok_and(|ends| ends < now.0)
    }
}

fn text(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        GeneralName::Rfc822Name(name) | GeneralName::UniformResourceIdentifier(name) => {
            Some(name.as_str().to_owned())
        }
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let v4 = || <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
            let v6 = || <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from);
            let address = v4().map(IpAddr::V4).or_else(|| v6().map(IpAddr::V6));
            address.map(|address| address.to_string())
        }
        _ => None,
    }
}

impl CertificateRule {
    /// A rule that asks for `subject`, parts of one separated by commas, and for `name`; nothing where it asks for nothing.
    pub fn new(subject: Option<&str>, name: Option<&str>) -> Option<Self> {
        let subject = subject.map(parts).unwrap_or_default();
        let name = name.map(as_shown);
        (!subject.is_empty() || name.is_some()).then_some(Self { subject, name })
    }

    /// Whether a certificate is the login.
    pub fn fits(&self, certificate: &Certificate) -> bool {
        let names = |part: &String| certificate.subject.iter().any(|known| is_same(known, part));
        self.subject.iter().all(names)
            && self
                .name
                .iter()
                .all(|name| certificate.names.contains(name))
    }
}

/// Whether a part of a subject is the one that is asked for: `CN = platform`, as openssl prints it, is `CN=platform`.
fn is_same(known: &str, wanted: &str) -> bool {
    match (known.split_once('='), wanted.split_once('=')) {
        (Some((kind, value)), Some((wanted_kind, wanted_value))) => {
            kind.eq_ignore_ascii_case(wanted_kind.trim()) && value == wanted_value.trim()
        }
        _ => false,
    }
}

/// A name as [`text`] writes it: hosts have no case, and an address has one spelling.
fn as_shown(name: &str) -> String {
    let name = name.trim();
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.to_string();
    }
    // Of mail addresses and URIs nothing is known that says the same in another spelling.
    if name.contains([':', '/', '@']) {
        return name.to_owned();
    }
    name.to_ascii_lowercase()
}

/// `CN=platform, O=Example\, Inc.`: a comma of a value has a backslash.
fn parts(subject: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for character in subject.chars() {
        match parts.last_mut() {
            Some(part) if character != ',' || escaped => part.push(character),
            _ => parts.push(String::new()),
        }
        escaped = character == '\\' && !escaped;
    }
    let parts = parts.iter().map(|part| part.trim().to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> Certificate {
        Certificate {
            subject: vec!["O=Example\\, Inc.".to_owned(), "CN=platform".to_owned()],
            names: vec![
                "cf.example".to_owned(),
                "spiffe://example/cf".to_owned(),
                "2001:db8::1".to_owned(),
            ],
            ends: Duration::ZERO,
        }
    }

    #[test]
    fn all_that_a_rule_asks_for_must_hold() {
        let fits = |subject, name| {
            CertificateRule::new(subject, name).is_some_and(|rule| rule.fits(&certificate()))
        };
        assert!(fits(Some("CN=platform"), None));
        assert!(fits(Some("CN=platform, O=Example\\, Inc."), None));
        assert!(fits(None, Some("cf.example")));
        assert!(fits(Some("CN=platform"), Some("spiffe://example/cf")));
        // As openssl prints it, and as people write it.
        assert!(fits(Some("O = Example\\, Inc., cn = platform"), None));
        assert!(fits(None, Some("CF.Example ")));
        assert!(fits(None, Some("2001:DB8:0::1")));
        for (subject, name) in [
            (Some("CN=other"), None),
            (Some("CN=plat"), None),
            (Some("CN=platform,O=Other"), None),
            (Some("platform"), None),
            (Some("CN=Platform"), None),
            (Some("CN"), None),
            (None, Some("example")),
            (None, Some("spiffe://example/CF")),
            (None, Some("spiffe://example/c")),
            (Some("CN=platform"), Some("other.example")),
            (Some("CN=other"), Some("cf.example")),
            (Some(" , "), None),
            (None, None),
        ] {
            assert!(!fits(subject, name), "{subject:?} {name:?}");
        }
    }
}
