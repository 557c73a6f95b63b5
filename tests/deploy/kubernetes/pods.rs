//! The pods: their command is started as Kubernetes starts it, asked as its probes do, and rolled over under load.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_yaml::Value;

use super::{built, file, one, secret};
use crate::harness::{Broker, Folder, SERVER, Setup, basic};
use crate::parts::{healthy, instruction, list, stages, text, yaml};
use crate::rolling::{End, Offer, roll};

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
