//! `manifest.yml`, `Dockerfile` and what they send, held against the binary: paths, ports, variables, commands.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_yaml::Value;

use crate::harness::{Folder, PASSWORD, Setup, USER};
use crate::parts::{default, healthy, instruction, is_setting, read, stages};

/// What `config/dist.sh` makes, with the binary of this build.
pub fn dist() -> Arc<Folder> {
    let script = read("config/dist.sh");
    let folder = Folder::new();
    for (source, to, line) in [
        ("catalog.yaml", "catalog.yaml", "cp catalog.yaml dist/\n"),
        (
            "config/broker.yaml",
            "config/broker.yaml",
            "cp config/broker.yaml dist/config/\n",
        ),
        (
            "deploy/cloudfoundry/broker.yaml",
            "config/cloudfoundry.yaml",
            "cp deploy/cloudfoundry/broker.yaml dist/config/cloudfoundry.yaml\n",
        ),
    ] {
        assert!(script.contains(line), "config/dist.sh has no {line:?}");
        folder.write(to, &read(source));
    }
    assert!(script.contains("release/catalog-broker\" dist/bin/\n"));
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    let binary = env!("CARGO_BIN_EXE_catalog-broker");
    std::os::unix::fs::symlink(binary, bin.join("catalog-broker")).expect("a link");
    Arc::new(folder)
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
