//! Every `error` word there is: each is answered by a request, or needs a fault that no request makes; and the README
//! has them all.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use catalog_broker::http::WORDS;
use serde_json::{Value, json};

use crate::documents::{WIDE, bind_of, provision_of, provisioned};
use crate::harness::{Broker, Setup, at_binding, at_instance, with};
use crate::http::{Connection, Response};

/// Words that no single request can bring about, and what does: they are not answered here.
const NEED_A_FAULT: [(&str, &str); 18] = [
    ("AsyncRequired", "a plan must answer later: `later`"),
    ("OperationRefused", "a backend must refuse: `later`"),
    ("UpdateRefused", "a backend must refuse: `later`"),
    ("OperationFailed", "a backend must fail: `later`"),
    ("InstanceNotUsable", "a backend must fail: `later`"),
    ("StillRunning", "a backend must be slow: `later`"),
    ("PlanRetired", "a plan must be retired: `lifecycle`"),
    ("PoolExhausted", "a plan must lend all it has: `pools`"),
    ("QuotaExceeded", "a plan must have limits: `limits`"),
    (
        "BackendGone",
        "a plan must go while its instances live: `later`",
    ),
    (
        "ConcurrencyError",
        "others must change one instance eight times between a look and a commit",
    ),
    ("CatalogBreaks", "a catalog must break what lives: `admin`"),
    ("SettingsInvalid", "the settings must have errors: `admin`"),
    ("DocumentInvalid", "a document must have errors: `admin`"),
    (
        "FilesUnsettled",
        "files must be written all the time: `admin`",
    ),
    ("TooManyLogins", "wrong logins must come often: `logins`"),
    (
        "StoreUnavailable",
        "the store's disk must be full, read-only or away",
    ),
    (
        "NotReady",
        "the process must be stopping, or its store away",
    ),
];

/// Requests that are refused, each in another way.
fn refused() -> Vec<Response> {
    let document = WIDE.replace(
        "id: plain, name: plain",
        "id: plain, name: plain, instance: { dashboard_url: \"{{ instance.context.url }}\" }",
    );
    assert_ne!(document, WIDE);
    let leaving =
        format!("{document}      - {{ id: leaving, name: leaving, description: Leaves }}\n");
    let broker = Setup::new(&leaving)
        .env("BROKER_AUTH__LOGINS__METRICS__TOKEN", "metrics")
        .env("BROKER_AUTH__LOGINS__METRICS__ROLE", "metrics")
        .env("BROKER_SERVER__REQUEST_TIMEOUT", "1s")
        .start();
    provisioned(&broker, "i-left", "narrow", "leaving");
    broker.folder.write("catalog.yaml", &document);
    let broker = broker.restarted();
    for plan in ["still", "apps", "routed", "plain"] {
        provisioned(&broker, &format!("i-{plan}"), "wide", plan);
    }
    provisioned(&broker, "i-narrow", "narrow", "narrow-plan");
    assert_eq!(
        broker
            .bind("i-plain", "b", &bind_of("wide", "plain"))
            .status,
        201
    );
    let mut answers = doors(&broker);
    answers.extend(bodies(&broker));
    answers.extend(instances(&broker));
    answers.extend(bindings(&broker));
    answers
}

fn doors(broker: &Broker) -> Vec<Response> {
    let catalog = broker.request("GET", "/v2/catalog");
    let mut slow = Connection::open(broker.address).expect("a connection");
    let waiting = broker
        .request("PUT", &at_instance("slow"))
        .header("Content-Length", "9");
    slow.write(&waiting.to_bytes()).expect("a head");
    let slow = slow.read("PUT").expect("an answer");
    let asked = [
        catalog.clone().header("X-Long", &"x".repeat(70 << 10)),
        broker.request("GET", &format!("/{}", "x".repeat(20 << 10))),
        broker
            .request("PUT", &at_instance("i"))
            .header("Content-Length", "99999999"),
        catalog.clone().header("Content-Encoding", "gzip"),
        catalog.clone().without("Authorization"),
        catalog.clone().header("Authorization", "Bearer metrics"),
        catalog.without("X-Broker-API-Version"),
        broker.request("GET", "/nothing"),
        broker.request("POST", "/v2/catalog"),
        broker.request("GET", &at_instance("%00")),
    ];
    asked
        .iter()
        .map(|request| broker.send(request))
        .chain([slow])
        .collect()
}

fn bodies(broker: &Broker) -> Vec<Response> {
    let put = |body: &Value| broker.provision("i", body);
    let body = provision_of("wide", "kept");
    let query = format!("{}?plan_id=a&plan_id=b", at_instance("i"));
    vec![
        broker.send(&broker.request("PUT", &at_instance("i")).body("[")),
        put(&json!({})),
        broker.put(&query, &body),
        put(&provision_of("none", "none")),
        put(&provision_of("wide", "none")),
        put(&with(
            body,
            "maintenance_info",
            json!({ "version": "0.0.1" }),
        )),
        put(&provision_of("wide", "strict")),
        put(&with(
            provision_of("wide", "plain"),
            "context",
            json!({ "url": 5 }),
        )),
    ]
}

fn instances(broker: &Broker) -> Vec<Response> {
    let update = |instance: &str, body: Value| broker.update(instance, &body);
    vec![
        broker.fetch("none"),
        broker.fetch("i-narrow"),
        broker.poll("none"),
        broker.deprovision("none", "wide", "plain"),
        broker.provision(
            "i-plain",
            &with(provision_of("wide", "plain"), "space_guid", json!("x")),
        ),
        update("i-plain", json!({ "service_id": "narrow" })),
        update(
            "i-still",
            json!({ "service_id": "wide", "plan_id": "plain" }),
        ),
        update(
            "i-left",
            json!({ "service_id": "narrow", "parameters": {} }),
        ),
    ]
}

fn bindings(broker: &Broker) -> Vec<Response> {
    let resource =
        |plan: &str, resource: Value| with(bind_of("wide", plan), "bind_resource", resource);
    let rotation = json!({ "predecessor_binding_id": "none" });
    vec![
        broker.send(&broker.request("GET", &at_binding("i-plain", "none"))),
        broker.bind("i-plain", "b", &resource("plain", json!({}))),
        broker.bind("i-plain", "c", &bind_of("wide", "other")),
        broker.bind("i-plain", "c", &bind_of("wide", "unbound")),
        broker.bind("i-plain", "c", &rotation),
        broker.bind("i-narrow", "c", &rotation),
        broker.bind("i-apps", "c", &resource("apps", json!({}))),
        broker.bind("i-routed", "c", &resource("routed", json!({}))),
        broker.bind("i-left", "c", &bind_of("narrow", "leaving")),
    ]
}

#[test]
fn every_word_is_answered() {
    let answered: BTreeSet<(u16, String)> = refused()
        .iter()
        .map(|response| (response.status, response.word()))
        .collect();
    let mut expected: BTreeSet<(u16, String)> = BTreeSet::new();
    for word in WORDS {
        let fault = NEED_A_FAULT.iter().any(|(name, _)| *name == word.name);
        if !fault {
            expected.insert((word.status, word.name.to_owned()));
        }
    }
    assert_eq!(answered, expected);
    for (name, _) in NEED_A_FAULT {
        assert!(
            WORDS.iter().any(|word| word.name == name),
            "{name} is no word any more"
        );
    }
}

#[test]
fn a_word_has_one_meaning() {
    let names: BTreeSet<&str> = WORDS.iter().map(|word| word.name).collect();
    // A limit and a retired plan mean the same wherever they are met; on a PATCH the specification has 422 for them.
    for name in ["QuotaExceeded", "PlanRetired"] {
        let twice = WORDS.iter().filter(|word| word.name == name);
        assert_eq!(twice.count(), 2, "{name}");
    }
    assert_eq!(names.len(), WORDS.len() - 2);
    let sorted = WORDS
        .windows(2)
        .all(|pair| pair[0].status <= pair[1].status);
    assert!(sorted, "in the order of their status");
    let reserved = [
        ("ConcurrencyError", 422),
        ("RequiresApp", 422),
        ("MaintenanceInfoConflict", 422),
    ];
    for (name, status) in reserved {
        let word = WORDS.iter().find(|word| word.name == name);
        assert_eq!(
            word.map(|word| word.status),
            Some(status),
            "the specification's own"
        );
    }
}

/// The README's section, as it should be.
fn section() -> String {
    let mut text = "## Errors\n\n| status | `error` | when |\n| --- | --- | --- |\n".to_owned();
    for word in WORDS {
        let _ = writeln!(
            text,
            "| {} | `{}` | {} |",
            word.status, word.name, word.when
        );
    }
    text
}

/// The rows of the table below `## Errors`; none where there is no such heading.
fn rows(readme: &str) -> Option<Vec<&str>> {
    let (_, rest) = readme.split_once("\n## Errors\n")?;
    let end = rest.find("\n## ").unwrap_or(rest.len());
    let table = rest[..end].lines().filter(|line| line.starts_with('|'));
    Some(table.skip(2).collect())
}

#[test]
fn the_readme_has_every_word() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(path).unwrap_or_default();
    let section = section();
    let alone = format!("\n{section}");
    let expected = rows(&alone);
    match rows(&readme) {
        None => panic!("README.md has no `## Errors`. To be pasted there:\n\n{section}"),
        found => assert_eq!(found, expected, "README.md should have:\n\n{section}"),
    }
}

/// The comparison sees a row that is missing, changed or in the wrong place, and text around the table is free.
#[test]
fn the_comparison_is_not_blind() {
    let section = section();
    let alone = format!("\n{section}");
    let expected = rows(&alone);
    assert_eq!(expected.as_ref().map(Vec::len), Some(WORDS.len()));
    let around = format!(
        "# x\n\n{}\nMore.\n\n## Next\n\n| a |\n",
        section.replace("## Errors\n", "## Errors\n\nEach is a word.\n")
    );
    assert_eq!(rows(&around), expected);
    for broken in [
        section.replace("| 410 | `Gone`", "| 404 | `Gone`"),
        section.replace("`Gone`", "`Going`"),
        section.replace("| 401 |", "401"),
        section.replace("the credentials are missing", "the credentials"),
    ] {
        assert_ne!(broken, section);
        assert_ne!(rows(&format!("\n{broken}")), expected);
    }
    assert_eq!(rows("# x\n\n## Other\n"), None);
}
