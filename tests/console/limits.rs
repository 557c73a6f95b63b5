//! How full limits are: over all, in the fullest organizations and spaces, and of one instance.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Broker, SERVER, Setup};
use crate::scene;
use crate::visitor::{Visitor, links};

const CATALOG: &str = "
services:
  - id: s
    name: database
    description: Limited
    bindable: true
    limits: { per_organization: 10, bindings_per_instance: 5 }
    plans:
      - { id: p, name: small, description: Few, limits: { instances: 20, per_space: 4, bindings_per_instance: 3 } }
      - { id: q, name: large, description: Fewer }
  - id: t
    name: free
    description: Not limited
    bindable: true
    plans: [{ id: r, name: free, description: Any }]
";

fn of(service: &str, plan: &str, organization: &str, space: &str) -> Value {
    json!({
        "service_id": service, "plan_id": plan, "organization_guid": organization, "space_guid": space,
    })
}

/// The rows of a table, as texts without markup.
fn rows(page: &str, table: &str) -> Vec<String> {
    let label = format!("aria-label=\"{table}\"");
    let (_, rest) = page.split_once(&label).unwrap_or(("", ""));
    let body = rest.split("<tbody>").nth(1).unwrap_or_default();
    let body = body.split("</tbody>").next().unwrap_or_default();
    let rows = body.split("<tr>").skip(1);
    rows.map(|row| {
        let parts = row.split('<').filter_map(|part| part.split_once('>'));
        let texts = parts.map(|(_, text)| text.trim());
        texts
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    })
    .collect()
}

fn shown(broker: &Broker) {
    let mut visitor = Visitor::signed_in(broker, "vera");
    let empty = visitor.get("/limits").text();
    assert!(
        empty.contains("There are no instances of what has a limit for each."),
        "{empty}"
    );
    let mut number = 0;
    let mut provision = |service: &str, plan: &str, organization: &str, space: &str, count: u32| {
        for _ in 0..count {
            number += 1;
            let body = of(service, plan, organization, space);
            let answer = broker.provision(&format!("i-{number}"), &body);
            assert_eq!(answer.status, 201, "{}", answer.text());
        }
    };
    provision("s", "p", "org-a", "space-a1", 4);
    provision("s", "p", "org-a", "space-a2", 1);
    provision("s", "q", "org-b", "space-b1", 9);
    provision("s", "q", "org-c", "space-c1", 2);
    provision("s", "q", "org-d", "space-d1", 1);
    provision("t", "r", "org-e", "space-e1", 12);
    let full = broker.provision("one-more", &of("s", "p", "org-a", "space-a1"));
    assert_eq!(full.status, 400, "{}", full.text());

    // A count is a few seconds old at most; a step of an operator is seen at once.
    let mut anna = Visitor::signed_in(broker, "anna");
    let token = anna.token();
    let forgotten = anna.post("/instance/forget?id=i-5", &[("token", &token)]);
    assert_eq!(forgotten.status, 303, "{}", forgotten.text());
    let page = visitor.get("/limits").text();
    assert_eq!(
        rows(&page, "Limits"),
        ["database 16 10 none 5", "database/small 4 of 20 none 4 3",]
    );
    assert_eq!(
        rows(&page, "Fullest organizations"),
        [
            "org-b database database 9 of 10",
            "org-a database database 4 of 10",
            "org-c database database 2 of 10",
        ]
    );
    assert_eq!(
        rows(&page, "Fullest spaces"),
        ["space-a1 database/small database/small 4 of 4 full"]
    );
    let ways = links(&page);
    // Where the platform has said what it calls them, they are called so, by what it said last.
    for (instance, name) in [("i-1", "retail"), ("i-2", "retail & sales")] {
        let context = json!({ "organization_name": name, "space_name": "production" });
        let body = json!({ "service_id": "s", "context": context });
        assert_eq!(broker.update(instance, &body).status, 200);
        // The one after it is later.
        thread::sleep(Duration::from_millis(5));
    }
    let forgotten = anna.post("/instance/forget?id=i-16", &[("token", &token)]);
    assert_eq!(forgotten.status, 303, "{}", forgotten.text());
    let page = visitor.get("/limits").text();
    assert_eq!(
        rows(&page, "Fullest organizations")[1],
        "retail &amp; sales org-a database database 4 of 10"
    );
    assert_eq!(
        rows(&page, "Fullest spaces"),
        ["production space-a1 database/small database/small 4 of 4 full"]
    );
    let page = visitor.get("/instance?id=i-1").text();
    for shown in ["retail", "org-a", "production", "space-a1"] {
        assert!(page.contains(&format!(">{shown}<")), "{shown}: {page}");
    }
    for way in [
        "/console/instances?organization=org-b",
        "/console/instances?plan=p&space=space-a1",
    ] {
        assert!(ways.iter().any(|link| link == way), "{ways:?}");
        assert_eq!(visitor.get(way).status, 200);
    }

    let bind = json!({ "service_id": "s", "plan_id": "p" });
    for binding in ["b-1", "b-2"] {
        assert_eq!(broker.bind("i-1", binding, &bind).status, 201);
    }
    let page = visitor.get("/instance?id=i-1").text();
    assert!(page.contains("2 of 3"), "{page}");
    assert_eq!(broker.bind("i-1", "b-3", &bind).status, 201);
    assert_eq!(broker.bind("i-1", "b-4", &bind).status, 400);
    let page = visitor.get("/instance?id=i-1").text();
    assert!(page.contains("3 of 3"), "{page}");
    let page = visitor.get("/instance?id=i-6").text();
    assert!(page.contains("0 of 5"), "{page}");
}

#[test]
fn how_full_limits_are_is_shown_on_sqlite() {
    shown(&scene::with_logins(Setup::new(CATALOG)).start());
}

#[test]
fn how_full_limits_are_is_shown_on_postgres() {
    let url = SERVER.url(&SERVER.database());
    let setup = scene::with_logins(Setup::new(CATALOG)).env("BROKER_STORE__URL", &url);
    shown(&setup.start());
}

#[test]
fn where_no_limit_is_for_each_there_are_no_fullest() {
    let catalog = CATALOG
        .replace("per_organization: 10, ", "")
        .replace("per_space: 4, ", "");
    let broker = scene::with_logins(Setup::new(&catalog)).start();
    let page = Visitor::signed_in(&broker, "vera").get("/limits").text();
    assert!(
        page.contains("database/small") && !page.contains("Fullest"),
        "{page}"
    );
}
