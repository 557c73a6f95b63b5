//! What a line says. Ids, names and words alone: nothing that a platform's user or a backend has written by hand.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::chain::hex;
use crate::domain::audit::{Asked, Who};
use crate::domain::caller::OriginatingIdentity;
use crate::domain::id::{BindingId, OperationId, PlanId, ServiceId};
use crate::domain::operation::{Kind, Subject};
use crate::domain::time::Timestamp;

/// Longer texts are cut, in bytes: ids of a request may be anything.
const LONGEST: usize = 256;

/// What a line has room for before it grows, in bytes.
const USUAL: usize = 768;

/// One line, before it is chained. What is not known is left out.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    pub at: At,
    pub event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_identity: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<std::net::IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<std::net::IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl<'a> Entry<'a> {
    /// A line that says nothing yet but what it is about.
    pub(super) const fn new(at: Timestamp, event: &'static str) -> Self {
        Self {
            at: At(at),
            event,
            by: None,
            uid: None,
            login: None,
            platform: None,
            user: None,
            request_identity: None,
            from: None,
            forwarded: None,
            kind: None,
            instance: None,
            binding: None,
            service: None,
            plan: None,
            organization: None,
            space: None,
            operation: None,
            parameters: None,
            result: None,
            status: None,
            error: None,
            version: None,
            lines: None,
            bytes: None,
            sha256: None,
            after: None,
        }
    }

    pub(super) fn who(self, who: &Who<'a>) -> Self {
        Self {
            login: Some(Text(who.login)),
            platform: who.identity.map(|identity| Text(&identity.platform)),
            user: who
                .identity
                .and_then(OriginatingIdentity::user_id)
                .map(Text),
            request_identity: who.request_identity.map(Text),
            from: who.peer.map(|peer| peer.address),
            forwarded: who.peer.and_then(|peer| peer.forwarded),
            ..self
        }
    }

    pub(super) fn what(self, kind: Kind, subject: &'a Subject) -> Self {
        Self {
            kind: Some(kind.name()),
            instance: Some(Text(subject.instance().as_str())),
            binding: subject.binding().map(BindingId::as_str).map(Text),
            ..self
        }
    }

    pub(super) fn of(self, service: Option<&'a ServiceId>, plan: Option<&'a PlanId>) -> Self {
        Self {
            service: service.map(ServiceId::as_str).map(Text),
            plan: plan.map(PlanId::as_str).map(Text),
            ..self
        }
    }

    pub(super) fn asked(self, asked: &Asked<'a>) -> Self {
        Self {
            organization: asked.organization.map(Text),
            space: asked.space.map(Text),
            parameters: asked.parameters.map(|hash| hex(&hash.0)),
            ..self.of(asked.service, asked.plan)
        }
    }

    pub(super) fn operation(self, id: Option<&'a OperationId>) -> Self {
        Self {
            operation: id.map(OperationId::as_str).map(Text),
            ..self
        }
    }

    pub(super) fn result(self, result: &'a str) -> Self {
        Self {
            result: Some(Text(result)),
            ..self
        }
    }

    /// As JSON, in one line.
    pub(super) fn json(&self) -> String {
        let mut line = Vec::with_capacity(USUAL);
        // There is no map in it, so that nothing can go wrong.
        let written = serde_json::to_writer(&mut line, self);
        let line = written.ok().and_then(|()| String::from_utf8(line).ok());
        line.unwrap_or_else(|| r#"{"event":"unsaid"}"#.to_owned())
    }
}

/// A moment, as people read it.
#[derive(Debug)]
pub(super) struct At(Timestamp);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A text of somebody else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a>(pub &'a str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&short(self.0))
    }
}

fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at));
    Cow::Owned(format!("{}…", text.get(..end.unwrap_or(0)).unwrap_or("")))
}
