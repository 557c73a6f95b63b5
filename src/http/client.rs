//! The address that a request comes from: of the connection, or, where that is a proxy that is trusted, the one that the
//! proxy says it has the request from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderName;

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whose `X-Forwarded-For` is believed.
#[derive(Clone)]
pub struct Trusted(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl Trusted {
    /// Those addresses that `is_trusted` says.
    pub fn new(is_trusted: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_trusted))
    }

    /// Where a request comes from.
    pub(super) fn client(&self, request: &ServiceRequest) -> IpAddr {
        self.of(request.request())
    }

    /// The same, behind the gate.
    pub(super) fn of(&self, request: &HttpRequest) -> IpAddr {
        let peer = request.peer_addr().map(|peer| peer.ip());
        let peer = peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let lines = request.headers().get_all(&FORWARDED_FOR);
        let lines: Vec<_> = lines
            .map(|line| String::from_utf8_lossy(line.as_bytes()))
            .collect();
        self.behind(peer, lines.iter().map(|line| &**line))
    }

    /// Each proxy adds at the end whom it has the request from, so it is read from there: as long as who says it is
    /// trusted. What stands before that anybody may have written.
    fn behind<'l>(&self, peer: IpAddr, lines: impl DoubleEndedIterator<Item = &'l str>) -> IpAddr {
        let mut client = peer.to_canonical();
        for said in lines.rev().flat_map(|line| line.rsplit(',')) {
            if !(self.0)(client) {
                break;
            }
            match address(said.trim()) {
                Some(address) => client = address.to_canonical(),
                None => break,
            }
        }
        client
    }
}

/// An address as proxies write it: alone, in brackets, with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_address_is_believed_of_those_who_are_trusted() {
        let trusted = Trusted::new(|address| match address {
            IpAddr::V4(address) => address.octets()[0] == 10,
            IpAddr::V6(address) => address.is_loopback(),
        });
        let cases: &[(&str, &[&str], &str)] = &[
            ("192.0.2.1", &[], "192.0.2.1"),
            ("192.0.2.1", &["203.0.113.5"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.5"], "203.0.113.5"),
            ("::ffff:10.0.0.1", &["203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", &["203.0.113.5, 10.0.0.2"], "203.0.113.5"),
            (
                "10.0.0.1",
                &["1.2.3.4, 203.0.113.5, 10.0.0.2"],
                "203.0.113.5",
            ),
            (
                "10.0.0.1",
                &["1.2.3.4", "203.0.113.5,10.0.0.2"],
                "203.0.113.5",
            ),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["203.0.113.5:4711"], "203.0.113.5"),
            ("::1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("::1", &["[2001:db8::1]"], "2001:db8::1"),
            ("10.0.0.1", &["203.0.113.5, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.5,"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ];
        for (peer, lines, expected) in cases {
            let client = trusted.behind(peer.parse().unwrap(), lines.iter().copied());
            assert_eq!(client.to_string(), *expected, "{peer} {lines:?}");
        }
    }
}
