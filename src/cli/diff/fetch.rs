//! `GET /v2/catalog` of a running broker.

use serde_json::Value;
use ureq::http::Method;

use super::Arguments;
use crate::cli::remote::Target;

/// The catalog that the broker at `url` publishes.
pub(super) fn catalog(url: &str, arguments: &Arguments) -> Result<Value, String> {
    const PATH: &str = "/v2/catalog";
    let target = Target::read(url)?;
    let wrong = |why: String| format!("{}: {why}", target.url(PATH));
    let login = target.login(&arguments.entry)?;
    let answer = target
        .ask(Method::GET, PATH, login.as_ref(), &arguments.entry)
        .map_err(wrong)?;
    if answer.status != 200 {
        return Err(wrong(refusal(answer.status)));
    }
    let catalog = answer
        .body
        .ok_or_else(|| wrong("the answer is not JSON".to_owned()))?;
    if catalog.get("services").is_some_and(Value::is_array) {
        Ok(catalog)
    } else {
        Err(wrong(
            "the answer is no catalog: it has no list of `services`".to_owned(),
        ))
    }
}

fn refusal(status: u16) -> String {
    match status {
        401 | 403 => {
            format!("the broker refuses the login ({status}): give --username and --password-file")
        }
        404 => "there is no /v2/catalog (404): give the URL that the broker is registered with"
            .to_owned(),
        300..=399 => {
            format!("the broker sends elsewhere ({status}): give the URL that it sends to")
        }
        412 => "the broker does not speak version 2.17 of the API (412)".to_owned(),
        _ => format!("the broker answers {status}"),
    }
}
