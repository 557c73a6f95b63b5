//! From the start to the first answer, with a small and with a large catalog; `check`; the size of the program.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Instant;

use crate::broker::{self, CATALOG, Folder, request};
use crate::http;
use crate::load::guid;
use crate::report::{at_most, median, note};

pub fn run() {
    at_most(
        "start to first answer",
        median((0..15).map(|_| first_answer(CATALOG)).collect()),
        50.0,
        Some(10.0),
        " ms",
    );
    let large = large(10_000);
    let started = median((0..5).map(|_| first_answer(&large)).collect()) / 1e3;
    at_most(
        "start to first answer, 10,000 plans",
        started,
        1.0,
        Some(0.15),
        " s",
    );
    note(
        "the catalog of 10,000 plans",
        &format!("{:.1} MB", large.len() as f64 / 1e6),
    );
    at_most(
        "check, 10,000 plans",
        median((0..5).map(|_| check(&large)).collect()),
        1.0,
        None,
        " s",
    );
    let bytes = std::fs::metadata(broker::program())
        .expect("the program")
        .len();
    at_most(
        "size of the program",
        bytes as f64 / 1024.0 / 1024.0,
        30.0,
        None,
        " MiB",
    );
}

/// In milliseconds.
fn first_answer(catalog: &str) -> f64 {
    let folder = Folder::with(catalog);
    let began = Instant::now();
    let (_process, address) = broker::start(&folder, "off");
    let answer = http::send(address, &request("GET", "/v2/catalog")).expect("an answer");
    assert_eq!(answer.status, 200);
    began.elapsed().as_secs_f64() * 1e3
}

/// In seconds.
fn check(catalog: &str) -> f64 {
    let folder = Folder::with(catalog);
    let mut command = broker::command(&folder, "off");
    command
        .arg("check")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status().expect("it runs");
    assert_eq!(status.code(), Some(0), "a good catalog checks clean");
    began.elapsed().as_secs_f64()
}

/// About 500 bytes a plan.
fn large(plans: u64) -> String {
    let mut text = "minimum_api_version: \"2.10\"\nservices:\n".to_owned();
    for number in 0..plans {
        if number % 100 == 0 {
            let id = guid(u64::MAX - number);
            let _ = write!(
                text,
                "  - id: {id}\n    name: service-{number}\n    description: Offering number {number}\n    bindable: true\n    values: {{ host: pg-{number}.example.com }}\n    plans:\n"
            );
        }
        let id = guid(number);
        let _ = write!(
            text,
            "      - id: {id}\n        name: plan-{number}\n        description: Plan number {number} of the catalog, with a sentence that is as long as they are\n        free: false\n        metadata:\n          displayName: Plan {number}\n          bullets: [1 GB of storage, 20 connections, daily backups kept for a week]\n        binding:\n          credentials:\n            uri: \"postgres://app:{{{{ instance.id | urlencode }}}}@{{{{ values.host }}}}:5432/db_{number}\"\n            host: \"{{{{ values.host }}}}\"\n            port: 5432\n"
        );
    }
    text
}
