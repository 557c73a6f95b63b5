//! `deploy/kubernetes`: what Kustomize makes of it is held against Kubernetes' schemas, its parts against each other and
//! against the image; and its pods are started and rolled over.

mod fits;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_yaml::Value;

use crate::harness::{Broker, Folder, SERVER, Setup, basic};
use crate::parts::{
    checker, commands, copy, files, healthy, instruction, list, read, root, run_head, said, stages,
    text, texts, yaml,
};
use crate::rolling::{End, Offer, roll};

const FOLDER: &str = "deploy/kubernetes";

/// The oldest Kubernetes that is still in use somewhere, and the newest that the checker knows.
const VERSIONS: [&str; 2] = ["1.29", "1.37"];

fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

/// The folder as its head says to make it.
fn made() -> Folder {
    let folder = Folder::new();
    copy(FOLDER, folder.path());
    run_head(&file("kustomization.yaml"), &folder);
    folder
}

/// What `kubectl apply -k` would send.
fn built() -> Vec<Value> {
    let folder = made();
    let built = std::process::Command::new("kubectl")
        .arg("kustomize")
        .arg(folder.path())
        .output()
        .expect("kubectl runs: tests/run installs it");
    assert!(built.status.success(), "{}", said(&built));
    let text = String::from_utf8_lossy(&built.stdout).into_owned();
    let documents = text.split("\n---\n");
    documents
        .map(|document| serde_yaml::from_str(document).expect("YAML"))
        .collect()
}

fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "{kind} twice");
    object
}

/// What the checker of Kubernetes' schemas says against each object; nothing where it takes it.
fn invalid(objects: &[Value], version: &str) -> Vec<String> {
    const CHECK: &str = "import json, sys, kubernetes_validate
complaints = []
for found in json.load(sys.stdin):
    try:
        kubernetes_validate.validate(found, sys.argv[1], strict=True)
        complaints.append('')
    except kubernetes_validate.ValidationError as error:
        complaints.append(f'{list(error.path)}: {error.message}')
print(json.dumps(complaints))";
    let folder = Folder::new();
    let path = folder.write(
        "objects.json",
        &serde_json::to_string(objects).expect("JSON"),
    );
    let checked = checker("python")
        .args(["-c", CHECK, version])
        .stdin(fs::File::open(path).expect("its objects"))
        .output()
        .expect("Python runs");
    assert!(checked.status.success(), "{}", said(&checked));
    serde_json::from_slice(&checked.stdout).expect("JSON")
}

#[test]
fn kustomize_takes_every_file_and_makes_what_kubernetes_takes() {
    let kustomization = yaml(&file("kustomization.yaml"));
    let mut named: Vec<&str> = texts(&kustomization["resources"]);
    for generated in list(&kustomization["configMapGenerator"]) {
        named.extend(texts(&generated["files"]));
    }
    named.push("kustomization.yaml");
    named.sort_unstable();
    let there = files(&root().join(FOLDER));
    let there: Vec<&str> = there.iter().filter_map(|path| path.to_str()).collect();
    assert_eq!(named, there, "nothing lies there of no use");

    let objects = built();
    assert_eq!(objects.len(), 8);
    for version in VERSIONS {
        assert_eq!(invalid(&objects, version), [""; 8]);
    }
}

/// The counter-proof: a misspelt key, a wrong type, a key of the wrong place are refused with their names.
#[test]
fn a_manifest_with_a_mistake_is_refused() {
    let objects = built();
    let mistakes = [
        (
            "Deployment",
            "readinessProbe:",
            "readynessProbe:",
            "readynessProbe",
        ),
        ("Deployment", "replicas: 2", "replicas: two", "two"),
        (
            "PodDisruptionBudget",
            "maxUnavailable:",
            "maxUnavailible:",
            "maxUnavailible",
        ),
        ("NetworkPolicy", "podSelector:", "selector:", "selector"),
    ];
    let edited: Vec<Value> = mistakes
        .iter()
        .map(|(kind, right, wrong, _)| {
            let written = serde_yaml::to_string(one(&objects, kind)).expect("YAML");
            assert!(written.contains(right), "{kind}: {right}");
            serde_yaml::from_str(&written.replacen(right, wrong, 1)).expect("YAML")
        })
        .collect();
    let complaints = invalid(&edited, VERSIONS[1]);
    for ((kind, .., word), complaint) in mistakes.iter().zip(&complaints) {
        assert!(complaint.contains(word), "{kind}: {word}: {complaint:?}");
    }
    assert_eq!(complaints.len(), mistakes.len());
}

#[test]
fn names_labels_ports_keys_and_times_fit_each_other() {
    assert_eq!(fits::complaints(&built()), Vec::<String>::new());
}

/// Edits: what is edited, what stands there, what in its place, and what is to be said.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    ("Service", "catalog-broker", "broker", "Service selects"),
    (
        "Service",
        "targetPort: http",
        "targetPort: web",
        "no port web",
    ),
    (
        "PodDisruptionBudget",
        "name: catalog-broker",
        "name: x",
        "PodDisruptionBudget selects",
    ),
    (
        "PodDisruptionBudget",
        "maxUnavailable: 1",
        "maxUnavailable: 2",
        "leaves none",
    ),
    ("NetworkPolicy", "port: http", "port: 80", "no port 80"),
    (
        "ServiceAccount",
        "name: catalog-broker\n  namespace",
        "name: x\n  namespace",
        "no ServiceAccount",
    ),
    (
        "Namespace",
        "name: brokers",
        "name: others",
        "no Namespace brokers",
    ),
    (
        "Deployment",
        "secretName: catalog-broker",
        "secretName: x",
        "no Secret x",
    ),
    (
        "Deployment",
        "key: broker.yaml",
        "key: settings.yaml",
        "no key settings.yaml",
    ),
    (
        "Deployment",
        "value: /run/secrets/catalog-broker/store-key",
        "value: /run/keys",
        "/run/keys is not mounted",
    ),
    ("Deployment", "/store-url", "/url", "no key url"),
    (
        "Deployment",
        "BROKER_STORE__KEYS_FILE",
        "BROKER_STORE__KEY_FILE",
        "no setting BROKER_STORE__KEY",
    ),
    (
        "Deployment",
        "GracePeriodSeconds: 40",
        "GracePeriodSeconds: 25",
        "stopping takes 25",
    ),
    (
        "Deployment",
        "path: /readyz",
        "path: /healthz",
        "readinessProbe asks /healthz",
    ),
    (
        "Deployment",
        "timeoutSeconds: 6",
        "timeoutSeconds: 5",
        "readinessProbe gives up",
    ),
    (
        "Deployment",
        "runAsUser: 65532",
        "runAsUser: 1000",
        "the image's user",
    ),
    (
        "Deployment",
        "maxUnavailable: 0",
        "maxUnavailable: 1",
        "roll-out",
    ),
    (
        "Deployment",
        "readOnlyRootFilesystem: true",
        "readOnlyRootFilesystem: false",
        "readOnlyRootFilesystem",
    ),
    (
        "ConfigMap",
        "connections: 12",
        "connections: 40",
        "connections",
    ),
    ("ConfigMap", "port: 8080", "port: 8081", "listens on 8081"),
];

/// The counter-proof: each of these edits is seen, and by the check that is for it.
#[test]
fn what_does_not_fit_is_seen() {
    let objects = built();
    let whole: Vec<String> = objects
        .iter()
        .map(|object| serde_yaml::to_string(object).expect("YAML"))
        .collect();
    for (kind, right, wrong, complaint) in MISTAKES {
        let edited: Vec<Value> = objects
            .iter()
            .zip(&whole)
            .map(|(object, written)| {
                if object["kind"] != *kind {
                    return object.clone();
                }
                assert!(written.contains(*right), "{kind}: {right}\n{written}");
                serde_yaml::from_str(&written.replace(right, wrong)).expect("YAML")
            })
            .collect();
        let complaints = fits::complaints(&edited);
        assert!(
            complaints.iter().any(|found| found.contains(complaint)),
            "{kind}: {wrong}: {complaints:?}"
        );
    }
}

/// A container as it is started: the folder that the image starts in, with all that is mounted, and its variables.
struct Pod {
    folder: Arc<Folder>,
    variables: Vec<(String, String)>,
}

impl Pod {
    /// With `url` in place of the secret one.
    fn of(objects: &[Value], url: &str) -> Self {
        let spec = &one(objects, "Deployment")["spec"]["template"]["spec"];
        let container = &spec["containers"][0];
        let stages = stages();
        let workdir = instruction(stages.last().expect("a stage"), "WORKDIR");
        let folder = Folder::new();
        let mounts: Vec<(&str, String)> = list(&container["volumeMounts"])
            .iter()
            .map(|mount| {
                let place = text(&mount["mountPath"]);
                let here = if place == workdir {
                    folder.path().to_owned()
                } else {
                    folder.path().join(text(&mount["name"]))
                };
                (place, here.display().to_string())
            })
            .collect();
        let moved = |words: &str| {
            let places = mounts.iter();
            places.fold(words.to_owned(), |words, (place, here)| {
                words.replace(&format!("{place}/"), &format!("{here}/"))
            })
        };
        for mount in list(&container["volumeMounts"]) {
            let (_, here) = mounts
                .iter()
                .find(|(place, _)| mount["mountPath"] == *place)
                .expect("a place");
            for (name, bytes) in content(objects, spec, text(&mount["name"])) {
                let path = Path::new(here).join(&name);
                fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                let words = String::from_utf8(bytes).expect("text");
                let words = if name == "store-url" {
                    assert!(words.starts_with("postgres://"), "{words}");
                    url.to_owned()
                } else {
                    moved(&words)
                };
                fs::write(path, words).expect("a file");
            }
        }
        let variables = list(&container["env"])
            .iter()
            .map(|variable| {
                let name = text(&variable["name"]).to_owned();
                (name, moved(text(&variable["value"])))
            })
            .collect();
        Self {
            folder: Arc::new(folder),
            variables,
        }
    }

    fn setup(&self) -> Setup {
        // The harness gives a login of its own; here the mounted one counts.
        let setup = Setup::default()
            .without("BROKER_AUTH__USERNAME")
            .without("BROKER_AUTH__PASSWORD");
        self.variables
            .iter()
            .fold(setup, |setup, (name, value)| setup.env(name, value))
    }

    fn start(&self) -> Broker {
        self.setup().start_in(&self.folder)
    }
}

/// The files of a volume.
fn content(objects: &[Value], spec: &Value, volume: &str) -> Vec<(String, Vec<u8>)> {
    let volume = list(&spec["volumes"])
        .iter()
        .find(|known| known["name"] == volume)
        .expect("a volume");
    if volume.get("secret").is_some() {
        let data = one(objects, "Secret")["data"].as_mapping().expect("data");
        let decoded = |value: &Value| {
            let words: String = text(value).split_whitespace().collect();
            STANDARD.decode(words).expect("base64")
        };
        let files = data.iter();
        return files
            .map(|(key, value)| (text(key).to_owned(), decoded(value)))
            .collect();
    }
    let data = &one(objects, "ConfigMap")["data"];
    list(&volume["configMap"]["items"])
        .iter()
        .map(|item| {
            let bytes = text(&data[text(&item["key"])]).as_bytes().to_vec();
            (text(&item["path"]).to_owned(), bytes)
        })
        .collect()
}

fn secret(objects: &[Value], key: &str) -> String {
    let value = text(&one(objects, "Secret")["data"][key]);
    let bytes = STANDARD.decode(value).expect("base64");
    String::from_utf8(bytes).expect("text")
}

fn login(objects: &[Value]) -> String {
    basic(&secret(objects, "username"), &secret(objects, "password"))
}

#[test]
fn the_document_has_nothing_to_complain_of_and_is_served() {
    let objects = built();
    let pod = Pod::of(&objects, &SERVER.url(&SERVER.database()));
    let (status, said, errors) = pod.setup().arg("check").arg("--strict").run_in(&pod.folder);
    assert_eq!(status.code(), Some(0), "{said}{errors}");

    let broker = pod.start();
    let container = &one(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        healthy(&broker, text(&container[probe]["httpGet"]["path"]));
    }
    let asked = broker
        .request("GET", "/v2/catalog")
        .header("Authorization", &login(&objects));
    let published = broker.send(&asked).json();
    let document = yaml(&file("catalog.yaml"));
    assert_eq!(
        published["services"][0]["id"],
        text(&document["services"][0]["id"])
    );
    assert!(
        !pod.folder.path().join("data").exists(),
        "the root file system is read-only"
    );
}

#[test]
fn a_rollout_fails_no_request() {
    let objects = built();
    let database = SERVER.database();
    let pod = Pod::of(&objects, &SERVER.url(&database));
    let document = yaml(&file("catalog.yaml"));
    let offer = Offer {
        login: &login(&objects),
        service: text(&document["services"][0]["id"]),
        plan: text(&document["services"][0]["plans"][0]["id"]),
    };
    let replicas = one(&objects, "Deployment")["spec"]["replicas"].as_u64();
    let old: Vec<Broker> = (0..replicas.expect("a number"))
        .map(|_| pod.start())
        .collect();
    let brokers = old.len();
    let (seen, new) = roll(old, || pod.start(), &offer, End::Stopped);
    assert_eq!(seen.failures, Vec::<String>::new());
    assert_eq!(seen.answered.len(), 2 * brokers);
    assert!(seen.lives > 10, "{} lives", seen.lives);
    assert_eq!(new.len(), brokers);
    assert_eq!(
        SERVER.sql(&database, "SELECT count(*) FROM broker_bindings"),
        "0"
    );
}

/// The counter-proof: brokers that go without a word are felt.
#[test]
fn a_rollout_by_kills_is_felt() {
    let objects = built();
    let pod = Pod::of(&objects, &SERVER.url(&SERVER.database()));
    let document = yaml(&file("catalog.yaml"));
    let offer = Offer {
        login: &login(&objects),
        service: text(&document["services"][0]["id"]),
        plan: text(&document["services"][0]["plans"][0]["id"]),
    };
    let (seen, _) = roll(vec![pod.start()], || pod.start(), &offer, End::Killed);
    assert!(!seen.failures.is_empty());
}

/// The image's tag is the version that this is.
#[test]
fn the_image_is_of_this_version() {
    let image = &yaml(&file("kustomization.yaml"))["images"][0];
    assert_eq!(image["newTag"], env!("CARGO_PKG_VERSION"));
    let objects = built();
    let container = &one(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let whole = format!("{}:{}", text(&image["newName"]), env!("CARGO_PKG_VERSION"));
    assert_eq!(container["image"], whole.as_str());
}

/// How a platform registers it, as the documents show: by the Service's name, and the Secret's login.
#[test]
fn platforms_are_shown_the_service_that_is_there() {
    let objects = built();
    let service = one(&objects, "Service");
    let (name, namespace) = (
        text(&service["metadata"]["name"]),
        text(&service["metadata"]["namespace"]),
    );
    let port = service["spec"]["ports"][0]["port"]
        .as_u64()
        .expect("a port");
    let url = format!("http://{name}.{namespace}.svc.cluster.local:{port}");
    let shown = read("deploy/README.md");
    assert_eq!(shown.matches("svc.cluster.local").count(), 2);
    assert_eq!(shown.matches(&url).count(), 2, "Korifi and service-catalog");
    let (_, rest) = shown
        .split_once("```yaml\napiVersion: servicecatalog.k8s.io/v1beta1")
        .expect("a broker of service-catalog");
    let block = rest.split("```").next().expect("its end");
    let broker: Value = serde_yaml::from_str(block).expect("YAML");
    assert_eq!(broker["spec"]["url"], url.as_str());
    let reference = &broker["spec"]["authInfo"]["basic"]["secretRef"];
    let (held_in, held) = (text(&reference["namespace"]), text(&reference["name"]));
    let made =
        format!("kubectl -n {held_in} create secret generic {held} --from-file=secrets/username");
    assert!(shown.contains(&made), "{made}");
    // The first that the document offers is what is made accessible.
    let offered = yaml(&file("catalog.yaml"));
    let accessible = format!(
        "cf enable-service-access {}",
        text(&offered["services"][0]["name"])
    );
    assert!(shown.contains(&accessible), "{accessible}");
    let made = commands(&file("kustomization.yaml")).join("\n");
    for key in ["username", "password"] {
        assert!(made.contains(&format!("secrets/{key}")), "{key}");
        assert!(
            !secret(&objects, key).ends_with('\n'),
            "{key} is read by others"
        );
    }
}

/// The configuration that the documents show for a Prometheus in the cluster: it is one, of the pods that are there, with the
/// token's file.
#[test]
fn prometheus_in_the_cluster_is_told_of_the_pods() {
    let shown = read("deploy/README.md");
    let block = shown
        .split("```yaml\n")
        .find(|block| block.starts_with("scrape_configs:"));
    let block = block.and_then(|block| block.split("```").next());
    // Debian builds its promtool without the look-up in Kubernetes.
    let block = block.expect("a configuration");
    let lines = block
        .lines()
        .filter(|line| !line.contains("kubernetes_sd_configs"));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len() + 1, block.lines().count());
    let folder = Folder::new();
    let path = folder.write("prometheus.yml", &lines.join("\n"));
    let checked = std::process::Command::new("promtool")
        .args(["check", "config", "--syntax-only"])
        .arg(&path)
        .output()
        .expect("promtool runs: tests/run installs it");
    assert!(checked.status.success(), "{}", said(&checked));
    let objects = built();
    let job: Value = serde_yaml::from_str(block).expect("YAML");
    let job = &job["scrape_configs"][0];
    let namespace = &one(&objects, "Namespace")["metadata"]["name"];
    assert_eq!(
        job["kubernetes_sd_configs"][0]["namespaces"]["names"][0],
        *namespace
    );
    let container = &one(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        job["relabel_configs"][0]["regex"],
        container["ports"][0]["name"]
    );
    let token = text(&job["authorization"]["credentials_file"]);
    let key = token.rsplit('/').next().expect("a name");
    assert!(!secret(&objects, key).is_empty(), "{key}");
}
