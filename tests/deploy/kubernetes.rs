//! `deploy/kubernetes`: what Kustomize makes of it is held against Kubernetes' schemas, its parts against each other and
//! against the image; and its pods are started and rolled over.

mod fits;
mod pods;
mod shown;

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_yaml::Value;

use crate::harness::Folder;
use crate::parts::{checker, copy, files, list, root, run_head, said, text, texts, yaml};

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
    kustomized(made().path())
}

/// What Kustomize makes of a folder.
fn kustomized(folder: &Path) -> Vec<Value> {
    let built = Command::new("kubectl")
        .arg("kustomize")
        .arg(folder)
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

fn secret(objects: &[Value], key: &str) -> String {
    let value = text(&one(objects, "Secret")["data"][key]);
    let bytes = STANDARD.decode(value).expect("base64");
    String::from_utf8(bytes).expect("text")
}
