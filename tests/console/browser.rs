//! The pages in a real Chromium, driven by `browser.mjs` with playwright-core; axe-core looks at them for who cannot see.
//!
//! `tests/run` installs Chromium, Node and, below `target/`, the two packages, as `package-lock.json` pins them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::harness::{Broker, Folder, Setup};
use crate::scene::{self, APP, BINDING, CATALOG, ORDERS, PASSWORD, UPLOADS};
use crate::visitor::encoded;

/// Runs one scene of `browser.mjs`; what it says is what went wrong.
fn browse(scene: &str, broker: &Broker, environment: &[(&str, &str)]) -> String {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = modules(home);
    let output = Command::new("node")
        .arg(home.join("tests/console/browser.mjs"))
        .arg(scene)
        .env("BASE", format!("http://{}/console", broker.address))
        .env("MODULES", &modules)
        .env("USER_PASSWORD", PASSWORD)
        .envs(environment.iter().copied())
        .output()
        .expect("node runs: tests/run installs it");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{scene}:\n{said}\n{errors}\n{}",
        broker.log()
    );
    said
}

fn modules(home: &Path) -> PathBuf {
    let modules = home.join("target/console/node_modules");
    let is_there = modules.join("playwright-core").is_dir() && modules.join("axe-core").is_dir();
    assert!(
        is_there,
        "{} has not what drives the browser: tests/run installs it",
        modules.display()
    );
    modules
}

#[test]
fn an_operator_finds_an_instance_by_its_app_and_retries_what_failed() {
    let broker = scene::full();
    let folder = broker.folder.path().to_str().expect("text").to_owned();
    let said = browse(
        "retry",
        &broker,
        &[
            ("APP", APP),
            ("INSTANCE", ORDERS),
            ("FAILING", UPLOADS),
            ("BROKEN", &format!("{folder}/broken")),
        ],
    );
    assert!(said.contains("retried"), "{said}");
    let polled = broker.poll(UPLOADS).json();
    assert_eq!(polled["state"], "succeeded");
    assert!(
        broker.log().contains("let go on by the operator"),
        "{}",
        broker.log()
    );
}

#[test]
fn an_operator_ends_a_binding_and_the_audit_says_who_did() {
    let broker = scene::full();
    let said = browse(
        "ending",
        &broker,
        &[("INSTANCE", ORDERS), ("BINDING", BINDING)],
    );
    assert!(said.contains("ended"), "{said}");
    assert_eq!(broker.fetch_binding(ORDERS, BINDING).status, 404);
}

/// What would run if it were not taken for text. The mark tells where it came from.
fn hostile(mark: &str) -> String {
    format!(
        "[{mark}]'\"><img src=x onerror=\"window.owned='{mark}'\"><script>window.owned='{mark}'</script>"
    )
}

/// Of what was refused the account has what the request said.
fn refused(broker: &Broker) {
    let user = STANDARD.encode(json!({ "user_id": hostile("user") }).to_string());
    let refused = encoded(&hostile("refused"));
    let request = broker
        .request("PUT", &format!("/v2/service_instances/{refused}"))
        .header("X-Broker-API-Originating-Identity", &format!("p {user}"))
        .json(&json!({ "service_id": hostile("service"), "plan_id": "p" }));
    assert_eq!(broker.send(&request).status, 400);
    let until = Instant::now() + Duration::from_secs(60);
    let told = || std::fs::read_to_string(broker.folder.path().join("audit.log"));
    while !told().is_ok_and(|told| told.contains("[refused]")) {
        assert!(Instant::now() < until, "no line of what was refused");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Names, ids, descriptions and reports that are pages in disguise; the browser is told to let scripts of pages run, so that
/// nothing but their being written as text stops these.
#[test]
fn what_others_call_things_is_text() {
    let yaml = |mark: &str| serde_json::to_string(&hostile(mark)).expect("text");
    let catalog = CATALOG
        .replace(
            "A database on the shared PostgreSQL cluster",
            &yaml("description"),
        )
        .replace(
            "displayName: PostgreSQL",
            &format!("displayName: {}", yaml("display-name")),
        )
        .replace("Data platform team", &yaml("provider"))
        .replace("https://docs.example.com/postgres", &yaml("documentation"))
        .replace(
            "https://support.example.com/data",
            "\"javascript:window.owned='support'\"",
        )
        .replace("[postgresql, relational]", &format!("[{}]", yaml("tag")))
        .replace(
            "[1 GB of storage, 10 connections, Backed up every night]",
            &format!("[{}]", yaml("bullet")),
        )
        .replace("unit: MONTHLY", &format!("unit: {}", yaml("unit")))
        .replace("data-team@example.com", &yaml("contact"));
    let folder = Folder::new();
    folder.write("broken", "");
    let place = folder.path().to_str().expect("text").to_owned();
    let broker = scene::with_logins(Setup::new(&catalog).env("FOLDER", &place))
        .start_in(&std::sync::Arc::new(folder));
    let mut body = scene::of(scene::POSTGRES, &hostile("instance-name"));
    body["organization_guid"] = hostile("organization").into();
    body["space_guid"] = hostile("space").into();
    body["parameters"] = json!({ hostile("parameter"): hostile("parameter-value") });
    body["context"] = json!({
        "platform": hostile("platform"), "instance_name": hostile("instance-name"),
        "organization_name": hostile("organization-name"), "space_name": hostile("space-name"),
        "namespace": hostile("namespace"), "clusterid": hostile("cluster"),
        hostile("context"): hostile("context-value"),
    });
    let instance = encoded(&hostile("instance"));
    let path = format!("/v2/service_instances/{instance}");
    let answer = broker.put(&path, &body);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let bind = json!({ "service_id": scene::POSTGRES.0, "plan_id": scene::POSTGRES.1, "app_guid": hostile("app") });
    let binding = encoded(&hostile("binding"));
    assert_eq!(
        broker
            .put(&format!("{path}/service_bindings/{binding}"), &bind)
            .status,
        201
    );
    refused(&broker);
    let mut failing = scene::of(scene::BUCKET, "uploads");
    failing["organization_guid"] = hostile("other").into();
    let path = format!("/v2/service_instances/{UPLOADS}?accepts_incomplete=true");
    assert_eq!(broker.put(&path, &failing).status, 202);
    let said = browse(
        "text",
        &broker,
        &[("FAILING", UPLOADS), ("WHY", &hostile("report"))],
    );
    for mark in [
        "description",
        "display-name",
        "provider",
        "documentation",
        "tag",
        "bullet",
        "unit",
        "contact",
        "instance-name",
        "organization",
        "space",
        "platform",
        "organization-name",
        "space-name",
        "namespace",
        "cluster",
        "instance",
        "app",
        "binding",
        "report",
        "user",
        "refused",
    ] {
        assert!(
            said.contains(&format!("seen {mark}\n")),
            "{mark} was never shown:\n{said}"
        );
    }
    for mark in ["parameter", "parameter-value", "context", "context-value"] {
        assert!(
            !said.contains(&format!("seen {mark}\n")),
            "{mark} was shown:\n{said}"
        );
    }
}

#[test]
fn an_accessibility_checker_finds_nothing_and_screenshots_are_made() {
    let broker = scene::full();
    let folder = screenshots().unwrap_or_default();
    let said = browse(
        "accessible",
        &broker,
        &[
            ("INSTANCE", ORDERS),
            ("BINDING", BINDING),
            ("FAILING", UPLOADS),
            ("SCREENSHOTS", &folder),
        ],
    );
    assert!(said.contains("looked at 46 pages"), "{said}");
}

/// Where pictures are to be written, if they are.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment of the tests, not of the broker"
)]
fn screenshots() -> Option<String> {
    let folder = std::env::var("CONSOLE_SCREENSHOTS").ok()?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    Some(folder.to_str().expect("text").to_owned())
}

/// The scenes see what they look for: a script that runs, a request that leaves, a field without a name.
#[test]
fn the_browser_is_not_blind() {
    let broker = scene::empty();
    let said = browse("blind", &broker, &[("WHY", &hostile("proof"))]);
    for seen in [
        "a script ran: proof",
        "a request left: https://elsewhere.example.com/x.png",
        "axe found: label",
    ] {
        assert!(said.contains(seen), "{seen:?} was not seen:\n{said}");
    }
}
