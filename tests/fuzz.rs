//! Good catalogs with mistakes at random: a load never panics and never hangs, has findings or a catalog, and what it
//! accepts is published as platforms accept it.
//!
//! There are eight times as many as `PROPTEST_CASES` says (2,048 if it says nothing); `tests/long.sh` runs many more.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

#[path = "api/checker.rs"]
mod checker;
#[path = "api/http.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests over HTTP, which use all of it"
)]
mod http;

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use catalog_broker::catalog::{Loaded, Memory, load_texts};
use catalog_broker::document::Environment;
use catalog_broker::http::wire;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;

/// What is done to a document, at a place that is taken modulo its length.
#[derive(Clone, Debug)]
enum Mistake {
    DropLine(usize),
    RepeatLine(usize),
    SwapLines(usize, usize),
    Indent(usize, usize),
    /// A value of a `key: value` line becomes this.
    Value(usize, &'static str),
    /// A key becomes this.
    Key(usize, &'static str),
    /// Signs somewhere in the text.
    Insert(usize, &'static str),
    Bytes(usize, Vec<u8>),
    Cut(usize),
}

const WORDS: &[&str] = &[
    "",
    "~",
    "null",
    "true",
    "no",
    "0",
    "-1",
    "1e999",
    "0x10",
    "2.10",
    "[]",
    "{}",
    "[[]]",
    "{a: {b: c}}",
    "\"\"",
    "' '",
    "\"\\u0000\"",
    "*x",
    "&x y",
    "!!binary x",
    "|",
    ">-",
    "# x",
    "${}",
    "${NOPE}",
    "${PRESENT}",
    "${JSON}",
    "\"${json:JSON}\"",
    "\"${json:JSON#/a}\"",
    "\"${file:/nowhere}\"",
    "\"${a:b:c|d#e:-f}\"",
    "\"{{ }}\"",
    "\"{{ instance.id }}\"",
    "\"{{ instance.parameters.x.y }}\"",
    "\"{{ 1 / 0 }}\"",
    "\"{{ now() }}\"",
    "\"{{ random_password(8) }}\"",
    "\"{{ 'x' * 1000000000 }}\"",
    "\"{{\"",
    "\"}}\"",
    "<<: *x",
    "? x",
    "--- x",
    "6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10",
    "http://example.com",
    "https://example.com",
    "9.9.9",
    "\u{feff}",
    "\t",
    "[syslog_drain, route_forwarding, volume_mount]",
    "{ $schema: \"http://json-schema.org/draft-04/schema#\" }",
    "{ $ref: \"http://example.com/x\" }",
    "{ version: 1.0.0 }",
];

const KEYS: &[&str] = &[
    "id",
    "name",
    "description",
    "services",
    "plans",
    "bindable",
    "free",
    "tags",
    "requires",
    "metadata",
    "dashboard_client",
    "schemas",
    "maintenance_info",
    "values",
    "instance",
    "binding",
    "credentials",
    "backend",
    "offered",
    "accept",
    "extensions",
    "service_defaults",
    "plan_defaults",
    "minimum_api_version",
    "<<",
    "x-y",
    "",
    "syslog_drain_url",
    "volume_mounts",
    "endpoints",
    "maximum_polling_duration",
    "plan_updateable",
    "namee",
];

const SIGNS: &[&str] = &[
    "\n",
    ":",
    ": ",
    "- ",
    "#",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    "{{",
    "}}",
    "${",
    "}",
    "&a ",
    "*a",
    "\\",
    "\t",
    "é",
    "\u{0}",
    "\u{2028}",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "  ",
    ",",
    "|\n",
    "!!str ",
];

fn mistake() -> impl Strategy<Value = Mistake> {
    let word = || prop::sample::select(WORDS);
    let at = || any::<usize>();
    prop_oneof![
        1 => at().prop_map(Mistake::DropLine),
        1 => at().prop_map(Mistake::RepeatLine),
        1 => (at(), at()).prop_map(|(one, other)| Mistake::SwapLines(one, other)),
        1 => (at(), 0..9_usize).prop_map(|(line, by)| Mistake::Indent(line, by)),
        4 => (at(), word()).prop_map(|(line, word)| Mistake::Value(line, word)),
        2 => (at(), prop::sample::select(KEYS)).prop_map(|(line, key)| Mistake::Key(line, key)),
        2 => (at(), prop::sample::select(SIGNS)).prop_map(|(at, signs)| Mistake::Insert(at, signs)),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..4)).prop_map(|(at, bytes)| Mistake::Bytes(at, bytes)),
        1 => at().prop_map(Mistake::Cut),
    ]
}

impl Mistake {
    fn make(&self, text: &mut Vec<u8>) {
        let end = text.len() + 1;
        match self {
            Self::Insert(at, signs) => splice(text, at % end, signs.as_bytes()),
            Self::Bytes(at, bytes) => splice(text, at % end, bytes),
            Self::Cut(at) => text.truncate(at % end),
            _ => {
                let whole = String::from_utf8_lossy(text).into_owned();
                let mut lines: Vec<String> = whole.split('\n').map(str::to_owned).collect();
                self.make_in(&mut lines);
                *text = lines.join("\n").into_bytes();
            }
        }
    }

    fn make_in(&self, lines: &mut Vec<String>) {
        let count = lines.len();
        match self {
            Self::DropLine(at) => drop(lines.remove(at % count)),
            Self::RepeatLine(at) => lines.insert(at % count, lines[at % count].clone()),
            Self::SwapLines(one, other) => lines.swap(one % count, other % count),
            Self::Indent(at, by) => {
                let line = &mut lines[at % count];
                *line = format!("{}{}", " ".repeat(*by), line.trim_start());
            }
            Self::Value(at, word) => {
                let line = &mut lines[at % count];
                if let Some((key, _)) = line.split_once(':') {
                    *line = format!("{key}: {word}");
                }
            }
            Self::Key(at, key) => {
                let line = &mut lines[at % count];
                if let Some((before, value)) = line.clone().split_once(':') {
                    let start = before.len() - before.trim_start_matches([' ', '-']).len();
                    *line = format!("{}{key}:{value}", &before[..start]);
                }
            }
            Self::Insert(..) | Self::Bytes(..) | Self::Cut(_) => {}
        }
    }
}

fn splice(text: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    text.splice(at..at, bytes.iter().copied());
}

/// The catalogs that are shipped, one text each.
fn good() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = vec![fs::read_to_string(root.join("catalog.yaml")).expect("the shipped one")];
    for entry in fs::read_dir(root.join("config/examples")).expect("the examples") {
        let path = entry.expect("an entry").path();
        let file = if path.is_dir() {
            path.join("catalog.yaml")
        } else {
            path
        };
        if file
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            texts.extend(fs::read_to_string(&file));
        }
    }
    assert!(texts.len() > 3, "there are examples");
    texts
}

fn load(text: &[u8]) -> Loaded {
    let environment = Environment::new([("PRESENT", "here"), ("JSON", "{\"a\": [1, null]}")]);
    let vars: Vec<(&str, Vec<u8>)> = Vec::new();
    load_texts(
        vec![("catalog.yaml", text)],
        &environment,
        vars,
        Memory::Remembers,
    )
}

/// The published catalog, held against what platforms accept.
fn published(loaded: &Loaded) -> Option<Result<Value, String>> {
    let catalog = wire::answer::catalog(loaded.catalog.as_ref()?);
    Some(acceptable(&catalog).map(|()| catalog))
}

fn acceptable(catalog: &Value) -> Result<(), String> {
    let request = http::Request::new("GET", "/v2/catalog");
    let response = http::Response {
        status: 200,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: catalog.to_string().into_bytes(),
    };
    checker::check(&request, &response, &[])
}

#[test]
fn a_catalog_with_mistakes_is_refused_or_published_as_platforms_take_it() {
    let good = good();
    let (accepted, refused, slowest) = (Cell::new(0), Cell::new(0), Cell::new(Duration::ZERO));
    let config = Config {
        failure_persistence: None,
        cases: Config::default().cases * 8,
        ..Config::default()
    };
    let cases = (0..good.len(), prop::collection::vec(mistake(), 1..4));
    let outcome = TestRunner::new(config).run(&cases, |(which, mistakes)| {
        let mut text = good[which].clone().into_bytes();
        for mistake in &mistakes {
            mistake.make(&mut text);
        }
        let began = Instant::now();
        let loaded = load(&text);
        slowest.set(slowest.get().max(began.elapsed()));
        let told = String::from_utf8_lossy(&text).into_owned();
        prop_assert_eq!(
            loaded.catalog.is_none(),
            loaded.findings.has_errors(),
            "{}",
            told
        );
        match published(&loaded) {
            None => refused.set(refused.get() + 1),
            Some(Ok(_)) => accepted.set(accepted.get() + 1),
            Some(Err(why)) => return Err(TestCaseError::fail(format!("{why}\n{told}"))),
        }
        Ok(())
    });
    if let Err(why) = outcome {
        panic!("{why}");
    }
    println!(
        "{} accepted, {} refused, the slowest in {:?}",
        accepted.get(),
        refused.get(),
        slowest.get()
    );
    assert!(accepted.get() > 20 && refused.get() > 20, "both are seen");
    assert!(
        slowest.get() < Duration::from_secs(5),
        "{:?}",
        slowest.get()
    );
}

/// The counter-proof: a published catalog with something wrong is found.
#[test]
fn what_platforms_refuse_is_found() {
    let good = good();
    let catalog = published(&load(good[0].as_bytes())).expect("the shipped one is accepted");
    let catalog = catalog.expect("and published well");
    for (pointer, value) in [
        ("/services", serde_json::json!([])),
        ("/services/0/id", serde_json::json!(" ")),
        ("/services/0/bindable", serde_json::json!("yes")),
        ("/services/0/plans", serde_json::json!([])),
        ("/services/0/plans/0/name", serde_json::json!(7)),
        ("/services/0/plans/0/free", serde_json::json!("no")),
    ] {
        let mut spoilt = catalog.clone();
        *spoilt.pointer_mut(pointer).expect(pointer) = value;
        assert!(acceptable(&spoilt).is_err(), "{pointer}");
    }
    let mut private = catalog.clone();
    private["services"][0]["plans"][0]["binding"] = serde_json::json!({ "credentials": {} });
    assert!(acceptable(&private).is_err(), "a private key");
}
