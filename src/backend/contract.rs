//! The JSON that the broker and a backend of the operator's own speak: what it is told of an operation, and what it
//! answers. One contract for `command` and `webhook`, with a version; `config/backend.schema.json` is the same for
//! editors and tests.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::domain::backend::{Done, Failure, Outcome, Work};
use crate::domain::binding::Binding;
use crate::domain::instance::{Instance, InstanceDetails};
use crate::domain::offering::Chosen;
use crate::secret::Secret;

/// The version of the contract: it goes up when a backend that was written for the last one would be wrong.
pub(super) const VERSION: u32 = 1;

/// How many characters of a description are kept.
const LONGEST: usize = 1_000;

/// What a backend is told.
pub(super) fn request(work: &Work<'_>) -> Value {
    let mut request = json!({
        "contract": VERSION,
        "operation": {
            "id": work.operation.as_str(),
            "kind": work.kind.name(),
            "attempt": work.attempt,
            "started_at": work.started_at.to_string(),
        },
        "service": service(work.chosen),
        "plan": plan(work.chosen),
        "instance": instance(work.instance),
        "state": work.state(),
        "originating_identity": work.identity,
    });
    if let Some(trace) = work.trace {
        request["trace"] =
            json!({ "traceparent": trace.traceparent(), "tracestate": trace.tracestate() });
    }
    if let Some(previous) = work.previous {
        let details = previous.instance.details.expose();
        request["previous"] = json!({
            "plan_id": previous.instance.plan_id.as_str(),
            "plan_name": previous.plan_name,
            "parameters": details.parameters,
            "maintenance_info": maintenance_info(details),
        });
    }
    if let Some(bound) = work.binding {
        request["binding"] = binding(bound);
    }
    request
}

fn service(chosen: Chosen<'_>) -> Value {
    json!({ "id": chosen.offering.id.as_str(), "name": &*chosen.offering.name })
}

fn plan(chosen: Chosen<'_>) -> Value {
    json!({
        "id": chosen.plan.id.as_str(),
        "name": &*chosen.plan.name,
        "values": chosen.plan.values,
    })
}

fn instance(instance: &Instance) -> Value {
    let details = instance.details.expose();
    json!({
        "id": instance.id.as_str(),
        "organization_guid": instance.organization,
        "space_guid": instance.space,
        "parameters": details.parameters,
        "context": details.context,
        "values": details.values,
        "outputs": details.outputs,
        "maintenance_info": maintenance_info(details),
    })
}

fn maintenance_info(details: &InstanceDetails) -> Option<Value> {
    let version = details.maintenance_version.as_ref()?;
    Some(json!({ "version": version }))
}

fn binding(binding: &Binding) -> Value {
    let details = binding.details.expose();
    json!({
        "id": binding.id.as_str(),
        "app_guid": binding.app_guid,
        "bind_resource": details.bind_resource,
        "parameters": details.parameters,
        "context": details.context,
        "values": details.values,
        "outputs": details.outputs,
    })
}

/// What a backend answers; every field may be left out, and what is not known is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reply {
    /// For the platform's user.
    #[serde(deserialize_with = "sentence")]
    pub(super) description: Option<String>,
    outputs: Map<String, Value>,
    state: Option<Value>,
    instance_usable: Option<bool>,
    update_repeatable: Option<bool>,
    /// Of a webhook's 500: that it failed for good, and another attempt would too. A command says it by its exit code.
    pub(super) failed: bool,
    /// Seconds.
    pub(super) retry_after: Option<f64>,
    /// What the contract does not know.
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// How many keys of a reply that are not known are named, and how much of each.
const NAMED: usize = 5;
const LONGEST_NAME: usize = 40;

/// The beginning of what is said: the store keeps it, and a platform shows it.
fn sentence<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = Option::deserialize(input)?;
    Ok(text.map(|text| text.chars().take(LONGEST).collect()))
}

impl Reply {
    /// What to tell an operator of a reply that says it is done: where it gives nothing under `outputs` and something under
    /// keys that the broker passes over, these are likely to be a mistake. Names only, for values may be secret.
    pub(super) fn oddity(&self) -> Option<String> {
        if !self.outputs.is_empty() || self.others.is_empty() {
            return None;
        }
        let named = self.others.keys().take(NAMED);
        let named: Vec<String> = named
            .map(|key| {
                format!(
                    "`{}`",
                    key.chars()
                        .take(LONGEST_NAME)
                        .collect::<String>()
                        .escape_debug()
                )
            })
            .collect();
        let more = if self.others.len() > NAMED {
            ", ..."
        } else {
            ""
        };
        Some(format!(
            "its reply has no `outputs`, but keys that the broker passes over: {}{more}. What templates are to use goes under `outputs`",
            named.join(", ")
        ))
    }

    pub(super) fn done(self) -> Outcome {
        Outcome::Done(Done {
            outputs: Secret::new(self.outputs),
            state: self.state.map(Secret::new),
            description: self.description,
        })
    }

    pub(super) fn failed(self, otherwise: &str) -> Outcome {
        Outcome::Failed(Failure {
            description: self.description.unwrap_or_else(|| otherwise.to_owned()),
            instance_usable: self.instance_usable,
            update_repeatable: self.update_repeatable,
        })
    }

    /// Whether the same update is refused again, it says itself, or the way of its refusal.
    pub(super) fn refused(self, otherwise: &str, repeatable: bool) -> Outcome {
        Outcome::Refused(Failure {
            description: self.description.unwrap_or_else(|| otherwise.to_owned()),
            instance_usable: self.instance_usable,
            update_repeatable: self.update_repeatable.or(Some(repeatable)),
        })
    }

    pub(super) fn again(self) -> Outcome {
        Outcome::Again {
            after: self
                .retry_after
                .filter(|seconds| (0.0..=86_400.0).contains(seconds))
                .map(std::time::Duration::from_secs_f64),
            description: self.description,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oddity(reply: &Value) -> Option<String> {
        let reply: Reply = serde_json::from_value(reply.clone()).expect("a reply");
        reply.oddity()
    }

    #[test]
    fn what_is_passed_over_instead_of_outputs_is_named_without_its_values() {
        for unsuspicious in [
            json!({}),
            json!({ "outputs": {}, "state": 1, "description": "d" }),
            json!({ "outputs": { "a": 1 }, "vendor": 1 }),
        ] {
            assert_eq!(oddity(&unsuspicious), None, "{unsuspicious}");
        }
        let told = oddity(&json!({ "output": { "p": "s3cret" }, "a\n": "s3cret" })).expect("told");
        assert!(
            told.contains("`output`") && told.contains(r"`a\n`"),
            "{told}"
        );
        assert!(!told.contains("s3cret"), "{told}");
        let many: Map<String, Value> = (0..9)
            .map(|number| (format!("{number}{}", "x".repeat(99)), json!(1)))
            .collect();
        let told = oddity(&Value::Object(many)).expect("told");
        assert!(told.len() < 500 && told.contains("..."), "{told}");
    }
}
