//! An answer on its way out through the gate: what each gets, whoever gave it, and what stands in for one where there
//! was a panic. A future of its own, so that no request pays for a box around the one that the routes have made.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use log::Level;

use super::area;
use super::area::Area;
use crate::domain::trace::Trace;
use crate::http::Api;
use crate::http::audit;
use crate::http::connection::{Begun, UnderWay};
use crate::http::error::panicked;
use crate::http::head::{Head, REQUEST_IDENTITY};
use crate::http::instruments::Answered;
use crate::http::log_line::{self, Due};
use crate::http::routes::Routed;
use crate::http::tracing::Step;

/// An answer on its way.
pub enum Answering<F> {
    /// Given by the gate.
    Refused(Ready<Result<ServiceResponse, Error>>),
    /// Given behind it.
    Behind(F, Last),
    /// Given by one or the other, when it is known who asks.
    Waiting(Waiting, Last),
}

/// What is not known yet.
type Waiting = Pin<Box<dyn Future<Output = Result<ServiceResponse, Error>>>>;

impl<F> Answering<F> {
    pub(super) fn refused(request: ServiceRequest, answer: HttpResponse, mut last: Last) -> Self {
        Self::Refused(ready(Ok(last.answered(request.into_response(answer)))))
    }
}

impl<F> Future for Answering<F>
where
    F: Future<Output = Result<ServiceResponse, Error>> + Unpin,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.get_mut() {
            Self::Refused(answer) => Pin::new(answer).poll(context),
            Self::Behind(future, last) => last.polled(future, context),
            Self::Waiting(future, last) => last.polled(future, context),
        }
    }
}

/// What every answer gets: it is counted, and has the request's identity and a line in the log. A request that went down in
/// a panic is gone by then, so what is needed of it is kept.
pub struct Last {
    began: Instant,
    /// Its connection waits for nothing else while this is there.
    begun: Option<Begun>,
    api: Rc<Data<Api>>,
    method: Method,
    identity: Option<HeaderValue>,
    /// Whether anybody reads the line of a request.
    is_logged: bool,
    trace: Option<Trace>,
    /// Where requests are recorded.
    step: Option<Box<Step>>,
}

impl Last {
    pub(super) fn of(request: &ServiceRequest, head: &Head<'_>, api: &Rc<Data<Api>>) -> Self {
        let is_logged = log_line::wanted();
        let sent = (is_logged || api.tracing.is_some())
            .then(|| head.trace(request.headers()))
            .flatten();
        let is_health = || area(request, api) == Area::Health;
        let (trace, step) = Step::begin(request, sent, is_health, api);
        Self {
            began: Instant::now(),
            begun: request.conn_data::<Rc<UnderWay>>().map(UnderWay::begin),
            api: Rc::clone(api),
            method: request.method().clone(),
            identity: head.identity.cloned(),
            is_logged,
            trace,
            step,
        }
    }

    fn polled<F>(&mut self, future: &mut F, context: &mut Context<'_>) -> Poll<F::Output>
    where
        F: Future<Output = Result<ServiceResponse, Error>> + Unpin,
    {
        match catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(context))) {
            Ok(polled) => polled.map_ok(|answer| self.answered(answer)),
            // The hook has logged the place by then.
            Err(_) => Poll::Ready(Err(self.panicked().into())),
        }
    }

    fn answered(&mut self, mut answer: ServiceResponse) -> ServiceResponse {
        let took = self.end();
        let route = route(answer.request());
        self.count(route, answer.status(), took);
        let level = log_line::level(route, answer.status());
        if self.is_logged && (level == Level::Info || log_line::is_read(level)) {
            let line = Due {
                level,
                method: &self.method,
                route: route.map_or("-", Routed::name),
                took,
                trace: self.trace.as_ref().map(Trace::id),
            };
            line.answered(&answer, self.identity.as_ref());
        }
        audit::answered(&answer);
        if let Some(step) = self.step.take() {
            step.answered(&answer);
        }
        if let Some(identity) = self.identity.take() {
            answer
                .headers_mut()
                .insert(REQUEST_IDENTITY.clone(), identity);
        }
        answer
    }

    fn panicked(&mut self) -> Panicked {
        let took = self.end();
        self.count(None, StatusCode::INTERNAL_SERVER_ERROR, took);
        if self.is_logged {
            let line = Due {
                level: Level::Info,
                method: &self.method,
                route: "-",
                took,
                trace: self.trace.as_ref().map(Trace::id),
            };
            line.panicked(self.identity.as_ref());
        }
        if let Some(step) = self.step.take() {
            step.panicked();
        }
        Panicked(self.identity.take())
    }

    /// How long it took. The connection's next request is waited for from now on.
    fn end(&mut self) -> Duration {
        let now = Instant::now();
        if let Some(begun) = self.begun.take() {
            begun.end(now);
        }
        now.saturating_duration_since(self.began)
    }

    fn count(&self, route: Option<Routed>, status: StatusCode, took: Duration) {
        self.api.instruments.answered(Answered {
            route: route.map(|routed| routed.0),
            method: self.method.as_str(),
            status: status.as_u16(),
            took,
        });
    }
}

/// The route that a request came to. One that the gate refused came to none, and the one that it asked for is looked up.
fn route(request: &HttpRequest) -> Option<Routed> {
    let came_to = request.app_data::<Routed>().copied();
    came_to.or_else(|| Routed::of(request.match_name()?))
}

/// A panic behind the gate. It is the one thing that the gate throws, for the request went down with it: so it brings
/// its answer along, the request identity in it.
#[derive(Debug)]
struct Panicked(Option<HeaderValue>);

impl fmt::Display for Panicked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
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
