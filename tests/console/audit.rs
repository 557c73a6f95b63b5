//! Who changed what, as the console shows it: from a file and from the store on both engines, found by any of its ids.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{
    Broker, CATALOG, PLAN, SERVER, SERVICE, Setup, at_instance, provision_body as body,
};
use crate::scene;
use crate::visitor::{Visitor, links};

const PATIENCE: Duration = Duration::from_secs(60);

fn to(place: &str) -> Setup {
    scene::with_logins(Setup::new(CATALOG)).env("BROKER_AUDIT__TO", place)
}

/// The numbers of the lines that a page shows.
fn shown(page: &str) -> Vec<u64> {
    let cells = page.split("class=\"right more number\">").skip(1);
    let digits = cells.map(|cell| {
        let cell = cell.split('<').next().unwrap_or_default();
        cell.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    });
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

/// The page, as soon as it shows so many lines.
fn awaited(visitor: &mut Visitor<'_>, page: &str, count: usize) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = visitor.get(page);
        assert_eq!(answer.status, 200, "{page}: {}", answer.text());
        let text = answer.text();
        if shown(&text).len() >= count {
            return text;
        }
        assert!(Instant::now() < until, "not {count} lines: {text}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn next(page: &str) -> Option<String> {
    let (before, _) = page.split_once("rel=\"next\"")?;
    links(&format!("{before}>")).pop()
}

fn found(broker: &Broker) {
    let request = |method: &str, path: &str| {
        // {"user_id":"u-1"}
        broker.request(method, path).header(
            "X-Broker-API-Originating-Identity",
            "cloudfoundry eyJ1c2VyX2lkIjoidS0xIn0=",
        )
    };
    for number in 0..60 {
        let request = request("PUT", &at_instance(&format!("i-{number:02}")));
        assert_eq!(broker.send(&request.json(&body())).status, 201);
    }
    let bind = json!({ "service_id": SERVICE, "plan_id": PLAN });
    assert_eq!(broker.bind("i-07", "b-1", &bind).status, 201);
    let unknown =
        json!({ "service_id": "x", "plan_id": "x", "organization_guid": "o", "space_guid": "s" });
    assert_eq!(broker.provision("i-99", &unknown).status, 400);
    assert_eq!(broker.deprovision("i-08", SERVICE, PLAN).status, 200);

    let mut visitor = Visitor::signed_in(broker, "vera");
    awaited(&mut visitor, "/audit?what=deprovision", 1);
    // All of them, the newest first, each once.
    let mut seen = Vec::new();
    let mut page = Some("/audit".to_owned());
    let mut pages = 0;
    while let Some(at) = page {
        let text = visitor.get(&at).text();
        seen.extend(shown(&text));
        page = next(&text);
        pages += 1;
    }
    assert_eq!(pages, 2);
    // 60, a bind, a refusal, a deprovision, and the start.
    assert_eq!(seen, (1..=64).rev().collect::<Vec<u64>>());

    let text = visitor.get("/audit?instance=i-07").text();
    assert!(
        text.contains("To the instance") && text.contains("u-1"),
        "{text}"
    );
    let binding = text
        .split("/console/audit?")
        .find(|link| link.contains("binding=b-1"));
    assert!(binding.is_some(), "{text}");
    let (_, operation) = text.split_once("operation=").expect("an operation");
    let operation = &operation[..32];
    for (query, count) in [
        ("instance=i-07", 2),
        ("q=i-07", 2),
        ("q=%20i-07%20", 2),
        ("q=b-1", 1),
        ("q=i-0", 0),
        ("instance=i-07&binding=b-1", 1),
        ("binding=b-1", 1),
        (&format!("q={operation}"), 1),
        (&format!("instance=i-07&operation={operation}"), 1),
        ("instance=i-99", 1),
        ("what=refused", 1),
        ("what=bind", 1),
        ("what=started", 1),
        ("what=failed", 0),
        ("who=u-1&instance=i-08", 1),
        ("who=u-2", 0),
        ("who=default&instance=i-08", 2),
        ("q=i-08&what=deprovision&who=default", 1),
        ("q=none", 0),
        ("q=%00", 0),
    ] {
        let page = visitor.get(&format!("/audit?{query}"));
        assert_eq!(page.status, 200, "{query}");
        assert_eq!(shown(&page.text()).len(), count, "{query}: {}", page.text());
    }
    let refused = visitor.get("/audit?what=refused").text();
    assert!(refused.contains("400 ServiceNotInCatalog"), "{refused}");
    // What is gone has lines, and no page.
    assert!(
        !visitor
            .get("/audit?instance=i-08")
            .text()
            .contains("To the instance")
    );
    // And back from the pages of things.
    let page = visitor.get("/instance?id=i-07").text();
    let ways: BTreeSet<String> = links(&page)
        .into_iter()
        .filter(|link| link.contains("/audit?"))
        .collect();
    assert_eq!(
        ways.into_iter().collect::<Vec<_>>(),
        [
            "/console/audit?instance=i-07",
            "/console/audit?instance=i-07&binding=b-1"
        ]
    );
    let page = visitor.get(&format!("/operation?id={operation}")).text();
    let way = format!("/console/audit?instance=i-07&operation={operation}");
    assert!(links(&page).contains(&way), "{page}");
    for bad in ["x", "-1", "1e3", "99999999999999999999"] {
        assert_eq!(
            visitor.get(&format!("/audit?from={bad}")).status,
            400,
            "{bad}"
        );
    }
    assert_eq!(
        shown(&visitor.get("/audit?from=9999999999").text()).len(),
        50
    );
}

#[test]
fn who_changed_what_is_found_in_a_file() {
    found(&to("file:audit.log").start());
}

#[test]
fn who_changed_what_is_found_in_sqlite() {
    found(&to("store").start());
}

#[test]
fn who_changed_what_is_found_in_postgres() {
    let url = SERVER.url(&SERVER.database());
    found(&to("store").env("BROKER_STORE__URL", &url).start());
}

#[test]
fn where_nobody_can_read_it_again_the_page_says_where_it_is() {
    for (place, said) in [
        ("stdout", "standard output of each broker"),
        ("none", "audit.to is none"),
    ] {
        let broker = to(place).start();
        let page = Visitor::signed_in(&broker, "vera").get("/audit");
        assert_eq!(page.status, 200);
        assert!(page.text().contains(said), "{place}: {}", page.text());
    }
}

/// A file that somebody broke is no reason to show nothing, and one that cannot be read is told of without what it says.
#[test]
fn a_file_that_is_not_what_it_was() {
    let broker = to("file:audit.log").start();
    let mut visitor = Visitor::signed_in(&broker, "anna");
    assert_eq!(broker.provision("i-1", &body()).status, 201);
    awaited(&mut visitor, "/audit", 2);
    let file = broker.folder.path().join("audit.log");
    let mut text = std::fs::read_to_string(&file).expect("the file");
    text.push_str("{\"seq\":3,\"event\":\"<b>\\\"'&\",\"login\":\"<script>x</script>\",\"secret\":\"MARKED\"}\nno line\n{\"seq\"");
    std::fs::write(&file, text).expect("written");
    let page = visitor.get("/audit").text();
    assert_eq!(shown(&page), [3, 2, 1]);
    assert!(
        page.contains("&lt;script&gt;") && !page.contains("MARKED"),
        "{page}"
    );
    std::fs::remove_file(&file).expect("it was there");
    std::fs::create_dir(&file).expect("a folder in its place");
    let page = visitor.get("/audit");
    assert_eq!(page.status, 503);
    assert!(
        page.text().contains("The audit cannot be read"),
        "{}",
        page.text()
    );
    broker.wait_for_log("the audit cannot be read");
}
