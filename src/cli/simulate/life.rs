//! The life: what a platform asks for, one after the other, and what it does where it is refused.

use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::exchange::{Exchange, Platform};
use super::request::Request;
use crate::app::Door;
use crate::domain::offering::Chosen;

/// How long is waited for what is answered later.
const PATIENCE: Duration = Duration::from_secs(600);

/// The first wait between two polls; each is longer than the one before, up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LAST_WAIT: Duration = Duration::from_secs(2);

/// A life that is to be lived.
#[derive(Clone, Debug)]
pub(super) struct Life {
    service: String,
    plan: String,
    request: Request,
}

/// How far a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    /// It is done.
    Well,
    /// It was refused, and nothing was made.
    Refused,
    /// It failed, and something may be there: a platform takes it away (specification, "Orphan Mitigation").
    Failed,
}

/// What a life is told to.
type See<'a> = &'a mut dyn FnMut(Exchange);

impl Life {
    pub(super) fn new(chosen: Chosen<'_>, request: &Request) -> Self {
        Self {
            service: chosen.offering.id.to_string(),
            plan: chosen.plan.id.to_string(),
            request: request.clone(),
        }
    }

    /// Lives it; whether all went well.
    pub(super) fn lived(&self, door: &Door, see: See<'_>) -> Result<bool, String> {
        let platform = Platform::at(door, &self.request.platform);
        let mut conversation = Conversation {
            platform,
            life: self,
            see,
        };
        conversation.whole()
    }
}

struct Conversation<'a> {
    platform: Platform,
    life: &'a Life,
    see: See<'a>,
}

impl Conversation<'_> {
    fn whole(&mut self) -> Result<bool, String> {
        let life = self.life;
        let offering = self.catalog()?;
        let declares = |name: &str| offering[name].as_bool().unwrap_or(false);
        let mut plans = offering["plans"].as_array().into_iter().flatten();
        let plan = plans.find(|plan| plan["id"] == *life.plan);
        let maintenance = plan.and_then(|plan| plan.pointer("/maintenance_info/version"));
        let instance = format!("/v2/service_instances/{}", life.request.instance_id);
        let binding = format!("{instance}/service_bindings/{}", life.request.binding_id);
        let body = life
            .request
            .provision(&life.service, &life.plan, maintenance);
        match self.change("provision", "PUT", &instance, Some(body))? {
            Went::Refused => return Ok(false),
            Went::Failed => {
                self.change("deprovision", "DELETE", &instance, None)?;
                return Ok(false);
            }
            Went::Well => {}
        }
        let mut well = true;
        if declares("instances_retrievable") {
            well &= self.fetch("fetch the instance", &instance)?;
        }
        let body = life.request.bind(&life.service, &life.plan);
        let bound = self.change("bind", "PUT", &binding, Some(body))?;
        well &= bound == Went::Well;
        if bound == Went::Well && declares("bindings_retrievable") {
            well &= self.fetch("fetch the binding", &binding)?;
        }
        if bound != Went::Refused {
            well &= self.change("unbind", "DELETE", &binding, None)? == Went::Well;
        }
        well &= self.change("deprovision", "DELETE", &instance, None)? == Went::Well;
        Ok(well)
    }

    /// The offering, as it is published.
    fn catalog(&mut self) -> Result<Value, String> {
        let asked = self.ask("catalog", "GET", "/v2/catalog", None)?;
        let services = asked
            .answer
            .as_ref()
            .and_then(|answer| answer.get("services"));
        let services = services.and_then(Value::as_array).into_iter().flatten();
        let mut found = services.filter(|service| service["id"] == *self.life.service);
        let offering = found.next().cloned();
        (self.see)(asked);
        offering.ok_or_else(|| "the catalog does not have the plan's offering".to_owned())
    }

    fn fetch(&mut self, step: &str, path: &str) -> Result<bool, String> {
        let asked = self.ask(step, "GET", &format!("{path}?{}", self.names()), None)?;
        let well = asked.status == 200;
        (self.see)(asked);
        Ok(well)
    }

    /// A change, to its end.
    fn change(
        &mut self,
        step: &str,
        method: &'static str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Went, String> {
        let mut query = "accepts_incomplete=true".to_owned();
        if body.is_none() {
            query = format!("{}&{query}", self.names());
        }
        let asked = self.ask(step, method, &format!("{path}?{query}"), body)?;
        let (status, operation) = (asked.status, asked.says("operation").map(str::to_owned));
        (self.see)(asked);
        match status {
            200 | 201 => Ok(Went::Well),
            202 => self.poll(step, path, operation.as_deref()),
            400..500 => Ok(Went::Refused),
            _ => Ok(Went::Failed),
        }
    }

    /// Polls until it is over; an answer that is the one before is not shown again.
    fn poll(&mut self, step: &str, path: &str, operation: Option<&str>) -> Result<Went, String> {
        let mut query = self.names();
        if let Some(operation) = operation {
            query = format!("{query}&operation={}", encoded(operation));
        }
        let path = format!("{path}/last_operation?{query}");
        let step = format!("{step}, last_operation");
        let (mut wait, mut before) = (FIRST_WAIT, None);
        let began = Instant::now();
        loop {
            let asked = self.ask(&step, "GET", &path, None)?;
            let went = match (asked.status, asked.says("state")) {
                (200, Some("succeeded")) | (410, _) => Some(Went::Well),
                (200, Some("in progress")) => None,
                _ => Some(Went::Failed),
            };
            let is_news = before != asked.answer;
            before.clone_from(&asked.answer);
            if is_news {
                (self.see)(asked);
            }
            if let Some(went) = went {
                return Ok(went);
            }
            if began.elapsed() >= PATIENCE {
                return Err(format!("{step}: not over after {} s", PATIENCE.as_secs()));
            }
            thread::sleep(wait);
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    fn ask(
        &self,
        step: &str,
        method: &'static str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Exchange, String> {
        self.platform.ask(step.to_owned(), method, path, body)
    }

    fn names(&self) -> String {
        let Life { service, plan, .. } = self.life;
        format!("service_id={}&plan_id={}", encoded(service), encoded(plan))
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-")
}
