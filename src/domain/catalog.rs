//! The catalog as used: immutable, indexed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::id::{PlanId, ServiceId};
use super::offering::{Chosen, Offering, Plan};
use super::scope::Scope;
use super::store::PlanInUse;
use super::version::ApiVersion;

/// What is offered, and beside it the plans with `offered: false` whose backend has to take their instances away. Of all
/// others that are not offered nothing is here: their instances live on by their records.
#[derive(Debug)]
pub struct Catalog {
    minimum_api_version: ApiVersion,
    offerings: Vec<Arc<Offering>>,
    by_service: HashMap<ServiceId, usize>,
    by_plan: HashMap<PlanId, (usize, usize)>,
    hidden: Vec<Arc<Offering>>,
    names: HashMap<PlanId, Arc<str>>,
    /// What callers of a scope see of it, made when the first of them comes; there are no more than logins.
    narrowed: RwLock<Vec<(Scope, Arc<Self>)>>,
}

/// Why a pair of ids names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOffered {
    /// No offering has that id.
    Service,
    /// The offering has no plan with that id.
    Plan,
}

impl Catalog {
    /// Indexes `offerings`. The ids are unique: the rules saw to it.
    pub fn new(minimum_api_version: ApiVersion, offerings: Vec<Arc<Offering>>) -> Self {
        let by_service = offerings
            .iter()
            .enumerate()
            .map(|(at, offering)| (offering.id.clone(), at))
            .collect();
        let by_plan = offerings
            .iter()
            .enumerate()
            .flat_map(|(at, offering)| {
                offering
                    .plans
                    .iter()
                    .enumerate()
                    .map(move |(plan_at, plan)| (plan.id.clone(), (at, plan_at)))
            })
            .collect();
        Self {
            minimum_api_version,
            offerings,
            by_service,
            by_plan,
            hidden: Vec::new(),
            names: HashMap::new(),
            narrowed: RwLock::default(),
        }
    }

    /// With plans that are not offered, below their offerings.
    #[must_use]
    pub fn with_hidden(mut self, hidden: Vec<Arc<Offering>>) -> Self {
        self.hidden = hidden;
        self
    }

    /// What a caller of that scope sees of it.
    pub fn narrowed(self: &Arc<Self>, scope: &Scope) -> Arc<Self> {
        if *scope == Scope::All {
            return Arc::clone(self);
        }
        let of_scope = |known: &[(Scope, Arc<Self>)]| {
            let known = known.iter().find(|(known, _)| known == scope);
            known.map(|(_, narrowed)| Arc::clone(narrowed))
        };
        let known = self.narrowed.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(narrowed) = of_scope(&known) {
            return narrowed;
        }
        drop(known);
        let mut known = self
            .narrowed
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        of_scope(&known).unwrap_or_else(|| {
            let narrowed = Arc::new(self.narrow(scope));
            known.push((scope.clone(), Arc::clone(&narrowed)));
            narrowed
        })
    }

    fn narrow(&self, scope: &Scope) -> Self {
        let seen = |offerings: &[Arc<Offering>]| {
            let offerings = offerings.iter();
            let offerings = offerings.filter(|offering| scope.holds(self, &offering.id));
            offerings.map(Arc::clone).collect::<Vec<_>>()
        };
        Self::new(self.minimum_api_version, seen(&self.offerings))
            .with_hidden(seen(&self.hidden))
            .with_names(self.names.clone())
    }

    /// The name of an offering; also of one that is not offered, but has plans whose instances are to be taken away.
    pub fn name_of(&self, service: &ServiceId) -> Option<&str> {
        let hidden = || self.hidden.iter().find(|offering| offering.id == *service);
        self.offering(service)
            .or_else(|| hidden().map(|offering| &**offering))
            .map(|offering| &*offering.name)
    }

    /// Whether an offering has that name or id.
    pub fn knows_offering(&self, name_or_id: &str) -> bool {
        let mut all = self.offerings.iter().chain(&self.hidden);
        all.any(|offering| &*offering.name == name_or_id || offering.id.as_str() == name_or_id)
    }

    /// The plans that are not offered and take their instances away, below their offerings.
    pub fn hidden(&self) -> &[Arc<Offering>] {
        &self.hidden
    }

    /// With the names of all plans of the document, whether they are offered or not.
    #[must_use]
    pub fn with_names(mut self, names: HashMap<PlanId, Arc<str>>) -> Self {
        self.names = names;
        self
    }

    /// The name of a plan, as long as the document has it.
    pub fn plan_name(&self, plan: &PlanId) -> Option<&str> {
        let named = self.names.get(plan).map(|name| &**name);
        named.or_else(|| Some(&*self.find(plan)?.plan.name))
    }

    /// The oldest platform that is served.
    pub const fn minimum_api_version(&self) -> ApiVersion {
        self.minimum_api_version
    }

    /// The offerings in the order of the document.
    pub fn offerings(&self) -> &[Arc<Offering>] {
        &self.offerings
    }

    /// The offering with that id.
    pub fn offering(&self, service: &ServiceId) -> Option<&Offering> {
        self.by_service.get(service).map(|at| &*self.offerings[*at])
    }

    /// The plan with that id, if it belongs to that offering: a plan of another one is no answer.
    pub fn choose(&self, service: &ServiceId, plan: &PlanId) -> Result<Chosen<'_>, NotOffered> {
        let service_at = *self.by_service.get(service).ok_or(NotOffered::Service)?;
        match self.by_plan.get(plan) {
            Some((owner, plan_at)) if *owner == service_at => {
                let offering = &*self.offerings[service_at];
                Ok(Chosen {
                    offering,
                    plan: &offering.plans[*plan_at],
                })
            }
            _ => Err(NotOffered::Plan),
        }
    }

    /// The plan that takes instances of it away: one that is offered, or a hidden one.
    pub fn remover(&self, service: &ServiceId, plan: &PlanId) -> Option<Chosen<'_>> {
        let hidden = || {
            let of_service = self
                .hidden
                .iter()
                .filter(|offering| offering.id == *service);
            chosen_of(of_service).find(|chosen| chosen.plan.id == *plan)
        };
        self.choose(service, plan).ok().or_else(hidden)
    }

    /// All plans whose backends may have to act.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.all().map(|chosen| chosen.plan)
    }

    /// The same, each with its offering.
    pub fn all(&self) -> impl Iterator<Item = Chosen<'_>> {
        chosen_of(self.offerings.iter().chain(&self.hidden))
    }

    /// Whether instances of anything are limited.
    pub fn counts_instances(&self) -> bool {
        chosen_of(self.offerings.iter()).any(|Chosen { offering, plan }| {
            offering.limits.count_instances() || plan.limits.count_instances()
        })
    }

    /// Of plans with instances those that nothing could take the instances of away.
    pub fn lacks(&self, in_use: Vec<PlanInUse>) -> Vec<PlanInUse> {
        let mut lacking = in_use;
        lacking.retain(|plan| self.remover(&plan.service_id, &plan.plan_id).is_none());
        lacking
    }

    /// The plan with that id and its offering.
    pub fn find(&self, plan: &PlanId) -> Option<Chosen<'_>> {
        let (at, plan_at) = *self.by_plan.get(plan)?;
        let offering = &*self.offerings[at];
        Some(Chosen {
            offering,
            plan: &offering.plans[plan_at],
        })
    }
}

fn chosen_of<'a>(
    offerings: impl Iterator<Item = &'a Arc<Offering>>,
) -> impl Iterator<Item = Chosen<'a>> {
    offerings.flat_map(|offering| {
        let plans = offering.plans.iter();
        plans.map(|plan| Chosen { offering, plan })
    })
}
