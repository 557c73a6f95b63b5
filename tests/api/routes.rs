//! Paths and methods: 404 and 405 as JSON, `Allow`, HEAD, the base path, credentials and versions at the door.

use std::net::Shutdown;

use serde_json::json;

use crate::documents::{WIDE, provisioned, serves, wide};
use crate::harness::{PASSWORD, Setup, USER, basic};
use crate::http::{Connection, Request};

const ENDPOINTS: &[(&str, &str)] = &[
    ("/v2/catalog", "GET, HEAD"),
    ("/v2/service_instances/i", "GET, PUT, PATCH, DELETE"),
    ("/v2/service_instances/i/last_operation", "GET"),
    (
        "/v2/service_instances/i/service_bindings/b",
        "GET, PUT, DELETE",
    ),
    (
        "/v2/service_instances/i/service_bindings/b/last_operation",
        "GET",
    ),
    ("/healthz", "GET, HEAD"),
    ("/readyz", "GET, HEAD"),
];

#[test]
fn another_method_is_405_and_says_which_there_are() {
    let broker = wide();
    let methods = [
        "GET", "HEAD", "PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE", "PROPFIND", "get",
    ];
    for (path, allow) in ENDPOINTS {
        for method in methods {
            let response = broker.send(&broker.request(method, path));
            if allow.split(", ").any(|known| known == method) {
                assert_ne!(response.status, 405, "{method} {path}");
            } else {
                assert_eq!(response.status, 405, "{method} {path}");
                assert_eq!(response.header("allow"), Some(*allow), "{method} {path}");
            }
        }
    }
}

#[test]
fn another_path_is_404() {
    let broker = wide();
    for path in [
        "/",
        "/v2",
        "/v2/",
        "/v2/catalog/",
        "/V2/catalog",
        "//v2/catalog",
        "/v2//catalog",
        "/v3/catalog",
        "/v2/service_instances",
        "/v2/service_instances/",
        "/v2/service_instances//",
        "/v2/service_instances//last_operation/x",
        "/v2/service_instances/i/",
        "/v2/service_instances/i/service_bindings",
        "/v2/service_instances/i/service_bindings/",
        "/v2/service_instances//service_bindings/b",
        "/v2/service_instances/i/service_bindings/b/c",
        "/v2/service_instances/i/last_operation/",
        "/v2/service_bindings/b",
        "/v2/../v2/catalog",
        "/v2/%2e%2e/catalog",
        "/favicon.ico",
    ] {
        for method in ["GET", "PUT", "DELETE", "POST"] {
            let response = broker.send(&broker.request(method, path).json(&json!({})));
            let word = response.word();
            assert_eq!(
                (response.status, word.as_str()),
                (404, "NoSuchEndpoint"),
                "{method} {path}"
            );
        }
    }
    serves(&broker);
}

#[test]
fn head_is_a_get_without_its_body() {
    let broker = wide();
    for path in ["/v2/catalog", "/healthz", "/readyz"] {
        let get = broker.send(&broker.request("GET", path));
        let mut connection = Connection::open(broker.address).expect("a connection");
        let head = connection
            .send(&broker.request("HEAD", path))
            .expect("an answer");
        assert_eq!(head.status, 200);
        for name in [
            "content-length",
            "content-type",
            "etag",
            "last-modified",
            "vary",
        ] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
        // A body would stand before the next answer.
        let next = connection
            .send(&broker.request("GET", path))
            .expect("an answer");
        assert_eq!((next.status, next.body), (200, get.body), "{path}");
        connection
            .stream()
            .shutdown(Shutdown::Both)
            .expect("an end");
    }
}

#[test]
fn all_of_the_api_is_below_the_base_path() {
    let broker = Setup::new(WIDE)
        .env("BROKER_SERVER__BASE_PATH", "/brokers/one/")
        .start();
    for (path, _) in ENDPOINTS {
        let below = broker.get(&format!("/brokers/one{path}"));
        assert_ne!(below.word(), "NoSuchEndpoint", "{path}");
        assert_eq!(broker.get(path).word(), "NoSuchEndpoint", "{path}");
        for beside in [
            "/brokers/on",
            "/brokers/onee",
            "/brokers",
            "/brokers/one/brokers/one",
        ] {
            assert_eq!(
                broker.get(&format!("{beside}{path}")).word(),
                "NoSuchEndpoint",
                "{beside}{path}"
            );
        }
    }
    let made = broker.put(
        "/brokers/one/v2/service_instances/i",
        &crate::documents::provision_of("wide", "plain"),
    );
    assert_eq!(made.status, 201);
    // Only health of the base path is without credentials.
    let bare = |path: &str| broker.send(&Request::new("GET", path)).status;
    assert_eq!(bare("/brokers/one/healthz"), 200);
    assert_eq!(bare("/healthz"), 401);
    assert_eq!(bare("/brokers/two/healthz"), 401);
}

#[test]
fn credentials_are_asked_for_on_every_path() {
    let long = "x".repeat(5000);
    let wrong = [
        None,
        Some(String::new()),
        Some("Basic".to_owned()),
        Some("Basic ".to_owned()),
        Some("Basic !!!".to_owned()),
        Some("Basic AAAA".to_owned()),
        Some(basic(USER, "wrong")),
        Some(basic("wrong", PASSWORD)),
        Some(basic(USER, "")),
        Some(basic("", PASSWORD)),
        Some(basic(USER, &format!("{PASSWORD} "))),
        Some(basic(USER, &PASSWORD.to_uppercase())),
        Some(basic(USER, &long)),
        Some(basic(USER, PASSWORD).replace("Basic", "Bearer")),
        Some(format!("Bearer {PASSWORD}")),
        Some(format!("Digest username={USER}")),
    ];
    let others = ["/", "/nothing", "/v2/service_instances/%00"];
    let paths = ENDPOINTS.iter().map(|(path, _)| *path).chain(others);
    for path in paths.filter(|path| !matches!(*path, "/healthz" | "/readyz")) {
        // A broker each, or wrong logins would come too often.
        let broker = wide();
        for header in &wrong {
            let mut request = broker.request("GET", path).without("Authorization");
            if let Some(header) = header {
                request = request.header("Authorization", header);
            }
            let response = broker.send(&request);
            assert_eq!(
                (response.status, response.word().as_str()),
                (401, "Unauthorized"),
                "{path} {header:?}"
            );
            let challenge = response.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Basic realm="), "{challenge}");
            assert!(!response.text().contains(PASSWORD));
        }
    }
    let broker = wide();
    let scheme = basic(USER, PASSWORD).replace("Basic", "bAsIc");
    let request = broker
        .request("GET", "/v2/catalog")
        .header("Authorization", &scheme);
    assert_eq!(broker.send(&request).status, 200, "a scheme has no case");
}

#[test]
fn a_version_is_two_integers() {
    let broker = wide();
    for (version, served) in [
        ("2.10", true),
        ("2.13", true),
        ("2.17", true),
        ("2.18", true),
        ("2.100", true),
        ("2.9", false),
        ("2.1", false),
        ("2", false),
        ("2.", false),
        ("2.17.0", false),
        ("v2.17", false),
        ("+2.17", false),
        ("2.-17", false),
        ("2.17 2.17", false),
        ("2.17, 2.17", false),
        ("1.17", false),
        ("3.0", false),
        ("2.99999999999999999999", false),
        ("", false),
        ("*", false),
    ] {
        let request = broker
            .request("GET", "/v2/catalog")
            .header("X-Broker-API-Version", version);
        let response = broker.send(&request);
        assert_eq!(
            response.status,
            if served { 200 } else { 412 },
            "{version:?}"
        );
        if !served {
            let why = response.description();
            for part in ["X-Broker-API-Version", "2.10", "2.17"] {
                assert!(why.contains(part), "{version:?}: {why}");
            }
        }
    }
    let missing = broker
        .request("GET", "/v2/catalog")
        .without("X-Broker-API-Version");
    let missing = broker.send(&missing);
    assert_eq!(missing.status, 412);
    assert!(
        missing.description().contains("is missing"),
        "{}",
        missing.text()
    );
}

/// Specification, "Vendor Extension Fields" and "Content Type".
#[test]
fn what_is_not_known_is_ignored() {
    let broker = wide();
    let mut body = crate::documents::provision_of("wide", "plain");
    body["x-vendor"] = json!({ "deep": [1, null] });
    let path = "/v2/service_instances/i?accepts_incomplete=true&x=1&x=2&=&y";
    for (content_type, status) in [
        (Some("application/json; charset=utf-8"), 201),
        (Some("text/plain"), 200),
        (Some("multipart/form-data"), 200),
        (Some(""), 200),
        (None, 200),
    ] {
        let mut request = broker
            .request("PUT", path)
            .json(&body)
            .header("X-Unknown", "1");
        request = match content_type {
            Some(kind) => request.header("Content-Type", kind),
            None => request.without("Content-Type"),
        };
        assert_eq!(broker.send(&request).status, status, "{content_type:?}");
    }
    provisioned(&broker, "i-2", "wide", "plain");
}
