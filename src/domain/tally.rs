//! How much there is, for who watches the broker while it serves: asked of a store again and again, so in two parts by what
//! they cost.

use std::sync::Arc;

use super::id::{PlanId, ServiceId};
use super::ledger::PlanCount;
use super::operation::Kind;
use super::time::Timestamp;

/// What changes from minute to minute. Indexes tell it, however many rows there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnderWay {
    /// Operations in progress.
    pub operations: Vec<Running>,
    /// Entries of pools that were ever lent.
    pub lendings: Vec<Lending>,
}

/// The operations in progress of one kind, on instances and bindings of one plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// What they do.
    pub kind: Kind,
    /// The offering.
    pub service_id: ServiceId,
    /// The plan that the instance has.
    pub plan_id: PlanId,
    /// How many.
    pub count: u64,
    /// When the first of them was recorded.
    pub oldest: Timestamp,
}

/// An entry of a pool that is lent, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lending {
    /// The pool.
    pub pool: Arc<str>,
    /// The entry.
    pub entry: Arc<str>,
    /// When it came back; nothing while somebody has it.
    pub returned_at: Option<Timestamp>,
}

/// What there is of each plan. To tell it, a store may have to look at every row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// Instances.
    pub instances: Vec<PlanCount>,
    /// Bindings.
    pub bindings: Vec<PlanCount>,
}
