//! What another catalog would break: the catalog that was served last is compared with it, and what differs is held
//! against the instances that live.
//!
//! [`served`] is what a catalog has promised. Which plans may leave at all is a rule of its own (`plan-in-use`), for it is
//! known without a catalog before.

mod backend;
mod hits;
mod keys;
mod served;

use std::fmt;

use serde_json::Value;

use super::id::{PlanId, ServiceId};
use super::ledger::{InstanceQuery, Ledger, Listed};
use super::schema::Schema;
use super::store::{Lookup, StoreError};

pub use self::backend::ServedBackend;
pub use self::hits::Hits;
pub use self::served::{Served, ServedPlan, ServedService};

/// How many instances are read at a time.
const PAGE: u32 = 500;

/// A rule that a catalog may break where an operator says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A plan that nothing acts for has left, and its instances are there: what is bound stays, and nobody makes more. No
    /// error, but a warning.
    PlanGone,
    /// An offering or a plan of that name has another id: to a platform it is another one.
    IdChanged,
    /// Instances that could be bound cannot be bound any more.
    BindableWithdrawn,
    /// Bindings have what the offering does not ask permission for any more.
    RequiresWithdrawn,
    /// Instances that could move to another plan cannot any more.
    UpdatesWithdrawn,
    /// Instances have parameters that the schema does not allow any more: each update of them would be refused.
    SchemaNarrowed,
    /// Instances or bindings that could be fetched cannot be fetched any more.
    RetrievableWithdrawn,
    /// What made the instances is not what would take them away.
    BackendChanged,
    /// Credentials of bindings are derived of a key that is not there any more.
    DeriveKeyGone,
}

/// One thing that would break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which rule says so.
    pub rule: Rule,
    /// The offering's name.
    pub service: String,
    /// The plan's.
    pub plan: String,
    /// What has changed, in a sentence without an end.
    pub change: String,
    /// The instances that it would hit.
    pub hits: Hits,
}

impl Rule {
    /// All that are an error unless they are allowed.
    pub const ERRORS: [Self; 8] = [
        Self::IdChanged,
        Self::BindableWithdrawn,
        Self::RequiresWithdrawn,
        Self::UpdatesWithdrawn,
        Self::SchemaNarrowed,
        Self::RetrievableWithdrawn,
        Self::BackendChanged,
        Self::DeriveKeyGone,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PlanGone => "plan-gone",
            Self::IdChanged => "id-changed",
            Self::BindableWithdrawn => "bindable-withdrawn",
            Self::RequiresWithdrawn => "requires-withdrawn",
            Self::UpdatesWithdrawn => "updates-withdrawn",
            Self::SchemaNarrowed => "schema-narrowed",
            Self::RetrievableWithdrawn => "retrievable-withdrawn",
            Self::BackendChanged => "backend-changed",
            Self::DeriveKeyGone => "derive-key-gone",
        }
    }

    /// Whether a catalog that breaks it is served all the same.
    pub const fn is_warning(self) -> bool {
        matches!(self, Self::PlanGone)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}: {}/{}: {}; it would hit {}",
            self.rule.name(),
            self.service,
            self.plan,
            self.change,
            self.hits
        )
    }
}

/// All that `new` would break of what lives in `ledger` of the catalog `old`. What has not changed costs nothing.
pub async fn breaches(
    old: &Served,
    new: &Served,
    ledger: &dyn Ledger,
) -> Result<Vec<Breach>, StoreError> {
    let mut found = Vec::new();
    for service in &old.services {
        for plan in &service.plans {
            for (rule, change) in changes(service, plan, new) {
                found.push((service, plan, rule, change));
            }
        }
    }
    for service in &new.services {
        for plan in &service.plans {
            if let Some((rule, change)) = come_back(service, plan, old) {
                found.push((service, plan, rule, change));
            }
        }
    }
    let mut breaches = Vec::new();
    for (service, plan, rule, change) in found {
        let hits = hit(service, plan, rule, (old, new), ledger).await?;
        if !hits.is_empty() {
            breaches.push(Breach {
                rule,
                service: service.name.clone(),
                plan: plan.name.clone(),
                change,
                hits,
            });
        }
    }
    Ok(breaches)
}

/// A plan that was not there and would act: instances of it may be left of a time when nothing acted for it.
fn come_back(service: &ServedService, plan: &ServedPlan, old: &Served) -> Option<(Rule, String)> {
    let backend = plan.backend.as_ref().filter(|backend| backend.acts())?;
    match old.find(&service.id, &plan.id) {
        Some(_) => None,
        None => Some((
            Rule::BackendChanged,
            format!("nothing acted for the instances that it has, and its backend is {backend}"),
        )),
    }
}

/// What is another thing about a plan now, in a way that may break something.
fn changes(service: &ServedService, plan: &ServedPlan, new: &Served) -> Vec<(Rule, String)> {
    let mut changes = fetches(service, new);
    let Some((new_service, new_plan)) = new.find(&service.id, &plan.id) else {
        changes.push(gone(service, plan, new));
        return changes;
    };
    let mut say = |rule, change: &str| changes.push((rule, change.to_owned()));
    if let (Some(old), Some(new)) = (&plan.backend, &new_plan.backend)
        && let Some(change) = old.change(new)
    {
        say(Rule::BackendChanged, &change);
    }
    let gone = keys::gone(plan, new_plan);
    if !gone.is_empty() {
        let change = format!(
            "derive has no key {} any more, or another one",
            gone.join(", ")
        );
        say(Rule::DeriveKeyGone, &change);
    }
    // A plan is hidden on purpose: nothing is bound to it, and nothing updated.
    if !plan.offered || !new_plan.offered {
        return changes;
    }
    if plan.bindable && !new_plan.bindable {
        say(Rule::BindableWithdrawn, "it is not bindable any more");
    }
    if plan.plan_updateable && !new_plan.plan_updateable {
        say(Rule::UpdatesWithdrawn, "plan_updateable is withdrawn");
    } else {
        let lost = moves_lost(plan, new_service, new_plan);
        if !lost.is_empty() {
            let change = format!("updates_to has no {} any more", lost.join(", "));
            say(Rule::UpdatesWithdrawn, &change);
        }
    }
    let withdrawn: Vec<&str> = service
        .requires
        .iter()
        .filter(|permission| !new_service.requires.contains(permission))
        .map(String::as_str)
        .collect();
    if !withdrawn.is_empty() {
        let change = format!("requires has no {} any more", withdrawn.join(", "));
        say(Rule::RequiresWithdrawn, &change);
    }
    if new_plan.create.is_some() && plan.create != new_plan.create {
        let change = "the schema of service_instance.create does not allow the parameters that instances have";
        say(Rule::SchemaNarrowed, change);
    }
    changes
}

/// The names of the plans that instances could move to and cannot any more, though they are offered.
fn moves_lost<'n>(old: &ServedPlan, service: &'n ServedService, new: &ServedPlan) -> Vec<&'n str> {
    let (Some(old), Some(new)) = (&old.moves_to, &new.moves_to) else {
        return Vec::new();
    };
    let offered = service.plans.iter().filter(|plan| plan.offered);
    let lost = offered.filter(|plan| old.contains(&plan.id) && !new.contains(&plan.id));
    lost.map(|plan| &*plan.name).collect()
}

/// An offering declares what can be fetched for what it had before, too. One that left declares nothing, and all can be.
fn fetches(service: &ServedService, new: &Served) -> Vec<(Rule, String)> {
    let Some(new) = new.services.iter().find(|new| new.id == service.id) else {
        return Vec::new();
    };
    // Of an offering that is hidden whole everything can be fetched, as of one that left.
    let is_offered = |service: &ServedService| service.plans.iter().any(|plan| plan.offered);
    if !is_offered(service) || !is_offered(new) {
        return Vec::new();
    }
    let withdrawn = [
        (
            "instances_retrievable",
            service.instances_retrievable && !new.instances_retrievable,
        ),
        (
            "bindings_retrievable",
            service.bindings_retrievable && !new.bindings_retrievable,
        ),
    ];
    let withdrawn = withdrawn.into_iter().filter(|(_, is)| *is);
    withdrawn
        .map(|(name, _)| (Rule::RetrievableWithdrawn, format!("{name} is withdrawn")))
        .collect()
}

fn gone(service: &ServedService, plan: &ServedPlan, new: &Served) -> (Rule, String) {
    match new.named(&service.name, &plan.name) {
        Some((new_service, new_plan)) => {
            let change = if new_service.id == service.id {
                format!("the plan's id was {} and is {}", plan.id, new_plan.id)
            } else {
                format!(
                    "the service's id was {} and is {}",
                    service.id, new_service.id
                )
            };
            (Rule::IdChanged, change)
        }
        None => (Rule::PlanGone, "it is not offered any more".to_owned()),
    }
}

/// The instances of a plan that a change hits.
async fn hit(
    service: &ServedService,
    plan: &ServedPlan,
    rule: Rule,
    (old, new): (&Served, &Served),
    ledger: &dyn Ledger,
) -> Result<Hits, StoreError> {
    if rule == Rule::DeriveKeyGone {
        return match new.find(&service.id, &plan.id) {
            Some((_, new)) => keys::hit((service, plan), new, ledger).await,
            None => Ok(Hits::default()),
        };
    }
    let is_back = old.find(&service.id, &plan.id).is_none();
    let schema = match rule {
        Rule::SchemaNarrowed => new
            .find(&service.id, &plan.id)
            .and_then(|(_, plan)| Schema::compile(plan.create.as_ref()?).ok()),
        _ => None,
    };
    let mut hits = Hits::default();
    let mut query = InstanceQuery {
        service: ServiceId::parse(&service.id).ok(),
        plan: PlanId::parse(&plan.id).ok(),
        most: PAGE,
        ..InstanceQuery::default()
    };
    loop {
        let page = ledger.list_instances(query.clone()).await?;
        for listed in &page {
            let is_hit = match &schema {
                Some(schema) => !fits(listed, schema, ledger).await?,
                None if is_back => listed.backend.is_none(),
                None => rule != Rule::RequiresWithdrawn || listed.bindings > 0,
            };
            if is_hit {
                hits.add(&listed.organization, 1);
            }
        }
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => query.after = Some(last.id.clone()),
            _ => return Ok(hits),
        }
    }
}

/// Whether the parameters that an instance has are what the schema allows. One that has gone meanwhile has none.
async fn fits(listed: &Listed, schema: &Schema, ledger: &dyn Ledger) -> Result<bool, StoreError> {
    Ok(match ledger.instance(listed.id.clone()).await? {
        Lookup::Found(instance) => {
            let details = instance.details.into_exposed();
            // Of what was adopted they are not known, so no update is held against the schema.
            details.adopted
                || schema
                    .violations(&Value::Object(details.parameters))
                    .is_empty()
        }
        Lookup::Absent | Lookup::Unknowable => true,
    })
}
