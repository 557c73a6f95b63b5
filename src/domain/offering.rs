//! What is offered: one entry of `services`, one entry of its `plans`, as used.

use std::fmt;
use std::sync::Arc;

use semver::Version;
use serde_json::Value;

use super::answer::{BindingTemplate, InstanceTemplate};
use super::backend::Backend;
use super::id::{PlanId, ServiceId};
use super::json::Object;
use super::lifecycle::Lifecycle;
use super::limits::Limits;
use super::respond::Responding;
use super::schema::Schema;
use super::time::Timestamp;
use crate::secret::Secret;
use crate::template::Keys;

/// A service offering (specification, "Service Offering Object") and what is private to it.
pub struct Offering {
    /// Names it in requests.
    pub id: ServiceId,
    /// Names it for people.
    pub name: Arc<str>,
    /// One sentence.
    pub description: String,
    /// The default of `bindable` for its plans.
    pub bindable: bool,
    /// The default of `plan_updateable` for its plans, where it is declared.
    pub plan_updateable: Option<bool>,
    /// Classification.
    pub tags: Option<Vec<String>>,
    /// Permissions that a bind of it needs.
    pub requires: Option<Vec<String>>,
    /// Whether instances can be fetched, where it is declared.
    pub instances_retrievable: Option<bool>,
    /// Whether bindings can be fetched, where it is declared.
    pub bindings_retrievable: Option<bool>,
    /// Whether a platform may send an update of context alone, where it is declared.
    pub allow_context_updates: Option<bool>,
    /// For people and their tools.
    pub metadata: Option<Object>,
    /// Cloud Foundry's single sign-on (profile, "Dashboard Client Object"): it holds a secret that the catalog publishes.
    pub dashboard_client: Option<Object>,
    /// Vendor fields, published flat.
    pub extensions: Object,
    /// Private: how much there may be of all its plans together.
    pub limits: Limits,
    /// At least one.
    pub plans: Vec<Arc<Plan>>,
}

/// A service plan (specification, "Service Plan Object") and what is private to it.
pub struct Plan {
    /// Names it in requests.
    pub id: PlanId,
    /// Names it for people, within its offering.
    pub name: Arc<str>,
    /// One sentence.
    pub description: String,
    /// Whether it costs nothing, where it is declared.
    pub free: Option<bool>,
    /// Wins over the offering's.
    pub bindable: Option<bool>,
    /// Whether a binding may have a successor, where it is declared.
    pub binding_rotatable: Option<bool>,
    /// Wins over the offering's.
    pub plan_updateable: Option<bool>,
    /// What parameters may be.
    pub schemas: Schemas,
    /// How long a platform polls, in seconds.
    pub maximum_polling_duration: Option<u64>,
    /// What a maintenance would bring.
    pub maintenance_info: Option<MaintenanceInfo>,
    /// For people and their tools.
    pub metadata: Option<Object>,
    /// Vendor fields, published flat.
    pub extensions: Object,
    /// Private: constants for templates.
    pub values: Value,
    /// Private: what a provision returns.
    pub instance: InstanceTemplate,
    /// Private: what a bind returns.
    pub binding: BindingTemplate,
    /// Private: what carries its operations out.
    pub backend: Arc<dyn Backend>,
    /// Private: how it answers while that works.
    pub responding: Responding,
    /// Private: whether what a platform names and the store does not know counts as existing.
    pub adopt: Adopt,
    /// Private: how much there may be of it.
    pub limits: Limits,
    /// Private, but for what is told of it: how far its life is.
    pub lifecycle: Lifecycle,
    /// Private: the names of the plans that an instance may move to, where not to all of its offering.
    pub updates_to: Option<Vec<String>>,
    /// Private: what its templates derive credentials of, where they do.
    pub keys: Option<Arc<Keys>>,
}

/// Whether what a platform names and the store does not know counts as existing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adopt {
    /// It does not.
    #[default]
    Never,
    /// It does.
    Always,
    /// It does before this moment.
    Until(Timestamp),
}

impl Adopt {
    /// Whether it does now.
    pub fn at(self, now: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Until(end) => now < end,
        }
    }
}

/// The schemas of a plan; `published` is what the document says, whole.
#[derive(Debug, Default)]
pub struct Schemas {
    /// `schemas` as it is published.
    pub published: Option<Value>,
    /// For provision, and for the whole of an update's result.
    pub instance_create: Option<Schema>,
    /// For what an update sends.
    pub instance_update: Option<Schema>,
    /// For bind.
    pub binding_create: Option<Schema>,
}

/// Specification, "Maintenance Info Object".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceInfo {
    /// A semantic version.
    pub version: Version,
    /// What it would bring.
    pub description: Option<String>,
}

/// A plan together with its offering: what a request chooses.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// The offering.
    pub offering: &'a Offering,
    /// One of its plans.
    pub plan: &'a Plan,
}

// What is published can be read in the catalog; what may be a secret is masked.
impl fmt::Debug for Offering {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Offering")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("dashboard_client", &Secret::new(&self.dashboard_client))
            .field("plans", &self.plans)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Plan")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("values", &Secret::new(&self.values))
            .field("instance", &Secret::new(&self.instance))
            .field("binding", &Secret::new(&self.binding))
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

impl Chosen<'_> {
    /// Whether its instances can be bound.
    pub fn bindable(&self) -> bool {
        self.plan.bindable.unwrap_or(self.offering.bindable)
    }

    /// Whether an instance of it may move to another plan.
    pub fn updateable(&self) -> bool {
        self.plan
            .plan_updateable
            .or(self.offering.plan_updateable)
            .unwrap_or(false)
    }

    /// The plans that an instance of it may move to.
    pub fn moves(&self) -> impl Iterator<Item = &Plan> {
        let others = self.offering.plans.iter().map(|plan| &**plan);
        others.filter(|plan| plan.id != self.plan.id && self.may_move_to(plan))
    }

    /// Whether an instance of it may move to that plan of its offering.
    pub fn may_move_to(&self, plan: &Plan) -> bool {
        let named = |names: &Vec<String>| names.iter().any(|name| **name == *plan.name);
        self.updateable() && self.plan.updates_to.as_ref().is_none_or(named)
    }

    /// Whether a binding may have a successor.
    pub fn rotatable(&self) -> bool {
        self.plan.binding_rotatable.unwrap_or(false)
    }
}
