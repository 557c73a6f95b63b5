//! One line in the log for each request: what it was, how it went, nothing confidential.

use std::time::Instant;

use actix_web::dev::ServiceResponse;
use actix_web::{HttpMessage, HttpRequest};
use log::kv::{Error, Key, Source, Value, VisitSource};
use log::{Level, Record};

use super::head::REQUEST_IDENTITY;
use super::identity;
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
    let identity = identity::originating_identity(request.headers());
    let line = Line {
        method: request.method().as_str(),
        route: request.match_name().unwrap_or("-"),
        status: response.status().as_u16(),
        milliseconds: (began.elapsed().as_secs_f64() * 1e6).round() / 1e3,
        texts: [
            ("service", named.map(|named| named.service.as_str())),
            (
                "plan",
                named.and_then(|named| Some(named.plan.as_ref()?.as_str())),
            ),
            ("instance", request.match_info().get("instance_id")),
            ("binding", request.match_info().get("binding_id")),
            (
                "request_identity",
                identity::text(request.headers(), &REQUEST_IDENTITY),
            ),
            (
                "platform",
                identity.as_ref().map(|identity| identity.platform.as_str()),
            ),
            (
                "user",
                identity.as_ref().and_then(|identity| identity.user_id()),
            ),
        ],
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

/// What the line says, in order; what is absent is left out. All of it is borrowed: this is written for every request.
struct Line<'a> {
    method: &'a str,
    route: &'a str,
    status: u16,
    milliseconds: f64,
    texts: [(&'static str, Option<&'a str>); 7],
}

impl Source for Line<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        visitor.visit_pair(Key::from_str("method"), Value::from(self.method))?;
        visitor.visit_pair(Key::from_str("route"), Value::from(self.route))?;
        visitor.visit_pair(Key::from_str("status"), Value::from(self.status))?;
        visitor.visit_pair(Key::from_str("ms"), Value::from(self.milliseconds))?;
        for (key, text) in &self.texts {
            if let Some(text) = text {
                visitor.visit_pair(Key::from_str(key), Value::from(*text))?;
            }
        }
        Ok(())
    }
}
