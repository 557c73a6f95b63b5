//! A life with a secret in every place that can have one.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::marks::Mark;
use crate::harness::{Broker, Folder, Setup, at_binding, at_instance, basic};
use crate::http::{Request, Response};

const SERVICE: &str = "7d3c2f10-55aa-4b1e-9c70-3c8d5c1de001";
const FULL: &str = "7d3c2f10-55aa-4b1e-9c70-3c8d5c1de010";
const STRICT: &str = "7d3c2f10-55aa-4b1e-9c70-3c8d5c1de020";

/// What came of a life.
#[derive(Default)]
pub struct Heard {
    /// All that was written to standard output and standard error.
    pub log: String,
    /// What was answered to what; whether the specification has secrets in it.
    pub answers: Vec<Answer>,
    pub marks: Vec<Mark>,
}

pub struct Answer {
    pub to: String,
    pub status: u16,
    pub text: String,
    pub open: bool,
}

/// Secrets that the broker never takes in as such, so that not even a broker that prints all can show them.
pub const NEVER_TAKEN_IN: &[&str] = &[
    "a cookie",
    "a name in a query",
    "a row that cannot be read",
    "an operation that is polled",
    "the userinfo of a target",
    "the originating user's mail",
];

/// Templates that work with nothing given, and not with what is given: each is a plan's.
const FAILING: &[(&str, &str)] = &[
    (
        "values: { number: \"{{ instance.parameters.secret | default('1') | int }}\" }",
        "text",
    ),
    (
        "values: { sum: \"{{ (instance.parameters.secret | default(1)) + 1 }}\" }",
        "text",
    ),
    (
        "values: { joined: \"a{{ instance.parameters.secret | default('x') }}b\" }",
        "map",
    ),
    (
        "dashboard_url: \"{{ instance.parameters.secret | default('https://x') }}\"",
        "map",
    ),
    (
        "values: { literal: \"{{ 'LITERAL' ~ (instance.parameters.secret | default('1') | int) }}\" }",
        "text",
    ),
];

/// The fields of requests that are objects.
const OBJECTS: &[&str] = &["context", "parameters", "maintenance_info", "bind_resource"];

struct Life {
    broker: Broker,
    heard: Heard,
}

/// Goes through all of it with the binary (the one of this build, if none is named) and a format of log lines.
pub fn live(binary: Option<&Path>, format: &str) -> Heard {
    let mut heard = Heard::default();
    let (setup, folder) = setup(&mut heard);
    let mut setup = setup.arg(&format!("--log-format={format}"));
    if let Some(binary) = binary {
        setup = setup.binary(binary);
    }
    let broker = setup.start_in(&folder);
    let mut life = Life { broker, heard };
    life.logins();
    life.instance();
    life.binding();
    life.refusals();
    life.store();
    life.broker.signal("TERM");
    life.broker.wait();
    // Its lines are gathered by threads of their own.
    life.broker.wait_for_log("stopped");
    life.heard.log = life.broker.log();
    life.heard
}

/// A folder with the document, and an environment with what it refers to.
pub fn setup(heard: &mut Heard) -> (Setup, Arc<Folder>) {
    let folder = Arc::new(Folder::new());
    let file = folder.write("secret.txt", &heard.mark("a file"));
    let vars = json!({ "smtp": { "password": heard.mark("a vars file") } });
    let vars = folder.write("vars.yaml", &vars.to_string());
    let vcap = json!({ "user-provided": [{ "name": "db", "credentials": { "password": heard.mark("a service of the platform") } }] });
    let json = json!({ "inner": heard.mark("a JSON variable") });
    let document = document(heard, &file);
    folder.write("catalog.yaml", &document);
    let setup = Setup::new("")
        .env("BROKER_LOG__LEVEL", "trace")
        .env("BROKER_AUTH__USERNAME", "platform")
        .env("BROKER_AUTH__PASSWORD", &heard.mark("the password"))
        .env(
            "BROKER_AUTH__LOGINS__SECOND__TOKEN",
            &heard.core("the token"),
        )
        .env("SECRET", &heard.mark("a variable"))
        .env("SECRET_JSON", &json.to_string())
        .env("VCAP_SERVICES", &vcap.to_string())
        .env(
            "BROKER_SERVICES__SECRETIVE__PLANS__FULL__BINDING__CREDENTIALS__OVERRIDDEN",
            &heard.mark("an override"),
        )
        .arg(&format!("--vars={}", vars.display()));
    (setup, folder)
}

/// YAML takes JSON's strings.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn document(heard: &mut Heard, file: &Path) -> String {
    let literal = heard.core("a literal in an expression");
    let failing: String = FAILING
        .iter()
        .enumerate()
        .map(|(at, (instance, _))| {
            let id = failing_plan(at);
            let instance = instance.replace("LITERAL", &literal);
            format!("\n      - {{ id: {id}, name: failing-{at}, description: It fails }}")
                .replace(" }", &format!("\n        instance:\n          {instance}"))
                .replace("- { id", "- id")
                .replace(", name", "\n        name")
                .replace(", description", "\n        description")
        })
        .collect();
    format!(
        r#"
services:
  - id: {SERVICE}
    name: secretive
    description: Every place that can have a secret has one
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    plan_updateable: true
    requires: [syslog_drain]
    dashboard_client: {{ id: dash, secret: {client}, redirect_uri: "https://dash.example.com" }}
    values: {{ constant: {constant} }}
    binding:
      values: {{ drawn: "{{{{ random_password(40) }}}}" }}
      credentials:
        password: {plain}
        variable: "${{SECRET}}"
        file: "${{file:{file}}}"
        json: "${{json:SECRET_JSON#/inner}}"
        vcap: "${{vcap:db#/credentials/password}}"
        vars: "${{smtp.password}}"
        uri: "postgres://app:{uri}@db.example.com/app"
        constant: "{{{{ values.constant }}}}"
        drawn: "{{{{ binding.values.drawn }}}}"
        instance: "{{{{ instance.values.drawn }}}}"
      syslog_drain_url: "syslog-tls://drain:{drain}@logs.example.com:6514"
    instance:
      values: {{ drawn: "{{{{ random_password(40) }}}}" }}
    plans:
      - id: {FULL}
        name: full
        description: Everything
      - id: {STRICT}
        name: strict
        description: Everything is held against a schema
        schemas:
          service_instance:
            create: {{ parameters: &strict {{ $schema: "http://json-schema.org/draft-04/schema#", type: object, additionalProperties: false, properties: {{ secret: {{ type: integer }}, other: {{ enum: [a, b] }}, third: {{ pattern: "^x" }} }} }} }}
            update: {{ parameters: *strict }}
          service_binding:
            create: {{ parameters: *strict }}{failing}
"#,
        client = quoted(&heard.mark("the dashboard client")),
        constant = quoted(&heard.mark("a constant")),
        plain = quoted(&heard.mark("the document")),
        uri = heard.core("the userinfo of a URL"),
        drain = heard.core("the userinfo of a drain"),
        file = file.display(),
    )
}

fn failing_plan(at: usize) -> String {
    format!("7d3c2f10-55aa-4b1e-9c70-3c8d5c1df{at:03}")
}

impl Heard {
    fn new_mark(&mut self, place: &str) -> Mark {
        let mark = Mark::new(place);
        self.marks.push(mark.clone());
        mark
    }

    pub fn mark(&mut self, place: &str) -> String {
        self.new_mark(place).text()
    }

    /// For what takes letters and digits alone.
    fn core(&mut self, place: &str) -> String {
        self.new_mark(place).core
    }
}

impl Life {
    fn mark(&mut self, place: &str) -> String {
        self.heard.mark(place)
    }

    fn send(&mut self, to: &str, status: u16, request: &Request) -> Response {
        self.answer(to, status, request, false)
    }

    /// To a request whose answer has secrets in it.
    fn open(&mut self, to: &str, status: u16, request: &Request) -> Response {
        self.answer(to, status, request, true)
    }

    fn answer(&mut self, to: &str, status: u16, request: &Request, open: bool) -> Response {
        let response = self.broker.send_unchecked(request);
        assert_eq!(response.status, status, "{to}: {}", response.text());
        let head = format!(
            "{:?}
",
            response.headers
        );
        self.heard.answers.push(Answer {
            to: to.to_owned(),
            status,
            text: head + &response.text(),
            open,
        });
        response
    }

    fn logins(&mut self) {
        let catalog = authorized("GET", "/v2/catalog");
        self.send("catalog", 200, &catalog);
        let token = format!("Bearer {}", Mark::new("the token").core);
        self.send(
            "catalog by token",
            200,
            &catalog.clone().header("Authorization", &token),
        );
        let wrong = self.mark("a wrong password");
        let wrong = basic("platform", &wrong);
        self.send(
            "a wrong password",
            401,
            &catalog.clone().header("Authorization", &wrong),
        );
        for (scheme, place) in [("Bearer", "a wrong token"), ("Digest", "an unknown scheme")] {
            let header = format!("{scheme} {}", self.heard.core(place));
            self.send(
                place,
                401,
                &catalog.clone().header("Authorization", &header),
            );
        }
        let cookie = self.heard.core("a cookie");
        let query = self.heard.core("a name in a query");
        let other = authorized("GET", &format!("/v2/nowhere?password={query}"));
        self.send("no endpoint", 404, &other.header("Cookie", &cookie));
        let userinfo = self.heard.core("the userinfo of a target");
        let target = format!("http://user:{userinfo}@broker/v2/nowhere");
        let absolute = authorized("GET", &target);
        self.send("a target with userinfo", 404, &absolute);
    }

    fn instance(&mut self) {
        let mail = json!({ "user_id": "u-1", "email": self.mark("the originating user's mail") });
        let identity = format!("cloudfoundry {}", STANDARD.encode(mail.to_string()));
        let mut body = provision(FULL);
        body["parameters"] = json!({ "secret": self.mark("parameters of a provision") });
        body["context"] =
            json!({ "platform": "cloudfoundry", "secret": self.mark("context of a provision") });
        let at = at_instance("i-1");
        let provision =
            authorized("PUT", &at).header("X-Broker-API-Originating-Identity", &identity);
        self.send("provision", 201, &provision.clone().json(&body));
        self.send("provision again", 200, &provision.clone().json(&body));
        body["parameters"] = json!({ "secret": self.mark("parameters of a conflict") });
        self.send("provision of another", 409, &provision.json(&body));
        self.open("fetch", 200, &authorized("GET", &at));
        let update = json!({
            "service_id": SERVICE,
            "parameters": { "more": self.mark("parameters of an update") },
            "context": { "platform": "cloudfoundry", "secret": self.mark("context of an update") },
            "previous_values": { "plan_id": FULL },
        });
        let patch = authorized("PATCH", &at);
        self.send("update", 200, &patch.json(&update));
        let operation = self.heard.core("an operation that is polled");
        let poll = format!("{at}/last_operation?operation={operation}");
        self.send("poll", 200, &authorized("GET", &poll));
    }

    fn binding(&mut self) {
        let at = at_binding("i-1", "b-1");
        let mut body = json!({
            "service_id": SERVICE,
            "plan_id": FULL,
            "parameters": { "secret": self.mark("parameters of a bind") },
            "context": { "platform": "cloudfoundry", "secret": self.mark("context of a bind") },
            "bind_resource": { "app_guid": "app-1", "secret": self.mark("a bind's resource") },
        });
        let bind = authorized("PUT", &at);
        let bound = self.open("bind", 201, &bind.clone().json(&body)).json();
        for (place, key) in [
            ("drawn at bind", "drawn"),
            ("drawn at provision", "instance"),
        ] {
            let text = bound["credentials"][key].as_str().expect("a text");
            assert_eq!(text.len(), 40, "{place}");
            self.heard.marks.push(Mark::drawn(place, text));
        }
        self.open("bind again", 200, &bind.clone().json(&body));
        self.open("fetch of a binding", 200, &authorized("GET", &at));
        body["parameters"] = json!({ "secret": self.mark("parameters of another bind") });
        self.send("bind of another", 409, &bind.json(&body));
        let poll = authorized("GET", &format!("{at}/last_operation"));
        self.send("poll of a binding", 200, &poll);
    }

    fn refusals(&mut self) {
        let at = at_instance("i-2");
        let put = authorized("PUT", &at);
        let cut = format!(
            "{{\"parameters\": {{\"secret\": {}",
            quoted(&self.mark("a body cut off"))
        );
        self.send("a body cut off", 400, &put.clone().body(cut));
        let text = quoted(&self.mark("a body that is a text"));
        self.send("a body that is a text", 400, &put.clone().body(text));
        let wrong = self.mark("fields of a wrong type");
        let fields = [
            "service_id",
            "plan_id",
            "organization_guid",
            "space_guid",
            "context",
            "parameters",
            "maintenance_info",
            "app_guid",
            "bind_resource",
            "predecessor_binding_id",
        ];
        for field in fields {
            let mut values = vec![json!([wrong]), json!({ "version": [wrong] })];
            // A text would be right where an id is asked for, and an id is no secret.
            if OBJECTS.contains(&field) {
                values.push(json!(wrong));
            }
            for value in values {
                let mut body = provision(FULL);
                body[field] = value;
                for (method, path) in [
                    ("PUT", at.clone()),
                    ("PATCH", at.clone()),
                    ("PUT", at_binding("i-2", "b")),
                ] {
                    self.any_refusal(
                        &format!("{method} with a wrong {field}"),
                        &authorized(method, &path).json(&body),
                    );
                }
            }
        }
        let mut body = provision(STRICT);
        let secret = self.mark("parameters that break a schema");
        body["parameters"] = json!({ "secret": secret, "other": secret, "third": secret, "fourth": { "x": secret } });
        self.send(
            "parameters that break a schema",
            400,
            &put.clone().json(&body),
        );
        for (at, (instance, kind)) in FAILING.iter().enumerate() {
            let secret = self.mark(&format!("parameters of a template that fails, {at}"));
            let value = if *kind == "text" {
                json!(secret)
            } else {
                json!({ "inner": secret })
            };
            let mut body = provision(&failing_plan(at));
            body["parameters"] = json!({ "secret": value });
            self.send(instance, 400, &put.clone().json(&body));
        }
    }

    fn any_refusal(&mut self, to: &str, request: &Request) {
        let response = self.broker.send_unchecked(request);
        // Fields that belong to another request are ignored.
        if response.status >= 300 {
            self.heard.answers.push(Answer {
                to: to.to_owned(),
                status: response.status,
                text: response.text(),
                open: false,
            });
        } else {
            let gone = format!("{}?service_id={SERVICE}&plan_id={FULL}", at_instance("i-2"));
            self.broker.send_unchecked(&authorized("DELETE", &gone));
        }
    }

    /// A store that holds what cannot be read, and lacks a table.
    fn store(&mut self) {
        let path = self.broker.folder.path().join("data/broker.db");
        let store = rusqlite::Connection::open(path).expect("the store");
        let secret = self.mark("a row that cannot be read");
        let details = [
            b"\0{\"parameters\": ".to_vec(),
            quoted(&secret).into_bytes(),
        ]
        .concat();
        let spoilt = store.execute("UPDATE instances SET details = ?1", [details]);
        assert_eq!(spoilt.expect("an update"), 1);
        let at = at_instance("i-1");
        self.send("fetch of what cannot be read", 503, &authorized("GET", &at));
        store
            .execute_batch("PRAGMA foreign_keys = off; DROP TABLE bindings; DROP TABLE instances;")
            .expect("no table");
        let mut body = provision(FULL);
        body["parameters"] = json!({ "secret": self.mark("parameters that cannot be stored") });
        let put = authorized("PUT", &at_instance("i-3"));
        self.send("provision without a table", 503, &put.json(&body));
    }
}

fn provision(plan: &str) -> Value {
    json!({
        "service_id": SERVICE,
        "plan_id": plan,
        "organization_guid": "org-1",
        "space_guid": "space-1",
    })
}

fn authorized(method: &str, path: &str) -> Request {
    let password = Mark::new("the password").text();
    Request::new(method, path)
        .header("Authorization", &basic("platform", &password))
        .header("X-Broker-API-Version", "2.17")
}
