//! `POST /admin/reload` of a running broker, and its answer for people.

use std::fmt::Write as _;

use serde_json::Value;
use ureq::http::Method;

use crate::catalog;
use crate::cli::output::{complain, plain, print};
use crate::cli::remote::{Answer, Entry, Target, basic};
use crate::cli::{Exit, failed};
use crate::secret::Secret;
use crate::settings::{self, Flags, LoginKind, LoginRole};

const PATH: &str = "/admin/reload";

/// What the broker calls a catalog that would break what lives.
const BREAKS: &str = "CatalogBreaks";

pub(super) fn run(flags: &Flags, url: &str, entry: &Entry) -> Exit {
    let target = match Target::read(url) {
        Ok(target) => target,
        Err(why) => return failed(why),
    };
    let wrong = |why: String| failed(format_args!("{}: {why}", target.url(PATH)));
    let login = match target.login(entry) {
        Ok(Some(login)) => login,
        Ok(None) => match of_settings(flags) {
            Ok(login) => login,
            Err(why) => return wrong(why),
        },
        Err(why) => return failed(why),
    };
    match target.ask(Method::POST, PATH, Some(&login), entry) {
        Ok(answer) => match told(&answer) {
            Told::Done(text) => print(&text, Exit::Clean),
            Told::Refused(text, exit) => {
                complain(text.trim_end());
                exit
            }
            Told::Failed(why) => wrong(why),
        },
        Err(why) => wrong(why),
    }
}

/// The login of the settings that an operator has.
fn of_settings(flags: &Flags) -> Result<Secret, String> {
    const GIVE: &str = "give --username and --password-file of a login with the role operator";
    let loaded = settings::environment()
        .and_then(|environment| settings::load(flags, &environment, catalog::is_document_variable));
    // What is wrong with them here is nothing that the broker must have, too.
    let loaded = loaded.map_err(|_| format!("the settings here name no login: {GIVE}"))?;
    let logins = loaded.settings.logins.iter();
    let mut operators = logins
        .filter(|login| login.roles.contains(&LoginRole::Operator) && login.offerings.is_none());
    let header = operators.find_map(|login| match &login.kind {
        LoginKind::Basic { username, password } => Some(basic(username, password)),
        LoginKind::Bearer { token } => Some(Secret::new(format!("Bearer {}", token.expose()))),
        LoginKind::Hashed { .. } | LoginKind::Certificate { .. } => None,
    });
    header.ok_or_else(|| {
        format!("the settings here have no login with the role operator whose password or token is known: {GIVE}")
    })
}

/// What an answer says.
enum Told {
    Done(String),
    Refused(String, Exit),
    Failed(String),
}

fn told(answer: &Answer) -> Told {
    let nothing = Value::Null;
    let body = answer.body.as_ref().unwrap_or(&nothing);
    let text = |key: &str| lines(body[key].as_str().unwrap_or_default());
    match answer.status {
        200 if body["result"].is_string() => Told::Done(done(body)),
        409 if body["error"] == BREAKS => Told::Refused(text("description"), Exit::Breaks),
        422 if body["findings"].is_array() => {
            Told::Refused(findings(body) + &text("description"), Exit::Findings)
        }
        401 => Told::Failed(
            "the broker refuses the login (401): give --username and --password-file".to_owned(),
        ),
        404 => Told::Failed(
            "there is no /admin/reload (404): give the URL that the broker is registered with, of a version that has it"
                .to_owned(),
        ),
        300..=399 => Told::Failed(format!(
            "the broker sends elsewhere ({}): give the URL that it sends to",
            answer.status
        )),
        status if body["description"].is_string() => {
            Told::Failed(format!("the broker answers {status}: {}", text("description")))
        }
        status => Told::Failed(format!("the broker answers {status}")),
    }
}

/// A text of several lines.
fn lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// What is served now, and what there is to say of it.
fn done(body: &Value) -> String {
    let mut text = findings(body);
    let list = |key: &str| body[key].as_array().into_iter().flatten();
    for change in list("changes").filter_map(Value::as_str) {
        let _ = writeln!(text, "{}", plain(change));
    }
    if body["logins"] == "changed" {
        text.push_str("the logins have changed\n");
    }
    for section in list("needs_restart").filter_map(Value::as_str) {
        let _ = writeln!(
            text,
            "the settings below `{}` have changed: they count from the next start on",
            plain(section)
        );
    }
    let what = match body["result"].as_str() {
        Some("unchanged") => "nothing has changed",
        _ => "reloaded",
    };
    let _ = writeln!(
        text,
        "{what}: {} offerings, {} plans",
        body["offerings"], body["plans"]
    );
    text
}

/// Findings as `check` writes them.
fn findings(body: &Value) -> String {
    let mut text = String::new();
    for finding in body["findings"].as_array().into_iter().flatten() {
        let of_it = |key: &str| plain(finding[key].as_str().unwrap_or_default());
        if finding["file"].is_string() {
            let _ = write!(
                text,
                "{}:{}:{}: ",
                of_it("file"),
                finding["line"],
                finding["column"]
            );
        }
        let path = of_it("path");
        let path = if path.is_empty() { path } else { path + ": " };
        let _ = writeln!(
            text,
            "{}: {path}{} [{}]\n    mend: {}",
            of_it("severity"),
            of_it("message"),
            of_it("rule"),
            of_it("mend")
        );
    }
    text
}
