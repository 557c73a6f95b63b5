//! The caller, from the headers.

use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::Api;
use super::error::{FORBIDDEN, Refusal, UNAUTHORIZED};
use super::head::{Head, ORIGINATING_IDENTITY};
use super::tracing;
use crate::access::Login;
use crate::domain::caller::{Caller, OriginatingIdentity, Peer};
use crate::domain::scope::Scope;

/// A login, held by the requests of one worker.
pub(super) type Held = Rc<Arc<Login>>;

/// What the gate has let in: a request carries it from there on.
pub(super) struct Admitted {
    /// Its login.
    pub(super) login: Held,
    /// Whether its head says anything of what the client has already, or takes besides plain text.
    pub(super) negotiates: bool,
}

/// The login of a request that is answered about all offerings, which `what` is; of some of them only it learns nothing.
pub(super) fn of_all(request: &HttpRequest, what: &str) -> Result<Arc<Login>, Refusal> {
    let extensions = request.extensions();
    let Some(Admitted { login, .. }) = extensions.get() else {
        let why = "The request did not pass the gate.";
        return Err(Refusal::new(UNAUTHORIZED, why));
    };
    if *login.scope() != Scope::All {
        let why = format!(
            "This login is for some offerings only, and {what} of all of them. Use another login."
        );
        return Err(Refusal::new(FORBIDDEN, why));
    }
    Ok(Arc::clone(login.as_ref()))
}

/// The caller of this request: only what passed the gate has one. But for the login it is read anew of the headers, so
/// that requests nobody asks for their caller carry none.
pub(super) struct Called(pub(super) Caller);

impl FromRequest for Called {
    type Error = Refusal;
    type Future = std::future::Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let why = "The request did not pass the gate.";
        let caller = caller(request).ok_or_else(|| Refusal::new(UNAUTHORIZED, why));
        std::future::ready(caller.map(Self))
    }
}

fn caller(request: &HttpRequest) -> Option<Caller> {
    let extensions = request.extensions();
    let Admitted { login, .. } = extensions.get()?;
    let head = Head::of(request.headers());
    Some(Caller {
        login: Arc::clone(login.name()),
        scope: login.scope().clone(),
        api_version: head.api_version()?.ok()?,
        originating_identity: originating_identity(request.headers()),
        request_identity: head.identity.and_then(text).map(Arc::from),
        trace: tracing::place(request).or_else(|| head.trace(request.headers())),
        peer: peer(request),
    })
}

/// Where a request came from.
pub(super) fn peer(request: &HttpRequest) -> Option<Peer> {
    let address = request.peer_addr()?.ip().to_canonical();
    let client = Api::of(request).map(|api| api.trusted.of(request));
    Some(Peer {
        address,
        forwarded: client.filter(|client| *client != address),
    })
}

pub(super) fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

// Platforms pad or do not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `Platform value`, the value an object in base64. A malformed one is no reason to refuse: there is none then.
pub(super) fn originating_identity(headers: &HeaderMap) -> Option<OriginatingIdentity> {
    OriginatingIdentity::from_str(text(headers.get(&ORIGINATING_IDENTITY)?)?).ok()
}

impl FromStr for OriginatingIdentity {
    type Err = ();

    fn from_str(header: &str) -> Result<Self, ()> {
        let (platform, value) = header.trim().split_once(' ').ok_or(())?;
        let json = LENIENT.decode(value.trim()).map_err(|_| ())?;
        match serde_json::from_slice(&json) {
            Ok(Value::Object(value)) if !platform.is_empty() => Ok(Self {
                platform: platform.to_owned(),
                value,
            }),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_or_left_alone() {
        let read = |header: &str| OriginatingIdentity::from_str(header).ok();
        let cloudfoundry = read(
            "cloudfoundry eyANCiAgInVzZXJfaWQiOiAiNjgzZWE3NDgtMzA5Mi00ZmY0LWI2NTYtMzljYWNjNGQ1MzYwIg0KfQ==",
        );
        assert_eq!(
            cloudfoundry
                .as_ref()
                .and_then(|identity| identity.user_id()),
            Some("683ea748-3092-4ff4-b656-39cacc4d5360")
        );
        assert!(read("kubernetes e30").is_some(), "without padding");
        for malformed in [
            "",
            "cloudfoundry",
            "cloudfoundry ",
            "cloudfoundry !!!",
            "cloudfoundry W10=",
            " e30=",
        ] {
            assert_eq!(read(malformed), None, "{malformed:?}");
        }
    }
}
