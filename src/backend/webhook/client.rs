//! The HTTP client of one webhook: its trust, its certificate, its proxy, its patience, and its open connections.

use std::thread;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::oneshot;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Proxy, ProxyProtocol};

use super::address::Origin;
use super::exchange::{Answer, Message};
use super::proxy::bypasses;
use super::settings::{ClientCertificate, WebhookError, WebhookSettings};
use super::trouble::Trouble;
use crate::authorities;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// How many connections rest until the next exchange.
const RESTING: usize = 16;

/// Exchanges messages for answers; its clones share connections.
pub(super) struct Client(Agent);

impl Client {
    pub(super) fn new(settings: &WebhookSettings, origin: &Origin) -> Result<Self, WebhookError> {
        for (key, time) in [("timeout", settings.timeout), ("limit", settings.limit)] {
            if time.is_zero() {
                return Err(WebhookError::NoTime(key));
            }
        }
        // Redirects are ours to follow (`attempt.rs`), and a status is an answer. The proxy is said in any case: left
        // out, the environment would be asked.
        let config = Agent::config_builder()
            .tls_config(tls(settings)?)
            .proxy(proxy(settings, origin)?)
            .https_only(origin.encrypted())
            .timeout_global(Some(settings.timeout))
            .timeout_connect(Some(CONNECT.min(settings.timeout)))
            .max_idle_connections_per_host(RESTING)
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("catalog-broker/", env!("CARGO_PKG_VERSION")));
        Ok(Self(config.build().new_agent()))
    }

    /// One exchange, on a thread of its own: the client blocks. Not one of the runtime's, which would wait at its end for
    /// an endpoint that is slow.
    pub(super) async fn exchange(&self, message: Message) -> Result<Answer, Trouble> {
        let (tell, hear) = oneshot::channel();
        let agent = self.0.clone();
        let exchange = move || {
            if !tell.is_closed() {
                // Whoever asked may have gone meanwhile.
                let answer = message.send(&agent, &|| !tell.is_closed());
                let _ = tell.send(answer);
            }
        };
        thread::Builder::new()
            .name("webhook".to_owned())
            .spawn(exchange)
            .map_err(|error| Trouble::ours(&format!("no thread to ask on: {error}")))?;
        hear.await
            .unwrap_or_else(|_| Err(Trouble::ours("the thread that asked panicked")))
    }
}

fn tls(settings: &WebhookSettings) -> Result<TlsConfig, WebhookError> {
    let mut tls = TlsConfig::builder();
    if let Some(pem) = &settings.ca {
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates(pem, "ca")?));
    }
    if let Some(certificate) = &settings.client_certificate {
        tls = tls.client_cert(Some(client_certificate(certificate)?));
    }
    Ok(tls.build())
}

fn client_certificate(certificate: &ClientCertificate) -> Result<ClientCert, WebhookError> {
    let chain = certificates(&certificate.chain, "client_certificate")?;
    let key = PrivateKey::from_pem(certificate.key.expose()).map_err(|_| WebhookError::NoKey)?;
    if are_a_pair(certificate) {
        Ok(ClientCert::new_with_certs(&chain, key))
    } else {
        Err(WebhookError::NoPair)
    }
}

/// Looked at here, as the client would panic at the first exchange.
fn are_a_pair(certificate: &ClientCertificate) -> bool {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate.chain).collect();
    let key = PrivateKeyDer::from_pem_slice(certificate.key.expose());
    let (Ok(chain), Ok(key)) = (chain, key) else {
        return false;
    };
    CertifiedKey::from_der(chain, key, &default_provider()).is_ok()
}

fn certificates(pem: &[u8], key: &'static str) -> Result<Vec<Certificate<'static>>, WebhookError> {
    let found = authorities::certificates(pem);
    if found.is_empty() {
        return Err(WebhookError::NoCertificate(key));
    }
    Ok(found)
}

fn proxy(settings: &WebhookSettings, origin: &Origin) -> Result<Option<Proxy>, WebhookError> {
    let direct = settings.no_proxy.as_deref();
    match &settings.proxy {
        Some(_) if direct.is_some_and(|hosts| bypasses(hosts, origin)) => Ok(None),
        Some(url) => match Proxy::new(url.expose()) {
            Ok(proxy) if speaks_http(&proxy) => Ok(Some(proxy)),
            _ => Err(WebhookError::Proxy),
        },
        None => Ok(None),
    }
}

fn speaks_http(proxy: &Proxy) -> bool {
    matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https)
}
