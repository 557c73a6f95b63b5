//! What a backend did as a span: below the request that asked for it, whichever process works on it.

use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::Spans;
use super::span::Span;
use crate::domain::id::BindingId;
use crate::domain::witness::{
    Acted, Adopted, Attempted, Event, Expired, Intervened, Result, Step, Witness,
};

impl Witness for Spans {
    fn happened(&self, _: &Event<'_>) {}

    fn attempted(&self, _: &Attempted<'_>) {}

    fn acted(&self, _: &Acted<'_>) {}

    fn adopted(&self, _: &Adopted<'_>) {}

    fn expired(&self, _: &Expired<'_>) {}

    fn intervened(&self, _: &Intervened<'_>) {}

    fn steps(&self) -> Option<SystemTime> {
        Some(self.now())
    }

    fn stepped(&self, step: &Step<'_>) {
        self.record(Span {
            place: step.place,
            below: Some(step.below),
            is_remote: false,
            kind: kind(step.backend),
            name: format!("{} {}", step.kind.name(), step.backend).into(),
            began: step.began,
            attributes: attributes(step),
            error: failure(step.result).map(str::to_owned),
        });
    }
}

/// A program runs beside the broker; what all others ask is elsewhere.
fn kind(backend: &str) -> SpanKind {
    match backend {
        "command" => SpanKind::Internal,
        _ => SpanKind::Client,
    }
}

/// What a backend will not do is an answer, not an error.
const fn failure(result: Result) -> Option<&'static str> {
    match result {
        Result::Done | Result::Refused => None,
        Result::Failed | Result::Again | Result::Stopped => Some(result.name()),
    }
}

fn attributes(step: &Step<'_>) -> Vec<KeyValue> {
    let text = |name: &'static str, text: &str| KeyValue::new(name, text.to_owned());
    let mut all = vec![
        text("osb.operation.id", step.operation.as_str()),
        KeyValue::new("osb.operation.kind", step.kind.name()),
        KeyValue::new("osb.attempt", i64::from(step.attempt)),
        KeyValue::new("osb.backend", step.backend),
        KeyValue::new("osb.result", step.result.name()),
        text("osb.service.id", step.service.as_str()),
        text("osb.plan.id", step.plan.as_str()),
        text("osb.instance.id", step.subject.instance().as_str()),
    ];
    if let Some(binding) = step.subject.binding().map(BindingId::as_str) {
        all.push(text("osb.binding.id", binding));
    }
    if let Some(error) = failure(step.result) {
        all.push(KeyValue::new("error.type", error));
    }
    all
}
