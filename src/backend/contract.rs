//! The JSON that the broker and a backend of the operator's own speak: what it is told of an operation, and what it
//! answers. One contract for `command` and `webhook`, with a version; `config/backend.schema.json` is the same for
//! editors and tests.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::domain::backend::{Done, Failure, Outcome, Work};
use crate::domain::binding::Binding;
use crate::domain::instance::Instance;
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
        request["previous"] = json!({
            "plan_id": previous.plan_id.as_str(),
            "parameters": previous.details.expose().parameters,
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
    })
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
}

/// The beginning of what is said: the store keeps it, and a platform shows it.
fn sentence<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = Option::deserialize(input)?;
    Ok(text.map(|text| text.chars().take(LONGEST).collect()))
}

impl Reply {
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

    pub(super) fn refused(self, otherwise: &str) -> Outcome {
        Outcome::Refused(self.description.unwrap_or_else(|| otherwise.to_owned()))
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
