//! `diff --store`: what would break of what lives in a store, beside the broker that serves it.

use serde_json::{Value, json};

use crate::engines::{self, Engine, Scene};
use crate::harness::{PASSWORD, Setup, USER, with};
use crate::runner::Ran;

const BEFORE: &str = r#"
services:
  - id: s1
    name: databases
    description: Before
    bindable: true
    bindings_retrievable: true
    binding: { credentials: { user: someone } }
    plans:
      - id: p1
        name: small
        description: Small | tiny
        schemas: { service_instance: { create: { parameters: { $schema: "http://json-schema.org/draft-04/schema#", type: object, properties: { size: { type: integer, maximum: 9 } } } } } }
      - { id: p2, name: acting, description: Acts, backend: { command: { run: [/bin/echo, '{}'] } } }
      - { id: p3, name: plain, description: Plain }
"#;

engines::on_both! {
    what_breaks_is_told_in_each_format_and_by_the_exit_status,
    what_breaks_nothing_that_lives_does_not_matter,
    what_is_allowed_passes_and_is_told,
}

/// Two instances of one organization and one of another, and one of the plan that acts.
fn scene(engine: Engine) -> Scene {
    let setup = Setup::new(BEFORE).env("BROKER_RELOAD__EVERY", "0");
    let scene = Scene::on(engine, setup);
    let body = |plan: &str, organization: &str| {
        json!({
            "service_id": "s1", "plan_id": plan, "organization_guid": organization, "space_guid": "space",
            "parameters": if plan == "p1" { json!({ "size": 5 }) } else { json!({}) },
        })
    };
    for (name, plan, organization) in [
        ("i1", "p1", "org-a"),
        ("i2", "p1", "org-b`|"),
        ("i3", "p1", "org-a"),
        ("i4", "p2", "org-a"),
    ] {
        let made = scene.provision(name, &body(plan, organization));
        assert_eq!(made.status, 201, "{made:?}");
    }
    let small = with(body("p1", "org-a"), "parameters", json!({ "size": 1 }));
    assert_eq!(scene.provision("i5", &small).status, 201);
    scene.broker.folder.write("old.yaml", BEFORE);
    scene
}

fn diff(scene: &Scene, new: &str, more: &[&str]) -> Ran {
    scene.broker.folder.write("new.yaml", new);
    let arguments = ["diff", "old.yaml", "new.yaml", "--store", &scene.url];
    scene.run(&[&arguments[..], more].concat())
}

fn in_json(scene: &Scene, new: &str, code: i32) -> Value {
    diff(scene, new, &["--format", "json"]).exits(code).json()
}

fn what_breaks_is_told_in_each_format_and_by_the_exit_status(engine: Engine) {
    let scene = scene(engine);
    let narrowed = BEFORE.replace("maximum: 9", "maximum: 4");
    let people = diff(&scene, &narrowed, &[]).exits(3).out;
    for part in [
        "1 difference\n",
        "refused: schema-narrowed: databases/small: ",
        "3 service instances of 2 organizations: org-a (2), org-b`| (1)",
        "a broker refuses this catalog; to serve it all the same: --allow-breaking schema-narrowed\n",
    ] {
        assert!(people.contains(part), "{part}: {people}");
    }
    let guard = in_json(&scene, &narrowed, 3)["guard"].clone();
    assert_eq!(guard["refused"], true);
    let breach = &guard["breaches"][0];
    let told = |name: &str| breach[name].clone();
    assert_eq!(
        [
            "rule",
            "outcome",
            "service",
            "plan",
            "instances",
            "organizations",
            "hits"
        ]
        .map(told),
        [
            json!("schema-narrowed"),
            json!("refused"),
            json!("databases"),
            json!("small"),
            json!(3),
            json!(2),
            json!([
                { "organization": "org-a", "instances": 2 },
                { "organization": "org-b`|", "instances": 1 },
            ]),
        ]
    );
    let page = diff(&scene, &narrowed, &["--format", "markdown"])
        .exits(3)
        .out;
    for part in [
        "### Catalog: 1 difference\n",
        "\n### What lives: a broker refuses this catalog\n",
        "\n| **refused** | `schema-narrowed` | `databases` | `small` | `",
        "` | 3 | `org-a` (2), ``org-b`\\|`` (1) |\n",
        "\nTo serve it all the same: `--allow-breaking schema-narrowed`\n",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    every_row_has_the_cells_of_its_header(&page);

    // The plan that alone takes its instances away has left, or its backend.
    let left = BEFORE.replace(
        "      - { id: p2, name: acting, description: Acts, backend: { command: { run: [/bin/echo, '{}'] } } }\n",
        "",
    );
    let people = diff(&scene, &left, &[]).exits(3).out;
    assert!(people.contains("refused: plan-in-use: s1/p2: "), "{people}");
    assert!(
        people.contains("1 service instance of 1 organization: org-a (1)\n"),
        "{people}"
    );
    let tamed = BEFORE.replace(", backend: { command: { run: [/bin/echo, '{}'] } }", "");
    let told = in_json(&scene, &tamed, 3);
    assert_eq!(told["guard"]["breaches"][0]["rule"], "backend-changed");
    // A diff that looks into no store does not say so.
    scene.broker.folder.write("new.yaml", &tamed);
    let ran = scene.run(&["diff", "old.yaml", "new.yaml"]).exits(1);
    assert!(ran.out.ends_with("\n1 difference\n"), "{ran:?}");
    // With the store of the settings.
    let guarded = scene
        .run(&["diff", "old.yaml", "new.yaml", "--guard"])
        .exits(3);
    assert!(guarded.out.contains("backend-changed"), "{guarded:?}");
}

/// A cell that ended early would make one more.
fn every_row_has_the_cells_of_its_header(page: &str) {
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut columns = None;
    let mut rows = 0;
    for line in page.lines() {
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        assert_eq!(*columns.get_or_insert(cells(line)), cells(line), "{page}");
        rows += 1;
    }
    assert!(rows >= 6, "{page}");
}

fn what_breaks_nothing_that_lives_does_not_matter(engine: Engine) {
    let scene = scene(engine);
    let same = diff(&scene, BEFORE, &[]).exits(0).out;
    assert_eq!(same, "no difference\n\nnothing that lives breaks\n");
    let unused = BEFORE.replace("name: plain,", "name: plain, bindable: false,");
    let guard = in_json(&scene, &unused, 1)["guard"].clone();
    assert_eq!(guard, json!({ "refused": false, "breaches": [] }));
    let page = diff(&scene, &unused, &["--format", "markdown"])
        .exits(1)
        .out;
    assert!(page.contains("### What lives: nothing breaks\n"), "{page}");
    every_row_has_the_cells_of_its_header(
        &(page + "| | | | | | |\n| | | | | | |\n| | | | | | |\n"),
    );
    // A plan that nothing acts for may leave: a warning, and the catalog is served.
    let left = BEFORE.replace("id: p1\n        name: small", "id: p9\n        name: tiny");
    let people = diff(&scene, &left, &[]).exits(1).out;
    assert!(
        people.contains("warning: plan-gone: databases/small: "),
        "{people}"
    );
    assert!(
        people.ends_with("a broker serves this catalog\n"),
        "{people}"
    );
}

fn what_is_allowed_passes_and_is_told(engine: Engine) {
    let scene = scene(engine);
    let worse = BEFORE
        .replace("maximum: 9", "maximum: 4")
        .replace("bindable: true", "bindable: false");
    let one = ["--allow-breaking", "schema-narrowed"];
    let people = diff(&scene, &worse, &one).exits(3).out;
    assert!(people.contains("allowed: schema-narrowed: "), "{people}");
    assert!(people.contains("refused: bindable-withdrawn: "), "{people}");
    let both = [&one[..], &["--allow-breaking", "bindable-withdrawn"]].concat();
    diff(&scene, &worse, &both).exits(1);
}

/// Of two that are published, what can be known is.
#[test]
fn the_catalog_of_a_running_broker_is_held_against_its_store() {
    let scene = scene(Engine::Sqlite);
    scene
        .broker
        .folder
        .write("new.yaml", &BEFORE.replace("id: p1", "id: p9"));
    scene.broker.folder.write("password", PASSWORD);
    let url = format!("http://{}", scene.broker.address);
    let ran = scene
        .run(&[
            "diff",
            &url,
            "new.yaml",
            "--username",
            USER,
            "--password-file",
            "password",
            "--guard",
        ])
        .exits(3);
    assert!(
        ran.out.contains("refused: id-changed: databases/small: "),
        "{ran:?}"
    );
    assert!(ran.out.contains("4 service instances"), "{ran:?}");
}

#[test]
fn a_store_that_cannot_be_looked_into_is_told() {
    let scene = scene(Engine::Sqlite);
    let missing = [
        "diff",
        "old.yaml",
        "old.yaml",
        "--store",
        "sqlite:missing.db",
    ];
    let ran = scene.run(&missing).exits(2);
    assert!(ran.err.contains("missing.db"), "{ran:?}");
    assert!(!scene.broker.folder.path().join("missing.db").exists());
    // Nothing lives where nothing is remembered; who asks for the guard all the same is told.
    scene.broker.folder.write("old.json", "{\"services\": []}");
    let none = ["diff", "old.json", "old.json", "--store", "none"];
    assert_eq!(scene.run(&none).exits(0).out, "no difference\n");
    let ran = scene.run(&[&none[..], &["--guard"]].concat()).exits(2);
    assert!(ran.err.contains("remembers nothing"), "{ran:?}");
}
