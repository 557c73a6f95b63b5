//! What `deploy/README.md` shows of Kubernetes, held against what is there.

use std::process::Command;

use serde_yaml::Value;

use super::{FOLDER, built, file, kustomized, one, secret};
use crate::harness::Folder;
use crate::parts::{commands, copy, read, said, text, yaml};

/// The block of YAML that begins so.
fn block(start: &str) -> String {
    let document = read("deploy/README.md");
    let mut blocks = document.split("```yaml\n").skip(1);
    let block = blocks.find(|block| block.starts_with(start));
    let block = block.and_then(|block| block.split("```").next());
    block
        .unwrap_or_else(|| panic!("no block {start}"))
        .to_owned()
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
    let broker: Value =
        serde_yaml::from_str(&block("apiVersion: servicecatalog.k8s.io/v1beta1")).expect("YAML");
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
    // Debian builds its promtool without the look-up in Kubernetes.
    let block = block("scrape_configs:");
    let lines = block
        .lines()
        .filter(|line| !line.contains("kubernetes_sd_configs"));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len() + 1, block.lines().count());
    let folder = Folder::new();
    let path = folder.write("prometheus.yml", &lines.join("\n"));
    let checked = Command::new("promtool")
        .args(["check", "config", "--syntax-only"])
        .arg(&path)
        .output()
        .expect("promtool runs: tests/run installs it");
    assert!(checked.status.success(), "{}", said(&checked));
    let objects = built();
    let job: Value = serde_yaml::from_str(&block).expect("YAML");
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

/// A folder beside ours: its catalog and its image are what counts, and all else is as it was.
#[test]
fn a_folder_beside_ours_changes_what_it_says() {
    let folder = Folder::new();
    let ours = folder.path().join("kubernetes");
    copy(FOLDER, &ours);
    let ran = Command::new("sh")
        .args([
            "-e",
            "-c",
            &commands(&file("kustomization.yaml")).join("\n"),
        ])
        .current_dir(&ours)
        .output()
        .expect("a shell");
    assert!(ran.status.success(), "{}", said(&ran));
    folder.write(
        "mine/kustomization.yaml",
        &block("resources: [../kubernetes]"),
    );
    let catalog = read("catalog.yaml");
    folder.write("mine/catalog.yaml", &catalog);
    let theirs = kustomized(&ours);
    let mine = kustomized(&folder.path().join("mine"));
    assert_eq!(mine.len(), theirs.len());
    assert_eq!(
        one(&mine, "ConfigMap")["data"]["catalog.yaml"],
        catalog.as_str()
    );
    let settings = |objects: &[Value]| one(objects, "ConfigMap")["data"]["broker.yaml"].clone();
    assert_eq!(settings(&mine), settings(&theirs));
    let image = |objects: &[Value]| {
        let spec = &one(objects, "Deployment")["spec"]["template"]["spec"];
        text(&spec["containers"][0]["image"]).to_owned()
    };
    assert_ne!(image(&mine), image(&theirs));
    assert_eq!(super::fits::complaints(&mine), Vec::<String>::new());
}
