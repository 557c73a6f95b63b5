//! What an answer means: the table of status codes.

use std::time::Duration;

use serde_json::error::Category;

use super::exchange::{Answer, Body};
use super::trouble::Trouble;
use crate::backend::contract::Reply;
use crate::domain::backend::{Done, Failure, Outcome};
use crate::domain::operation::Kind;

const FAILED: &str = "The service's backend failed.";
const REFUSED: &str = "The service's backend refused the request.";
const LOGIN: &str =
    "The service's backend does not let the broker in. Ask the operator of the broker.";
const BUSY: &str = "The service's backend has too much to do at the moment.";
const BROKEN: &str = "The service's backend has trouble at the moment.";
const OVERDUE: &str = "The service's backend has not finished in time.";
const LOST: &str = "The service's backend no longer knows of the operation that it had begun.";
const UNREADABLE: &str = "The service's backend answered something that the broker does not understand. Ask the operator of the broker: its log says more.";

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To act: the POST.
    Act,
    /// How far it is: the GET.
    Poll,
}

/// What an answer means.
pub(super) enum Verdict {
    Over(Ending),
    /// To be asked again.
    NotYet(NotYet),
}

/// An attempt that has not ended.
pub(super) struct NotYet {
    /// Where to ask; nothing is where it was asked last.
    pub(super) location: Option<String>,
    pub(super) after: Option<Duration>,
    /// For the platform's user.
    pub(super) description: Option<String>,
}

/// The end of an attempt.
pub(super) struct Ending {
    /// Boxed, as it is handed through as an error.
    pub(super) outcome: Box<Outcome>,
    /// For the log.
    pub(super) reason: String,
    /// Also for the log: what is likely to be a mistake, though it is no reason to fail.
    pub(super) oddity: Option<String>,
}

/// What `answer` means, whose `Retry-After` is `after`.
pub(super) fn judge(asked: Asked, kind: Kind, answer: Answer, after: Option<Duration>) -> Verdict {
    let status = answer.status;
    if status == 202 {
        return not_yet(answer, after);
    }
    let reason = format!("answered {status}");
    let reply = match read(&answer.body) {
        Ok(reply) => reply,
        Err(why) if matches!(status, 200 | 201 | 204) => {
            return over(failed(UNREADABLE), format!("{reason} {why}"));
        }
        // The status says enough.
        Err(_) => Reply::default(),
    };
    let outcome = match (status, asked) {
        (200 | 201 | 204, _) => {
            let oddity = reply.oddity().filter(|_| !kind.removes());
            return Verdict::Over(Ending {
                oddity,
                ..Ending::new(reply.done(), reason)
            });
        }
        (404 | 410, Asked::Act) if kind.removes() => Outcome::Done(Done::default()),
        (404 | 410, Asked::Poll) => reply.failed(LOST),
        (408 | 425 | 429, _) => again(reply, after, BUSY),
        (401 | 403, Asked::Act) => reply.refused(LOGIN, true),
        (400..=499, Asked::Act) => reply.refused(REFUSED, false),
        (400..=499, Asked::Poll) => reply.failed(FAILED),
        (500, _) if reply.failed => reply.failed(FAILED),
        (500..=599, _) => again(reply, after, BROKEN),
        _ => failed(UNREADABLE),
    };
    over(outcome, reason)
}

fn not_yet(answer: Answer, after: Option<Duration>) -> Verdict {
    // What is said on the way may be anything: it waits for no reply.
    let reply = read(&answer.body).unwrap_or_default();
    let (said, description) = waits(reply.again());
    Verdict::NotYet(NotYet {
        location: answer.location,
        after: after.or(said),
        description,
    })
}

fn again(reply: Reply, after: Option<Duration>, otherwise: &str) -> Outcome {
    let (said, description) = waits(reply.again());
    Outcome::Again {
        after: after.or(said),
        description: description.or_else(|| Some(otherwise.to_owned())),
    }
}

/// How long, and why. No time at all is not meant: it would be asked without rest.
fn waits(outcome: Outcome) -> (Option<Duration>, Option<String>) {
    match outcome {
        Outcome::Again { after, description } => {
            (after.filter(|after| !after.is_zero()), description)
        }
        _ => (None, None),
    }
}

fn over(outcome: Outcome, reason: String) -> Verdict {
    Verdict::Over(Ending::new(outcome, reason))
}

fn failed(description: &str) -> Outcome {
    Outcome::Failed(Failure {
        description: description.to_owned(),
        ..Failure::default()
    })
}

/// The reply; or why there is none, without a word of it.
fn read(body: &Body) -> Result<Reply, String> {
    let Body::Whole(body) = body else {
        return Err("with more than 1 MiB".to_owned());
    };
    let body = body.expose().trim_ascii();
    if body.is_empty() {
        return Ok(Reply::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        let what = match error.classify() {
            Category::Data => "with JSON that is no reply of the contract",
            Category::Eof => "with JSON that ends too early",
            _ => "with something that is not JSON",
        };
        format!("{what} (line {}, column {})", error.line(), error.column())
    })
}

impl Ending {
    fn new(outcome: Outcome, reason: String) -> Self {
        Self {
            outcome: Box::new(outcome),
            reason,
            oddity: None,
        }
    }

    fn again(description: &str, reason: String) -> Self {
        let outcome = Outcome::Again {
            after: None,
            description: Some(description.to_owned()),
        };
        Self::new(outcome, reason)
    }

    /// It sends elsewhere: what the login is not for.
    pub(super) fn astray(reason: String) -> Self {
        Self::new(failed(UNREADABLE), reason)
    }

    /// It took longer than an attempt may.
    pub(super) fn overdue(limit: Duration) -> Self {
        let reason = format!("was not done after {} s", limit.as_secs_f64());
        Self::again(OVERDUE, reason)
    }
}

impl From<Trouble> for Ending {
    fn from(trouble: Trouble) -> Self {
        let reason = format!("gave no answer: {}", trouble.reason);
        Self::again(trouble.description, reason)
    }
}
