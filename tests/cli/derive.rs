//! `derive`, and the recipe that others compute the same by.

use std::fs;
use std::process::Command;

use crate::harness::Folder;
use crate::runner::{CLEAN, run, run_with, with_catalog};

const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/derive.md");

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const OTHER: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

fn recipe() -> String {
    fs::read_to_string(RECIPE).expect("the recipe")
}

/// What stands between two fences of the recipe.
fn program() -> String {
    let text = recipe();
    let (_, from) = text.split_once("```python\n").expect("a program");
    from.split_once("```").expect("its end").0.to_owned()
}

/// The rows of the table of test vectors: instance, binding, label, length, alphabet, what it comes to.
fn vectors() -> Vec<[String; 6]> {
    let text = recipe();
    let (_, table) = text.split_once("Test vectors").expect("vectors");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        let cells: Vec<String> = cells
            .map(|cell| match cell.trim() {
                "none" => String::new(),
                cell => cell.trim_matches('`').to_owned(),
            })
            .collect();
        cells.try_into().expect("six cells")
    });
    rows.collect()
}

fn by_hand(folder: &Folder, key: &str, of: [&str; 5]) -> String {
    let file = folder
        .write("key", &format!("{key}\n"))
        .display()
        .to_string();
    let [instance, binding, label, length, alphabet] = of;
    let mut arguments = vec!["derive", "--key-file", &file, "--instance-id", instance];
    arguments.extend(["--label", label, "--length", length, "--alphabet", alphabet]);
    if !binding.is_empty() {
        arguments.extend(["--binding-id", binding]);
    }
    run(folder, &arguments).exits(0).out.trim().to_owned()
}

/// What the recipe's program says, with its standard library alone.
fn by_python(key: &str, of: [&str; 5]) -> String {
    let call = "import sys\nk, i, b, label, length, alphabet = sys.argv[1:]\nprint(derive(k, i, b, label, int(length), alphabet))\n";
    let [instance, binding, label, length, alphabet] = of;
    let ran = Command::new("python3")
        .args(["-I", "-c", &format!("{}{call}", program())])
        .args([key, instance, binding, label, length, alphabet])
        .output()
        .expect("python3");
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8_lossy(&ran.stdout).trim().to_owned()
}

#[test]
fn the_recipe_the_command_and_the_vectors_agree() {
    let folder = Folder::new();
    let vectors = vectors();
    assert!(vectors.len() >= 6, "found only {vectors:?}");
    for row in &vectors {
        let [instance, binding, label, length, alphabet, expected] = row.each_ref();
        let of: [&str; 5] = [instance, binding, label, length, alphabet];
        assert_eq!(by_hand(&folder, KEY, of), *expected, "{row:?}");
        assert_eq!(by_python(KEY, of), *expected, "{row:?}");
    }
    // Where ids and labels are no ASCII, and the text is long enough for several blocks.
    for of in [
        ["ïd/1", "ü b", "Schlüssel", "256", "digits"],
        ["ïd/1", "", "Schlüssel", "256", "base64url"],
    ] {
        let ours = by_hand(&folder, OTHER, of);
        assert_eq!(ours.len(), 256);
        assert_eq!(by_python(OTHER, of), ours);
        assert_ne!(by_python(KEY, of), ours);
    }
}

const PLANS: &str = r#"
derive: { keys: { v1: "${V1}", v2: "${V2}" }, current: v2 }
services:
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10
    name: relay
    description: A relay
    bindable: true
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: standard
        description: Derives
        binding: { credentials: { password: "{{ derive('password', 32) }}" } }
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d12
        name: plain
        description: Derives nothing
        binding: { credentials: { host: relay } }
"#;

#[test]
fn the_command_takes_the_key_of_a_plan_and_says_what_a_bind_gives() {
    let folder = with_catalog(PLANS);
    let environment = [("V1", KEY), ("V2", OTHER)];
    let of = [
        "derive",
        "--instance-id",
        "i",
        "--binding-id",
        "b",
        "--label",
        "password",
    ];
    let with = |more: &[&str]| run_with(&folder, &[&of, more].concat(), &environment);
    let current = with(&["--plan", "standard"]).exits(0).out;
    let by_key = by_hand(&folder, OTHER, ["i", "b", "password", "32", "alphanumeric"]);
    assert_eq!(current.trim(), by_key);
    let older = with(&["--plan", "relay/standard", "--key-version", "v1"]);
    let by_key = by_hand(&folder, KEY, ["i", "b", "password", "32", "alphanumeric"]);
    assert_eq!(older.exits(0).out.trim(), by_key);
    let bind = ["render", "--plan", "standard", "--bind", "--reveal"];
    let ids = ["--instance-id", "i", "--binding-id", "b"];
    let given = run_with(&folder, &[&bind[..], &ids].concat(), &environment).exits(0);
    assert_eq!(given.json()["credentials"]["password"], current.trim());
    for (more, words) in [
        (&["--plan", "plain"][..], "derives anything"),
        (&["--plan", "other"], "has no plan other"),
        (
            &["--plan", "standard", "--key-version", "v3"],
            "say one of v1, v2",
        ),
        (&["--plan", "standard", "--length", "7"], "from 8 to 256"),
        (
            &["--plan", "standard", "--alphabet", "greek"],
            "alphanumeric, lower",
        ),
        (&["--key-file", "/nowhere"], "/nowhere"),
        (&[], "--plan"),
    ] {
        let ran = with(more).exits(2);
        assert!(
            ran.err.contains(words) && ran.out.is_empty(),
            "{more:?}: {ran:?}"
        );
        assert!(
            !ran.err.contains(KEY) && !ran.err.contains(OTHER),
            "{ran:?}"
        );
    }
    let short = folder.write("short", "c2hvcnQ=").display().to_string();
    let ran = with(&["--key-file", &short]).exits(2);
    assert!(
        ran.err.contains("less than 32 bytes") && !ran.err.contains("c2hvcnQ"),
        "{ran:?}"
    );
}

/// Keys are shown nowhere, whatever is asked, whatever is wrong with them.
#[test]
fn no_command_shows_a_key() {
    let folder = with_catalog(PLANS);
    let mut seen = 0;
    for (v1, v2) in [
        (KEY, OTHER),
        (KEY, KEY),
        ("bm90LWxvbmctZW5vdWdo", "MARKED no base64 MARKED"),
    ] {
        for command in [
            &["check"][..],
            &["check", "--format", "json"],
            &["check", "--format", "sarif"],
            &["render"],
            &["render", "--explain"],
            &["render", "--plan", "standard", "--bind"],
        ] {
            let ran = run_with(&folder, command, &[("V1", v1), ("V2", v2)]);
            for key in [v1, v2, "MARKED"] {
                let shown = ran.out.contains(key) || ran.err.contains(key);
                assert!(!shown, "{command:?} shows {key}: {ran:?}");
            }
            seen += usize::from(ran.out.contains("derive") || ran.err.contains("derive"));
        }
    }
    assert!(seen > 6, "only {seen} speak of keys: is the search blind?");
    let written = PLANS.replace("${V1}", KEY).replace("${V2}", OTHER);
    let folder = with_catalog(&written);
    let explained = run(&folder, &["render", "--explain"]);
    assert!(
        explained.out.contains("derive.keys.v1 = ***"),
        "{explained:?}"
    );
    assert!(
        explained.out.contains("derive.current = \"v2\""),
        "{explained:?}"
    );
    assert!(!explained.out.contains(KEY), "{explained:?}");
    let checked = run(&folder, &["check"]);
    assert!(
        checked.out.contains("plain-secret") || checked.err.contains("plain-secret"),
        "{checked:?}"
    );
    run(&with_catalog(CLEAN), &["check"]).exits(0);
}
