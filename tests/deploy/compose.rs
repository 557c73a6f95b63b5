//! `deploy/compose`: what Compose would start, held together; the broker started with its variables, and the real Prometheus
//! with its configuration, which reads that broker's metrics and loads the rules.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_yaml::Value;

use crate::cluster::free_port;
use crate::harness::{Broker, Folder, SERVER, Setup, basic};
use crate::parts::{
    commands, default, instruction, is_setting, read, root, run_head, said, seconds, stages, text,
    texts, wait_until, yaml,
};

const FOLDER: &str = "deploy/compose";

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

fn compose() -> Value {
    yaml(&file("compose.yaml"))
}

fn services(compose: &Value) -> Vec<(&str, &Value)> {
    let services = compose["services"].as_mapping().expect("a map");
    services
        .iter()
        .map(|(name, service)| (text(name), service))
        .collect()
}

fn environment(service: &Value) -> Vec<(&str, &str)> {
    let variables = service["environment"].as_mapping().expect("a map");
    variables
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

/// What is mounted: from the folder or a volume, and where.
fn mounts(service: &Value) -> Vec<(String, String)> {
    let volumes = texts(&service["volumes"]).into_iter();
    let parts = volumes.map(|volume| {
        let (from, rest) = volume.split_once(':').expect("a place");
        let place = rest.strip_suffix(":ro").unwrap_or(rest);
        (from.to_owned(), place.to_owned())
    });
    parts.collect()
}

#[test]
fn everything_that_is_named_is_there() {
    let compose = compose();
    let head = commands(&file("compose.yaml")).join("\n");
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut kept: BTreeSet<String> = BTreeSet::new();
    for (name, service) in services(&compose) {
        used.extend(texts(&service["secrets"]));
        for network in texts(&service["networks"]) {
            assert!(
                compose["networks"].get(network).is_some(),
                "{name}: {network}"
            );
        }
        for (from, _) in mounts(service) {
            if from.starts_with('.') {
                assert!(root().join(file(&from)).is_file(), "{name}: {from}");
            } else {
                assert!(
                    compose["volumes"].get(from.as_str()).is_some(),
                    "{name}: {from}"
                );
                kept.insert(from);
            }
        }
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        let image = text(&service["image"]);
        let fixed = image
            .rsplit_once(':')
            .is_some_and(|(_, tag)| tag != "latest");
        assert!(fixed || image == "catalog-broker", "{name}: {image}");
        for (variable, value) in service
            .get("environment")
            .map(|_| environment(service))
            .into_iter()
            .flatten()
        {
            if let Some(secret) = value.strip_prefix("/run/secrets/") {
                assert!(
                    texts(&service["secrets"]).contains(&secret),
                    "{name}: {variable}"
                );
            }
        }
    }
    let secrets = compose["secrets"].as_mapping().expect("a map");
    assert_eq!(used.len(), secrets.len());
    for (name, secret) in secrets {
        assert!(used.contains(text(name)), "{name:?} is of no use");
        let path = text(&secret["file"]).strip_prefix("./").expect("beside it");
        assert!(head.contains(path), "{path} is never made");
    }
    assert_eq!(
        kept.len(),
        compose["volumes"].as_mapping().expect("a map").len()
    );
}

#[test]
fn the_broker_is_what_the_image_is() {
    let compose = compose();
    let broker = &compose["services"]["broker"];
    for (variable, _) in environment(broker) {
        assert!(
            is_setting(variable.strip_suffix("_FILE").unwrap_or(variable)),
            "{variable}"
        );
    }
    let stages = stages();
    let image = stages.last().expect("a stage");
    let port = instruction(image, "EXPOSE");
    assert_eq!(texts(&broker["ports"]), [format!("{port}:{port}")]);
    let workdir = instruction(image, "WORKDIR");
    assert_eq!(mounts(broker)[0].1, format!("{workdir}/catalog.yaml"));
    let patience = seconds(text(&broker["stop_grace_period"]));
    let stops = ["server.drain_delay", "server.shutdown_timeout"];
    let stops: u64 = stops.iter().map(|path| seconds(default(path))).sum();
    assert!(patience > stops);
}

/// Who asks whom goes by the names of the services, and lies in a network with them.
#[test]
fn prometheus_asks_the_broker_and_grafana_prometheus() {
    let compose = compose();
    let together = |one: &str, other: &str| {
        let networks = texts(&compose["services"][one]["networks"]);
        let others = texts(&compose["services"][other]["networks"]);
        networks.iter().any(|network| others.contains(network))
    };
    let prometheus = yaml(&file("prometheus.yml"));
    let job = &prometheus["scrape_configs"][0];
    let stages = stages();
    let port = instruction(stages.last().expect("a stage"), "EXPOSE");
    assert_eq!(
        texts(&job["static_configs"][0]["targets"]),
        [format!("broker:{port}")]
    );
    assert!(together("prometheus", "broker"));
    let token = text(&job["authorization"]["credentials_file"]);
    let secret = token.strip_prefix("/run/secrets/").expect("a secret");
    assert!(texts(&compose["services"]["prometheus"]["secrets"]).contains(&secret));
    assert!(
        environment(&compose["services"]["broker"])
            .iter()
            .any(|(_, value)| *value == token)
    );

    let places = mounts(&compose["services"]["prometheus"]);
    let holds = |place: &str| places.iter().any(|(_, known)| known == place);
    for rules in texts(&prometheus["rule_files"]) {
        assert!(holds(rules), "{rules}");
    }
    let command = texts(&compose["services"]["prometheus"]["command"]);
    let value = |flag: &str| {
        command
            .iter()
            .find_map(|word| word.strip_prefix(flag))
            .expect("a flag")
    };
    assert!(holds(value("--config.file=")) && holds(value("--storage.tsdb.path=")));

    let source = yaml(&file("grafana/datasource.yaml"));
    let published = texts(&compose["services"]["prometheus"]["ports"])[0];
    let port = published.rsplit(':').next().expect("a port");
    assert_eq!(
        source["datasources"][0]["url"],
        format!("http://prometheus:{port}").as_str()
    );
    assert!(together("grafana", "prometheus"));
    let dashboards = yaml(&file("grafana/dashboards.yaml"));
    let place = text(&dashboards["providers"][0]["options"]["path"]);
    let shown: Vec<String> = mounts(&compose["services"]["grafana"])
        .into_iter()
        .filter(|(_, known)| Path::new(known).parent() == Some(Path::new(place)))
        .map(|(from, _)| from)
        .collect();
    assert_eq!(shown, ["../grafana/catalog-broker.json"]);
    let dashboard = read("deploy/grafana/catalog-broker.json");
    let _: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    for published in ["prometheus", "grafana"] {
        for port in texts(&compose["services"][published]["ports"]) {
            assert!(
                port.starts_with("127.0.0.1:"),
                "{published} is for this machine alone"
            );
        }
    }
}

/// As Compose starts it; the database is the tests' own.
fn broker(folder: &Arc<Folder>) -> Broker {
    let compose = compose();
    let mut setup = Setup::default().without("BROKER_AUTH__PASSWORD");
    for (name, value) in environment(&compose["services"]["broker"]) {
        let secrets = format!("{}/secrets/", folder.path().display());
        setup = setup.env(name, &value.replace("/run/secrets/", &secrets));
    }
    setup.start_in(folder)
}

/// Ends with the test.
struct Prometheus {
    child: Child,
    address: std::net::SocketAddr,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// With the configuration of the folder: places and addresses are those of the test, and it asks more often.
    fn start(folder: &Folder, target: &str) -> Self {
        let here = folder.path().display().to_string();
        let written = read(&file("prometheus.yml"))
            .replace("/run/secrets/", &format!("{here}/secrets/"))
            .replace(
                "/etc/prometheus/alerts.yaml",
                &root()
                    .join("deploy/prometheus/alerts.yaml")
                    .display()
                    .to_string(),
            )
            .replace("broker:8080", target)
            .replace("_interval: 15s", "_interval: 1s");
        let path = folder.write("prometheus.yml", &written);
        let checked = Command::new("promtool")
            .args(["check", "config"])
            .arg(&path)
            .output()
            .expect("promtool runs: tests/run installs it");
        assert!(checked.status.success(), "{}", said(&checked));
        let address = format!("127.0.0.1:{}", free_port());
        let log = fs::File::create(folder.path().join("prometheus.log")).expect("a log");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={here}/prometheus"))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus runs: tests/run installs it");
        let address = address.parse().expect("an address");
        let started = Self { child, address };
        wait_until("prometheus listens", || {
            TcpStream::connect(started.address).is_ok()
        });
        started
    }

    /// By curl, which reads answers in pieces.
    fn ask(&self, path: &str) -> serde_json::Value {
        let asked = Command::new("curl")
            .args([
                "-s",
                "--noproxy",
                "*",
                &format!("http://{}{path}", self.address),
            ])
            .output()
            .expect("curl runs");
        serde_json::from_slice(&asked.stdout).unwrap_or_default()
    }

    fn health(&self) -> String {
        let targets = self.ask("/api/v1/targets");
        let health = targets["data"]["activeTargets"][0]["health"].as_str();
        health.unwrap_or_default().to_owned()
    }
}

#[test]
fn prometheus_reads_the_broker_and_holds_the_rules() {
    let folder = Folder::new();
    folder.write("catalog.yaml", &read("catalog.yaml"));
    run_head(&file("compose.yaml"), &folder);
    let url = fs::read_to_string(folder.path().join("secrets/store-url")).expect("a URL");
    assert!(url.contains("@database:5432/broker"), "{url}");
    folder.write("secrets/store-url", &SERVER.url(&SERVER.database()));
    let folder = Arc::new(folder);
    let broker = broker(&folder);
    let prometheus = Prometheus::start(&folder, &broker.address.to_string());
    wait_until("the broker is up", || prometheus.health() == "up");
    let asked = "/api/v1/query?query=catalog_broker_build_info";
    wait_until("there are metrics", || {
        prometheus.ask(asked)["data"]["result"]
            .as_array()
            .is_some_and(|found| found.len() == 1)
    });
    let rules = prometheus.ask("/api/v1/rules");
    let rules = rules["data"]["groups"][0]["rules"]
        .as_array()
        .expect("rules");
    assert!(rules.len() > 5, "{rules:?}");

    // Its token opens nothing else; the platform's password opens the API.
    let token = fs::read_to_string(folder.path().join("secrets/metrics-token")).expect("a token");
    let catalog = broker.request("GET", "/v2/catalog");
    let bearer = catalog
        .clone()
        .header("Authorization", &format!("Bearer {}", token.trim()));
    assert_eq!(broker.send_unchecked(&bearer).status, 403);
    let password =
        fs::read_to_string(folder.path().join("secrets/platform-password")).expect("a password");
    let login = catalog.header("Authorization", &basic("platform", password.trim()));
    assert_eq!(broker.send_unchecked(&login).status, 200);

    // The counter-proof: with another token it is refused.
    folder.write("secrets/metrics-token", "another one");
    wait_until("the broker is down", || prometheus.health() == "down");
}
