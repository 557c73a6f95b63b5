//! Backends that say they are done and give nothing under `outputs`, and a program that is not there: whoever bound reads
//! that it failed, and the log names what is missing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use serde_json::json;

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, Setup};

const MARK: &str = "MARKED";

/// A reply as somebody may write it who has not read of `outputs`.
const PROGRAM: &str = r#"#!/bin/sh
cat > /dev/null
echo '{ "output": { "key": "MARKED" }, "description": "It is made." }'
"#;

const CATALOG: &str = r#"
services:
  - id: s
    name: s
    description: Gives nothing
    bindable: true
    respond: sync
    backend: { command: { run: [PROGRAM], env: { PATH: /usr/bin:/bin } } }
    plans:
      - { id: needs, name: needs, description: Needs it, binding: { credentials: { key: "{{ binding.outputs.key }}" } } }
      - { id: says, name: says, description: Says it, binding: { credentials: { url: "x://{{ binding.outputs.key }}" } } }
      - { id: may, name: may, description: May have it, binding: { credentials: { host: h, key: "{{ binding.outputs.key }}" } } }
      - { id: gone, name: gone, description: Is not there, backend: { command: { run: [PROGRAM.gone] } } }
"#;

fn started() -> (Broker, Arc<Folder>) {
    let root = Arc::new(Folder::new());
    let program = root.write("program.sh", PROGRAM);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("an executable");
    let catalog = CATALOG.replace("PROGRAM", &program.display().to_string());
    (Setup::new(&catalog).start(), root)
}

#[test]
fn credentials_of_outputs_that_are_not_there_are_a_failure_that_names_them() {
    let (broker, _root) = started();
    for (plan, named) in [
        (
            "needs",
            "binding.credentials.key: {{ binding.outputs.key }} is nothing: the backend returned no outputs",
        ),
        ("says", "binding.credentials.url: {{ binding.outputs.key }}"),
    ] {
        assert_eq!(broker.provision(plan, &provision_of("s", plan)).status, 201);
        let bound = broker.bind(plan, "b", &bind_of("s", plan));
        assert_eq!(
            (bound.status, &*bound.word()),
            (500, "OperationFailed"),
            "{plan}"
        );
        assert!(
            bound.description().contains("templates"),
            "{}",
            bound.text()
        );
        broker.wait_for_log(named);
        assert_eq!(
            broker.unbind(plan, "b", "s", plan).status,
            200,
            "it can be taken away"
        );
    }
    broker
        .wait_for_log("its reply has no `outputs`, but keys that the broker passes over: `output`");
    // What may be left out is left out.
    assert_eq!(
        broker.provision("may", &provision_of("s", "may")).status,
        201
    );
    let bound = broker.bind("may", "b", &bind_of("s", "may"));
    assert_eq!(bound.json()["credentials"], json!({ "host": "h" }));
    assert!(!broker.log().contains(MARK), "{}", broker.log());
}

#[test]
fn a_program_that_is_not_there_is_named_before_it_is_needed_and_when_it_is() {
    let (broker, root) = started();
    let path = root.path().join("program.sh.gone").display().to_string();
    broker.wait_for_log(&format!("the program {path} cannot be found here"));
    let made = broker.provision("gone", &provision_of("s", "gone"));
    assert_eq!((made.status, &*made.word()), (500, "OperationFailed"));
    broker.wait_for_log(&format!(
        "the program was not started: {path} cannot be started: No such file"
    ));
    assert!(
        !made.text().contains(&path),
        "where it is, is the operator's to know"
    );
}
