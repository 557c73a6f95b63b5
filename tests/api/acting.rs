//! Plans whose backend acts: what a platform reads while a program works, when it fails, refuses, is cancelled, and when
//! the broker dies in the middle.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::{bind_of, provision_of};
use crate::harness::{Broker, Folder, Setup, at_binding, at_instance, with};
use crate::http::Response;
use crate::later::{accepted, accepting, awaited};

/// Does as a file with the name of the operation's kind says, and writes down that it was called.
const PROGRAM: &str = r#"#!/bin/sh
request=$(cat)
printf '%s\n' "$request" >> "$ROOT/requests"
of() { printf '%s' "$request" | sed -n "s/.*\"operation\":{[^}]*\"$1\":\"\{0,1\}\([a-z0-9]*\).*/\1/p"; }
kind=$(of kind); attempt=$(of attempt)
echo "$kind $(of id) $attempt" >> "$ROOT/journal"
case $(cat "$ROOT/$kind" 2>/dev/null) in
wait) echo "progress: $kind is half done" >&2
      while [ ! -e "$ROOT/go" ]; do sleep 0.02; done ;;
fail) echo '{ "description": "No room left.", "instance_usable": true, "update_repeatable": false }'; exit 1 ;;
refuse) echo '{ "description": "Not with us." }'; exit 65 ;;
again) echo '{ "description": "Not yet.", "retry_after": 0.05 }'; exit 75 ;;
thrice) [ "$attempt" -ge 3 ] || { echo '{ "retry_after": 0.05 }'; exit 75; } ;;
esac
echo "done $kind" >> "$ROOT/journal"
echo '{ "outputs": { "by": "'"$kind"'" }, "state": { "left": "'"$kind"'" } }'
"#;

const CATALOG: &str = r#"
backends:
  program: { command: { run: ["PROGRAM"], env: { ROOT: "FOLDER", PATH: /usr/bin:/bin } } }
  narrow: { command: { run: ["PROGRAM"], env: { ROOT: "FOLDER", PATH: /usr/bin:/bin }, concurrency: 1 } }
services:
  - id: acting
    name: acting
    description: Has a program
    bindable: true
    instances_retrievable: true
    bindings_retrievable: true
    plan_updateable: true
    backend: { use: program }
    max_attempts: 4
    binding: { credentials: { by: "{{ binding.outputs.by }}", of: "{{ instance.outputs.by }}" } }
    plans:
      - { id: auto, name: auto, description: Waits as long as it may, answer_within: 60s }
      - { id: hasty, name: hasty, description: Waits a little, answer_within: 300ms }
      - { id: sync, name: sync, description: Waits, respond: sync, instance: { dashboard_url: "https://h/{{ instance.outputs.by }}" } }
      - { id: async, name: async, description: Never waits, respond: async, poll_every: 7s }
      - id: strict
        name: strict
        description: Has everything that can be broken
        respond: async
        plan_updateable: false
        maintenance_info: { version: "1.0.0" }
        binding: { requires: [app] }
        schemas:
          service_instance:
            create: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", properties: { size: { type: integer } } } }
            update: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", properties: { size: { type: integer } } } }
          service_binding: { create: { parameters: { "$schema": "http://json-schema.org/draft-04/schema#", properties: { size: { type: integer } } } } }
      - id: named
        name: named
        description: Gives names to what it makes
        answer_within: 60s
        instance: { values: { name: "i{{ random_password(16) }}" } }
        binding: { values: { name: "b{{ random_password(16) }}" } }
      - { id: brief, name: brief, description: Is soon given up, respond: async, max_attempts: 2 }
      - { id: narrow, name: narrow, description: One at a time, respond: async, backend: { use: narrow } }
"#;

/// A broker with the program, and the folder that steers it.
pub struct Stage {
    pub broker: Broker,
    root: Arc<Folder>,
}

impl Stage {
    pub fn new() -> Self {
        Self::with(|setup| setup)
    }

    pub fn with(more: impl FnOnce(Setup) -> Setup) -> Self {
        Self::made(|document| document, more)
    }

    /// With a document and a setup that have more in them.
    pub fn made(
        document: impl FnOnce(String) -> String,
        more: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        let root = Arc::new(Folder::new());
        let program = root.write("program.sh", PROGRAM);
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&program, executable).expect("an executable");
        let catalog = CATALOG
            .replace("PROGRAM", &program.display().to_string())
            .replace("FOLDER", &root.path().display().to_string());
        let setup = Setup::new(&document(catalog))
            .watched()
            .env("BROKER_OPERATIONS__LEASE", "1s")
            .env("BROKER_OPERATIONS__LOOK_EVERY", "50ms")
            .env("BROKER_SERVER__REQUEST_TIMEOUT", "30s");
        Self {
            broker: more(setup).start(),
            root,
        }
    }

    /// What the program does from now on, when it is called for this.
    pub fn does(&self, kind: &str, mode: &str) {
        self.root.write(kind, mode);
    }

    /// Lets all go on that wait.
    pub fn go(&self) {
        self.root.write("go", "");
    }

    pub fn halt(&self) {
        let _ = fs::remove_file(self.file("go"));
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("journal")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often the program was called for this kind.
    pub fn calls(&self, kind: &str) -> usize {
        let called = format!("{kind} ");
        self.journal()
            .iter()
            .filter(|line| line.starts_with(&called))
            .count()
    }

    pub fn wait_for_calls(&self, kind: &str, calls: usize) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.calls(kind) < calls {
            assert!(
                Instant::now() < until,
                "only {:?}\n{}",
                self.journal(),
                self.broker.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn provision(&self, instance: &str, plan: &str) -> Response {
        let body = provision_of("acting", plan);
        self.broker.put(&accepting(&at_instance(instance)), &body)
    }

    pub fn update(&self, body: &Value) -> Response {
        let body = with(body.clone(), "service_id", json!("acting"));
        self.broker.patch(&accepting(&at_instance("i")), &body)
    }

    pub fn bind(&self, binding: &str, plan: &str) -> Response {
        let body = bind_of("acting", plan);
        self.broker
            .put(&accepting(&at_binding("i", binding)), &body)
    }

    pub fn delete(&self, path: &str, plan: &str) -> Response {
        let path = format!("{path}?service_id=acting&plan_id={plan}");
        self.broker.delete(&accepting(&path))
    }

    pub fn poll(&self, path: &str) -> Value {
        self.broker.get(&format!("{path}/last_operation")).json()
    }

    /// Waits until a poll says this.
    pub fn wait_for(&self, path: &str, state: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let said = self.poll(path);
            if said["state"] == state || said["error"] == state {
                return said;
            }
            assert!(Instant::now() < until, "{said}\n{}", self.broker.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

pub fn refused(response: &Response, status: u16, word: &str) {
    assert_eq!(
        (response.status, response.word().as_str()),
        (status, word),
        "{}",
        response.text()
    );
}

#[test]
fn what_is_done_soon_is_answered_in_place() {
    let stage = Stage::new();
    for plan in ["auto", "sync"] {
        let made = stage.provision("i", plan);
        assert_eq!(made.status, 201, "{}", made.text());
        let bound = stage.bind("b", plan);
        assert_eq!(bound.status, 201, "{}", bound.text());
        let credentials = json!({ "by": "bind", "of": "provision" });
        assert_eq!(bound.json()["credentials"], credentials);
        assert_eq!(stage.bind("b", plan).status, 200);
        assert_eq!(
            stage.update(&json!({ "parameters": { "a": 1 } })).status,
            200
        );
        // The binding that is left goes first, by the program.
        assert_eq!(stage.delete(&at_instance("i"), plan).status, 200);
        assert_eq!(stage.broker.poll_binding("i", "b").status, 410);
    }
    let kinds: Vec<String> = stage
        .journal()
        .iter()
        .filter_map(|line| line.strip_prefix("done ").map(str::to_owned))
        .collect();
    let life = ["provision", "bind", "update", "unbind", "deprovision"];
    assert_eq!(kinds, [life, life].concat());
    let made = stage.provision("i", "sync");
    assert_eq!(made.json()["dashboard_url"], "https://h/provision");
}

#[test]
fn what_takes_longer_goes_on_and_is_found_by_its_repeat() {
    let stage = Stage::new();
    stage.does("provision", "wait");
    let first = stage.provision("i", "hasty");
    let operation = accepted(&first);
    assert_eq!(accepted(&stage.provision("i", "hasty")), operation);
    let polled = stage.wait_for(&at_instance("i"), "in progress");
    let until = Instant::now() + Duration::from_secs(10);
    while stage.poll(&at_instance("i"))["description"] != "provision is half done" {
        assert!(Instant::now() < until, "{polled}");
        thread::sleep(Duration::from_millis(20));
    }
    let other = with(
        provision_of("acting", "hasty"),
        "space_guid",
        json!("other"),
    );
    let path = accepting(&at_instance("i"));
    refused(&stage.broker.put(&path, &other), 409, "InstanceConflict");
    refused(&stage.broker.fetch("i"), 404, "InstanceNotFound");
    refused(&stage.bind("b", "hasty"), 422, "ConcurrencyError");
    refused(
        &stage.update(&json!({ "parameters": {} })),
        422,
        "ConcurrencyError",
    );
    stage.go();
    let over = awaited(&stage.broker, &at_instance("i"), &operation);
    assert_eq!(over.json()["state"], "succeeded");
    assert_eq!(stage.provision("i", "hasty").status, 200);
    assert_eq!(stage.calls("provision"), 1, "{:?}", stage.journal());
}

#[test]
fn a_platform_that_takes_no_202_waits_and_is_told_where_it_stands() {
    let stage = Stage::with(|setup| setup.env("BROKER_SERVER__REQUEST_TIMEOUT", "2s"));
    stage.does("provision", "wait");
    let body = provision_of("acting", "sync");
    refused(&stage.broker.provision("i", &body), 500, "StillRunning");
    thread::scope(|scope| {
        let repeat = scope.spawn(|| stage.broker.provision("i", &body));
        thread::sleep(Duration::from_millis(300));
        stage.go();
        assert_eq!(repeat.join().expect("an answer").status, 200);
    });
    assert_eq!(stage.calls("provision"), 1);
}

#[test]
fn while_an_update_runs_the_instance_is_as_it_was() {
    let stage = Stage::new();
    assert_eq!(stage.provision("i", "auto").status, 201);
    stage.does("update", "wait");
    let body = json!({ "plan_id": "async", "parameters": { "a": 1 } });
    let operation = accepted(&stage.update(&body));
    assert_eq!(accepted(&stage.update(&body)), operation, "sent again");
    refused(
        &stage.update(&json!({ "parameters": { "a": 2 } })),
        422,
        "ConcurrencyError",
    );
    refused(&stage.broker.fetch("i"), 422, "ConcurrencyError");
    refused(&stage.bind("b", "auto"), 422, "ConcurrencyError");
    refused(
        &stage.delete(&at_instance("i"), "auto"),
        422,
        "ConcurrencyError",
    );
    // The instance is there all the same.
    assert_eq!(stage.provision("i", "auto").status, 200);
    stage.go();
    awaited(&stage.broker, &at_instance("i"), &operation);
    let now = stage.broker.fetch("i").json();
    assert_eq!(
        (&now["plan_id"], &now["parameters"]["a"]),
        (&json!("async"), &json!(1))
    );
    // The plan it had when the platform last looked still names it.
    assert_eq!(accepted(&stage.delete(&at_instance("i"), "auto")).len(), 32);
}

/// `instance_usable` and `update_repeatable`.
fn flags(said: &Value) -> (Option<bool>, Option<bool>) {
    let flag = |name: &str| said.get(name).and_then(Value::as_bool);
    (flag("instance_usable"), flag("update_repeatable"))
}

#[test]
fn a_failed_update_leaves_the_instance_as_it_was() {
    let stage = Stage::new();
    assert_eq!(stage.provision("i", "auto").status, 201);
    stage.does("update", "fail");
    let body = json!({ "plan_id": "sync", "parameters": { "a": 1 } });
    let failed = stage.update(&body);
    refused(&failed, 500, "OperationFailed");
    let said = failed.json();
    assert_eq!(said["description"], "No room left.");
    assert_eq!(
        (&said["instance_usable"], &said["update_repeatable"]),
        (&json!(true), &json!(false))
    );
    let polled = stage.poll(&at_instance("i"));
    assert_eq!(
        (&polled["state"], &polled["instance_usable"]),
        (&json!("failed"), &json!(true))
    );
    let now = stage.broker.fetch("i").json();
    assert_eq!(
        (&now["plan_id"], &now["parameters"]),
        (&json!("auto"), &json!({}))
    );
    stage.does("update", "refuse");
    let refusal = stage.update(&body);
    refused(&refusal, 422, "UpdateRefused");
    // Nothing was done, and the same would be refused again.
    assert_eq!(flags(&refusal.json()), (Some(true), Some(false)));
    assert_eq!(
        flags(&stage.poll(&at_instance("i"))),
        (Some(true), Some(false))
    );
    assert_eq!(stage.broker.fetch("i").json()["plan_id"], "auto");
    // What is given up may be done by another time; how far it came nobody knows.
    stage.does("update", "again");
    let given_up = stage.update(&body);
    refused(&given_up, 500, "OperationFailed");
    assert_eq!(flags(&given_up.json()), (None, Some(true)));
    assert_eq!(flags(&stage.poll(&at_instance("i"))), (None, Some(true)));
    stage.does("update", "");
    assert_eq!(stage.update(&body).status, 200);
    assert_eq!(stage.bind("b", "sync").status, 201);
}

#[test]
fn a_failed_provision_stays_until_it_is_sent_again_or_taken_away() {
    let stage = Stage::new();
    stage.does("provision", "fail");
    refused(&stage.provision("i", "auto"), 500, "OperationFailed");
    assert!(
        stage
            .provision("i", "auto")
            .json()
            .get("instance_usable")
            .is_none()
    );
    let polled = stage.poll(&at_instance("i"));
    assert_eq!(
        (&polled["state"], polled.get("instance_usable")),
        (&json!("failed"), None)
    );
    refused(&stage.broker.fetch("i"), 404, "InstanceNotFound");
    refused(&stage.bind("b", "auto"), 400, "InstanceNotUsable");
    refused(
        &stage.update(&json!({ "parameters": {} })),
        400,
        "InstanceNotUsable",
    );
    refused(&stage.provision("i", "sync"), 409, "InstanceConflict");
    assert_eq!(stage.calls("provision"), 2, "each request was an attempt");
    stage.does("provision", "");
    assert_eq!(stage.provision("i", "auto").status, 201);
    assert_eq!(stage.broker.fetch("i").status, 200);

    stage.does("provision", "fail");
    refused(&stage.provision("j", "auto"), 500, "OperationFailed");
    assert_eq!(stage.delete(&at_instance("j"), "auto").status, 200);
    assert_eq!(stage.calls("deprovision"), 1, "the program cleans up");
    assert_eq!(stage.delete(&at_instance("j"), "auto").status, 410);
}

#[test]
fn what_is_made_anew_keeps_its_names() {
    let stage = Stage::new();
    let made_anew = |kind: &str, ask: &dyn Fn() -> Response, place: &str| {
        stage.does(kind, "fail");
        refused(&ask(), 500, "OperationFailed");
        stage.does(kind, "");
        assert_eq!(ask().status, 201, "{kind}");
        let requests = fs::read_to_string(stage.file("requests")).expect("what was asked");
        let names: Vec<Value> = requests
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a request"))
            .filter(|request| request["operation"]["kind"] == kind)
            .map(|request| request.pointer(place).cloned().expect("a name"))
            .collect();
        // What the first attempt has made bears its name: another one would never be found again.
        assert_eq!(names.len(), 2, "{kind}");
        assert_eq!(names[0], names[1], "{kind}");
    };
    made_anew(
        "provision",
        &|| stage.provision("i", "named"),
        "/instance/values/name",
    );
    made_anew("bind", &|| stage.bind("b", "named"), "/binding/values/name");
}

#[test]
fn what_is_refused_leaves_nothing() {
    let stage = Stage::new();
    stage.does("provision", "refuse");
    let answer = stage.provision("i", "auto");
    refused(&answer, 400, "OperationRefused");
    assert_eq!(answer.json()["description"], "Not with us.");
    assert_eq!(stage.delete(&at_instance("i"), "auto").status, 410);
    let operation = accepted(&stage.provision("i", "async"));
    let over = awaited(&stage.broker, &at_instance("i"), &operation).json();
    assert_eq!(
        (&over["state"], &over["description"]),
        (&json!("failed"), &json!("Not with us."))
    );

    stage.does("provision", "");
    assert_eq!(stage.provision("i", "auto").status, 201);
    stage.does("bind", "refuse");
    refused(&stage.bind("b", "auto"), 400, "OperationRefused");
    assert_eq!(stage.delete(&at_binding("i", "b"), "auto").status, 410);
    stage.does("bind", "fail");
    refused(&stage.bind("b", "auto"), 500, "OperationFailed");
    refused(
        &stage.broker.fetch_binding("i", "b"),
        404,
        "BindingNotFound",
    );
    stage.does("bind", "");
    assert_eq!(stage.bind("b", "auto").status, 201);
}

/// What failed may have done something by half, and only a delete takes that away.
#[test]
fn a_refusal_after_a_failure_leaves_what_failed() {
    let stage = Stage::new();
    assert_eq!(stage.provision("i", "auto").status, 201);
    for mode in ["fail", "refuse"] {
        stage.does("bind", mode);
        assert!(stage.bind("b", "auto").status >= 400, "{mode}");
    }
    assert_eq!(stage.delete(&at_binding("i", "b"), "auto").status, 200);
    assert_eq!(stage.calls("unbind"), 1);
}

#[test]
fn after_a_failed_delete_all_is_there_and_it_may_be_sent_again() {
    let stage = Stage::new();
    assert_eq!(stage.provision("i", "auto").status, 201);
    assert_eq!(stage.bind("b", "auto").status, 201);
    stage.does("unbind", "fail");
    refused(
        &stage.delete(&at_binding("i", "b"), "auto"),
        500,
        "OperationFailed",
    );
    stage.does("unbind", "");
    assert_eq!(stage.delete(&at_binding("i", "b"), "auto").status, 200);
    stage.does("deprovision", "fail");
    let failed = stage.delete(&at_instance("i"), "auto");
    refused(&failed, 500, "OperationFailed");
    assert_eq!(failed.json()["instance_usable"], true);
    assert!(
        failed.json().get("update_repeatable").is_none(),
        "of updates alone"
    );
    refused(&stage.broker.fetch("i"), 404, "InstanceNotFound");
    stage.does("deprovision", "refuse");
    let refusal = stage.delete(&at_instance("i"), "auto");
    assert_eq!(
        flags(&refusal.json()),
        (Some(true), None),
        "{}",
        refusal.text()
    );
    stage.does("deprovision", "");
    assert_eq!(stage.delete(&at_instance("i"), "auto").status, 200);
}

/// What was never made is not there because its delete failed too: the same request makes it, and nothing is made of it.
#[test]
fn a_failed_delete_makes_nothing_of_what_was_never_made() {
    let stage = Stage::new();
    stage.does("deprovision", "fail");
    stage.does("provision", "wait");
    accepted(&stage.provision("i", "async"));
    stage.wait_for_calls("provision", 1);
    let cancelled = accepted(&stage.delete(&at_instance("i"), "async"));
    let over = awaited(&stage.broker, &at_instance("i"), &cancelled);
    assert_eq!(over.json()["state"], "failed");
    refused(&stage.bind("b", "async"), 400, "InstanceNotUsable");
    let change = json!({ "plan_id": "async", "parameters": {} });
    refused(&stage.update(&change), 400, "InstanceNotUsable");
    stage.does("provision", "fail");
    let again = accepted(&stage.provision("i", "async"));
    let over = awaited(&stage.broker, &at_instance("i"), &again);
    assert_eq!(over.json()["state"], "failed");
    let gone = accepted(&stage.delete(&at_instance("i"), "async"));
    assert_eq!(
        awaited(&stage.broker, &at_instance("i"), &gone).json()["state"],
        "failed"
    );
    stage.does("provision", "");
    let made = accepted(&stage.provision("i", "async"));
    let over = awaited(&stage.broker, &at_instance("i"), &made);
    assert_eq!(over.json()["state"], "succeeded");
    assert_eq!(stage.broker.fetch("i").status, 200);

    stage.does("bind", "fail");
    stage.does("unbind", "fail");
    let bound = accepted(&stage.bind("b", "async"));
    awaited(&stage.broker, &at_binding("i", "b"), &bound);
    let gone = accepted(&stage.delete(&at_binding("i", "b"), "async"));
    awaited(&stage.broker, &at_binding("i", "b"), &gone);
    stage.does("bind", "");
    let made = accepted(&stage.bind("b", "async"));
    let over = awaited(&stage.broker, &at_binding("i", "b"), &made);
    assert_eq!(over.json()["state"], "succeeded");
    let found = stage.broker.fetch_binding("i", "b").json();
    assert_eq!(found["credentials"]["by"], "bind");
}

#[test]
fn what_is_to_be_tried_again_is_and_not_for_ever() {
    let stage = Stage::new();
    stage.does("provision", "thrice");
    let operation = accepted(&stage.provision("i", "async"));
    let over = awaited(&stage.broker, &at_instance("i"), &operation);
    assert_eq!(over.json()["state"], "succeeded");
    let lines = stage.journal();
    let ids: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("provision ")?.split(' ').next())
        .collect();
    assert_eq!(ids, [operation.as_str(); 3], "one id over all attempts");

    stage.does("deprovision", "again");
    let operation = accepted(&stage.delete(&at_instance("i"), "async"));
    let over = awaited(&stage.broker, &at_instance("i"), &operation).json();
    assert_eq!(over["state"], "failed");
    assert_eq!(over["description"], "Not yet. (given up after 4 attempts)");
    assert_eq!(stage.calls("deprovision"), 4);
}

/// What an update moves to is what acts.
#[test]
fn an_update_is_tried_as_often_as_the_plan_says_that_it_moves_to() {
    let stage = Stage::new();
    assert_eq!(stage.provision("i", "auto").status, 201);
    stage.does("update", "again");
    let operation = accepted(&stage.update(&json!({ "plan_id": "brief" })));
    let over = awaited(&stage.broker, &at_instance("i"), &operation).json();
    assert_eq!(over["description"], "Not yet. (given up after 2 attempts)");
    assert_eq!(stage.calls("update"), 2);
}

#[test]
fn a_delete_may_name_the_plan_that_an_update_failed_to_move_to() {
    let stage = Stage::new();
    assert_eq!(stage.provision("i", "auto").status, 201);
    stage.does("update", "fail");
    refused(
        &stage.update(&json!({ "plan_id": "sync" })),
        500,
        "OperationFailed",
    );
    refused(
        &stage.delete(&at_instance("i"), "narrow"),
        400,
        "PlanMismatch",
    );
    assert_eq!(stage.delete(&at_instance("i"), "sync").status, 200);
}

/// They go first, and with them what they were made of.
#[test]
fn while_an_instance_goes_its_bindings_are_neither_shown_nor_bound_again() {
    let stage = Stage::new();
    assert_eq!(stage.provision("i", "auto").status, 201);
    assert_eq!(stage.bind("b", "auto").status, 201);
    stage.does("unbind", "wait");
    let operation = accepted(&stage.delete(&at_instance("i"), "auto"));
    stage.wait_for_calls("unbind", 1);
    refused(&stage.bind("b", "auto"), 422, "ConcurrencyError");
    refused(
        &stage.broker.fetch_binding("i", "b"),
        404,
        "BindingNotFound",
    );
    stage.go();
    assert_eq!(
        awaited(&stage.broker, &at_instance("i"), &operation).status,
        410
    );
}

#[test]
fn a_delete_cancels_what_is_being_made() {
    let stage = Stage::new();
    stage.does("provision", "wait");
    let made = accepted(&stage.provision("i", "async"));
    stage.wait_for_calls("provision", 1);
    let gone = accepted(&stage.delete(&at_instance("i"), "async"));
    assert_eq!(
        accepted(&stage.delete(&at_instance("i"), "async")),
        gone,
        "sent again"
    );
    let over = awaited(&stage.broker, &at_instance("i"), &made).json();
    assert_eq!(over["state"], "failed");
    assert_eq!(awaited(&stage.broker, &at_instance("i"), &gone).status, 410);
    assert_eq!(stage.calls("deprovision"), 1);
    assert!(!stage.journal().contains(&"done provision".to_owned()));

    stage.does("provision", "");
    accepted(&stage.provision("i", "async"));
    stage.wait_for(&at_instance("i"), "succeeded");
    stage.does("bind", "wait");
    let bound = accepted(&stage.bind("b", "async"));
    stage.wait_for_calls("bind", 1);
    refused(
        &stage.delete(&at_instance("i"), "async"),
        422,
        "ConcurrencyError",
    );
    let gone = accepted(&stage.delete(&at_binding("i", "b"), "async"));
    assert_eq!(
        awaited(&stage.broker, &at_binding("i", "b"), &gone).status,
        410
    );
    let over = awaited(&stage.broker, &at_binding("i", "b"), &bound).json();
    assert_eq!(over["state"], "failed");
}

/// An operator beside the broker: the program is stopped, and what comes next on the instance does not act beside it.
#[test]
fn what_an_operator_gives_up_or_forgets_acts_no_more() {
    let stage = Stage::new();
    let operator = |arguments: &[&str]| {
        let setup = Setup::new("");
        let setup = arguments.iter().fold(setup, |setup, word| setup.arg(word));
        let (status, out, err) = setup.run_in(&stage.broker.folder);
        assert!(status.success(), "{out}{err}");
    };
    stage.does("provision", "wait");
    let made = accepted(&stage.provision("i", "async"));
    stage.wait_for_calls("provision", 1);
    operator(&["operations", "give-up", &made, "--because", "Enough."]);
    let over = awaited(&stage.broker, &at_instance("i"), &made).json();
    assert_eq!(
        (&over["state"], &over["description"]),
        (&json!("failed"), &json!("Enough."))
    );
    let gone = accepted(&stage.delete(&at_instance("i"), "async"));
    assert_eq!(awaited(&stage.broker, &at_instance("i"), &gone).status, 410);

    accepted(&stage.provision("j", "async"));
    stage.wait_for_calls("provision", 2);
    operator(&["instances", "forget", "j", "--yes"]);
    assert_eq!(stage.broker.poll("j").status, 410);
    assert_eq!(stage.calls("deprovision"), 1, "that of the first alone");
    stage.does("provision", "");
    accepted(&stage.provision("j", "async"));
    stage.wait_for(&at_instance("j"), "succeeded");
    let done = stage.journal();
    let done = done.iter().filter(|line| *line == "done provision").count();
    assert_eq!(done, 1, "neither of the two that were stopped");
}

#[test]
fn a_request_that_waits_for_what_is_cancelled_is_answered() {
    let stage = Stage::new();
    stage.does("provision", "wait");
    thread::scope(|scope| {
        let body = provision_of("acting", "sync");
        let waits = scope.spawn(|| stage.broker.provision("i", &with(body, "x", json!(1))));
        stage.wait_for_calls("provision", 1);
        assert_eq!(stage.delete(&at_instance("i"), "sync").status, 200);
        refused(&waits.join().expect("an answer"), 500, "OperationFailed");
    });
}

#[test]
fn a_poll_says_when_to_come_again() {
    let stage = Stage::new();
    stage.does("provision", "wait");
    accepted(&stage.provision("i", "async"));
    let polled = stage.broker.poll("i");
    assert_eq!(polled.header("retry-after"), Some("7"));
    stage.go();
    stage.wait_for(&at_instance("i"), "succeeded");
    assert_eq!(stage.broker.poll("i").header("retry-after"), None);
}

#[test]
fn no_more_run_at_once_than_the_backend_takes_and_in_their_order() {
    let stage = Stage::new();
    stage.does("provision", "wait");
    let operations: Vec<String> = (0..5)
        .map(|at| accepted(&stage.provision(&format!("i{at}"), "narrow")))
        .collect();
    stage.wait_for_calls("provision", 1);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(stage.calls("provision"), 1, "the others wait");
    stage.go();
    for (at, operation) in operations.iter().enumerate() {
        awaited(&stage.broker, &at_instance(&format!("i{at}")), operation);
    }
    let lines = stage.journal();
    let begun: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("provision ")?.split(' ').next())
        .collect();
    assert_eq!(begun, operations);
}

#[test]
fn what_a_killed_broker_left_is_taken_up_again() {
    let mut stage = Stage::new();
    stage.does("provision", "wait");
    let operation = accepted(&stage.provision("i", "async"));
    stage.wait_for_calls("provision", 1);
    stage.broker = stage.broker.restarted();
    assert_eq!(stage.poll(&at_instance("i"))["state"], "in progress");
    stage.wait_for_calls("provision", 2);
    stage.go();
    let over = awaited(&stage.broker, &at_instance("i"), &operation);
    assert_eq!(over.json()["state"], "succeeded");
    stage.halt();
    let lines = stage.journal();
    let calls: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("provision"))
        .collect();
    let expected = [1, 2].map(|attempt| format!("provision {operation} {attempt}"));
    assert_eq!(calls, expected.iter().collect::<Vec<_>>());
}

/// What waits for room is on disk as well, with its turn.
#[test]
fn what_waits_outlives_the_broker_and_keeps_its_order() {
    let mut stage = Stage::new();
    stage.does("provision", "wait");
    let operations: Vec<String> = (0..4)
        .map(|at| accepted(&stage.provision(&format!("i{at}"), "narrow")))
        .collect();
    stage.wait_for_calls("provision", 1);
    stage.broker = stage.broker.restarted();
    stage.wait_for_calls("provision", 2);
    stage.go();
    for (at, operation) in operations.iter().enumerate() {
        let path = at_instance(&format!("i{at}"));
        let over = awaited(&stage.broker, &path, operation);
        assert_eq!(over.json()["state"], "succeeded");
    }
    let lines = stage.journal();
    let begun: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("provision ")?.split(' ').next())
        .collect();
    // What its broker took with it is due again when its lease has run out: behind those that were due before.
    let (first, others): (Vec<&str>, Vec<&str>) =
        begun.iter().partition(|id| **id == operations[0]);
    assert_eq!(first.len(), 2, "{begun:?}");
    assert_eq!(others, operations[1..]);
}

#[test]
fn a_broker_that_is_asked_to_stop_gives_back_what_it_does() {
    let mut stage = Stage::with(|setup| setup.env("BROKER_OPERATIONS__LEASE", "1h"));
    stage.does("provision", "wait");
    let operation = accepted(&stage.provision("i", "async"));
    stage.wait_for_calls("provision", 1);
    stage.broker.signal("TERM");
    assert!(stage.broker.wait().success());
    stage.broker = stage.broker.restarted();
    // Had the lease not been given back, it would last an hour.
    stage.wait_for_calls("provision", 2);
    stage.go();
    let over = awaited(&stage.broker, &at_instance("i"), &operation);
    assert_eq!(over.json()["state"], "succeeded");
}

#[test]
fn finished_operations_are_forgotten_but_not_where_things_stand() {
    let stage = Stage::with(|setup| setup.env("BROKER_OPERATIONS__KEEP", "1s"));
    let operation = accepted(&stage.provision("i", "async"));
    awaited(&stage.broker, &at_instance("i"), &operation);
    stage.provision("j", "auto");
    assert_eq!(stage.delete(&at_instance("j"), "auto").status, 200);
    let until = Instant::now() + Duration::from_secs(90);
    while stage.broker.poll("j").status != 404 {
        assert!(Instant::now() < until, "never forgotten");
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(stage.poll(&at_instance("i"))["state"], "succeeded");
}

#[test]
fn a_plan_that_left_with_its_backend_touches_nothing() {
    let stage = Stage::with(|setup| setup.env("BROKER_ALLOW_BREAKING", "plan-in-use"));
    assert_eq!(stage.provision("i", "auto").status, 201);
    let catalog = fs::read_to_string(stage.broker.folder.path().join("catalog.yaml")).expect("it");
    let lines = catalog.lines().filter(|line| !line.contains("id: auto"));
    let without = lines.collect::<Vec<_>>().join("\n");
    stage.broker.folder.write("catalog.yaml", &without);
    let Stage { broker, root } = stage;
    let stage = Stage {
        broker: broker.restarted(),
        root,
    };
    refused(&stage.delete(&at_instance("i"), "auto"), 500, "BackendGone");
    assert_eq!(stage.broker.fetch("i").status, 200);
    assert_eq!(stage.calls("deprovision"), 0);
}
