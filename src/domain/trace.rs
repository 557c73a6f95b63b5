//! The trace that a request is part of, as somebody before the broker began it: its id goes with the operation, through
//! every process that works on it, and on to what a backend calls.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// A place in a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    id: String,
    span: String,
    sampled: bool,
    /// What vendors say of it (`tracestate`), handed on as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
}

impl Trace {
    /// Of ids in lower-case hexadecimal, 32 digits and 16, neither all zeros. Nothing of any others.
    pub fn new(id: &str, span: &str, sampled: bool) -> Option<Self> {
        (is_id(id, 32) && is_id(span, 16)).then(|| Self {
            id: id.to_owned(),
            span: span.to_owned(),
            sampled,
            state: None,
        })
    }

    /// With what vendors say of it.
    #[must_use]
    pub fn with_state(mut self, state: Option<String>) -> Self {
        self.state = state;
        self
    }

    /// What all that belongs to it has in common.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A step below this one.
    #[must_use]
    pub fn child(&self, bits: [u8; 8]) -> Self {
        let mut span = String::with_capacity(16);
        for byte in bits {
            // A string takes all that is written to it.
            let _ = write!(span, "{byte:02x}");
        }
        Self {
            span,
            ..self.clone()
        }
    }

    /// As W3C's header says it.
    pub fn traceparent(&self) -> String {
        let flags = u8::from(self.sampled);
        format!("00-{}-{}-{flags:02x}", self.id, self.span)
    }

    /// What vendors say of it.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

fn is_id(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && text.bytes().any(|byte| byte != b'0')
}
