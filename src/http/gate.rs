//! The gate: rows 1 to 3 of the order of checks, before any route. It answers and never throws: what throws skips the
//! gates outside of it, and the answer would lose its request identity.

mod answering;
mod area;

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpResponse};

use self::answering::{Answering, Last};
use self::area::Area;
use super::error::{
    ENCODING_UNSUPPORTED, HEADERS_TOO_LARGE, Refusal, URL_TOO_LONG, VERSION_UNSUPPORTED, forbidden,
    unauthorized,
};
use super::head::Head;
use super::identity::Admitted;
use super::input::too_large;
use super::login::login;
use super::{Api, Limits};
use crate::access::Login;
use crate::domain::version::{ApiVersion, NEWEST};
use crate::secret::Secret;

/// Stands before every route.
#[derive(Clone)]
pub struct Gate(pub Data<Api>);

/// The gate with what is behind it.
pub struct Gated<S> {
    api: Data<Api>,
    behind: S,
}

impl<S> Transform<S, ServiceRequest> for Gate
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = actix_web::Error>,
    S::Future: Unpin,
{
    type Response = ServiceResponse;
    type Error = actix_web::Error;
    type InitError = ();
    type Transform = Gated<S>;
    type Future = Ready<Result<Gated<S>, ()>>;

    fn new_transform(&self, behind: S) -> Self::Future {
        ready(Ok(Gated {
            api: self.0.clone(),
            behind,
        }))
    }
}

impl<S> Service<ServiceRequest> for Gated<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = actix_web::Error>,
    S::Future: Unpin,
{
    type Response = ServiceResponse;
    type Error = actix_web::Error;
    type Future = Answering<S::Future>;

    actix_web::dev::forward_ready!(behind);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let head = Head::of(request.headers());
        let last = Last::of(&request, &head);
        match pass(&request, &head, &self.api) {
            Err(refused) => Answering::refused(request, refused.to_response(), last),
            Ok(login) => {
                if let Some(login) = login {
                    request.extensions_mut().insert(Admitted(login));
                }
                Answering::Behind(self.behind.call(request), last)
            }
        }
    }
}

/// Why a request does not pass.
enum Refused {
    Unauthorized,
    Because(Refusal),
}

impl Refused {
    fn to_response(&self) -> HttpResponse {
        match self {
            Self::Unauthorized => unauthorized(),
            Self::Because(refusal) => refusal.to_response(),
        }
    }
}

/// Rows 1 to 3, and whose login it is; health is asked without one.
fn pass(
    request: &ServiceRequest,
    head: &Head<'_>,
    api: &Api,
) -> Result<Option<Arc<Login>>, Refused> {
    size(request, head, api.limits).map_err(Refused::Because)?;
    let area = request
        .match_info()
        .as_str()
        .strip_prefix(api.base_path.as_str())
        .map_or(Area::Api, Area::of);
    if area == Area::Health {
        return Ok(None);
    }
    let login = login(head, &api.logins).ok_or_else(|| {
        log::trace!(
            "refused credentials: {:?}",
            head.authorization.map(Secret::new)
        );
        Refused::Unauthorized
    })?;
    request.extensions_mut().insert(Admitted(Arc::clone(login)));
    if !login.roles().hold_one_of(area.roles()) {
        return Err(Refused::Because(forbidden(area.roles())));
    }
    if area == Area::Api {
        version(head, api.broker.minimum_api_version()).map_err(Refused::Because)?;
    }
    Ok(Some(Arc::clone(login)))
}

/// Row 1.
fn size(request: &ServiceRequest, head: &Head<'_>, limits: Limits) -> Result<(), Refusal> {
    if head.length > limits.headers {
        let why = format!(
            "The headers are longer than {} bytes. Send fewer or shorter ones.",
            limits.headers
        );
        return Err(Refusal::new(HEADERS_TOO_LARGE, why));
    }
    let uri = request.uri();
    let url = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if url > limits.url {
        let why = format!(
            "Path and query are longer than {} bytes. Use shorter ids.",
            limits.url
        );
        return Err(Refusal::new(URL_TOO_LONG, why));
    }
    if head
        .declared()
        .is_some_and(|length| length > limits.body as u64)
    {
        return Err(too_large(limits.body));
    }
    if head.is_encoded() {
        let why = "The body is compressed. Send it without a Content-Encoding.";
        return Err(Refusal::new(ENCODING_UNSUPPORTED, why));
    }
    Ok(())
}

/// Row 3.
fn version(head: &Head<'_>, minimum: ApiVersion) -> Result<(), Refusal> {
    let refuse = |why: &str| {
        let major = NEWEST.major;
        Err(Refusal::new(
            VERSION_UNSUPPORTED,
            format!(
                "The header X-Broker-API-Version {why}. This broker serves the versions {minimum} to {NEWEST} and \
                 later ones of {major}.x."
            ),
        ))
    };
    match head.api_version() {
        None => refuse("is missing"),
        Some(Err(_)) => refuse("is not of the form MAJOR.MINOR"),
        Some(Ok(version)) if !version.is_served(minimum) => {
            refuse("names a version that is not served")
        }
        Some(Ok(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
