//! What a catalog has promised to those who live by it. It is kept in the store in the clear: nothing private is in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::backend::ServedBackend;
use super::keys;
use crate::domain::catalog::Catalog;
use crate::domain::offering::{Chosen, Offering, Plan};

/// A catalog, as far as something may live by it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Served {
    /// The offerings.
    pub services: Vec<ServedService>,
}

/// An offering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServedService {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The permissions that a bind of it needs.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Whether its instances can be fetched.
    #[serde(default)]
    pub instances_retrievable: bool,
    /// Whether its bindings can be fetched.
    #[serde(default)]
    pub bindings_retrievable: bool,
    /// Its plans, the hidden ones too.
    pub plans: Vec<ServedPlan>,
}

/// A plan.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is kept by its name, for other versions of the broker"
)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServedPlan {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is offered; a hidden one only takes its instances away.
    pub offered: bool,
    /// Whether its instances can be bound.
    pub bindable: bool,
    /// Whether its instances may move.
    pub plan_updateable: bool,
    /// The ids of the plans that they may move to; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves_to: Option<Vec<String>>,
    /// What carries its operations out; absent where nobody knows: a published catalog does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<ServedBackend>,
    /// The schema of the parameters that an instance has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<Value>,
    /// The versions of the keys that it derives of, each with what tells its key from another one; none where it derives
    /// nothing, or where nobody knows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
    /// Whether what an update answers of an instance is derived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub derives_for_instances: bool,
}

impl Served {
    /// Of a catalog.
    pub fn of(catalog: &Catalog) -> Self {
        let mut services: Vec<ServedService> = Vec::new();
        let offered = catalog.offerings().iter().map(|offering| (true, offering));
        let hidden = catalog.hidden().iter().map(|offering| (false, offering));
        for (is_offered, offering) in offered.chain(hidden) {
            let plans = offering.plans.iter();
            let plans = plans.map(|plan| served(offering, plan, is_offered));
            match services
                .iter_mut()
                .find(|service| *service.id == *offering.id.as_str())
            {
                Some(service) => service.plans.extend(plans),
                None => services.push(ServedService {
                    id: offering.id.as_str().to_owned(),
                    name: offering.name.to_string(),
                    requires: offering.requires.clone().unwrap_or_default(),
                    instances_retrievable: offering.instances_retrievable.unwrap_or(false),
                    bindings_retrievable: offering.bindings_retrievable.unwrap_or(false),
                    plans: plans.collect(),
                }),
            }
        }
        Self { services }
    }

    /// Of what `GET /v2/catalog` answers, of any broker (specification, "Catalog Management").
    pub fn of_published(published: &Value) -> Self {
        let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let plan = |service: &Value, plan: &Value| ServedPlan {
            id: text(plan, "id"),
            name: text(plan, "name"),
            offered: true,
            bindable: either(plan, service, "bindable"),
            plan_updateable: either(plan, service, "plan_updateable"),
            moves_to: None,
            backend: None,
            create: plan
                .pointer("/schemas/service_instance/create/parameters")
                .cloned(),
            keys: BTreeMap::new(),
            derives_for_instances: false,
        };
        let services = list(published, "services");
        let services = services.iter().map(|service| ServedService {
            id: text(service, "id"),
            name: text(service, "name"),
            requires: list(service, "requires")
                .iter()
                .filter_map(|word| word.as_str().map(str::to_owned))
                .collect(),
            instances_retrievable: service["instances_retrievable"].as_bool().unwrap_or(false),
            bindings_retrievable: service["bindings_retrievable"].as_bool().unwrap_or(false),
            plans: list(service, "plans")
                .iter()
                .map(|each| plan(service, each))
                .collect(),
        });
        Self {
            services: services.collect(),
        }
    }

    /// The plan with these ids, and its offering.
    pub(super) fn find(&self, service: &str, plan: &str) -> Option<(&ServedService, &ServedPlan)> {
        self.plan(|each| each.id == service, |each| each.id == plan)
    }

    /// The plan with these names, and its offering.
    pub(super) fn named(&self, service: &str, plan: &str) -> Option<(&ServedService, &ServedPlan)> {
        self.plan(|each| each.name == service, |each| each.name == plan)
    }

    fn plan(
        &self,
        service: impl Fn(&ServedService) -> bool,
        plan: impl Fn(&ServedPlan) -> bool,
    ) -> Option<(&ServedService, &ServedPlan)> {
        let service = self.services.iter().find(|each| service(each))?;
        let plan = service.plans.iter().find(|each| plan(each))?;
        Some((service, plan))
    }
}

fn served(offering: &Offering, plan: &Plan, offered: bool) -> ServedPlan {
    let chosen = Chosen { offering, plan };
    ServedPlan {
        id: plan.id.as_str().to_owned(),
        name: plan.name.to_string(),
        offered,
        bindable: chosen.bindable(),
        plan_updateable: chosen.updateable(),
        moves_to: Some(chosen.moves().map(|plan| plan.id.to_string()).collect()),
        backend: Some(ServedBackend::of(plan)),
        create: plan
            .schemas
            .instance_create
            .as_ref()
            .map(|schema| schema.source().clone()),
        keys: keys::of(plan),
        derives_for_instances: keys::derives_for_instances(plan),
    }
}

/// The plan's word, or else the offering's.
fn either(plan: &Value, service: &Value, key: &str) -> bool {
    plan[key]
        .as_bool()
        .or(service[key].as_bool())
        .unwrap_or(false)
}
