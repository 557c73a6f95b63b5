//! One request and its answer, as they went over the wire.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use ureq::Agent;
use ureq::http;

use crate::app::Door;
use crate::cli::render::mask;
use crate::cli::{output::plain, veil};
use crate::secret::{MASK, Secret};

/// Beyond this no answer goes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What of an answer's head tells a platform something.
const TOLD: [&str; 4] = ["content-type", "etag", "location", "retry-after"];

/// A request, and what came back.
#[derive(Debug)]
pub(super) struct Exchange {
    /// What it is a part of: `bind`, `bind, last_operation`.
    pub step: String,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
    pub status: u16,
    reason: &'static str,
    answered: Vec<(&'static str, String)>,
    pub answer: Option<Value>,
}

/// Who asks.
pub(super) struct Platform {
    agent: Agent,
    url: String,
    base_path: String,
    authorization: Secret<String>,
    identity: String,
}

impl Platform {
    pub(super) fn at(door: &Door, name: &str) -> Self {
        let config = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("catalog-broker/", env!("CARGO_PKG_VERSION")));
        let login = format!("{}:{}", door.username, door.password.expose());
        let user = STANDARD.encode(json!({ "user_id": "simulate" }).to_string());
        let from_host = door.url.find("://").map_or(0, |at| at + 3);
        let path = door.url[from_host..].find('/').map(|at| from_host + at);
        let (url, base_path) = door.url.split_at(path.unwrap_or(door.url.len()));
        Self {
            agent: config.build().new_agent(),
            url: url.to_owned(),
            base_path: base_path.to_owned(),
            authorization: Secret::new(format!("Basic {}", STANDARD.encode(login))),
            identity: format!("{name} {user}"),
        }
    }

    /// Asks.
    pub(super) fn ask(
        &self,
        step: String,
        method: &'static str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Exchange, String> {
        let path = format!("{}{path}", self.base_path);
        let mut headers = vec![
            ("X-Broker-API-Version", "2.17".to_owned()),
            ("Authorization", self.authorization.expose().clone()),
            ("X-Broker-API-Originating-Identity", self.identity.clone()),
        ];
        if body.is_some() {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let text = body.as_ref().map(Value::to_string);
        let sent = match text {
            Some(text) => request.body(text).map(|request| self.agent.run(request)),
            None => request.body(()).map(|request| self.agent.run(request)),
        };
        let wrong = |why: &dyn std::fmt::Display| format!("{method} {path}: {why}");
        let mut response = sent
            .map_err(|why| wrong(&why))?
            .map_err(|why| wrong(&why))?;
        let answered = TOLD.iter().filter_map(|name| {
            let value = response.headers().get(*name)?.to_str().ok()?;
            Some((*name, value.to_owned()))
        });
        let answered = answered.collect();
        let status = response.status();
        let read = response.body_mut().with_config().limit(LARGEST);
        let bytes = read.read_to_vec().map_err(|why| wrong(&why))?;
        Ok(Exchange {
            step,
            method,
            path,
            headers,
            body,
            status: status.as_u16(),
            reason: status.canonical_reason().unwrap_or_default(),
            answered,
            answer: serde_json::from_slice(&bytes).ok(),
        })
    }
}

impl Exchange {
    /// Text of the answer's `name`.
    pub(super) fn says(&self, name: &str) -> Option<&str> {
        self.answer.as_ref()?.get(name)?.as_str()
    }

    /// Without what may be a secret. A catalog and a request hold only what sounds like one; an answer may hold any.
    pub(super) fn masked(mut self) -> Self {
        for (name, value) in &mut self.headers {
            if *name == "Authorization" {
                *value = format!("Basic {MASK}");
            }
        }
        self.body = self.body.map(|body| veil::named("", body));
        self.answer = self.answer.map(|answer| match answer {
            Value::Object(object) if !object.contains_key("services") => mask::masked(object),
            other => veil::named("", other),
        });
        self
    }

    /// As it went over the wire.
    pub(super) fn people(&self, first: bool) -> String {
        let mut text = String::new();
        if !first {
            text.push('\n');
        }
        let _ = writeln!(text, "# {}", self.step);
        let _ = writeln!(text, "{} {} HTTP/1.1", self.method, plain(&self.path));
        part(&mut text, &self.headers, self.body.as_ref());
        let _ = writeln!(text, "\nHTTP/1.1 {} {}", self.status, self.reason);
        part(&mut text, &self.answered, self.answer.as_ref());
        text
    }

    /// The same for a script.
    pub(super) fn json(&self) -> Value {
        let headers = |headers: &[(&str, String)]| -> Map<String, Value> {
            let pairs = headers.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect()
        };
        json!({
            "step": self.step,
            "request": {
                "method": self.method, "path": self.path, "headers": headers(&self.headers), "body": self.body,
            },
            "answer": { "status": self.status, "headers": headers(&self.answered), "body": self.answer },
        })
    }
}

fn part(text: &mut String, headers: &[(&'static str, String)], body: Option<&Value>) {
    for (name, value) in headers {
        let _ = writeln!(text, "{name}: {}", plain(value));
    }
    if let Some(body) = body {
        let _ = writeln!(text, "\n{body:#}");
    }
}
