//! What the tests of this folder share: files of the repository, the image, settings, checkers, and what of a folder's head
//! is a command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use catalog_broker::settings::SETTINGS;
use serde_yaml::Value;

use crate::harness::{Broker, Folder};
use crate::http::Request;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

pub fn yaml(name: &str) -> Value {
    serde_yaml::from_str(&read(name)).expect("YAML")
}

pub fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value:?}"))
}

pub fn list(value: &Value) -> &[Value] {
    value.as_sequence().map_or(&[], Vec::as_slice)
}

pub fn texts(value: &Value) -> Vec<&str> {
    list(value).iter().map(text).collect()
}

/// The number before the `s`.
pub fn seconds(value: &str) -> u64 {
    let number = value.strip_suffix('s').expect("seconds");
    number.parse().expect("a number")
}

/// Whether the broker knows a variable as a setting; the misspelt one shows that the look-up can fail.
pub fn is_setting(name: &str) -> bool {
    let login = name.strip_prefix("BROKER_AUTH__LOGINS__");
    let name = match login.and_then(|rest| rest.split_once("__")) {
        Some((_, key)) => format!("BROKER_AUTH__LOGINS__*__{key}"),
        None => name.to_owned(),
    };
    SETTINGS
        .iter()
        .any(|setting| setting.variable() == name || setting.usual.contains(&name.as_str()))
}

pub fn default(path: &str) -> &'static str {
    let setting = SETTINGS.iter().find(|setting| setting.path == path);
    setting
        .and_then(|setting| setting.default)
        .expect("a default")
}

pub fn healthy(broker: &Broker, path: &str) {
    let response = broker.send(&Request::new("GET", path));
    assert_eq!(response.status, 200, "{path}: {}", response.text());
}

/// The stages of the Dockerfile, each as its instructions: word and rest.
pub fn stages() -> Vec<Vec<(String, String)>> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let mut stages = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((word, rest)) = line.split_once(' ') else {
            continue;
        };
        if word == "FROM" {
            stages.push(Vec::new());
        }
        if let Some(stage) = stages.last_mut() {
            stage.push((word.to_owned(), rest.to_owned()));
        }
    }
    stages
}

pub fn instruction<'a>(stage: &'a [(String, String)], word: &str) -> &'a str {
    let mut found = stage.iter().filter(|(known, _)| known == word);
    let (_, rest) = found.next().unwrap_or_else(|| panic!("no {word}"));
    assert!(found.next().is_none(), "{word} twice");
    rest
}

/// What the head of a file tells an operator to run, but for what only his machine has.
pub fn commands(file: &str) -> Vec<String> {
    let text = read(file);
    let head = text.lines().take_while(|line| line.starts_with('#'));
    let commands = head.filter_map(|line| line.strip_prefix("#   "));
    let commands = commands.filter(|line| !line.starts_with("docker") && !line.starts_with(' '));
    commands.map(str::to_owned).collect()
}

/// Runs what a head says, in a folder.
pub fn run_head(file: &str, folder: &Folder) {
    let ran = Command::new("sh")
        .args(["-e", "-c", &commands(file).join("\n")])
        .current_dir(folder.path())
        .output()
        .expect("a shell");
    assert!(ran.status.success(), "{}", said(&ran));
}

/// A program that `tests/run` has put into `target/python`.
pub fn checker(name: &str) -> Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    let path = target.expect("a folder").join("python/bin").join(name);
    assert!(path.exists(), "tests/run makes {}", path.display());
    Command::new(path)
}

pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Copies a folder of the repository, as it is kept there.
pub fn copy(from: &str, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in files(&root().join(from)) {
        let copy = to.join(&name);
        fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
        fs::copy(root().join(from).join(&name), copy).expect("a copy");
    }
}

/// The files of a folder, `secrets` that somebody tried it out with aside.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inside)).expect("a folder") {
            let name = inside.join(entry.expect("an entry").file_name());
            if !folder.join(&name).is_dir() {
                found.push(name);
            } else if !name.ends_with("secrets") {
                folders.push(name);
            }
        }
    }
    found.sort();
    found
}

/// Waits until `what` holds.
pub fn wait_until(why: &str, what: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(180);
    while !what() {
        assert!(Instant::now() < until, "it never came: {why}");
        thread::sleep(Duration::from_millis(10));
    }
}
