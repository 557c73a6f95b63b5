//! The files of TLS, and that who logs in by a certificate can show one.

use super::error::Refused;
use super::merged::Merged;
use super::parse;
use super::table::LOGINS;
use super::types::{LoginKind, Settings, TlsSettings};

const CERTIFICATE: &str = "server.tls.certificate";
const KEY: &str = "server.tls.key";
const CLIENT_CA: &str = "server.tls.client_ca";

/// The files; nothing where none is given, or where one is wrong.
pub(super) fn read(merged: &mut Merged) -> Option<TlsSettings> {
    let given = [CERTIFICATE, KEY, CLIENT_CA].map(|path| merged.origin(path).is_some());
    let mut refuse = |path: &str, missing: &str, other: &str| {
        let message = format!("{missing} is not given");
        merged.refuse(path, Refused::new(message, format!("give {other}, too")));
        None
    };
    match given {
        [false, false, false] => None,
        [true, false, _] => refuse(CERTIFICATE, "its key", KEY),
        [false, true, _] => refuse(KEY, "its certificate", CERTIFICATE),
        [false, false, true] => refuse(CLIENT_CA, "the broker's certificate", CERTIFICATE),
        [true, true, with_clients] => {
            let certificate = merged.one(CERTIFICATE, parse::path);
            let key = merged.one(KEY, parse::path);
            let client_ca = merged.one(CLIENT_CA, parse::path);
            Some(TlsSettings {
                certificate: certificate?,
                key: key?,
                client_ca: if with_clients { Some(client_ca?) } else { None },
            })
        }
    }
}

/// Nobody can log in by a certificate who is not asked for one.
pub(super) fn refuse_strangers(merged: &mut Merged, settings: &Settings) {
    let tls = settings.server.tls.as_ref();
    if tls.is_some_and(|tls| tls.client_ca.is_some()) {
        return;
    }
    for login in &settings.logins {
        if matches!(login.kind, LoginKind::Certificate { .. }) {
            let message = "is a login by certificate, and clients are not asked for one";
            let mend = format!("give the authority of their certificates as {CLIENT_CA}");
            merged.refuse(
                &format!("{LOGINS}.{}", login.name),
                Refused::new(message, mend),
            );
        }
    }
}
