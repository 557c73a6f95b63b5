//! `simulate bind`: a whole life as a platform sees it, and nothing left of it.

use std::fs;

use serde_json::{Value, json};

use crate::harness::Folder;
use crate::runner::{Ran, run_with, with_catalog};

const CATALOG: &str = r#"
services:
  - id: s1
    name: databases
    description: All kinds
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    dashboard_client: { id: d, secret: MARKED-client, redirect_uri: "https://d.example.com" }
    binding:
      values: { drawn: "MARKED-{{ random_password(16) }}" }
      credentials: { password: "{{ binding.values.drawn }}", role: "{{ binding.parameters.role }}" }
    plans:
      - id: p1
        name: small
        description: Small
        instance: { dashboard_url: "https://x.example.com/?t=MARKED-{{ instance.id }}" }
        schemas:
          service_instance: { create: { parameters: { $schema: "http://json-schema.org/draft-04/schema#", type: object, properties: { size: { type: integer, maximum: 9 } } } } }
          service_binding: { create: { parameters: { $schema: "http://json-schema.org/draft-04/schema#", type: object, properties: { role: { type: string } } } } }
      - { id: p2, name: later, description: Later, respond: async, maintenance_info: { version: "1.2.3" } }
      - { id: p3, name: acting, description: Acts, backend: { command: { run: [/bin/sh, -c, "echo ran >> PLACE/acted; echo '{}'"] } } }
      - { id: p4, name: failing, description: Fails, respond: { provision: async }, backend: { command: { run: [/bin/sh, -c, "echo ran >> PLACE/acted; exit 1"] } }, max_attempts: 1 }
      - { id: p5, name: unbindable, description: Not bindable, bindable: false }
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    let place = folder.path().display().to_string();
    folder.write("catalog.yaml", &CATALOG.replace("PLACE", &place));
    fs::create_dir(folder.path().join("temporary")).expect("a folder");
    folder
}

/// With a temporary folder of its own: when it is over, nothing is left in it, and nothing was made beside it.
fn simulate(folder: &Folder, plan: &str, more: &[&str]) -> Ran {
    let temporary = folder.path().join("temporary");
    let arguments = [&["simulate", "bind", "--plan", plan], more].concat();
    let place = temporary.display().to_string();
    let ran = run_with(folder, &arguments, &[("TMPDIR", &place)]);
    assert_eq!(fs::read_dir(&temporary).expect("a folder").count(), 0);
    assert!(!folder.path().join("data").exists());
    ran
}

/// The steps with their statuses.
fn steps(told: &Value) -> Vec<(String, u64)> {
    let exchanges = told["exchanges"].as_array().expect("a list").iter();
    let step = |each: &Value| {
        let name = each["step"].as_str().expect("a step").to_owned();
        (name, each["answer"]["status"].as_u64().expect("a status"))
    };
    exchanges.map(step).collect()
}

fn in_json(folder: &Folder, plan: &str, more: &[&str], code: i32) -> Value {
    let arguments = [&["--format", "json"], more].concat();
    simulate(folder, plan, &arguments).exits(code).json()
}

fn steps_are(told: &Value, expected: &[(&str, u64)]) {
    let seen = steps(told);
    let seen: Vec<(&str, u64)> = seen
        .iter()
        .map(|(name, status)| (&**name, *status))
        .collect();
    assert_eq!(seen, expected, "{told:#}");
}

const WHOLE: [(&str, u64); 7] = [
    ("catalog", 200),
    ("provision", 201),
    ("fetch the instance", 200),
    ("bind", 201),
    ("fetch the binding", 200),
    ("unbind", 200),
    ("deprovision", 200),
];

#[test]
fn a_whole_life_is_shown_as_it_goes_over_the_wire() {
    let folder = folder();
    let parameters = ["--parameters", r#"{"role": "reader"}"#];
    let told = in_json(&folder, "small", &parameters, 0);
    steps_are(&told, &WHOLE);
    assert_eq!(told["well"], true);
    let bind = &told["exchanges"][3];
    assert_eq!(bind["request"]["method"], "PUT");
    assert_eq!(bind["request"]["headers"]["X-Broker-API-Version"], "2.17");
    assert_eq!(bind["request"]["headers"]["Authorization"], "Basic ***");
    assert_eq!(
        bind["request"]["body"]["parameters"],
        json!({ "role": "reader" })
    );
    assert_eq!(
        bind["answer"]["body"]["credentials"],
        json!({ "password": "***", "role": "***" })
    );
    let people = simulate(&folder, "small", &parameters).exits(0).out;
    for part in [
        "# catalog\nGET /v2/catalog HTTP/1.1\n",
        "\n# bind\nPUT /v2/service_instances/00000000-0000-4000-8000-000000000001/service_bindings/00000000-0000-4000-8000-000000000002?accepts_incomplete=true HTTP/1.1\n",
        "\nHTTP/1.1 201 Created\n",
        "\"dashboard_url\": \"https://x.example.com/***\"",
        "\n# deprovision\nDELETE /v2/service_instances/00000000-0000-4000-8000-000000000001?service_id=s1&plan_id=p1&accepts_incomplete=true HTTP/1.1\n",
    ] {
        assert!(people.contains(part), "{part}: {people}");
    }
    assert!(!people.contains("MARKED") && !told.to_string().contains("MARKED"));
    // What was bound is what was fetched, and it is shown where that is asked for.
    let revealed = in_json(&folder, "small", &["--reveal"], 0);
    let credentials =
        |at: usize| revealed["exchanges"][at]["answer"]["body"]["credentials"].clone();
    assert!(
        credentials(3)["password"]
            .as_str()
            .is_some_and(|text| text.starts_with("MARKED-"))
    );
    assert_eq!(credentials(3), credentials(4));
}

#[test]
fn what_is_answered_later_is_polled_to_its_end() {
    let told = in_json(&folder(), "later", &[], 0);
    let all = steps(&told);
    for (step, first, last) in [
        ("provision", 202, 200),
        ("bind", 202, 200),
        ("unbind", 202, 410),
        ("deprovision", 202, 410),
    ] {
        let polls = format!("{step}, last_operation");
        let status = |name: &str| all.iter().rfind(|each| each.0 == name).map(|each| each.1);
        assert_eq!(
            (status(step), status(&polls)),
            (Some(first), Some(last)),
            "{all:?}"
        );
    }
    let provision = &told["exchanges"][1]["request"]["body"];
    assert_eq!(provision["maintenance_info"], json!({ "version": "1.2.3" }));
}

#[test]
fn what_is_refused_is_shown_and_what_was_made_is_taken_away() {
    let folder = folder();
    let told = in_json(
        &folder,
        "small",
        &["--instance-parameters", r#"{"size": 99}"#],
        1,
    );
    steps_are(&told, &[WHOLE[0], ("provision", 400)]);
    let error = &told["exchanges"][1]["answer"]["body"];
    assert!(
        error["description"]
            .as_str()
            .is_some_and(|text| text.contains("size")),
        "{error}"
    );
    let told = in_json(&folder, "small", &["--parameters", r#"{"role": 1}"#], 1);
    steps_are(
        &told,
        &[WHOLE[0], WHOLE[1], WHOLE[2], ("bind", 400), WHOLE[6]],
    );
    assert_eq!(told["well"], false);
    let told = in_json(&folder, "unbindable", &[], 1);
    steps_are(
        &told,
        &[WHOLE[0], WHOLE[1], WHOLE[2], ("bind", 400), WHOLE[6]],
    );
}

#[test]
fn a_backend_acts_where_that_is_said_and_not_otherwise() {
    let folder = folder();
    let acted = folder.path().join("acted");
    let ran = simulate(&folder, "acting", &[]).exits(2);
    assert!(
        ran.err.contains("backend command") && ran.err.contains("--act"),
        "{ran:?}"
    );
    assert!(ran.out.is_empty() && !acted.exists(), "{ran:?}");
    let told = in_json(&folder, "acting", &["--act"], 0);
    steps_are(&told, &WHOLE);
    let ran = fs::read_to_string(&acted).expect("it acted");
    assert_eq!(ran.lines().count(), 4);
    // One that fails leaves what a platform would take away.
    let told = in_json(&folder, "failing", &["--act"], 1);
    let all = steps(&told);
    assert_eq!(all[1], ("provision".to_owned(), 202));
    let polls = told["exchanges"].as_array().expect("a list").iter();
    let states: Vec<&Value> = polls.map(|each| &each["answer"]["body"]["state"]).collect();
    assert!(states.contains(&&json!("failed")), "{told:#}");
    assert!(
        all.iter().any(|(name, _)| name == "deprovision"),
        "{told:#}"
    );
}

#[test]
fn what_cannot_be_simulated_is_said() {
    let folder = folder();
    let ran = simulate(&folder, "nope", &[]).exits(2);
    assert!(ran.err.contains("databases/small"), "{ran:?}");
    simulate(&folder, "small", &["--parameters", "[]"]).exits(2);
    let small = ["simulate", "bind", "--plan", "small"];
    let ran = run_with(&folder, &small, &[("TMPDIR", "missing")]).exits(2);
    assert!(ran.err.contains("TMPDIR"), "{ran:?}");
    let ran = run_with(
        &with_catalog("services: 7"),
        &["simulate", "bind", "--plan", "x"],
        &[],
    );
    assert_eq!((ran.code, &*ran.out), (1, ""));
}
