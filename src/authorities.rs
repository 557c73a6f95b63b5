//! Certificates out of PEM, for those who ask others by HTTP: whom they trust, and what they show. A leaf.

use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

/// The authorities of a file, to be trusted in place of those that browsers know. An error says which file, and why not.
pub fn read(path: &Path) -> Result<RootCerts, String> {
    let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let certificates = certificates(&pem);
    if certificates.is_empty() {
        return Err(format!("{} holds no certificate", path.display()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// All certificates of a text; keys and what cannot be read are left out.
pub fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect()
}
