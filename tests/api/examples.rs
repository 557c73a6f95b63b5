//! The catalogs of `config/examples` and the shipped one: each is found, loads without a finding that counts, says what
//! it needs, and gives every one of its plans a full life.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use crate::harness::{Broker, Folder, SERVER, Setup, with};
use crate::server::Server;

/// What a bind is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    App,
    Key,
    Route,
}

const TARGETS: [Target; 3] = [Target::App, Target::Key, Target::Route];

struct Example {
    /// A file or a folder of the repository.
    catalog: &'static str,
    vars: &'static [&'static str],
    /// What it cannot do without.
    environment: &'static [(&'static str, &'static str)],
    files: &'static [(&'static str, &'static str)],
    /// The one thing that it can be bound to, where it is one.
    only: Option<Target>,
    /// Plan, place in the answer of a bind, value there.
    gives: &'static [(&'static str, &'static str, &'static str)],
    plans: usize,
}

/// In an environment: the URL of a PostgreSQL server.
const A_SERVER: &str = "postgres://";

/// The same of a MySQL server.
const A_MYSQL: &str = "mysql://";

/// For the examples that want one: started by the first.
static MYSQL: LazyLock<Server> = LazyLock::new(|| {
    let server = Server::start(&[]);
    server.sql("CREATE DATABASE shared");
    server
});

const VCAP: &str = r#"{
  "p.mysql": [{ "name": "orders-db", "credentials": { "uri": "mysql://o:p@db/orders", "port": 3306 } }],
  "p.redis": [{ "name": "sessions", "credentials": { "host": "redis.internal", "password": "a/b{{c" } }],
  "user-provided": [{ "name": "mail-relay", "credentials": { "host": "relay", "port": 587, "password": "${HOME}" } }]
}"#;

/// As many as a life takes, for each of them rests.
const SEATS: &str = r#"[
  {"name": "seat-01", "credentials": {"username": "seat01", "password": "p"}},
  {"name": "seat-02", "credentials": {"username": "seat02", "password": "p"}},
  {"name": "seat-03", "credentials": {"username": "seat03", "password": "p"}},
  {"name": "seat-04", "credentials": {"username": "seat04", "password": "p"}},
  {"name": "seat-05", "credentials": {"username": "seat05", "password": "p"}},
  {"name": "seat-06", "credentials": {"username": "seat06", "password": "p"}},
  {"name": "seat-07", "credentials": {"username": "seat07", "password": "p"}},
  {"name": "seat-08", "credentials": {"username": "seat08", "password": "p"}}
]"#;

const EXAMPLES: &[Example] = &[
    Example {
        catalog: "catalog.yaml",
        vars: &[],
        environment: &[],
        files: &[],
        only: None,
        gives: &[
            ("plan_one", "/credentials/username", r#""example""#),
            ("plan_one", "/credentials/instance", r#""i-plan_one""#),
        ],
        plans: 1,
    },
    Example {
        catalog: "config/examples/shared-database.yaml",
        vars: &[],
        environment: &[("PG_PASSWORD", "p@ss/{{ word")],
        files: &[],
        only: None,
        gives: &[
            ("small", "/credentials/password", r#""p@ss/{{ word""#),
            ("large", "/credentials/database", r#""cf_i_large""#),
            (
                "small",
                "/credentials/uri",
                r#""postgres://shared:p%40ss%2F%7B%7B%20word@postgres.internal:5432/cf_i_small""#,
            ),
            (
                "small",
                "/endpoints",
                r#"[{ "host": "postgres.internal", "ports": ["5432"] }]"#,
            ),
        ],
        plans: 2,
    },
    Example {
        catalog: "config/examples/postgres-logins.yaml",
        vars: &[],
        environment: &[("PG_ADMIN", A_SERVER)],
        files: &[],
        only: None,
        gives: &[
            ("database", "/credentials/host", r#""127.0.0.1""#),
            ("schema", "/credentials/database", r#""postgres""#),
            ("reader", "/credentials/role", r#""reader""#),
        ],
        plans: 3,
    },
    Example {
        catalog: "config/examples/mysql-logins.yaml",
        vars: &[],
        environment: &[("MY_ADMIN", A_MYSQL)],
        files: &[],
        only: None,
        gives: &[("database", "/credentials/host", r#""127.0.0.1""#)],
        plans: 2,
    },
    Example {
        catalog: "config/examples/expiring-logins.yaml",
        vars: &[],
        environment: &[("PG_ADMIN", A_SERVER), ("EVENTS_PASSWORD", "p")],
        files: &[],
        only: None,
        gives: &[
            ("quarter", "/credentials/host", r#""127.0.0.1""#),
            ("lasting", "/credentials/host", r#""127.0.0.1""#),
            (
                "consumer",
                "/credentials/servers",
                r#""events-1.internal:9092,events-2.internal:9092""#,
            ),
        ],
        plans: 3,
    },
    Example {
        catalog: "config/examples/log-drain.yaml",
        vars: &[],
        environment: &[],
        files: &[],
        only: Some(Target::App),
        gives: &[
            (
                "tls",
                "/syslog_drain_url",
                r#""syslog-tls://logs.example.com:6514?token=example""#,
            ),
            (
                "https",
                "/syslog_drain_url",
                r#""https://logs.example.com/drain/app-1?token=example""#,
            ),
        ],
        plans: 2,
    },
    Example {
        catalog: "config/examples/route-service.yaml",
        vars: &[],
        environment: &[],
        files: &[],
        only: Some(Target::Route),
        gives: &[
            (
                "watch",
                "/route_service_url",
                r#""https://waf.example.com/watch/i-watch""#,
            ),
            (
                "block",
                "/route_service_url",
                r#""https://waf.example.com/block/i-block""#,
            ),
        ],
        plans: 2,
    },
    Example {
        catalog: "config/examples/volume-mount.yaml",
        vars: &[],
        environment: &[],
        files: &[],
        only: Some(Target::App),
        gives: &[
            ("read-write", "/volume_mounts/0/mode", r#""rw""#),
            ("read-only", "/volume_mounts/0/mode", r#""r""#),
            (
                "read-only",
                "/volume_mounts/0/device/mount_config/source",
                r#""nfs://nfs.example.com/export/i-read-only""#,
            ),
            ("read-only", "/credentials", "{}"),
        ],
        plans: 2,
    },
    Example {
        catalog: "config/examples/many-services",
        vars: &[],
        environment: &[("VCAP_SERVICES", VCAP)],
        files: &[],
        only: None,
        gives: &[
            (
                "shared",
                "/credentials",
                r#"{ "uri": "mysql://o:p@db/orders", "port": 3306 }"#,
            ),
            ("internal", "/credentials/port", "587"),
            ("external", "/credentials/password", r#""${HOME}""#),
            (
                "shared",
                "/credentials/uri",
                r#""rediss://:a%2Fb%7B%7Bc@redis.internal:6380/0""#,
            ),
        ],
        plans: 4,
    },
    Example {
        catalog: "config/examples/plans-and-updates.yaml",
        vars: &[],
        environment: &[("SEARCH_PASSWORD", "0123")],
        files: &[],
        only: None,
        gives: &[
            ("basic", "/credentials/password", r#""0123""#),
            ("archive", "/credentials/replicas", "1"),
            (
                "standard",
                "/credentials/username",
                r#""reader-b-App-standard""#,
            ),
        ],
        plans: 3,
    },
    Example {
        catalog: "config/examples/mounted-files.yaml",
        vars: &[],
        environment: &[],
        files: &[
            ("secrets/orders-db/username", "orders"),
            ("secrets/orders-db/password", "a:b\n"),
            ("secrets/orders-db/..data", "hidden"),
            ("secrets/ca.crt", "-----BEGIN CERTIFICATE-----\n"),
        ],
        only: None,
        gives: &[
            (
                "everything",
                "/credentials",
                r#"{ "database": { "username": "orders", "password": "a:b" },
                     "ca_certificate": "-----BEGIN CERTIFICATE-----" }"#,
            ),
            (
                "uri",
                "/credentials/uri",
                r#""postgres://orders:a%3Ab@orders-db.data.svc:5432/orders""#,
            ),
        ],
        plans: 2,
    },
    Example {
        catalog: "config/examples/two-foundations/catalog.yaml",
        vars: &["config/examples/two-foundations/east.yaml"],
        environment: &[("SMTP_PASSWORD", "east")],
        files: &[],
        only: None,
        gives: &[
            ("standard", "/credentials/port", "587"),
            ("bulk", "/credentials/password", r#""east""#),
        ],
        plans: 2,
    },
    Example {
        catalog: "config/examples/two-foundations/catalog.yaml",
        vars: &["config/examples/two-foundations/west.yaml"],
        environment: &[("SMTP_PASSWORD", "west")],
        files: &[],
        only: None,
        gives: &[
            ("standard", "/credentials/port", "2525"),
            (
                "standard",
                "/credentials/host",
                r#""smtp.west.example.com""#,
            ),
        ],
        plans: 1,
    },
    Example {
        catalog: "config/examples/three-brokers/catalog.yaml",
        vars: &[],
        environment: &[],
        files: &[],
        only: None,
        gives: &[
            ("small", "/credentials/prefix", r#""i-small:""#),
            ("large", "/credentials/host", r#""cache.internal""#),
        ],
        plans: 2,
    },
    Example {
        catalog: "config/examples/licence-pool.yaml",
        vars: &[],
        environment: &[("SEATS", SEATS), ("NORTH_KEY", "n"), ("SOUTH_KEY", "s")],
        files: &[],
        only: None,
        gives: &[
            ("seat", "/credentials/password", r#""p""#),
            ("tenant", "/credentials/tenant", r#""north""#),
        ],
        plans: 2,
    },
    Example {
        catalog: "config/examples/derived-logins.yaml",
        vars: &[],
        environment: &[],
        files: &[
            (
                "secrets/derive/v1",
                "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            ),
            (
                "secrets/derive/v2",
                "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=\n",
            ),
        ],
        only: None,
        gives: &[
            ("standard", "/credentials/host", r#""relay.internal""#),
            ("legacy", "/credentials/host", r#""relay.internal""#),
        ],
        plans: 2,
    },
    Example {
        catalog: "config/examples/twenty-plans.yaml",
        vars: &[],
        environment: &[("PG_PASSWORD", "true")],
        files: &[],
        only: None,
        gives: &[
            ("1gb-10", "/credentials/memory_gb", "1"),
            ("16gb-500", "/credentials/max_connections", "400"),
            ("4gb-50", "/credentials/password", r#""true""#),
        ],
        plans: 20,
    },
];

impl Example {
    fn setup(&self, environment: &[(&str, &str)]) -> Setup {
        let mut setup = Setup::default().arg("--catalog").arg(&path(self.catalog));
        for file in self.vars {
            setup = setup.arg("--vars").arg(&path(file));
        }
        for (name, value) in environment {
            let server = match *value {
                A_SERVER => Some(SERVER.url("postgres")),
                A_MYSQL => Some(MYSQL.url("shared")),
                _ => None,
            };
            setup = setup.env(name, server.as_deref().unwrap_or(value));
        }
        setup
    }

    fn start(&self) -> Broker {
        self.setup(self.environment)
            .start_in(&Arc::new(folder(self.files)))
    }

    /// What `check --strict` comes to, and what it says.
    fn check(&self, environment: &[(&str, &str)], files: &[(&str, &str)]) -> (Option<i32>, String) {
        let setup = self.setup(environment).arg("check").arg("--strict");
        let (status, output, errors) = setup.run_in(&folder(files));
        (status.code(), output + &errors)
    }
}

fn folder(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    for (name, text) in files {
        folder.write(name, text);
    }
    folder
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn path(below: &str) -> String {
    root().join(below).display().to_string()
}

/// Every document on disk; vars files are none, nor what is for other programs.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("catalog.yaml")];
    let mut folders = vec![root().join("config/examples")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    let others = ["east.yaml", "west.yaml", "compose.yaml"];
    found.retain(|path| !others.iter().any(|name| path.ends_with(name)));
    found
}

/// The comment that a file begins with.
fn head(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("text");
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| line.starts_with('#'))
        .collect();
    lines.join("\n")
}

#[test]
fn every_example_on_disk_is_tried() {
    let documents = documents();
    assert!(documents.len() > 8, "found only {documents:?}");
    for document in &documents {
        let tried = EXAMPLES
            .iter()
            .any(|example| document.starts_with(root().join(example.catalog)));
        assert!(tried, "{} is in no row of the table", document.display());
    }
    for example in EXAMPLES {
        assert!(root().join(example.catalog).exists(), "{}", example.catalog);
        assert!(!example.gives.is_empty(), "{} gives?", example.catalog);
    }
}

#[test]
fn every_example_says_what_it_is_for() {
    let schema = root().join("config/catalog.schema.json");
    for document in documents() {
        let head = head(&document);
        let first = head.lines().next().unwrap_or_default();
        let relative = first
            .strip_prefix("# yaml-language-server: $schema=")
            .unwrap_or_else(|| panic!("{}: {first}", document.display()));
        let folder = document.parent().expect("a folder");
        let up = relative.matches("../").count();
        let base = folder.ancestors().nth(up).expect("a folder above");
        assert_eq!(
            base.join(relative.trim_start_matches("../")),
            schema,
            "{}",
            document.display()
        );
    }
    for example in EXAMPLES
        .iter()
        .filter(|example| example.catalog != "catalog.yaml")
    {
        let mut file = root().join(example.catalog);
        if file.is_dir() {
            file = file.join("00-common.yaml");
        }
        let head = head(&file);
        assert!(
            head.contains("# Environment: "),
            "{}: its environment",
            example.catalog
        );
        assert!(
            head.contains(&format!("catalog-broker --catalog {}", example.catalog)),
            "{}: how to run it",
            example.catalog
        );
        for (name, _) in example.environment {
            assert!(head.contains(name), "{}: {name}", example.catalog);
        }
    }
}

/// `check --strict` has nothing to say of it with what its head asks for; without any one of these it names that one.
#[test]
fn an_example_is_clean_and_needs_what_it_says() {
    for example in EXAMPLES {
        let (code, said) = example.check(example.environment, example.files);
        assert_eq!(code, Some(0), "{}: {said}", example.catalog);
        for (name, _) in example.environment {
            let rest: Vec<_> = example
                .environment
                .iter()
                .copied()
                .filter(|(other, _)| other != name)
                .collect();
            let (code, said) = example.check(&rest, example.files);
            let named = if *name == "VCAP_SERVICES" {
                "${vcap:"
            } else {
                name
            };
            let told = said.contains("[reference-missing]") && said.contains(named);
            assert!(
                told && code == Some(1),
                "{} without {name}: {said}",
                example.catalog
            );
        }
        if !example.files.is_empty() {
            let (code, said) = example.check(example.environment, &[]);
            let told = said.contains("[reference-missing]");
            assert!(
                told && code == Some(1),
                "{} without files: {said}",
                example.catalog
            );
        }
    }
}

#[test]
fn every_plan_of_every_example_lives_a_full_life() {
    for example in EXAMPLES {
        let broker = example.start();
        let catalog = broker.catalog().json();
        let mut seen = vec![false; example.gives.len()];
        let mut plans = 0;
        for service in list(&catalog["services"]) {
            for plan in list(&service["plans"]) {
                plans += 1;
                Life {
                    broker: &broker,
                    example,
                    service,
                    plan,
                }
                .live(&mut seen);
            }
        }
        assert_eq!(plans, example.plans, "{}", example.catalog);
        let missed: Vec<_> = example
            .gives
            .iter()
            .zip(&seen)
            .filter(|(_, seen)| !**seen)
            .map(|(gives, _)| gives)
            .collect();
        assert!(
            missed.is_empty(),
            "{}: never given: {missed:?}",
            example.catalog
        );
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// One plan from provision to deprovision, as its catalog declares it.
struct Life<'a> {
    broker: &'a Broker,
    example: &'a Example,
    service: &'a Value,
    plan: &'a Value,
}

impl Life<'_> {
    fn live(&self, seen: &mut [bool]) {
        let instance = format!("i-{}", text(&self.plan["name"]));
        self.provision(&instance);
        let bound: Vec<String> = TARGETS
            .iter()
            .filter_map(|target| self.bind(&instance, *target, seen))
            .collect();
        let expected = if self.example.only.is_some() { 1 } else { 3 };
        assert_eq!(bound.len(), expected, "{}", self.place());
        self.rotate(&instance, &bound[0]);
        let plan = self.update(&instance);
        for binding in &bound {
            let gone = |status| {
                let unbound = self
                    .broker
                    .unbind(&instance, binding, self.service_id(), &plan);
                assert_eq!(unbound.status, status, "{}", self.place());
            };
            gone(200);
            gone(410);
        }
        for status in [200, 410] {
            let removed = self.broker.deprovision(&instance, self.service_id(), &plan);
            assert_eq!(removed.status, status, "{}", self.place());
        }
    }

    fn place(&self) -> String {
        format!(
            "{}: {} {}",
            self.example.catalog, self.service["name"], self.plan["name"]
        )
    }

    fn service_id(&self) -> &str {
        text(&self.service["id"])
    }

    fn plan_id(&self) -> &str {
        text(&self.plan["id"])
    }

    fn declares(&self, key: &str) -> bool {
        let of_plan = self.plan.get(key).or_else(|| self.service.get(key));
        of_plan.and_then(Value::as_bool).unwrap_or(false)
    }

    fn provision(&self, instance: &str) {
        let body = with(
            json!({
                "service_id": self.service_id(),
                "plan_id": self.plan_id(),
                "organization_guid": "org-1",
                "space_guid": "space-1",
                "context": { "platform": "cloudfoundry" },
            }),
            "maintenance_info",
            self.maintenance(),
        );
        let made = self.broker.provision(instance, &body);
        assert_eq!(made.status, 201, "{}: {}", self.place(), made.text());
        let again = self.broker.provision(instance, &body);
        assert_eq!((again.status, again.json()), (200, made.json()));
        let moved = with(body, "space_guid", json!("space-2"));
        assert_eq!(self.broker.provision(instance, &moved).status, 409);

        let fetched = self.broker.fetch(instance);
        if self.declares("instances_retrievable") {
            assert_eq!(fetched.status, 200);
            assert_eq!(fetched.json()["plan_id"], self.plan["id"]);
        } else {
            assert_eq!(
                (fetched.status, fetched.word().as_str()),
                (404, "NotRetrievable")
            );
        }
        let polled = self.broker.poll(instance);
        assert_eq!(polled.json(), json!({ "state": "succeeded" }));
    }

    /// As a platform sends it: the version alone.
    fn maintenance(&self) -> Value {
        self.plan
            .get("maintenance_info")
            .map_or(Value::Null, |info| json!({ "version": info["version"] }))
    }

    fn bind_body(&self, target: Target) -> Value {
        let body = json!({
            "service_id": self.service_id(),
            "plan_id": self.plan_id(),
            "context": { "platform": "cloudfoundry" },
            "bind_resource": match target {
                Target::App => json!({ "app_guid": "app-1", "space_guid": "space-1" }),
                Target::Key => json!({ "credential_client_id": "client" }),
                Target::Route => json!({ "route": "shop.example.com" }),
            },
        });
        let app = if target == Target::App {
            json!("app-1")
        } else {
            Value::Null
        };
        with(body, "app_guid", app)
    }

    /// The binding, where the plan takes that target.
    fn bind(&self, instance: &str, target: Target, seen: &mut [bool]) -> Option<String> {
        let binding = format!("b-{target:?}-{}", text(&self.plan["name"]));
        let body = self.bind_body(target);
        let made = self.broker.bind(instance, &binding, &body);
        if let Some(only) = self.example.only.filter(|only| *only != target) {
            let refused = match only {
                Target::Route => (400, "RequiresRoute"),
                _ => (422, "RequiresApp"),
            };
            assert_eq!((made.status, made.word().as_str()), refused);
            return None;
        }
        assert_eq!(made.status, 201, "{}: {}", self.place(), made.text());
        let given = made.json();
        assert!(given != json!({}), "{} gives nothing", self.place());
        let again = self.broker.bind(instance, &binding, &body);
        assert_eq!((again.status, &again.json()), (200, &given));
        let fetched = self.broker.fetch_binding(instance, &binding);
        if self.declares("bindings_retrievable") {
            assert_eq!(fetched.json()["credentials"], given["credentials"]);
        } else {
            assert_eq!(
                (fetched.status, fetched.word().as_str()),
                (404, "NotRetrievable")
            );
        }
        for ((plan, pointer, value), seen) in self.example.gives.iter().zip(seen) {
            let expected: Value = serde_json::from_str(value).expect("JSON in the table");
            *seen |= self.plan["name"] == *plan && given.pointer(pointer) == Some(&expected);
        }
        Some(binding)
    }

    fn rotate(&self, instance: &str, predecessor: &str) {
        let body = with(
            self.bind_body(self.example.only.unwrap_or(Target::App)),
            "predecessor_binding_id",
            json!(predecessor),
        );
        let next = self.broker.bind(instance, "b-next", &body);
        if !self.declares("binding_rotatable") {
            assert_eq!((next.status, next.word().as_str()), (400, "NotRotatable"));
            return;
        }
        assert_eq!(next.status, 201, "{}: {}", self.place(), next.text());
        let gone = self
            .broker
            .unbind(instance, "b-next", self.service_id(), self.plan_id());
        assert_eq!(gone.status, 200);
    }

    /// The plan that the instance has in the end.
    fn update(&self, instance: &str) -> String {
        let same = with(
            json!({ "service_id": self.service_id(), "plan_id": self.plan_id() }),
            "maintenance_info",
            self.maintenance(),
        );
        let kept = self.broker.update(instance, &same);
        assert_eq!(kept.status, 200, "{}: {}", self.place(), kept.text());
        let stale = with(same, "maintenance_info", json!({ "version": "0.0.1" }));
        let stale = self.broker.update(instance, &stale);
        assert_eq!(
            (stale.status, stale.word().as_str()),
            (422, "MaintenanceInfoConflict")
        );

        let plans = list(&self.service["plans"]);
        let Some(other) = plans.iter().find(|plan| plan["id"] != self.plan["id"]) else {
            return self.plan_id().to_owned();
        };
        let body = json!({ "service_id": self.service_id(), "plan_id": other["id"] });
        let moved = self.broker.update(instance, &body);
        if self.declares("plan_updateable") {
            assert_eq!(moved.status, 200, "{}: {}", self.place(), moved.text());
            return text(&other["id"]).to_owned();
        }
        assert_eq!(
            (moved.status, moved.word().as_str()),
            (422, "PlanChangeNotSupported")
        );
        self.plan_id().to_owned()
    }
}

/// What the comments of `plans-and-updates.yaml` promise.
#[test]
fn schemas_and_updates_do_what_the_example_says() {
    let example = EXAMPLES
        .iter()
        .find(|example| example.catalog.ends_with("plans-and-updates.yaml"))
        .expect("a row");
    let broker = example.start();
    let catalog = broker.catalog().json();
    let service = &catalog["services"][0];
    let plan = &service["plans"][0];
    let body = |parameters: Value| {
        json!({
            "service_id": service["id"], "plan_id": plan["id"], "parameters": parameters,
            "organization_guid": "org-1", "space_guid": "space-1",
        })
    };
    let wrong = broker.provision("i-1", &body(json!({ "language": "xx" })));
    assert_eq!(
        (wrong.status, wrong.word().as_str()),
        (400, "ParametersInvalid")
    );
    let made = broker.provision("i-1", &body(json!({ "language": "de" })));
    assert_eq!(
        made.json(),
        json!({
            "dashboard_url": "https://search.internal/ui/i-1?lang=de",
            "metadata": { "labels": { "plan": "basic" } },
        })
    );
    let update = |parameters: Value| {
        let body = json!({ "service_id": service["id"], "parameters": parameters });
        broker.update("i-1", &body)
    };
    let wrong = update(json!({ "replicas": 3 }));
    assert_eq!(
        (wrong.status, wrong.word().as_str()),
        (400, "ParametersInvalid")
    );
    let updated = update(json!({ "language": "fr", "replicas": 2 }));
    assert_eq!(
        updated.json()["dashboard_url"],
        "https://search.internal/ui/i-1?lang=fr"
    );
    let bind = |binding: &str, parameters: Value| {
        let body =
            json!({ "service_id": service["id"], "plan_id": plan["id"], "parameters": parameters });
        broker.bind("i-1", binding, &body)
    };
    assert_eq!(
        bind("b-1", json!({ "role": "owner" })).word(),
        "ParametersInvalid"
    );
    let credentials = bind("b-1", json!({ "role": "writer" })).json()["credentials"].clone();
    assert_eq!(credentials["username"], "writer-b-1");
    assert_eq!(credentials["replicas"], 2);
    let other = bind("b-2", json!({})).json()["credentials"].clone();
    assert_ne!(credentials["encryption_key"], other["encryption_key"]);

    let moved = |from: usize, to: usize| {
        let plan = |index: usize| service["plans"][index]["id"].clone();
        let instance = format!("i-{from}-{to}");
        let made = with(body(json!({})), "plan_id", plan(from));
        assert_eq!(broker.provision(&instance, &made).status, 201);
        let change = json!({ "service_id": service["id"], "plan_id": plan(to) });
        broker.update(&instance, &change).status
    };
    assert_eq!(
        (moved(0, 1), moved(1, 2), moved(2, 0)),
        (200, 200, 422),
        "instances stay in the third plan"
    );
    let maintained: Vec<bool> = list(&service["plans"])
        .iter()
        .map(|plan| plan.get("maintenance_info").is_some())
        .collect();
    assert_eq!(maintained, [true, true, false]);
}
