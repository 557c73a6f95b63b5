//! One line in the log for each request: what it was, how it went, nothing confidential.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpMessage, HttpRequest};
use log::kv::{Error, Key, Source, Value, VisitSource};
use log::{Level, Record};

use super::error::{INTERNAL, Word};
use super::routes::Routed;
use super::{audit, identity, tracing};
use crate::domain::caller::OriginatingIdentity;
use crate::domain::id::{PlanId, ServiceId};

/// What the log calls these lines.
const TARGET: &str = "request";

/// Offering and plan of a request, for its lines.
pub(super) struct Named {
    pub(super) service: ServiceId,
    pub(super) plan: Option<PlanId>,
}

/// Notes offering and plan of a request for its lines, and for its record.
pub(super) fn name(request: &HttpRequest, service: &ServiceId, plan: Option<&PlanId>) {
    if wanted() || audit::wanted(request) || tracing::wanted(request) {
        request.extensions_mut().insert(Named {
            service: service.clone(),
            plan: plan.cloned(),
        });
    }
}

/// Whether anybody reads these lines: nothing is gathered for nobody.
pub(super) fn wanted() -> bool {
    is_read(Level::Info)
}

/// Whether anybody reads lines of that level.
pub(super) fn is_read(level: Level) -> bool {
    log::log_enabled!(target: TARGET, level)
}

/// How much a request's line weighs: whoever asks for health does so every few seconds, and is told of when it is not well.
pub(super) fn level(route: Option<Routed>, status: StatusCode) -> Level {
    if route.is_some_and(Routed::is_health) && !is_refusal(status) {
        Level::Debug
    } else {
        Level::Info
    }
}

fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// The word of a refusal: that of its body, or what its status is called, of a page.
pub(super) fn word(answer: &ServiceResponse) -> Option<Cow<'static, str>> {
    let status = answer.status();
    if !is_refusal(status) {
        return None;
    }
    let word = answer.response().extensions().get::<Word>().copied();
    match word {
        Some(word) => Some(Cow::Borrowed(word.name)),
        None => Some(status.canonical_reason()?.replace(' ', "").into()),
    }
}

/// The line of a request. After a panic the request itself is gone, so it is put together of what was kept.
pub(super) struct Due<'d> {
    pub(super) level: Level,
    pub(super) method: &'d Method,
    pub(super) route: &'static str,
    pub(super) took: Duration,
    pub(super) trace: Option<&'d str>,
}

impl Due<'_> {
    /// Writes the line of an answer.
    pub(super) fn answered(
        &self,
        answer: &ServiceResponse,
        request_identity: Option<&HeaderValue>,
    ) {
        let request = answer.request();
        let extensions = request.extensions();
        let named = extensions.get::<Named>();
        let identity = identity::originating_identity(request.headers());
        let identity = identity.as_ref();
        let ids = request.match_info();
        let word = word(answer);
        self.line(
            answer.status(),
            [
                ("error", word.as_deref()),
                ("service", named.map(|named| named.service.as_str())),
                (
                    "plan",
                    named
                        .and_then(|named| named.plan.as_ref())
                        .map(PlanId::as_str),
                ),
                ("instance", ids.get("instance_id")),
                ("binding", ids.get("binding_id")),
                (
                    "request_identity",
                    request_identity.and_then(identity::text),
                ),
                ("trace", self.trace),
                ("platform", identity.map(|identity| &*identity.platform)),
                ("user", identity.and_then(OriginatingIdentity::user_id)),
            ],
        );
    }

    /// Writes the line of a panic: of the request there is left what was kept.
    pub(super) fn panicked(&self, request_identity: Option<&HeaderValue>) {
        let identity = request_identity.and_then(identity::text);
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        self.line(
            status,
            [
                ("error", Some(INTERNAL.name)),
                ("request_identity", identity),
                ("trace", self.trace),
            ],
        );
    }

    fn line<const N: usize>(&self, status: StatusCode, known: Known<&str, N>) {
        let line = Line {
            method: short(self.method.as_str()),
            route: self.route,
            status: status.as_u16(),
            ms: (self.took.as_secs_f64() * 1e6).round() / 1e3,
            known: known.map(|(key, text)| (key, text.map(short))),
        };
        log::logger().log(
            &Record::builder()
                .level(self.level)
                .target(TARGET)
                .key_values(&line)
                .args(format_args!("answered"))
                .build(),
        );
    }
}

/// What is known of a request; left out where it is not.
type Known<T, const N: usize> = [(&'static str, Option<T>); N];

/// What the line says, in order. All of it is borrowed where it can be: this is written for every request.
struct Line<'r, const N: usize> {
    method: Cow<'r, str>,
    route: &'r str,
    status: u16,
    ms: f64,
    known: Known<Cow<'r, str>, N>,
}

impl<const N: usize> Source for Line<'_, N> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        visitor.visit_pair(Key::from("method"), Value::from(&*self.method))?;
        visitor.visit_pair(Key::from("route"), Value::from(self.route))?;
        visitor.visit_pair(Key::from("status"), Value::from(self.status))?;
        visitor.visit_pair(Key::from("ms"), Value::from(self.ms))?;
        for (key, text) in &self.known {
            if let Some(text) = text {
                visitor.visit_pair(Key::from(*key), Value::from(&**text))?;
            }
        }
        Ok(())
    }
}

/// Longer ones are cut, in bytes: no platform has them, and nobody fills the disk of a log.
const LONGEST: usize = 256;

pub(super) fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at));
    Cow::Owned(format!("{}…", &text[..end.unwrap_or(0)]))
}
