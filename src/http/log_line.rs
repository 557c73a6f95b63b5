//! One line in the log for each request: what it was, how it went, nothing confidential.

use std::borrow::Cow;
use std::time::Instant;

use actix_web::dev::ServiceResponse;
use actix_web::{HttpMessage, HttpRequest};
use log::kv::{Error, Key, Source, Value, VisitSource};
use log::{Level, Record};

use super::head::REQUEST_IDENTITY;
use super::identity;
use crate::domain::caller::OriginatingIdentity;
use crate::domain::id::{PlanId, ServiceId};

/// What the log calls these lines.
const TARGET: &str = "request";

/// Offering and plan of a request, for its line.
struct Named {
    service: ServiceId,
    plan: Option<PlanId>,
}

/// Notes offering and plan of a request for its line.
pub(super) fn name(request: &HttpRequest, service: &ServiceId, plan: Option<&PlanId>) {
    if wanted() {
        request.extensions_mut().insert(Named {
            service: service.clone(),
            plan: plan.cloned(),
        });
    }
}

/// Whether anybody reads these lines: nothing is gathered for nobody.
pub(super) fn wanted() -> bool {
    log::log_enabled!(target: TARGET, Level::Info)
}

/// Writes the line.
pub(super) fn write<B>(response: &ServiceResponse<B>, began: Instant) {
    let request = response.request();
    let extensions = request.extensions();
    let named = extensions.get::<Named>();
    let plan = named.and_then(|named| named.plan.as_ref());
    let identity = identity::originating_identity(request.headers());
    let identity = identity.as_ref();
    let ids = request.match_info();
    let line = Line {
        method: short(request.method().as_str()),
        route: request.match_name().unwrap_or("-"),
        status: response.status().as_u16(),
        ms: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
        known: [
            ("service", named.map(|named| named.service.as_str())),
            ("plan", plan.map(PlanId::as_str)),
            ("instance", ids.get("instance_id")),
            ("binding", ids.get("binding_id")),
            (
                "request_identity",
                identity::text(request.headers(), &REQUEST_IDENTITY),
            ),
            ("platform", identity.map(|identity| &*identity.platform)),
            ("user", identity.and_then(OriginatingIdentity::user_id)),
        ]
        .map(|(key, text)| (key, text.map(short))),
    };
    log::logger().log(
        &Record::builder()
            .level(Level::Info)
            .target(TARGET)
            .key_values(&line)
            .args(format_args!("answered"))
            .build(),
    );
}

/// What the line says, in order. All of it is borrowed where it can be: this is written for every request.
struct Line<'r> {
    method: Cow<'r, str>,
    route: &'r str,
    status: u16,
    ms: f64,
    /// What is known of the request; left out where it is not.
    known: [(&'static str, Option<Cow<'r, str>>); 7],
}

impl Source for Line<'_> {
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

fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at));
    Cow::Owned(format!("{}…", &text[..end.unwrap_or(0)]))
}
