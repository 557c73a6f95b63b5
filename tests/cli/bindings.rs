//! `bindings`: who holds what since when, on both engines, beside the broker that serves them.

use serde_json::{Value, json};

use crate::engines::{self, Engine, Scene};
use crate::harness::{Setup, with};

/// As it was when most was bound.
const CATALOG: &str = r#"
backends:
  seats: { pool: { entries: [{ name: a, credentials: { user: MARKED-a } }, { name: b, credentials: { user: MARKED-b } }] } }
services:
  - id: s
    name: service
    description: What is held
    bindable: true
    bindings_retrievable: true
    binding:
      values: { drawn: "MARKED-{{ random_password(16) }}", zone: MARKED-north }
      credentials: { password: "{{ binding.values.drawn }}", host: MARKED-old.example.com, port: 5432 }
    plans:
      - { id: moved, name: moved, description: Will move, binding_rotatable: true, binding: { ttl: 90d } }
      - { id: stays, name: stays, description: Stays, binding: { credentials: { host: MARKED-stays.example.com } } }
      - { id: goes, name: goes, description: Will go }
      - { id: seat, name: seat, description: Is lent, backend: { use: seats }, binding: { credentials: null, values: null } }
"#;

engines::on_both! {
    who_holds_what_is_listed_by_age,
    what_the_document_no_longer_gives_is_told_by_its_keys,
    a_list_goes_on_where_it_is_cut,
}

fn asked(plan: &str, named: bool) -> Value {
    let context = if named {
        json!({ "platform": "cloudfoundry", "organization_name": "=sum(1), ltd", "space_name": "prod", "instance_name": "orders", "secret": "MARKED-context" })
    } else {
        json!({ "platform": "cloudfoundry" })
    };
    json!({
        "service_id": "s", "plan_id": plan, "organization_guid": format!("org-{plan}"), "space_guid": "space-1",
        "context": context, "parameters": { "password": "MARKED-parameter" },
    })
}

fn asked_bind(plan: &str) -> Value {
    json!({ "service_id": "s", "plan_id": plan, "bind_resource": { "app_guid": "app-1" }, "parameters": { "x": "MARKED-bind" } })
}

fn scene(engine: Engine) -> Scene {
    let scene = Scene::on(engine, Setup::new(CATALOG));
    for plan in ["moved", "stays", "goes", "seat"] {
        let made = scene.provision(plan, &asked(plan, plan == "moved"));
        assert_eq!(made.status, 201, "{}", made.text());
        let bound = scene.bind(plan, &format!("b-{plan}"), &asked_bind(plan));
        assert_eq!(bound.status, 201, "{}", bound.text());
    }
    scene
}

fn ids(json: &Value) -> Vec<&str> {
    let listed = json["bindings"].as_array().expect("a list");
    let ids = listed.iter().map(|one| one["binding_id"].as_str());
    ids.map(|id| id.expect("an id")).collect()
}

fn who_holds_what_is_listed_by_age(engine: Engine) {
    let scene = scene(engine);
    let key = with(asked_bind("moved"), "bind_resource", json!({}));
    assert_eq!(scene.bind("moved", "key", &key).status, 201);
    let all = scene.run(&["bindings", "--format", "json"]).exits(0);
    let json = all.json();
    let mut listed = ids(&json);
    listed.sort_unstable();
    assert_eq!(listed, ["b-goes", "b-moved", "b-seat", "b-stays", "key"]);
    let ages = json["bindings"].as_array().expect("a list").iter();
    let ages: Vec<&str> = ages.filter_map(|one| one["bound_at"].as_str()).collect();
    assert!(
        ages.len() == 5 && ages.is_sorted(),
        "the oldest first: {ages:?}"
    );
    assert_eq!(ids(&json)[0], "b-moved");
    let by_id = |id: &str| {
        let listed = json["bindings"].as_array().expect("a list");
        let found = listed.iter().find(|one| one["binding_id"] == id);
        found.expect(id).clone()
    };
    let first = by_id("b-moved");
    for (key, expected) in [
        ("plan", "moved"),
        ("service", "service"),
        ("organization_guid", "org-moved"),
        ("organization_name", "=sum(1), ltd"),
        ("space_name", "prod"),
        ("instance_name", "orders"),
        ("app_guid", "app-1"),
        ("instance_id", "moved"),
    ] {
        assert_eq!(first[key], expected, "{key}");
    }
    assert!(first["expires_at"].is_string());
    assert_eq!(by_id("b-stays")["expires_at"], Value::Null);
    assert_eq!(by_id("key")["app_guid"], Value::Null);

    let of = |arguments: &[&str]| {
        let arguments = [&["bindings", "--format", "json"], arguments].concat();
        let ran = scene.run(&arguments);
        let found = ran.json();
        let found: Vec<String> = ids(&found).into_iter().map(str::to_owned).collect();
        assert_eq!(ran.code, i32::from(found.is_empty()), "{ran:?}");
        found
    };
    assert_eq!(of(&["--plan", "service/moved"]), ["b-moved", "key"]);
    assert_eq!(of(&["--organization", "org-goes"]), ["b-goes"]);
    assert_eq!(of(&["--older-than", "90d"]).len(), 0);
    assert_eq!(of(&["--older-than", "0s", "--plan", "stays"]), ["b-stays"]);
    assert_eq!(of(&["--service", "service"]).len(), 5);
    assert_eq!(of(&["--service", "none-such"]).len(), 0);

    let table = scene.run(&["bindings"]).exits(0);
    let lines: Vec<&str> = table.out.lines().collect();
    assert_eq!(lines.len(), 6);
    let header = "BOUND PLAN ORGANIZATION SPACE APP INSTANCE BINDING EXPIRES";
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>().join(" "),
        header
    );
    assert!(lines[1].contains("=sum(1), ltd"), "{}", lines[1]);
    assert!(
        table.out.contains("org-stays"),
        "the guid where there is no name"
    );

    let csv = scene.run(&["bindings", "--format", "csv"]).exits(0);
    let lines: Vec<&str> = csv.out.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 6);
    assert!(lines[0].starts_with("bound_at,plan,organization_guid,organization_name,"));
    assert!(
        lines[1].contains(",org-moved,\"'=sum(1), ltd\",space-1,prod,app-1,,moved,orders,b-moved,"),
        "{}",
        lines[1]
    );
    for ran in [&all, &table, &csv] {
        assert!(
            !ran.out.contains("MARKED") && !ran.err.contains("MARKED"),
            "{ran:?}"
        );
    }
    // What is no time is refused before anything is opened.
    let refused = scene.run(&["bindings", "--older-than", "soon"]).exits(2);
    assert!(refused.err.contains("90d"), "{refused:?}");
}

fn what_the_document_no_longer_gives_is_told_by_its_keys(engine: Engine) {
    let scene = scene(engine);
    let successor = json!({ "predecessor_binding_id": "b-moved" });
    assert_eq!(scene.bind("moved", "next", &successor).status, 201);
    let nothing = scene.run(&["bindings", "--changed"]).exits(1);
    assert_eq!(nothing.err.trim(), "nothing found");

    let moved = CATALOG
        .replace("MARKED-old", "MARKED-new")
        .replace("port: 5432", "tls: true")
        .replace("zone: MARKED-north", "zone: MARKED-south")
        .replace("user: MARKED-a", "user: MARKED-c");
    let kept: Vec<&str> = moved
        .lines()
        .filter(|line| !line.contains("name: goes"))
        .collect();
    let moved = kept.join("\n");
    scene.folder.write("catalog.yaml", &moved);
    let ran = scene
        .run(&["bindings", "--changed", "--format", "json"])
        .exits(0);
    let json = ran.json();
    let by_id = |id: &str| {
        let listed = json["bindings"].as_array().expect("a list");
        listed.iter().find(|one| one["binding_id"] == id).cloned()
    };
    let paths = json!([
        "values.zone",
        "credentials.host",
        "credentials.port",
        "credentials.tls"
    ]);
    for id in ["b-moved", "next"] {
        let found = by_id(id).expect(id);
        assert_eq!(found["changed"], paths, "{id}");
        assert_eq!(found["unknown"], Value::Null);
    }
    let stays = json!(["values.zone", "credentials.port", "credentials.tls"]);
    assert_eq!(by_id("b-stays").expect("changed")["changed"], stays);
    let goes = by_id("b-goes").expect("nobody can say");
    assert_eq!(
        (&goes["changed"], &goes["unknown"]),
        (&json!([]), &json!("its plan is not offered any more"))
    );
    assert_eq!(
        by_id("b-seat").expect("its entry has changed")["changed"],
        json!(["outputs"])
    );
    for format in ["people", "csv", "json"] {
        let ran = scene
            .run(&["bindings", "--changed", "--format", format])
            .exits(0);
        assert!(ran.out.contains("credentials.host"), "{format}");
        assert!(
            !ran.out.contains("MARKED") && !ran.err.contains("MARKED"),
            "{ran:?}"
        );
    }
    // A document that cannot be read is no measure.
    scene.folder.write("catalog.yaml", "services: [");
    let refused = scene.run(&["bindings", "--changed"]).exits(2);
    assert!(refused.err.contains("check"), "{refused:?}");
    scene.run(&["bindings"]).exits(0);
}

fn a_list_goes_on_where_it_is_cut(engine: Engine) {
    let scene = scene(engine);
    let ran = scene
        .run(&["bindings", "--limit", "2", "--format", "json"])
        .exits(0);
    let json = ran.json();
    assert_eq!((ids(&json).len(), &json["more"]), (2, &json!(true)));
    let ran = scene.run(&["bindings", "--limit", "4"]).exits(0);
    assert!(!ran.err.contains("more"), "{ran:?}");
    let ran = scene.run(&["bindings", "--limit", "3"]).exits(0);
    assert!(ran.err.contains("--limit"), "{ran:?}");
}
