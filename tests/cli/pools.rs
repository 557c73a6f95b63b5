//! `store stats` of pools: how many entries are free, held, and at rest.

use serde_json::json;

use crate::engines::{Engine, Scene, on_both};
use crate::harness::Setup;

on_both! { entries_are_counted_as_they_stand }

const CATALOG: &str = r#"
backends:
  seats: { pool: { entries: "${json:SEATS}", reuse: { after: 24h } } }
  keys: { pool: { entries: [{ name: k, credentials: { key: k } }] } }
services:
  - id: s
    name: seats
    description: Seats
    bindable: true
    plans:
      - { id: seat, name: seat, description: A seat, backend: { use: seats } }
      - { id: key, name: key, description: A key, backend: { use: keys } }
"#;

fn entries_are_counted_as_they_stand(engine: Engine) {
    let entry = |name: &str| json!({ "name": name, "credentials": { "seat": name } });
    let seats = ["a", "b", "c", "d"].map(entry);
    let seats = json!(seats).to_string();
    let scene = Scene::on(engine, Setup::new(CATALOG).env("SEATS", &seats));
    let ids = json!({ "service_id": "s", "plan_id": "seat", "organization_guid": "o", "space_guid": "s" });
    assert_eq!(scene.provision("i", &ids).status, 201);
    for binding in ["one", "two"] {
        assert_eq!(scene.bind("i", binding, &ids).status, 201);
    }
    assert_eq!(scene.unbind("i", "one", "s", "seat").status, 200);

    let counted = |more: &[&str], seats: Option<&str>| {
        let variables = [("BROKER_STORE__URL", scene.url.as_str())];
        let seats = seats.map(|seats| ("SEATS", seats));
        let variables: Vec<_> = variables.into_iter().chain(seats).collect();
        let arguments = [&["store", "stats"], more].concat();
        crate::runner::run_with(&scene.broker.folder, &arguments, &variables).exits(0)
    };
    let as_json = ["--format", "json"];
    let pools = |seats| counted(&as_json, seats).json()["pools"].clone();
    assert_eq!(
        pools(Some(&seats)),
        json!([
            { "pool": "keys", "free": 1, "held": 0, "resting": 0 },
            { "pool": "seats", "free": 2, "held": 1, "resting": 1 },
        ])
    );
    // `b` is held still after it was withdrawn, and `a` rests no more.
    let fewer = json!([entry("c")]).to_string();
    assert_eq!(
        pools(Some(&fewer))[1],
        json!({ "pool": "seats", "free": 1, "held": 1, "resting": 0 })
    );
    // Without the document nobody knows what else there is to lend.
    assert_eq!(
        pools(None),
        json!([{ "pool": "seats", "free": null, "held": 1, "resting": null }])
    );
    let table = counted(&[], Some(&seats)).out;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    for row in [
        "pool seats free 2",
        "pool seats held 1",
        "pool seats resting 1",
        "pool keys free 1",
    ] {
        let row: Vec<&str> = row.split(' ').collect();
        assert!(rows.contains(&row), "{row:?} in\n{table}");
    }
    assert!(counted(&[], None).out.contains('?'));
}
