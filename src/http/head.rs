//! The head of a request as the gate needs it: gathered in one walk over the headers.

use actix_web::http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName,
    HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
};

use super::trace::{is_of_trace, trace};
use crate::domain::trace::Trace;
use crate::domain::version::{ApiVersion, NEWEST, NotAVersion};

pub(super) static API_VERSION: HeaderName = HeaderName::from_static("x-broker-api-version");
pub(super) static REQUEST_IDENTITY: HeaderName =
    HeaderName::from_static("x-broker-api-request-identity");
pub(super) static ORIGINATING_IDENTITY: HeaderName =
    HeaderName::from_static("x-broker-api-originating-identity");

/// What a line has beside name and value: `: ` and the line's end.
const AROUND: usize = 4;

/// Of a header that is sent twice, the first counts.
#[derive(Default)]
pub(super) struct Head<'h> {
    /// All headers together, in bytes.
    pub(super) length: usize,
    pub(super) authorization: Option<&'h HeaderValue>,
    pub(super) version: Option<&'h HeaderValue>,
    pub(super) identity: Option<&'h HeaderValue>,
    pub(super) body_length: Option<&'h HeaderValue>,
    pub(super) body_coding: Option<&'h HeaderValue>,
    /// Whether anything is said of what the client has already, or takes besides plain text: who has something to send
    /// looks further only then.
    pub(super) negotiates: bool,
    /// Whether anything is said of a trace.
    traced: bool,
}

impl<'h> Head<'h> {
    pub(super) fn of(headers: &'h HeaderMap) -> Self {
        let mut head = Self::default();
        for (name, value) in headers {
            head.length += name.as_str().len() + value.len() + AROUND;
            let place = if *name == AUTHORIZATION {
                &mut head.authorization
            } else if *name == API_VERSION {
                &mut head.version
            } else if *name == REQUEST_IDENTITY {
                &mut head.identity
            } else if *name == CONTENT_LENGTH {
                &mut head.body_length
            } else if *name == CONTENT_ENCODING {
                &mut head.body_coding
            } else {
                head.negotiates |= *name == ACCEPT_ENCODING
                    || *name == IF_NONE_MATCH
                    || *name == IF_MODIFIED_SINCE;
                head.traced |= is_of_trace(name);
                continue;
            };
            place.get_or_insert(value);
        }
        head
    }

    /// The trace that the request is part of.
    pub(super) fn trace(&self, headers: &HeaderMap) -> Option<Trace> {
        if self.traced { trace(headers) } else { None }
    }

    /// The version of the API that is asked for.
    pub(super) fn api_version(&self) -> Option<Result<ApiVersion, NotAVersion>> {
        let version = self.version?;
        // What nearly all send needs no reading.
        if version.as_bytes() == b"2.17" {
            return Some(Ok(NEWEST));
        }
        Some(version.to_str().unwrap_or_default().parse())
    }

    /// The declared length of the body.
    pub(super) fn declared(&self) -> Option<u64> {
        self.body_length?.to_str().ok()?.parse().ok()
    }

    /// Whether the body is compressed or otherwise encoded.
    pub(super) fn is_encoded(&self) -> bool {
        self.body_coding.is_some_and(|coding| {
            !coding.is_empty() && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
        })
    }
}
