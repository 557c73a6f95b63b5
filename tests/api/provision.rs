//! Provision, fetch, deprovision of an instance.

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of, provisioned, wide};
use crate::harness::{Broker, Setup, at_instance, with};

/// What a repeat says, by what differs from the first request.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_repeat_is_compared_as_values() {
    let broker = wide();
    let first = with(
        provision_of("wide", "plain"),
        "parameters",
        json!({ "n": 1, "list": [1, { "a": null, "b": "x" }], "big": 12_345_678_901_234_567_890_u64 }),
    );
    assert_eq!(broker.provision("i", &first).status, 201);
    let changed = |key: &str, value: Value| with(first.clone(), key, value).to_string();
    let parameters = |text: &str| {
        first
            .to_string()
            .replace(&first["parameters"].to_string(), text)
    };
    let big = 12_345_678_901_234_567_890_u64;
    for (what, body, status) in [
        ("the same", first.to_string(), 200),
        (
            "keys in another order",
            parameters(&format!(
                r#"{{ "big": {big}, "list": [1, {{ "b": "x", "a": null }}], "n": 1 }}"#
            )),
            200,
        ),
        (
            "1.0 for 1",
            parameters(&format!(
                r#"{{"n":1.0,"list":[1e0,{{"a":null,"b":"x"}}],"big":{big}}}"#
            )),
            200,
        ),
        (
            "escapes",
            parameters(&format!(
                r#"{{"\u006e":1,"list":[1,{{"a":null,"b":"\u0078"}}],"big":{big}}}"#
            )),
            200,
        ),
        (
            "a context",
            changed("context", json!({ "platform": "x" })),
            200,
        ),
        ("an unknown field", changed("x-vendor", json!(1)), 200),
        (
            "another number",
            parameters(&format!(
                r#"{{"n":2,"list":[1,{{"a":null,"b":"x"}}],"big":{big}}}"#
            )),
            409,
        ),
        (
            "a neighbouring number",
            parameters(&format!(
                r#"{{"n":1,"list":[1,{{"a":null,"b":"x"}}],"big":{}}}"#,
                big + 1
            )),
            409,
        ),
        (
            "a list in another order",
            parameters(&format!(
                r#"{{"n":1,"list":[{{"a":null,"b":"x"}},1],"big":{big}}}"#
            )),
            409,
        ),
        (
            "text for a number",
            parameters(&format!(
                r#"{{"n":"1","list":[1,{{"a":null,"b":"x"}}],"big":{big}}}"#
            )),
            409,
        ),
        (
            "no null in it",
            parameters(&format!(r#"{{"n":1,"list":[1,{{"b":"x"}}],"big":{big}}}"#)),
            409,
        ),
        ("no parameters", changed("parameters", Value::Null), 409),
        ("another plan", changed("plan_id", json!("other")), 409),
        (
            "another organization",
            changed("organization_guid", json!("org-2")),
            409,
        ),
        (
            "another space",
            changed("space_guid", json!("space-2")),
            409,
        ),
        (
            "another service",
            with(
                with(first.clone(), "service_id", json!("narrow")),
                "plan_id",
                json!("narrow-plan"),
            )
            .to_string(),
            409,
        ),
    ] {
        let response = broker.send(&broker.request("PUT", &at_instance("i")).body(body));
        assert_eq!(response.status, status, "{what}: {}", response.text());
    }
    assert_eq!(broker.fetch("i").json()["parameters"], first["parameters"]);
}

#[test]
fn no_parameters_are_empty_ones() {
    let broker = wide();
    let forms = [
        provision_of("wide", "plain"),
        with(provision_of("wide", "plain"), "parameters", json!({})),
    ];
    for (at, first) in forms.iter().enumerate() {
        let id = format!("i{at}");
        assert_eq!(broker.provision(&id, first).status, 201);
        for second in &forms {
            assert_eq!(broker.provision(&id, second).status, 200);
        }
        let null = first.to_string().replacen('{', r#"{"parameters":null,"#, 1);
        if at == 0 {
            let response = broker.send(&broker.request("PUT", &at_instance(&id)).body(null));
            assert_eq!(response.status, 200, "null counts as absent");
        }
        assert_eq!(broker.fetch(&id).json()["parameters"], json!({}));
    }
}

/// A repeat is compared with what was first asked, whatever became of the instance since.
#[test]
fn a_repeat_after_an_update_is_still_a_repeat() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    let update = json!({ "service_id": "wide", "plan_id": "other", "parameters": { "a": 1 } });
    assert_eq!(broker.update("i", &update).status, 200);
    assert_eq!(
        broker.provision("i", &provision_of("wide", "plain")).status,
        200
    );
    let as_now = with(
        provision_of("wide", "other"),
        "parameters",
        json!({ "a": 1 }),
    );
    assert_eq!(broker.provision("i", &as_now).status, 409);
    assert_eq!(
        broker.fetch("i").json()["plan_id"],
        "other",
        "a repeat changes nothing"
    );
}

#[test]
fn maintenance_information_is_compared_with_the_catalog() {
    let broker = wide();
    let asking =
        |plan: &str, info: Value| with(provision_of("wide", plan), "maintenance_info", info);
    for (at, (plan, info, status)) in [
        ("kept", json!({ "version": "2.0.0+b" }), 201),
        (
            "kept",
            json!({ "version": "2.0.0+b", "description": "anything", "x": 1 }),
            201,
        ),
        ("kept", json!({}), 201),
        ("kept", json!({ "description": "only" }), 201),
        ("kept", json!({ "version": "2.0.0" }), 422),
        ("kept", json!({ "version": "2.0.0+c" }), 422),
        ("kept", json!({ "version": "1.9.9" }), 422),
        ("kept", json!({ "version": "nonsense" }), 422),
        ("plain", json!({}), 201),
        ("plain", json!({ "version": "2.0.0+b" }), 422),
    ]
    .into_iter()
    .enumerate()
    {
        let response = broker.provision(&format!("i{at}"), &asking(plan, info.clone()));
        assert_eq!(
            response.status,
            status,
            "{plan} {info}: {}",
            response.text()
        );
        if status == 422 {
            assert_eq!(response.word(), "MaintenanceInfoConflict");
            assert_eq!(broker.fetch(&format!("i{at}")).status, 404);
        } else {
            let there = broker.fetch(&format!("i{at}")).json();
            let version = if plan == "kept" {
                json!({ "version": "2.0.0+b" })
            } else {
                Value::Null
            };
            assert_eq!(there["maintenance_info"], version);
        }
    }
    // Of a repeat, a difference is said first (409), then an outdated version (422).
    let outdated = json!({ "version": "1.0.0" });
    let repeat = broker.provision("i0", &asking("kept", outdated.clone()));
    assert_eq!(
        (repeat.status, repeat.word().as_str()),
        (422, "MaintenanceInfoConflict")
    );
    let other = with(asking("kept", outdated), "space_guid", json!("space-2"));
    assert_eq!(broker.provision("i0", &other).status, 409);
    assert_eq!(
        broker.provision("i0", &provision_of("wide", "kept")).status,
        200
    );
}

#[test]
fn what_is_not_retrievable_cannot_be_fetched() {
    let broker = wide();
    provisioned(&broker, "i", "narrow", "narrow-plan");
    assert_eq!(
        broker
            .bind("i", "b", &bind_of("narrow", "narrow-plan"))
            .status,
        201
    );
    for response in [broker.fetch("i"), broker.fetch_binding("i", "b")] {
        assert_eq!(
            (response.status, response.word().as_str()),
            (404, "NotRetrievable")
        );
        assert!(
            response.description().contains("_retrievable"),
            "{}",
            response.text()
        );
    }
    assert_eq!(broker.poll("i").status, 200, "a poll is no fetch");
    assert_eq!(broker.poll_binding("i", "b").status, 200);
    // It can be repeated and removed all the same.
    assert_eq!(
        broker
            .provision("i", &provision_of("narrow", "narrow-plan"))
            .status,
        200
    );
    assert_eq!(
        broker
            .bind("i", "b", &bind_of("narrow", "narrow-plan"))
            .status,
        200
    );
    assert_eq!(broker.unbind("i", "b", "narrow", "narrow-plan").status, 200);
    assert_eq!(broker.deprovision("i", "narrow", "narrow-plan").status, 200);
}

/// The hints of a fetch are never looked at.
#[test]
fn a_fetch_takes_any_hint() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    assert_eq!(broker.bind("i", "b", &bind_of("wide", "plain")).status, 201);
    for path in [
        "/v2/service_instances/i",
        "/v2/service_instances/i/service_bindings/b",
    ] {
        let bare = broker.get(path);
        for hint in [
            "?service_id=wide&plan_id=plain",
            "?service_id=&plan_id=",
            "?service_id=x&service_id=y",
            "?plan_id=%FF",
            "?",
        ] {
            let response = broker.get(&format!("{path}{hint}"));
            assert_eq!(
                (response.status, response.json()),
                (200, bare.json()),
                "{path}{hint}"
            );
        }
    }
}

#[test]
fn a_removal_names_what_it_removes() {
    let broker = wide();
    provisioned(&broker, "i", "wide", "plain");
    assert_eq!(
        broker
            .update("i", &json!({ "service_id": "wide", "plan_id": "other" }))
            .status,
        200
    );
    let asks = |query: &str| broker.delete(&format!("{}?{query}", at_instance("i")));
    for (query, word) in [
        ("", "InvalidQuery"),
        ("service_id=wide", "InvalidQuery"),
        ("plan_id=plain", "InvalidQuery"),
        ("service_id=&plan_id=plain", "InvalidQuery"),
        ("service_id=wide&plan_id=", "InvalidQuery"),
        ("service_id=wide&plan_id", "InvalidQuery"),
        (
            "service_id=wide&service_id=wide&plan_id=plain",
            "InvalidQuery",
        ),
        ("service_id=wide&plan_id=%FF", "InvalidQuery"),
        ("service_id=wide&plan_id=%00", "InvalidQuery"),
        ("service_id=narrow&plan_id=plain", "ServiceMismatch"),
        ("service_id=none&plan_id=plain", "ServiceMismatch"),
        ("service_id=wide&plan_id=still", "PlanMismatch"),
        ("service_id=wide&plan_id=none", "PlanMismatch"),
        ("service_id=WIDE&plan_id=plain", "ServiceMismatch"),
    ] {
        let response = asks(query);
        assert_eq!(
            (response.status, response.word().as_str()),
            (400, word),
            "{query}"
        );
    }
    // A platform that timed out knows the old plan; another name of the query may come as often as it likes.
    assert_eq!(
        asks("accepts_incomplete=true&accepts_incomplete=false&service%5Fid=wide&plan_id=pl%61in")
            .status,
        200
    );
    for query in [
        "",
        "service_id=none",
        "service_id=wide&plan_id=plain",
        "plan_id=x&plan_id=y",
        "service_id=%FF",
    ] {
        assert_eq!(asks(query).status, 410, "{query}");
    }
}

/// An id that was deleted may be used again, for anything.
#[test]
fn an_id_is_used_again() {
    let broker = wide();
    for plan in ["plain", "kept", "plain"] {
        provisioned(&broker, "i", "wide", plan);
        let first = broker.bind("i", "b", &bind_of("wide", plan)).json();
        assert_eq!(broker.unbind("i", "b", "wide", plan).status, 200);
        assert_eq!(broker.fetch_binding("i", "b").status, 404);
        let second = broker.bind(
            "i",
            "b",
            &with(bind_of("wide", plan), "parameters", json!({ "level": "x" })),
        );
        assert_eq!(second.status, 201);
        assert_ne!(
            second.json()["credentials"]["password"],
            first["credentials"]["password"]
        );
        // Deprovision takes the binding along.
        assert_eq!(broker.deprovision("i", "wide", plan).status, 200);
        assert_eq!(broker.fetch("i").status, 404);
        assert_eq!(broker.fetch_binding("i", "b").status, 404);
        assert_eq!(broker.unbind("i", "b", "wide", plan).status, 410);
    }
    provisioned(&broker, "i", "narrow", "narrow-plan");
    assert_eq!(broker.fetch_binding("i", "b").word(), "BindingNotFound");
    assert_eq!(
        broker
            .bind("i", "b", &bind_of("narrow", "narrow-plan"))
            .status,
        201
    );
}

/// A provision is what it says, also at the edges of what the specification allows.
#[test]
fn what_was_sent_is_what_is_fetched() {
    let broker = wide();
    let parameters = json!({
        "": "empty key", "ünï": "☃\u{0}\u{1F600}", "null": null, "deep": [[[[{ "a": [] }]]]],
        "large": 1e300, "small": 5e-324, "negative": -9_223_372_036_854_775_808_i64, "unsigned": u64::MAX,
        "template": "{{ instance.id }} ${HOME}", "long": "x".repeat(100_000),
    });
    let body = with(
        provision_of("wide", "plain"),
        "parameters",
        parameters.clone(),
    );
    assert_eq!(broker.provision("i", &body).status, 201);
    assert_eq!(broker.fetch("i").json()["parameters"], parameters);
    let broker: Broker = broker.restarted();
    assert_eq!(broker.fetch("i").json()["parameters"], parameters);
    assert_eq!(broker.provision("i", &body).status, 200);
}

const ANSWERS: &str = r#"
services:
  - id: s
    name: s
    description: Answers to provision
    bindable: false
    instances_retrievable: true
    plan_updateable: true
    plans:
      - id: p
        name: p
        description: Tells everything
        instance:
          values: { name: "{{ instance.parameters.name | default('anonymous') }}", secret: "{{ random_password(12) }}" }
          dashboard_url: "https://x/{{ instance.organization }}/{{ instance.space }}/{{ instance.values.name | urlencode }}/{{ instance.context.instance_name }}"
          metadata:
            labels: { plan: "{{ plan.name }}", size: "{{ instance.parameters.size }}" }
            attributes: { service: "{{ service.id }}", secret: "{{ instance.values.secret }}" }
      - { id: bare, name: bare, description: Tells nothing }
      - { id: optional, name: optional, description: Tells what it can, instance: { dashboard_url: "{{ instance.parameters.url }}" } }
"#;

#[test]
fn an_instance_answers_what_the_document_says() {
    let broker = Setup::new(ANSWERS).start();
    let context = |name: &str| json!({ "platform": "cloudfoundry", "instance_name": name });
    let body = with(
        provision_of("s", "p"),
        "parameters",
        json!({ "name": "a b", "size": 3 }),
    );
    let made = broker
        .provision("i", &with(body.clone(), "context", context("one")))
        .json();
    assert_eq!(made["dashboard_url"], "https://x/org-1/space-1/a%20b/one");
    assert_eq!(
        made["metadata"]["labels"],
        json!({ "plan": "p", "size": 3 })
    );
    let secret = made["metadata"]["attributes"]["secret"].clone();
    assert_eq!(secret.as_str().map(str::len), Some(12));

    // A repeat with another context is the same, and says what was said.
    let again = broker.provision("i", &with(body, "context", context("two")));
    assert_eq!((again.status, again.json()), (200, made.clone()));
    let fetched = broker.fetch("i").json();
    assert_eq!(
        (&fetched["dashboard_url"], &fetched["metadata"]),
        (&made["dashboard_url"], &made["metadata"])
    );

    // An update is rendered again; `values` were made once.
    let update =
        json!({ "service_id": "s", "context": context("three"), "parameters": { "name": "c" } });
    let updated = broker.update("i", &update).json();
    assert_eq!(
        updated["dashboard_url"],
        "https://x/org-1/space-1/a%20b/three"
    );
    assert_eq!(updated["metadata"]["attributes"]["secret"], secret);
    assert_eq!(
        broker.fetch("i").json()["dashboard_url"],
        updated["dashboard_url"]
    );
    let moved = broker.update("i", &json!({ "service_id": "s", "plan_id": "bare" }));
    assert_eq!(moved.json(), json!({}));
    assert_eq!(broker.fetch("i").json().get("dashboard_url"), None);

    assert_eq!(
        broker.provision("j", &provision_of("s", "optional")).json(),
        json!({}),
        "a null is left out"
    );
}
