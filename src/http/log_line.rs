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
    let mut line = Line(Vec::with_capacity(12));
    line.request(response.request());
    line.put("status", Field::Number(response.status().as_u16().into()));
    line.put(
        "ms",
        Field::Time((began.elapsed().as_secs_f64() * 1e6).round() / 1e3),
    );
    log::logger().log(
        &Record::builder()
            .level(Level::Info)
            .target(TARGET)
            .key_values(&line)
            .args(format_args!("answered"))
            .build(),
    );
}

/// What the line says, in order.
struct Line(Vec<(&'static str, Field)>);

enum Field {
    Text(String),
    Number(u64),
    Time(f64),
}

impl Line {
    fn put(&mut self, key: &'static str, field: Field) {
        self.0.push((key, field));
    }

    fn text(&mut self, key: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.put(key, Field::Text(text.to_owned()));
        }
    }

    fn request(&mut self, request: &HttpRequest) {
        self.text("method", Some(request.method().as_str()));
        self.text(
            "route",
            Some(request.match_pattern().as_deref().unwrap_or("-")),
        );
        let extensions = request.extensions();
        let named = extensions.get::<Named>();
        self.text("service", named.map(|named| named.service.as_str()));
        self.text(
            "plan",
            named.and_then(|named| Some(named.plan.as_ref()?.as_str())),
        );
        self.text("instance", request.match_info().get("instance_id"));
        self.text("binding", request.match_info().get("binding_id"));
        let headers = request.headers();
        self.text(
            "request_identity",
            identity::text(headers, &REQUEST_IDENTITY),
        );
        let identity = identity::originating_identity(headers);
        self.text(
            "platform",
            identity.as_ref().map(|identity| identity.platform.as_str()),
        );
        self.text(
            "user",
            identity.as_ref().and_then(|identity| identity.user_id()),
        );
    }
}

impl Source for Line {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        for (key, field) in &self.0 {
            let value = match field {
                Field::Text(text) => Value::from(text.as_str()),
                Field::Number(number) => Value::from(*number),
                Field::Time(time) => Value::from(*time),
            };
            visitor.visit_pair(Key::from_str(key), value)?;
        }
        Ok(())
    }
}
