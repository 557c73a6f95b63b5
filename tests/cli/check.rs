//! `check`: exit status, and the same findings in every format.

use serde_json::{Value, json};

use crate::harness::Folder;
use crate::runner::{CLEAN, Ran, run, run_with, with_catalog};

/// Two errors, out of order of the rules, and a warning: a key near to none, a number for a text, a template published.
fn wrong() -> String {
    CLEAN
        .replace("A database", "\"{{ x }}\"")
        .replace("bindable: true", "bindable: \"100%\"")
        .replace("\"2.10\"", "2.10")
}

#[test]
fn the_exit_status_says_how_it_went() {
    let warned = CLEAN.replace("A database", "\"{{ x }}\"");
    let noted = CLEAN.replace("    plans:", "    requires: [route_forwarding]\n    plans:");
    let random = CLEAN.replace("db.example.com", "\"{{ random_password(8) }}\"");
    let cases: &[(&str, &[&str], &str, i32)] = &[
        ("clean", &[], CLEAN, 0),
        ("clean, strict", &["--strict"], CLEAN, 0),
        ("a warning", &[], &warned, 0),
        ("a warning, strict", &["--strict"], &warned, 1),
        ("a note", &[], &noted, 0),
        ("a note, strict", &["--strict"], &noted, 0),
        ("random values", &[], &random, 0),
        (
            "random values that nobody remembers",
            &["--store", "none"],
            &random,
            1,
        ),
        ("errors", &[], &wrong(), 1),
        ("no YAML", &[], "services: [", 1),
        ("no such file", &["nowhere.yaml"], CLEAN, 2),
        ("no such vars file", &["--vars", "nowhere.yaml"], CLEAN, 2),
        (
            "no such settings file",
            &["--config", "nowhere.yaml"],
            CLEAN,
            2,
        ),
        ("a folder with nothing in it", &["empty"], CLEAN, 2),
        ("no such flag", &["--nonsense"], CLEAN, 2),
        ("no such format", &["--format", "xml"], CLEAN, 2),
        (
            "two documents",
            &["catalog.yaml", "--catalog", "catalog.yaml"],
            CLEAN,
            2,
        ),
    ];
    for (what, arguments, document, code) in cases {
        let folder = with_catalog(document);
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        let arguments: Vec<&str> = ["check"].iter().chain(*arguments).copied().collect();
        let ran = run(&folder, &arguments);
        assert_eq!(ran.code, *code, "{what}: {ran:?}");
        if *code == 2 {
            assert!(
                !ran.err.is_empty() || ran.out.contains("environment: error"),
                "{what}: {ran:?}"
            );
        }
    }
    let folder = with_catalog(CLEAN);
    let note = run(&with_catalog(&noted), &["check", "--strict"]);
    assert!(note.out.ends_with("\n1 note\n"), "{note:?}");
    let setting = run_with(&folder, &["check"], &[("BROKER_NO__SUCH", "1")]).exits(2);
    assert!(setting.err.contains("BROKER_NO__SUCH"), "{setting:?}");
}

#[test]
fn people_read_sentences_in_the_order_of_the_document_and_a_count() {
    let ran = run(&with_catalog(&wrong()), &["check"]).exits(1);
    let lines: Vec<&str> = ran.out.lines().collect();
    let begins = [
        "catalog.yaml:1:22: error: minimum_api_version: ",
        "    mend: ",
        "catalog.yaml:5:18: warning: services[0].description: ",
        "    mend: ",
        "catalog.yaml:6:15: error: services[0].bindable: ",
        "    mend: ",
        "2 errors, 1 warning",
        "`check --fix` mends 1 of them",
    ];
    assert_eq!(lines.len(), begins.len(), "{}", ran.out);
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}\nis not\n{begin}");
    }
    assert!(lines[0].ends_with("[wrong-type]"), "{}", lines[0]);
    assert!(ran.err.is_empty(), "{ran:?}");

    let strict = run(&with_catalog(&wrong()), &["check", "--strict"]).exits(1);
    assert!(strict.out.contains("\n3 errors\n"), "{}", strict.out);
    let clean = run(&with_catalog(CLEAN), &["check"]).exits(0);
    assert_eq!(clean.out, "catalog.yaml: nothing to complain of\n");
}

#[test]
fn the_document_can_be_named_in_every_way() {
    let folder = Folder::new();
    folder.write("some/where.yaml", &wrong());
    folder.write("settings.yaml", "catalog: some/where.yaml\n");
    for arguments in [
        &["check", "some/where.yaml"][..],
        &["check", "some"],
        &["check", "--catalog", "some/where.yaml"],
        &["--catalog", "some/where.yaml", "check"],
        &["--config", "settings.yaml", "check"],
    ] {
        let ran = run(&folder, arguments).exits(1);
        assert!(
            ran.out.starts_with("some/where.yaml:1:22: "),
            "{arguments:?} {ran:?}"
        );
    }
    let named = [("BROKER_CATALOG", "some/where.yaml")];
    run_with(&folder, &["check"], &named).exits(1);
}

#[test]
fn machines_read_json() {
    let ran = run(&with_catalog(&wrong()), &["check", "--format", "json"]).exits(1);
    let json = ran.json();
    let found = json["findings"].as_array().expect("a list");
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(1));
    assert_eq!(found.len(), 3);
    let keys = [
        "severity", "rule", "file", "line", "column", "path", "message", "mend",
    ];
    for finding in found {
        let object = finding.as_object().expect("an object");
        assert_eq!(object.keys().collect::<Vec<_>>(), keys);
    }
    let first = &found[0];
    assert_eq!(
        [
            &first["severity"],
            &first["rule"],
            &first["file"],
            &first["path"]
        ],
        [
            &json!("error"),
            &json!("wrong-type"),
            &json!("catalog.yaml"),
            &json!("minimum_api_version")
        ]
    );
    assert_eq!((&first["line"], &first["column"]), (&json!(1), &json!(22)));

    let strict = ["check", "--strict", "--format", "json"];
    let strict = run(&with_catalog(&wrong()), &strict).exits(1).json();
    let errors = strict["findings"].as_array().expect("a list").iter();
    assert!(
        errors
            .map(|finding| &finding["severity"])
            .all(|word| word == "error")
    );

    let nothing = run(&with_catalog(CLEAN), &["check", "--format", "json"]).exits(0);
    assert_eq!(nothing.json(), json!({ "findings": [] }));
}

#[test]
fn an_override_that_names_nothing_stands_in_no_file() {
    let environment = [("BROKER_SERVICES__NOWHERE__NAME", "x")];
    let folder = with_catalog(CLEAN);
    let json = run_with(&folder, &["check", "--format", "json"], &environment)
        .exits(1)
        .json();
    let finding = &json["findings"][0];
    assert!(
        finding["file"].is_null() && finding["line"].is_null(),
        "{json}"
    );
    let people = run_with(&folder, &["check"], &environment).exits(1);
    assert!(
        people.out.starts_with("environment: error: "),
        "{}",
        people.out
    );
    let github = run_with(&folder, &["check", "--format", "github"], &environment).exits(1);
    assert!(github.out.starts_with("::error title="), "{}", github.out);
    let sarif = run_with(&folder, &["check", "--format", "sarif"], &environment)
        .exits(1)
        .json();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "catalog.yaml");
    assert!(place.get("region").is_none());
}

#[test]
fn code_scanning_reads_sarif() {
    let sarif = |ran: Ran| essentials(&ran.json()).map(|()| ran.json());
    let folder = Folder::new();
    let path = folder.write("a folder/ä,b.yaml", &wrong());
    let arguments = ["check", "--format", "sarif"];
    let log = sarif(run(&folder, &[&arguments[..], &["a folder"]].concat()).exits(1)).unwrap();
    let results = log["runs"][0]["results"].as_array().expect("a list");
    assert_eq!(results.len(), 3);
    let place = &results[0]["locations"][0];
    assert_eq!(
        *place,
        json!({
            "physicalLocation": {
                "artifactLocation": { "uri": "a%20folder/%C3%A4%2Cb.yaml" },
                "region": { "startLine": 1, "startColumn": 22 },
            },
            "logicalLocations": [{ "fullyQualifiedName": "minimum_api_version" }],
        })
    );
    let absolute = path.to_str().expect("UTF-8");
    let log = sarif(run(&folder, &[&arguments[..], &[absolute]].concat()).exits(1)).unwrap();
    let uri = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
        ["uri"];
    assert!(
        uri.as_str().is_some_and(|uri| uri.starts_with("file:///")),
        "{uri}"
    );
    let rules = log["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .expect("a list");
    for rule in rules {
        assert!(rule["shortDescription"]["text"].is_string(), "{rule}");
    }
    sarif(run(&with_catalog(CLEAN), &arguments).exits(0)).unwrap();
}

/// What SARIF 2.1.0 asks for, as far as a viewer needs it.
fn essentials(log: &Value) -> Result<(), String> {
    let wants = |is_so: bool, what: &str| if is_so { Ok(()) } else { Err(what.to_owned()) };
    wants(log["version"] == "2.1.0", "version")?;
    let schema = log["$schema"].as_str().unwrap_or_default();
    wants(schema.ends_with("sarif-schema-2.1.0.json"), "$schema")?;
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    wants(driver["name"].is_string(), "name of the driver")?;
    let rules = driver["rules"].as_array().ok_or("rules")?;
    for result in run["results"].as_array().ok_or("results")? {
        let index = result["ruleIndex"]
            .as_u64()
            .and_then(|index| usize::try_from(index).ok());
        let rule = index
            .and_then(|index| rules.get(index))
            .ok_or("ruleIndex")?;
        wants(
            rule["id"] == result["ruleId"] && rule["id"].is_string(),
            "ruleId",
        )?;
        let level = result["level"].as_str().unwrap_or_default();
        wants(
            ["none", "note", "warning", "error"].contains(&level),
            "level",
        )?;
        wants(result["message"]["text"].is_string(), "message.text")?;
        let place = &result["locations"][0]["physicalLocation"];
        wants(place["artifactLocation"]["uri"].is_string(), "uri")?;
        for number in ["startLine", "startColumn"] {
            let number = place["region"][number].as_u64();
            wants(number.is_some_and(|number| number > 0), "region")?;
        }
    }
    Ok(())
}

#[test]
fn the_essentials_of_sarif_are_not_blind() {
    let log = run(&with_catalog(&wrong()), &["check", "--format", "sarif"]).json();
    let breaks: [(&str, Value); 8] = [
        ("/version", json!("2.0.0")),
        ("/$schema", json!("x")),
        ("/runs/0/tool/driver/name", json!(null)),
        ("/runs/0/tool/driver/rules", json!([])),
        ("/runs/0/results/1/level", json!("fatal")),
        ("/runs/0/results/1/message", json!("text")),
        (
            "/runs/0/results/1/locations/0/physicalLocation/region/startLine",
            json!(0),
        ),
        ("/runs/0/results/1/locations", json!([])),
    ];
    assert_eq!(essentials(&log), Ok(()));
    for (pointer, value) in breaks {
        let mut broken = log.clone();
        *broken.pointer_mut(pointer).expect(pointer) = value;
        assert!(essentials(&broken).is_err(), "{pointer}");
    }
}

#[test]
fn github_reads_workflow_commands() {
    let folder = Folder::new();
    // Both signs mean something in a property, the per cent sign everywhere.
    folder.write("a:b,c%.yaml", &wrong());
    let ran = run(&folder, &["check", "--format", "github", "a:b,c%.yaml"]).exits(1);
    let lines: Vec<&str> = ran.out.lines().collect();
    let place = "file=a%3Ab%2Cc%25.yaml";
    let begins = [
        format!("::error {place},line=1,col=22,title=wrong-type::minimum_api_version: "),
        format!(
            "::warning {place},line=5,col=18,title=template-published::services[0].description: "
        ),
        format!("::error {place},line=6,col=15,title=wrong-type::services[0].bindable: "),
    ];
    assert_eq!(lines.len(), begins.len(), "{}", ran.out);
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(&begin), "{line}\nis not\n{begin}");
    }
    assert!(
        run(&with_catalog(CLEAN), &["check", "--format", "github"])
            .exits(0)
            .out
            .is_empty()
    );
}

/// A document that somebody else wrote cannot speak to the terminal, nor to the runner of a workflow.
#[test]
fn control_characters_of_a_document_are_told_as_such() {
    let document = CLEAN.replace(
        "bindable:",
        "\"bindables\\n::error::\\e[31m\": 1\n    bindable:",
    );
    for (format, line_ends) in [("people", 4), ("github", 1)] {
        let ran = run(&with_catalog(&document), &["check", "--format", format]).exits(1);
        assert!(ran.out.contains("bindables"), "{ran:?}");
        assert!(!ran.out.contains('\u{1b}'), "{ran:?}");
        assert_eq!(ran.out.matches('\n').count(), line_ends, "{ran:?}");
        assert!(!ran.out.contains("\n::error::"), "{ran:?}");
    }
}

/// What a plan runs is looked for where the document is read: what is missing there may be there elsewhere, so it is a
/// warning.
#[test]
fn a_program_that_is_missing_or_cannot_be_run_is_told_with_its_path() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let checked = |program: &str, mode: Option<u32>| {
        let path = folder.path().join(program);
        if let Some(mode) = mode {
            folder.write(program, "#!/bin/sh\n");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = path.display().to_string();
        let command = format!(
            "bindable: true\n    respond: sync\n    backend: {{ command: {{ run: [\"{path}\", no-program] }} }}"
        );
        folder.write("catalog.yaml", &CLEAN.replace("bindable: true", &command));
        let ran = run(&folder, &["check"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        (ran, path)
    };
    for (program, mode, why) in [
        ("gone.sh", None, "cannot be found here"),
        ("plain.sh", Some(0o644), "is not executable"),
        ("", None, "is no file"),
    ] {
        let (ran, path) = checked(program, mode);
        let told = format!("the program {path} {why}");
        assert!(
            ran.out.contains(&told) && ran.out.contains("[program-missing]"),
            "{told}: {ran:?}"
        );
        assert_eq!(ran.out.matches("program-missing").count(), 1, "{ran:?}");
    }
    let (ran, _) = checked("there.sh", Some(0o755));
    assert!(!ran.out.contains("program-missing"), "{ran:?}");
}
