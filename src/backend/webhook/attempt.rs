//! One attempt: the POST, the redirects on its way, the polls after it, until there is an end.

use std::sync::Arc;
use std::time::Duration;

use super::Webhook;
use super::address::Address;
use super::exchange::{Answer, Message};
use super::judge::{Asked, Ending, NotYet, Verdict, judge};
use super::retry_after;
use crate::backend::contract;
use crate::domain::backend::{Outcome, Progress, Work};
use crate::secret::Secret;

/// How long between two questions, where the endpoint does not say; and the least where it does.
const REST: Duration = Duration::from_secs(5);
const SHORTEST_REST: Duration = Duration::from_millis(50);

/// How many redirects make a circle.
const REDIRECTS: u32 = 5;

pub(super) struct Attempt<'a> {
    hook: &'a Webhook,
    work: Work<'a>,
    progress: &'a dyn Progress,
    body: Arc<[u8]>,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(hook: &'a Webhook, work: Work<'a>, progress: &'a dyn Progress) -> Self {
        let body = contract::request(&work).to_string();
        Self {
            hook,
            work,
            progress,
            body: body.into_bytes().into(),
        }
    }

    pub(super) async fn run(self) -> Outcome {
        let limit = self.hook.limit;
        let ending = tokio::time::timeout(limit, self.until_over())
            .await
            .unwrap_or_else(|_| Ending::overdue(limit));
        self.tell(&ending);
        *ending.outcome
    }

    async fn until_over(&self) -> Ending {
        let (mut asked, mut to) = (Asked::Act, self.hook.address.clone());
        loop {
            let (from, answer) = match self.answered(asked, to.clone()).await {
                Ok(answered) => answered,
                Err(ending) => return ending,
            };
            let after = answer
                .retry_after
                .as_deref()
                .and_then(|value| retry_after::read(value, (self.work.clock)()));
            let not_yet = match judge(asked, self.work.kind, answer, after) {
                Verdict::Over(ending) => return ending,
                Verdict::NotYet(not_yet) => not_yet,
            };
            if let Some(location) = &not_yet.location {
                (asked, to) = match self.within(&from, location) {
                    Ok(to) => (Asked::Poll, to),
                    Err(ending) => return ending,
                };
            }
            self.rest(not_yet).await;
        }
    }

    async fn rest(&self, not_yet: NotYet) {
        if let Some(description) = not_yet.description {
            self.progress.say(&description);
        }
        let after = not_yet.after.unwrap_or(REST).max(SHORTEST_REST);
        tokio::time::sleep(after).await;
    }

    /// The answer that stands at the end of the redirects, and where that is.
    async fn answered(&self, asked: Asked, mut to: Address) -> Result<(Address, Answer), Ending> {
        for _ in 0..=REDIRECTS {
            let message = self.message(asked, to.clone());
            let answer = self.hook.client.exchange(message).await?;
            self.trace(answer.status);
            match (&answer.location, redirects(asked, answer.status)) {
                (Some(location), true) => to = self.within(&to, location)?,
                _ => return Ok((to, answer)),
            }
        }
        Err(Ending::astray(format!(
            "redirected more than {REDIRECTS} times"
        )))
    }

    fn message(&self, asked: Asked, to: Address) -> Message {
        let body = (asked == Asked::Act).then(|| Arc::clone(&self.body));
        let mut headers = vec![
            ("Idempotency-Key", self.work.operation.as_str().to_owned()),
            ("X-Broker-Attempt", self.work.attempt.to_string()),
        ];
        if let Some(trace) = self.work.trace {
            headers.push(("traceparent", trace.traceparent()));
            let state = trace.tracestate().map(str::to_owned);
            headers.extend(state.map(|state| ("tracestate", state)));
        }
        if let Some(signer) = &self.hook.signer {
            let at = (self.work.clock)();
            let signature = signer.sign(at, body.as_deref().unwrap_or_default());
            headers.push(("X-Broker-Signature", signature));
        }
        let headers = headers
            .into_iter()
            .map(|(name, value)| (name, Secret::new(value)));
        let login = self.hook.login.clone();
        Message {
            to,
            body,
            headers: headers
                .chain(login.map(|login| ("Authorization", login)))
                .collect(),
        }
    }

    /// Where `location` leads, as long as that is where the login is for.
    fn within(&self, from: &Address, location: &str) -> Result<Address, Ending> {
        let to = from
            .join(location)
            .map_err(|_| Ending::astray("sends to what is no URL to go to".to_owned()))?;
        if to.origin() == self.hook.address.origin() {
            Ok(to)
        } else {
            let elsewhere = to.origin();
            Err(Ending::astray(format!(
                "sends to {elsewhere}, which is another host: configure that one if it is meant"
            )))
        }
    }

    fn trace(&self, status: u16) {
        log::debug!(
            target: "backend",
            operation = self.work.operation.as_str(),
            attempt = self.work.attempt,
            trace = self.work.trace_id();
            "webhook {} answered {status}", self.hook.name
        );
    }

    fn tell(&self, ending: &Ending) {
        let (level, what) = match *ending.outcome {
            Outcome::Done(_) => (log::Level::Debug, "done"),
            Outcome::Refused(_) => (log::Level::Info, "refused"),
            Outcome::Failed(_) => (log::Level::Warn, "failed"),
            Outcome::Again { .. } => (log::Level::Warn, "not done yet"),
        };
        log::log!(
            target: "backend",
            level,
            operation = self.work.operation.as_str(),
            attempt = self.work.attempt,
            trace = self.work.trace_id();
            "{what}: webhook {} at {} {}", self.hook.name, self.hook.address.origin(), ending.reason
        );
        if let Some(oddity) = &ending.oddity {
            log::warn!(
                target: "backend",
                operation = self.work.operation.as_str(),
                attempt = self.work.attempt;
                "webhook {}: {oddity}", self.hook.name
            );
        }
    }
}

/// A POST is sent elsewhere only by what says that it stays one.
const fn redirects(asked: Asked, status: u16) -> bool {
    match asked {
        Asked::Act => matches!(status, 307 | 308),
        Asked::Poll => matches!(status, 301 | 302 | 303 | 307 | 308),
    }
}
