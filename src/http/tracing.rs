//! The door to who records each request as a step of a trace. Where nobody does, nothing is done for it.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::SystemTime;

use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use serde::Serialize;

use super::Api;
use super::error::INTERNAL;
use super::log_line::{self, Named, short};
use super::routes::Routed;
use crate::domain::broker::Accepted;
use crate::domain::id::{OperationId, PlanId};
use crate::domain::trace::Trace;

/// Who records requests.
pub trait Tracing: Send + Sync {
    /// The place of a request in the trace that it was sent with, or in one of its own. Without chance there is none.
    fn place(&self, sent: Option<Trace>) -> Option<Placed>;

    /// A request of a trace that is sampled was served.
    fn served(&self, served: &Served<'_>);
}

/// Where a request is in a trace.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its place: what comes of it is below. Of a trace that is not sampled, that of who sent it.
    pub place: Trace,
    /// The place of who sent it; nothing where the trace begins here.
    pub below: Option<Trace>,
    /// When it began.
    pub began: SystemTime,
}

/// A request, as it is recorded: names only, nothing confidential.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// Where it is.
    pub placed: &'a Placed,
    /// The method.
    pub method: &'a str,
    /// The route, as [`super::ROUTES`] has it; nothing where it was none of them.
    pub route: Option<&'static str>,
    /// The status; nothing where whoever asked went away before there was one.
    pub status: Option<u16>,
    /// The word of a refusal.
    pub error: Option<&'a str>,
    /// What else is known.
    pub known: &'a [(Name, &'a str)],
}

/// What may be known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// An offering, by its id.
    Service,
    /// A plan, by its id.
    Plan,
    /// An instance.
    Instance,
    /// A binding.
    Binding,
    /// An operation that goes on.
    Operation,
}

/// The place of a request, for what it calls.
struct Place(Trace);

/// The place that a request was given, if it was.
pub(super) fn place(request: &HttpRequest) -> Option<Trace> {
    // Every request asks: where nobody can record, it costs nothing.
    if !cfg!(feature = "otlp") {
        return None;
    }
    let extensions = request.extensions();
    extensions.get().map(|Place(trace)| trace.clone())
}

/// Whether anybody records.
pub(super) fn wanted(request: &HttpRequest) -> bool {
    Api::of(request).is_some_and(|api| api.tracing.is_some())
}

/// What a 202 promises, for the record of its request.
struct Promised(OperationId);

/// A 202 with this body.
pub(super) fn accepted(accepted: Accepted, body: impl Serialize) -> HttpResponse {
    let mut answer = HttpResponse::Accepted().json(body);
    answer.extensions_mut().insert(Promised(accepted.operation));
    answer
}

/// A request that is recorded when it is answered, or dropped: whoever sent it went away then.
pub(super) struct Step {
    api: Rc<Data<Api>>,
    method: Method,
    /// Looked for before the request goes to it: of one that is dropped nothing is left.
    route: Option<Routed>,
    placed: Option<Placed>,
}

impl Step {
    /// Gives a request its place, and begins the record of one whose trace is sampled. Whoever asks for health does so every
    /// few seconds: that begins no trace.
    pub(super) fn begin(
        request: &ServiceRequest,
        sent: Option<Trace>,
        is_health: impl Fn() -> bool,
        api: &Rc<Data<Api>>,
    ) -> (Option<Trace>, Option<Box<Self>>) {
        let Some(tracing) = &api.tracing else {
            return (sent, None);
        };
        if sent.is_none() && is_health() {
            return (None, None);
        }
        let Some(placed) = tracing.place(sent.clone()) else {
            return (sent, None);
        };
        let place = placed.place.clone();
        request.extensions_mut().insert(Place(place.clone()));
        // Few are recorded, and all others have room for one: a small one.
        let step = place.is_sampled().then(|| {
            Box::new(Self {
                api: Rc::clone(api),
                method: request.method().clone(),
                route: request.match_name().and_then(Routed::of),
                placed: Some(placed),
            })
        });
        (Some(place), step)
    }

    /// It was answered.
    pub(super) fn answered(mut self, answer: &ServiceResponse) {
        let request = answer.request();
        let (extensions, of_answer) = (request.extensions(), answer.response().extensions());
        let named: Option<&Named> = extensions.get();
        let promised: Option<&Promised> = of_answer.get();
        let ids = request.match_info();
        let known = [
            (Name::Service, named.map(|named| named.service.as_str())),
            (
                Name::Plan,
                named.and_then(|named| named.plan.as_ref().map(PlanId::as_str)),
            ),
            (Name::Instance, ids.get("instance_id")),
            (Name::Binding, ids.get("binding_id")),
            (
                Name::Operation,
                promised.map(|Promised(operation)| operation.as_str()),
            ),
        ];
        let word = log_line::word(answer);
        self.tell(Some(answer.status()), word.as_deref(), known);
    }

    /// It went down in a panic.
    pub(super) fn panicked(mut self) {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        self.tell(Some(status), Some(INTERNAL.name), []);
    }

    fn tell<const N: usize>(
        &mut self,
        status: Option<StatusCode>,
        error: Option<&str>,
        known: [(Name, Option<&str>); N],
    ) {
        let (Some(tracing), Some(placed)) = (&self.api.tracing, self.placed.take()) else {
            return;
        };
        let known: Vec<(Name, Cow<'_, str>)> = known
            .into_iter()
            .filter_map(|(name, text)| Some((name, short(text?))))
            .collect();
        let known: Vec<(Name, &str)> = known.iter().map(|(name, text)| (*name, &**text)).collect();
        tracing.served(&Served {
            placed: &placed,
            method: self.method.as_str(),
            route: self.route.map(Routed::name),
            status: status.map(|status| status.as_u16()),
            error,
            known: &known,
        });
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.tell(None, None, []);
    }
}
