//! `GET /v2/catalog`: published as it should be, and sent only to who does not have it.

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::documents::{WIDE, wide};
use crate::harness::{Broker, Setup};
use crate::http::{Request, Response};

/// Every field that the specification gives a catalog.
const FULL: &str = r#"
minimum_api_version: "2.10"
service_defaults: { metadata: { provider: us } }
values: { host: hidden-host }
services:
  - id: full
    name: full
    description: Everything
    bindable: true
    tags: [a, b]
    requires: [route_forwarding]
    instances_retrievable: true
    bindings_retrievable: false
    allow_context_updates: true
    metadata: { displayName: Full, shareable: true }
    dashboard_client: { id: client, secret: client-secret, redirect_uri: "https://x" }
    plan_updateable: true
    extensions: { vendor: { deep: [1] } }
    values: { password: hidden-value }
    binding: { credentials: { password: hidden-credential } }
    plans:
      - id: full-plan
        name: full-plan
        description: Everything of a plan
        metadata: { bullets: [one] }
        free: false
        bindable: true
        binding_rotatable: true
        plan_updateable: false
        maximum_polling_duration: 3600
        maintenance_info: { version: "1.2.3-rc.1+build", description: Roof }
        extensions: { vendor_plan: x }
        schemas:
          service_instance:
            create: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", type: object } }
            update: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", type: object } }
          service_binding:
            create: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", type: object } }
        instance: { dashboard_url: "https://hidden-dashboard" }
      - { id: bare, name: bare, description: Nothing, free: null }
      - { id: gone, name: gone, description: Not offered, offered: false }
"#;

#[test]
fn every_field_of_the_specification_is_published_and_nothing_private() {
    let broker = Setup::new(FULL).start();
    let schema = json!({ "parameters": { "$schema": "http://json-schema.org/draft-04/schema#", "type": "object" } });
    let response = broker.catalog();
    assert_eq!(
        response.json(),
        json!({ "services": [{
            "id": "full", "name": "full", "description": "Everything",
            "tags": ["a", "b"], "requires": ["route_forwarding"],
            "bindable": true, "instances_retrievable": true, "bindings_retrievable": false,
            "allow_context_updates": true,
            "metadata": { "provider": "us", "displayName": "Full", "shareable": true },
            "dashboard_client": { "id": "client", "secret": "client-secret", "redirect_uri": "https://x" },
            "plan_updateable": true,
            "vendor": { "deep": [1] },
            "plans": [
                {
                    "id": "full-plan", "name": "full-plan", "description": "Everything of a plan",
                    "metadata": { "bullets": ["one"] }, "free": false, "bindable": true,
                    "binding_rotatable": true, "plan_updateable": false,
                    "schemas": {
                        "service_instance": { "create": schema, "update": schema },
                        "service_binding": { "create": schema },
                    },
                    "maximum_polling_duration": 3600,
                    "maintenance_info": { "version": "1.2.3-rc.1+build", "description": "Roof" },
                    "vendor_plan": "x",
                },
                { "id": "bare", "name": "bare", "description": "Nothing" },
            ],
        }] })
    );
    assert!(!response.text().contains("hidden"), "{}", response.text());
}

fn ask(broker: &Broker, headers: &[(&str, &str)]) -> Response {
    let request = headers.iter().fold(
        broker.request("GET", "/v2/catalog"),
        |request: Request, (name, value)| request.header(name, value),
    );
    broker.send_unchecked(&request)
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response.header(name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn it_is_compressed_for_who_takes_it() {
    let broker = wide();
    let plain = broker.catalog();
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(header(&plain, "vary"), "Accept-Encoding");
    for accepted in ["gzip", "deflate, gzip;q=0.5, br", "*"] {
        let packed = ask(&broker, &[("Accept-Encoding", accepted)]);
        assert_eq!(header(&packed, "content-encoding"), "gzip", "{accepted}");
        assert_eq!(header(&packed, "content-type"), "application/json");
        assert_eq!(header(&packed, "vary"), "Accept-Encoding");
        assert!(packed.body.len() < plain.body.len());
        let mut text = Vec::new();
        GzDecoder::new(&packed.body[..])
            .read_to_end(&mut text)
            .expect("gzip");
        assert_eq!(text, plain.body);
        assert_ne!(
            header(&packed, "etag"),
            header(&plain, "etag"),
            "other bytes, another tag"
        );
    }
    for refused in ["identity", "br", "gzip;q=0", "", "gzip;q=0, *;q=0"] {
        let response = ask(&broker, &[("Accept-Encoding", refused)]);
        assert_eq!(
            (response.header("content-encoding"), &response.body),
            (None, &plain.body),
            "{refused}"
        );
    }
}

#[test]
fn who_has_it_gets_304() {
    let broker = wide();
    let plain = broker.catalog();
    let packed = ask(&broker, &[("Accept-Encoding", "gzip")]);
    let (tag, packed_tag) = (
        header(&plain, "etag").to_owned(),
        header(&packed, "etag").to_owned(),
    );
    let modified = header(&plain, "last-modified").to_owned();
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    let late = "Fri, 31 Dec 2100 23:59:59 GMT";
    let weak = format!("W/{tag}");
    let list = format!("\"x\", {tag} , \"y\"");
    let many = "\"x\",".repeat(1000);
    let none = "If-None-Match";
    let since = "If-Modified-Since";
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[(none, &tag)], 304),
        (&[(none, &packed_tag)], 304),
        (&[(none, &weak)], 304),
        (&[(none, &list)], 304),
        (&[(none, "*")], 304),
        (&[(none, "\"other\"")], 200),
        (&[(none, tag.trim_matches('"'))], 200),
        (&[(none, "")], 200),
        (&[(none, &many)], 200),
        (&[(since, &modified)], 304),
        (&[(since, late)], 304),
        (&[(since, old)], 200),
        (&[(since, "yesterday")], 200),
        // A tag speaks louder than a date, either way.
        (&[(none, "\"other\""), (since, late)], 200),
        (&[(none, &tag), (since, old)], 304),
    ];
    for (headers, status) in cases {
        let response = ask(&broker, headers);
        assert_eq!(response.status, *status, "{headers:?}");
        assert_eq!(header(&response, "etag"), tag, "{headers:?}");
        assert_eq!(header(&response, "last-modified"), modified);
        assert_eq!(header(&response, "vary"), "Accept-Encoding");
        assert_eq!(response.body.is_empty(), *status == 304);
    }
}

/// An unchanged document has the same tag after a restart, a changed one another.
#[test]
fn the_tag_is_of_the_content() {
    let broker = wide();
    let before = broker.catalog();
    let broker = broker.restarted();
    let after = broker.catalog();
    assert_eq!(after.body, before.body);
    assert_eq!(header(&after, "etag"), header(&before, "etag"));
    broker.folder.write(
        "catalog.yaml",
        &WIDE.replace("Nothing special", "Something"),
    );
    let broker = broker.restarted();
    let changed = ask(&broker, &[("If-None-Match", header(&before, "etag"))]);
    assert_eq!(changed.status, 200);
    assert_ne!(header(&changed, "etag"), header(&before, "etag"));
}

/// What changes in private changes nothing in public.
#[test]
fn a_private_change_keeps_the_tag() {
    let broker = wide();
    let before = header(&broker.catalog(), "etag").to_owned();
    broker
        .folder
        .write("catalog.yaml", &WIDE.replace("u_{{", "v_{{"));
    let broker = broker.restarted();
    let after: Value = broker.catalog().json();
    assert_eq!(header(&broker.catalog(), "etag"), before, "{after}");
}
