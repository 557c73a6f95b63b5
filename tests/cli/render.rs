//! `render`: what a platform would get, held against what a broker that runs returns.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::{self, CATALOG, Folder, SERVICE, Setup};
use crate::http;
use crate::runner::{CLEAN, run, run_with, with_catalog};

const RICH: &str = r#"minimum_api_version: "2.10"
services:
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10
    name: shared-postgres
    description: A database
    bindable: true
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: small
        description: 1 GB
        instance:
          values: { database: "cf_{{ instance.id }}_{{ instance.parameters.suffix | default('x') }}" }
        binding:
          values: { user: "u_{{ binding.id }}" }
          credentials:
            user: "{{ binding.values.user }}"
            database: "{{ instance.values.database }}"
            role: "{{ binding.parameters.role | default('writer') }}"
            app: "{{ binding.app_guid }}"
            route: "{{ binding.bind_resource.route }}"
            platform: "{{ platform }}"
            organization: "{{ instance.organization }}"
            port: 5432
          syslog_drain_url: "https://logs.example.com/{{ binding.id }}"
          endpoints: [{ host: db.example.com, ports: ["5432"] }]
        schemas:
          service_binding:
            create:
              parameters:
                $schema: http://json-schema.org/draft-04/schema#
                properties: { role: { type: string } }
    requires: [syslog_drain]
  - id: 1f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f11
    name: routes
    description: Routes
    bindable: true
    requires: [route_forwarding]
    plans:
      - id: 1c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d12
        name: small
        description: Small
        binding:
          requires: [route]
          route_service_url: "https://r.example.com"
      - id: 2c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d13
        name: unbound
        description: Not bindable
        bindable: false
"#;

const SMALL: &str = "0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11";

#[test]
fn the_published_catalog_is_what_is_served_to_the_byte() {
    for document in [CLEAN, CATALOG, RICH] {
        let broker = Setup::new(document).start();
        let served = broker.catalog().text();
        assert_eq!(run(&broker.folder, &["render"]).exits(0).out, served);
        assert!(served.starts_with("{\"services\":[{\"id\":\""));
    }
}

#[test]
fn a_preview_is_what_a_broker_returns_for_the_same_request() {
    let broker = Setup::new(RICH).start();
    let ids = |mut body: Value| {
        body["service_id"] = json!(SERVICE);
        body["plan_id"] = json!(SMALL);
        body
    };
    let (organization, space) = (
        "00000000-0000-4000-8000-00000000000a",
        "00000000-0000-4000-8000-00000000000b",
    );
    let context = json!({ "platform": "cloudfoundry", "organization_guid": organization, "space_guid": space });
    let provision = ids(json!({
        "organization_guid": organization, "space_guid": space, "context": context, "parameters": { "suffix": "s" },
    }));
    assert_eq!(broker.provision("i-1", &provision).status, 201);
    let bind = ids(json!({
        "context": context, "parameters": { "role": "reader" },
        "bind_resource": { "app_guid": "app-1", "space_guid": space },
    }));
    let bound = broker.bind("i-1", "b-1", &bind);
    assert_eq!(bound.status, 201);
    let shown = run(
        &broker.folder,
        &[
            "render",
            "--plan",
            SMALL,
            "--bind",
            "--reveal",
            "--instance-id",
            "i-1",
            "--binding-id",
            "b-1",
            "--app",
            "app-1",
            "--parameters",
            r#"{"role": "reader"}"#,
            "--instance-parameters",
            r#"{"suffix": "s"}"#,
        ],
    );
    assert_eq!(shown.exits(0).json(), bound.json());
    // Nothing is made of a preview.
    assert_eq!(broker.fetch_binding("i-1", "b-2").status, 404);
}

#[test]
fn a_bind_is_for_an_app_a_key_or_a_route_on_any_platform() {
    let folder = with_catalog(RICH);
    let credentials = |arguments: &[&str]| {
        let base = [
            "render",
            "--bind",
            "--reveal",
            "--plan",
            "shared-postgres/small",
        ];
        let ran = run(&folder, &[&base[..], arguments].concat()).exits(0);
        ran.json()["credentials"].clone()
    };
    let app = credentials(&[]);
    assert!(
        app["app"].is_string() && app.get("route").is_none(),
        "{app}"
    );
    assert_eq!(
        (&app["platform"], &app["role"]),
        (&json!("cloudfoundry"), &json!("writer"))
    );
    let key = credentials(&["--key"]);
    assert!(key.get("app").is_none(), "{key}");
    let route = credentials(&["--route", "a.example.com"]);
    assert_eq!(
        (&route["route"], route.get("app")),
        (&json!("a.example.com"), None)
    );
    assert_eq!(
        credentials(&["--platform", "kubernetes"])["platform"],
        "kubernetes"
    );
}

#[test]
fn a_plan_is_meant_by_id_or_by_name() {
    let folder = with_catalog(RICH);
    let bind = |plan: &str, more: &[&str]| {
        run(
            &folder,
            &[&["render", "--bind", "--plan", plan], more].concat(),
        )
    };
    bind(SMALL, &[]).exits(0);
    bind("shared-postgres/small", &[]).exits(0);
    let several = bind("small", &[]).exits(2);
    assert!(
        several.err.contains("shared-postgres/small, routes/small"),
        "{several:?}"
    );
    let none = bind("smal", &[]).exits(2);
    assert!(
        none.err.contains("no plan smal") && none.err.contains("routes/unbound"),
        "{none:?}"
    );
    let unbound = bind("unbound", &[]).exits(1);
    assert!(unbound.err.contains("not bindable"), "{unbound:?}");
    let route = bind("routes/small", &[]).exits(1);
    assert!(route.err.contains("route"), "{route:?}");
    bind("routes/small", &["--route", "a.example.com"]).exits(0);
    let typed = bind(SMALL, &["--parameters", r#"{"role": 4711}"#]).exits(1);
    assert!(
        typed.err.contains("/role") && !typed.err.contains("4711"),
        "{typed:?}"
    );
    for wrong in ["4711", "{"] {
        bind(SMALL, &["--parameters", wrong]).exits(2);
    }
    run(&folder, &["render", "--plan", SMALL]).exits(2);
    run(&folder, &["render", "--bind"]).exits(2);
    run(&folder, &["render", "--reveal"]).exits(2);
    bind(SMALL, &["--app", "a", "--key"]).exits(2);
}

#[test]
fn what_may_be_a_secret_is_masked_unless_asked_for() {
    let folder = with_catalog(RICH);
    let base = ["render", "--bind", "--plan", SMALL, "--binding-id", "b-1"];
    let shown = run(&folder, &base).exits(0).json();
    assert_eq!(
        shown,
        json!({
            "credentials": {
                "user": "***", "database": "***", "role": "***", "app": "***", "platform": "***",
                "organization": "***", "port": "***",
            },
            "syslog_drain_url": "https://logs.example.com/***",
            "endpoints": [{ "host": "db.example.com", "ports": ["5432"] }],
        })
    );
    let shown = run(&folder, &[&base[..], &["--reveal"]].concat())
        .exits(0)
        .json();
    assert_eq!(shown["credentials"]["user"], "u_b-1");
    assert_eq!(shown["syslog_drain_url"], "https://logs.example.com/b-1");
}

#[test]
fn a_document_with_errors_is_not_rendered() {
    let folder = with_catalog(&CLEAN.replace("\"2.10\"", "2.10"));
    for arguments in [&["render"][..], &["render", "--plan", "small", "--bind"]] {
        let ran = run(&folder, arguments).exits(1);
        assert!(
            ran.out.is_empty() && ran.err.ends_with("1 error\n"),
            "{ran:?}"
        );
    }
    run(&folder, &["render", "--catalog", "nowhere.yaml"]).exits(2);
}

const EXPLAINED: &str = r#"x-anchors: { a: &a MARKED-1 }
values: { shared: MARKED-2 }
services:
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10
    name: shared-postgres
    description: ${DESCRIPTION:-by default}, ${file:part.txt}
    bindable: true
    tags: ["${NAME}", "${tag.two}"]
    metadata: { displayName: "${json:META#/name}", apiToken: MARKED-3 }
    dashboard_client: { id: dash, secret: MARKED-4, redirect_uri: "https://dash.example.com" }
    binding:
      credentials: { password: "${PW:-MARKED-5}", pin: 4711, nested: "${json:CREDENTIALS}", anchored: *a }
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: small
        description: 1 GB
        instance: { values: { a: "MARKED-6" } }
"#;

#[test]
fn every_value_is_explained_and_no_secret_shown() {
    let folder = with_catalog(EXPLAINED);
    folder.write("part.txt", "from a file\n");
    folder.write("vars.yaml", "tag: { two: second }\n");
    folder.write(
        "settings.yaml",
        "server: { workers: 3, base_path: \"${BASE}\" }\n",
    );
    let environment = [
        ("NAME", "one"),
        ("META", r#"{"name": "Shared"}"#),
        ("CREDENTIALS", r#"{"key": "MARKED-7"}"#),
        ("BASE", "/base"),
        (
            "BROKER_SERVICES__SHARED_POSTGRES__PLANS__SMALL__DESCRIPTION",
            "Two",
        ),
        (
            "BROKER_SERVICES__SHARED_POSTGRES__BINDING__CREDENTIALS__PASSWORD",
            "MARKED-8",
        ),
        ("BROKER_AUTH__PASSWORD", "MARKED-9"),
        ("BROKER_SERVER__WORKERS", "4"),
    ];
    let arguments = [
        "render",
        "--explain",
        "--vars",
        "vars.yaml",
        "--config",
        "settings.yaml",
        "--log-format",
        "json",
    ];
    let ran = run_with(&folder, &arguments, &environment);
    for line in [
        "config = settings.yaml  # the flag --config",
        "server.workers = 4  # the environment variable BROKER_SERVER__WORKERS",
        "server.drain_delay = 0s  # default",
        "server.port = 0  # the environment variable PORT",
        "log.format = json  # the flag --log-format",
        "auth.username = platform  # the environment variable BROKER_AUTH__USERNAME",
        "auth.password = ***  # the environment variable BROKER_AUTH__PASSWORD",
        "minimum_api_version = \"2.0\"  # default",
        "services[0].name = \"shared-postgres\"  # catalog.yaml:5:11",
        "services[0].description = \"by default, from a file\"  # catalog.yaml:6:18, ${DESCRIPTION} (not there: its default), ${file:part.txt}",
        "services[0].tags[0] = \"one\"  # catalog.yaml:8:12, ${NAME} (the environment)",
        "services[0].tags[1] = \"second\"  # catalog.yaml:8:23, ${tag.two} (a vars file)",
        "services[0].metadata.displayName = \"Shared\"  # catalog.yaml:9:30, ${json:META#/name} (the environment)",
        "services[0].metadata.apiToken = ***  # catalog.yaml:9:62",
        "services[0].dashboard_client.id = \"dash\"  # catalog.yaml:10:29",
        "services[0].dashboard_client.secret = ***  # catalog.yaml:10:43",
        "services[0].binding.credentials.password = ***  # the environment variable BROKER_SERVICES__SHARED_POSTGRES__BINDING__CREDENTIALS__PASSWORD, in place of catalog.yaml:12:32",
        "services[0].binding.credentials.nested.key = ***  # catalog.yaml:12:70, ${json:CREDENTIALS} (the environment)",
        "services[0].plans[0].description = \"Two\"  # the environment variable BROKER_SERVICES__SHARED_POSTGRES__PLANS__SMALL__DESCRIPTION, in place of catalog.yaml:16:22",
        "services[0].plans[0].instance.values.a = ***  # catalog.yaml:17:34",
        "x-anchors.a = ***  # catalog.yaml:1:20",
        "values.shared = ***  # catalog.yaml:2:19",
    ] {
        assert!(
            ran.out.lines().any(|told| told == line),
            "{line}\nis not in\n{}\n{}",
            ran.out,
            ran.err
        );
    }
    let base = ran
        .out
        .lines()
        .find(|line| line.starts_with("server.base_path = /base  # "));
    assert!(
        base.is_some_and(|line| line.contains("settings.yaml:1:")),
        "{base:?}"
    );
    assert!(
        !ran.out.contains("MARKED") && !ran.err.contains("MARKED"),
        "{ran:?}"
    );
    assert!(!ran.out.contains("4711"), "{ran:?}");
}

#[test]
fn a_misspelt_private_key_is_explained_without_its_value() {
    let folder = with_catalog(
        &CLEAN
            .replace("binding:", "bindng:")
            .replace("db.example.com", "MARKED"),
    );
    let ran = run(&folder, &["render", "--explain"]).exits(1);
    assert!(
        ran.out
            .contains("services[0].bindng.credentials.host = ***"),
        "{ran:?}"
    );
    assert!(
        !ran.out.contains("MARKED") && !ran.err.contains("MARKED"),
        "{ran:?}"
    );
}

#[test]
fn logins_that_cannot_be_read_are_left_out() {
    let folder = with_catalog(CLEAN);
    let broken = [("BROKER_AUTH__USERNAME", "a:b")];
    let ran = run_with(&folder, &["render", "--explain"], &broken).exits(0);
    assert!(ran.err.contains("logins are left out"), "{ran:?}");
    assert!(ran.out.contains("server.port = 0  #"), "{ran:?}");
}

/// A preview of a store that remembers nothing is what that store's broker returns.
#[test]
fn without_a_store_the_preview_is_the_answer_too() {
    let document = CLEAN.replace("db.example.com", "\"{{ binding.id }}.example.com\"");
    let folder = Arc::new(Folder::new());
    folder.write("catalog.yaml", &document);
    let broker = Setup::new("").arg("--store").arg("none").start_in(&folder);
    let bound = http::send(
        broker.address,
        &broker
            .request("PUT", &harness::at_binding("i", "b-7"))
            .json(&harness::bind_body()),
    );
    let shown = run(
        &folder,
        &[
            "render",
            "--store",
            "none",
            "--plan",
            "small",
            "--bind",
            "--reveal",
            "--binding-id",
            "b-7",
        ],
    );
    assert_eq!(shown.exits(0).json(), bound.expect("an answer").json());
}
