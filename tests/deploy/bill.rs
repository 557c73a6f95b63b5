//! The bill of materials of a release (`deploy/sbom.py`), held against the schema of `CycloneDX`, `Cargo.lock`, and what
//! the binary itself says it is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::Folder;
use crate::packages::made;
use crate::parts::{checker, read, root, said};

fn bill() -> Value {
    let text = fs::read_to_string(made(".cdx.json")).expect("a bill");
    serde_json::from_str(&text).expect("JSON")
}

/// What the schema says against a bill.
fn invalid(bill: &Value) -> Option<String> {
    const CHECK: &str = "import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())
sys.exit(str(found) if found else 0)";
    let folder = Folder::new();
    let path = folder.write("bill.json", &bill.to_string());
    let checked = checker("python")
        .args(["-c", CHECK])
        .arg(path)
        .output()
        .expect("Python runs");
    (!checked.status.success()).then(|| said(&checked))
}

#[test]
fn the_schema_takes_it() {
    let bill = bill();
    assert_eq!(invalid(&bill), None);
    let mut wrong = bill.clone();
    wrong["components"][0]["scope"] = "needed".into();
    assert!(invalid(&wrong).expect("a complaint").contains("needed"));
}

/// The packages of `Cargo.lock`: name and version, and the checksum of all but our own.
fn locked() -> BTreeMap<(String, String), Option<String>> {
    let lock = read("Cargo.lock");
    let packages = lock.split("[[package]]").skip(1);
    packages
        .map(|package| {
            let value = |key: &str| {
                let line = package.lines().find_map(|line| line.strip_prefix(key));
                line.map(|value| value.trim_matches('"').to_owned())
            };
            let name = value("name = ").expect("a name");
            let version = value("version = ").expect("a version");
            ((name, version), value("checksum = "))
        })
        .collect()
}

/// The crates of a bill: name and version, checksum, scope.
fn crates(bill: &Value) -> BTreeMap<(String, String), (Option<String>, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let components = bill["components"].as_array().expect("components");
    components
        .iter()
        .filter(|component| text(&component["purl"]).starts_with("pkg:cargo/"))
        .map(|component| {
            let sum = component["hashes"][0]["content"].as_str();
            let name = (text(&component["name"]), text(&component["version"]));
            (name, (sum.map(str::to_owned), text(&component["scope"])))
        })
        .collect()
}

/// The crates that the binary names where it panics: `.../registry/src/INDEX/NAME-VERSION/...`.
fn named_by_the_binary() -> BTreeSet<String> {
    const MARK: &[u8] = b"/registry/src/";
    let bytes = fs::read(env!("CARGO_BIN_EXE_catalog-broker")).expect("the binary");
    let mut found = BTreeSet::new();
    for at in memchr(&bytes, MARK) {
        let rest = &bytes[at + MARK.len()..bytes.len().min(at + 300)];
        let path = String::from_utf8_lossy(rest);
        found.extend(path.split('/').nth(1).map(str::to_owned));
    }
    found
}

fn memchr<'a>(bytes: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = mark[0];
    let starts = bytes
        .iter()
        .enumerate()
        .filter(move |(_, byte)| **byte == first);
    let starts = starts.map(|(at, _)| at);
    starts.filter(move |at| bytes[*at..].starts_with(mark))
}

/// What a bill lacks, or says wrongly.
fn complaints(bill: &Value) -> Vec<String> {
    let (locked, crates) = (locked(), crates(bill));
    let mut complaints = Vec::new();
    for (name, (sum, _)) in &crates {
        if locked.get(name) != Some(sum) {
            complaints.push(format!("{name:?} is not what Cargo.lock has"));
        }
    }
    let named = named_by_the_binary();
    assert!(named.len() > 40, "the search is blind: {named:?}");
    for (name, version) in locked.keys() {
        let scope = crates.get(&(name.clone(), version.clone()));
        let required = scope.is_some_and(|(_, scope)| scope == "required");
        if named.contains(&format!("{name}-{version}")) && !required {
            complaints.push(format!("{name} {version} is in the binary"));
        }
    }
    // Each that is required of one that is there is there, too.
    let parts: BTreeSet<&str> = bill["components"]
        .as_array()
        .into_iter()
        .flatten()
        .chain([&bill["metadata"]["component"]])
        .filter_map(|component| component["bom-ref"].as_str())
        .collect();
    let mut linked = BTreeSet::new();
    for entry in bill["dependencies"].as_array().expect("dependencies") {
        linked.insert(entry["ref"].as_str().expect("a name"));
        for needed in entry["dependsOn"].as_array().expect("names") {
            let needed = needed.as_str().expect("a name");
            if !parts.contains(needed) {
                complaints.push(format!("{needed} is needed and not there"));
            }
        }
    }
    if linked != parts {
        complaints.push("not all parts say what they need".to_owned());
    }
    complaints
}

#[test]
fn it_is_whole() {
    let bill = bill();
    assert_eq!(complaints(&bill), Vec::<String>::new());
    // Whatever the manifest asks for, tests aside, is there; what only a feature brings is not.
    let manifest = read("Cargo.toml");
    let (_, rest) = manifest.split_once("[dependencies]\n").expect("a table");
    let table = rest.split("\n[").next().expect("its end");
    let crates = crates(&bill);
    for line in table.lines().filter(|line| !line.is_empty()) {
        let name = line.split(' ').next().expect("a name");
        let is_there = crates.keys().any(|(known, _)| known == name);
        assert_eq!(is_there, !line.contains("optional = true"), "{name}");
    }
    // What only tests need is none of it; nor is what other systems need.
    for (name, _) in crates.keys() {
        assert!(
            !["proptest", "stateright", "windows-sys"].contains(&name.as_str()),
            "{name}"
        );
    }
    // What is not Rust, or not of a registry.
    for name in ["sqlite", "rust-std"] {
        let components = bill["components"].as_array().expect("components");
        let found = components
            .iter()
            .find(|component| component["name"] == name);
        let version = found.expect(name)["version"].as_str().expect("a version");
        assert!(version.split('.').count() >= 3, "{name} {version}");
    }
}

/// What is linked into a static binary is listed; the binary of the tests is linked when it starts.
#[test]
fn the_c_library_of_a_static_binary_is_listed() {
    let folder = Folder::new();
    let source = folder.write("nothing.c", "int main(void) { return 0; }\n");
    let binary = folder.path().join("nothing");
    let built = Command::new("cc")
        .arg("-static")
        .arg("-o")
        .args([&binary, &source])
        .output()
        .expect("a C compiler");
    assert!(built.status.success(), "{}", said(&built));
    let bill_of_it = bill();
    let target = &bill_of_it["metadata"]["properties"][0]["value"];
    let listed = Command::new(root().join("deploy/sbom.py"))
        .arg(target.as_str().expect("a target"))
        .arg(&binary)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .env("CARGO_NET_OFFLINE", "true")
        .output()
        .expect("the script runs");
    assert!(listed.status.success(), "{}", said(&listed));
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(invalid(&listed), None);
    let has = |bill: &Value| {
        let components = bill["components"].as_array().expect("components");
        components.iter().any(|part| part["name"] == "glibc")
    };
    assert!(has(&listed));
    assert!(!has(&bill_of_it));
    assert_eq!(listed["metadata"]["timestamp"], "2023-11-14T22:13:20Z");
}

/// The counter-proof: a crate that is left out, another version, a part that nobody links.
#[test]
fn what_is_left_out_is_seen() {
    let bill = bill();
    let edited = |edit: &dyn Fn(&mut Vec<Value>)| {
        let mut edited = bill.clone();
        edit(edited["components"].as_array_mut().expect("components"));
        complaints(&edited).join("\n")
    };
    let gone = edited(&|parts| parts.retain(|part| part["name"] != "actix-http"));
    assert!(gone.contains("actix-http"), "{gone}");
    assert!(gone.contains("is in the binary"), "{gone}");
    assert!(gone.contains("is needed and not there"), "{gone}");
    let other = edited(&|parts| {
        for part in parts.iter_mut().filter(|part| part["name"] == "serde_json") {
            part["version"] = "1.0.0".into();
        }
    });
    assert!(other.contains("not what Cargo.lock has"), "{other}");
}

/// Every crate of the program has its licence in the file that goes with it.
#[test]
fn the_licences_go_with_it() {
    let folder = Folder::new();
    let unpacked = Command::new("tar")
        .args(["--extract", "--strip-components=1", "--wildcards", "--file"])
        .arg(made(".tar.gz"))
        .arg("*/third-party.txt")
        .current_dir(folder.path())
        .output()
        .expect("tar runs");
    assert!(unpacked.status.success(), "{}", said(&unpacked));
    let licences = fs::read_to_string(folder.path().join("third-party.txt")).expect("a file");
    for ((name, version), (_, scope)) in crates(&bill()) {
        let line = format!("\n{name} {version} (");
        assert_eq!(
            licences.contains(&line),
            scope == "required",
            "{name} {version}"
        );
    }
    assert!(licences.contains("Apache License"));
}
