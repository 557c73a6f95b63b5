//! `config/examples/three-brokers`: what Compose would start, held against binary, image and front; and three brokers
//! started with that environment, of which one is killed in the middle of a life.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use serde_json::json;
use serde_yaml::Value;

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, SERVER, Setup, at_binding, at_instance, basic};
use crate::http::Response;
use crate::parts::{
    commands, default, instruction, is_setting, read, root, run_head, seconds, stages, text, texts,
    yaml,
};

const SERVICE: &str = "4b0a1f6e-8d27-4d0b-9a59-6f7c3e2b1d50";
const PLAN: &str = "4b0a1f6e-8d27-4d0b-9a59-6f7c3e2b1d51";

fn file(name: &str) -> String {
    format!("config/examples/three-brokers/{name}")
}

fn compose() -> Value {
    yaml(&file("compose.yaml"))
}

/// The services that are brokers, by name.
fn brokers(compose: &Value) -> Vec<(&str, &Value)> {
    let services = compose["services"].as_mapping().expect("a map");
    let services = services.iter().map(|(name, service)| (text(name), service));
    services
        .filter(|(_, service)| service["image"] == "catalog-broker")
        .collect()
}

fn environment(service: &Value) -> Vec<(&str, &str)> {
    let variables = service["environment"].as_mapping().expect("a map");
    variables
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

#[test]
fn the_brokers_are_what_the_image_is() {
    let compose = compose();
    let brokers = brokers(&compose);
    assert_eq!(brokers.len(), 3);
    let stages = stages();
    let image = stages.last().expect("a stage");
    let health = instruction(image, "HEALTHCHECK")
        .split_once("CMD ")
        .expect("a command")
        .1;
    let health: Vec<String> = serde_yaml::from_str(health).expect("a list");
    let mut connections = 0;
    for (name, broker) in brokers {
        let told: Vec<(&str, &str)> = environment(broker);
        for (variable, value) in &told {
            let known = variable.strip_suffix("_FILE").unwrap_or(variable);
            assert!(is_setting(known), "{name}: {variable}");
            if let Some(secret) = value.strip_prefix("/run/secrets/") {
                assert!(variable.ends_with("_FILE"), "{name}: {variable}");
                assert!(
                    texts(&broker["secrets"]).contains(&secret),
                    "{name}: {secret}"
                );
            }
        }
        let value = |wanted: &str| {
            let found = told.iter().find(|(variable, _)| *variable == wanted);
            found.unwrap_or_else(|| panic!("{name}: no {wanted}")).1
        };
        connections += value("BROKER_STORE__CONNECTIONS")
            .parse::<u32>()
            .expect("a number");
        let stops = seconds(value("BROKER_SERVER__DRAIN_DELAY"))
            + seconds(value("BROKER_SERVER__SHUTDOWN_TIMEOUT"));
        assert!(seconds(text(&broker["stop_grace_period"])) > stops);
        assert_eq!(texts(&broker["healthcheck"]["test"])[1..], health);
        assert_eq!(broker["read_only"], true);
        for volume in texts(&broker["volumes"]) {
            let parts: Vec<&str> = volume.split(':').collect();
            assert!(root().join(file(parts[0])).exists(), "{volume}");
            let place = format!("{}/catalog.yaml", instruction(image, "WORKDIR"));
            assert_eq!(parts[1..], [place.as_str(), "ro"]);
        }
        assert_eq!(value("BROKER_SERVER__TRUSTED_PROXIES"), subnet(&compose));
    }
    assert!(
        connections <= 97,
        "PostgreSQL's default but for those that it keeps to itself"
    );
}

fn subnet(compose: &Value) -> &str {
    text(&compose["networks"]["front"]["ipam"]["config"][0]["subnet"])
}

#[test]
fn everything_that_is_named_is_there() {
    let compose = compose();
    let services = compose["services"].as_mapping().expect("a map");
    let head = commands(&file("compose.yaml")).join("\n");
    let secrets = compose["secrets"].as_mapping().expect("a map");
    let mut used = BTreeSet::new();
    for (name, service) in services {
        let name = text(name);
        used.extend(texts(&service["secrets"]));
        for network in texts(&service["networks"]) {
            assert!(
                compose["networks"].get(network).is_some(),
                "{name}: {network}"
            );
        }
        let before = service.get("depends_on").and_then(Value::as_mapping);
        for (other, condition) in before.into_iter().flatten() {
            let other = services.get(other).expect("a service");
            assert_eq!(condition["condition"], "service_healthy");
            assert!(other.get("healthcheck").is_some(), "{name} waits for it");
        }
    }
    assert_eq!(used.len(), secrets.len());
    for (name, secret) in secrets {
        assert!(used.contains(text(name)), "{name:?} is of no use");
        let file = text(&secret["file"]).strip_prefix("./").expect("beside it");
        assert!(head.contains(file), "{file} is never made");
    }
}

#[test]
fn the_front_asks_every_broker() {
    let compose = compose();
    let conf = read(&file("nginx.conf"));
    let words = |directive: &str| -> Vec<Vec<String>> {
        let lines = conf.lines().map(str::trim);
        let found = lines.filter_map(|line| line.strip_prefix(directive)?.strip_prefix(' '));
        found
            .filter_map(|rest| rest.strip_suffix(';'))
            .map(|rest| rest.split(' ').map(str::to_owned).collect())
            .collect()
    };
    let stages = stages();
    let port = instruction(stages.last().expect("a stage"), "EXPOSE");
    let asked: Vec<String> = words("server")
        .into_iter()
        .map(|server| server[0].clone())
        .collect();
    let there: Vec<String> = brokers(&compose)
        .iter()
        .map(|(name, _)| format!("{name}:{port}"))
        .collect();
    assert_eq!(asked, there);
    let front = &compose["services"]["front"];
    let listens = &words("listen")[0][0];
    assert_eq!(texts(&front["ports"]), [format!("{listens}:{listens}")]);
    for directive in ["ssl_certificate", "ssl_certificate_key"] {
        let file = &words(directive)[0][0];
        let secret = file.strip_prefix("/run/secrets/").expect("a secret");
        assert!(texts(&front["secrets"]).contains(&secret), "{file}");
    }
    assert_eq!(
        texts(&front["volumes"]),
        ["./nginx.conf:/etc/nginx/nginx.conf:ro"]
    );
    let body = words("client_max_body_size")[0][0].replace('m', "MiB");
    assert_eq!(body, default("server.body_limit"));
    let patience = seconds(&words("proxy_read_timeout")[0][0]);
    assert!(patience > seconds(default("server.request_timeout")));
}

/// The folder as its head says to make it.
fn made() -> Arc<Folder> {
    let folder = Folder::new();
    folder.write("catalog.yaml", &read(&file("catalog.yaml")));
    run_head(&file("compose.yaml"), &folder);
    Arc::new(folder)
}

fn word(folder: &Folder, secret: &str) -> String {
    let text = fs::read_to_string(folder.path().join("secrets").join(secret)).expect(secret);
    text.trim_end().to_owned()
}

/// As Compose starts it, in the image; the database is the tests' own.
fn started(folder: &Arc<Folder>, compose: &Value, service: &Value) -> Broker {
    let stages = stages();
    let image = stages.last().expect("a stage");
    let (name, value) = instruction(image, "ENV").split_once('=').expect("a value");
    let mut setup = Setup::default()
        .without("BROKER_AUTH__PASSWORD")
        .env(name, value);
    for (name, value) in environment(service) {
        let here = match value.strip_prefix("/run/secrets/") {
            Some(secret) => {
                let file = text(&compose["secrets"][secret]["file"]);
                folder.path().join(file).display().to_string()
            }
            None => value.to_owned(),
        };
        setup = setup.env(name, &here);
    }
    setup.start_in(folder)
}

#[test]
fn three_brokers_live_one_life_and_one_dies() {
    let compose = compose();
    let folder = made();
    let url = word(&folder, "store-url");
    let database = SERVER.database();
    let there = format!(
        "broker:{}@database:5432/broker",
        word(&folder, "database-password")
    );
    assert!(url.contains(&there), "{url}");
    let here = SERVER.url(&database);
    let here = here.strip_prefix("postgres://").expect("a URL");
    folder.write(
        "secrets/store-url",
        &format!("{}\n", url.replace(&there, here)),
    );

    let mut three: Vec<Broker> = brokers(&compose)
        .iter()
        .map(|(_, service)| started(&folder, &compose, service))
        .collect();
    let login = basic("platform", &word(&folder, "platform-password"));
    let send =
        |broker: &Broker, method: &str, path: &str, body: Option<serde_json::Value>| -> Response {
            let request = broker.request(method, path).header("Authorization", &login);
            broker.send(&match body {
                Some(body) => request.json(&body),
                None => request,
            })
        };
    let made = send(
        &three[0],
        "PUT",
        &at_instance("i"),
        Some(provision_of(SERVICE, PLAN)),
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let bound = send(
        &three[1],
        "PUT",
        &at_binding("i", "b"),
        Some(bind_of(SERVICE, PLAN)),
    );
    assert_eq!(bound.status, 201, "{}", bound.text());
    three[1].kill();
    // What the dead one drew is what the others give out.
    let again = send(
        &three[2],
        "PUT",
        &at_binding("i", "b"),
        Some(bind_of(SERVICE, PLAN)),
    );
    assert_eq!((again.status, again.json()), (200, bound.json()));
    let update =
        json!({ "service_id": SERVICE, "plan_id": "4b0a1f6e-8d27-4d0b-9a59-6f7c3e2b1d52" });
    assert_eq!(
        send(&three[0], "PATCH", &at_instance("i"), Some(update)).status,
        200
    );
    assert_eq!(
        SERVER.sql(&database, "SELECT count(*) FROM broker_bindings"),
        "1"
    );
    let query = format!("?service_id={SERVICE}&plan_id={PLAN}");
    let gone =
        |broker: &Broker, path: &str| send(broker, "DELETE", &format!("{path}{query}"), None);
    assert_eq!(gone(&three[2], &at_binding("i", "b")).status, 200);
    assert_eq!(gone(&three[0], &at_instance("i")).status, 200);
    assert_eq!(gone(&three[2], &at_instance("i")).status, 410);
    assert!(
        !folder.path().join("data").exists(),
        "nothing is on the brokers' disks"
    );
}
