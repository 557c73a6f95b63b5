//! What a platform creates of a plan.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::InstanceAnswer;
use super::id::{InstanceId, PlanId, ServiceId};
use super::json::{Fingerprint, Object};
use super::operation::{Kind, LastOperation, State};
use super::time::Timestamp;
use crate::secret::Secret;

/// One instance, as a store remembers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Chosen by the platform.
    pub id: InstanceId,
    /// The offering it is of; it never changes.
    pub service_id: ServiceId,
    /// The plan it has now.
    pub plan_id: PlanId,
    /// The platform's organization.
    pub organization: String,
    /// The platform's space.
    pub space: String,
    /// Its latest operation.
    pub last_operation: LastOperation,
    /// Begins anywhere, so that no other instance of this id has had it, and goes up with every change; a change names
    /// the one it has seen.
    pub version: i64,
    /// The name of the backend that made it; nothing where none had to act.
    pub backend: Option<Arc<str>>,
    /// Of the provision as it was first asked: what a repeat is compared with.
    pub fingerprint: Fingerprint,
    /// When it was provisioned.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// All that a store keeps under lock: parameters, context, what was rendered.
    pub details: Secret<InstanceDetails>,
}

/// The confidential part of an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceDetails {
    /// The parameters in force: of the provision, with those of all updates on top.
    pub parameters: Object,
    /// The context as last known.
    pub context: Object,
    /// What `instance.values` of the plan rendered to at provision.
    pub values: Object,
    /// What the backend returned for templates.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub outputs: Object,
    /// What the backend left for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Value>,
    /// What the platform was answered.
    pub answer: InstanceAnswer,
    /// The maintenance that it has had, as a semantic version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_version: Option<String>,
    /// The version of the key that its templates derived with, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_version: Option<String>,
    /// Whether it was made elsewhere, and was taken for existing because its platform named it: its parameters and all
    /// else that its provision said are not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// Whether it has yet to be made: the provision goes on, has failed, or was cancelled by a delete that failed in its turn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unmade: bool,
    /// Plans that it had or was asked to have: a platform that timed out may still name one in a DELETE.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_plans: Vec<String>,
}

impl Instance {
    /// Whether it was never made to its end, and nothing runs that may make it.
    pub fn is_broken(&self) -> bool {
        let last = &self.last_operation;
        last.state == State::Failed
            && (last.kind == Kind::Provision || self.details.expose().unmade)
    }

    /// Whether `plan` is the plan it has or one it had.
    pub fn knows_plan(&self, plan: &PlanId) -> bool {
        self.plan_id == *plan
            || self
                .details
                .expose()
                .former_plans
                .iter()
                .any(|former| former == plan.as_str())
    }
}
