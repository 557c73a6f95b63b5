//! `plan-in-use`: a plan whose backend acts does not leave the catalog while there are instances of it, for nothing else
//! can take them away.

use super::StartError;
use crate::domain::catalog::Catalog;
use crate::domain::store::{PlanInUse, Store};
use crate::settings::Breaking;

/// What an operator can do about it.
pub(super) const WAY_OUT: &str = "Put them back: with `offered: false` a plan is hidden from platforms and still takes its \
    instances away, with its backend. To start without them all the same: \
    --allow-breaking plan-in-use. Then unbind and deprovision of these instances fail and touch nothing, and \
    `catalog-broker instances forget` drops them";

/// Refuses a catalog that lacks plans in use, unless that is allowed: then the log has it.
pub(super) async fn stay(
    catalog: &Catalog,
    store: &dyn Store,
    allowed: &[Breaking],
) -> Result<(), StartError> {
    let used = store.plans_in_use().await.map_err(StartError::Look)?;
    let lacking = catalog.lacks(used);
    if lacking.is_empty() {
        return Ok(());
    }
    if !allowed.contains(&Breaking::PlanInUse) {
        return Err(StartError::PlansInUse(lacking));
    }
    for plan in &lacking {
        log::warn!("{} (allowed)", in_use(plan));
    }
    Ok(())
}

/// Lets the store get ready for limits, where there are any: no request waits for that.
pub(super) async fn are_counted(catalog: &Catalog, store: &dyn Store) -> Result<(), StartError> {
    if !catalog.counts_instances() {
        return Ok(());
    }
    store.ready_to_count().await.map_err(StartError::Look)
}

/// One of them, in a sentence.
pub(super) fn in_use(plan: &PlanInUse) -> String {
    format!(
        "plan-in-use: the plan `{}` of the service `{}` has left the catalog, and with it the backend that alone can take \
         away what is left of it: {} of {}",
        plan.plan_id,
        plan.service_id,
        counted(plan.instances, "service instance"),
        counted(plan.organizations, "organization"),
    )
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
