//! Where limits for each organization and each space are nearest: for the operator, who is asked for more.

use super::id::{PlanId, ServiceId};
use super::store::Answer;

/// Of what, and within what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullestQuery {
    /// The offering.
    pub service: ServiceId,
    /// One of its plans; nothing for all of them.
    pub plan: Option<PlanId>,
    /// What is counted in.
    pub each: Each,
    /// No more than these.
    pub most: u32,
}

/// What instances are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// An organization.
    Organization,
    /// A space.
    Space,
}

/// A store that finds them.
pub trait Fullness {
    /// The organizations or spaces with the most instances, those first that have more. Instances of which it is not known
    /// where they are do not count, as they do not against limits; those that are on their way to a plan are not there yet.
    fn fullest(&self, query: FullestQuery) -> Answer<'_, Vec<(String, u64)>>;
}
