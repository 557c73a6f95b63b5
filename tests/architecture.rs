//! The walls of the house: which module may use which (ARCHITECTURE.md, "Arrows"), and that what the documents name is
//! there.

#![expect(clippy::expect_used, reason = "what is missing here fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Who may use whom, directly. `secret` is everybody's.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "app",
            "settings",
            "catalog",
            "document",
            "http",
            "telemetry",
            "domain",
            "supervisor",
            "password",
            "authorities",
        ],
    ),
    (
        "app",
        &[
            "settings",
            "catalog",
            "document",
            "http",
            "console",
            "access",
            "telemetry",
            "store",
            "domain",
        ],
    ),
    ("settings", &["document", "password"]),
    ("catalog", &["backend", "domain", "document", "template"]),
    ("http", &["access", "domain"]),
    ("console", &["access", "domain"]),
    ("access", &["domain", "password"]),
    ("telemetry", &["domain", "authorities"]),
    ("store", &["domain", "postgres"]),
    (
        "backend",
        &[
            "domain",
            "template",
            "supervisor",
            "postgres",
            "mysql",
            "authorities",
        ],
    ),
    ("domain", &["template"]),
    ("document", &[]),
    ("template", &[]),
    ("supervisor", &[]),
    ("postgres", &[]),
    ("mysql", &[]),
    ("password", &[]),
    ("authorities", &[]),
    ("secret", &[]),
];

/// Crates that only these modules may name.
const CRATES: &[(&str, &[&str])] = &[
    ("actix_web", &["main", "app", "http", "console", "cli"]),
    ("actix_web_httpauth", &["http"]),
    ("actix_http", &["http"]),
    ("actix_service", &["http"]),
    ("rusqlite", &["store"]),
    ("chacha20poly1305", &["store"]),
    ("tokio_postgres", &["postgres", "store", "backend"]),
    ("postgres_protocol", &["backend"]),
    ("mysql_async", &["mysql", "backend"]),
    ("sha1", &["backend"]),
    ("tokio_rustls", &["postgres"]),
    ("webpki_roots", &["postgres"]),
    ("figment", &["settings"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("serde_yaml", &["document", "catalog", "settings"]),
    ("saphyr_parser", &["document"]),
    ("minijinja", &["template"]),
    ("maud", &["console"]),
    ("jsonschema", &["domain", "catalog"]),
    ("env_logger", &["telemetry"]),
    ("prometheus_client", &["telemetry"]),
    ("ureq", &["backend", "cli", "telemetry", "authorities"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_http", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("opentelemetry_proto", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("prost", &["telemetry"]),
    ("rustix", &["app", "supervisor", "cli"]),
    ("argon2", &["password"]),
    ("rustls", &["backend", "postgres", "http"]),
    ("actix_tls", &["http"]),
    ("x509_cert", &["access"]),
];

#[test]
fn the_arrows_hold() {
    let mut broken = Vec::new();
    for (module, used) in uses() {
        let allowed = ARROWS
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{module} is not on the map"));
        for (target, file) in used {
            if target != module && target != "secret" && !allowed.1.contains(&target.as_str()) {
                broken.push(format!("{module} -> {target} in {file}"));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "arrows that are not on the map:\n{}",
        broken.join("\n")
    );
}

/// ARCHITECTURE.md shows the same arrows, and every module on its map.
#[test]
fn the_document_shows_the_arrows_that_are_held() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let shown: Vec<&str> = text.lines().filter(|line| line.contains(" -> ")).collect();
    let held: Vec<String> = ARROWS
        .iter()
        .filter(|(_, used)| !used.is_empty())
        .map(|(module, used)| format!("{module} -> {}", used.join(", ")))
        .collect();
    assert_eq!(shown, held);
    for (module, _) in ARROWS {
        let rows = [
            format!("\n| `src/{module}.rs` | "),
            format!("\n| `src/{module}/` | "),
        ];
        assert!(
            rows.iter().any(|row| text.contains(row)),
            "{module} is not on the map"
        );
    }
}

#[test]
fn every_crate_stays_in_its_room() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        for (name, rooms) in CRATES {
            if mentions(&text, &format!("{name}::")) && !rooms.contains(&module.as_str()) {
                broken.push(format!("{name} in {}", path.display()));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "crates outside of their rooms:\n{}",
        broken.join("\n")
    );
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path)
        .collect();
    assert!(
        silent.is_empty(),
        "no first line that says what for: {silent:?}"
    );
}

#[test]
fn the_domain_asks_no_clock_and_no_environment() {
    for (path, text) in sources() {
        if ["domain", "store", "backend", "template"].contains(&module_of(&path).as_str()) {
            for word in ["SystemTime::now", "Instant::now", "std::env", "std::net"] {
                assert!(!mentions(&text, word), "{word} in {}", path.display());
            }
        }
    }
}

/// Paths between backquotes in the documents, as far as they look like files of this repository.
#[test]
fn every_path_that_a_document_names_exists() {
    let mut named = 0;
    let mut missing = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "deploy/README.md"] {
        let text = fs::read_to_string(root().join(document)).expect(document);
        for quoted in text.split('`').skip(1).step_by(2) {
            let ours = ["src/", "config/", "tests/", "benches/", "deploy/"]
                .iter()
                .any(|folder| quoted.starts_with(folder));
            if ours && !quoted.contains([' ', '*', '<', '{', '\n']) {
                named += 1;
                if !root().join(quoted.trim_end_matches('/')).exists() {
                    missing.push(format!("{document}: {quoted}"));
                }
            }
        }
    }
    assert!(
        named > 10,
        "the documents name {named} paths: is the search blind?"
    );
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The search finds what is there: an arrow, a crate, and none where a comment speaks of one.
#[test]
fn the_search_is_not_blind() {
    let uses = uses();
    assert!(uses["http"].keys().any(|target| target == "domain"));
    assert!(uses["app"].keys().any(|target| target == "store"));
    assert!(mentions("use actix_web::web;", "actix_web::"));
    assert!(!mentions(
        "// not actix_web::web\n/// nor actix_web::web\n",
        "actix_web::"
    ));
    assert!(sources().len() > 60, "found only {} files", sources().len());
    for (module, _) in ARROWS {
        assert!(
            uses.contains_key(*module),
            "{module} is on the map, but not in the house"
        );
    }
}

fn mentions(text: &str, what: &str) -> bool {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .any(|line| line.contains(what))
}

/// For each module, whom it uses and in which file.
fn uses() -> BTreeMap<String, BTreeMap<String, String>> {
    let modules: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (path, text) in sources() {
        let used = found.entry(module_of(&path)).or_default();
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        for prefix in ["crate::", "catalog_broker::"] {
            for rest in code.split(prefix).skip(1) {
                let name: String = rest
                    .chars()
                    .take_while(|char| char.is_ascii_lowercase() || *char == '_')
                    .collect();
                if modules.contains(name.as_str()) {
                    used.insert(name, path.display().to_string());
                }
                assert!(
                    !rest.starts_with('{'),
                    "{}: name the modules one by one, so that arrows can be read",
                    path.display()
                );
            }
        }
    }
    found
}

fn module_of(path: &Path) -> String {
    let inside = path
        .strip_prefix(root().join("src"))
        .expect("a file of src");
    let first = inside
        .components()
        .next()
        .expect("a name")
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// Every file of `src`, tests aside.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !["lib.rs", "tests.rs"]
                    .iter()
                    .any(|name| path.ends_with(name))
            {
                files.push((path.clone(), fs::read_to_string(&path).expect("text")));
            }
        }
    }
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
