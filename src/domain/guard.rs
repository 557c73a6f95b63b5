//! What a store holds a change against besides its race, in the same transaction.

use super::id::{InstanceId, PlanId, ServiceId};

/// One condition of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// There is room.
    AtMost(AtMost),
}

/// No more than so many of a scope, besides what the change is about. All that is there counts: what is in progress, what
/// failed to be made, and what is on its way there from another plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtMost {
    /// What is counted.
    pub scope: Scope,
    /// How many others there may be.
    pub others: u64,
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Instances.
    Instances {
        /// Of this offering.
        service_id: ServiceId,
        /// Of this plan; of all of the offering's, where none is named.
        plan_id: Option<PlanId>,
        /// Where.
        within: Within,
    },
    /// The bindings of an instance.
    Bindings(InstanceId),
}

/// Where instances are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Within {
    /// Everywhere.
    Everywhere,
    /// In this organization.
    Organization(String),
    /// In this space.
    Space(String),
}
