//! `manifest.yml`, `Dockerfile` and what they send, held against the binary: paths, ports, variables, commands.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use catalog_broker::settings::SETTINGS;
use serde_yaml::Value;

use crate::harness::{Broker, Folder, PASSWORD, Setup, USER, basic};
use crate::http::Request;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).expect(name)
}

/// What `config/dist.sh` makes, with the binary of this build.
fn dist() -> Arc<Folder> {
    let script = read("config/dist.sh");
    let folder = Folder::new();
    for (source, line) in [
        ("catalog.yaml", "cp catalog.yaml dist/\n"),
        ("config/broker.yaml", "cp config/broker.yaml dist/config/\n"),
    ] {
        assert!(script.contains(line), "config/dist.sh has no {line:?}");
        folder.write(source, &read(source));
    }
    assert!(script.contains("release/catalog-broker\" dist/bin/\n"));
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    let binary = env!("CARGO_BIN_EXE_catalog-broker");
    std::os::unix::fs::symlink(binary, bin.join("catalog-broker")).expect("a link");
    Arc::new(folder)
}

fn healthy(broker: &Broker, path: &str) {
    let response = broker.send(&Request::new("GET", path));
    assert_eq!(response.status, 200, "{path}: {}", response.text());
}

/// Whether the broker knows a variable as a setting; the misspelt one shows that the look-up can fail.
pub fn is_setting(name: &str) -> bool {
    SETTINGS
        .iter()
        .any(|setting| setting.variable() == name || setting.usual.contains(&name))
}

fn manifest() -> Value {
    serde_yaml::from_str(&read("manifest.yml")).expect("YAML")
}

#[test]
fn cf_push_sends_what_starts() {
    let manifest = manifest();
    let apps = manifest["applications"].as_sequence().expect("a list");
    assert_eq!(apps.len(), 1);
    let app = &apps[0];
    assert_eq!(app["path"].as_str(), Some("dist"));
    assert_eq!(app["buildpacks"][0].as_str(), Some("binary_buildpack"));
    assert_eq!(app["health-check-type"].as_str(), Some("http"));

    let folder = dist();
    let mut words = app["command"].as_str().expect("a command").split(' ');
    let program = folder.path().join(words.next().expect("a program"));
    assert!(program.exists(), "{} is not sent", program.display());
    let mut setup = Setup::default().binary(&program);
    for word in words {
        setup = setup.arg(word);
    }
    let mut variables = 0;
    for (name, value) in app["env"].as_mapping().expect("a map") {
        let (name, value) = (name.as_str().expect("text"), value.as_str().expect("text"));
        assert!(is_setting(name), "{name} is no setting");
        variables += 1;
        setup = setup.env(
            name,
            match value {
                "((username))" => USER,
                "((password))" => PASSWORD,
                other => other,
            },
        );
    }
    assert!(variables >= 3, "{variables} variables");
    // As Cloud Foundry sets them; there sqlite is refused.
    let broker = setup.env("VCAP_APPLICATION", "{}").start_in(&folder);
    healthy(
        &broker,
        app["health-check-http-endpoint"].as_str().expect("a path"),
    );
    assert_eq!(broker.catalog().status, 200);
    assert!(
        !folder.path().join("data").exists(),
        "store none writes nothing"
    );
}

/// The counter-proof: without `BROKER_STORE__URL: none` of the manifest, the same push is refused with the way out.
#[test]
fn cf_push_without_the_manifest_s_store_is_refused() {
    let (status, _, errors) = Setup::new(&read("catalog.yaml"))
        .env("VCAP_APPLICATION", "{}")
        .run();
    assert_eq!(status.code(), Some(2));
    assert!(errors.contains("BROKER_STORE__URL=none"), "{errors}");
    assert!(!is_setting("BROKER_STORE_URL"));
}

/// The stages of the Dockerfile, each as its instructions: word and rest.
pub fn stages() -> Vec<Vec<(String, String)>> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let mut stages = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((word, rest)) = line.split_once(' ') else {
            continue;
        };
        if word == "FROM" {
            stages.push(Vec::new());
        }
        if let Some(stage) = stages.last_mut() {
            stage.push((word.to_owned(), rest.to_owned()));
        }
    }
    stages
}

pub fn instruction<'a>(stage: &'a [(String, String)], word: &str) -> &'a str {
    let mut found = stage.iter().filter(|(known, _)| known == word);
    let (_, rest) = found.next().unwrap_or_else(|| panic!("no {word}"));
    assert!(found.next().is_none(), "{word} twice");
    rest
}

#[test]
fn the_image_is_made_of_what_the_binary_wants() {
    let stages = stages();
    assert_eq!(stages.len(), 4, "built, prebuilt, binary, and the image");
    let image = stages.last().expect("a stage");
    assert_eq!(instruction(image, "FROM"), "scratch");
    assert_eq!(instruction(image, "USER"), "65532:65532");

    // What is copied from here is there, and is in the context.
    let ignored = read(".dockerignore");
    for (_, rest) in stages
        .iter()
        .flatten()
        .filter(|(word, rest)| word == "COPY" && !rest.starts_with("--from") && rest != ". .")
    {
        let source = rest.split(' ').next().expect("a source");
        assert!(
            ignored.lines().any(|line| line == format!("!{source}")),
            "{source} is not in the context"
        );
    }
    for line in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        let made = [
            "dist/bin/catalog-broker",
            "benches",
            "config/catalog.schema.json",
        ];
        assert!(
            made.contains(&line) || Path::new(env!("CARGO_MANIFEST_DIR")).join(line).exists(),
            "{line} of .dockerignore"
        );
    }

    let words = |rest: &str| -> Vec<String> { serde_yaml::from_str(rest).expect("a list") };
    let entry = words(instruction(image, "ENTRYPOINT"));
    let health = instruction(image, "HEALTHCHECK");
    let health = words(health.split_once("CMD ").expect("a command").1);
    assert_eq!(entry, health[..1], "one binary");
    let to = format!("--from=binary /catalog-broker {}", entry[0]);
    assert!(
        image
            .iter()
            .any(|(word, rest)| word == "COPY" && *rest == to)
    );
    let help = Command::new(env!("CARGO_BIN_EXE_catalog-broker"))
        .arg("--help")
        .output()
        .expect("help");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for command in &health[1..] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
    }

    // The catalog's place is the default one, seen from where the broker starts.
    let workdir = instruction(image, "WORKDIR");
    let default = |path: &str| {
        let setting = SETTINGS.iter().find(|setting| setting.path == path);
        setting
            .and_then(|setting| setting.default)
            .expect("a default")
    };
    let catalog = format!("catalog.yaml {workdir}/{}", default("catalog"));
    assert!(
        image
            .iter()
            .any(|(word, rest)| word == "COPY" && *rest == catalog)
    );
    assert_eq!(instruction(image, "EXPOSE"), default("server.port"));

    // The store's file lies on the volume, and the volume is the user's.
    let (name, store) = instruction(image, "ENV").split_once('=').expect("a value");
    assert!(is_setting(name), "{name}");
    let volume = instruction(image, "VOLUME");
    assert!(store.starts_with(&format!("sqlite:{volume}/")), "{store}");
    let owned = format!("--from=binary --chown=65532:65532 {volume} {volume}");
    assert!(
        image
            .iter()
            .any(|(word, rest)| word == "COPY" && *rest == owned)
    );
}

/// Starts it as the image does, and asks `health` as its health check does: yes while it runs, no afterwards.
#[test]
fn the_image_s_commands_run() {
    let folder = dist();
    let volume = folder.path().join("volume");
    fs::create_dir(&volume).expect("a folder");
    let store = format!("sqlite:{}/broker.db", volume.display());
    let broker = Setup::default()
        .env("BROKER_STORE__URL", &store)
        .start_in(&folder);
    healthy(&broker, "/healthz");
    let health = || {
        let setup = Setup::default()
            .env("PORT", &broker.address.port().to_string())
            .arg("health");
        setup.run_in(&folder)
    };
    let (status, _, errors) = health();
    assert_eq!(status.code(), Some(0), "{errors}");
    assert!(volume.join("broker.db").exists());
    assert!(!folder.path().join("data").exists());
    broker.signal("TERM");
    broker.wait_for_log("stopped");
    let (status, _, errors) = health();
    assert_eq!(status.code(), Some(2), "{errors}");
    assert!(errors.contains("does not answer"), "{errors}");
}

/// The block of the README that begins so.
fn shown(fence: &str) -> String {
    let text = read("README.md");
    let (_, rest) = text.split_once(fence).expect(fence);
    let block = rest.split("```").next().expect("a block");
    fence.split_once('\n').expect("a line").1.to_owned() + block
}

/// The Deployment of the README: ports, paths and variables are those of the image and of the binary.
#[test]
fn the_deployment_of_the_readme_fits_the_image() {
    let deployment: Value =
        serde_yaml::from_str(&shown("```yaml\napiVersion: apps/v1")).expect("YAML");
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let stages = stages();
    let image = stages.last().expect("a stage");
    let port: u64 = instruction(image, "EXPOSE").parse().expect("a port");
    assert_eq!(container["ports"][0]["containerPort"].as_u64(), Some(port));
    let mounts = container["volumeMounts"].as_sequence().expect("a list");
    assert_eq!(
        mounts[0]["mountPath"].as_str(),
        Some(instruction(image, "WORKDIR"))
    );

    let folder = Folder::new();
    folder.write("catalog.yaml", &read("catalog.yaml"));
    folder.write("username", USER);
    folder.write("password", &format!("{PASSWORD}\n"));
    let secrets = mounts[1]["mountPath"].as_str().expect("a path");
    let mut setup = Setup::default();
    for variable in container["env"].as_sequence().expect("a list") {
        let (name, value) = (&variable["name"], variable["value"].as_str().expect("text"));
        let here = folder.path().display().to_string();
        setup = setup.env(name.as_str().expect("text"), &value.replace(secrets, &here));
    }
    // The harness gives a login of its own; here the mounted one counts.
    let broker = setup
        .without("BROKER_AUTH__USERNAME")
        .without("BROKER_AUTH__PASSWORD")
        .start_in(&Arc::new(folder));
    for probe in ["livenessProbe", "readinessProbe"] {
        let probe = &container[probe]["httpGet"];
        assert_eq!(probe["port"].as_u64(), Some(port));
        healthy(&broker, probe["path"].as_str().expect("a path"));
    }
    assert_eq!(broker.catalog().status, 200);
}

/// The unit of the README: its command line is one that the binary takes, with its variables it starts.
#[test]
fn the_unit_of_the_readme_starts() {
    let unit = shown("```ini\n[Unit]");
    let value = |key: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(key));
        line.expect(key).to_owned()
    };
    let folder = Folder::new();
    folder.write("catalog.yaml", &read("catalog.yaml"));
    folder.write("password", "secret\n");
    let here = folder.path().display().to_string();
    let command = value("ExecStart=/usr/local/bin/catalog-broker ");
    let directory = value("StateDirectory=");
    let command = command
        .replace("/etc/catalog-broker/", &format!("{here}/"))
        .replace(&format!("/var/lib/{directory}/"), &format!("{here}/state/"));
    let mut setup = Setup::default();
    for word in command.split(' ') {
        setup = setup.arg(word);
    }
    for variable in value("Environment=").split(' ') {
        let (name, value) = variable.split_once('=').expect("a value");
        setup = setup.env(name, &value.replace("%d", &here));
    }
    let folder = Arc::new(folder);
    let broker = setup.without("BROKER_AUTH__PASSWORD").start_in(&folder);
    let request = broker
        .request("GET", "/v2/catalog")
        .header("Authorization", &basic("platform", "secret"));
    assert_eq!(broker.send(&request).status, 200);
    assert!(folder.path().join("state/broker.db").exists());
}

/// Health tells nothing, and is the only thing that is told without credentials.
#[test]
fn without_credentials_there_is_health_and_nothing_else() {
    let broker = Setup::new(&read("catalog.yaml")).start();
    healthy(&broker, "/healthz");
    healthy(&broker, "/readyz");
    let closed = Request::new("GET", "/v2/catalog").header("X-Broker-API-Version", "2.17");
    assert_eq!(broker.send(&closed).status, 401);
    let open = closed.header("Authorization", &basic(USER, PASSWORD));
    assert_eq!(broker.send(&open).status, 200);
}
