//! The signature: `t=SECONDS,v1=HEX`, HEX being the HMAC-SHA-256 of `SECONDS.BODY`. The time is in it so that what
//! somebody recorded cannot be sent again later; the `v1` so that there can be a `v2` beside it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::domain::time::Timestamp;
use crate::secret::Secret;

/// Signs with a secret.
pub(super) struct Signer(Hmac<Sha256>);

impl Signer {
    /// Nothing for an empty secret, which everybody knows.
    pub(super) fn new(secret: &Secret) -> Option<Self> {
        let key = secret.expose().as_bytes();
        let mac = Hmac::new_from_slice(key).ok()?;
        (!key.is_empty()).then_some(Self(mac))
    }

    /// The value of the header for `body`, sent at `at`.
    pub(super) fn sign(&self, at: Timestamp, body: &[u8]) -> String {
        let seconds = at.0.div_euclid(1000);
        let mut mac = self.0.clone();
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body);
        let digits = mac.finalize().into_bytes();
        digits
            .iter()
            .fold(format!("t={seconds},v1="), |text, byte| {
                text + &format!("{byte:02x}")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac geheim`.
    #[test]
    fn a_signature_is_what_openssl_makes_of_it() {
        let signer = Signer::new(&Secret::new("geheim".to_owned())).expect("a signer");
        let at = Timestamp(1_700_000_000_999);
        assert_eq!(
            signer.sign(at, br#"{"a":1}"#),
            "t=1700000000,v1=c2f0a59f12d0bcd3933234d85083c03b99e970604203fd059a320436bb602adf"
        );
        assert!(Signer::new(&Secret::default()).is_none());
    }
}
