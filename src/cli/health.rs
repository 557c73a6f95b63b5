//! `health`: asks the broker that runs here whether it is alive. For health checks of containers that have no curl.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Exit, failed};
use crate::catalog;
use crate::settings::{self, Flags, ServerSettings};

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn run(flags: &Flags) -> Exit {
    let loaded = settings::environment().and_then(|environment| {
        settings::load_for_document(flags, &environment, catalog::is_document_variable)
    });
    let server = match loaded {
        Ok(loaded) => loaded.settings.server,
        Err(errors) => return failed(errors),
    };
    let asked = match &server.tls {
        None => ask(&server),
        Some(_) => ask_tls(&server),
    };
    match asked {
        Ok(true) => Exit::Clean,
        Ok(false) => failed("the broker answers, but not that it is alive"),
        Err(error) => failed(format_args!("the broker does not answer: {error}")),
    }
}

fn address(server: &ServerSettings) -> SocketAddr {
    let address = match server.address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, server.port)
}

/// Over TLS, whatever name its certificate has: it is this machine that is asked, and nothing is told.
fn ask_tls(server: &ServerSettings) -> std::io::Result<bool> {
    let tls = ureq::tls::TlsConfig::builder().disable_verification(true);
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .tls_config(tls.build())
        .proxy(None)
        .http_status_as_error(false)
        .build()
        .new_agent();
    let url = format!("https://{}{}/healthz", address(server), server.base_path);
    match agent.get(&url).call() {
        Ok(answer) => Ok(answer.status() == 200),
        Err(error) => Err(error.into_io()),
    }
}

fn ask(server: &ServerSettings) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address(server), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {}/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        server.base_path
    )?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
