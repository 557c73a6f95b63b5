//! What a bind returns beside credentials, and that it is stored: every field of the specification.

use serde_json::{Value, json};

use crate::documents::{bind_of, provisioned};
use crate::harness::{Broker, Setup, with};

const FIELDS: &str = r#"
services:
  - id: s
    name: s
    description: Every field
    bindable: true
    bindings_retrievable: true
    instances_retrievable: true
    requires: [syslog_drain, route_forwarding, volume_mount]
    plans:
      - id: all
        name: all
        description: All of them
        binding:
          credentials: { number: 5, text: "5", list: [1, "{{ binding.id }}"], nothing: null, deep: { flag: true } }
          syslog_drain_url: "syslog-tls://logs.example.com:6514/?app={{ binding.app_guid | default('none') }}"
          route_service_url: "https://route.example.com/{{ binding.id }}"
          volume_mounts:
            - { driver: nfs, container_dir: "/data/{{ instance.id }}", mode: rw, device_type: shared, device: { volume_id: "v_{{ instance.id }}", mount_config: { uid: 1000 } } }
            - { driver: nfs, container_dir: /more, mode: r, device_type: shared, device: { volume_id: w } }
          endpoints:
            - { host: "{{ instance.id }}.example.com", ports: ["5432", "9000-9010"] }
            - { host: 10.0.0.1, ports: ["53"], protocol: udp }
          metadata: { expires_at: "2999-12-31T23:59:59.0Z", renew_before: "2999-01-31T00:00:00.123Z" }
      - { id: nothing, name: nothing, description: Nothing at all }
      - { id: absent, name: absent, description: A drain if asked for, binding: { credentials: { a: b }, syslog_drain_url: "{{ binding.parameters.drain }}" } }
      - { id: empty, name: empty, description: Empty ones, binding: { credentials: {}, volume_mounts: [], endpoints: [] } }
"#;

fn bound(broker: &Broker, plan: &str) -> Value {
    provisioned(broker, plan, "s", plan);
    let response = broker.bind(plan, "b", &bind_of("s", plan));
    assert_eq!(response.status, 201, "{}", response.text());
    response.json()
}

#[test]
fn every_field_of_the_specification_is_returned() {
    let broker = Setup::new(FIELDS).start();
    let all = json!({
        "credentials": { "number": 5, "text": "5", "list": [1, "b"], "deep": { "flag": true } },
        "syslog_drain_url": "syslog-tls://logs.example.com:6514/?app=app-1",
        "route_service_url": "https://route.example.com/b",
        "volume_mounts": [
            { "driver": "nfs", "container_dir": "/data/all", "mode": "rw", "device_type": "shared",
              "device": { "volume_id": "v_all", "mount_config": { "uid": 1000 } } },
            { "driver": "nfs", "container_dir": "/more", "mode": "r", "device_type": "shared",
              "device": { "volume_id": "w" } },
        ],
        "endpoints": [
            { "host": "all.example.com", "ports": ["5432", "9000-9010"] },
            { "host": "10.0.0.1", "ports": ["53"], "protocol": "udp" },
        ],
        "metadata": { "expires_at": "2999-12-31T23:59:59.0Z", "renew_before": "2999-01-31T00:00:00.123Z" },
    });
    assert_eq!(bound(&broker, "all"), all);
    assert_eq!(
        broker.fetch_binding("all", "b").json(),
        with(all, "parameters", json!({}))
    );
    assert_eq!(bound(&broker, "nothing"), json!({}));
    assert_eq!(
        bound(&broker, "absent"),
        json!({ "credentials": { "a": "b" } }),
        "a null is left out"
    );
    let emptied = with(bind_of("s", "absent"), "parameters", json!({ "drain": "" }));
    assert_eq!(
        broker.bind("absent", "emptied", &emptied).json(),
        json!({ "credentials": { "a": "b" }, "syslog_drain_url": "" }),
        "an empty one is not absent"
    );
    assert_eq!(
        bound(&broker, "empty"),
        json!({ "credentials": {}, "volume_mounts": [], "endpoints": [] })
    );
}

/// A value that a parameter made unfit is the user's to mend, where no schema says so before; nothing comes of it. The
/// answer names the parameter and nothing private; the log has the place.
#[test]
fn a_field_of_the_wrong_type_is_not_sent() {
    let broker = Setup::new(FIELDS).start();
    provisioned(&broker, "i", "s", "absent");
    for drain in [json!(5), json!({ "a": "b" }), json!([])] {
        let body = with(
            bind_of("s", "absent"),
            "parameters",
            json!({ "drain": drain }),
        );
        let response = broker.bind("i", "b", &body);
        assert_eq!(
            (response.status, response.word().as_str()),
            (400, "ParametersInvalid"),
            "{drain}"
        );
        assert!(
            response.text().contains("`binding.parameters.drain`"),
            "{}",
            response.text()
        );
        assert!(
            !response.text().contains("syslog_drain_url"),
            "{}",
            response.text()
        );
        assert_eq!(broker.fetch_binding("i", "b").status, 404);
    }
    let body = with(
        bind_of("s", "absent"),
        "parameters",
        json!({ "drain": "syslog://x" }),
    );
    assert_eq!(
        broker.bind("i", "b", &body).json()["syslog_drain_url"],
        "syslog://x"
    );
}

const BEFORE: &str = r#"
services:
  - id: s
    name: s
    description: One
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    values: { host: old-host }
    plans:
      - id: p
        name: p
        description: One
        instance: { dashboard_url: "https://{{ values.host }}" }
        binding: { credentials: { host: "{{ values.host }}", at: "{{ now() }}" }, endpoints: [{ host: "{{ values.host }}", ports: ["1"] }] }
"#;

/// A changed value in the document is never breaking: what is there keeps what it got.
#[test]
fn what_a_bind_rendered_is_stored() {
    let broker = Setup::new(BEFORE).start();
    provisioned(&broker, "i", "s", "p");
    let old = broker.bind("i", "b", &bind_of("s", "p")).json();
    assert_eq!(old["credentials"]["host"], "old-host");
    broker
        .folder
        .write("catalog.yaml", &BEFORE.replace("old-host", "new-host"));
    let broker = broker.restarted();
    let again = broker.bind("i", "b", &bind_of("s", "p"));
    assert_eq!((again.status, again.json()), (200, old.clone()));
    assert_eq!(
        broker.fetch_binding("i", "b").json(),
        with(old.clone(), "parameters", json!({}))
    );
    assert_eq!(
        broker.fetch("i").json()["dashboard_url"],
        "https://old-host"
    );
    assert_eq!(
        broker.bind("i", "c", &bind_of("s", "p")).json()["credentials"]["host"],
        "new-host"
    );
    assert_eq!(broker.unbind("i", "b", "s", "p").status, 200);
    assert_eq!(
        broker.bind("i", "b", &bind_of("s", "p")).json()["credentials"]["host"],
        "new-host"
    );
}
