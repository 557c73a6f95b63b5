//! What a plan inherits, from where, and what wins.

use serde_json::{Value, json};

use crate::harness::{document, load, told};

/// Document, offering, plan, and the plan's `values` after the merge.
fn cases() -> Vec<(Value, Value, Value, Value)> {
    let v = |value: Value| json!({ "values": value });
    vec![
        (json!({}), json!({}), json!({}), json!({})),
        (
            v(json!({ "a": 1 })),
            json!({}),
            json!({}),
            json!({ "a": 1 }),
        ),
        (
            v(json!({ "a": 1 })),
            v(json!({ "a": 2, "b": 1 })),
            json!({}),
            json!({ "a": 2, "b": 1 }),
        ),
        (
            json!({}),
            v(json!({ "a": { "x": 1, "y": 1 } })),
            v(json!({ "a": { "x": 2 } })),
            json!({ "a": { "x": 2, "y": 1 } }),
        ),
        (
            json!({}),
            v(json!({ "a": [1, 2] })),
            v(json!({ "a": [3] })),
            json!({ "a": [3] }),
        ),
        (
            json!({}),
            v(json!({ "a": { "x": 1 } })),
            v(json!({ "a": 5 })),
            json!({ "a": 5 }),
        ),
        (
            json!({}),
            v(json!({ "a": 1, "b": 2 })),
            v(json!({ "a": null })),
            json!({ "b": 2 }),
        ),
        (
            json!({}),
            v(json!({ "a": { "x": 1, "y": 2 } })),
            v(json!({ "a": { "x": null } })),
            json!({ "a": { "y": 2 } }),
        ),
        (
            json!({}),
            v(json!({ "a": 1 })),
            json!({ "values": null }),
            json!({}),
        ),
        (
            v(json!({ "a": 1 })),
            v(json!({ "a": null })),
            json!({}),
            json!({ "a": 1 }),
        ),
        (
            json!({ "service_defaults": v(json!({ "a": 1, "b": 1 })) }),
            v(json!({ "b": 2 })),
            json!({}),
            json!({ "a": 1, "b": 2 }),
        ),
        (
            json!({ "service_defaults": { "plan_defaults": v(json!({ "a": 1 })) } }),
            v(json!({ "a": 2 })),
            json!({}),
            json!({ "a": 1 }),
        ),
        (
            json!({}),
            json!({ "values": { "a": 1 }, "plan_defaults": { "values": { "a": 2 } } }),
            json!({}),
            json!({ "a": 2 }),
        ),
        (
            json!({}),
            json!({ "plan_defaults": { "values": { "a": 2 } } }),
            v(json!({ "a": 3 })),
            json!({ "a": 3 }),
        ),
        (
            json!({}),
            json!({ "plan_defaults": { "values": { "a": null } }, "values": { "a": 1 } }),
            json!({}),
            json!({ "a": 1 }),
        ),
    ]
}

#[test]
fn values_merge_key_by_key() {
    for (top, service, plan, expected) in cases() {
        let text = document(top, service, plan);
        let loaded = load(&text);
        let catalog = loaded
            .catalog
            .as_ref()
            .unwrap_or_else(|| panic!("{text}\n{}", told(&loaded)));
        assert_eq!(catalog.offerings()[0].plans[0].values, expected, "{text}");
    }
}

#[test]
fn public_keys_come_from_defaults_too() {
    let text = document(
        json!({ "service_defaults": { "tags": ["a"], "bindings_retrievable": true, "metadata": { "provider": "p", "x": 1 } } }),
        json!({ "metadata": { "x": 2 }, "plan_defaults": { "free": false, "maintenance_info": { "version": "1.0.0" }, "metadata": { "bullets": ["b"] } } }),
        json!({ "metadata": { "y": [null] }, "maintenance_info": { "description": "d" } }),
    );
    let loaded = load(&text);
    let catalog = loaded
        .catalog
        .as_ref()
        .unwrap_or_else(|| panic!("{}", told(&loaded)));
    let offering = &catalog.offerings()[0];
    let plan = &offering.plans[0];
    assert_eq!(offering.tags, Some(vec!["a".to_owned()]));
    assert_eq!(offering.bindings_retrievable, Some(true));
    assert_eq!(json!(offering.metadata), json!({ "provider": "p", "x": 2 }));
    assert_eq!(
        (plan.free, json!(plan.metadata)),
        (Some(false), json!({ "bullets": ["b"], "y": [null] }))
    );
    assert_eq!(
        plan.maintenance_info.as_ref().unwrap().version.to_string(),
        "1.0.0"
    );
}

#[test]
fn a_schema_is_one_value_and_its_nulls_stay() {
    let schema = |properties: Value| json!({ "schemas": { "service_instance": { "create": { "parameters": { "$schema": "http://json-schema.org/draft-04/schema#", "properties": properties } } } } });
    let text = document(
        json!({}),
        json!({ "plan_defaults": schema(json!({ "a": {} })) }),
        schema(json!({ "b": { "default": null } })),
    );
    let catalog = load(&text).catalog.unwrap();
    let published = catalog.offerings()[0].plans[0]
        .schemas
        .published
        .clone()
        .unwrap();
    assert_eq!(
        published
            .pointer("/service_instance/create/parameters/properties")
            .unwrap(),
        &json!({ "b": { "default": null } })
    );
}

#[test]
fn anchors_and_merge_keys_are_read() {
    let text = "x-cred: &cred { credentials: { host: h } }\nservices:\n- id: 11111111-1111-4111-8111-111111111111\n  name: db\n  description: d\n  bindable: true\n  plans:\n  - &p\n    id: 22222222-2222-4222-8222-222222222222\n    name: a\n    description: d\n    binding: *cred\n  - <<: *p\n    id: 33333333-3333-4333-8333-333333333333\n    name: b\n";
    let loaded = load(text);
    assert!(loaded.findings.is_empty(), "{}", told(&loaded));
    assert_eq!(loaded.catalog.unwrap().offerings()[0].plans.len(), 2);
}
