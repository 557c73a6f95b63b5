//! The gate: rows 1 to 3 of the order of checks, before any route. It answers and never throws: what throws skips the
//! gates outside of it, and the answer would lose its request identity.

use std::future::{Future, Ready, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::header::{Header as _, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpResponse, ResponseError};
use actix_web_httpauth::headers::authorization::{Authorization, Basic, Bearer};

use super::error::{
    ENCODING_UNSUPPORTED, HEADERS_TOO_LARGE, Refusal, URL_TOO_LONG, VERSION_UNSUPPORTED, panicked,
    unauthorized,
};
use super::head::{Head, REQUEST_IDENTITY};
use super::identity::Passed;
use super::input::too_large;
use super::{Api, Limits, log_line};
use crate::access::Logins;
use crate::domain::version::{ApiVersion, NEWEST};

/// Stands before every route.
#[derive(Clone)]
pub struct Gate(pub Data<Api>);

/// The gate with what is behind it.
pub struct Gated<S> {
    api: Data<Api>,
    behind: S,
}

impl<S, B> Transform<S, ServiceRequest> for Gate
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
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

impl<S, B> Service<ServiceRequest> for Gated<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B, BoxBody>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    actix_web::dev::forward_ready!(behind);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let began = log_line::wanted().then(Instant::now);
        let head = Head::of(request.headers());
        let identity = head.identity.cloned();
        let passed = pass(&request, &head, &self.api);
        match passed {
            Err(refused) => {
                let answer = request.into_response(refused.to_response().map_into_right_body());
                Box::pin(ready(Ok(last(answer, identity, began))))
            }
            Ok(passed) => {
                if let Some(passed) = passed {
                    request.extensions_mut().insert(passed);
                }
                let behind = self.behind.call(request);
                Box::pin(async move {
                    match unwound(behind).await {
                        Some(Ok(answer)) => Ok(last(answer.map_into_left_body(), identity, began)),
                        Some(Err(error)) => Err(error),
                        None => Err(Panicked(identity).into()),
                    }
                })
            }
        }
    }
}

/// A panic behind the gate. It is the one thing that the gate throws, for the request went down with it: so it brings
/// its answer along, the request identity in it.
#[derive(Debug)]
struct Panicked(Option<HeaderValue>);

impl std::fmt::Display for Panicked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the broker panicked")
    }
}

impl ResponseError for Panicked {
    fn error_response(&self) -> HttpResponse {
        let mut answer = panicked();
        if let Some(identity) = &self.0 {
            answer
                .headers_mut()
                .insert(REQUEST_IDENTITY.clone(), identity.clone());
        }
        answer
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

/// What every answer gets, whoever gave it.
fn last<B>(
    mut answer: ServiceResponse<B>,
    identity: Option<HeaderValue>,
    began: Option<Instant>,
) -> ServiceResponse<B> {
    if let Some(identity) = identity {
        answer
            .headers_mut()
            .insert(REQUEST_IDENTITY.clone(), identity);
    }
    if let Some(began) = began {
        log_line::write(&answer, began);
    }
    answer
}

/// The future's output; nothing where it panicked. The hook has logged the place by then.
async fn unwound<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(
        move |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
            Err(_) => Poll::Ready(None),
        },
    )
    .await
}

/// Rows 1 to 3; health is asked without credentials.
fn pass(request: &ServiceRequest, head: &Head<'_>, api: &Api) -> Result<Option<Passed>, Refused> {
    size(request, head, api.limits).map_err(Refused::Because)?;
    let path = request
        .path()
        .strip_prefix(api.base_path.as_str())
        .unwrap_or_default();
    if matches!(path, "/healthz" | "/readyz") {
        return Ok(None);
    }
    let login = login(request, head, &api.logins).ok_or(Refused::Unauthorized)?;
    let minimum = api.broker.catalog().minimum_api_version();
    let api_version = version(head, minimum).map_err(Refused::Because)?;
    Ok(Some(Passed { login, api_version }))
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

/// Row 2. Nearly every client writes its header alike, and that is compared as it is; what is written in another way
/// is parsed.
fn login(request: &ServiceRequest, head: &Head<'_>, logins: &Logins) -> Option<Arc<str>> {
    if let Some(login) = logins.by_header(head.authorization?.as_bytes()) {
        return Some(Arc::clone(login));
    }
    if let Ok(basic) = Authorization::<Basic>::parse(request) {
        let basic = basic.into_scheme();
        let password = basic.password().unwrap_or_default();
        return logins.by_password(basic.user_id(), password).cloned();
    }
    let bearer = Authorization::<Bearer>::parse(request).ok()?.into_scheme();
    logins.by_token(bearer.token()).cloned()
}

/// Row 3.
fn version(head: &Head<'_>, minimum: ApiVersion) -> Result<ApiVersion, Refusal> {
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
    let Some(header) = head.version else {
        return refuse("is missing");
    };
    match header.to_str().unwrap_or_default().parse::<ApiVersion>() {
        Err(_) => refuse("is not of the form MAJOR.MINOR"),
        Ok(version) if !version.is_served(minimum) => refuse("names a version that is not served"),
        Ok(version) => Ok(version),
    }
}
