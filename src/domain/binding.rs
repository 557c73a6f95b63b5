//! What a platform creates of an instance.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::BindingAnswer;
use super::expiry::Ends;
use super::id::{BindingId, InstanceId, PlanId, ServiceId};
use super::json::{Fingerprint, Object};
use super::operation::{Kind, LastOperation, State};
use super::time::Timestamp;
use crate::secret::Secret;

/// One binding, as a store remembers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The instance it is of.
    pub instance_id: InstanceId,
    /// Chosen by the platform, unique within the instance.
    pub id: BindingId,
    /// The offering, as the bind named it.
    pub service_id: ServiceId,
    /// The plan that the instance had then.
    pub plan_id: PlanId,
    /// The application, where it is for one.
    pub app_guid: Option<String>,
    /// Its latest operation.
    pub last_operation: LastOperation,
    /// Of the bind as it was asked.
    pub fingerprint: Fingerprint,
    /// When it was bound.
    pub created_at: Timestamp,
    /// All that a store keeps under lock.
    pub details: Secret<BindingDetails>,
}

/// The confidential part of a binding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BindingDetails {
    /// The parameters of the bind.
    pub parameters: Object,
    /// The context of the bind.
    pub context: Object,
    /// What it is for, as the platform sent it.
    pub bind_resource: Object,
    /// What `binding.values` of the plan rendered to.
    pub values: Object,
    /// What the backend returned for templates.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub outputs: Object,
    /// What the backend left for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Value>,
    /// What the platform was answered: every repeat and fetch returns the same.
    pub answer: BindingAnswer,
    /// Whether it has yet to be made: the bind goes on, has failed, or was cancelled by a delete that failed in its turn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unmade: bool,
    /// The version of the key that its templates derived with, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_version: Option<String>,
    /// When it ends, where its plan said so at the begin of its bind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Ends>,
    /// The binding that it succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<String>,
}

impl Binding {
    /// When it ends, in milliseconds, and whether its platform was told: what a store keeps in the clear of it.
    pub fn ends_ms(&self) -> (Option<i64>, bool) {
        let ends = self.details.expose().ends;
        (
            ends.map(|ends| ends.expires_at.0),
            ends.is_some_and(|ends| ends.told),
        )
    }

    /// Whether it was never made to its end, and nothing runs that may make it.
    pub fn is_broken(&self) -> bool {
        let last = &self.last_operation;
        last.state == State::Failed && (last.kind == Kind::Bind || self.details.expose().unmade)
    }
}
