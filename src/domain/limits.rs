//! How much of an offering or a plan there may be.

/// What the document says of it; what is absent has no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Instances, over all.
    pub instances: Option<u64>,
    /// Instances in one organization.
    pub per_organization: Option<u64>,
    /// Instances in one space.
    pub per_space: Option<u64>,
    /// Bindings of one instance.
    pub bindings_per_instance: Option<u64>,
    /// Whom to ask for more.
    pub contact: Option<String>,
}

impl Limits {
    /// Whether instances are counted.
    pub const fn count_instances(&self) -> bool {
        self.instances.is_some() || self.per_organization.is_some() || self.per_space.is_some()
    }
}
