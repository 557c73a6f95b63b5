//! Certificates of an authority that nobody else trusts, by openssl.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A folder with `ca.pem` and what it has signed.
pub struct Authority(PathBuf);

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Authority {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("webhooks-{}-{next}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        let authority = Self(folder);
        authority.openssl(&format!(
            "req -x509 {KEY} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"
        ));
        authority
    }

    /// Signs a certificate for `host`, good for `days` from now on; less than none is over.
    pub fn sign(&self, host: &str, days: i32) -> Signed<'_> {
        let name = host.replace('.', "-");
        std::fs::write(self.0.join("names"), format!("subjectAltName=DNS:{host}\n")).expect("room");
        self.openssl(&format!(
            "req {KEY} -keyout {name}.key -out {name}.csr -subj /CN={host}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile names -out {name}.pem"
        ));
        Signed {
            authority: self,
            name,
        }
    }

    pub fn pem(&self) -> Vec<u8> {
        self.read("ca.pem")
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).expect(name)
    }

    fn openssl(&self, arguments: &str) {
        let done = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .output()
            .expect("openssl is installed");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
    }
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// A certificate and its key.
pub struct Signed<'a> {
    authority: &'a Authority,
    name: String,
}

impl Signed<'_> {
    pub fn chain(&self) -> Vec<u8> {
        self.authority.read(&format!("{}.pem", self.name))
    }

    pub fn key(&self) -> Vec<u8> {
        self.authority.read(&format!("{}.key", self.name))
    }

    /// A server that shows it, and asks for one of `clients` where that is given.
    pub fn server(&self, clients: Option<&Authority>) -> ServerConfig {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots
                    .add(CertificateDer::from_pem_slice(&authority.pem()).expect("PEM"))
                    .expect("an authority");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let chain = CertificateDer::from_pem_slice(&self.chain()).expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(&self.key()).expect("PEM");
        builder
            .with_single_cert(vec![chain], key)
            .expect("a certificate")
    }
}
