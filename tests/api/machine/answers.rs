//! An answer held against what was expected; and answers with something wrong, to see that it is found.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::model::{Expected, HOLE, HOLE_LENGTH};
use crate::http::Response;

/// Whether it is as expected; what came out of chance in it, by name.
pub fn accept(expected: &Expected, response: &Response) -> Result<HashMap<String, String>, String> {
    if response.status != expected.status {
        return Err(format!(
            "{} where {} was expected",
            response.status, expected.status
        ));
    }
    let body = response.json();
    let mut random = HashMap::new();
    if expected.word.is_empty() {
        same(&expected.body, &body, "", &mut random)?;
        return Ok(random);
    }
    let keys: Vec<&String> = body
        .as_object()
        .into_iter()
        .flat_map(|body| body.keys())
        .collect();
    if keys.len() != 2 || !body["description"].is_string() {
        return Err("a refusal is `error` and `description`".to_owned());
    }
    if body["error"] != expected.word {
        return Err(format!(
            "{} where {} was expected",
            body["error"], expected.word
        ));
    }
    Ok(random)
}

fn same(
    expected: &Value,
    answered: &Value,
    path: &str,
    random: &mut HashMap<String, String>,
) -> Result<(), String> {
    match (expected, answered) {
        (Value::String(expected), Value::String(answered)) if expected.contains(HOLE) => {
            filled(expected, answered, random).ok_or_else(|| format!("{path} is not as expected"))
        }
        (Value::Object(expected), Value::Object(answered)) => {
            for key in answered.keys() {
                if !expected.contains_key(key) {
                    return Err(format!("{path}.{key} was not expected"));
                }
            }
            expected.iter().try_for_each(|(key, value)| {
                let path = format!("{path}.{key}");
                let answered = answered.get(key).ok_or(format!("{path} is missing"))?;
                same(value, answered, &path, random)
            })
        }
        _ if expected == answered => Ok(()),
        _ => Err(format!(
            "{path} is {answered} where {expected} was expected"
        )),
    }
}

/// `PREFIX HOLE name` against `PREFIX` and as many letters and digits as a hole has.
fn filled(expected: &str, answered: &str, random: &mut HashMap<String, String>) -> Option<()> {
    let (prefix, name) = expected.split_once(HOLE)?;
    let text = answered.strip_prefix(prefix)?;
    let fits = text.len() == HOLE_LENGTH && text.chars().all(|char| char.is_ascii_alphanumeric());
    if !fits || random.values().any(|other| other == text) {
        return None;
    }
    random.insert(name.to_owned(), text.to_owned());
    Some(())
}

pub const WAYS: [&str; 7] = [
    "another status",
    "another word",
    "no body",
    "a missing key",
    "one key more",
    "a shorter text",
    "another text",
];

/// The answer with one thing changed, in every way that can be seen.
pub fn tampered(response: &Response) -> Vec<(&'static str, Response)> {
    let body = response.json();
    let mut all = Vec::new();
    let with = |body: &Value| Response {
        body: body.to_string().into_bytes(),
        ..response.clone()
    };
    for status in [200, 201, 202, 400, 404, 409, 410, 422, 500] {
        if status != response.status {
            let other = Response {
                status,
                ..response.clone()
            };
            all.push(("another status", other));
        }
    }
    if body.get("error").is_some() {
        let mut other = body.clone();
        other["error"] = "SomethingElse".into();
        all.push(("another word", with(&other)));
    }
    all.push(("no body", with(&json!(null))));
    for pointer in keys(&body, "") {
        all.push(("a missing key", with(&without(&body, &pointer))));
    }
    let mut more = body.clone();
    more["surplus"] = true.into();
    all.push(("one key more", with(&more)));
    for pointer in keys(&body, "").filter(|pointer| pointer != "/description") {
        let Some(Value::String(text)) = body.pointer(&pointer) else {
            continue;
        };
        let mut put = |how, text: String| {
            let mut other = body.clone();
            *other.pointer_mut(&pointer).expect("it is there") = text.into();
            all.push((how, with(&other)));
        };
        put("a shorter text", text[..text.len() - 1].to_owned());
        // What is random and shown for the first time could be anything: later it could not.
        if response.status == 200 {
            let last = if text.ends_with('x') { 'y' } else { 'x' };
            put("another text", format!("{}{last}", &text[..text.len() - 1]));
        }
    }
    all
}

/// Pointers to all values inside objects.
fn keys(value: &Value, at: &str) -> impl Iterator<Item = String> {
    let mut all = Vec::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        let pointer = format!("{at}/{key}");
        all.extend(keys(value, &pointer).collect::<Vec<_>>());
        all.push(pointer);
    }
    all.into_iter()
}

fn without(body: &Value, pointer: &str) -> Value {
    let mut other = body.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = other.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.expect("an object").remove(key);
    other
}
