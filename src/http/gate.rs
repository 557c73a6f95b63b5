//! The gate: rows 1 to 3 of the order of checks, before any route. It answers and never throws: what throws skips the
//! gates outside of it, and the answer would lose its request identity.

mod answering;
mod area;
mod holding;

use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpResponse};

use self::answering::{Answering, Last};
use self::area::Area;
use self::holding::Holding;
use super::error::{
    ENCODING_UNSUPPORTED, HEADERS_TOO_LARGE, Refusal, URL_TOO_LONG, VERSION_UNSUPPORTED, forbidden,
    too_many_logins, unauthorized,
};
use super::head::Head;
use super::identity::{Admitted, Held, peer};
use super::input::too_large;
use super::login::{Shown, shown};
use super::tls::Certified;
use super::{Api, Limits};
use crate::access::{Claim, Failed, Login, Logins, Pending};
use crate::domain::version::{ApiVersion, NEWEST};
use crate::secret::Secret;

/// Stands before every route.
#[derive(Clone)]
pub struct Gate(pub Data<Api>);

/// The gate with what is behind it.
pub struct Gated<S> {
    // Of this worker alone: a count that all of them share would be one more thing that they wait for each other for.
    api: Rc<Data<Api>>,
    holding: Holding,
    behind: Rc<S>,
}

impl<S> Transform<S, ServiceRequest> for Gate
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = actix_web::Error>,
    S: 'static,
    S::Future: Unpin,
{
    type Response = ServiceResponse;
    type Error = actix_web::Error;
    type InitError = ();
    type Transform = Gated<S>;
    type Future = Ready<Result<Gated<S>, ()>>;

    fn new_transform(&self, behind: S) -> Self::Future {
        ready(Ok(Gated {
            api: Rc::new(self.0.clone()),
            holding: Holding::default(),
            behind: Rc::new(behind),
        }))
    }
}

impl<S> Service<ServiceRequest> for Gated<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = actix_web::Error>,
    S: 'static,
    S::Future: Unpin,
{
    type Response = ServiceResponse;
    type Error = actix_web::Error;
    type Future = Answering<S::Future>;

    actix_web::dev::forward_ready!(behind);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let head = Head::of(request.headers());
        let last = Last::of(&request, &head, &self.api);
        match pass(&request, &head, &self.api, &self.holding) {
            Err(refused) => Answering::refused(request, refused.to_response(), last),
            Ok(Passed::Open) => Answering::Behind(self.behind.call(request), last),
            Ok(Passed::As(admitted)) => {
                request.extensions_mut().insert(admitted);
                Answering::Behind(self.behind.call(request), last)
            }
            Ok(Passed::Waits(waits)) => {
                let (api, behind) = (Data::clone(&self.api), Rc::clone(&self.behind));
                Answering::Waiting(Box::pin(waits.end(request, api, behind)), last)
            }
        }
    }
}

/// Why a request does not pass.
enum Refused {
    Unauthorized,
    TooManyLogins(Duration),
    Because(Refusal),
}

impl Refused {
    fn to_response(&self) -> HttpResponse {
        match self {
            Self::Unauthorized => unauthorized(),
            Self::TooManyLogins(wait) => too_many_logins(*wait),
            Self::Because(refusal) => refusal.to_response(),
        }
    }
}

/// How a request passes.
enum Passed {
    /// Without a login.
    Open,
    /// With this one.
    As(Admitted),
    /// When its login was looked at, which takes a while.
    Waits(Waits),
}

/// Rows 1 to 3, and whose login it is; health is asked without one, and the pages for operators ask themselves.
fn pass(
    request: &ServiceRequest,
    head: &Head<'_>,
    api: &Api,
    holding: &Holding,
) -> Result<Passed, Refused> {
    size(request, head, api.limits).map_err(Refused::Because)?;
    let area = area(request, api);
    if area == Area::Health {
        return Ok(Passed::Open);
    }
    if area == Area::Console {
        // Its pages have a sign-in of their own: a browser that is asked for a login here would send it with everything.
        if let Some(peer) = peer(request.request()) {
            request.extensions_mut().insert(peer);
        }
        return Ok(Passed::Open);
    }
    let logins = api.logins.look();
    holding.keep(&logins);
    let admit_known =
        |login: &Arc<Login>| admit(request, area, holding.share(login), head, api).map(Passed::As);
    match shown(head, &logins) {
        Shown::Known(login) => admit_known(login),
        Shown::Unsure(user, password) => Waits::begin(request, user, password, api),
        Shown::Nothing if head.authorization.is_none() => {
            // Asked for each request: the connection may be older than the logins, and outlast the certificate.
            let shown = request.conn_data::<Certified>().map(|shown| &shown.0);
            let login = shown
                .filter(|certificate| !certificate.is_over((api.clock)()))
                .and_then(|certificate| logins.by_certificate(certificate));
            match login {
                Some(login) => admit_known(login),
                None => Err(Refused::Unauthorized),
            }
        }
        shown => {
            log::trace!(
                "refused credentials: {:?}",
                head.authorization.map(Secret::new)
            );
            Err(match shown {
                Shown::Wrong(user) => wrong(request, user.as_deref(), api),
                _ => Refused::Unauthorized,
            })
        }
    }
}

fn area(request: &ServiceRequest, api: &Api) -> Area {
    request
        .match_info()
        .as_str()
        .strip_prefix(api.base_path.as_str())
        .map_or(Area::Api, Area::of)
        .unless_absent(api.has_console)
}

/// What is left of rows 2 and 3 where the login is known. Who is refused then is known to those who tell of the answer.
fn admit(
    request: &ServiceRequest,
    area: Area,
    login: Held,
    head: &Head<'_>,
    api: &Api,
) -> Result<Admitted, Refused> {
    let admitted = Admitted {
        login,
        negotiates: head.negotiates,
    };
    match may(&admitted.login, area, head, api) {
        Ok(()) => Ok(admitted),
        Err(refused) => {
            request.extensions_mut().insert(admitted);
            Err(refused)
        }
    }
}

fn may(login: &Login, area: Area, head: &Head<'_>, api: &Api) -> Result<(), Refused> {
    if !login.roles().hold_one_of(area.roles()) {
        return Err(Refused::Because(forbidden(area.roles())));
    }
    if area == Area::Api {
        version(head, api.broker.minimum_api_version()).map_err(Refused::Because)?;
    }
    Ok(())
}

/// A wrong login, which is counted.
fn wrong(request: &ServiceRequest, user: Option<&str>, api: &Api) -> Refused {
    let from = api.trusted.client(request);
    match api.throttle.failed(from, user, Instant::now()) {
        Failed::Counted => Refused::Unauthorized,
        Failed::TooOften { wait, first } => {
            if first {
                log::warn!("wrong logins come too often: the last one from {from}");
            }
            Refused::TooManyLogins(wait)
        }
    }
}

/// A request whose login is looked at.
struct Waits {
    user: String,
    pending: Pending,
    /// Those that it is looked for in: without them nobody would look on.
    _logins: Arc<Logins>,
}

/// After how long to ask again where the queue of those who wait is full.
const QUEUE_FULL: Duration = Duration::from_secs(1);

impl Waits {
    fn begin(
        request: &ServiceRequest,
        user: String,
        password: Secret<String>,
        api: &Api,
    ) -> Result<Passed, Refused> {
        let from = api.trusted.client(request);
        let claim = Claim {
            user: user.clone(),
            password,
            from,
            suspect: api.throttle.suspects(from, Instant::now()),
        };
        let logins = api.logins.now();
        let pending = logins.verify(claim);
        let pending = pending.map_err(|_| Refused::TooManyLogins(QUEUE_FULL))?;
        Ok(Passed::Waits(Self {
            user,
            pending,
            _logins: logins,
        }))
    }

    /// The request's answer, when its login was looked at.
    async fn end<S>(
        self,
        request: ServiceRequest,
        api: Data<Api>,
        behind: Rc<S>,
    ) -> Result<ServiceResponse, actix_web::Error>
    where
        S: Service<ServiceRequest, Response = ServiceResponse, Error = actix_web::Error>,
    {
        let looked = tokio::time::timeout(api.limits.time, self.pending.outcome()).await;
        let passed = match looked {
            Ok(Some(login)) => {
                let head = Head::of(request.headers());
                admit(&request, area(&request, &api), Rc::new(login), &head, &api)
            }
            Ok(None) => Err(wrong(&request, Some(&self.user), &api)),
            Err(_) => Err(Refused::TooManyLogins(QUEUE_FULL)),
        };
        match passed {
            Ok(admitted) => {
                request.extensions_mut().insert(admitted);
                behind.call(request).await
            }
            Err(refused) => Ok(request.into_response(refused.to_response())),
        }
    }
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
