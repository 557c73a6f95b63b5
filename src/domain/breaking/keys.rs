//! Keys that credentials are derived of: whether those are still there that live bindings rest on. Each binding has the
//! version of its key with it, and so has each instance.
//!
//! A plan that derives nothing any more breaks nothing by that: what was bound keeps what it got.

use std::collections::{BTreeMap, BTreeSet};

use super::served::{ServedPlan, ServedService};
use super::{Hits, PAGE};
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::ledger::{BindingQuery, InstanceQuery, Ledger};
use crate::domain::offering::Plan;
use crate::domain::store::{Lookup, StoreError};
use crate::template::Tree;

/// The versions of a plan's keys, each with what tells it from another one of that name, and nothing of it.
pub(super) fn of(plan: &Plan) -> BTreeMap<String, String> {
    let keys = plan.keys.iter().flat_map(|keys| {
        let versions = keys.versions();
        versions.filter_map(|version| Some((version.to_owned(), keys.get(version)?.mark())))
    });
    keys.collect()
}

/// Whether what an instance is answered is derived anew with each update, with the version that it began with.
pub(super) fn derives_for_instances(plan: &Plan) -> bool {
    let trees = [&plan.instance.dashboard_url, &plan.instance.metadata];
    trees
        .into_iter()
        .flatten()
        .flat_map(Tree::functions)
        .any(crate::template::Function::derives)
}

/// The versions that are gone, or whose key is another one.
pub(super) fn gone<'p>(old: &'p ServedPlan, new: &ServedPlan) -> Vec<&'p str> {
    if new.keys.is_empty() {
        return Vec::new();
    }
    let gone = old
        .keys
        .iter()
        .filter(|(version, mark)| new.keys.get(*version) != Some(mark));
    gone.map(|(version, _)| &**version).collect()
}

/// The instances that rest on these versions, with a binding or by themselves.
pub(super) async fn hit(
    (service, old): (&ServedService, &ServedPlan),
    new: &ServedPlan,
    ledger: &dyn Ledger,
) -> Result<Hits, StoreError> {
    let gone = gone(old, new);
    let is_gone =
        |version: Option<&String>| version.is_some_and(|version| gone.contains(&&**version));
    let (service, plan) = (
        ServiceId::parse(&service.id).ok(),
        PlanId::parse(&old.id).ok(),
    );
    let (mut hits, mut known) = (Hits::default(), BTreeSet::new());
    let mut query = BindingQuery {
        service: service.clone(),
        plan: plan.clone(),
        most: PAGE,
        ..BindingQuery::default()
    };
    loop {
        let page = ledger.list_bindings(query.clone()).await?;
        for (instance, binding) in &page {
            let version = binding.details.expose().key_version.as_ref();
            if is_gone(version) && known.insert(instance.id.clone()) {
                hits.add(&instance.organization, 1);
            }
        }
        match page.last() {
            Some((instance, binding)) if page.len() >= PAGE as usize => {
                query.after = Some((binding.created_at, instance.id.clone(), binding.id.clone()));
            }
            _ => break,
        }
    }
    if !new.derives_for_instances {
        return Ok(hits);
    }
    let mut query = InstanceQuery {
        service,
        plan,
        most: PAGE,
        ..InstanceQuery::default()
    };
    loop {
        let page = ledger.list_instances(query.clone()).await?;
        for listed in &page {
            let Lookup::Found(instance) = ledger.instance(listed.id.clone()).await? else {
                continue;
            };
            let version = instance.details.expose().key_version.as_ref();
            if is_gone(version) && known.insert(listed.id.clone()) {
                hits.add(&listed.organization, 1);
            }
        }
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => query.after = Some(last.id.clone()),
            _ => return Ok(hits),
        }
    }
}
