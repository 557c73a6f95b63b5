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
