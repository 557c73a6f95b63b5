//! `store import`: what another broker made, taken over so that its platform sees no difference.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::engines::{self, Engine, Scene, run_on};
use crate::harness::{Folder, SERVER, Setup};
use crate::runner::{Ran, run_with};

engines::on_both! {
    what_is_taken_over_is_as_if_this_broker_had_made_it,
    a_binding_without_an_answer_is_rendered_and_that_is_said,
    a_dry_run_writes_nothing,
    what_is_there_already_stays_and_is_said,
    parameters_that_break_the_schema_are_said_and_taken_over,
    all_that_is_wrong_is_said_at_once_and_nothing_is_written,
    lists_of_cloud_foundry_are_merged_with_a_table,
    an_entry_of_a_pool_goes_to_who_has_it,
    what_is_taken_over_is_told_of,
}

/// Two plans; an instance of the first needs a value that only the old broker knows.
const CATALOG: &str = r#"
services:
  - id: s
    name: service
    description: Taken over
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    plans:
      - id: p
        name: plan
        description: With values
        instance:
          values: { database: "cf_{{ instance.id }}", host: a.example.com }
          dashboard_url: "https://{{ instance.values.host }}/{{ instance.values.database }}"
        binding:
          credentials: { database: "{{ instance.values.database }}", host: "{{ instance.values.host }}" }
      - id: strict
        name: strict
        description: With schemas
        binding: { credentials: { a: b } }
        schemas:
          service_instance: { create: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", type: object, properties: { size: { type: integer } }, required: [size] } } }
          service_binding: { create: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", additionalProperties: false } } }
      - { id: unbound, name: unbound, description: Cannot be bound, bindable: false }
      - id: seats
        name: seats
        description: Lends
        backend: { pool: { entries: [{ name: held, credentials: { seat: held } }, { name: free, credentials: { seat: free } }] } }
"#;

fn instance(id: &str) -> Value {
    json!({ "instance": {
        "id": id, "service_id": "s", "plan_id": "p", "organization_guid": "org-1", "space_guid": "space-1",
        "parameters": { "size": 1.0, "secret": "MARKED-parameter" },
        "values": { "database": "old_one" },
    } })
}

fn binding(instance: &str, id: &str) -> Value {
    json!({ "binding": {
        "instance_id": instance, "id": id, "app_guid": "app-1", "parameters": { "role": "reader" },
        "credentials": { "password": "MARKED-credential" },
    } })
}

fn lines(values: &[Value]) -> String {
    let lines: Vec<String> = values.iter().map(ToString::to_string).collect();
    lines.join("\n") + "\n"
}

/// A request as the platform sent it to the old broker.
fn body(parameters: &Value) -> Value {
    json!({
        "service_id": "s", "plan_id": "p", "organization_guid": "org-1", "space_guid": "space-1",
        "context": { "platform": "cloudfoundry" }, "parameters": parameters,
    })
}

fn import(scene: &Scene, more: &[&str]) -> Ran {
    import_into(&scene.url, &scene.folder, more)
}

fn import_into(url: &str, folder: &Arc<Folder>, more: &[&str]) -> Ran {
    run_on(folder, url, &[&["store", "import"][..], more].concat())
}

/// All findings as `line rule`, and the counts.
fn found(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    let findings = json["findings"].as_array().expect("findings").iter();
    findings
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            format!("{}:{} {}", text("file"), finding["line"], text("rule"))
        })
        .collect()
}

/// What there is of a store.
#[derive(Debug, PartialEq)]
enum Stored {
    Nothing,
    /// The files, byte for byte.
    Files([Option<Vec<u8>>; 2]),
    /// How many rows each table has.
    Rows(String),
}

fn stored(url: &str, folder: &Folder) -> Stored {
    if url.starts_with("sqlite:") {
        let data = folder.path().join("data");
        let files = ["broker.db", "broker.db-wal"].map(|name| fs::read(data.join(name)).ok());
        return if data.exists() {
            Stored::Files(files)
        } else {
            Stored::Nothing
        };
    }
    let database = url.rsplit('/').next().expect("a name");
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'broker%'";
    if SERVER.sql(database, tables) == "0" {
        return Stored::Nothing;
    }
    let rows = "SELECT (SELECT count(*) FROM broker_instances), (SELECT count(*) FROM broker_bindings),
                       (SELECT count(*) FROM broker_operations), (SELECT count(*) FROM broker_meta)";
    Stored::Rows(SERVER.sql(database, rows))
}

fn scene(engine: Engine) -> Scene {
    Scene::on(engine, Setup::new(CATALOG))
}

fn what_is_taken_over_is_as_if_this_broker_had_made_it(engine: Engine) {
    let broker = scene(engine);
    broker.folder.write(
        "old.jsonl",
        &lines(&[binding("i", "b"), instance("i"), binding("i", "rendered")]),
    );
    let ran = import(&broker, &["old.jsonl"]).exits(0);
    assert!(
        ran.out.contains("1 instances and 2 bindings taken over"),
        "{}",
        ran.out
    );

    // The platform sends the same requests again, in its own way to write them.
    let same = json!({ "secret": "MARKED-parameter", "size": 1 });
    let again = broker.provision("i", &body(&same));
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(
        again.json()["dashboard_url"],
        "https://a.example.com/old_one"
    );
    assert_eq!(
        broker.provision("i", &body(&json!({ "size": 2 }))).status,
        409
    );
    let mut bind = body(&json!({ "role": "reader" }));
    bind["bind_resource"] = json!({ "app_guid": "app-1" });
    let again = broker.bind("i", "b", &bind);
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(
        again.json()["credentials"],
        json!({ "password": "MARKED-credential" })
    );

    // What comes afterwards goes on from there.
    let new = broker.bind("i", "new", &bind).json();
    assert_eq!(
        new["credentials"],
        json!({ "database": "old_one", "host": "a.example.com" })
    );
    assert_eq!(broker.poll("i").json()["state"], "succeeded");
    assert_eq!(broker.unbind("i", "b", "s", "p").status, 200);
    assert_eq!(broker.deprovision("i", "s", "p").status, 200);
}

fn a_binding_without_an_answer_is_rendered_and_that_is_said(engine: Engine) {
    let broker = scene(engine);
    let bare = json!({ "binding": { "instance_id": "i", "id": "b" } });
    broker
        .folder
        .write("old.jsonl", &lines(&[instance("i"), bare]));
    let ran = import(&broker, &["old.jsonl", "--format", "json"]).exits(0);
    assert_eq!(found(&ran), ["old.jsonl:2 import-rendered"]);
    let fetched = broker.fetch_binding("i", "b").json();
    assert_eq!(fetched["credentials"]["database"], "old_one");
}

fn a_dry_run_writes_nothing(engine: Engine) {
    let (folder, url) = (Arc::new(Folder::new()), engine.url());
    folder.write("catalog.yaml", CATALOG);
    folder.write("old.jsonl", &lines(&[instance("i"), binding("i", "b")]));
    let ran = import_into(&url, &folder, &["old.jsonl", "--dry-run"]).exits(0);
    assert!(
        ran.out
            .contains("1 instances and 1 bindings would be taken over"),
        "{}",
        ran.out
    );
    assert_eq!(stored(&url, &folder), Stored::Nothing, "not even tables");

    let broker = scene(engine);
    broker
        .folder
        .write("old.jsonl", &lines(&[instance("i"), binding("i", "b")]));
    let stored = || stored(&broker.url, &broker.folder);
    let before = stored();
    let ran = import(&broker, &["old.jsonl", "--dry-run", "--format", "json"]).exits(0);
    assert_eq!(ran.json()["instances"], json!({ "new": 1, "there": 0 }));
    assert_eq!(
        (&ran.json()["dry_run"], &ran.json()["written"]),
        (&json!(true), &json!(false))
    );
    assert!(before == stored());
    assert_eq!(broker.fetch("i").status, 404);

    // The counter-proof; and where there is no store yet, one is made.
    import(&broker, &["old.jsonl"]).exits(0);
    assert!(before != stored());
    import_into(&url, &folder, &["old.jsonl"]).exits(0);
    assert!(self::stored(&url, &folder) != Stored::Nothing);
}

fn what_is_there_already_stays_and_is_said(engine: Engine) {
    let broker = scene(engine);
    assert_eq!(broker.provision("i", &body(&json!({}))).status, 201);
    broker.folder.write(
        "old.jsonl",
        &lines(&[instance("i"), instance("j"), binding("i", "b")]),
    );
    let ran = import(&broker, &["old.jsonl", "--format", "json"]).exits(0);
    assert_eq!(found(&ran), ["old.jsonl:1 import-there"]);
    assert_eq!(ran.json()["instances"], json!({ "new": 1, "there": 1 }));
    assert_eq!(
        broker.provision("i", &body(&json!({}))).status,
        200,
        "as it was"
    );
    assert_eq!(broker.fetch_binding("i", "b").status, 200);
    let again = import(&broker, &["old.jsonl", "--format", "json"]).exits(0);
    assert_eq!(again.json()["bindings"], json!({ "new": 0, "there": 1 }));
}

/// What was made by older rules is there all the same: the platform finds it, and the operator reads what an update will
/// be told.
fn parameters_that_break_the_schema_are_said_and_taken_over(engine: Engine) {
    let broker = scene(engine);
    let strict = |id: &str, parameters: Value| {
        let mut line = instance(id);
        line["instance"]["plan_id"] = json!("strict");
        line["instance"]["parameters"] = parameters;
        line
    };
    let mut fitting = binding("fits", "b");
    fitting["binding"]["parameters"] = json!({});
    let text = lines(&[
        strict("fits", json!({ "size": 1 })),
        strict("i", json!({ "size": "MARKED-parameter" })),
        strict("lacks", json!({})),
        fitting,
        binding("i", "b"),
    ]);
    broker.folder.write("old.jsonl", &text);
    for more in [&["--dry-run"][..], &[]] {
        let arguments = [&["old.jsonl", "--format", "json"][..], more].concat();
        let ran = import(&broker, &arguments).exits(0);
        assert_eq!(
            found(&ran),
            [2, 3, 5].map(|line| format!("old.jsonl:{line} import-parameters"))
        );
        assert!(
            ran.out.contains("`/size` breaks `/properties/size/type`"),
            "{}",
            ran.out
        );
        assert!(ran.out.contains("additionalProperties"), "{}", ran.out);
        assert!(!ran.out.contains("MARKED"), "{}", ran.out);
    }
    assert_eq!(broker.fetch("i").json()["plan_id"], "strict");
    let update = json!({ "service_id": "s", "parameters": { "more": 1 } });
    assert_eq!(broker.update("i", &update).word(), "ParametersInvalid");
    assert_eq!(broker.update("fits", &update).status, 200);
}

fn all_that_is_wrong_is_said_at_once_and_nothing_is_written(engine: Engine) {
    let broker = scene(engine);
    let changed = |key: &str, value: Value| {
        let mut line = instance(&format!("x-{key}-{value}"));
        line["instance"][key] = value;
        line
    };
    let unbound = json!({ "binding": { "instance_id": "x-plan_id-\"unbound\"", "id": "b" } });
    let mut wrong_answer = binding("i", "c");
    wrong_answer["binding"]["credentials"] = json!("MARKED-credential");
    let text = [
        lines(&[instance("i"), binding("i", "b")]),
        "{\n[]\n{\"a\": 1}\n\n".to_owned(),
        lines(&[
            changed("service_id", json!("nowhere")),
            changed("plan_id", json!("nowhere")),
            changed("space_guid", Value::Null),
            changed("parameters", json!("MARKED-parameter")),
            changed("parmeters", json!({ "a": "MARKED-parameter" })),
            changed("plan_id", json!("unbound")),
            unbound,
            binding("nowhere", "b"),
            wrong_answer,
            instance("i"),
        ]),
    ]
    .concat();
    broker.folder.write("old.jsonl", &text);
    for dry_run in [&["--dry-run"][..], &[]] {
        let arguments = [&["old.jsonl", "--format", "json"][..], dry_run].concat();
        let ran = import(&broker, &arguments).exits(1);
        let expected = [
            (3, "line"),
            (4, "line"),
            (5, "line"),
            (7, "unfit"),
            (8, "unfit"),
            (9, "field"),
            (10, "field"),
            (11, "field"),
            (13, "unfit"),
            (14, "unfit"),
            (15, "field"),
            (16, "twice"),
        ];
        let expected = expected.map(|(line, rule)| format!("old.jsonl:{line} import-{rule}"));
        assert_eq!(found(&ran), expected);
        assert!(!ran.out.contains("MARKED"), "{}", ran.out);
    }
    assert_eq!(broker.fetch("i").status, 404);
    let people = import(&broker, &["old.jsonl"]).exits(1);
    assert!(people.out.contains("nothing was written"), "{}", people.out);
    assert!(!people.out.contains("MARKED"), "{}", people.out);
    import(&broker, &["not-there.jsonl"]).exits(2);
    import(&broker, &["old.jsonl", "--store", "none"]).exits(2);
}

fn related(name: &str, id: &str) -> Value {
    json!({ name: { "data": { "guid": id } } })
}

/// What Cloud Foundry says of two instances, one of them no broker's, and two bindings; the operator's table has what it
/// does not say.
fn lists_of_cloud_foundry_are_merged_with_a_table(engine: Engine) {
    let broker = scene(engine);
    let done = json!({ "type": "create", "state": "succeeded" });
    let mut links = related("space", "space-1");
    links["service_plan"] = json!({ "data": { "guid": "cf-plan" } });
    let instances = json!({ "pagination": { "total_pages": 1, "next": null }, "resources": [
        { "guid": "i", "name": "db", "type": "managed", "last_operation": done, "relationships": links },
        { "guid": "failed", "name": "db2", "type": "managed", "relationships": links,
          "last_operation": { "type": "create", "state": "failed" } },
        { "guid": "u", "name": "own", "type": "user-provided", "relationships": related("space", "space-1") },
    ] });
    let mut links = related("service_instance", "i");
    links["app"] = json!({ "data": { "guid": "app-1" } });
    let bindings = json!({ "resources": [
        { "guid": "b", "type": "app", "last_operation": done, "relationships": links },
        { "guid": "k", "type": "key", "name": "key", "last_operation": done,
          "relationships": related("service_instance", "i") },
        { "guid": "of-own", "type": "app", "relationships": related("service_instance", "u") },
    ] });
    let plans = json!({ "resources": [
        { "guid": "cf-plan", "name": "plan", "broker_catalog": { "id": "p" },
          "relationships": related("service_offering", "cf-service") },
    ] });
    let spaces = json!({ "resources": [
        { "guid": "space-1", "name": "space", "relationships": related("organization", "org-1") },
    ] });
    for (name, list) in [
        ("instances.json", &instances),
        ("bindings.json", &bindings),
        ("plans.json", &plans),
        ("spaces.json", &spaces),
    ] {
        broker.folder.write(name, &format!("{list:#}"));
    }
    let table = [
        json!({ "instance": { "id": "i", "parameters": { "size": 1 }, "values": { "database": "old_one" } } }),
        json!({ "binding": { "id": "b", "credentials": { "password": "MARKED-b" } } }),
        json!({ "binding": { "id": "k", "instance_id": "i", "credentials": { "password": "MARKED-k" } } }),
    ];
    broker.folder.write("table.jsonl", &lines(&table));

    let without = import(&broker, &["instances.json", "bindings.json"]).exits(1);
    assert!(without.out.contains("/v3/service_plans"), "{}", without.out);
    // In any order.
    let files = [
        "bindings.json",
        "table.jsonl",
        "plans.json",
        "instances.json",
        "spaces.json",
    ];
    let ran = import(&broker, &[&files[..], &["--format", "json"]].concat()).exits(0);
    assert_eq!(
        found(&ran),
        ["instances.json:29 import-failed"],
        "{}",
        ran.out
    );
    assert_eq!(ran.json()["instances"]["new"], 1);
    assert_eq!(ran.json()["bindings"]["new"], 2);

    assert_eq!(
        broker.provision("i", &body(&json!({ "size": 1 }))).status,
        200
    );
    let bound = broker.fetch_binding("i", "b").json();
    assert_eq!(bound["credentials"], json!({ "password": "MARKED-b" }));
    let mut bind = body(&json!({}));
    bind["bind_resource"] = json!({ "app_guid": "app-1", "space_guid": "space-1" });
    assert_eq!(
        broker.bind("i", "b", &bind).status,
        200,
        "as Cloud Foundry binds"
    );
    assert_eq!(
        broker.fetch_binding("i", "k").json()["credentials"]["password"],
        "MARKED-k"
    );
    assert_eq!(broker.fetch("failed").status, 404);
}

fn an_entry_of_a_pool_goes_to_who_has_it(engine: Engine) {
    let broker = scene(engine);
    let mut of_pool = instance("i");
    of_pool["instance"]["plan_id"] = json!("seats");
    let mut held = json!({ "binding": { "instance_id": "i", "id": "b" } });
    broker
        .folder
        .write("old.jsonl", &lines(&[of_pool.clone(), held.clone()]));
    let ran = import(&broker, &["old.jsonl"]).exits(1);
    assert!((ran.out.clone() + &ran.err).contains("`entry`"), "{ran:?}");
    held["binding"]["entry"] = json!("held");
    broker.folder.write("old.jsonl", &lines(&[of_pool, held]));
    import(&broker, &["old.jsonl"]).exits(0);

    let found = broker.fetch_binding("i", "b").json();
    assert_eq!(found["credentials"], json!({ "seat": "held" }));
    let body = json!({ "service_id": "s", "plan_id": "seats" });
    let bound = broker.bind("i", "c", &body);
    assert_eq!(bound.json()["credentials"], json!({ "seat": "free" }));
    let refused = broker.bind("i", "d", &body);
    assert_eq!((refused.status, &*refused.word()), (400, "PoolExhausted"));
    assert_eq!(broker.unbind("i", "b", "s", "seats").status, 200);
    assert_eq!(broker.bind("i", "d", &body).status, 201);
}

/// It is a change as any other: the audit has a line of each, and without an audit that can be written nothing is done.
fn what_is_taken_over_is_told_of(engine: Engine) {
    let (folder, url) = (Arc::new(Folder::new()), engine.url());
    folder.write("catalog.yaml", CATALOG);
    let old = [instance("i"), binding("i", "b"), binding("i", "c")];
    folder.write("old.jsonl", &lines(&old));
    let run = |to: &str, arguments: &[&str]| {
        let environment = [("BROKER_STORE__URL", &*url), ("BROKER_AUDIT__TO", to)];
        run_with(&folder, arguments, &environment)
    };
    let import = |to: &str| run(to, &["store", "import", "old.jsonl"]);
    let ran = import("file:/nowhere/at/all").exits(2);
    assert!(ran.err.contains("/nowhere/at/all"), "{ran:?}");
    // To try it out needs no account of it.
    let dry = [
        "store",
        "import",
        "old.jsonl",
        "--dry-run",
        "--format",
        "json",
    ];
    let ran = run("file:/nowhere/at/all", &dry).exits(0);
    assert_eq!(ran.json()["instances"], json!({ "new": 1, "there": 0 }));

    let ran = import("file:audit.log").exits(0);
    // A line of the log for each would hide what is printed.
    assert!(!ran.err.contains("taken over"), "{}", ran.err);
    let told = fs::read_to_string(folder.path().join("audit.log")).expect("the audit");
    let told: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let subjects: Vec<_> = told
        .iter()
        .map(|line| (line["kind"].clone(), line["binding"].clone()))
        .collect();
    assert_eq!(
        subjects,
        [
            (json!("provision"), Value::Null),
            (json!("bind"), json!("b")),
            (json!("bind"), json!("c")),
        ]
    );
    for line in &told {
        for (key, value) in [
            ("event", "intervened"),
            ("by", "command"),
            ("instance", "i"),
            ("result", "taken over"),
        ] {
            assert_eq!(line[key], value, "{line}");
        }
        assert!(
            line["uid"].is_u64() && line["operation"].is_string(),
            "{line}"
        );
        assert!(!line.to_string().contains("MARKED"), "{line}");
    }
    // What was there already was not changed; and what is new stands in the store, where that is the place.
    let more = [&old[..], &[binding("i", "d")]].concat();
    folder.write("old.jsonl", &lines(&more));
    import("store").exits(0);
    let verified = run("store", &["audit", "verify"]).exits(0);
    assert!(
        verified.out.starts_with("1 line, the chain holds"),
        "{verified:?}"
    );
}
