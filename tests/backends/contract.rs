//! `config/backend.schema.json` says what programs are really told, and which of their replies are really taken.

use std::fs;

use catalog_broker::domain::id::PlanId;
use catalog_broker::domain::instance::{Instance, InstanceDetails};
use catalog_broker::domain::operation::Kind;
use catalog_broker::domain::trace::Trace;
use catalog_broker::secret::Secret;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::stage::{Stage, ours, told};

/// The schema of the request or of the reply, by itself.
fn schema(name: &str) -> Value {
    let text = fs::read_to_string(ours("config/backend.schema.json")).expect("the schema");
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    whole["$defs"][name].clone()
}

fn validator(name: &str) -> Validator {
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema(name)).expect("a schema")
}

/// What a program is told of an operation of that kind.
fn request(stage: &Stage, kind: Kind) -> Value {
    stage.attempt(kind, stage.shell("cat > $T/request"));
    let text = fs::read_to_string(stage.path("request")).expect("a request");
    assert!(!text.contains('\n'), "it is one line");
    serde_json::from_str(&text).expect("JSON")
}

/// A stage with an update on it.
fn updating() -> Stage {
    let mut stage = Stage::new();
    let with = |version: &str, instance: &Instance| {
        let mut details = instance.details.expose().clone();
        details.maintenance_version = Some(version.to_owned());
        Instance {
            details: Secret::new(details),
            ..instance.clone()
        }
    };
    stage.previous = Some(with("1.0.0", &stage.instance));
    stage.instance = with("1.1.0", &stage.instance);
    stage.instance.plan_id = PlanId::parse("q").expect("an id");
    stage
}

/// What is said of the trace is only there where there is one.
#[test]
fn a_trace_fits_its_schema() {
    let validator = validator("request");
    let mut stage = Stage::new();
    for state in [None, Some("a=1".to_owned())] {
        let trace = Trace::new("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", true);
        stage.trace = trace.map(|trace| trace.with_state(state.clone()));
        let mut request = request(&stage, Kind::Bind);
        assert!(validator.is_valid(&request), "{request}");
        assert_eq!(request["trace"]["tracestate"], json!(state));
        request["trace"]["traceparent"] = json!("00-1-2-01");
        assert!(!validator.is_valid(&request), "{request}");
    }
    stage.trace = None;
    assert_eq!(request(&stage, Kind::Bind).get("trace"), None);
}

/// An update sees what was and what is to be.
#[test]
fn an_update_is_told_what_was_before() {
    let stage = updating();
    let request = request(&stage, Kind::Update);
    assert_eq!(
        request["previous"],
        json!({
            "plan_id": "p", "plan_name": "before", "maintenance_info": { "version": "1.0.0" },
            "parameters": request["instance"]["parameters"],
        })
    );
    assert_eq!(
        (
            &request["plan"]["id"],
            &request["instance"]["maintenance_info"]
        ),
        (&json!("q"), &json!({ "version": "1.1.0" }))
    );
}

#[test]
fn every_request_fits_its_schema() {
    let (validator, schema) = (validator("request"), schema("request"));
    for kind in Kind::ALL {
        let stage = if kind == Kind::Update {
            updating()
        } else {
            Stage::new()
        };
        let request = request(&stage, kind);
        let wrong: Vec<String> = validator
            .iter_errors(&request)
            .map(|error| error.to_string())
            .collect();
        assert!(wrong.is_empty(), "{kind}: {wrong:#?}");
        let mut unknown = Vec::new();
        undocumented(&schema, &request, &mut unknown);
        assert!(unknown.is_empty(), "{kind}: not in the schema: {unknown:?}");
        assert_eq!(request.get("previous").is_some(), kind == Kind::Update);
        let bound = matches!(kind, Kind::Bind | Kind::Unbind);
        assert_eq!(request.get("binding").is_some(), bound);
    }
}

/// Fields that the schema does not name, as far as it names any.
fn undocumented(schema: &Value, value: &Value, unknown: &mut Vec<String>) {
    let (Some(named), Some(fields)) = (schema["properties"].as_object(), value.as_object()) else {
        return;
    };
    for (name, field) in fields {
        match named.get(name) {
            Some(schema) => undocumented(schema, field, unknown),
            None => unknown.push(name.clone()),
        }
    }
}

#[test]
fn the_schema_refuses_what_is_no_request() {
    let validator = validator("request");
    let good = request(&updating(), Kind::Update);
    assert!(validator.is_valid(&good));
    for (pointer, wrong) in [
        ("/contract", json!(2)),
        ("/operation/kind", json!("rebind")),
        ("/operation/attempt", json!(0)),
        ("/operation/id", json!("x")),
        ("/operation/started_at", json!("yesterday")),
        ("/instance", json!(null)),
        ("/instance/parameters", json!([])),
        ("/previous", json!({})),
        ("/previous/maintenance_info", json!("1.0.0")),
        ("/instance/maintenance_info", json!({})),
        ("/originating_identity", json!({})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect(pointer) = wrong;
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
    let mut bad = good;
    let fields = bad.as_object_mut().expect("an object");
    fields.remove("operation");
    assert!(!validator.is_valid(&bad));
}

#[test]
fn the_schema_takes_the_replies_that_the_broker_takes() {
    let validator = validator("reply");
    let stage = Stage::new();
    for (reply, good) in [
        (json!({}), true),
        (
            json!({"description": "d", "outputs": {"a": [1]}, "state": 5}),
            true,
        ),
        (
            json!({"description": null, "state": null, "retry_after": null}),
            true,
        ),
        (
            json!({"instance_usable": false, "update_repeatable": null}),
            true,
        ),
        (json!({"retry_after": 0.5, "vendor": true}), true),
        (json!(null), false),
        (json!("done"), false),
        (json!([]), false),
        (json!({"description": 5}), false),
        (json!({"outputs": null}), false),
        (json!({"outputs": []}), false),
        (json!({"instance_usable": "yes"}), false),
        (json!({"update_repeatable": 1}), false),
        (json!({"retry_after": "5"}), false),
    ] {
        assert_eq!(validator.is_valid(&reply), good, "the schema on {reply}");
        let script = format!("printf '%s' '{reply}'");
        let (word, _) = told(stage.attempt(Kind::Provision, stage.shell(&script)));
        assert_eq!(word == "done", good, "the broker on {reply}");
    }
    // The broker waits as it sees fit then.
    for strange in [json!({"retry_after": -1}), json!({"retry_after": 1e9})] {
        assert!(!validator.is_valid(&strange));
    }
}

#[test]
fn nobody_asked_and_nothing_was_left_fits_too() {
    let mut stage = Stage::new();
    stage.identity = None;
    stage.instance.details = InstanceDetails::default().into();
    let request = request(&stage, Kind::Provision);
    assert_eq!(request["originating_identity"], Value::Null);
    assert_eq!(request["state"], Value::Null);
    assert!(validator("request").is_valid(&request));
}
