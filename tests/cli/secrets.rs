//! A secret of the document is in no command's output but that of `render --bind --reveal`.

use crate::harness::Folder;
use crate::runner::{run_with, with_catalog};

/// A marked secret wherever one can stand that is not published.
const DOCUMENT: &str = r#"minimum_api_version: "2.10"
x-home: { a: &anchored MARKED-anchor }
values: { a: MARKED-constant }
service_defaults:
  binding: { credentials: { inherited: MARKED-default } }
services:
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10
    name: shared-postgres
    description: A database
    bindable: true
    requires: [syslog_drain, volume_mount]
    binding:
      credentials:
        password: MARKED-plain
        variable: "${VARIABLE}"
        with_default: "${NOT_THERE:-MARKED-fallback}"
        file: "${file:secret.txt}"
        folder: "${dir:secrets}"
        parsed: "${json:PARSED}"
        var: "${deep.secret}"
        anchored: *anchored
        constant: "{{ values.a }}"
        template: "{{ 'MARKED-expression' }}"
        stored: "{{ instance.values.a }} {{ binding.values.b }}"
      values: { b: MARKED-binding-value }
      syslog_drain_url: "https://user:MARKED-userinfo@logs.example.com/MARKED-path?token=MARKED-query"
      volume_mounts:
        - driver: nfs
          container_dir: /data
          mode: rw
          device_type: shared
          device: { volume_id: v-1, mount_config: { password: MARKED-mount } }
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: small
        description: 1 GB
        instance:
          values: { a: MARKED-instance-value }
"#;

/// Errors around secrets: misspelt keys, wrong types, broken references and templates, equal keys, two lists.
fn broken() -> Vec<String> {
    let changes = [
        ("    binding:\n", "    bindng:\n"),
        ("password: MARKED-plain", "password: \"${MARKED\""),
        ("password: MARKED-plain", "password: \"${nosuch:MARKED-x}\""),
        ("password: MARKED-plain", "password: {{ MARKED }}"),
        (
            "      values: { b: MARKED-binding-value }",
            "      values: MARKED-binding-value",
        ),
        ("password: MARKED-plain", "variable: MARKED-plain"),
        ("bindable: true", "bindable: perhaps"),
        (
            "mode: rw",
            "mode: rw\n          MARKED-key-is-no-secret: { a: [ }",
        ),
    ];
    let change = |(from, to): (&str, &str)| {
        assert!(DOCUMENT.contains(from), "{from}");
        DOCUMENT.replace(from, to)
    };
    changes.into_iter().map(change).collect()
}

fn folder(document: &str) -> Folder {
    let folder = with_catalog(document);
    folder.write("secret.txt", "MARKED-file\n");
    folder.write("secrets/one", "MARKED-folder");
    folder.write("vars.yaml", "deep: { secret: MARKED-vars }\n");
    folder
}

const ENVIRONMENT: [(&str, &str); 5] = [
    ("VARIABLE", "MARKED-variable"),
    ("PARSED", r#"{"a": ["MARKED-parsed"]}"#),
    (
        "BROKER_SERVICES__SHARED_POSTGRES__BINDING__CREDENTIALS__ADDED",
        "MARKED-override",
    ),
    ("BROKER_AUTH__PASSWORD", "MARKED-login"),
    ("BROKER_VARS", "vars.yaml"),
];

const COMMANDS: [&[&str]; 12] = [
    &["check"],
    &["check", "--strict"],
    &["check", "--format", "json"],
    &["check", "--format", "sarif"],
    &["check", "--format", "github"],
    &["check", "--store", "none"],
    &["render"],
    &["render", "--explain"],
    &["render", "--plan", "small", "--bind"],
    &["diff", "catalog.yaml", "other.json"],
    &["schema"],
    &["check", "--fix"],
];

#[test]
fn no_command_shows_a_secret() {
    for command in COMMANDS {
        let folder = folder(DOCUMENT);
        folder.write("other.json", r#"{"services": []}"#);
        let ran = run_with(&folder, command, &ENVIRONMENT);
        let says_nothing = ran.code == 0 && command.contains(&"github");
        assert!(says_nothing || !ran.out.is_empty(), "{command:?}: {ran:?}");
        for text in [&ran.out, &ran.err] {
            assert!(!text.contains("MARKED"), "{command:?}:\n{text}");
        }
    }
}

#[test]
fn no_command_shows_a_secret_of_a_document_with_errors() {
    for document in broken() {
        for command in COMMANDS {
            // A name is no secret: the keys and schemes that are wrong are told.
            let names = [
                "MARKED-key-is-no-secret",
                "{{ MARKED }}",
                "${MARKED",
                "`MARKED`",
            ];
            let folder = folder(&document);
            folder.write("other.json", r#"{"services": []}"#);
            let ran = run_with(&folder, command, &ENVIRONMENT);
            for text in [&ran.out, &ran.err] {
                let text = names
                    .iter()
                    .fold(text.clone(), |text, name| text.replace(name, ""));
                assert!(!text.contains("MARKED"), "{command:?}:\n{text}");
            }
        }
    }
}

/// The counter-proof: each of them is there to be found.
#[test]
fn a_bind_that_is_revealed_shows_every_secret() {
    let folder = folder(DOCUMENT);
    let reveal = ["render", "--plan", "small", "--bind", "--reveal"];
    let ran = run_with(&folder, &reveal, &ENVIRONMENT).exits(0);
    for secret in [
        "anchor",
        "constant",
        "default",
        "plain",
        "variable",
        "fallback",
        "file",
        "folder",
        "parsed",
        "vars",
        "expression",
        "instance-value",
        "binding-value",
        "userinfo",
        "path",
        "query",
        "mount",
        "override",
    ] {
        assert!(
            ran.out.contains(&format!("MARKED-{secret}")),
            "{secret}: {ran:?}"
        );
    }
    assert!(!ran.out.contains("MARKED-login"));
}
