//! What the broker makes itself, without a server: names, passwords, ids by chance, made once and stored; and what it
//! derives of a key, which needs no store at all.

use serde_json::Value;

use crate::harness::{Broker, PLAN, SERVICE, Setup, bind_body, provision_body};

const BY_CHANCE: &str = r#"
services:
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10
    name: directory
    description: Another system reads these
    bindable: true
    bindings_retrievable: true
    instances_retrievable: true
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: entry
        description: A name and a key for each
        instance:
          values: { tenant: "{{ uuid() }}" }
          dashboard_url: "https://directory.example.com/{{ instance.values.tenant }}"
        binding:
          values: { username: "{{ random_username() }}", password: "{{ random_password(32) }}" }
          credentials:
            tenant: "{{ instance.values.tenant }}"
            username: "{{ binding.values.username }}"
            password: "{{ binding.values.password }}"
            id: "{{ uuid() }}"
"#;

fn credentials(broker: &Broker, instance: &str, binding: &str) -> Value {
    let bound = broker.bind(instance, binding, &bind_body());
    assert!(matches!(bound.status, 200 | 201), "{}", bound.text());
    bound.json()["credentials"].clone()
}

#[test]
fn what_is_drawn_by_chance_is_drawn_once() {
    let broker = Setup::new(BY_CHANCE).start();
    let dashboard = broker.provision("i", &provision_body()).json()["dashboard_url"].clone();
    let first = credentials(&broker, "i", "b");
    let name = first["username"].as_str().expect("a name");
    assert!(
        name.len() == 16 && name.starts_with(|sign: char| sign.is_ascii_lowercase()),
        "{name}"
    );
    let tenant = first["tenant"].as_str().expect("a tenant");
    assert_eq!(dashboard, format!("https://directory.example.com/{tenant}"));
    assert_eq!(tenant.len(), 36);
    assert_ne!(first["id"], first["tenant"]);
    let second = credentials(&broker, "i", "c");
    assert_eq!(second["tenant"], first["tenant"]);
    assert_ne!(second["username"], first["username"]);
    assert_ne!(second["id"], first["id"]);
    let broker = broker.restarted();
    assert_eq!(credentials(&broker, "i", "b"), first);
    assert_eq!(broker.fetch_binding("i", "b").json()["credentials"], first);
    // Another binding of the same id is another one.
    assert_eq!(broker.unbind("i", "b", SERVICE, PLAN).status, 200);
    assert_ne!(credentials(&broker, "i", "b"), first);
}

#[test]
fn without_a_memory_nothing_is_drawn_by_chance() {
    for function in ["uuid()", "random_username()", "random_password(9)", "now()"] {
        let catalog = BY_CHANCE
            .replace("_retrievable: true", "_retrievable: false")
            .replace("{{ uuid() }}", "it")
            .replace("{{ random_username() }}", &format!("{{{{ {function} }}}}"))
            .replace("{{ random_password(32) }}", "it");
        let (status, _, errors) = Setup::new(&catalog).arg("--store").arg("none").run();
        assert_eq!(status.code(), Some(2), "{function}: {errors}");
        let word = function.split('(').next().unwrap_or_default();
        assert!(
            errors.contains("store-none-made-once") && errors.contains(&format!("{word}()")),
            "{function}: {errors}"
        );
    }
}

/// What may be derived of, by version.
const KEYS: [(&str, &str); 2] = [
    ("DERIVE_V1", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
    ("DERIVE_V2", "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA="),
];

const DERIVED: &str = r#"
derive: { keys: { v1: "${DERIVE_V1}", v2: "${DERIVE_V2}" }, current: v1 }
services:
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10
    name: relay
    description: A login for each application
    bindable: true
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: standard
        description: Of the key that counts now
        instance:
          dashboard_url: "https://relay.example.com/{{ derive('tenant', 12, 'lower') }}"
        binding:
          credentials:
            version: "{{ derive_version() }}"
            password: "{{ derive('password', 32) }}"
            pin: "{{ derive('pin', 8, 'digits') }}"
"#;

fn deriving(catalog: &str) -> Setup {
    KEYS.iter().fold(Setup::new(catalog), |setup, (name, key)| {
        setup.env(name, key).env("RUST_LOG", "trace,mio=off")
    })
}

fn asserts_no_key(text: &str) {
    for (_, key) in KEYS {
        assert!(!text.contains(key), "a key is shown: {text}");
    }
}

/// The counter-proof is a third broker, which has another key under the same name.
#[test]
fn two_brokers_without_a_memory_derive_the_same_after_restarts() {
    let none = |catalog: &str| deriving(catalog).arg("--store").arg("none");
    let broker = none(DERIVED).start();
    let dashboard = broker.provision("i", &provision_body()).json();
    let first = credentials(&broker, "i", "b");
    assert_eq!(first["version"], "v1");
    assert_eq!(first["password"].as_str().map(str::len), Some(32));
    let beside = none(DERIVED).start();
    assert_eq!(credentials(&beside, "i", "b"), first);
    assert_eq!(beside.provision("i", &provision_body()).json(), dashboard);
    let broker = broker.restarted();
    let beside = beside.restarted();
    for broker in [&broker, &beside] {
        assert_eq!(credentials(broker, "i", "b"), first);
        for (instance, binding) in [("i", "c"), ("j", "b")] {
            let other = credentials(broker, instance, binding);
            assert_ne!(other["password"], first["password"]);
            assert_ne!(other["pin"], first["pin"]);
        }
        asserts_no_key(&broker.log());
    }
    let another = none(DERIVED).env("DERIVE_V1", KEYS[1].1);
    let another = another.env("DERIVE_V2", KEYS[0].1).start();
    assert_ne!(
        credentials(&another, "i", "b")["password"],
        first["password"]
    );
    // A newer key counts for all binds, the repeat of an old one too; a plan may keep to its own.
    let newer = DERIVED.replace("current: v1", "current: v2");
    let moved = credentials(&none(&newer).start(), "i", "b");
    assert_eq!(moved["version"], "v2");
    assert_ne!(moved["password"], first["password"]);
    let own = newer.replace(
        "        instance:\n",
        "        derive: { current: v1 }\n        instance:\n",
    );
    assert_eq!(credentials(&none(&own).start(), "i", "b"), first);
}

#[test]
fn with_a_store_bindings_keep_the_key_that_they_were_made_with() {
    let broker = deriving(DERIVED).start();
    let dashboard = broker.provision("i", &provision_body()).json();
    let first = credentials(&broker, "i", "b");
    let folder = std::sync::Arc::clone(&broker.folder);
    drop(broker);
    let newer = DERIVED.replace("current: v1", "current: v2");
    let broker = deriving(&newer).start_in(&folder);
    assert_eq!(credentials(&broker, "i", "b"), first);
    let second = credentials(&broker, "i", "c");
    assert_eq!(second["version"], "v2");
    assert_ne!(second["password"], first["password"]);
    // What an update renders again is of the key of the instance.
    let update = serde_json::json!({ "service_id": SERVICE, "parameters": { "size": 2 } });
    assert_eq!(broker.update("i", &update).json(), dashboard);
    drop(broker);
    let shown = deriving(&newer).arg("instances").arg("show").arg("i");
    let (status, out, errors) = shown.arg("--format").arg("json").run_in(&folder);
    assert!(status.success(), "{errors}");
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(shown["key_version"], "v1");
    let versions = shown["bindings"].as_array().expect("bindings").iter();
    let versions: Vec<_> = versions
        .map(|binding| (&binding["id"], &binding["key_version"]))
        .collect();
    let (b, c) = (Value::from("b"), Value::from("c"));
    let (v1, v2) = (Value::from("v1"), Value::from("v2"));
    assert_eq!(versions, [(&b, &v1), (&c, &v2)]);
    // The first key is missed. Where it is allowed to go, what it made is still handed out; what is rendered again is of the
    // other one.
    let without = newer.replace("v1: \"${DERIVE_V1}\", ", "");
    folder.write("catalog.yaml", &without);
    let (status, _, errors) = deriving(&without).run_in(&folder);
    assert_eq!(status.code(), Some(2), "{errors}");
    assert!(errors.contains("derive-key-gone: "), "{errors}");
    let allowing = deriving(&without).arg("--allow-breaking=derive-key-gone");
    let broker = allowing.start_in(&folder);
    assert_eq!(credentials(&broker, "i", "b"), first);
    let moved = broker.update("i", &update);
    assert_eq!(moved.status, 200, "{}", moved.text());
    assert_ne!(moved.json(), dashboard);
    asserts_no_key(&broker.log());
}
