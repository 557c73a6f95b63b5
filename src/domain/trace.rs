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
    /// Whether who sent it left it to others to say whether it is sampled, as B3 may.
    #[serde(skip)]
    undecided: bool,
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
            undecided: false,
            state: None,
        })
    }

    /// The first place in a trace that nobody began before, of bits that were drawn.
    pub fn begin(id: [u8; 16], span: [u8; 8]) -> Option<Self> {
        let trace = Self::new(&hexadecimal(&id), &hexadecimal(&span), false)?;
        Some(trace.undecided())
    }

    /// As one whose sender leaves it to others to say whether it is sampled. Until they do, it is not.
    #[must_use]
    pub fn undecided(self) -> Self {
        Self {
            sampled: false,
            undecided: true,
            ..self
        }
    }

    /// As one of which it is said whether it is sampled.
    #[must_use]
    pub fn decided(self, sampled: bool) -> Self {
        Self {
            sampled,
            undecided: false,
            ..self
        }
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

    /// The step of it that this is.
    pub fn span(&self) -> &str {
        &self.span
    }

    /// Whether what belongs to it is recorded.
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// Whether nobody has said yet if it is.
    pub const fn is_undecided(&self) -> bool {
        self.undecided
    }

    /// A step below this one.
    #[must_use]
    pub fn child(&self, bits: [u8; 8]) -> Self {
        Self {
            span: hexadecimal(&bits),
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

fn hexadecimal(bits: &[u8]) -> String {
    let mut text = String::with_capacity(bits.len() * 2);
    for byte in bits {
        // A string takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn is_id(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && text.bytes().any(|byte| byte != b'0')
}
