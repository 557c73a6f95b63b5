//! What the command line says of a document and of settings, with mistakes in them and without: never a secret.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Folder, Setup};

use super::life::{Heard, setup};
use super::marks::{Mark, found};

/// The marked secret in the tables below.
const SECRET: &str = "SECRET";

/// Mistakes that an operator makes with a password in hand, as keys of a plan.
const DOCUMENTS: &[&str] = &[
    "binding: { credentials: SECRET }",
    "binding: { credentials: { a: 1 }, syslog_drain_url: [SECRET] }",
    "binding: { credentials: { password: {{ SECRET }} } }",
    "binding: { credentials: { password: \"SECRET } }",
    "binding: { credentials: { password: SECRET",
    "binding: { credentials: { password: SECRET, password: SECRET } }",
    "binding:\n        \tcredentials: { password: SECRET }",
    "binding:\n          credentials:\n            user: me\n           password: SECRET",
    "binding: { credentials: { a: 1 } }\n          password: SECRET: SECRET",
    "binding: { credentials: { password: *SECRET } }",
    "binding: { credentials: { password: !SECRET } }",
    "binding: { credentials: { password: @SECRET } }",
    "binding: { credentials: { password: %SECRET } }",
    "binding: { credentials: { password: `SECRET } }",
    "binding:\n          credentials:\n            password: |SECRET",
    "binding:\n          credentials:\n            password: >SECRET",
    "binding: { credentials: { password: \"\\SECRET\" } }",
    "binding: { credentials: { password: 'pa${SECRET' } }",
    "binding: { credentials: { password: 'pa${ SECRET }' } }",
    "binding: { credentials: { password: 'pa{{SECRET' } }",
    "binding: { credentials: { password: \"{{ 'SECRET }}\" } }",
    "binding: { credentials: { password: \"{{ 'SECRET' ~ instance.context.nope }}\" } }",
    "binding: { volume_mounts: [{ driver: [SECRET], mode: SECRET, device: SECRET }] }",
    "binding: { endpoints: [{ host: [SECRET], ports: SECRET, protocol: SECRET }] }",
    "binding: { route_service_url: 'http://user:SECRET@example.com' }",
    "binding: { metadata: { expires_at: SECRET } }",
    "binding: { requires: [SECRET] }",
    "binding: { ttl: SECRET }",
    "bindings: { credentials: { password: SECRET } }",
    "values: SECRET",
    "values: [SECRET]",
    "values: { password: \"{{ 'SECRET' }}\" }",
    "backend: SECRET",
    "instance: { dashboard_url: [SECRET] }",
    "instance: { values: \"{{ 'SECRET' }}\" }",
    "instance: { password: SECRET }",
];

/// The same with the secret as a text in a template that cannot be read.
const TEMPLATES: &[&str] = &[
    "binding: { credentials: { password: \"{{ 'SECRET' ~ nope }}\" } }",
    "binding: { credentials: { password: \"{{ 'SECRET' | nope }}\" } }",
    "binding: { credentials: { password: \"{{ 'SECRET' | int }}\" } }",
];

/// The same with the secret in a variable: what the plan says, the variable, its text.
const VARIABLES: &[(&str, &str, &str)] = &[
    ("values: { x: '${json:V}' }", "V", "{\"a\": SECRET"),
    ("values: { x: '${json:V#/b}' }", "V", "{\"a\": \"SECRET\"}"),
    (
        "values: { x: '${json:V#/a/b}' }",
        "V",
        "{\"a\": \"SECRET\"}",
    ),
    (
        "values: { x: 'text ${json:V}' }",
        "V",
        "{\"a\": \"SECRET\"}",
    ),
    ("bindable: '${V}'", "V", "SECRET"),
    ("maximum_polling_duration: '${json:V}'", "V", "\"SECRET\""),
    ("binding: { credentials: '${json:V}' }", "V", "[\"SECRET\"]"),
    (
        "values: { x: '${vcap:db#/password}' }",
        "VCAP_SERVICES",
        "{\"a\": SECRET",
    ),
    (
        "values: { x: '${vcap:db#/credentials/nope}' }",
        "VCAP_SERVICES",
        "{\"up\": [{\"name\": \"db\", \"credentials\": {\"password\": \"SECRET\"}}]}",
    ),
    (
        "values: { x: 1 }",
        "BROKER_SERVICES__S__PLANS__NOPE__BINDING__CREDENTIALS__A",
        "SECRET",
    ),
    ("values: { x: 1 }", "BROKER_SERVICES__S__NOPE", "SECRET"),
    ("values: { x: 1 }", "BROKER_SERVICES__S__BINDABLE", "SECRET"),
    (
        "values: { x: 1 }",
        "BROKER_SERVICES__S__PLANS__P__FREE",
        "[SECRET",
    ),
    (
        "binding: { credentials: { a: 1 } }",
        "BROKER_SERVICES__S__PLANS__P__BINDING__CREDENTIALS",
        "{a: SECRET",
    ),
    (
        "binding: { credentials: { a: 1 } }",
        "BROKER_SERVICES__S__PLANS__P__BINDING__CREDENTIALS",
        "SECRET",
    ),
    (
        "binding: { credentials: { a: 1 } }",
        "BROKER_SERVICES__S__PLANS__P__BINDING__CREDENTIALS__A",
        "{SECRET",
    ),
];

/// Settings: a secret where it does not belong, or said in a wrong way.
const SETTINGS: &[(&str, &str)] = &[
    ("PORT", "SECRET"),
    ("BROKER_SERVER__PORT", "SECRET"),
    ("BROKER_SERVER__WORKERS", "SECRET"),
    ("BROKER_SERVER__ADDRESS", "SECRET"),
    ("BROKER_SERVER__BODY_LIMIT", "SECRET"),
    ("BROKER_SERVER__REQUEST_TIMEOUT", "SECRET"),
    ("BROKER_SERVER__TRUSTED_PROXIES", "SECRET"),
    ("BROKER_LOG__FORMAT", "SECRET"),
    ("BROKER_AUTH__PASWORD", "SECRET"),
    ("BROKER_AUTH__USERNAME", "user:SECRET"),
    ("BROKER_AUTH__LOGINS__X__PASSWORD", "SECRET"),
    ("BROKER_AUTH__LOGINS__X__TOKEN", "SECRET\n SECRET"),
    ("BROKER_AUTH__LOGINS__X__TOKN", "SECRET"),
    ("BROKER_AUTH__PASSWORD_FILE", "/nowhere"),
    (
        "DATABASE_URL",
        "postgres://app:SECRET@db.example.com/app?sslmode=SECRET",
    ),
    ("DATABASE_URL", "SECRET"),
    ("BROKER_STORE__URL", "mysql://app:SECRET@db.example.com/app"),
    ("BROKER_STORE__KEYS", "SECRET"),
];

const FILES: &[&str] = &[
    "SECRET",
    "auth: SECRET",
    "auth: { logins: { x: { username: x, password: [SECRET] } } }",
    "auth: { paswrod: SECRET }",
    "auth: { password: \"SECRET }",
    "auth: { password: *SECRET }",
    "auth: { password: !SECRET }",
    "auth: { password: @SECRET }",
    "auth: { password: {{ SECRET }} }",
    "auth: { logins: { x: { username: x, password: 'pa${SECRET' } } }",
    "auth: { logins: { x: { username: x, password: 'pa${ SECRET }' } } }",
    "auth: { password: SECRET, password: SECRET }",
    "auth: { logins: { x: { password: SECRET } } }",
    "auth: { logins: { x: { token: [SECRET] } } }",
    "store: { url: 'postgres://app:SECRET@db.example.com/app?sslmode=SECRET' }",
    "store: { keys: [SECRET] }",
    "server: { body_limit: SECRET }",
];

fn document(plan: &str) -> String {
    format!(
        "services:\n  - id: 7d3c2f10-55aa-4b1e-9c70-3c8d5c1de001\n    name: s\n    description: A service\n    \
         bindable: true\n    plans:\n      - id: 7d3c2f10-55aa-4b1e-9c70-3c8d5c1de002\n        name: p\n        \
         description: A plan\n        {plan}\n"
    )
}

/// What it printed on its way to a failure; nothing where it did not fail, or went on.
fn failing(setup: &Setup, folder: &Folder) -> Option<String> {
    let mut command = setup.command(folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let until = Instant::now() + Duration::from_secs(5);
    while child.try_wait().expect("its status").is_none() {
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().expect("its output");
    let printed = [output.stdout, output.stderr].concat();
    (!output.status.success()).then(|| String::from_utf8_lossy(&printed).into_owned())
}

/// Runs what must fail, and says what was printed of the secret.
struct Mistakes {
    mark: Mark,
    tried: usize,
    told: Vec<String>,
    accepted: Vec<String>,
}

impl Mistakes {
    fn new(place: &str) -> Self {
        Self {
            mark: Mark::new(place),
            tried: 0,
            told: Vec::new(),
            accepted: Vec::new(),
        }
    }

    fn with(&self, text: &str) -> String {
        text.replace(SECRET, &self.mark.core)
    }

    fn must_fail(&mut self, what: &str, setup: &Setup, folder: &Folder) {
        self.tried += 1;
        let printed = failing(setup, folder);
        let Some(printed) = printed else {
            self.accepted.push(what.to_owned());
            return;
        };
        assert!(printed.len() > 40, "{what}: it says what is wrong");
        if self.mark.is_in(&printed) {
            self.told.push(format!("{what}\n{printed}"));
        }
    }

    fn none_told(&self) {
        assert!(self.tried > 0);
        assert_eq!(self.accepted, Vec::<String>::new(), "these are no mistakes");
        assert!(self.told.is_empty(), "{}", self.told.join("\n"));
    }
}

/// Holds that none of the commands tells a secret of these.
fn no_command_tells(plans: &[&str]) {
    let mut mistakes = Mistakes::new("a mistake in the document");
    for plan in plans {
        let document = mistakes.with(&document(plan));
        for arguments in [
            &["serve"][..],
            &["check"],
            &["check", "--format=sarif"],
            &["render", "--explain"],
        ] {
            let folder = Folder::new();
            folder.write("catalog.yaml", &document);
            let setup = arguments
                .iter()
                .fold(Setup::new(""), |setup, argument| setup.arg(argument));
            mistakes.must_fail(&format!("{arguments:?} {plan}"), &setup, &folder);
        }
    }
    mistakes.none_told();
}

#[test]
fn findings_tell_no_secret() {
    no_command_tells(DOCUMENTS);
}

#[test]
fn findings_tell_no_text_of_a_template() {
    no_command_tells(TEMPLATES);
}

#[test]
fn findings_tell_no_secret_of_a_variable() {
    let mut mistakes = Mistakes::new("a mistake in a variable");
    for (plan, variable, text) in VARIABLES {
        let folder = Folder::new();
        folder.write("catalog.yaml", &document(plan));
        for command in ["serve", "check"] {
            let setup = Setup::new("")
                .arg(command)
                .env(variable, &mistakes.with(text));
            mistakes.must_fail(
                &format!("{command} {plan} {variable}={text}"),
                &setup,
                &folder,
            );
        }
    }
    mistakes.none_told();
}

#[test]
fn errors_of_settings_tell_no_secret() {
    let mut mistakes = Mistakes::new("a mistake in the settings");
    let folder = Folder::new();
    folder.write("catalog.yaml", &document("free: true"));
    for (variable, text) in SETTINGS {
        let setup = Setup::new("").env(variable, &mistakes.with(text));
        mistakes.must_fail(&format!("{variable}={text}"), &setup, &folder);
    }
    for file in FILES {
        folder.write("config/broker.yaml", &mistakes.with(file));
        mistakes.must_fail(file, &Setup::new(""), &folder);
    }
    mistakes.none_told();
}

#[test]
fn what_the_commands_print_has_no_secret() {
    let mut heard = Heard::default();
    let (setup, folder) = setup(&mut heard);
    let given = format!(
        "--parameters={}",
        serde_json::json!({ "secret": heard.mark("parameters of a preview") })
    );
    let preview = ["render", "--plan=secretive/full", "--bind", &given];
    for (arguments, public) in [
        (&["check"][..], None),
        (&["check", "--format=json"], None),
        (&["check", "--format=sarif"], None),
        (&["check", "--format=github"], None),
        (&preview, None),
        (&["render", "--explain"], None),
        (&["render"], Some("the dashboard client")),
    ] {
        let setup = arguments
            .iter()
            .fold(setup.clone(), |setup, argument| setup.arg(argument));
        let (_, output, errors) = setup.run_in(&folder);
        let printed = output + &errors;
        let there = found(&heard.marks, &printed);
        assert!(printed.len() > 20, "{arguments:?} says something");
        assert_eq!(there, Vec::from_iter(public), "{arguments:?}: {printed}");
    }
    // The counter-proof: asked to, it shows them.
    let setup = preview
        .iter()
        .fold(setup, |setup, argument| setup.arg(argument));
    let (status, output, errors) = setup.arg("--reveal").run_in(&folder);
    assert!(status.success(), "{errors}");
    assert!(found(&heard.marks, &output).len() >= 9, "{output}");
}
