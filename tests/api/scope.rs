//! Two foundations on one broker: each sees its own offerings, and of the other's instances nothing, on every route; by as
//! many looks into the store as for what is not there.

mod counting;

use serde_json::{Value, json};

use crate::harness::{Broker, Setup, at_binding, at_instance, basic};
use crate::http::{Request, Response};
use crate::later::{accepted, accepting, awaited};

/// An offering for each of two platforms, and one for both.
const CATALOG: &str = r#"
service_defaults:
  bindable: true
  instances_retrievable: true
  bindings_retrievable: true
  plan_updateable: true
  binding:
    values: { drawn: "{{ random_password(16) }}" }
    credentials: { password: "{{ binding.values.drawn }}" }
services:
  - id: blue-id
    name: blue
    description: For one platform
    plans:
      - { id: blue-plan, name: plan, description: The first, binding_rotatable: true }
      - { id: blue-other, name: other, description: The second }
      - { id: blue-later, name: later, description: Answers later, respond: async }
  - id: green-id
    name: green
    description: For the other one
    plans:
      - { id: green-plan, name: plan, description: The first, binding_rotatable: true }
      - { id: green-later, name: later, description: Answers later, respond: async }
      - { id: green-takes, name: takes, description: Takes over what it does not know, adopt: true }
  - id: shared-id
    name: shared
    description: For both
    plans:
      - { id: shared-plan, name: plan, description: The only one }
"#;

fn setup() -> Setup {
    Setup::new(CATALOG)
        .env("BROKER_AUTH__LOGINS__BLUE__USERNAME", "blue")
        .env("BROKER_AUTH__LOGINS__BLUE__PASSWORD", "b")
        .env("BROKER_AUTH__LOGINS__BLUE__OFFERINGS", "blue,shared-id")
        .env("BROKER_AUTH__LOGINS__GREEN__USERNAME", "green")
        .env("BROKER_AUTH__LOGINS__GREEN__PASSWORD", "g")
        .env("BROKER_AUTH__LOGINS__GREEN__OFFERINGS", "green,shared")
}

fn request(broker: &Broker, login: &str, method: &str, path: &str) -> Request {
    let request = broker.request(method, path);
    match login {
        "all" => request,
        login => request.header("Authorization", &basic(login, &login[..1])),
    }
}

fn ask(broker: &Broker, login: &str, method: &str, path: &str, body: Option<&Value>) -> Response {
    let request = request(broker, login, method, path);
    broker.send(&match body {
        Some(body) => request.json(body),
        None => request,
    })
}

fn provision(service: &str, plan: &str) -> Value {
    json!({
        "service_id": service,
        "plan_id": plan,
        "organization_guid": "org",
        "space_guid": "space",
    })
}

fn names(catalog: &Value) -> Vec<String> {
    let services = catalog["services"].as_array().expect("services");
    let names = services
        .iter()
        .filter_map(|service| service["name"].as_str());
    names.map(str::to_owned).collect()
}

#[test]
fn each_login_sees_its_own_catalog() {
    let broker = setup().start();
    let catalog = |login: &str| ask(&broker, login, "GET", "/v2/catalog", None);
    assert_eq!(names(&catalog("all").json()), ["blue", "green", "shared"]);
    assert_eq!(names(&catalog("blue").json()), ["blue", "shared"]);
    assert_eq!(names(&catalog("green").json()), ["green", "shared"]);
    let tags: Vec<_> = ["all", "blue", "green"]
        .iter()
        .map(|login| catalog(login).header("etag").expect("a tag").to_owned())
        .collect();
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2]);
    let with_tag = |login: &str, tag: &str| {
        let request = request(&broker, login, "GET", "/v2/catalog").header("If-None-Match", tag);
        broker.send(&request).status
    };
    assert_eq!(with_tag("blue", &tags[1]), 304);
    assert_eq!(with_tag("green", &tags[1]), 200, "of another catalog");
    let zipped = request(&broker, "blue", "GET", "/v2/catalog").header("Accept-Encoding", "gzip");
    let zipped = broker.send_unchecked(&zipped);
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    let mut plain = String::new();
    std::io::Read::read_to_string(
        &mut flate2::read::GzDecoder::new(zipped.body.as_slice()),
        &mut plain,
    )
    .expect("gzip");
    let plain: Value = serde_json::from_str(&plain).expect("JSON");
    assert_eq!(plain, catalog("blue").json());
}

/// Every request that one can make about an instance and a binding, with offerings and plans of both platforms.
fn about(
    instance: &str,
    binding: &str,
    operation: &str,
) -> Vec<(&'static str, String, Option<Value>)> {
    let at = at_instance(instance);
    let bound = at_binding(instance, binding);
    let mut all = vec![
        ("GET", at.clone(), None),
        (
            "GET",
            format!("{at}?service_id=blue-id&plan_id=blue-plan"),
            None,
        ),
        ("GET", bound.clone(), None),
        ("GET", format!("{at}/last_operation"), None),
        ("GET", format!("{bound}/last_operation"), None),
        (
            "GET",
            format!("{at}/last_operation?operation={operation}"),
            None,
        ),
        (
            "GET",
            format!("{bound}/last_operation?operation={operation}"),
            None,
        ),
        (
            "GET",
            format!("{at}/last_operation?operation=made-up"),
            None,
        ),
        ("PUT", at.clone(), Some(provision("blue-id", "blue-plan"))),
        (
            "PUT",
            accepting(&at),
            Some(provision("blue-id", "blue-later")),
        ),
        ("PUT", at.clone(), Some(provision("green-id", "blue-plan"))),
        (
            "PATCH",
            at.clone(),
            Some(json!({ "service_id": "blue-id" })),
        ),
        (
            "PATCH",
            at.clone(),
            Some(json!({ "service_id": "green-id" })),
        ),
        (
            "PUT",
            bound.clone(),
            Some(json!({ "predecessor_binding_id": "b" })),
        ),
        ("DELETE", at.clone(), None),
        ("DELETE", bound.clone(), None),
    ];
    for (service, plan) in [
        ("blue-id", "blue-plan"),
        ("blue-id", "blue-later"),
        ("green-id", "green-plan"),
        ("green-id", "green-later"),
        ("shared-id", "shared-plan"),
        ("none", "none"),
    ] {
        let query = format!("?service_id={service}&plan_id={plan}");
        let named = json!({ "service_id": service, "plan_id": plan });
        all.extend([
            ("DELETE", format!("{at}{query}"), None),
            ("DELETE", accepting(&format!("{at}{query}")), None),
            ("DELETE", format!("{bound}{query}"), None),
            ("DELETE", accepting(&format!("{bound}{query}")), None),
            ("PATCH", at.clone(), Some(named.clone())),
            ("PATCH", accepting(&at), Some(named.clone())),
            ("PUT", bound.clone(), Some(named.clone())),
            ("PUT", accepting(&bound), Some(named)),
        ]);
    }
    all
}

/// An answer without what names the request.
fn told(response: &Response, instance: &str) -> (u16, Vec<(String, String)>, String) {
    let mut headers = response.headers.clone();
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
    let text = response.text().replace(instance, "INSTANCE");
    (response.status, headers, text)
}

#[test]
fn what_another_platform_has_is_not_there_on_any_route() {
    let broker = setup().start();
    let made = ask(
        &broker,
        "blue",
        "PUT",
        &at_instance("theirs"),
        Some(&provision("blue-id", "blue-plan")),
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let bind = json!({ "service_id": "blue-id", "plan_id": "blue-plan" });
    let bound = ask(
        &broker,
        "blue",
        "PUT",
        &at_binding("theirs", "b"),
        Some(&bind),
    );
    assert_eq!(bound.status, 201);
    let body = provision("blue-id", "blue-later");
    let at = accepting(&at_instance("later1"));
    let operation = accepted(&ask(&broker, "blue", "PUT", &at, Some(&body)));
    awaited(&broker, &at_instance("later1"), &operation);
    let mut statuses = Vec::new();
    for (theirs, none) in [("theirs", "nobody"), ("later1", "nobody")] {
        let asked = about(theirs, "b", &operation).into_iter();
        for (one, other) in asked.zip(about(none, "b", &operation)) {
            let (method, path, body) = one;
            let seen = ask(&broker, "green", method, &path, body.as_ref());
            let absent = ask(&broker, "green", method, &other.1, other.2.as_ref());
            assert_eq!(
                told(&seen, theirs),
                told(&absent, none),
                "{method} {path} {body:?}"
            );
            assert!(
                (400..=412).contains(&seen.status),
                "{method} {path} {}",
                seen.status
            );
            statuses.push(seen.status);
        }
    }
    for status in [400, 404, 410] {
        assert!(statuses.contains(&status), "{status}");
    }
    // Nothing of it has changed, and it is there for those whose it is.
    for login in ["blue", "all"] {
        let fetched = ask(&broker, login, "GET", &at_binding("theirs", "b"), None);
        assert_eq!(fetched.status, 200);
        assert_eq!(fetched.json()["credentials"], bound.json()["credentials"]);
    }
    let query = "?service_id=blue-id&plan_id=blue-plan";
    let gone = ask(
        &broker,
        "blue",
        "DELETE",
        &format!("{}{query}", at_instance("theirs")),
        None,
    );
    assert_eq!(gone.status, 200, "{}", gone.text());
    let again = ask(
        &broker,
        "blue",
        "DELETE",
        &format!("{}{query}", at_instance("theirs")),
        None,
    );
    assert_eq!(again.status, 410);
    let polled = ask(
        &broker,
        "green",
        "GET",
        &format!("{}/last_operation", at_instance("theirs")),
        None,
    );
    let absent = ask(
        &broker,
        "green",
        "GET",
        &format!("{}/last_operation", at_instance("nobody")),
        None,
    );
    assert_eq!(
        told(&polled, "theirs"),
        told(&absent, "nobody"),
        "nor was it ever"
    );
}

/// The counter-proof: to the login that sees all, the same requests tell the two apart.
#[test]
fn the_comparison_of_routes_is_not_blind() {
    let broker = setup().start();
    let body = provision("blue-id", "blue-plan");
    assert_eq!(
        ask(&broker, "blue", "PUT", &at_instance("theirs"), Some(&body)).status,
        201
    );
    let asked = about("theirs", "b", "o").into_iter();
    let differ = asked.zip(about("nobody", "b", "o")).filter(|(one, other)| {
        let seen = ask(&broker, "all", one.0, &one.1, one.2.as_ref());
        let absent = ask(&broker, "all", other.0, &other.1, other.2.as_ref());
        told(&seen, "theirs") != told(&absent, "nobody")
    });
    assert!(differ.count() > 5);
}

#[test]
fn an_id_in_use_is_a_conflict_for_all() {
    let broker = setup().start();
    let put = |login: &str, id: &str, body: &Value| {
        ask(&broker, login, "PUT", &at_instance(id), Some(body))
    };
    assert_eq!(
        put("blue", "taken", &provision("blue-id", "blue-plan")).status,
        201
    );
    let theirs = put("green", "taken", &provision("green-id", "green-plan"));
    assert_eq!(
        (theirs.status, theirs.word().as_str()),
        (409, "InstanceConflict")
    );
    // By the same words as where the other instance is one's own.
    assert_eq!(
        put("green", "own-one", &provision("green-id", "green-plan")).status,
        201
    );
    let own = put("green", "own-one", &provision("shared-id", "shared-plan"));
    assert_eq!(told(&theirs, "taken"), told(&own, "own-one"));
    // A plan that takes over what the broker does not know takes over nobody else's.
    let takes = json!({ "service_id": "green-id", "plan_id": "green-takes" });
    let query = "?service_id=green-id&plan_id=green-takes";
    for (method, path, body, status) in [
        ("PATCH", at_instance("taken"), Some(&takes), 404),
        ("PUT", at_binding("taken", "b"), Some(&takes), 404),
        (
            "DELETE",
            format!("{}{query}", at_binding("taken", "b")),
            None,
            410,
        ),
        (
            "DELETE",
            format!("{}{query}", at_instance("taken")),
            None,
            410,
        ),
    ] {
        let answer = ask(&broker, "green", method, &path, body);
        assert_eq!(answer.status, status, "{method} {path} {}", answer.text());
    }
    assert_eq!(
        ask(&broker, "blue", "GET", &at_instance("taken"), None).status,
        200
    );
    let adopted = ask(
        &broker,
        "green",
        "PUT",
        &at_binding("new", "b"),
        Some(&takes),
    );
    assert_eq!(adopted.status, 201, "what nobody has it takes over");
}

#[test]
fn an_offering_in_common_is_shared() {
    let broker = setup().start();
    let body = provision("shared-id", "shared-plan");
    assert_eq!(
        ask(&broker, "blue", "PUT", &at_instance("i"), Some(&body)).status,
        201
    );
    assert_eq!(
        ask(&broker, "green", "PUT", &at_instance("i"), Some(&body)).status,
        200
    );
    assert_eq!(
        ask(&broker, "green", "GET", &at_instance("i"), None).status,
        200
    );
    let bind = json!({ "service_id": "shared-id", "plan_id": "shared-plan" });
    assert_eq!(
        ask(&broker, "green", "PUT", &at_binding("i", "b"), Some(&bind)).status,
        201
    );
    let query = "?service_id=shared-id&plan_id=shared-plan";
    let gone = ask(
        &broker,
        "blue",
        "DELETE",
        &format!("{}{query}", at_instance("i")),
        None,
    );
    assert_eq!(gone.status, 200);
}

/// A whole life of what answers later, with a login of a scope: also where its instance is gone by the time of the poll.
#[test]
fn what_answers_later_is_told_to_its_own_platform() {
    let broker = setup().start();
    let at = at_instance("i");
    let poll = |login: &str, operation: &str| {
        let path = format!("{at}/last_operation?operation={operation}");
        ask(&broker, login, "GET", &path, None)
    };
    let body = provision("green-id", "green-later");
    let made = accepted(&ask(&broker, "green", "PUT", &accepting(&at), Some(&body)));
    awaited(&broker, &at, &made);
    let told = poll("green", &made);
    assert_eq!(
        (told.status, &told.json()["state"]),
        (200, &json!("succeeded"))
    );
    assert_eq!(poll("blue", &made).status, 410);
    let query = "?service_id=green-id&plan_id=green-later";
    let gone = ask(
        &broker,
        "green",
        "DELETE",
        &accepting(&format!("{at}{query}")),
        None,
    );
    let gone = accepted(&gone);
    awaited(&broker, &at, &gone);
    assert_eq!(poll("green", &gone).status, 410);
    assert_eq!(
        poll("green", &made).json()["state"],
        "succeeded",
        "by the id of the 202"
    );
    assert_eq!(poll("green", "").status, 410);
    assert_eq!(poll("blue", "").status, 410);
}

#[test]
fn an_offering_that_left_is_named_by_its_id() {
    let broker = setup()
        .env("BROKER_AUTH__LOGINS__GREEN__OFFERINGS", "green-id")
        .start();
    for (login, service, plan) in [
        ("blue", "blue-id", "blue-plan"),
        ("green", "green-id", "green-plan"),
    ] {
        let made = ask(
            &broker,
            login,
            "PUT",
            &at_instance(login),
            Some(&provision(service, plan)),
        );
        assert_eq!(made.status, 201);
    }
    let (_, shared) = CATALOG
        .split_once("  - id: shared-id")
        .expect("the last one");
    let (defaults, _) = CATALOG.split_once("services:").expect("the list");
    let left = format!("{defaults}services:\n  - id: shared-id{shared}");
    broker.folder.write("catalog.yaml", &left);
    let broker = broker.restarted();
    broker.wait_for_log("auth.logins.blue.offerings names blue, and no offering of the catalog");
    broker.wait_for_log("auth.logins.green.offerings names green-id");
    assert_eq!(
        ask(&broker, "green", "GET", &at_instance("green"), None).status,
        200
    );
    assert_eq!(
        ask(&broker, "blue", "GET", &at_instance("blue"), None).status,
        404
    );
    assert_eq!(
        ask(&broker, "blue", "GET", &at_instance("green"), None).status,
        404
    );
}

/// Metrics name every plan and count what lives of it, so a login for some offerings reads none, whatever its roles.
#[test]
fn metrics_are_for_who_sees_all() {
    let broker = setup()
        .env("BROKER_AUTH__LOGINS__BLUE__ROLE", "platform, metrics")
        .env("BROKER_AUTH__LOGINS__ROBOT__USERNAME", "robot")
        .env("BROKER_AUTH__LOGINS__ROBOT__PASSWORD", "r")
        .env("BROKER_AUTH__LOGINS__ROBOT__ROLE", "metrics")
        .start();
    let made = provision("green-id", "green-plan");
    assert_eq!(
        ask(&broker, "green", "PUT", &at_instance("i"), Some(&made)).status,
        201
    );
    let page = ask(&broker, "robot", "GET", "/metrics", None);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("green"), "{}", page.text());
    let refused = ask(&broker, "blue", "GET", "/metrics", None);
    assert_eq!(
        (refused.status, refused.word().as_str()),
        (403, "Forbidden")
    );
    assert!(!refused.text().contains("green"), "{}", refused.text());
    assert_eq!(ask(&broker, "blue", "HEAD", "/metrics", None).status, 403);
}

/// Each login has its part of the new catalog, too, after it was changed under way.
#[test]
fn a_reload_reaches_each_login() {
    let broker = setup()
        .env("BROKER_AUTH__LOGINS__BLUE__OFFERINGS", "blue,extra")
        .start();
    broker.wait_for_log("auth.logins.blue.offerings names extra, and no offering");
    let catalog = |login: &str| names(&ask(&broker, login, "GET", "/v2/catalog", None).json());
    assert_eq!(catalog("blue"), ["blue"]);
    let extra = "  - id: extra-id\n    name: extra\n    description: New\n    plans: [{ id: extra-plan, name: plan, description: New }]\n";
    broker
        .folder
        .write("catalog.yaml", &format!("{CATALOG}{extra}"));
    broker.signal("HUP");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while catalog("blue") != ["blue", "extra"] {
        assert!(std::time::Instant::now() < until, "{}", broker.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(catalog("green"), ["green", "shared"]);
    let made = |login: &str| {
        let body = provision("extra-id", "extra-plan");
        let answer = ask(&broker, login, "PUT", &at_instance(login), Some(&body));
        (answer.status, answer.word())
    };
    assert_eq!(made("blue").0, 201);
    assert_eq!(made("green"), (400, "ServiceNotInCatalog".to_owned()));
}

#[test]
fn a_scope_of_nothing_is_refused_at_start() {
    let (status, _, errors) = setup()
        .env("BROKER_AUTH__LOGINS__GREEN__OFFERINGS", "")
        .run();
    assert_eq!(status.code(), Some(2));
    assert!(
        errors.contains("auth.logins.green.offerings: names no offering; give"),
        "{errors}"
    );
}
