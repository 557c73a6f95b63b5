//! Every row of the specification's tables for operations that take time, and where rows 10 and 14 stand in the order of
//! checks. What the operations come to is in `acting.rs`.

use serde_json::{Value, json};

use crate::acting::{Stage, refused};
use crate::documents::{bind_of, provision_of};
use crate::harness::{at_binding, at_instance, with};
use crate::http::Response;
use crate::later::{accepted, accepting, awaited};

/// Sends without `accepts_incomplete`.
fn plainly(stage: &Stage, method: &str, path: &str, body: Option<Value>) -> Response {
    let request = stage.broker.request(method, path);
    stage.broker.send(&match body {
        Some(body) => request.json(&body),
        None => request,
    })
}

fn named(path: &str, plan: &str) -> String {
    format!("{path}?service_id=acting&plan_id={plan}")
}

fn done(stage: &Stage, path: &str, response: &Response) {
    let over = awaited(&stage.broker, path, &accepted(response));
    assert!(
        over.status == 410 || over.json()["state"] == "succeeded",
        "{}",
        over.text()
    );
}

fn made(stage: &Stage, instance: &str, plan: &str) {
    let response = stage.provision(instance, plan);
    done(stage, &at_instance(instance), &response);
}

/// "Provisioning", "Fetching a Service Instance", "Deprovisioning", "Polling Last Operation for Service Instances".
#[test]
fn an_instance_is_made_and_goes_by_the_tables() {
    let stage = Stage::new();
    let (path, broker) = (at_instance("i"), &stage.broker);
    // 404: never there. 410: deleted, or never there.
    refused(&broker.poll("i"), 404, "OperationNotFound");
    refused(&stage.delete(&path, "async"), 410, "Gone");
    // 400 and 422 before anything is done.
    let body = provision_of("acting", "async");
    let nameless = with(body.clone(), "space_guid", Value::Null);
    refused(
        &broker.put(&accepting(&path), &nameless),
        400,
        "InvalidField",
    );
    refused(
        &plainly(&stage, "PUT", &path, Some(body.clone())),
        422,
        "AsyncRequired",
    );
    let outdated = json!({ "version": "0.9.0" });
    let strict = with(
        provision_of("acting", "strict"),
        "maintenance_info",
        outdated,
    );
    refused(
        &broker.put(&accepting(&path), &strict),
        422,
        "MaintenanceInfoConflict",
    );
    refused(&broker.poll("i"), 404, "OperationNotFound");

    // 202, and while it runs: the same for a repeat, 409 for another, 404 for a fetch.
    stage.does("provision", "wait");
    let first = accepted(&stage.provision("i", "async"));
    assert_eq!(accepted(&stage.provision("i", "async")), first);
    let reordered = with(body.clone(), "context", json!({ "platform": "x" }));
    assert_eq!(
        accepted(&broker.put(&accepting(&path), &reordered)),
        first,
        "context may change"
    );
    for (key, value) in [
        ("organization_guid", json!("other")),
        ("parameters", json!({ "a": 1 })),
        ("plan_id", json!("auto")),
    ] {
        let other = with(body.clone(), key, value);
        refused(
            &broker.put(&accepting(&path), &other),
            409,
            "InstanceConflict",
        );
    }
    refused(&broker.fetch("i"), 404, "InstanceNotFound");
    assert_eq!(stage.poll(&path)["state"], "in progress");
    refused(
        &broker.get(&format!("{path}/last_operation?operation=a&operation=b")),
        400,
        "InvalidQuery",
    );
    stage.go();
    assert_eq!(awaited(broker, &path, &first).json()["state"], "succeeded");
    assert_eq!(
        stage.provision("i", "async").status,
        200,
        "200 when it is fully there"
    );
    assert_eq!(broker.fetch("i").status, 200);

    // DELETE: 400 and 422, then 202, the same for a repeat, 404 for a fetch, 410 for the poll and for one more.
    stage.halt();
    stage.does("deprovision", "wait");
    refused(&stage.delete(&path, "auto"), 400, "PlanMismatch");
    refused(
        &broker.delete(&format!("{path}?service_id=acting")),
        400,
        "InvalidQuery",
    );
    refused(
        &plainly(&stage, "DELETE", &named(&path, "async"), None),
        422,
        "AsyncRequired",
    );
    let gone = accepted(&stage.delete(&path, "async"));
    assert_eq!(accepted(&stage.delete(&path, "async")), gone);
    refused(&broker.fetch("i"), 404, "InstanceNotFound");
    refused(
        &stage.update(&json!({ "parameters": {} })),
        422,
        "ConcurrencyError",
    );
    refused(&stage.bind("b", "async"), 422, "ConcurrencyError");
    refused(&stage.provision("i", "async"), 422, "ConcurrencyError");
    assert_eq!(stage.poll(&path)["state"], "in progress");
    stage.go();
    assert_eq!(awaited(broker, &path, &gone).status, 410);
    assert_eq!(broker.poll("i").status, 410);
    refused(&stage.delete(&path, "async"), 410, "Gone");
    assert_eq!(
        (stage.calls("provision"), stage.calls("deprovision")),
        (1, 1)
    );
}

/// "Updating a Service Instance".
#[test]
fn an_instance_is_changed_by_the_table() {
    let stage = Stage::new();
    let (path, broker) = (at_instance("i"), &stage.broker);
    made(&stage, "i", "async");
    let change = json!({ "service_id": "acting", "parameters": { "a": 1 } });
    refused(
        &plainly(&stage, "PATCH", &path, Some(change.clone())),
        422,
        "AsyncRequired",
    );
    refused(
        &broker.patch(&accepting(&path), &json!({})),
        400,
        "InvalidField",
    );
    let elsewhere = with(change.clone(), "plan_id", json!("nowhere"));
    refused(
        &broker.patch(&accepting(&path), &elsewhere),
        400,
        "PlanNotInCatalog",
    );
    let outdated = with(
        change.clone(),
        "maintenance_info",
        json!({ "version": "1.0.0" }),
    );
    refused(
        &broker.patch(&accepting(&path), &outdated),
        422,
        "MaintenanceInfoConflict",
    );

    stage.does("update", "wait");
    let first = accepted(&broker.patch(&accepting(&path), &change));
    assert_eq!(accepted(&broker.patch(&accepting(&path), &change)), first);
    let other = with(change.clone(), "parameters", json!({ "a": 2 }));
    refused(
        &broker.patch(&accepting(&path), &other),
        422,
        "ConcurrencyError",
    );
    refused(&broker.fetch("i"), 422, "ConcurrencyError");
    refused(&stage.delete(&path, "async"), 422, "ConcurrencyError");
    stage.go();
    assert_eq!(awaited(broker, &path, &first).json()["state"], "succeeded");
    assert_eq!(broker.fetch("i").json()["parameters"], json!({ "a": 1 }));
    // What changes nothing may be 200 or be carried out: it is an operation like any other.
    done(&stage, &path, &broker.patch(&accepting(&path), &change));

    made(&stage, "s", "strict");
    let move_on = json!({ "service_id": "acting", "plan_id": "async" });
    refused(
        &broker.patch(&accepting(&at_instance("s")), &move_on),
        422,
        "PlanChangeNotSupported",
    );
}

/// "Creating a Service Binding", "Fetching", "Unbinding", "Polling Last Operation for Service Bindings".
#[test]
fn a_binding_is_made_and_goes_by_the_tables() {
    let stage = Stage::new();
    let (path, broker) = (at_binding("i", "b"), &stage.broker);
    made(&stage, "i", "async");
    made(&stage, "s", "strict");
    refused(&broker.poll_binding("i", "b"), 404, "OperationNotFound");
    refused(&stage.delete(&path, "async"), 410, "Gone");
    let body = bind_of("acting", "async");
    refused(
        &plainly(&stage, "PUT", &path, Some(body.clone())),
        422,
        "AsyncRequired",
    );
    refused(
        &broker.put(
            &accepting(&path),
            &with(body.clone(), "plan_id", Value::Null),
        ),
        400,
        "InvalidField",
    );
    let at_strict = accepting(&at_binding("s", "b"));
    refused(
        &broker.put(
            &at_strict,
            &json!({ "service_id": "acting", "plan_id": "strict" }),
        ),
        422,
        "RequiresApp",
    );
    refused(&broker.poll_binding("i", "b"), 404, "OperationNotFound");

    stage.does("bind", "wait");
    let first = accepted(&stage.bind("b", "async"));
    assert_eq!(accepted(&stage.bind("b", "async")), first);
    for (key, value) in [
        ("parameters", json!({ "a": 1 })),
        ("bind_resource", json!({ "app_guid": "another" })),
    ] {
        let other = with(body.clone(), key, value);
        refused(
            &broker.put(&accepting(&path), &other),
            409,
            "BindingConflict",
        );
    }
    refused(&broker.fetch_binding("i", "b"), 404, "BindingNotFound");
    assert_eq!(broker.poll_binding("i", "b").json()["state"], "in progress");
    // What runs on a binding keeps its instance as it is, and lets other bindings run beside it.
    refused(
        &stage.update(&json!({ "parameters": { "a": 1 } })),
        422,
        "ConcurrencyError",
    );
    refused(
        &stage.delete(&at_instance("i"), "async"),
        422,
        "ConcurrencyError",
    );
    let beside = accepted(&stage.bind("c", "async"));
    stage.go();
    assert_eq!(awaited(broker, &path, &first).json()["state"], "succeeded");
    assert_eq!(
        awaited(broker, &at_binding("i", "c"), &beside).json()["state"],
        "succeeded"
    );
    let again = stage.bind("b", "async");
    assert_eq!(again.status, 200);
    assert_eq!(
        broker.fetch_binding("i", "b").json()["credentials"],
        again.json()["credentials"]
    );

    stage.halt();
    stage.does("unbind", "wait");
    refused(&stage.delete(&path, "auto"), 400, "PlanMismatch");
    refused(
        &plainly(&stage, "DELETE", &named(&path, "async"), None),
        422,
        "AsyncRequired",
    );
    let gone = accepted(&stage.delete(&path, "async"));
    assert_eq!(accepted(&stage.delete(&path, "async")), gone);
    refused(&broker.fetch_binding("i", "b"), 404, "BindingNotFound");
    refused(&stage.bind("b", "async"), 422, "ConcurrencyError");
    assert_eq!(broker.poll_binding("i", "b").json()["state"], "in progress");
    stage.go();
    assert_eq!(awaited(broker, &path, &gone).status, 410);
    refused(&stage.delete(&path, "async"), 410, "Gone");

    // A binding is not taken away while its instance changes.
    stage.halt();
    stage.does("update", "wait");
    accepted(&stage.update(&json!({ "parameters": { "a": 1 } })));
    refused(
        &stage.delete(&at_binding("i", "c"), "async"),
        422,
        "ConcurrencyError",
    );
    stage.go();
}

/// An update with these fields.
fn update(fields: &Value) -> Value {
    let fields = fields.as_object().expect("a map").iter();
    fields.fold(json!({ "service_id": "acting" }), |body, (key, value)| {
        with(body, key, value.clone())
    })
}

/// Of two mistakes the earlier is answered; that the platform takes no 202 (14) is the last.
#[test]
fn that_no_202_is_taken_is_said_last() {
    let stage = Stage::new();
    let path = at_instance("s");
    let unfit = json!({ "size": "large" });
    // 14 is the last: not before 5, 6, 7, 8, 9, 11, 12, 13.
    let provision = provision_of("acting", "strict");
    let with_both = |key: &str, value: Value| with(provision.clone(), key, value);
    for (body, word, status) in [
        (with_both("space_guid", Value::Null), "InvalidField", 400),
        (
            with_both("plan_id", json!("nowhere")),
            "PlanNotInCatalog",
            400,
        ),
        (
            with_both("maintenance_info", json!({ "version": "2.0.0" })),
            "MaintenanceInfoConflict",
            422,
        ),
        (
            with_both("parameters", unfit.clone()),
            "ParametersInvalid",
            400,
        ),
        (provision.clone(), "AsyncRequired", 422),
    ] {
        refused(&plainly(&stage, "PUT", &path, Some(body)), status, word);
    }
    refused(
        &plainly(&stage, "DELETE", &named(&path, "strict"), None),
        410,
        "Gone",
    );
    made(&stage, "s", "strict");
    let other = with_both("space_guid", json!("other"));
    refused(
        &plainly(&stage, "PUT", &path, Some(other)),
        409,
        "InstanceConflict",
    );
    refused(
        &plainly(&stage, "DELETE", &named(&path, "auto"), None),
        400,
        "PlanMismatch",
    );
    for (body, word, status) in [
        (
            update(&json!({ "parameters": unfit, "maintenance_info": { "version": "2.0.0" } })),
            "MaintenanceInfoConflict",
            422,
        ),
        (
            update(&json!({ "plan_id": "async", "parameters": unfit })),
            "PlanChangeNotSupported",
            422,
        ),
        (
            update(&json!({ "parameters": unfit })),
            "ParametersInvalid",
            400,
        ),
        (
            update(&json!({ "parameters": { "size": 1 } })),
            "AsyncRequired",
            422,
        ),
    ] {
        refused(&plainly(&stage, "PATCH", &path, Some(body)), status, word);
    }
    let at = at_binding("s", "b");
    let bind = bind_of("acting", "strict");
    refused(
        &plainly(
            &stage,
            "PUT",
            &at,
            Some(with(bind.clone(), "parameters", unfit.clone())),
        ),
        400,
        "ParametersInvalid",
    );
    refused(
        &plainly(&stage, "PUT", &at, Some(bind.clone())),
        422,
        "AsyncRequired",
    );
}

/// That something else runs (10) is said before 11, 12, 13 and 14, and behind 9.
#[test]
fn that_something_runs_is_said_in_its_turn() {
    let stage = Stage::new();
    let path = at_instance("s");
    let unfit = json!({ "size": "large" });
    made(&stage, "s", "strict");
    let at = at_binding("s", "b");
    let bind = bind_of("acting", "strict");
    stage.does("update", "wait");
    let change = update(&json!({ "parameters": { "size": 1 } }));
    let running = accepted(&stage.broker.patch(&accepting(&path), &change));
    for body in [
        update(&json!({ "maintenance_info": { "version": "2.0.0" } })),
        update(&json!({ "plan_id": "async" })),
        update(&json!({ "parameters": unfit })),
        update(&json!({ "parameters": { "size": 2 } })),
    ] {
        refused(
            &plainly(&stage, "PATCH", &path, Some(body)),
            422,
            "ConcurrencyError",
        );
    }
    refused(
        &plainly(&stage, "DELETE", &named(&path, "strict"), None),
        422,
        "ConcurrencyError",
    );
    refused(
        &plainly(&stage, "DELETE", &named(&path, "auto"), None),
        400,
        "PlanMismatch",
    );
    let strange = with(bind.clone(), "plan_id", json!("auto"));
    refused(
        &plainly(&stage, "PUT", &at, Some(strange)),
        400,
        "PlanMismatch",
    );
    refused(
        &plainly(&stage, "PUT", &at, Some(with(bind, "parameters", unfit))),
        422,
        "ConcurrencyError",
    );
    stage.go();
    assert_eq!(
        awaited(&stage.broker, &path, &running).json()["state"],
        "succeeded"
    );
}
