//! Bad input, ids and queries: any text is an id; what is no text is refused.

use serde_json::json;

use crate::bad_input::{refused, unharmed};
use crate::documents::{bind_of, provision_of, provisioned, serves, wide};
use crate::harness::{at_binding, at_instance, with};

/// Any text is an id, whatever a database, a path or a template would make of it.
#[test]
fn an_id_is_any_text() {
    let broker = wide();
    let long = "x".repeat(10_000);
    let ids = [
        ("a%2Fb", "a/b"),
        ("..", ".."),
        (".", "."),
        ("%2e%2e", "..?"),
        ("a%2525", "a%25"),
        ("a%252Fb", "a%2Fb"),
        ("a%2500", "a%00"),
        ("%E2%98%83", "☃"),
        ("%F0%9F%98%80", "😀"),
        (
            "%27%3B%20DROP%20TABLE%20instances%3B--",
            "'; DROP TABLE instances;--",
        ),
        ("%22quoted%22", "\"quoted\""),
        ("%7B%7B%20values.host%20%7D%7D", "{{ values.host }}"),
        ("%24%7BHOME%7D", "${HOME}"),
        ("a+b", "a+b"),
        ("a%20b", "a b"),
        ("%20", " "),
        ("a%3Fb%23c", "a?b#c"),
        ("a;b=c", "a;b=c"),
        ("a:b@c", "a:b@c"),
        ("last_operation", "last_operation"),
        ("service_bindings", "service_bindings"),
        ("NULL", "NULL"),
        ("0", "0"),
        ("%25", "%"),
        (long.as_str(), long.as_str()),
    ];
    for (at, (sent, meant)) in ids.iter().enumerate() {
        // Each is an instance of its own: its space tells which.
        let body = with(
            provision_of("wide", "plain"),
            "space_guid",
            json!(format!("space-{at}")),
        );
        let made = broker.provision(sent, &body);
        if meant.ends_with('?') {
            assert_eq!(
                made.word(),
                "InstanceConflict",
                "{sent} is the `..` from above"
            );
            continue;
        }
        assert_eq!(made.status, 201, "{sent}: {}", made.text());
        assert_eq!(broker.provision(sent, &body).status, 200, "{sent}");
        let (sent_binding, meant) = binding_beside(sent, meant);
        let bound = broker.bind(sent, sent_binding, &bind_of("wide", "plain"));
        assert_eq!(
            bound.json()["credentials"]["user"],
            json!(format!("u_{meant}")),
            "{sent}"
        );
        assert_eq!(
            broker.fetch_binding(sent, sent_binding).status,
            200,
            "{sent}"
        );
    }
    for (sent, meant) in ids.iter().filter(|(_, meant)| !meant.ends_with('?')) {
        let (sent_binding, meant) = binding_beside(sent, meant);
        assert_eq!(broker.poll(sent).status, 200, "{meant}");
        assert_eq!(
            broker.poll_binding(sent, sent_binding).status,
            200,
            "{meant}"
        );
        assert_eq!(
            broker.unbind(sent, sent_binding, "wide", "plain").status,
            200,
            "{meant}"
        );
        assert_eq!(
            broker.deprovision(sent, "wide", "plain").status,
            200,
            "{meant}"
        );
    }
    serves(&broker);
}

/// The binding has the id of its instance, save where both together are longer than a URL may be.
fn binding_beside<'i>(sent: &'i str, meant: &'i str) -> (&'i str, &'i str) {
    if sent.len() > 1000 {
        ("long", "long")
    } else {
        (sent, meant)
    }
}

/// `%2f` in either case, and signs that may or may not be encoded, are one id.
#[test]
fn an_id_has_one_meaning() {
    let broker = wide();
    for (one, other) in [
        ("a%2Fb", "a%2fb"),
        ("%61bc", "abc"),
        ("~", "%7E"),
        ("%C3%a4", "%c3%A4"),
        ("a%2Bb", "a+b"),
    ] {
        provisioned(&broker, one, "wide", "plain");
        assert_eq!(broker.fetch(other).status, 200, "{one} {other}");
        assert_eq!(broker.deprovision(other, "wide", "plain").status, 200);
    }
    for (one, other) in [
        ("a%2Fb", "a%252Fb"),
        ("a", "A"),
        ("a", "a%20"),
        ("%25", "%2525"),
        ("x", "x."),
    ] {
        provisioned(&broker, one, "wide", "plain");
        assert_eq!(broker.fetch(other).status, 404, "{one} {other}");
        assert_eq!(broker.deprovision(one, "wide", "plain").status, 200);
    }
}

#[test]
fn an_id_that_no_text_can_be_is_refused() {
    let broker = wide();
    let body = provision_of("wide", "plain");
    for id in [
        "%00",
        "a%00",
        "%0A",
        "%1B%5B31m",
        "%7F",
        "%C2%85",
        "%FF",
        "%C3",
        "a%80b",
        "%ED%A0%80",
        "%F8%88%80%80%80",
    ] {
        for request in [
            broker.request("PUT", &at_instance(id)).json(&body),
            broker.request("GET", &at_instance(id)),
            broker
                .request("PATCH", &at_instance(id))
                .json(&json!({ "service_id": "wide" })),
            broker.request(
                "DELETE",
                &format!("{}?service_id=wide&plan_id=plain", at_instance(id)),
            ),
            broker.request("GET", &format!("{}/last_operation", at_instance(id))),
            broker
                .request("PUT", &at_binding(id, "b"))
                .json(&bind_of("wide", "plain")),
            broker
                .request("PUT", &at_binding("i", id))
                .json(&bind_of("wide", "plain")),
            broker.request("GET", &at_binding("i", id)),
            broker.request("DELETE", &at_binding("i", id)),
            broker.request("GET", &format!("{}/last_operation", at_binding("i", id))),
        ] {
            refused(&broker, &request, (400, "InvalidId"), id);
        }
    }
    assert!(
        !broker.log().contains('\u{1b}'),
        "no terminal is steered by a log line"
    );
    unharmed(&broker, "an unreadable id");
}

#[test]
fn a_query_that_cannot_be_read_is_refused() {
    let broker = wide();
    let put = |query: &str| {
        broker
            .request("PUT", &format!("{}?{query}", at_instance("i")))
            .json(&provision_of("wide", "plain"))
    };
    for query in [
        "accepts_incomplete=true&accepts_incomplete=true",
        "accepts_incomplete=true&accepts%5Fincomplete=false",
        "service_id=a&service_id=b",
        "accepts_incomplete=%FF",
        "plan_id=%C3",
        "operation=%80",
    ] {
        refused(&broker, &put(query), (400, "InvalidQuery"), query);
        unharmed(&broker, query);
    }
    for query in [
        "%FF=1",
        "x=%FF",
        "&&&",
        "=",
        "accepts_incomplete",
        "accepts_incomplete=%",
        "accepts_incomplete=maybe",
        "x=1&x=2",
        "?",
    ] {
        assert_eq!(
            broker.send(&put(query)).status,
            201,
            "{query} is not ours or means nothing"
        );
        assert_eq!(broker.deprovision("i", "wide", "plain").status, 200);
    }
}
