//! Mistakes as operators make them: each with the rule that tells it, the line, and a word of the mend.

use catalog_broker::catalog::json_schema;

use crate::harness::{edited, errors, load, load_with, rules, told};

const HEAD: &str = "services:\n- id: 11111111-1111-4111-8111-111111111111\n  name: db\n  description: d\n  bindable: true\n";
const PLANS: &str =
    "  plans:\n  - id: 22222222-2222-4222-8222-222222222222\n    name: small\n    description: d\n";
const CREDENTIALS: &str = "    binding: { credentials: { host: h } }\n";

/// Where the mistake goes: before everything, into the offering (line 6), into the plan (line 10).
#[derive(Clone, Copy, PartialEq)]
enum At {
    Top,
    Offering,
    Plan,
}
use At::{Offering, Plan, Top};

fn text(at: At, mistake: &str) -> String {
    match at {
        Top => format!("{mistake}\n{HEAD}{PLANS}{CREDENTIALS}"),
        Offering => format!("{HEAD}  {mistake}\n{PLANS}{CREDENTIALS}"),
        Plan if mistake.starts_with("binding") => format!("{HEAD}{PLANS}    {mistake}\n"),
        Plan => format!("{HEAD}{PLANS}    {mistake}\n{CREDENTIALS}"),
    }
}

/// Where, the mistake, the rule, a word of the mend; whether the JSON schema has to see it too.
#[rustfmt::skip]
const MISTAKES: &[(At, &str, &str, &str, bool)] = &[
    (Top, "minimum_api_version: 2.10", "wrong-type", "\"2.10\"", true),
    (Top, "minimum_api_version: 2", "wrong-type", "\"2\"", true),
    (Top, "minimum_api_version: \"3.0\"", "minimum-api-version", "2.13", false),
    (Top, "minimum_api_version: \"two\"", "minimum-api-version", "quotes", true),
    (Top, "minimum_api_version: \"2.17\"", "minimum-api-version-platform", "2.15", false),
    (Top, "minimum_api_versoin: \"2.10\"", "unknown-key", "minimum_api_version", true),
    (Top, "backends: []", "wrong-type", "map", true),
    (Offering, "answer_within: soon", "wrong-type", "500ms", true),
    (Offering, "adopt: \"yes\"", "wrong-type", "`true`", true),
    (Offering, "adopt: 2027-03-31", "wrong-type", "{ until: ... }", true),
    (Offering, "adopt: {}", "adopt-until", "no end", false),
    (Offering, "adopt: { until: soon }", "adopt-until", "2027-03-31", false),
    (Offering, "adopt: { until: \"2027-03-31T12:00\" }", "adopt-until", "2027-03-31", false),
    (Plan, "adopt: { untill: 2027-03-31 }", "unknown-key", "until", true),
    (Plan, "adopt: { until: 2027 }", "wrong-type", "quotes", true),
    (Offering, "respond: maybe", "unknown-word", "sync", true),
    (Offering, "respond: { bnid: sync }", "unknown-key", "bind", true),
    (Top, "service_default: {}", "unknown-key", "service_defaults", true),
    (Top, "service_defaults: { name: x }", "unknown-key", "known here", true),
    (Top, "values: [a]", "wrong-type", "map", true),
    (Top, "values: { a: \"{{ plan.id }}\" }", "template-in-constant", "instance.values", false),
    (Top, "accept: [id-gud]", "accept-known", "id-guid", false),
    (Top, "accept: [unknown-key]", "accept-known", "mend", false),
    (Top, "accept: id-guid", "wrong-type", "list", true),
    (Offering, "bindabel: true", "unknown-key", "bindable", true),
    (Offering, "plan_updatable: true", "unknown-key", "plan_updateable", true),
    (Offering, "planUpdateable: true", "unknown-key", "plan_updateable", true),
    (Offering, "vendor_key: 1", "unknown-key", "extensions", true),
    (Offering, "credentials: { a: b }", "unknown-key", "binding.credentials", true),
    (Offering, "dashboard_url: x", "unknown-key", "instance.dashboard_url", true),
    (Offering, "tags: postgres", "wrong-type", "list", true),
    (Offering, "tags: [1]", "wrong-type", "quotes", true),
    (Offering, "tags: [true]", "wrong-type", "quotes", true),
    (Offering, "requires: [syslog_drian]", "unknown-word", "syslog_drain", true),
    (Offering, "requires: syslog_drain", "wrong-type", "list", true),
    (Offering, "requires: [route_forwarding]", "permission-switched-on", "route_services_enabled", false),
    (Offering, "instances_retrievable: yes", "wrong-type", "true", true),
    (Offering, "bindings_retrievable: \"false\"", "wrong-type", "false", true),
    (Offering, "allow_context_updates: 1", "wrong-type", "boolean", true),
    (Offering, "plan_updateable: ${FREE}", "wrong-type", "${json:FREE}", true),
    (Offering, "metadata: text", "wrong-type", "map", true),
    (Offering, "metadata: { shareable: \"true\" }", "wrong-type", "true", true),
    (Offering, "extensions: [a]", "wrong-type", "map", true),
    (Offering, "extensions: { tags: [a] }", "extension-clash", "tags", false),
    (Offering, "dashboard_client: { id: a, secret: \"${S:-x}\" }", "required-key", "redirect_uri", false),
    (Offering, "dashboard_client: { id: a, secret: x, redirect_uri: \"https://h\" }", "plain-secret", "${file:", false),
    (Offering, "lifecycle: retired", "unknown-key", "extensions", true),
    (Offering, "binding: { ttl: soon }", "wrong-type", "10m", true),
    (Plan, "backend: { pool: {} }", "backend-settings", "entries", false),
    (Plan, "backend: { pool: { entries: [{ credentials: {} }] } }", "backend-settings", "stays", false),
    (Plan, "backend: { pool: { entries: [{ name: a }] } }", "backend-settings", "what it gives", false),
    (Plan, "backend: { pool: { entries: [{ name: a, credentials: {} }, { name: a, credentials: {} }] } }", "backend-settings", "of its own", false),
    (Plan, "backend: { pool: { entries: [{ name: \" \", credentials: {} }] } }", "backend-settings", "stays", false),
    (Plan, "backend: { pool: { folder: { a: text } } }", "backend-settings", "JSON", false),
    (Plan, "backend: { pool: { entries: [{ name: a, credentials: { p: \"{{ binding.id }}\" } }] } }", "template-in-constant", "binding.values", false),
    (Plan, "backend: { pool: { entries: [{ name: a, credentials: {} }], reuse: { after: soon } } }", "wrong-type", "10m", true),
    (Plan, "backend: { pool: { entries: [{ name: a, credentials: {} }], lend: user } }", "unknown-word", "binding", true),
    (Offering, "backend: fixed", "wrong-type", "map", true),
    (Offering, "backend: { sql: { server: \"${S:-redis://h/d}\" } }", "backend-settings", "postgres://", false),
    (Offering, "backend: { sql: { server: \"postgres://h/d\", connections: 0 } }", "backend-settings", "1 or more", false),
    (Offering, "backend: { sql: { server: \"postgres://u:hunter2@h/d\" } }", "plain-secret", "reference", false),
    (Offering, "backend: { sql: {} }", "backend-settings", "postgres://", false),
    (Offering, "backend: { sql: { server: \"postgres://h/d\", statements: postgresql/databse } }", "unknown-word", "postgresql/database", true),
    (Offering, "backend: { sql: { server: \"postgres://h/d\", statements: { binds: [SELECT 1] } } }", "unknown-key", "bind", true),
    (Offering, "backend: { sql: { server: \"postgres://h/d\", statements: { bind: SELECT 1 } } }", "wrong-type", "list", true),
    (Offering, "backend: { sql: { server: \"postgres://h/d\", statements: { bind: [{ sttement: SELECT 1 }] } } }", "unknown-key", "statement", true),
    (Offering, "backend: { sql: { server: \"postgres://h/d\", statements: { bind: [\"SELECT {{ binding.idd | literal }}\"] } } }", "template-name", "binding.id", false),
    (Offering, "backend: { sql: { server: \"postgres://h/d\", statements: { provision: [\"SELECT {{ binding.id | literal }}\"] } } }", "template-name", "known here", false),
    (Offering, "backend: { sql: { server: \"postgres://h/d\", statements: { bind: [\"SELECT '{{ binding.id | literal }}'\"] } } }", "statement-filter", "quotes", false),
    (Offering, "backend: { sql: { server: \"postgres://h/d\", statements: { bind: [\"SELECT {{ binding.id | lower }}\"] } } }", "statement-filter", "`ident`", false),
    (Offering, "backend: { sql: { server: \"postgres://h/d\" }, statements: { bind: [\"SELECT {{ with.size | int }}\"] } }", "template-name", "known here", false),
    (Offering, "backend: { sql: { server: \"mysql://u@h/d\", statements: { bind: [\"SELECT {{ binding.id | scram }}\"] } } }", "statement-filter", "native_hash", false),
    (Offering, "backend: { sql: { server: \"postgres://h/d\", statements: { bind: [\"SELECT {{ binding.id | native_hash }}\"] } } }", "statement-filter", "scram", false),
    (Offering, "backend: { sql: { server: \"mysql://u@h/d\", statements: { bind: [\"SELECT 1 # {{ binding.id | literal }}\"] } } }", "statement-filter", "comment", false),
    (Offering, "backend: { sql: { server: \"mysql://u@h/d\", statements: { bind: [\"SELECT {{ row | int }}\"] } } }", "template-name", "known here", false),
    (Offering, "backend: { sql: { server: \"mysql://u@h/d\" }, statements: postgresql/database }", "statement-server", "another server", false),
    (Offering, "backend: { sql: { server: \"mysql://u@h/d?ssl-mode=VERIFY_CA\", statements: mysql/database } }", "backend-settings", "mysql://USER", false),
    (Offering, "backend: { fixed: {}, statements: postgresql/schema }", "backend-settings", "sql", false),
    (Offering, "plan_defaults: { id: x }", "unknown-key", "known here", true),
    (Offering, "offered: \"no\"", "wrong-type", "false", true),
    (Plan, "free: ${FREE}", "wrong-type", "${json:FREE}", true),
    (Plan, "free: \"true\"", "wrong-type", "true", true),
    (Plan, "fre: true", "unknown-key", "free", true),
    (Plan, "cost: 10", "unknown-key", "extensions", true),
    (Plan, "bindable: 'on'", "wrong-type", "true", true),
    (Plan, "maximum_polling_duration: \"60\"", "wrong-type", "quotes", true),
    (Plan, "maximum_polling_duration: -5", "wrong-type", "negative", true),
    (Plan, "maintenance_info: { version: 1.0 }", "wrong-type", "quotes", true),
    (Plan, "maintenance_info: { version: \"1.0\" }", "maintenance-version", "1.0.0", false),
    (Plan, "maintenance_info: { public: true, version: \"1.0.0\" }", "unknown-key", "known here", true),
    (Plan, "maintenance_info: {}", "required-key", "1.0.0", false),
    (Plan, "schemas: { service_instance: { create: { parameters: true } } }", "wrong-type", "map", true),
    (Plan, "schemas: { service_instances: {} }", "schemas-key", "service_instance", false),
    (Plan, "schemas: { service_instance: { create: { parameters: {} } } }", "schema-declares-draft", "draft-04", false),
    (Top, "derive: { keys: { v1: \"${K:-c2hvcnQ=}\" } }", "derive-keys", "openssl rand", false),
    (Top, "derive: { keys: { v1: \"${K:-no base64}\" } }", "derive-keys", "openssl rand", false),
    (Top, "derive: { keys: { v1: 5 } }", "derive-keys", "${file:", false),
    (Top, "derive: { keys: { \"v 1\": \"${K:-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}\" } }", "derive-keys", "letters", false),
    (Top, "derive: { keys: {} }", "derive-keys", "v1", false),
    (Top, "derive: { keys: { v1: \"${K:-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}\", v2: \"${K:-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}\" } }", "derive-keys", "of its own", false),
    (Top, "derive: { keys: { v1: \"${K:-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}\" }, current: v2 }", "derive-keys", "v1", false),
    (Top, "derive: { keys: { v1: \"${K:-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}\" }, current: 1 }", "wrong-type", "quotes", true),
    (Top, "derive: text", "wrong-type", "map", true),
    (Top, "derive: { keys: [a] }", "wrong-type", "map", true),
    (Top, "derive: { key: \"${K:-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}\" }", "unknown-key", "keys", true),
    (Plan, "derive: { current: v1 }", "derive-keys", "${file:", false),
    (Plan, "derive: { keys: { v1: \"${K:-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}\", v2: \"${L:-Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=}\" } }", "derive-keys", "current: v2", false),
    (Plan, "binding: { credentials: { p: \"{{ derive('p', 32) }}\" } }", "derive-needs-key", "openssl rand", false),
    (Plan, "binding: { credentials: { p: \"{{ derive('p', 32, 'greek') }}\" } }\n    derive: { keys: { v1: \"${K:-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}\" } }", "template-renders", "template", false),
    (Plan, "updates_to: [smal]", "updates-to-known", "small", false),
    (Plan, "lifecycle: retired", "wrong-type", "map", true),
    (Plan, "lifecycle: { state: gone }", "unknown-word", "retired", true),
    (Plan, "lifecycle: { note: x }", "required-key", "state", false),
    (Plan, "lifecycle: { state: active, sucessor: x }", "unknown-key", "successor", true),
    (Plan, "limits: { instances: \"5\" }", "wrong-type", "quotes", true),
    (Plan, "limits: { instance: 5 }", "unknown-key", "instances", true),
    (Plan, "metadata: { x: \"${MISSING_ONE}\" }", "reference-missing", "MISSING_ONE", false),
    (Plan, "metadata: { x: \"${vault:a}\" }", "reference-syntax", "file:", false),
    (Plan, "metadata: { x: \"${A\" }", "reference-syntax", "}", false),
    (Plan, "instance: { dashboard_url: 5 }", "wrong-type", "quotes", true),
    (Plan, "instance: { dashboard: x }", "unknown-key", "dashboard_url", true),
    (Plan, "instance: { values: \"{{ plan }}\" }", "wrong-type", "map", true),
    (Plan, "instance: { metadata: { label: {} } }", "unknown-key", "labels", true),
    (Plan, "instance: { dashboard_url: \"https://h/{{ binding.id }}\" }", "template-name", "known", false),
    (Plan, "instance: { dashboard_url: \"{{ values }}\" }", "template-renders", "template", false),
    (Plan, "binding: { credentails: {} }", "unknown-key", "credentials", true),
    (Plan, "binding: { credentials: text }", "wrong-type", "map", true),
    (Plan, "binding: { credentials: { a: \"{{ instance.parmeters.x }}\" } }", "template-name", "instance.parameters.x", false),
    (Plan, "binding: { credentials: { a: \"{{ plan.id | uper }}\" } }", "template-syntax", "expression", false),
    (Plan, "binding: { credentials: { a: \"{{ plan.id\" } }", "template-syntax", "}}", false),
    (Plan, "binding: { credentials: { a: \"x-{{ binding.app_guid }}\" } }", "template-renders", "default", false),
    (Plan, "binding: { credentials: { password: hunter2 } }", "plain-secret", "random_password", false),
    (Plan, "binding: { credentials: { uri: \"pg://u:hunter2@h\" } }", "plain-secret", "reference", false),
    (Plan, "binding: { derive: {}, credentials: {} }", "unknown-key", "values", true),
    (Plan, "binding: { ttl: -5m, credentials: {} }", "wrong-type", "10m", true),
    (Plan, "binding: { ttll: 5m, credentials: {} }", "unknown-key", "ttl", true),
    (Plan, "binding: { ttl: 0, credentials: {} }", "binding-ttl", "90d", false),
    (Plan, "binding: { renew_before: 5m, credentials: {} }", "binding-ttl", "add `ttl`", false),
    (Plan, "binding: { ttl: 5m, renew_before: 1h, credentials: {} }", "binding-ttl", "shorter", false),
    (Plan, "binding: { ttl: 5m, credentials: {}, metadata: { expires_at: \"2030-01-01T00:00:00.0Z\" } }", "binding-ttl-metadata", "one of them", false),
    (Plan, "binding: { inherits: schema, credentials: {} }", "wrong-type", "list", true),
    (Plan, "binding: { inherits: [schema], credentials: {} }", "inherits-known", "binding.values", false),
    (Plan, "binding: { values: { s: x }, inherits: [schema], credentials: {} }", "inherits-known", "known here: s", false),
    (Plan, "binding: { refresh: \"yes\", credentials: {} }", "wrong-type", "true", true),
    (Plan, "binding: { requires: [apps], credentials: {} }", "unknown-word", "app", true),
    (Plan, "binding: { syslog_drain_url: \"syslog://h:1\" }", "binding-permission", "requires: [syslog_drain]", false),
    (Plan, "binding: { endpoints: [{ host: h, ports: [5432] }] }", "wrong-type", "quotes", true),
    (Plan, "binding: { endpoints: [{ host: h, ports: [\"x\"] }] }", "endpoints", "5432", false),
    (Plan, "binding: { endpoints: [{ host: h, ports: [\"1\"], protocol: http }] }", "unknown-word", "tcp", true),
    (Plan, "respond: async", "later-bind-retrievable", "bind: sync", false),
    (Plan, "binding: { metadata: { expires_at: \"2030-01-01T00:00:00Z\" } }", "binding-times", "yyyy", false),
    (Plan, "binding: { credentials: { p: {{ plan.id }} } }", "template-unquoted", "quotes", false),
    (Plan, "binding: { credentials: { p: \"x\", p: \"y\" } }", "yaml-equal-keys", "remove", false),
];

#[test]
fn each_mistake_is_told_where_it_stands_with_its_mend() {
    for (at, mistake, rule, word, _) in MISTAKES {
        let loaded = load_with(&text(*at, mistake), &[("FREE", "true")]);
        let line = match at {
            Top => 1,
            Offering => 6,
            Plan => 10,
        };
        let found = loaded.findings.iter().any(|finding| {
            finding.rule == *rule
                && finding.mend.contains(word)
                && finding
                    .place
                    .as_ref()
                    .is_some_and(|place| place.line == line)
        });
        assert!(found, "{mistake}\n{}", told(&loaded));
        assert!(!told(&loaded).contains("hunter2"), "{mistake}");
        assert!(
            loaded.findings.iter().count() <= 2,
            "{mistake}\n{}",
            told(&loaded)
        );
    }
}

#[test]
fn the_schema_for_editors_refuses_mistakes_of_keys_and_types() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    let mut seen = 0;
    for (at, mistake, _, _, in_schema) in MISTAKES {
        let Ok(value) = serde_yaml::from_str::<serde_json::Value>(&text(*at, mistake)) else {
            continue;
        };
        assert_eq!(!schema.is_valid(&value), *in_schema, "{mistake}");
        seen += 1;
    }
    assert!(seen > 70);
    let good = text(
        Plan,
        "free: \"${json:FREE}\"\n    maximum_polling_duration: null\n    metadata: ${site.meta}",
    );
    assert!(schema.is_valid(&serde_yaml::from_str::<serde_json::Value>(&good).unwrap()));
    let good = text(
        Plan,
        "binding: { volume_mounts: \"{{ values.m }}\", credentials: \"${vcap:db#/credentials}\" }",
    );
    assert!(schema.is_valid(&serde_yaml::from_str::<serde_json::Value>(&good).unwrap()));
}

#[test]
fn a_missing_id_gets_a_fresh_one() {
    let loaded = load(
        "services:\n- name: db\n  description: d\n  bindable: false\n  plans: [{ name: p, description: d }]\n",
    );
    let mends: Vec<_> = loaded
        .findings
        .iter()
        .map(|finding| finding.mend.clone())
        .collect();
    assert_eq!(mends.len(), 2, "{}", told(&loaded));
    assert_ne!(mends[0], mends[1]);
    assert!(
        mends
            .iter()
            .all(|mend| mend.starts_with("add `id: ") && mend.len() == 46),
        "{mends:?}"
    );
}

#[test]
fn edits_lose_nothing_and_mend() {
    for (at, mistake) in [
        (Top, "minimum_api_version: 2.10 # oldest"),
        (
            Offering,
            "# why\n  vendor: # this\n    a: 1 # one\n  other: [1]",
        ),
        (
            Offering,
            "vendor: 1\n  extensions: # mine\n    a: 1\n  other: 2",
        ),
        (Offering, "tags: postgres # tag"),
        (Plan, "free: \"yes\""),
        (Plan, "free: ${FREE}"),
        (Plan, "maximum_polling_duration: '60'"),
        (Plan, "maintenance_info: { version: 1.0.0, description: 5 }"),
    ] {
        let text = text(at, mistake);
        let loaded = load_with(&text, &[("FREE", "true")]);
        assert!(errors(&loaded) > 0, "{mistake}");
        let mended = edited(&text, &loaded);
        let again = load_with(&mended, &[("FREE", "true")]);
        assert_eq!(errors(&again), 0, "{mended}\n{}", told(&again));
        for comment in text
            .lines()
            .filter_map(|line| Some(line.split_once('#')?.1))
        {
            assert!(mended.contains(comment), "{mended}");
        }
    }
    for json in [
        r#"{"services": [{"vendor": {"x": 1}, "id": "11111111-1111-4111-8111-111111111111", "name": "n", "description": "d", "bindable": false, "more": 1, "plans": [{"id": "22222222-2222-4222-8222-222222222222", "name": "n", "description": "d", "cost": 1, "unit": "EUR"}]}]}"#,
        r#"{"services": [{"vendor": 1, "extensions": {"a": 1}, "id": "11111111-1111-4111-8111-111111111111", "name": "n", "description": "d", "bindable": false, "plans": [{"id": "22222222-2222-4222-8222-222222222222", "name": "n", "description": "d", "free": true}], "last": 2, "lastly": 3}]}"#,
    ] {
        let loaded = load(json);
        let mended = edited(json, &loaded);
        assert!(
            serde_json::from_str::<serde_json::Value>(&mended).is_ok(),
            "{mended}"
        );
        assert_eq!(rules(&load(&mended)), [""; 0], "{mended}");
    }
}

#[test]
fn findings_of_what_many_inherit_come_once() {
    let plans: String = (0..50).map(|n| format!("  - {{ id: 22222222-2222-4222-8222-2222222222{n:02}, name: p{n}, description: d }}\n")).collect();
    let text = format!(
        "{HEAD}  binding: {{ credentials: {{ password: x, a: \"{{{{ valuse.x }}}}\" }} }}\n  plans:\n{plans}"
    );
    let loaded = load(&text);
    assert_eq!(loaded.findings.iter().count(), 2, "{}", told(&loaded));
}
