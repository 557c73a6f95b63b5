//! Environment variables over the document.

use catalog_broker::catalog::is_document_variable;
use serde_json::{Value, json};

use crate::harness::{PLAN, document, load_with, rules, told};

const AT: &str = "BROKER_SERVICES__DB__PLANS__SMALL__BINDING__CREDENTIALS__";

fn text() -> String {
    document(
        json!({}),
        json!({ "binding": { "credentials": { "Inherited": "x", "count": 1 } } }),
        json!({ "free": true, "binding": { "credentials": { "host": "h", "port": 5432, "on": true, "list": [1], "map": { "a": 1 }, "nothing": null, "api-key": "${K:-k}", "a": 1, "A": 2 } } }),
    )
}

fn credentials(environment: &[(&str, &str)]) -> Value {
    let loaded = load_with(&text(), environment);
    assert!(
        !loaded.findings.has_errors(),
        "{environment:?} {}",
        told(&loaded)
    );
    crate::harness::credentials(&loaded)
}

#[test]
fn a_string_stays_a_string_whatever_it_looks_like() {
    for value in [
        "12345",
        "true",
        "1e3",
        "\"q\"",
        "0123",
        "null",
        "~",
        "[1]",
        "{a: 1}",
        "",
        " x ",
        "{{ plan.id }}",
        "${HOME}",
    ] {
        for key in ["HOST", "NEW", "INHERITED", "API_KEY"] {
            let name = format!("{AT}{key}");
            let found = credentials(&[(&name, value)]);
            let key = match key {
                "INHERITED" => "Inherited".to_owned(),
                "API_KEY" => "api-key".to_owned(),
                key => key.to_lowercase(),
            };
            assert_eq!(found[key], json!(value), "{name}");
        }
    }
}

#[test]
fn what_is_no_string_is_read_as_yaml() {
    for (key, value, expected) in [
        ("PORT", "5433", json!(5433)),
        ("PORT", "\"5433\"", json!("5433")),
        ("PORT", "x", json!("x")),
        ("ON", "false", json!(false)),
        ("LIST", "[a, {b: 1}]", json!(["a", { "b": 1 }])),
        ("MAP", "{b: 2}", json!({ "b": 2 })),
        ("NOTHING", "12", json!(12)),
        ("COUNT", "2", json!(2)),
        ("MAP__A", "7", json!({ "a": 7 })),
        ("MAP__B", "7", json!({ "a": 1, "b": "7" })),
    ] {
        let name = format!("{AT}{key}");
        let found = credentials(&[(&name, value)]);
        let key = key.split("__").next().unwrap().to_lowercase();
        assert_eq!(found[&key], expected, "{name}={value}");
    }
}

#[test]
fn declared_keys_need_not_be_there() {
    let loaded = load_with(
        &text(),
        &[
            ("BROKER_MINIMUM_API_VERSION", "2.10"),
            ("BROKER_SERVICES__db__DESCRIPTION", "12"),
            ("BROKER_SERVICES__DB__TAGS", "[a, b]"),
            ("BROKER_SERVICES__DB__METADATA__DISPLAYNAME", "1"),
            ("BROKER_SERVICES__DB__EXTENSIONS__VENDOR", "1"),
            ("BROKER_SERVICES__DB__PLANS__SMALL__FREE", "false"),
            (
                &format!(
                    "BROKER_SERVICES__DB__PLANS__{}__VALUES__SIZE",
                    PLAN.replace('-', "_")
                ),
                "10",
            ),
            ("BROKER_VALUES__TOP", "1"),
            ("BROKER_SERVICE_DEFAULTS__PLAN_UPDATEABLE", "true"),
            ("BROKER_SERVER__PORT", "80"),
            ("BROKER_SERVICE_HOST", "10.0.0.1"),
        ],
    );
    let catalog = loaded
        .catalog
        .as_ref()
        .unwrap_or_else(|| panic!("{}", told(&loaded)));
    let offering = &catalog.offerings()[0];
    assert_eq!(catalog.minimum_api_version().minor, 10);
    assert_eq!(
        (&*offering.description, offering.plan_updateable),
        ("12", Some(true))
    );
    assert_eq!(offering.tags, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(json!(offering.metadata), json!({ "displayname": "1" }));
    assert_eq!(json!(offering.extensions), json!({ "vendor": "1" }));
    assert_eq!(offering.plans[0].free, Some(false));
    assert_eq!(
        offering.plans[0].values,
        json!({ "top": "1", "size": "10" })
    );
}

#[test]
fn a_step_that_names_nothing_or_two_things_is_an_error() {
    for (name, value, rule, word) in [
        (
            "BROKER_SERVICES__DBB__NAME",
            "x",
            "override-names-nothing",
            "BROKER_SERVICES__DB?",
        ),
        (
            "BROKER_SERVICES__DB__PLANS__SMAL__NAME",
            "x",
            "override-names-nothing",
            "SMALL",
        ),
        (
            "BROKER_SERVICES__DB__DESCRIPTIO",
            "x",
            "override-names-nothing",
            "DESCRIPTION",
        ),
        (
            "BROKER_SERVICES__DB__PLANS__SMALL__BINDING__CREDENTAILS__X",
            "x",
            "override-names-nothing",
            "CREDENTIALS",
        ),
        (
            "BROKER_SERVICES__0__NAME",
            "x",
            "override-names-nothing",
            "unset",
        ),
        (
            "BROKER_SERVICES__DB__TAGS__0",
            "x",
            "override-names-nothing",
            "TAGS",
        ),
        (
            "BROKER_SERVICES__DB__NAME__X",
            "x",
            "override-names-nothing",
            "NAME",
        ),
        (
            "BROKER_SERVICES__DB__PLANS__SMALL__BINDING__CREDENTIALS__HOST__X",
            "x",
            "override-names-nothing",
            "HOST",
        ),
        (
            "BROKER_SERVICES__DB__PLANS__SMALL__BINDING__CREDENTIALS__A",
            "x",
            "override-ambiguous",
            "rename",
        ),
        (
            "BROKER_SERVICES__DB__PLANS__SMALL__FREE",
            "[",
            "override-value",
            "YAML",
        ),
        (
            "BROKER_SERVICES__DB__PLANS__SMALL__FREE",
            "12",
            "wrong-type",
            "boolean",
        ),
    ] {
        let loaded = load_with(&text(), &[(name, value)]);
        assert_eq!(rules(&loaded), [rule], "{name} {}", told(&loaded));
        assert!(told(&loaded).contains(word), "{name} {}", told(&loaded));
    }
    let twice = load_with(
        &text(),
        &[
            ("BROKER_SERVICES__DB__NAME", "a"),
            ("BROKER_SERVICES__db__NAME", "b"),
        ],
    );
    assert_eq!(rules(&twice), ["override-ambiguous"]);
}

#[test]
fn the_documents_variables_are_told_from_the_settings() {
    for (name, expected) in [
        ("BROKER_SERVICES", true),
        ("BROKER_SERVICES__X", true),
        ("BROKER_MINIMUM_API_VERSION", true),
        ("BROKER_VALUES__A", true),
        ("BROKER_SERVICE_DEFAULTS__BINDABLE", true),
        ("BROKER_ACCEPT", true),
        ("BROKER_SERVER__PORT", false),
        ("BROKER_SERVICES_HOST", false),
        ("BROKER_PORT", false),
        ("SERVICES__X", false),
        ("BROKER_", false),
    ] {
        assert_eq!(is_document_variable(name), expected, "{name}");
    }
}
