//! What a store holds a change against besides its race, in the same transaction.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::id::{InstanceId, PlanId, ServiceId};
use super::store::Act;
use super::time::Timestamp;
/// Why an act comes to nothing usable with an entry.
pub use crate::template::RenderError;

/// One condition of a change.
#[derive(Clone, Debug)]
pub enum Guard {
    /// There is room.
    AtMost(AtMost),
    /// An entry of a pool is free, and is lent to what the change makes.
    OneOf(OneOf),
}

/// A pool, as its entries are lent: never two to one holder, and none that somebody has.
#[derive(Clone, Debug)]
pub struct OneOf {
    /// Its name.
    pub pool: Arc<str>,
    /// The names of what there is to lend, in the order in which it is: what is not among them any more is not lent.
    pub entries: Arc<[Arc<str>]>,
    /// What came back by then may be lent again; nothing where nothing may.
    pub returned_by: Option<Timestamp>,
    /// Makes the change's act what it is with an entry.
    pub fill: Fill,
}

/// Makes an act what it is with the entry of that name. A store may ask more than once, and records the last.
#[derive(Clone)]
pub struct Fill(pub Arc<Filling>);

/// An act out of the name of an entry.
pub type Filling = dyn Fn(&str) -> Result<Act, RenderError> + Send + Sync;

impl fmt::Debug for Fill {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Fill")
    }
}

impl OneOf {
    /// The entry to lend, where these were ever lent, each with when it came back, if it has: the first that never was, or
    /// else the one that has rested for longest.
    pub fn choose(&self, ever_lent: &HashMap<String, Option<Timestamp>>) -> Option<&Arc<str>> {
        let entries = || self.entries.iter();
        let fresh = entries().find(|entry| !ever_lent.contains_key(&***entry));
        fresh.or_else(|| {
            let returned = entries().filter_map(|entry| {
                let at = (*ever_lent.get(&**entry)?)?;
                (at <= self.returned_by?).then_some((at, entry))
            });
            returned.min_by_key(|(at, _)| *at).map(|(_, entry)| entry)
        })
    }
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
