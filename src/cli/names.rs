//! Names in place of ids: what an operator types, and what a table shows. From the catalog document, as far as it can be
//! read here; where it cannot, ids are ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::loading::Surroundings;
use crate::domain::catalog::Catalog;
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::offering::Chosen;
use crate::domain::pool::Pool;

/// The names of offerings and plans.
pub(super) struct Names(Option<Arc<Catalog>>);

impl Names {
    /// Those of the document that the settings name. What is wrong with it is for `check` to say.
    pub(super) fn of(surroundings: &Surroundings) -> Self {
        Self(surroundings.catalog().catalog)
    }

    /// The catalog that they are of, where it can be read here.
    pub(super) fn catalog(&self) -> Option<&Catalog> {
        self.0.as_deref()
    }

    /// `OFFERING/PLAN`, or the plan's id where the catalog has none such.
    pub(super) fn plan(&self, service: &ServiceId, plan: &PlanId) -> String {
        self.chosen(service, plan)
            .map_or_else(|| plan.to_string(), full)
    }

    /// The offering's name.
    pub(super) fn service(&self, service: &ServiceId) -> Option<String> {
        let offering = self.0.as_ref()?.offering(service)?;
        Some(offering.name.to_string())
    }

    /// The plan's name.
    pub(super) fn plan_alone(&self, service: &ServiceId, plan: &PlanId) -> Option<String> {
        let chosen = self.chosen(service, plan)?;
        Some(chosen.plan.name.to_string())
    }

    /// The offering that is meant by a name or an id.
    pub(super) fn service_meant(&self, text: &str) -> Result<ServiceId, String> {
        let offerings = self.0.iter().flat_map(|catalog| catalog.offerings());
        let named = offerings
            .filter(|offering| &*offering.name == text)
            .map(|offering| offering.id.clone())
            .next();
        named.map_or_else(
            || ServiceId::parse(text).map_err(|error| format!("--service {error}")),
            Ok,
        )
    }

    /// The plan that is meant by an id, a name, or `OFFERING/PLAN`.
    pub(super) fn plan_meant(&self, text: &str) -> Result<PlanId, String> {
        let by = |is_it: &dyn Fn(Chosen<'_>) -> bool| -> Vec<Chosen<'_>> {
            self.all().filter(|chosen| is_it(*chosen)).collect()
        };
        let found = by(&|chosen| &*chosen.plan.name == text || full(chosen) == text);
        match found.as_slice() {
            [] => PlanId::parse(text).map_err(|error| format!("--plan {error}")),
            [chosen] => Ok(chosen.plan.id.clone()),
            several => {
                let names: Vec<String> = several.iter().copied().map(full).collect();
                Err(format!(
                    "{text} is the name of several plans: say one of {}",
                    names.join(", ")
                ))
            }
        }
    }

    /// The pools of the document, each with the plans that it lends to; nothing where it cannot be read.
    pub(super) fn pools(&self) -> Option<BTreeMap<&str, Vec<&Pool>>> {
        let mut pools: BTreeMap<&str, Vec<&Pool>> = BTreeMap::new();
        for plan in self.0.as_ref()?.plans() {
            if let Some(pool) = plan.backend.pool() {
                pools.entry(&pool.name).or_default().push(pool);
            }
        }
        Some(pools)
    }

    fn chosen(&self, service: &ServiceId, plan: &PlanId) -> Option<Chosen<'_>> {
        self.0.as_ref()?.remover(service, plan)
    }

    fn all(&self) -> impl Iterator<Item = Chosen<'_>> {
        let offerings = self.0.iter().flat_map(|catalog| catalog.offerings());
        offerings.flat_map(|offering| {
            let plans = offering.plans.iter();
            plans.map(|plan| Chosen { offering, plan })
        })
    }
}

fn full(chosen: Chosen<'_>) -> String {
    format!("{}/{}", chosen.offering.name, chosen.plan.name)
}
