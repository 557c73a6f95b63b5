//! What a reference or an override brings in is literal for ever.

use catalog_broker::catalog::{Memory, Source, load};
use catalog_broker::document::Environment;
use serde_json::{Value, json};

use crate::harness::{credentials, document, load_all, load_with, told};

const TEXTS: [&str; 8] = [
    "pa{{ss",
    "{{ instance.id }}",
    "a{%b",
    "{# x #}",
    "${HOME}",
    "$${HOME}",
    "{{ '{{' }}",
    " x}}'\"\\ ",
];

fn with(value: &str) -> String {
    document(
        json!({}),
        json!({}),
        json!({ "binding": { "credentials": { "p": value } } }),
    )
}

#[test]
fn what_comes_in_is_given_back_to_the_letter() {
    let folder = std::env::temp_dir().join(format!("catalog-literal-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("dir")).unwrap();
    let path = |name: &str| folder.join(name).display().to_string();
    for text in TEXTS {
        let json_text = json!({ "a": text }).to_string();
        let vcap = json!({ "user-provided": [{ "name": "db", "credentials": { "a": text } }] })
            .to_string();
        std::fs::write(folder.join("file"), text).unwrap();
        std::fs::write(folder.join("dir/a"), text).unwrap();
        std::fs::write(folder.join("json"), &json_text).unwrap();
        let vars =
            json!({ "v": { "a": text.replace("${", "$${").replace("$$$${", "$$${") } }).to_string();
        let environment = [
            ("T", text),
            ("J", &json_text),
            ("VCAP_SERVICES", &vcap),
            ("HOME", "/home"),
        ];
        for (reference, whole) in [
            ("${T}".to_owned(), json!(text)),
            ("${T:-x}".to_owned(), json!(text)),
            ("${json:J#/a}".to_owned(), json!(text)),
            ("${json:J}".to_owned(), json!({ "a": text })),
            ("${vcap:db#/credentials/a}".to_owned(), json!(text)),
            (format!("${{file:{}}}", path("file")), json!(text)),
            (format!("${{dir:{}}}", path("dir")), json!({ "a": text })),
            (format!("${{dir:{}#/a}}", path("dir")), json!(text)),
            (format!("${{json:file:{}#/a}}", path("json")), json!(text)),
            ("<${T}>".to_owned(), json!(format!("<{text}>"))),
        ] {
            let loaded = load_all(&with(&reference), &environment, &[], Memory::Remembers);
            assert_eq!(credentials(&loaded)["p"], whole, "{reference} {text}");
        }
        if !text.contains("$$") {
            let loaded = load_all(
                &with("${v.a}"),
                &environment,
                &[("vars.yaml", &vars)],
                Memory::Remembers,
            );
            assert_eq!(credentials(&loaded)["p"], json!(text), "vars {text}");
        }
        for start in ["old", "{{ instance.id }}", "${HOME}"] {
            let name = "BROKER_SERVICES__DB__PLANS__SMALL__BINDING__CREDENTIALS__P";
            let loaded = load_with(&with(start), &[(name, text)]);
            assert_eq!(credentials(&loaded)["p"], json!(text), "override {text}");
        }
        let name = "BROKER_SERVICES__DB__PLANS__SMALL__BINDING__CREDENTIALS";
        let loaded = load_with(&with("old"), &[(name, &json!({ "q": [text] }).to_string())]);
        assert_eq!(
            credentials(&loaded),
            json!({ "q": [text] }),
            "override of the map"
        );
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn beside_a_template_it_stays_literal() {
    let loaded = load_with(&with("${T}{{ plan.name }}"), &[("T", "{{ plan.id }}")]);
    let catalog = loaded
        .catalog
        .as_ref()
        .unwrap_or_else(|| panic!("{}", told(&loaded)));
    let expressions: Vec<String> = catalog.offerings()[0].plans[0].binding.fields[0]
        .1
        .expressions()
        .into_iter()
        .map(|(path, expression)| format!("{path}: {}", expression.source()))
        .collect();
    assert_eq!(expressions, ["p:  plan.name "]);
}

#[test]
fn a_vars_file_keeps_types_and_fills_a_bound_catalog() {
    let folder = std::env::temp_dir().join(format!("catalog-vars-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join("catalog.yaml"),
        document(
            json!({}),
            json!({ "bindable": "${site.bindable}" }),
            json!({ "binding": { "credentials": "${site.credentials}" } }),
        ),
    )
    .unwrap();
    std::fs::write(
        folder.join("vars.yaml"),
        "site:\n  bindable: true\n  credentials: { port: 25, host: '${json:H#/h}' }\n",
    )
    .unwrap();
    let source = Source {
        path: folder.join("catalog.yaml"),
        vars: vec![folder.join("vars.yaml")],
    };
    let loaded = load(
        &source,
        &Environment::new([("H", r#"{"h": "mx"}"#)]),
        Memory::Remembers,
    );
    assert_eq!(credentials(&loaded), json!({ "port": 25, "host": "mx" }));
    assert_eq!(loaded.files.len(), 2);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_missing_is_told_together_and_not_where_it_is_not_offered() {
    let plan = json!({ "description": "${A}", "metadata": { "x": "${B} ${C}" }, "schemas": { "service_instance": { "create": { "parameters": { "$schema": "http://json-schema.org/draft-04/schema#", "title": "${D} {{ x }}" } } } } });
    let loaded = load_with(
        &document(
            json!({ "service_defaults": { "tags": ["${E}"] } }),
            json!({}),
            plan.clone(),
        ),
        &[],
    );
    let missing: Vec<_> = loaded
        .findings
        .iter()
        .map(|finding| finding.message.clone())
        .collect();
    assert_eq!(missing.len(), 4, "{}", told(&loaded));
    for (service, plan_offered) in [
        (json!({}), json!(false)),
        (json!({ "offered": false }), Value::Null),
        (
            json!({ "plan_defaults": { "offered": false } }),
            Value::Null,
        ),
    ] {
        let mut plan = plan.clone();
        if !plan_offered.is_null() {
            plan["offered"] = plan_offered;
        }
        let loaded = load_with(&document(json!({}), service, plan), &[]);
        assert!(!loaded.findings.has_errors(), "{}", told(&loaded));
        assert!(loaded.catalog.unwrap().offerings().is_empty());
    }
}

#[test]
fn a_default_of_json_has_a_type() {
    for (reference, environment, expected) in [
        ("${json:N:-5}", None, json!(5)),
        ("${json:N:-text}", None, json!("text")),
        ("${json:N:-5}", Some("\"5\""), json!("5")),
        ("${json:N:-[1]}", None, json!([1])),
        ("${N:-5}", None, json!("5")),
        ("a${json:N:-5}", None, json!("a5")),
        ("${json:N|base64:-5}", None, json!("NQ==")),
    ] {
        let environment: Vec<_> = environment.map(|value| ("N", value)).into_iter().collect();
        assert_eq!(
            credentials(&load_with(&with(reference), &environment))["p"],
            expected,
            "{reference}"
        );
    }
}

#[test]
fn a_null_for_offered_removes_what_a_plan_would_inherit() {
    let loaded = load_with(
        &document(
            json!({}),
            json!({ "offered": false }),
            json!({ "offered": null, "description": "${D}" }),
        ),
        &[("D", "x")],
    );
    let catalog = loaded
        .catalog
        .as_ref()
        .unwrap_or_else(|| panic!("{}", told(&loaded)));
    assert_eq!(catalog.offerings()[0].plans[0].description, "x");
}
