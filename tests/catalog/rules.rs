//! For each rule a document that breaks it and one that does not.

use std::collections::HashSet;

use catalog_broker::catalog::rules::RULES;
use catalog_broker::catalog::{Memory, Source, load};
use catalog_broker::document::Environment;
use serde_json::{Value, json};

use crate::harness::{self, document, load_all, rules, told};

/// Rule, what is added to document, offering and plan to break it, and the same to keep it.
pub fn cases() -> Vec<(&'static str, [Value; 3], [Value; 3])> {
    let none = || json!({});
    let service = |bad: Value, good: Value| ([none(), bad, none()], [none(), good, none()]);
    let plan = |bad: Value, good: Value| ([none(), none(), bad], [none(), none(), good]);
    let top = |bad: Value, good: Value| ([bad, none(), none()], [good, none(), none()]);
    let schema = |schema: Value| json!({ "schemas": { "service_instance": { "create": { "parameters": schema } } } });
    let binding =
        |field: &str, value: Value| json!({ "binding": { "credentials": {}, field: value } });
    let mount = |mode: &str| json!([{ "driver": "nfs", "container_dir": "/d", "mode": mode, "device_type": "shared", "device": { "volume_id": "v" } }]);
    let draft4 = "http://json-schema.org/draft-04/schema#";
    let other_id = "33333333-3333-4333-8333-333333333333";
    let second = |id: &str, name: &str| json!({ "id": id, "name": name, "description": "d", "bindable": false, "plans": [{ "id": "44444444-4444-4444-8444-444444444444", "name": "p", "description": "d" }] });
    let first = || {
        serde_json::from_str::<Value>(&document(none(), json!({ "dashboard_client": { "id": "c", "secret": "${S:-x}", "redirect_uri": "https://h" } }), none())).unwrap()["services"][0].clone()
    };
    let two = |bad: Value, good: Value| {
        top(
            json!({ "services": [first(), bad] }),
            json!({ "services": [first(), good] }),
        )
    };
    let with_client = |client: &str| {
        let mut s = second(other_id, "other");
        s["dashboard_client"] =
            json!({ "id": client, "secret": "${S:-x}", "redirect_uri": "https://h" });
        s
    };
    let plans = |id: &str, name: &str| json!({ "plans": [{ "id": harness::PLAN, "name": "small", "description": "d", "bindable": false }, { "id": id, "name": name, "description": "d", "bindable": false }] });
    let ok = || [none(), none(), none()];
    let sql = |step: Value| json!({ "backend": { "sql": { "server": "postgres://h/d", "statements": { "bind": [step] } } } });
    let set = |with: Value| json!({ "backend": { "sql": { "server": "postgres://h/d" }, "statements": "postgresql/database", "with": with } });
    let server = |set: &str| json!({ "backend": { "sql": { "server": "mysql://u@h/d" }, "statements": set } });
    let sets = |other: &str| {
        json!({ "plan_updateable": true, "backend": { "sql": { "server": "postgres://h/d" } }, "plans": [
        { "id": harness::PLAN, "name": "a", "description": "d", "backend": { "statements": "postgresql/database" } },
        { "id": other_id, "name": "b", "description": "d", "backend": { "statements": other } },
    ] })
    };
    let key = |key: &str| json!({ "derive": { "keys": { "v1": format!("${{K:-{key}}}") } } });
    let row = |name: &'static str, (bad, good): ([Value; 3], [Value; 3])| (name, bad, good);
    vec![
        row("reference-syntax", plan(json!({ "description": "${vault:x}" }), json!({ "description": "$${vault:x}" }))),
        row("reference-missing", plan(json!({ "description": "${NOT_THERE}" }), json!({ "description": "${NOT_THERE:-x}" }))),
        row("reference-broken", plan(json!({ "description": "${json:BROKEN}" }), json!({ "description": "${BROKEN}" }))),
        row("template-syntax", plan(json!({ "binding": { "credentials": { "a": "{{ 1 + }}" } } }), json!({ "binding": { "credentials": { "a": "{{ 1 + 1 }}" } } }))),
        row("template-name", plan(json!({ "binding": { "credentials": { "a": "{{ instance.idd }}" } } }), json!({ "binding": { "credentials": { "a": "{{ instance.id }}" } } }))),
        row("template-in-constant", plan(json!({ "values": { "a": "{{ instance.id }}" } }), json!({ "values": { "a": "pa{{ss" } }))),
        row("template-published", plan(json!({ "description": "{{ plan.name }}" }), json!({ "description": "{% x %}" }))),
        row("unknown-key", service(json!({ "vendor": 1 }), json!({ "extensions": { "vendor": 1 } }))),
        row("unknown-key", plan(json!({ "backend": { "fixed": {}, "respond": "auto" } }), json!({ "backend": { "fixed": {} }, "respond": "sync" }))),
        row("wrong-type", service(json!({ "bindable": "true" }), json!({ "bindable": true }))),
        row("unknown-word", service(json!({ "requires": ["syslog"] }), json!({ "requires": ["syslog_drain"] }))),
        row("statement-filter", plan(sql(json!("DROP ROLE {{ binding.id }}")), sql(json!("DROP ROLE {{ binding.id | ident }}")))),
        row("statement-reference", plan(sql(json!("DROP ROLE ${S:-x}")), sql(json!("SELECT '$${S}'")))),
        row("statement-empty", plan(sql(json!({ "database": "d" })), sql(json!({ "statement": "SELECT 1", "database": "d" })))),
        row("statement-knob", plan(set(json!({ "connection": 5 })), set(json!({ "connections": 5 })))),
        row("statement-server", plan(server("postgresql/database"), server("mysql/database"))),
        row("statements-move", service(sets("postgresql/schema"), sets("postgresql/database"))),
        row("statements-move", {
            let moves = |to: Value| { let mut service = sets("postgresql/schema"); for plan in service["plans"].as_array_mut().expect("plans") { plan["updates_to"] = to.clone(); } service };
            service(moves(json!(["a"])), moves(json!([])))
        }),
        row("program-missing", plan(json!({ "backend": { "command": { "run": ["/nowhere/at-all"] } } }), json!({ "backend": { "command": { "run": ["/bin/sh"] } } }))),
        row("accept-known", top(json!({ "accept": ["plan-id-unique", "id-giud"] }), json!({ "accept": ["id-guid"] }))),
        row("backend-kind", plan(json!({ "backend": {} }), json!({ "backend": { "fixed": {} } }))),
        row("backend-named", plan(json!({ "backend": { "use": "pg" } }), json!({ "backend": { "use": "pg" } })).with_top(json!({ "backends": { "pg": { "fixed": {} } } }))),
        row("backend-settings", plan(json!({ "backend": { "webhook": { "url": "http://example.com/" } } }), json!({ "backend": { "webhook": { "url": "https://example.com/" } } })).both(json!({ "bindings_retrievable": true }))),
        row("required-key", service(json!({ "bindable": null }), json!({ "bindable": false }))),
        row("not-blank", service(json!({ "description": " " }), json!({ "description": "x" }))),
        row("id-characters", service(json!({ "id": "a\u{7}b" }), none())),
        row("service-id-unique", two(second(harness::SERVICE, "other"), second(other_id, "other"))),
        row("service-name-unique", two(second(other_id, "db"), second(other_id, "DB"))),
        row("plan-id-unique", service(plans(harness::PLAN, "b"), plans(other_id, "b"))),
        row("plan-name-unique", service(plans(other_id, "small"), plans(other_id, "Small"))),
        row("dashboard-client-unique", two(with_client("c"), with_client("d"))),
        row("id-case", service(json!({ "id": "ABCDEF22-2222-4222-8222-222222222222", "plans": plans("abcdef22-2222-4222-8222-222222222222", "b")["plans"] }), plans(other_id, "b"))),
        row("id-guid", service(json!({ "id": "my-service" }), json!({ "id": other_id }))),
        row("name-cli-friendly", service(json!({ "name": "my service" }), json!({ "name": "my-service_2.0" }))),
        row("description-length", plan(json!({ "description": "x".repeat(256) }), json!({ "description": "ä".repeat(255) }))),
        row("description-limit", service(json!({ "description": "x".repeat(10_001) }), json!({ "description": "x".repeat(10_000) }))),
        row("services-empty", top(json!({ "services": [] }), none())),
        row("plans-empty", service(json!({ "plans": [] }), none())),
        row("tags-length", service(json!({ "tags": ["x".repeat(2048), "y"] }), json!({ "tags": ["x".repeat(2047), "y"] }))),
        row("extension-clash", service(json!({ "extensions": { "bindable": true } }), json!({ "extensions": { "bindable2": true } }))),
        row("permission-switched-on", service(json!({ "requires": ["volume_mount"] }), json!({ "requires": ["syslog_drain"] }))),
        row("minimum-api-version", top(json!({ "minimum_api_version": "2" }), json!({ "minimum_api_version": "2.10" }))),
        row("minimum-api-version-platform", top(json!({ "minimum_api_version": "2.16" }), json!({ "minimum_api_version": "2.15" }))),
        row("maintenance-version", plan(json!({ "maintenance_info": { "version": "1.0" } }), json!({ "maintenance_info": { "version": "1.0.0+a" } }))),
        row("maintenance-size", plan(json!({ "maintenance_info": { "version": "1.0.0", "description": "x".repeat(2000) } }), json!({ "maintenance_info": { "version": "1.0.0", "description": "x".repeat(1900) } }))),
        row("schemas-key", plan(json!({ "schemas": { "service_instanc": {} } }), json!({ "schemas": { "service_instance": {} } }))),
        row("schema-declares-draft", plan(schema(json!({ "type": "object" })), schema(json!({ "$schema": draft4 })))),
        row("schema-known-draft", plan(schema(json!({ "$schema": "https://example.com/mine" })), schema(json!({ "$schema": "http://json-schema.org/draft-04/schema" })))),
        row("schema-draft", plan(schema(json!({ "$schema": "https://json-schema.org/draft/2020-12/schema" })), schema(json!({ "$schema": draft4 })))),
        row("schema-external-reference", plan(schema(json!({ "$schema": draft4, "properties": { "a": { "$ref": "https://example.com/a" } } })), schema(json!({ "$schema": draft4, "properties": { "a": { "$ref": "#/definitions/a" }, "$ref": { "enum": [{ "$ref": "x" }] } }, "definitions": { "a": {} } })))),
        row("schema-size", plan(schema(json!({ "$schema": draft4, "description": "x".repeat(65_536) })), schema(json!({ "$schema": draft4, "description": "x".repeat(65_000) })))),
        row("schema-valid", plan(schema(json!({ "$schema": draft4, "type": "objekt" })), schema(json!({ "$schema": draft4, "type": "object" })))),
        row("binding-permission", plan(binding("syslog_drain_url", json!("syslog://h:1")), none()).with_service(json!({ "requires": ["syslog_drain"] }))),
        row("binding-empty", plan(json!({ "binding": "-" }), json!({ "binding": "-", "bindable": false }))),
        row("template-renders", plan(json!({ "binding": { "credentials": { "a": "x{{ binding.parameters.size }}" } } }), json!({ "binding": { "credentials": { "a": "x{{ binding.parameters.size | default('s') }}" } } }))),
        row("dashboard-url", plan(json!({ "instance": { "dashboard_url": "example.com" } }), json!({ "instance": { "dashboard_url": "https://example.com/{{ instance.id }}" } }))),
        row("syslog-drain-url", plan(binding("syslog_drain_url", json!("")), binding("syslog_drain_url", json!("syslog-tls://h:1"))).both(json!({ "requires": ["syslog_drain"] }))),
        row("route-service-url", plan(binding("route_service_url", json!("http://h")), binding("route_service_url", json!("https://h/x"))).both(json!({ "requires": ["route_forwarding"] }))),
        row("volume-mounts", plan(json!({ "values": { "m": mount("w") }, "binding": { "volume_mounts": "{{ values.m }}" } }), binding("volume_mounts", mount("rw"))).both(json!({ "requires": ["volume_mount"] }))),
        row("endpoints", plan(binding("endpoints", json!([{ "host": "h", "ports": [] }])), binding("endpoints", json!([{ "host": "h", "ports": ["1", "2-3"] }])))),
        row("binding-times", plan(binding("metadata", json!({ "expires_at": "2030-01-01" })), binding("metadata", json!({ "expires_at": "2030-01-01T00:00:00.0Z", "renew_before": "2029-01-01T00:00:00.0Z" })))),
        row("binding-ttl", plan(binding("ttl", json!("0s")), binding("ttl", json!("90d")))),
        row("binding-ttl", plan(binding("renew_before", json!("7d")), json!({ "binding": { "credentials": {}, "ttl": "8d", "renew_before": "7d" } }))),
        row("binding-ttl", plan(json!({ "binding": { "credentials": {}, "ttl": "7d", "renew_before": "7d" } }), json!({ "binding": { "credentials": {}, "ttl": 700, "renew_before": 699 } }))),
        row("binding-ttl-metadata", plan(json!({ "binding": { "credentials": {}, "ttl": "7d", "metadata": { "expires_at": "2030-01-01T00:00:00.0Z" } } }), binding("metadata", json!({ "expires_at": "2030-01-01T00:00:00.0Z" })))),
        row("binding-ttl-metadata", plan(json!({ "binding": { "credentials": {}, "ttl": "7d", "metadata": { "renew_before": "2030-01-01T00:00:00.0Z" } } }), json!({ "binding": { "credentials": {}, "ttl": "7d", "metadata": {} } }))),
        row("inherits-known", plan(json!({ "binding_rotatable": true, "binding": { "credentials": {}, "values": { "a": "x" }, "inherits": ["b"] } }), json!({ "binding_rotatable": true, "binding": { "credentials": {}, "values": { "a": "x" }, "inherits": ["a"] } }))),
        row("inherits-rotatable", plan(json!({ "binding": { "credentials": {}, "values": { "a": "x" }, "inherits": ["a"] } }), json!({ "binding_rotatable": true, "binding": { "credentials": {}, "values": { "a": "x" }, "inherits": ["a"] } }))),
        ("refresh-retrievable", [none(), none(), binding("refresh", json!(true))], [none(), json!({ "bindings_retrievable": true }), binding("refresh", json!(true))]),
        ("refresh-made-once", [none(), json!({ "bindings_retrievable": true }), json!({ "binding": { "credentials": { "p": "{{ random_password(9) }}" }, "refresh": true } })], [none(), json!({ "bindings_retrievable": true }), json!({ "binding": { "values": { "p": "{{ random_password(9) }}" }, "credentials": { "p": "{{ binding.values.p }}" }, "refresh": true } })]),
        row("made-again", plan(json!({ "instance": { "dashboard_url": "https://h/{{ random_password(9) }}" } }), json!({ "instance": { "values": { "t": "{{ random_password(9) }}" }, "dashboard_url": "https://h/{{ instance.values.t }}" } }))),
        row("later-outputs", plan(json!({ "respond": { "provision": "async" }, "instance": { "dashboard_url": "https://h/{{ instance.outputs.x | default('y') }}" } }), json!({ "instance": { "dashboard_url": "https://h/{{ instance.outputs.x | default('y') }}" } }))),
        row("later-bind-retrievable", plan(json!({ "respond": "async" }), json!({ "respond": "async" })).with_service(json!({ "bindings_retrievable": true }))),
        row("attempts-positive", plan(json!({ "max_attempts": 0 }), json!({ "max_attempts": 1 }))),
        row("adopt-until", plan(json!({ "adopt": { "until": "2027-02-29" } }), json!({ "adopt": { "until": "2028-02-29" } }))),
        row("adopt-fixed", plan(json!({ "adopt": true, "backend": { "command": { "run": ["x"] } } }), json!({ "adopt": false, "backend": { "command": { "run": ["x"] } } })).both(json!({ "bindings_retrievable": true }))),
        row("adopt-values", plan(json!({ "adopt": true, "instance": { "values": { "p": "{{ random_password(9) }}" } } }), json!({ "adopt": true, "instance": { "values": { "p": "{{ instance.id }}" } }, "binding": { "values": { "p": "{{ random_password(9) }}" }, "credentials": {} } }))),
        row("limits-positive", plan(json!({ "limits": { "instances": 0 } }), json!({ "limits": { "instances": 1 } }))),
        row("limits-within", (
            [none(), json!({ "limits": { "per_space": 2 } }), json!({ "limits": { "per_space": 3 } })],
            [none(), json!({ "limits": { "per_space": 2 } }), json!({ "limits": { "per_space": 2, "per_organization": 9 } })],
        )),
        row("limits-rotation", plan(json!({ "binding_rotatable": true, "limits": { "bindings_per_instance": 1 } }), json!({ "binding_rotatable": true, "limits": { "bindings_per_instance": 2 } }))),
        row("limits-rotation", (
            [none(), json!({ "limits": { "bindings_per_instance": 1 } }), json!({ "binding_rotatable": true })],
            [none(), json!({ "limits": { "bindings_per_instance": 1 } }), json!({ "binding_rotatable": false })],
        )),
        row("updates-to-known", plan(json!({ "updates_to": ["large"] }), json!({ "updates_to": ["small"] }))),
        row("lifecycle-after", plan(json!({ "lifecycle": { "state": "deprecated", "after": "2027-02-29" } }), json!({ "lifecycle": { "state": "deprecated", "after": "2028-02-29" } }))),
        row("lifecycle-successor", plan(json!({ "lifecycle": { "state": "retired", "successor": "small" } }), json!({ "lifecycle": { "state": "retired" } }))),
        row("pool-moves", {
            let pool = |lend: &str| json!({ "backend": { "pool": { "lend": lend, "entries": [{ "name": "a", "credentials": { "x": "y" } }] } } });
            let another = |moves: bool| json!({ "plan_updateable": moves, "plans": [{ "id": other_id, "name": "b", "description": "d", "bindable": false }, { "id": harness::PLAN, "name": "small", "description": "d" }] });
            let with = |service: Value, plan: Value| { let mut service = service; service["plans"][1].as_object_mut().expect("a plan").extend(plan.as_object().expect("keys").clone()); [none(), service, none()] };
            (with(another(true), pool("instance")), with(another(true), pool("binding")))
        }),
        row("pool-empty", {
            let pool = |entries: Value| json!({ "backend": { "pool": { "entries": entries } } });
            plan(pool(json!([])), pool(json!([{ "name": "a", "credentials": {} }])))
        }),
        row("pool-answers-at-once", plan(
            json!({ "respond": { "bind": "async" }, "backend": { "pool": { "entries": [{ "name": "a", "credentials": {} }] } } }),
            json!({ "respond": "auto", "backend": { "pool": { "entries": [{ "name": "a", "credentials": {} }] } } }),
        )),
        row("pool-shared", {
            let uses = |entry: &str| json!({ "plans": [
                { "id": other_id, "name": "b", "description": "d", "backend": { "use": "p" } },
                { "id": harness::PLAN, "name": "small", "description": "d", "backend": { "use": "p", "pool": { "entries": [{ "name": entry, "credentials": {} }] } } },
            ] });
            let named = json!({ "backends": { "p": { "pool": { "entries": [{ "name": "a", "credentials": {} }] } } } });
            ([named.clone(), uses("z"), none()], [named, uses("a"), none()])
        }),
        row("statement-made-again", plan(set(json!({ "connections": "{{ uuid() }}" })), set(json!({ "connections": "{{ instance.parameters.most | default(5) }}" })))),
        row("derive-keys", top(key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="), key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))),
        row("derive-needs-key", {
            let derives = || json!({ "binding": { "credentials": { "p": "{{ derive('p', 9) }}" } } });
            ([none(), none(), derives()], [key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), none(), derives()])
        }),
        row("plain-secret", plan(json!({ "binding": { "credentials": { "password": "hunter2" } } }), json!({ "binding": { "credentials": { "password": "${PW:-hunter2}" } } }))),
        ("store-none-backend", [none(), none(), json!({ "respond": { "provision": "async" } })], [none(), none(), json!({ "respond": "auto" })]),
        ("store-none-retrievable", [none(), json!({ "instances_retrievable": true }), none()], ok()),
        ("store-none-rotatable", [none(), none(), json!({ "binding_rotatable": true })], ok()),
        ("store-none-ttl", [none(), none(), binding("ttl", json!("5m"))], ok()),
        ("store-none-made-once", [none(), none(), json!({ "binding": { "values": { "p": "{{ random_password(9) }}" }, "credentials": {} } })], [key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), none(), json!({ "binding": { "values": { "p": "{{ derive('p', 9) }}" }, "credentials": {} } })]),
        ("store-none-limits", [none(), json!({ "limits": { "bindings_per_instance": 2 } }), none()], [none(), json!({ "limits": { "contact": "us" } }), none()]),
        ("store-none-pool", [none(), none(), json!({ "backend": { "pool": { "entries": [{ "name": "a", "credentials": {} }] } } })], [none(), none(), json!({ "backend": { "fixed": {} } })]),
        ("store-none-instance", [none(), none(), json!({ "binding": { "credentials": { "p": "{{ instance.parameters.p }}" } } })], [none(), none(), json!({ "binding": { "credentials": { "p": "{{ instance.id }}" } } })]),
    ]
}

trait Pair {
    fn with_top(self, good: Value) -> Self;
    fn with_service(self, good: Value) -> Self;
    fn both(self, service: Value) -> Self;
}
impl Pair for ([Value; 3], [Value; 3]) {
    fn with_top(self, good: Value) -> Self {
        let (bad, [_, service, plan]) = self;
        (bad, [good, service, plan])
    }
    fn with_service(self, good: Value) -> Self {
        let bad = self.0;
        let plan = bad[2].clone();
        (bad, [json!({}), good, plan])
    }
    fn both(self, service: Value) -> Self {
        let ([a, _, b], [c, _, d]) = self;
        ([a, service.clone(), b], [c, service, d])
    }
}

/// Rules that look at files and the environment, each with a test of its own.
const ELSEWHERE: [&str; 6] = [
    "file-unreadable",
    "folder-empty",
    "folder-key-twice",
    "override-names-nothing",
    "override-ambiguous",
    "override-value",
];

#[test]
fn each_rule_is_broken_by_one_document_and_kept_by_another() {
    for (rule, bad, good) in cases() {
        let memory = if rule.starts_with("store-none") {
            Memory::None
        } else {
            Memory::Remembers
        };
        let load = |[top, service, plan]: [Value; 3]| {
            load_all(
                &document(top, service, plan),
                &[("BROKEN", "{")],
                &[],
                memory,
            )
        };
        let broken = load(bad);
        assert!(
            rules(&broken).contains(&rule),
            "{rule} is not broken:\n{}",
            told(&broken)
        );
        let kept = load(good);
        assert!(
            !rules(&kept).contains(&rule),
            "{rule} is not kept:\n{}",
            told(&kept)
        );
        let named = RULES.iter().find(|known| known.name == rule).expect(rule);
        let found = broken
            .findings
            .iter()
            .find(|finding| finding.rule == rule)
            .unwrap();
        assert_eq!(found.severity, named.severity, "{rule}");
        assert!(!found.mend.is_empty() && found.place.is_some(), "{rule}");
    }
}

#[test]
fn every_rule_has_cases_and_a_name_of_its_own() {
    let known: HashSet<_> = cases().iter().map(|case| case.0).chain(ELSEWHERE).collect();
    let mut names = HashSet::new();
    for rule in RULES {
        assert!(known.contains(rule.name), "{} has no cases", rule.name);
        assert!(names.insert(rule.name), "{} stands twice", rule.name);
        assert!(rule.about.ends_with('.'), "{}", rule.name);
    }
    assert_eq!(known.len(), RULES.len());
}

#[test]
fn what_is_accepted_is_silent_there_and_below_alone() {
    let bad = json!({ "password": "x" });
    for (top, service, plan, silent) in [
        (
            json!({ "accept": ["plain-secret"] }),
            json!({}),
            json!({}),
            true,
        ),
        (
            json!({}),
            json!({ "accept": ["plain-secret"] }),
            json!({}),
            true,
        ),
        (
            json!({}),
            json!({}),
            json!({ "accept": ["plain-secret"] }),
            true,
        ),
        (
            json!({ "service_defaults": { "accept": ["plain-secret"] } }),
            json!({}),
            json!({}),
            true,
        ),
        (
            json!({}),
            json!({ "plan_defaults": { "accept": ["plain-secret"] } }),
            json!({}),
            true,
        ),
        (
            json!({ "accept": ["id-guid"] }),
            json!({}),
            json!({}),
            false,
        ),
    ] {
        let mut plan = plan;
        plan["binding"] = json!({ "credentials": bad });
        let loaded = harness::load(&document(top, service, plan));
        assert_eq!(
            !rules(&loaded).contains(&"plain-secret"),
            silent,
            "{}",
            told(&loaded)
        );
    }
}

#[test]
fn a_folder_is_one_document() {
    let folder = std::env::temp_dir().join(format!("catalog-folder-{}", std::process::id()));
    let source = Source {
        path: folder.clone(),
        vars: vec![],
    };
    let environment = Environment::default();
    let read = || load(&source, &environment, Memory::Remembers);
    std::fs::remove_dir_all(&folder).ok();
    assert_eq!(rules(&read()), ["file-unreadable"]);
    std::fs::create_dir_all(folder.join("..data")).unwrap();
    std::fs::write(folder.join(".hidden.yaml"), "nonsense: [").unwrap();
    std::fs::write(folder.join("notes.txt"), "nonsense").unwrap();
    assert_eq!(rules(&read()), ["folder-empty"]);
    let one = document(json!({}), json!({}), json!({}));
    let two = one
        .replace("1111", "5555")
        .replace("2222", "6666")
        .replace("\"db\"", "\"cache\"");
    std::fs::write(folder.join("b.yaml"), format!("x-a: 1\n{}", yaml(&two))).unwrap();
    std::fs::write(folder.join("a.json"), one).unwrap();
    std::fs::write(
        folder.join("c.yml"),
        "x-a: 2\nminimum_api_version: \"2.13\"\n",
    )
    .unwrap();
    std::fs::write(folder.join("d.yml"), "# nothing\n").unwrap();
    let loaded = read();
    assert!(loaded.findings.is_empty(), "{}", told(&loaded));
    let catalog = loaded.catalog.unwrap();
    let names: Vec<_> = catalog
        .offerings()
        .iter()
        .map(|offering| &*offering.name)
        .collect();
    assert_eq!(names, ["db", "cache"]);
    assert_eq!(catalog.minimum_api_version().minor, 13);
    std::fs::write(folder.join("e.yml"), "minimum_api_version: \"2.14\"\n").unwrap();
    assert_eq!(rules(&read()), ["folder-key-twice"]);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn yaml(text: &str) -> String {
    serde_yaml::to_string(&serde_json::from_str::<Value>(text).unwrap()).unwrap()
}
