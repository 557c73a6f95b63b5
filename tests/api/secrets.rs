//! No secret in any log line, and in no answer but those that are made of them.
//!
//! A life with a marked secret in every place that can have one, at the most talkative level. The counter-proof is a
//! build that prints secrets where `***` would stand: there the same search finds every one of them.

mod life;
mod marks;
mod mistakes;

use std::path::{Path, PathBuf};
use std::process::Command;

use life::{Heard, NEVER_TAKEN_IN, live};
use marks::{Mark, found};

#[test]
fn no_secret_is_logged_or_answered() {
    for format in ["text", "json"] {
        let heard = live(None, format);
        assert_eq!(
            found(&heard.marks, &heard.log),
            NOTHING,
            "{format}: in the log\n{}",
            told(&heard)
        );
        for answer in heard.answers.iter().filter(|answer| !answer.open) {
            let mut there = found(&heard.marks, &answer.text);
            // The specification publishes it: Cloud Controller makes a client of it.
            there.retain(|place| {
                *place != "the dashboard client" || !answer.to.starts_with("catalog")
            });
            assert_eq!(
                there, NOTHING,
                "{} is answered {}: {}",
                answer.to, answer.status, answer.text
            );
        }
        let open = heard.answers.iter().filter(|answer| answer.open);
        let open: String = open.map(|answer| answer.text.as_str()).collect();
        assert!(
            found(&heard.marks, &open).len() > 10,
            "the open answers have them"
        );
    }
}

const NOTHING: &[&str] = &[];

/// The lines that have secrets in them.
fn told(heard: &Heard) -> String {
    let lines = heard
        .log
        .lines()
        .filter(|line| !found(&heard.marks, line).is_empty());
    lines.take(5).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_search_finds_every_secret_where_none_is_masked() {
    let binary = unredacted();
    for format in ["text", "json"] {
        let heard = live(Some(&binary), format);
        let there = found(&heard.marks, &heard.log);
        let missed: Vec<&Mark> = heard
            .marks
            .iter()
            .filter(|mark| !there.contains(&mark.place.as_str()))
            .filter(|mark| !NEVER_TAKEN_IN.contains(&mark.place.as_str()))
            .collect();
        assert!(
            missed.is_empty(),
            "{format}: not found in the log: {missed:#?}"
        );
    }
}

/// Builds the broker that prints secrets, in a folder of its own: beside the real one it would take its place.
fn unredacted() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../unredacted");
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--locked",
            "--offline",
            "--quiet",
            "--bin",
            "catalog-broker",
        ])
        .args(["--features", "unredacted", "--target-dir"])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    target.join("debug/catalog-broker")
}
