//! The backend of a merged plan: out of its settings, or what is wrong with them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::draft::PlanDraft;
use super::responding::{number, time};
use crate::backend::{
    Auth, ClientCertificate, Command, CommandSettings, Fixed, Prepared, Sql, SqlServer,
    SqlSettings, Webhook, WebhookError, WebhookSettings,
};
use crate::document::{Environment, Map, Node};
use crate::domain::backend::Backend;
use crate::domain::operation::Kind;
use crate::secret::Secret;

/// What is wrong with a backend: below which key of its kind, why, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub key: &'static str,
    pub message: String,
    pub mend: String,
}

/// Makes backends: plans that say the same of one name share it, and with it its connections.
pub(crate) struct Backends<'a> {
    environment: &'a Environment,
    made: HashMap<String, Arc<dyn Backend>>,
    servers: HashMap<String, Arc<SqlServer>>,
}

impl<'a> Backends<'a> {
    /// The environment says which proxy to go through, where the document does not.
    pub fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            made: HashMap::new(),
            servers: HashMap::new(),
        }
    }

    /// The backend of a plan that the rules found nothing else wrong with.
    pub fn of(&mut self, plan: &PlanDraft) -> Result<Arc<dyn Backend>, Problem> {
        let Some(backend) = plan.node.get("backend") else {
            return Ok(Arc::new(Fixed));
        };
        let name = name(&plan.node, backend);
        if let Some(node) = backend.get("sql") {
            let steps = plan.steps.clone().unwrap_or_default();
            let server = self.server(&name, node)?;
            return Ok(Arc::new(Sql::new(server, steps)));
        }
        if ["statements", "with"]
            .iter()
            .any(|key| backend.get(key).is_some())
        {
            return Err(Problem {
                key: "statements",
                message: "`statements` and `with` are for a backend `sql`, and this is another"
                    .to_owned(),
                mend: "remove them, or use a backend `sql`".to_owned(),
            });
        }
        let key = format!("{name} {}", backend.to_json());
        if let Some(made) = self.made.get(&key) {
            return Ok(Arc::clone(made));
        }
        let made = self.make(&name, backend)?;
        self.made.insert(key, Arc::clone(&made));
        Ok(made)
    }

    fn make(&self, name: &str, backend: &Node) -> Result<Arc<dyn Backend>, Problem> {
        if let Some(node) = backend.get("command") {
            return Ok(Arc::new(Command::new(command(name, node)?)));
        }
        if let Some(node) = backend.get("pool") {
            return Ok(Arc::new(Prepared(super::pool::pool(name, node)?)));
        }
        if let Some(node) = backend.get("webhook") {
            let made = Webhook::new(self.webhook(name, node)?);
            return made
                .map(|webhook| Arc::new(webhook) as Arc<dyn Backend>)
                .map_err(|error| told(&error));
        }
        Ok(Arc::new(Fixed))
    }

    /// The server of a name: its connections are shared by all that is run there, whatever it is.
    fn server(&mut self, name: &str, node: &Node) -> Result<Arc<SqlServer>, Problem> {
        let mut settings = SqlSettings::new(name, text(node, "server").unwrap_or_default());
        set(&mut settings.timeout, node.get("timeout"));
        settings.concurrency = concurrency(node)?;
        if let Some(most) = number(node, "connections") {
            settings.connections = usize::try_from(most).unwrap_or(usize::MAX);
        }
        let key = format!("{name} {settings:?} {}", settings.server.expose());
        if let Some(made) = self.servers.get(&key) {
            return Ok(Arc::clone(made));
        }
        let made = SqlServer::new(settings).map_err(|error| {
            let sentence = error.to_string();
            let (why, mend) = sentence
                .split_once(": ")
                .unwrap_or((&sentence, "change it"));
            Problem {
                key: "sql",
                message: format!("`{}` {why}", error.key()),
                mend: mend.to_owned(),
            }
        })?;
        let made = Arc::new(made);
        self.servers.insert(key, Arc::clone(&made));
        Ok(made)
    }

    fn webhook(&self, name: &str, node: &Node) -> Result<WebhookSettings, Problem> {
        let url = text(node, "url").unwrap_or_default();
        let proxy = text(node, "proxy").or_else(|| self.proxy(&url));
        let mut settings = WebhookSettings::new(name, url);
        settings.allow_http = node
            .get("allow_http")
            .and_then(Node::as_bool)
            .unwrap_or_default();
        settings.secret = text(node, "secret").map(Secret::new);
        settings.auth = auth(node)?;
        settings.client_certificate = client_certificate(node)?;
        settings.ca = text(node, "ca").map(String::into_bytes);
        settings.proxy = proxy.filter(|url| !url.is_empty()).map(Secret::new);
        settings.no_proxy = self.variable(&["NO_PROXY", "no_proxy"]);
        set(&mut settings.timeout, node.get("timeout"));
        set(&mut settings.limit, node.get("limit"));
        settings.concurrency = concurrency(node)?;
        settings.operations = operations(node);
        Ok(settings)
    }

    /// The usual variables. `HTTP_PROXY` in capitals is not among them: under CGI a client's header sets it.
    fn proxy(&self, url: &str) -> Option<String> {
        if url.starts_with("https:") {
            self.variable(&["HTTPS_PROXY", "https_proxy"])
        } else {
            self.variable(&["http_proxy"])
        }
    }

    fn variable(&self, names: &[&str]) -> Option<String> {
        let found = names.iter().find_map(|name| self.environment.get(name));
        found.map(str::to_owned)
    }
}

/// The sentence of an error has its mend behind a colon.
fn told(error: &WebhookError) -> Problem {
    let sentence = error.to_string();
    let (why, mend) = sentence
        .split_once(": ")
        .unwrap_or((&sentence, "change it"));
    Problem {
        key: "webhook",
        message: format!("`{}` {why}", error.key()),
        mend: mend.to_owned(),
    }
}

/// The queue of a backend: its own name, or its plan's.
fn name(plan: &Node, backend: &Node) -> String {
    text(backend, "use").unwrap_or_else(|| {
        let id = text(plan, "id").unwrap_or_default();
        format!("plan {id}")
    })
}

fn command(name: &str, node: &Node) -> Result<CommandSettings, Problem> {
    let run = texts(node, "run");
    if run.first().is_none_or(String::is_empty) {
        return Err(Problem {
            key: "command",
            message: "`run` names no program".to_owned(),
            mend: "write the program and its arguments: run: [/opt/bucket.sh, --quiet]".to_owned(),
        });
    }
    let mut settings = CommandSettings::new(name, run);
    settings.env = variables(node)?;
    set(&mut settings.timeout, node.get("timeout"));
    if let Some(limit) = number(node, "output_limit") {
        settings.output_limit = usize::try_from(limit).unwrap_or(usize::MAX);
    }
    settings.concurrency = concurrency(node)?;
    settings.operations = operations(node);
    Ok(settings)
}

/// The environment of a program: texts, by names that a program can have in it.
fn variables(node: &Node) -> Result<Vec<(String, Secret)>, Problem> {
    let variables = node.get("env").and_then(Node::as_map);
    variables
        .into_iter()
        .flat_map(Map::iter)
        .map(|entry| match entry.node.as_text() {
            Some(text) if !entry.key.is_empty() && !entry.key.contains(['=', '\0']) => {
                Ok((entry.key.to_string(), Secret::new(text.to_owned())))
            }
            _ => Err(Problem {
                key: "command",
                message: format!("`env.{}` is no variable with a text", entry.key),
                mend: "put quotes around its value".to_owned(),
            }),
        })
        .collect()
}

fn auth(node: &Node) -> Result<Auth, Problem> {
    let [username, password, token] = ["username", "password", "token"].map(|key| text(node, key));
    match (username, password, token) {
        (None, None, None) => Ok(Auth::None),
        (None, None, Some(token)) => Ok(Auth::Bearer {
            token: Secret::new(token),
        }),
        (Some(username), Some(password), None) => Ok(Auth::Basic {
            username,
            password: Secret::new(password),
        }),
        _ => Err(Problem {
            key: "webhook",
            message: "the login is neither a username with its password nor a token".to_owned(),
            mend: "write `username` and `password`, or `token`".to_owned(),
        }),
    }
}

fn client_certificate(node: &Node) -> Result<Option<ClientCertificate>, Problem> {
    match (text(node, "client_certificate"), text(node, "client_key")) {
        (None, None) => Ok(None),
        (Some(chain), Some(key)) => Ok(Some(ClientCertificate {
            chain: chain.into_bytes(),
            key: Secret::new(key.into_bytes()),
        })),
        _ => Err(Problem {
            key: "webhook",
            message: "a client certificate and its key come together".to_owned(),
            mend: "write `client_certificate` and `client_key`".to_owned(),
        }),
    }
}

fn concurrency(node: &Node) -> Result<Option<u32>, Problem> {
    match number(node, "concurrency") {
        Some(0) => Err(Problem {
            key: "concurrency",
            message: "with a `concurrency` of 0 nothing is ever done".to_owned(),
            mend: "write 1 or more, or leave it out".to_owned(),
        }),
        most => Ok(most.map(|most| u32::try_from(most).unwrap_or(u32::MAX))),
    }
}

fn operations(node: &Node) -> Vec<Kind> {
    match node.get("operations") {
        None => Kind::ALL.to_vec(),
        Some(_) => texts(node, "operations")
            .iter()
            .filter_map(|name| Kind::from_name(name))
            .collect(),
    }
}

fn set(duration: &mut Duration, node: Option<&Node>) {
    if let Some(said) = node.and_then(time) {
        *duration = said;
    }
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key)?.as_text().map(str::to_owned)
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    let items = node.get(key).and_then(Node::as_list).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| item.as_text().map(str::to_owned))
        .collect()
}
