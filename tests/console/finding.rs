//! Instances and operations are found: by any id, page by page, on both engines.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{Broker, CATALOG, PLAN, SERVER, SERVICE, Setup, provision_body as body};
use crate::scene;
use crate::visitor::{Visitor, encoded, links};

fn on_sqlite() -> Broker {
    scene::with_logins(Setup::new(CATALOG)).start()
}

fn on_postgres() -> Broker {
    let url = SERVER.url(&SERVER.database());
    scene::with_logins(Setup::new(CATALOG))
        .env("BROKER_STORE__URL", &url)
        .start()
}

/// The instances that a page shows.
fn shown(page: &str) -> Vec<String> {
    let page = page.split_once("<tbody>").map_or("", |(_, rest)| rest);
    let mut found: Vec<String> = links(page)
        .iter()
        .filter_map(|link| {
            link.split_once("/instance?id=")
                .map(|(_, id)| id.to_owned())
        })
        .collect();
    found.dedup();
    found
}

fn found_by_any_id(broker: &Broker) {
    for (instance, organization, space) in [
        ("aaa-1", "org-1", "space-1"),
        ("aaa-2", "org-1", "space-2"),
        ("bbb", "org-2", "space-3"),
    ] {
        let mut request = body();
        request["organization_guid"] = organization.into();
        request["space_guid"] = space.into();
        assert_eq!(broker.provision(instance, &request).status, 201);
    }
    for (instance, binding, app) in [
        ("aaa-2", "binding-1", "app-1"),
        ("bbb", "binding-2", "app-1"),
        ("bbb", "binding-3", "app-2"),
    ] {
        let bind = json!({ "service_id": SERVICE, "plan_id": PLAN, "app_guid": app });
        assert_eq!(broker.bind(instance, binding, &bind).status, 201);
    }
    let mut visitor = Visitor::signed_in(broker, "vera");
    for (query, expected) in [
        ("", &["aaa-1", "aaa-2", "bbb"][..]),
        ("q=aaa-1", &["aaa-1"]),
        ("q=aa", &["aaa-1", "aaa-2"]),
        ("q=%20bbb%20", &["bbb"]),
        ("q=org-1", &["aaa-1", "aaa-2"]),
        ("q=space-3", &["bbb"]),
        ("q=binding-1", &["aaa-2"]),
        ("q=app-1", &["aaa-2", "bbb"]),
        ("q=app", &[]),
        ("q=%25", &[]),
        ("q=a_a", &[]),
        ("q=%00", &[]),
        ("app=app-2", &["bbb"]),
        ("space=space-2", &["aaa-2"]),
        ("organization=org-2", &["bbb"]),
        ("q=app-1&organization=org-2", &["bbb"]),
        (
            &format!("plan={PLAN}&state=succeeded"),
            &["aaa-1", "aaa-2", "bbb"],
        ),
        ("plan=other", &[]),
        ("state=failed", &[]),
    ] {
        let page = visitor.get(&format!("/instances?{query}"));
        assert_eq!(page.status, 200, "{query}: {}", broker.log());
        assert_eq!(shown(&page.text()), expected, "{query}");
    }
    let page = visitor.get("/instance?id=bbb").text();
    let operation = page.split_once("/operation?id=").expect("an operation").1;
    let operation = &operation[..32];
    let page = visitor.get(&format!("/instances?q={operation}")).text();
    assert!(
        page.contains("the id of an operation")
            && page.contains(&format!("/operation?id={operation}")),
        "{page}"
    );
}

#[test]
fn instances_are_found_by_any_id_on_sqlite() {
    found_by_any_id(&on_sqlite());
}

#[test]
fn instances_are_found_by_any_id_on_postgres() {
    found_by_any_id(&on_postgres());
}

/// Each once, whatever they are called.
fn gone_through_page_by_page(broker: &Broker) {
    let odd = ["..", "a/b", "a&b=c", "%2F", "ä", "<b>\"'", " space "];
    let mut all: BTreeSet<String> = (0..115).map(|number| format!("i-{number:03}")).collect();
    all.extend(odd.map(str::to_owned));
    for instance in &all {
        let path = format!("/v2/service_instances/{}", encoded(instance));
        assert_eq!(broker.put(&path, &body()).status, 201, "{instance}");
    }
    let mut visitor = Visitor::signed_in(broker, "vera");
    for (list, count) in [
        ("/console/instances", "instance?id="),
        ("/console/operations", "operation?id="),
    ] {
        let mut seen = Vec::new();
        let mut next = Some(list.to_owned());
        let mut pages = 0;
        while let Some(page) = next {
            let answer = visitor.get(&page);
            assert_eq!(answer.status, 200, "{page}");
            let text = answer.text();
            let (_, table) = text.split_once("<tbody>").expect("a table");
            let rows = table.split("</tbody>").next().unwrap_or_default();
            seen.extend(links(rows).into_iter().filter(|link| link.contains(count)));
            let rest = text.split_once("rel=\"next\"").map(|(before, _)| before);
            next = rest
                .and_then(|before| before.rsplit_once("<a href=\""))
                .map(|(_, link)| {
                    link.split('"')
                        .next()
                        .unwrap_or_default()
                        .replace("&amp;", "&")
                });
            pages += 1;
        }
        assert_eq!(pages, 3, "{list}");
        let unique: BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), unique.len()), (all.len(), all.len()), "{list}");
        for link in &seen {
            let page = visitor.get(link);
            assert_eq!(page.status, 200, "{link}");
        }
    }
}

#[test]
fn lists_are_gone_through_page_by_page_on_sqlite() {
    gone_through_page_by_page(&on_sqlite());
}

#[test]
fn lists_are_gone_through_page_by_page_on_postgres() {
    gone_through_page_by_page(&on_postgres());
}
