//! A span, as the SDK has it.

use std::borrow::Cow;
use std::str::FromStr as _;
use std::time::SystemTime;

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::domain::trace::Trace;

/// What is over.
pub(super) struct Span<'a> {
    pub place: &'a Trace,
    pub below: Option<&'a Trace>,
    /// Whether what is above it is somebody else's.
    pub is_remote: bool,
    pub kind: SpanKind,
    pub name: Cow<'static, str>,
    pub began: SystemTime,
    pub attributes: Vec<KeyValue>,
    /// What went wrong, in one word of ours.
    pub error: Option<String>,
}

impl Span<'_> {
    /// Nothing where its ids are none.
    pub(super) fn data(self, ended: SystemTime, scope: &InstrumentationScope) -> Option<SpanData> {
        let below = self.below.map(|below| SpanId::from_hex(below.span()));
        let state = self.place.tracestate().map(TraceState::from_str);
        let span_context = SpanContext::new(
            TraceId::from_hex(self.place.id()).ok()?,
            SpanId::from_hex(self.place.span()).ok()?,
            TraceFlags::SAMPLED,
            false,
            state.and_then(Result::ok).unwrap_or_default(),
        );
        Some(SpanData {
            span_context,
            parent_span_id: below.transpose().ok()?.unwrap_or(SpanId::INVALID),
            parent_span_is_remote: self.is_remote && self.below.is_some(),
            span_kind: self.kind,
            name: self.name,
            start_time: self.began,
            // A clock that was set back makes no span that ends before it begins.
            end_time: ended.max(self.began),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: self.error.map_or(Status::Unset, Status::error),
            instrumentation_scope: scope.clone(),
        })
    }
}
