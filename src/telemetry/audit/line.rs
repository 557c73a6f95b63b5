//! What a line says. Ids, names and words alone: nothing that a platform's user or a backend has written by hand.

use std::borrow::Cow;
use std::fmt::Display;

use super::chain::hex;
use crate::domain::audit::{Asked, Who};
use crate::domain::caller::{OriginatingIdentity, Peer};
use crate::domain::id::{BindingId, OperationId, PlanId, ServiceId};
use crate::domain::operation::{Kind, Subject};
use crate::domain::time::Timestamp;
use crate::telemetry::quoted::{quoted, shown};

/// Longer texts are cut, in bytes: ids of a request may be anything.
const LONGEST: usize = 256;

/// What a line has room for before it grows, in bytes.
const USUAL: usize = 768;

/// One line, before it is chained: an object of JSON, written as it is told, since each change pays for it. What is not
/// known is left out.
#[derive(Debug)]
pub(super) struct Entry(String);

impl Entry {
    /// A line that says nothing yet but what it is about.
    pub(super) fn new(at: Timestamp, event: &'static str) -> Self {
        let mut line = String::with_capacity(USUAL);
        line.push_str("{\"at\":\"");
        shown(&mut line, at);
        line.push('"');
        Self(line).word("event", event)
    }

    /// A word of the broker's own, which has nothing in it to escape.
    pub(super) fn word(mut self, key: &'static str, word: &'static str) -> Self {
        self.key(key);
        self.0.push('"');
        self.0.push_str(word);
        self.0.push('"');
        self
    }

    /// A text of somebody else.
    pub(super) fn text(mut self, key: &'static str, text: Option<&str>) -> Self {
        if let Some(text) = text {
            self.key(key);
            quoted(&mut self.0, &short(text));
        }
        self
    }

    /// A number.
    pub(super) fn number(mut self, key: &'static str, number: Option<u64>) -> Self {
        if let Some(number) = number {
            self.key(key);
            shown(&mut self.0, number);
        }
        self
    }

    /// What is shown in letters and signs that need no escape.
    fn plain(mut self, key: &'static str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            self.key(key);
            self.0.push('"');
            shown(&mut self.0, value);
            self.0.push('"');
        }
        self
    }

    pub(super) fn who(self, who: &Who<'_>) -> Self {
        let user = who.identity.and_then(OriginatingIdentity::user_id);
        self.text("login", Some(who.login))
            .text("platform", who.identity.map(|identity| &*identity.platform))
            .text("user", user)
            .text("request_identity", who.request_identity)
            .peer(who.peer)
    }

    /// Where it came from.
    pub(super) fn peer(self, peer: Option<Peer>) -> Self {
        self.plain("from", peer.map(|peer| peer.address))
            .plain("forwarded", peer.and_then(|peer| peer.forwarded))
    }

    pub(super) fn what(self, kind: Kind, subject: &Subject) -> Self {
        self.word("kind", kind.name())
            .text("instance", Some(subject.instance().as_str()))
            .text("binding", subject.binding().map(BindingId::as_str))
    }

    pub(super) fn of(self, service: Option<&ServiceId>, plan: Option<&PlanId>) -> Self {
        self.text("service", service.map(ServiceId::as_str))
            .text("plan", plan.map(PlanId::as_str))
    }

    /// What was asked for, but for the parameters.
    pub(super) fn asked(self, asked: &Asked<'_>) -> Self {
        self.of(asked.service, asked.plan)
            .text("organization", asked.organization)
            .text("space", asked.space)
    }

    pub(super) fn operation(self, id: Option<&OperationId>) -> Self {
        self.text("operation", id.map(OperationId::as_str))
    }

    pub(super) fn parameters(self, asked: &Asked<'_>) -> Self {
        self.plain("parameters", asked.parameters.map(|hash| hex(&hash.0)))
    }

    /// As JSON, in one line.
    pub(super) fn json(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn key(&mut self, key: &'static str) {
        self.0.push_str(",\"");
        self.0.push_str(key);
        self.0.push_str("\":");
    }
}

fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at));
    Cow::Owned(format!("{}…", text.get(..end.unwrap_or(0)).unwrap_or("")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_known_is_said_in_order() {
        let line = Entry::new(Timestamp(0), "began")
            .word("by", "broker")
            .text("login", None)
            .text("login", Some("a"))
            .number("uid", Some(7))
            .number("lines", None)
            .json();
        let expected = r#"{"at":"1970-01-01T00:00:00.000Z","event":"began","by":"broker","login":"a","uid":7}"#;
        assert_eq!(line, expected);
    }

    proptest! {
        #[test]
        fn a_line_reads_back_as_it_was_told(text in ".{0,64}") {
            let line = Entry::new(Timestamp(0), "began").text("instance", Some(&text)).json();
            prop_assert!(!line.contains(['\n', '\r']), "{}", line);
            let read: Value = serde_json::from_str(&line).expect("JSON");
            let expected = json!({
                "at": "1970-01-01T00:00:00.000Z",
                "event": "began",
                "instance": text,
            });
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        let line = Entry::new(Timestamp(0), "began")
            .text("user", Some(&"ü".repeat(200)))
            .json();
        let read: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(read["user"], format!("{}…", "ü".repeat(128)));
    }
}
