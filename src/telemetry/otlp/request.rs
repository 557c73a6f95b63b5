//! A request as a span: its name and what is known of it, by OpenTelemetry's conventions for HTTP.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::Spans;
use super::span::Span;
use crate::domain::trace::Trace;

/// The methods that the conventions know.
const METHODS: [&str; 9] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

/// What stands for a request whose sender went away before it was answered.
const GONE: &str = "cancelled";

/// A request that was served: names only, nothing confidential.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its place in the trace.
    pub place: &'a Trace,
    /// The place of who sent it, where that is in the trace.
    pub below: Option<&'a Trace>,
    /// When it began.
    pub began: SystemTime,
    /// The method.
    pub method: &'a str,
    /// The route; nothing where it was none.
    pub route: Option<&'static str>,
    /// The status; nothing where nobody waited for it.
    pub status: Option<u16>,
    /// The word of a refusal.
    pub error: Option<&'a str>,
    /// What else is known, by name.
    pub known: &'a [(&'static str, &'a str)],
}

impl Spans {
    /// A request was served.
    pub fn served(&self, request: &Request<'_>) {
        let method = METHODS.into_iter().find(|known| *known == request.method);
        self.record(Span {
            place: request.place,
            below: request.below,
            is_remote: true,
            kind: SpanKind::Server,
            name: name(method, request.route),
            began: request.began,
            attributes: attributes(request, method.unwrap_or("_OTHER")),
            error: failure(request),
        });
    }
}

fn name(method: Option<&'static str>, route: Option<&'static str>) -> Cow<'static, str> {
    let method = method.unwrap_or("HTTP");
    match route {
        Some(route) => format!("{method} {route}").into(),
        None => method.into(),
    }
}

/// What the broker failed at; what the sender did wrong is no error of the broker's.
fn failure(request: &Request<'_>) -> Option<String> {
    match request.status {
        None => Some(GONE.to_owned()),
        Some(status) if status >= 500 => {
            let word = request.error.map(str::to_owned);
            Some(word.unwrap_or_else(|| status.to_string()))
        }
        Some(_) => None,
    }
}

fn attributes(request: &Request<'_>, method: &'static str) -> Vec<KeyValue> {
    let mut all = vec![KeyValue::new("http.request.method", method)];
    if let Some(route) = request.route {
        all.push(KeyValue::new("http.route", route));
    }
    if let Some(status) = request.status {
        let status = i64::from(status);
        all.push(KeyValue::new("http.response.status_code", status));
    }
    if let Some(error) = failure(request) {
        all.push(KeyValue::new("error.type", error));
    }
    if let Some(error) = request.error {
        all.push(KeyValue::new("osb.error", error.to_owned()));
    }
    let known = request.known.iter();
    all.extend(known.map(|(name, text)| KeyValue::new(*name, (*text).to_owned())));
    all
}
