//! Each thing that Cloud Controller is known to refuse in a catalog, and what refuses it here.

use serde_json::{Value, json};

use crate::harness::{document, load, rules, told};

type Line = (&'static str, &'static str, Value, Value);

fn lines() -> Vec<(&'static str, Vec<Line>)> {
    let service = |rule, bad: Value| ("service", rule, bad, json!(null));
    let plan = |rule, bad: Value| ("plan", rule, bad, json!(null));
    let blank = |key: &str| {
        vec![
            service("not-blank", json!({ key: " " })),
            service("not-blank", json!({ key: "" })),
            service("wrong-type", json!({ key: 5 })),
            service("required-key", json!({ key: null })),
            plan("not-blank", json!({ key: " " })),
            plan("wrong-type", json!({ key: ["x"] })),
            plan("required-key", json!({ key: "-" })),
        ]
    };
    let client = |value: Value| json!({ "dashboard_client": value });
    let schema = |value: Value| json!({ "schemas": { "service_binding": { "create": { "parameters": value } } } });
    vec![
        (
            "at least one service",
            vec![
                (
                    "top",
                    "services-empty",
                    json!({ "services": [] }),
                    json!(null),
                ),
                (
                    "top",
                    "required-key",
                    json!({ "services": "-" }),
                    json!(null),
                ),
            ],
        ),
        ("id", blank("id")),
        ("name", blank("name")),
        ("description", blank("description")),
        (
            "bindable a boolean and present",
            vec![
                service("required-key", json!({ "bindable": "-" })),
                service("wrong-type", json!({ "bindable": 1 })),
                plan("wrong-type", json!({ "bindable": "yes" })),
            ],
        ),
        (
            "booleans of a service",
            [
                "plan_updateable",
                "bindings_retrievable",
                "instances_retrievable",
                "allow_context_updates",
            ]
            .map(|key| service("wrong-type", json!({ key: "true" })))
            .into(),
        ),
        (
            "tags an array of strings",
            vec![
                service("wrong-type", json!({ "tags": "a" })),
                service("wrong-type", json!({ "tags": [1] })),
                service("wrong-type", json!({ "tags": [null] })),
            ],
        ),
        (
            "tags at most 2048 characters",
            vec![service(
                "tags-length",
                json!({ "tags": ["x".repeat(2049)] }),
            )],
        ),
        (
            "requires an array out of three",
            vec![
                service("wrong-type", json!({ "requires": "syslog_drain" })),
                service("unknown-word", json!({ "requires": ["syslog_drian"] })),
            ],
        ),
        (
            "metadata an object",
            vec![
                service("wrong-type", json!({ "metadata": [] })),
                plan("wrong-type", json!({ "metadata": "x" })),
            ],
        ),
        (
            "shareable a boolean",
            vec![service(
                "wrong-type",
                json!({ "metadata": { "shareable": "true" } }),
            )],
        ),
        (
            "dashboard_client an object with three",
            vec![
                service("wrong-type", client(json!("x"))),
                service("required-key", client(json!({ "id": "a", "secret": "b" }))),
                service(
                    "not-blank",
                    client(json!({ "id": "a", "secret": " ", "redirect_uri": "https://h" })),
                ),
                service(
                    "wrong-type",
                    client(json!({ "id": 1, "secret": "b", "redirect_uri": "https://h" })),
                ),
            ],
        ),
        (
            "plans a non-empty array of objects",
            vec![
                service("plans-empty", json!({ "plans": [] })),
                service("plans-empty", json!({ "plans": "-" })),
                service("wrong-type", json!({ "plans": {} })),
                service("wrong-type", json!({ "plans": ["x"] })),
            ],
        ),
        (
            "booleans of a plan",
            ["free", "plan_updateable", "binding_rotatable"]
                .map(|key| plan("wrong-type", json!({ key: "false" })))
                .into(),
        ),
        (
            "maximum_polling_duration an integer",
            vec![
                plan("wrong-type", json!({ "maximum_polling_duration": "60" })),
                plan("wrong-type", json!({ "maximum_polling_duration": 1.5 })),
                plan("wrong-type", json!({ "maximum_polling_duration": -1 })),
            ],
        ),
        (
            "schemas an object",
            vec![
                plan("wrong-type", json!({ "schemas": [] })),
                plan("wrong-type", schema(json!("x"))),
            ],
        ),
        (
            "a description at most 10,000",
            vec![
                service(
                    "description-limit",
                    json!({ "description": "x".repeat(10_001) }),
                ),
                plan(
                    "description-limit",
                    json!({ "description": "x".repeat(10_001) }),
                ),
            ],
        ),
        (
            "maintenance_info",
            vec![
                plan("wrong-type", json!({ "maintenance_info": "1.0.0" })),
                plan(
                    "required-key",
                    json!({ "maintenance_info": { "description": "x" } }),
                ),
                plan(
                    "maintenance-version",
                    json!({ "maintenance_info": { "version": "1" } }),
                ),
                plan(
                    "wrong-type",
                    json!({ "maintenance_info": { "version": 1.5 } }),
                ),
                plan(
                    "wrong-type",
                    json!({ "maintenance_info": { "version": "1.0.0", "description": 1 } }),
                ),
                plan(
                    "unknown-key",
                    json!({ "maintenance_info": { "version": "1.0.0", "public": true } }),
                ),
                plan(
                    "maintenance-size",
                    json!({ "maintenance_info": { "version": "1.0.0", "description": "x".repeat(2001) } }),
                ),
            ],
        ),
        (
            "each schema",
            vec![
                plan(
                    "schema-size",
                    schema(
                        json!({ "$schema": "http://json-schema.org/draft-04/schema#", "description": "x".repeat(70_000) }),
                    ),
                ),
                plan("schema-declares-draft", schema(json!({}))),
                plan(
                    "schema-valid",
                    schema(
                        json!({ "$schema": "http://json-schema.org/draft-04/schema#", "properties": [] }),
                    ),
                ),
                plan(
                    "schema-draft",
                    schema(json!({ "$schema": "http://json-schema.org/draft-07/schema#" })),
                ),
                plan(
                    "schema-known-draft",
                    schema(json!({ "$schema": "http://json-schema.org/draft-03/schema#" })),
                ),
                plan(
                    "schema-external-reference",
                    schema(
                        json!({ "$schema": "http://json-schema.org/draft-04/schema#", "items": [{ "$ref": "other.json" }] }),
                    ),
                ),
            ],
        ),
        (
            "features to switch on",
            vec![
                service(
                    "permission-switched-on",
                    json!({ "requires": ["route_forwarding"] }),
                ),
                service(
                    "permission-switched-on",
                    json!({ "requires": ["volume_mount"] }),
                ),
            ],
        ),
    ]
}

#[test]
fn what_cloud_controller_refuses_is_told() {
    for (line, cases) in lines() {
        assert!(!cases.is_empty(), "{line}");
        for (at, rule, bad, _) in cases {
            let empty = || json!({});
            let text = match at {
                "top" => document(bad.clone(), empty(), empty()),
                "service" => document(empty(), bad.clone(), empty()),
                _ => document(empty(), empty(), bad.clone()),
            };
            let loaded = load(&text);
            assert!(
                rules(&loaded).contains(&rule),
                "{line}, {rule}, {at} {bad}:\n{}",
                told(&loaded)
            );
        }
    }
    let good = load(&document(json!({}), json!({}), json!({})));
    assert!(good.findings.is_empty(), "{}", told(&good));
}

#[test]
fn uniqueness_goes_over_the_whole_catalog() {
    let whole = |id: &str, name: &str, plan: &str| {
        let other = json!({ "id": id, "name": name, "description": "d", "bindable": false, "plans": [{ "id": plan, "name": "small", "description": "d" }] });
        let mut text: Value =
            serde_json::from_str(&document(json!({}), json!({}), json!({}))).unwrap();
        text["services"].as_array_mut().unwrap().push(other);
        rules(&load(&text.to_string()))
    };
    let (a, b) = (
        "77777777-7777-4777-8777-777777777777",
        "88888888-8888-4888-8888-888888888888",
    );
    assert_eq!(whole(a, "x", b), [""; 0]);
    assert_eq!(whole(a, "x", crate::harness::PLAN), ["plan-id-unique"]);
    assert_eq!(
        whole(crate::harness::SERVICE, "x", b),
        ["service-id-unique"]
    );
    assert_eq!(whole(a, "db", b), ["service-name-unique"]);
}
