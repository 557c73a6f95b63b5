//! What the README says, as it stands there: its commands run, its outputs come, its snippets load, its tables are those
//! of the code.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use catalog_broker::catalog::{Memory, is_document_variable, load_texts};
use catalog_broker::document::{Environment, Severity};
use catalog_broker::http::WORDS;
use catalog_broker::settings::{Kind, SETTINGS};
use serde_yaml::Value;

use crate::cluster::Cluster;
use crate::harness::{Broker, Folder, Setup, basic};

fn readme() -> String {
    read("README.md")
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let text = readme();
    let blocks = text.split(&fence).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

/// A command and what it prints.
#[derive(Debug)]
struct Shown {
    command: String,
    output: String,
}

fn shown() -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for line in blocks("console").iter().flat_map(|block| block.lines()) {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(command), _) => all.push(Shown {
                command: command.to_owned(),
                output: String::new(),
            }),
            (None, Some(last)) => {
                let _ = writeln!(last.output, "{line}");
            }
            (None, None) => panic!("an output without a command: {line}"),
        }
    }
    all
}

/// Whether a line is as it was shown; `...` stands for anything.
fn fits(shown: &str, line: &str) -> bool {
    let mut pieces = shown.split("...");
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

fn all_fit(shown: &str, output: &str) -> bool {
    let (shown, output): (Vec<_>, Vec<_>) = (
        shown.trim_end().lines().collect(),
        output.trim_end().lines().collect(),
    );
    shown.len() == output.len()
        && shown
            .iter()
            .zip(&output)
            .all(|(shown, line)| fits(shown, line.trim_end()))
}

/// The broker of the README's first command, in a folder with what the repository has.
fn first_command() -> Broker {
    let block = blocks("sh").into_iter().next().expect("a command");
    let mut setup = Setup::default();
    let mut words = block.split_whitespace();
    for word in words.by_ref() {
        match word.split_once('=') {
            Some((name, value)) => setup = setup.env(name, value),
            None => break,
        }
    }
    assert_eq!(words.collect::<Vec<_>>(), ["run", "--release"], "{block}");
    let folder = Folder::new();
    for name in ["catalog.yaml", "config/broker.yaml"] {
        folder.write(name, &read(name));
    }
    setup.start_in(&Arc::new(folder))
}

/// What the README takes for granted, on ports that are free here.
struct Scene {
    /// The broker of the first command.
    broker: Broker,
    /// The one of the main example.
    logins: Broker,
    server: Cluster,
}

impl Scene {
    fn new() -> Self {
        let server = Cluster::start(&[]);
        // As the image makes it, but for its first user.
        server.sql(
            "postgres",
            "CREATE ROLE postgres SUPERUSER LOGIN PASSWORD 'secret'",
        );
        let logins = logins(server.port);
        Self {
            broker: first_command(),
            logins,
            server,
        }
    }

    /// A text of the README with the ports that there are here.
    fn here(&self, text: &str) -> String {
        let ports = [
            (8080, self.broker.address.port()),
            (8081, self.logins.address.port()),
            (5432, self.server.port),
        ];
        ports.iter().fold(text.to_owned(), |text, (shown, here)| {
            text.replace(&format!("localhost:{shown}"), &format!("localhost:{here}"))
        })
    }
}

/// The broker of the main example: its document and its command line, on another port and with a store of its own.
fn logins(port: u16) -> Broker {
    let document = blocks("yaml").into_iter().next().expect("a document");
    let command = blocks("sh")
        .into_iter()
        .find(|block| block.contains("--catalog logins.yaml"))
        .expect("the command of the main example");
    let words = command.replace("\\\n", " ");
    let (variables, words): (Vec<_>, Vec<_>) = words
        .split_whitespace()
        .partition(|word| word.contains('=') && !word.starts_with("--"));
    let flags = "catalog-broker --catalog logins.yaml --port 8081 --store sqlite:logins.db";
    assert_eq!(words.join(" "), flags);
    let mut setup = Setup::new(&document);
    for variable in variables {
        let (name, value) = variable.split_once('=').expect("a variable");
        let value = value.replace("localhost:5432", &format!("localhost:{port}"));
        setup = setup.env(name, &value);
    }
    setup.start()
}

/// All commands in one shell, from top to bottom; what each printed.
fn run(commands: &[Shown], scene: &Scene) -> Vec<String> {
    const MARK: &str = "--- next ---";
    let broker = &scene.broker;
    let mut script = String::new();
    for Shown { command, .. } in commands {
        let command = scene.here(command);
        let _ = writeln!(script, "{command}\nprintf '\\n{MARK}\\n'");
    }
    let psql = scene.server.program("psql");
    let psql = Path::new(psql.get_program()).parent().expect("a folder");
    let binary = Path::new(env!("CARGO_BIN_EXE_catalog-broker"));
    let folder = binary.parent().expect("a folder").display();
    // Nothing of the developer's environment but the path, with the broker in front.
    let start = format!(
        "exec 2>&1\nfor name in $(compgen -e); do [ $name = PATH ] || unset $name; done\nPATH='{folder}':'{}':$PATH\n",
        psql.display()
    );
    let output = Command::new("bash")
        .args(["-c", &(start + &script)])
        .current_dir(broker.folder.path())
        .output()
        .expect("bash runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut parts: Vec<String> = text
        .split(&format!("\n{MARK}\n"))
        .map(str::to_owned)
        .collect();
    assert_eq!(parts.pop().as_deref(), Some(""), "{text}");
    parts
}

#[test]
fn every_command_prints_what_the_readme_shows() {
    let commands = shown();
    assert!(commands.len() > 12, "found only {commands:#?}");
    let scene = Scene::new();
    let printed = run(&commands, &scene);
    assert_eq!(printed.len(), commands.len());
    let mut wrong = String::new();
    for (Shown { command, output }, printed) in commands.iter().zip(&printed) {
        if !all_fit(&scene.here(output), printed) {
            let _ = writeln!(wrong, "$ {command}\n{printed}\ninstead of\n{output}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The counter-proof of the comparison.
#[test]
fn an_output_that_differs_is_seen() {
    for (shown, output, fit) in [
        ("{}", "{}", true),
        ("{}", "{}\n", true),
        ("{}", "{} ", true),
        ("{}", "", false),
        ("", "{}", false),
        ("a\nb", "a\nc", false),
        ("a\nb", "a\nb\nb", false),
        ("date: ...", "date: Mon", true),
        ("date: ...", "dat: Mon", false),
        ("{\"a\":\"...\",\"b\":1}", "{\"a\":\"x\",\"b\":1}", true),
        ("{\"a\":\"...\",\"b\":1}", "{\"a\":\"x\",\"b\":2}", false),
        ("a...b...c", "a-b-c", true),
        ("a...b...c", "a-c", false),
    ] {
        assert_eq!(all_fit(shown, output), fit, "{shown:?} {output:?}");
    }
}

/// The second command is a script that is there.
#[test]
fn the_second_command_is_there() {
    let script = blocks("sh").into_iter().nth(1).expect("a command");
    assert_eq!(script, "tests/run\n");
    assert!(read(script.trim()).starts_with("#!/usr/bin/env bash\n"));
}

/// The variables of the section on changing a password: the old one and the new one hold, and no third.
#[test]
fn two_passwords_hold_while_one_is_changed() {
    let block = blocks("sh")
        .into_iter()
        .find(|block| block.contains("BROKER_AUTH__LOGINS__NEXT__PASSWORD"))
        .expect("the section on changing a password");
    let mut setup = Setup::new(&read("catalog.yaml"));
    for (name, value) in block
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
    {
        setup = setup.env(name, value);
    }
    let broker = setup.start();
    for (password, status) in [("old", 200), ("new", 200), ("other", 401)] {
        let request = broker
            .request("GET", "/v2/catalog")
            .header("Authorization", &basic("platform", password));
        assert_eq!(broker.send(&request).status, status, "{password}");
    }
}

/// A whole document as it stands; keys of an offering in an offering.
fn document(block: &str) -> String {
    let value: Value = serde_yaml::from_str(block).expect("YAML");
    if value.get("services").is_some() {
        return block.to_owned();
    }
    let mut text =
        "services:\n  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10\n    name: snippet\n    \
                    description: Of the README\n    bindable: true\n"
            .to_owned();
    for line in block.lines() {
        let _ = writeln!(text, "    {line}");
    }
    if value.get("plans").is_none() {
        text.push_str(
            "    plans: [{ id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11, name: p, description: d }]\n",
        );
    }
    text
}

#[test]
fn every_snippet_of_the_catalog_loads() {
    let snippets: Vec<String> = blocks("yaml")
        .into_iter()
        .filter(|block| {
            let others = ["apiVersion:", "auth:", "traces:"];
            !others.iter().any(|key| block.starts_with(key))
        })
        .collect();
    assert!(snippets.len() >= 4, "{snippets:#?}");
    let vars: Vec<(&str, &str)> = Vec::new();
    let environment = Environment::from_iter([("PG_ADMIN", "postgres://localhost/postgres")]);
    for snippet in snippets {
        let text = document(&snippet);
        let loaded = load_texts(
            vec![("README.md", text.clone())],
            &environment,
            vars.clone(),
            Memory::Remembers,
        );
        let errors: Vec<_> = loaded
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{text}\n{errors:#?}");
        assert!(loaded.catalog.is_some());
    }
}

/// What the README says of a snippet is what a bind of it returns.
#[test]
fn a_plan_of_the_readme_inherits_what_the_readme_says() {
    let snippet = blocks("yaml")
        .into_iter()
        .find(|block| block.contains("plan_defaults"))
        .expect("the snippet on inheritance");
    let broker = Setup::new(&document(&snippet)).start();
    let catalog = broker.catalog().json();
    let service = &catalog["services"][0];
    let mut seen = Vec::new();
    for (index, plan) in service["plans"]
        .as_array()
        .expect("plans")
        .iter()
        .enumerate()
    {
        let (instance, ids) = (
            format!("i-{index}"),
            serde_json::json!({
                "service_id": service["id"], "plan_id": plan["id"],
                "organization_guid": "org", "space_guid": "space",
            }),
        );
        assert_eq!(broker.provision(&instance, &ids).status, 201);
        let credentials = broker.bind(&instance, "b", &ids).json()["credentials"].clone();
        seen.push((plan["free"].clone(), credentials));
    }
    assert_eq!(
        seen,
        [
            (
                serde_json::json!(false),
                serde_json::json!({ "host": "db.internal", "mode": "rw", "admin": "yes" })
            ),
            (
                serde_json::json!(true),
                serde_json::json!({ "host": "db.internal", "mode": "r" })
            ),
        ]
    );
}

/// What a bind of the only plan of a snippet returns.
fn bound(setup: Setup) -> serde_json::Value {
    let broker = setup.start();
    let catalog = broker.catalog().json();
    let service = &catalog["services"][0];
    let ids = serde_json::json!({
        "service_id": service["id"], "plan_id": service["plans"][0]["id"],
        "organization_guid": "org", "space_guid": "space",
    });
    assert_eq!(broker.provision("i", &ids).status, 201);
    broker.bind("i", "b", &ids).json()["credentials"].clone()
}

#[test]
fn references_and_overrides_of_the_readme_bring_what_it_says() {
    let snippets = blocks("yaml");
    let with = |text: &str| {
        let mut snippets = snippets.iter();
        snippets.find(|snippet| snippet.contains(text)).expect(text)
    };
    assert_eq!(
        bound(Setup::new(&document(with("is no reference"))).env("PG_PASSWORD", "a/b")),
        serde_json::json!({
            "uri": "postgres://app:a%2Fb@localhost/app",
            "note": "${this} is no reference",
        })
    );
    let text = readme();
    let (variable, _) = text
        .split_once("`BROKER_SERVICES__")
        .and_then(|(_, rest)| rest.split_once("=...`"))
        .expect("an override");
    let variable = format!("BROKER_SERVICES__{variable}");
    let password = |setup: Setup| bound(setup)["password"].clone();
    let whole = || Setup::new(&document(with("PG_PASSWORD:-change-me")));
    assert_eq!(password(whole()), "change-me");
    assert_eq!(password(whole().env(&variable, "0123")), "0123");
}

/// The table of settings, as the README has it.
fn settings_table() -> String {
    let mut table = String::new();
    for setting in SETTINGS {
        let mut variables = vec![format!("`{}`", setting.variable().replace('*', "NAME"))];
        variables.extend(setting.usual.iter().map(|name| format!("`{name}`")));
        let code = |text: &str| match text {
            "" => String::new(),
            text => format!("`{text}`"),
        };
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {} |",
            setting.path.replace('*', "NAME"),
            variables.join(", "),
            code(setting.flag.unwrap_or_default()),
            code(setting.default.unwrap_or_default()),
            setting.doc,
        );
    }
    table
}

fn words_table() -> String {
    let rows = WORDS
        .iter()
        .map(|word| format!("| {} | `{}` | {} |\n", word.status, word.name, word.when));
    rows.collect()
}

/// The body of the table under a heading row.
fn table_after(heading: &str) -> String {
    let text = readme();
    let (_, rest) = text.split_once(heading).expect(heading);
    let rows = rest
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let rows = rows.skip(1).map(|row| format!("{row}\n"));
    rows.collect()
}

#[test]
fn the_tables_are_those_of_the_code() {
    let settings = table_after("| setting | variable | flag | default | |");
    assert!(
        settings == settings_table(),
        "the table of settings is\n\n{}",
        settings_table()
    );
    let words = table_after("| status | `error` | when |");
    assert!(
        words == words_table(),
        "the table of words is\n\n{}",
        words_table()
    );
}

/// The names of variables that stand in a text.
fn variables(text: &str) -> Vec<String> {
    let is_name = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_';
    let words = text.split(|char: char| !is_name(char));
    words
        .filter(|word| word.starts_with("BROKER_"))
        .map(str::to_owned)
        .collect()
}

fn is_known(variable: &str) -> bool {
    let setting = SETTINGS.iter().any(|setting| {
        let name = setting.variable();
        let file =
            matches!(setting.kind, Kind::Text | Kind::Secret).then(|| format!("{name}_FILE"));
        [Some(name), file].into_iter().flatten().any(|name| {
            name == variable
                || name.split_once('*').is_some_and(|(before, after)| {
                    variable.starts_with(before) && variable.ends_with(after)
                })
        })
    });
    setting || variable == "BROKER_CONFIG" || is_document_variable(variable)
}

#[test]
fn every_variable_that_is_named_is_known() {
    let mut named = 0;
    for document in [
        "README.md",
        "ARCHITECTURE.md",
        "manifest.yml",
        "Dockerfile",
        "tests/image.sh",
    ] {
        for variable in variables(&read(document)) {
            named += 1;
            assert!(is_known(&variable), "{document}: {variable}");
        }
    }
    assert!(named > 30, "{named}");
    assert!(is_known("BROKER_AUTH__LOGINS__NEXT__TOKEN"));
    assert!(!is_known("BROKER_AUTH__USER"));
    assert!(!is_known("BROKER_STORE_URL"));
}

/// Every command and flag of `catalog-broker` that the README names is in its help.
#[test]
fn every_command_that_is_named_is_known() {
    let help = |command: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_catalog-broker"))
            .args(["help", command].iter().filter(|word| !word.is_empty()))
            .output()
            .expect("help");
        assert!(output.status.success(), "help {command}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let all = help("");
    let mut rows = 0;
    for row in table_after("| command | does |").lines() {
        rows += 1;
        let command = row.split('`').nth(1).expect("a command");
        let name = command.split(' ').nth(1).unwrap_or_default();
        if name.is_empty() {
            assert!(all.contains("\n  serve "));
            continue;
        }
        assert!(all.contains(&format!("\n  {name} ")), "{name}");
        let help = help(name);
        let flags = row.split(['`', ' ']).filter(|word| word.starts_with("--"));
        for flag in flags {
            assert!(help.contains(flag), "{name} {flag}");
        }
    }
    assert_eq!(rows, 16);
    // And none is left out, `help` aside.
    let listed = all
        .split_once("Commands:\n")
        .and_then(|(_, rest)| rest.split_once("\n\n"))
        .expect("a list of commands")
        .0;
    assert_eq!(
        listed
            .lines()
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .count(),
        rows + 1
    );
}
