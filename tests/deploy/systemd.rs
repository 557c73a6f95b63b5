//! `deploy/systemd`: the unit, held against systemd's own tools. That the broker it starts is at work is held in
//! `packages.rs`, which installs it; that its sandbox leaves the broker alone, by `tests/boot.sh`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Folder;
use crate::parts::{read, said, seconds, yaml};

const UNIT: &str = "deploy/systemd/catalog-broker.service";

/// Ten times the exposure that is allowed: 1.2, of 10.
const THRESHOLD: &str = "12";

/// What the unit says of a key, each time.
pub fn values(unit: &str, key: &str) -> Vec<String> {
    let lines = unit.lines();
    let found = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    found.map(str::to_owned).collect()
}

/// The unit, with a binary that is there, in a folder of its own.
fn unit(text: &str) -> (Folder, PathBuf) {
    let folder = Folder::new();
    let here = text.replace(
        "/usr/bin/catalog-broker",
        env!("CARGO_BIN_EXE_catalog-broker"),
    );
    let path = folder.write("catalog-broker.service", &here);
    (folder, path)
}

fn analyze(verb: &[&str], path: &Path) -> std::process::Output {
    Command::new("systemd-analyze")
        .args(verb)
        .arg(path)
        .output()
        .expect("systemd-analyze runs: tests/run installs it")
}

/// It ends with 0 whatever it finds: what it prints counts.
fn complaints(text: &str) -> String {
    let (_folder, path) = unit(text);
    said(&analyze(&["verify"], &path))
}

#[test]
fn systemd_has_nothing_to_say() {
    assert_eq!(complaints(&read(UNIT)), "");
}

/// The counter-proof.
#[test]
fn systemd_says_what_is_wrong() {
    let unit = read(UNIT);
    for (right, wrong, word) in [
        ("ProtectSystem=", "ProtectSytem=", "ProtectSytem"),
        (
            "SystemCallFilter=@system",
            "SystemCallFilter=@sistem",
            "@sistem",
        ),
        ("/usr/bin/", "/nowhere/", "not executable"),
    ] {
        let said = complaints(&unit.replacen(right, wrong, 1));
        assert!(said.contains(word), "{wrong}: {said:?}");
    }
}

fn exposure(text: &str) -> (bool, String) {
    let (_folder, path) = unit(text);
    let threshold = format!("--threshold={THRESHOLD}");
    let verb = ["security", "--offline=true", "--no-pager", &threshold];
    let output = analyze(&verb, &path);
    (output.status.success(), said(&output))
}

#[test]
fn the_sandbox_is_tight() {
    let (tight, said) = exposure(&read(UNIT));
    assert!(tight, "{said}");
    let (_, figure) = said.split_once("service: ").expect("a figure");
    let figure = figure.split(' ').next().expect("a figure");
    let document = read("deploy/README.md");
    assert!(
        document.contains(&format!("gives it {figure} ")),
        "{figure}"
    );
}

/// The counter-proof: with one of these lines less it is not.
#[test]
fn a_sandbox_with_a_hole_is_seen() {
    let whole = read(UNIT);
    for hole in [
        "CapabilityBoundingSet=",
        "SystemCallFilter=@system-service",
        "User=",
    ] {
        let lines = whole.lines().filter(|line| !line.starts_with(hole));
        let text: Vec<&str> = lines.collect();
        assert!(text.len() < whole.lines().count(), "{hole}");
        let (tight, said) = exposure(&text.join("\n"));
        assert!(!tight, "{hole}: {said}");
    }
}

#[test]
fn there_is_time_to_stop() {
    let settings = yaml("deploy/debian/broker.yaml");
    let time = |key: &str| seconds(settings["server"][key].as_str().expect("a time"));
    let given: u64 = values(&read(UNIT), "TimeoutStopSec")[0]
        .parse()
        .expect("a number");
    assert!(given > time("drain_delay") + time("shutdown_timeout"));
}

/// The sandbox lets the broker write where the documents have it write its account of changes.
#[test]
fn the_account_of_changes_has_a_place() {
    let mut named = 0;
    for document in ["README.md", "deploy/README.md", "deploy/debian/broker.yaml"] {
        let text = read(document);
        for place in text.split("file:/var/log/").skip(1) {
            let folder = place.split('/').next().unwrap_or_default();
            assert_eq!(values(&read(UNIT), "LogsDirectory"), [folder], "{document}");
            named += 1;
        }
    }
    assert!(named >= 3, "{named}");
    assert_eq!(values(&read(UNIT), "LogsDirectoryMode"), ["0750"]);
}
