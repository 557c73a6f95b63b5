//! Parameters against the plan's schemas: all drafts, violations without values, references never fetched.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of, provisioned};
use crate::harness::{Broker, Setup, with};

/// A value that must never be seen in an answer.
const MARKED: &str = "m4rk3d-value";

fn document(schemas: &Value) -> String {
    json!({ "services": [{
        "id": "s", "name": "s", "description": "Schemas", "bindable": true,
        "instances_retrievable": true, "plan_updateable": true,
        "binding": { "credentials": { "user": "u" } },
        "plans": [
            { "id": "p", "name": "p", "description": "With schemas", "schemas": schemas },
            { "id": "free-for-all", "name": "free-for-all", "description": "Without" },
        ],
    }] })
    .to_string()
}

fn create(schema: &Value) -> Value {
    json!({ "service_instance": { "create": { "parameters": schema } } })
}

fn provision(broker: &Broker, id: &str, parameters: &Value) -> crate::http::Response {
    broker.provision(
        id,
        &with(provision_of("s", "p"), "parameters", parameters.clone()),
    )
}

/// What a draft reads by a keyword that the others read otherwise or not at all: a fitting and an unfitting value.
#[test]
fn every_draft_is_read_as_it_is_meant() {
    let drafts = [
        // A boolean `exclusiveMaximum` is draft 4's.
        (
            "http://json-schema.org/draft-04/schema#",
            json!({ "maximum": 5, "exclusiveMaximum": true }),
            json!(4),
            json!(5),
        ),
        (
            "http://json-schema.org/draft-06/schema#",
            json!({ "const": 1 }),
            json!(1),
            json!(2),
        ),
        (
            "http://json-schema.org/draft-07/schema#",
            json!({ "if": { "minimum": 5 }, "then": { "multipleOf": 5 } }),
            json!(10),
            json!(6),
        ),
        (
            "https://json-schema.org/draft/2019-09/schema",
            json!({ "items": [{ "type": "string" }], "additionalItems": false }),
            json!(["a"]),
            json!(["a", 1]),
        ),
        (
            "https://json-schema.org/draft/2020-12/schema",
            json!({ "prefixItems": [{ "type": "string" }], "items": false }),
            json!(["a"]),
            json!(["a", 1]),
        ),
    ];
    for (draft, keywords, good, bad) in drafts {
        let schema = json!({ "$schema": draft, "type": "object", "properties": { "v": keywords } });
        let broker = Setup::new(&document(&create(&schema))).start();
        let published = broker.catalog().json();
        assert_eq!(
            published["services"][0]["plans"][0]["schemas"],
            create(&schema),
            "{draft}"
        );
        let refused = provision(&broker, "i", &json!({ "v": bad }));
        assert_eq!(
            (refused.status, refused.word().as_str()),
            (400, "ParametersInvalid"),
            "{draft}"
        );
        assert!(refused.description().contains("`/v"), "{}", refused.text());
        assert_eq!(broker.fetch("i").status, 404);
        assert_eq!(
            provision(&broker, "i", &json!({ "v": good })).status,
            201,
            "{draft}"
        );
    }
}

#[test]
fn violations_name_place_and_rule_and_never_the_value() {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["name"],
        "properties": {
            "name": { "type": "string", "maxLength": 3, "pattern": "^x" },
            "count": { "type": "integer", "maximum": 5 },
            "kind": { "enum": ["a", "b"] },
            "only": { "const": "c" },
            "when": { "type": "string", "format": "date-time" },
            "list": { "type": "array", "uniqueItems": true, "items": { "type": "integer" } },
            "map": { "type": "object", "propertyNames": { "maxLength": 2 }, "additionalProperties": { "type": "boolean" } },
            "one": { "oneOf": [{ "type": "integer" }, { "type": "boolean" }] },
            "none": { "not": { "type": "string" } },
        },
        "additionalProperties": false,
    });
    let broker = Setup::new(&document(&create(&schema))).start();
    for (parameters, place, rule) in [
        (json!({}), "`/`", "required"),
        (json!({ "name": MARKED }), "`/name`", "maxLength"),
        (json!({ "name": MARKED }), "`/name`", "pattern"),
        (json!({ "name": "x", "count": MARKED }), "`/count`", "type"),
        (
            json!({ "name": "x", "count": 471_147 }),
            "`/count`",
            "maximum",
        ),
        (json!({ "name": "x", "kind": MARKED }), "`/kind`", "enum"),
        (json!({ "name": "x", "only": MARKED }), "`/only`", "const"),
        (
            json!({ "name": "x", "list": [1, MARKED] }),
            "`/list/1`",
            "items/type",
        ),
        (
            json!({ "name": "x", "list": [471_147, 471_147] }),
            "`/list`",
            "uniqueItems",
        ),
        (
            json!({ "name": "x", "map": { "a": MARKED } }),
            "`/map/a`",
            "additionalProperties/type",
        ),
        (json!({ "name": "x", "one": MARKED }), "`/one`", "oneOf"),
        (json!({ "name": "x", "none": MARKED }), "`/none`", "not"),
        (
            json!({ "name": "x", "extra": MARKED }),
            "`/`",
            "additionalProperties",
        ),
    ] {
        let response = provision(&broker, "i", &parameters);
        assert_eq!(
            (response.status, response.word().as_str()),
            (400, "ParametersInvalid"),
            "{parameters}"
        );
        let told = response.description();
        assert!(
            told.contains(place) && told.contains(rule),
            "{parameters}: {told}"
        );
        assert!(!told.contains(MARKED) && !told.contains("471147"), "{told}");
    }
    // All at once; and of very many, some.
    let told =
        provision(&broker, "i", &json!({ "name": 1, "count": "x", "list": 5 })).description();
    for place in ["`/name`", "`/count`", "`/list`"] {
        assert!(told.contains(place), "{told}");
    }
    let many: Vec<Value> = (0..10_000).map(|n| json!(format!("{MARKED}{n}"))).collect();
    let told = provision(&broker, "i", &json!({ "name": "x", "list": many })).description();
    assert!(
        told.len() < 5000 && !told.contains(MARKED),
        "{} characters",
        told.len()
    );
    // Places are made of the user's keys: long ones are cut, so that no answer grows beyond what was sent.
    let keys = (0..20).map(|n| format!("{n}{}ü", "k".repeat(40_000)));
    let map: serde_json::Map<String, Value> = keys.map(|key| (key, json!(MARKED))).collect();
    let told = provision(&broker, "i", &json!({ "name": "x", "map": map })).description();
    assert!(
        told.contains("`/map/0kkkk") && told.len() < 10_000,
        "{} characters",
        told.len()
    );
    assert!(!broker.log().contains(MARKED), "nor in the log");
}

/// What is sent is held against `update`, what comes of it against `create` of the plan that is moved to.
#[test]
fn an_update_is_held_against_both_schemas() {
    let draft = "http://json-schema.org/draft-07/schema#";
    let schemas = json!({
        "service_instance": {
            "create": { "parameters": { "$schema": draft, "type": "object", "required": ["a"],
                "properties": { "a": { "type": "integer" }, "b": { "type": "integer" } } } },
            "update": { "parameters": { "$schema": draft, "type": "object", "additionalProperties": false,
                "properties": { "b": {} } } },
        },
    });
    let broker = Setup::new(&document(&schemas)).start();
    assert_eq!(provision(&broker, "i", &json!({ "a": 1 })).status, 201);
    let update = |id: &str, body: Value| {
        let response = broker.update(id, &with(body, "service_id", json!("s")));
        (response.status, response.word())
    };
    let fits = (200, String::new());
    let breaks = (400, "ParametersInvalid".to_owned());
    assert_eq!(
        update("i", json!({ "parameters": { "b": 2 } })),
        fits,
        "`a` is there already"
    );
    assert_eq!(
        update("i", json!({ "parameters": { "a": 2 } })),
        breaks,
        "`update` has no `a`"
    );
    assert_eq!(
        update("i", json!({ "parameters": { "b": "x" } })),
        breaks,
        "`create` wants a number"
    );
    assert_eq!(update("i", json!({ "parameters": {} })), fits);
    assert_eq!(
        broker.fetch("i").json()["parameters"],
        json!({ "a": 1, "b": 2 })
    );

    let body = with(
        provision_of("s", "free-for-all"),
        "parameters",
        json!({ "a": "text" }),
    );
    assert_eq!(broker.provision("j", &body).status, 201);
    assert_eq!(
        update("j", json!({ "plan_id": "p" })),
        breaks,
        "what it has does not fit the plan that it moves to"
    );
    assert_eq!(update("j", json!({ "parameters": { "a": 5 } })), fits);
    assert_eq!(update("j", json!({ "plan_id": "p" })), fits);
}

/// A schema that became stricter says nothing of what is there.
#[test]
fn a_stricter_schema_breaks_nothing() {
    let schema = |maximum: u32| {
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
            "properties": { "n": { "maximum": maximum } } })
    };
    let broker = Setup::new(&document(&create(&schema(9))))
        .env("BROKER_ALLOW_BREAKING", "schema-narrowed")
        .start();
    assert_eq!(provision(&broker, "i", &json!({ "n": 7 })).status, 201);
    broker
        .folder
        .write("catalog.yaml", &document(&create(&schema(5))));
    let broker = broker.restarted();
    assert_eq!(
        provision(&broker, "i", &json!({ "n": 7 })).status,
        200,
        "a repeat is a repeat"
    );
    assert_eq!(provision(&broker, "j", &json!({ "n": 7 })).status, 400);
    assert_eq!(
        broker
            .update("i", &json!({ "service_id": "s", "context": {} }))
            .status,
        200
    );
    assert_eq!(
        broker
            .update("i", &json!({ "service_id": "s", "plan_id": "p" }))
            .status,
        200
    );
}

#[test]
fn bind_has_a_schema_of_its_own() {
    let schema = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": ["role"] });
    let broker = Setup::new(&document(
        &json!({ "service_binding": { "create": { "parameters": schema } } }),
    ))
    .start();
    provisioned(&broker, "i", "s", "p");
    assert_eq!(
        broker.bind("i", "b", &bind_of("s", "p")).word(),
        "ParametersInvalid",
        "absent is empty"
    );
    let body = with(bind_of("s", "p"), "parameters", json!({ "role": MARKED }));
    assert_eq!(broker.bind("i", "b", &body).status, 201);
}

/// References within a schema work; one that leads out is never followed, whatever else is done about it.
#[test]
fn an_external_reference_is_never_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("no waiting");
    let port = listener.local_addr().expect("an address").port();
    for (draft, reference) in [
        (
            "http://json-schema.org/draft-04/schema#",
            format!("http://127.0.0.1:{port}/schema.json"),
        ),
        (
            "http://json-schema.org/draft-07/schema#",
            format!("http://127.0.0.1:{port}/schema.json#/definitions/x"),
        ),
        (
            "https://json-schema.org/draft/2020-12/schema",
            format!("//127.0.0.1:{port}/schema.json"),
        ),
        (
            "https://json-schema.org/draft/2020-12/schema",
            "file:///etc/hostname".to_owned(),
        ),
    ] {
        let schema = json!({ "$schema": draft, "type": "object", "properties": { "a": { "$ref": reference } } });
        let (status, out, err) = Setup::new(&document(&create(&schema))).arg("check").run();
        assert!(
            !status.success(),
            "{reference} is refused before anything is served: {out}{err}"
        );
        let told = format!("{out}{err}");
        assert!(told.contains("$ref"), "{told}");
    }
    let came = listener.accept().map(|(_, from)| from.to_string());
    assert!(came.is_err(), "somebody came: {came:?}");
    // Who comes is seen.
    let visitor = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let seen = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(10));
        listener.accept().is_ok()
    });
    assert!(seen, "{visitor:?} came and was not seen");

    let within = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
        "definitions": { "small": { "maximum": 3 } },
        "properties": { "n": { "$ref": "#/definitions/small" }, "again": { "$ref": "#" } } });
    let broker = Setup::new(&document(&create(&within))).start();
    assert_eq!(provision(&broker, "i", &json!({ "n": 4 })).status, 400);
    assert_eq!(
        provision(&broker, "i", &json!({ "again": { "n": 4 } })).status,
        400
    );
    assert_eq!(
        provision(&broker, "i", &json!({ "n": 3, "again": { "n": 3 } })).status,
        201
    );
}
