//! TLS 1.2 and 1.3, by rustls. The files are looked at again and again: what is new in them holds from the next handshake
//! on, for connections that there are already nothing changes; what cannot be used is said, and the old stays.
//!
//! Where there is an authority for clients, who shows a certificate must show one of it; who shows none may still log in in
//! another way.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
};

use crate::access::Certificate;

/// The files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities of clients, where they may show certificates.
    pub client_ca: Option<PathBuf>,
}

/// Why files cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub struct TlsError {
    file: PathBuf,
    why: String,
}

impl TlsError {
    fn new(file: &Path, why: impl fmt::Display) -> Self {
        Self {
            file: file.to_owned(),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.file.display(), self.why)
    }
}

impl std::error::Error for TlsError {}

/// What handshakes are made with, by now.
pub struct Tls {
    files: TlsFiles,
    current: RwLock<Arc<Loaded>>,
    seen: Mutex<Stamp>,
}

struct Loaded {
    key: Arc<CertifiedKey>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
    /// When the certificate is over, where it says that.
    ends: Option<SystemTime>,
}

/// What tells one state of the files from another: device, file, length and time of change of each.
type Stamp = Vec<Option<(u64, u64, u64, i64, i64)>>;

/// What a look at the files came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing is new.
    Same,
    /// What is new holds.
    New,
    /// What is new cannot be used; the old holds.
    Bad(TlsError),
}

impl Tls {
    /// Reads the files.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let seen = Mutex::new(stamp(&files));
        let current = RwLock::new(Arc::new(Loaded::read(&files)?));
        Ok(Arc::new(Self {
            files,
            current,
            seen,
        }))
    }

    /// Reads the files again where they are not those that hold. What cannot be used is read anew each time: what is in its
    /// way may go without a trace in the files, a right that is granted, room for one more open file.
    pub fn look(&self, now: SystemTime) -> Look {
        // Taken before they are read: what is written meanwhile is new the next time.
        let stamp = stamp(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == stamp {
            return Look::Same;
        }
        match Loaded::read(&self.files) {
            Ok(loaded) if loaded.ends.is_some_and(|ends| ends <= now) => {
                Look::Bad(TlsError::new(&self.files.certificate, "is over"))
            }
            Ok(loaded) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(loaded);
                *seen = stamp;
                Look::New
            }
            Err(why) => Look::Bad(why),
        }
    }

    /// How the server shakes hands.
    pub fn config(self: &Arc<Self>) -> Result<ServerConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let swapped = Arc::new(Swapped(Arc::clone(self)));
        if self.files.client_ca.is_none() {
            return Ok(builder.with_no_client_auth().with_cert_resolver(swapped));
        }
        let verifier: Arc<dyn ClientCertVerifier> = swapped.clone();
        let mut config = builder
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(swapped);
        // A session that is resumed brings the client's certificate along unseen: also that of an authority that is none
        // any more.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// When the certificate that holds by now is over, where it says that.
    pub fn ends(&self) -> Option<SystemTime> {
        self.current().ends
    }

    fn current(&self) -> Arc<Loaded> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(out)
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    let all = [&files.certificate, &files.key]
        .into_iter()
        .chain(&files.client_ca);
    all.map(|file| {
        let file = std::fs::metadata(file).ok()?;
        Some((
            file.dev(),
            file.ino(),
            file.len(),
            file.mtime(),
            file.mtime_nsec(),
        ))
    })
    .collect()
}

impl Loaded {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(&files.certificate)?;
        let first = chain.first().and_then(|first| Certificate::parse(first));
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| TlsError::new(&files.key, pem(&error)))?;
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            Error::InconsistentKeys(_) => {
                TlsError::new(&files.key, "is not the key of the certificate")
            }
            error => TlsError::new(&files.certificate, error),
        })?;
        let clients = match &files.client_ca {
            None => None,
            Some(file) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(file)? {
                    roots
                        .add(authority)
                        .map_err(|error| TlsError::new(file, error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .allow_unauthenticated()
                        .build()
                        .map_err(|error| TlsError::new(file, error))?;
                Some(verifier)
            }
        };
        Ok(Self {
            key: Arc::new(key),
            clients,
            ends: first.map(|first| first.ends()),
        })
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| TlsError::new(file, pem(&error)))?;
    if certificates.is_empty() {
        return Err(TlsError::new(file, "has no certificate in PEM"));
    }
    Ok(certificates)
}

/// Without what stands in the file: it may be a key.
fn pem(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => format!("cannot be read: {error}"),
        _ => "is not what is expected there, in PEM".to_owned(),
    }
}

/// Asks for what holds by now, in each handshake.
#[derive(Debug)]
struct Swapped(Arc<Tls>);

impl Swapped {
    fn clients(&self) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let none = || Error::General("no authority of clients".to_owned());
        self.0.current().clients.clone().ok_or_else(none)
    }
}

impl ResolvesServerCert for Swapped {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current().key))
    }
}

impl ClientCertVerifier for Swapped {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: they could not be swapped, and clients choose without them.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.clients()?
            .verify_client_cert(certificate, between, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.clients()?
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.clients()?
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The certificate that the client of a connection has shown.
pub(super) struct Certified(pub(super) Certificate);

/// Notes for all requests of a connection which certificate its client has shown.
pub(super) fn greet(stream: &TlsStream<TcpStream>, extensions: &mut Extensions) {
    let shown = stream.get_ref().1.peer_certificates();
    let certificate = shown
        .and_then(<[_]>::first)
        .and_then(|certificate| Certificate::parse(certificate));
    if let Some(certificate) = certificate {
        extensions.insert(Certified(certificate));
    }
}
