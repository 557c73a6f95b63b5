//! Between plans of one ready-made set: the logins that are there already get what the new plan gives.

use serde_json::json;

use crate::cluster::Cluster;
use crate::harness::at_instance;
use crate::stage::{Admin, Login, Stage};

/// Two plans of a set in an offering of its own, and more connections where they are asked for.
pub fn catalog(kind: &str, admin: &str, sets: &[&str]) -> String {
    let offerings = sets.iter().map(|set| offering(kind, set));
    let server = format!("backends: {{ at: {{ sql: {{ server: \"${{{admin}}}\" }} }} }}\n");
    server + "services:\n" + &offerings.collect::<String>()
}

fn offering(kind: &str, set: &str) -> String {
    r#"
  - id: SET
    name: SET
    description: d
    bindable: true
    plan_updateable: true
    respond: sync
    backend: { use: at, statements: KIND/SET }
    plans:
      - { id: SET-small, name: small, description: d, backend: { with: { connections: 1 } } }
      - { id: SET-large, name: large, description: d, backend: { with: { connections: "{{ instance.parameters.connections | default(3) }}" } } }
"#
    .replace("KIND", kind)
    .replace("SET", set)
}

/// An instance of the smaller plan with a binding, and its login.
pub fn bound(broker: &crate::harness::Broker, set: &str, instance: &str, binding: &str) -> Login {
    let plan = format!("{set}-small");
    let names =
        json!({ "service_id": set, "plan_id": plan, "organization_guid": "o", "space_guid": "s" });
    let made = broker.provision(instance, &names);
    assert!(
        [200, 201].contains(&made.status),
        "{}\n{}",
        made.text(),
        broker.log()
    );
    let names = json!({ "service_id": set, "plan_id": plan });
    let bound = broker.bind(instance, binding, &names);
    assert_eq!(bound.status, 201, "{}\n{}", bound.text(), broker.log());
    Login(bound.json()["credentials"].clone())
}

/// Moves it to the larger plan, and then asks for more still.
pub fn moved(broker: &crate::harness::Broker, set: &str, instance: &str) {
    let mut body = json!({ "service_id": set, "plan_id": format!("{set}-large") });
    patched(broker, instance, &body);
    body["parameters"] = json!({ "connections": 7 });
    patched(broker, instance, &body);
}

fn patched(broker: &crate::harness::Broker, instance: &str, body: &serde_json::Value) {
    let moved = broker.patch(&at_instance(instance), body);
    assert_eq!(moved.status, 200, "{}\n{}", moved.text(), broker.log());
}

/// Removes it and its bindings.
pub fn gone(broker: &crate::harness::Broker, set: &str, instance: &str, plan: &str) {
    let gone = broker.deprovision(instance, set, &format!("{set}-{plan}"));
    assert_eq!(gone.status, 200, "{}\n{}", gone.text(), broker.log());
}

/// An id that begins as another one does, up to what stands between two ids.
pub const NEAR: &str = "one%2Fx";

#[test]
fn logins_get_the_connections_of_the_plan_that_their_instance_moves_to() {
    let sets = ["database", "schema", "read-only"];
    let catalog = catalog("postgresql", "PG_ADMIN", &sets);
    let stage = Stage::with(Cluster::start(&[]), Admin::Plain, &catalog);
    let broker = &stage.broker;
    let limit = |name: &str| {
        let question = format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{name}'");
        stage.cluster.sql("postgres", &question)
    };
    for set in sets {
        let logins = ["b", "c"].map(|binding| bound(broker, set, "one", binding));
        let others =
            [("two", "b"), (NEAR, "b")].map(|(id, binding)| bound(broker, set, id, binding));
        // Who was let in by somebody else is nobody of ours.
        let role = "SELECT rolname FROM pg_roles r JOIN pg_auth_members m ON m.roleid = r.oid";
        let name = logins[0].text("username");
        let role = format!("{role} WHERE m.member = '{name}'::regrole");
        let role = stage.cluster.sql("postgres", &role);
        let guest = format!("CREATE ROLE guest LOGIN CONNECTION LIMIT 1; GRANT {role} TO guest");
        stage.cluster.sql("postgres", &guest);
        for login in logins.iter().chain(&others) {
            assert_eq!(limit(login.text("username")), "1", "{set}");
        }
        let body = json!({ "service_id": set, "plan_id": format!("{set}-large") });
        patched(broker, "one", &body);
        for login in &logins {
            assert_eq!(limit(login.text("username")), "3", "{set}");
            assert_eq!(stage.says(login, "SELECT 1"), Ok("1".to_owned()), "{set}");
        }
        moved(broker, set, "one");
        for login in &logins {
            assert_eq!(limit(login.text("username")), "7", "{set}");
        }
        for login in &others {
            assert_eq!(limit(login.text("username")), "1", "{set}");
        }
        assert_eq!(limit("guest"), "1", "{set}");
        stage.cluster.sql("postgres", "DROP ROLE guest");
        for (instance, plan) in [("one", "large"), ("two", "small"), (NEAR, "small")] {
            gone(broker, set, instance, plan);
        }
        let left = "SELECT count(*) FROM pg_roles WHERE rolname ~ '^[a-z]_'";
        assert_eq!(stage.cluster.sql("postgres", left), "0", "{set}");
    }
}
