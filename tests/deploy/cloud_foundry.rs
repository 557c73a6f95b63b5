//! `deploy/cloudfoundry`: two brokers with the variables that Cloud Foundry gives them, of the services that the manifest binds,
//! and replaced one after the other as `--strategy rolling` does.

use std::path::Path;

use serde_json::json;
use serde_yaml::Value;

use crate::harness::{Broker, KEY, SERVER, Setup, basic};
use crate::image::dist;
use crate::parts::{default, healthy, list, read, seconds, text, texts, yaml};
use crate::rolling::{End, Offer, roll};

const FOLDER: &str = "deploy/cloudfoundry";

/// What an app is given to stop.
const PATIENCE: u64 = 10;

const USER: &str = "someone";
const PASSWORD: &str = "something: else";

fn app() -> Value {
    let manifest = yaml(&format!("{FOLDER}/manifest.yml"));
    let apps = list(&manifest["applications"]);
    assert_eq!(apps.len(), 1);
    apps[0].clone()
}

fn settings() -> Value {
    yaml(&format!("{FOLDER}/broker.yaml"))
}

/// `VCAP_SERVICES` as Cloud Foundry writes it: by the offering, user-provided ones under a name of their own.
fn bound(url: &str) -> String {
    let service = |label: &str, name: &str, credentials: serde_json::Value| {
        json!({
            "label": label,
            "name": name,
            "instance_name": name,
            "instance_guid": "5f3a3b0e-1f0b-4b8e-9d5c-2f7a9c1d4e60",
            "binding_guid": "5f3a3b0e-1f0b-4b8e-9d5c-2f7a9c1d4e61",
            "binding_name": null,
            "tags": [],
            "plan": "small",
            "credentials": credentials,
            "syslog_drain_url": null,
            "volume_mounts": [],
        })
    };
    let secrets = json!({ "username": USER, "password": PASSWORD, "store_key": KEY });
    // Another database, which the broker's catalog might hand out: `DATABASE_URL` may be either.
    json!({
        "other-postgres": [service("other-postgres", "a-database-to-share", json!({ "uri": WRONG }))],
        "postgres": [service("postgres", "broker-database", json!({ "uri": url }))],
        "user-provided": [service("user-provided", "broker-secrets", secrets)],
    })
    .to_string()
}

const WRONG: &str = "postgres://nobody:nothing@127.0.0.1:1/nowhere";

/// As Cloud Foundry starts it: a shell runs the command in what was pushed.
fn setup(url: &str) -> Setup {
    Setup::default()
        .binary(Path::new("/bin/sh"))
        .arg("-c")
        .arg(&format!("exec {}", text(&app()["command"])))
        .without("BROKER_AUTH__USERNAME")
        .without("BROKER_AUTH__PASSWORD")
        .env("VCAP_APPLICATION", "{}")
        .env("VCAP_SERVICES", &bound(url))
        .env("DATABASE_URL", WRONG)
        .env("PATH", "/usr/bin:/bin")
}

#[test]
fn the_manifest_and_the_settings_fit() {
    let (app, settings) = (app(), settings());
    assert_eq!(text(&app["path"]), "../../dist");
    let written = read(&format!("{FOLDER}/broker.yaml"));
    let mut bound: Vec<&str> = written
        .split("${vcap:")
        .skip(1)
        .filter_map(|rest| rest.split('#').next())
        .collect();
    bound.sort_unstable();
    bound.dedup();
    assert_eq!(texts(&app["services"]), bound);
    let time = |name: &str| seconds(text(&settings["server"][name]));
    assert!(time("drain_delay") + time("shutdown_timeout") < PATIENCE);
    let number = |value: &Value| value.as_u64().expect("a number");
    let probe = "readiness-health-check";
    assert!(
        number(&app[format!("{probe}-invocation-timeout").as_str()])
            > seconds(default("store.timeout"))
    );
    assert!(number(&app[format!("{probe}-interval").as_str()]) < time("drain_delay"));
    assert!(number(&app["instances"]) >= 2);
    let most = (number(&app["instances"]) + 1) * number(&settings["store"]["connections"]);
    assert!(most <= 20, "small databases have no more");
}

#[test]
fn a_rolling_push_fails_no_request() {
    let database = SERVER.database();
    let url = SERVER.url(&database);
    let folder = dist();
    let document = yaml("catalog.yaml");
    let offer = Offer {
        login: &basic(USER, PASSWORD),
        service: text(&document["services"][0]["id"]),
        plan: text(&document["services"][0]["plans"][0]["id"]),
    };
    let start = || setup(&url).start_in(&folder);
    let old: Vec<Broker> = vec![start(), start()];
    for broker in &old {
        for check in [
            "health-check-http-endpoint",
            "readiness-health-check-http-endpoint",
        ] {
            healthy(broker, text(&app()[check]));
        }
    }
    let (seen, new) = roll(old, start, &offer, End::Stopped);
    assert_eq!(seen.failures, Vec::<String>::new());
    assert_eq!(seen.answered.len(), 4, "{:?}", seen.answered);
    assert!(seen.lives > 10, "{} lives", seen.lives);
    assert_eq!(new.len(), 2);
    let left = SERVER.sql(&database, "SELECT count(*) FROM broker_bindings");
    assert_eq!(left, "0");
    assert!(!folder.path().join("data").exists(), "nothing is on a disk");
}

/// The counter-proof: with that database alone the broker does not start, so it is the bound one that counts above.
#[test]
fn the_database_that_the_settings_name_is_the_one() {
    let (status, _, errors) = setup(WRONG).run_in(&dist());
    assert_eq!(status.code(), Some(2), "{errors}");
    assert!(errors.contains("127.0.0.1:1"), "{errors}");
}

/// Where one database is bound, what Cloud Foundry says of it is enough.
#[test]
fn the_url_that_cloud_foundry_sets_is_taken() {
    let folder = dist();
    let database = SERVER.database();
    let broker = Setup::default()
        .binary(&folder.path().join("bin/catalog-broker"))
        .env("VCAP_APPLICATION", "{}")
        .env("DATABASE_URL", &SERVER.url(&database))
        .env("BROKER_STORE__KEYS", KEY)
        .start_in(&folder);
    healthy(&broker, "/readyz");
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'broker_instances'";
    assert_eq!(SERVER.sql(&database, tables), "1");
}
