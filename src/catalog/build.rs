//! The domain's catalog out of a draft that has no errors.

use std::str::FromStr;
use std::sync::Arc;

use semver::Version;

use super::adopting::adopt;
use super::answers;
use super::backends::Backends;
use super::derive;
use super::draft::{Draft, OfferingDraft, PlanDraft};
use super::lifecycle::lifecycle;
use super::limits::limits;
use super::reading::resolve::is_unresolved;
use super::responding::{POLLING, acts, may_answer_later, number, responding};
use crate::document::Node;
use crate::domain::answer::{BindingTemplate, InstanceTemplate};
use crate::domain::catalog::Catalog;
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::json::Object;
use crate::domain::lifecycle::Lifecycle;
use crate::domain::limits::Limits;
use crate::domain::offering::{Adopt, MaintenanceInfo, Offering, Plan, Schemas};
use crate::domain::version::ApiVersion;

/// The minimum where the document names none: every 2.x is served.
const OLDEST: ApiVersion = ApiVersion { major: 2, minor: 0 };

/// `None` cannot be where the rules found no error; nothing is built of half a document.
pub(crate) fn catalog(draft: Draft<'_>) -> Option<Catalog> {
    let minimum = match draft.document.get("minimum_api_version") {
        Some(node) => ApiVersion::from_str(node.as_text()?).ok()?,
        None => OLDEST,
    };
    let mut backends = Backends::new(draft.environment);
    let hidden = draft.offerings.iter();
    let hidden = hidden
        .filter_map(|entry| hidden_plans(entry, &mut backends).map(Arc::new))
        .collect();
    let names = draft.offerings.iter().flat_map(|entry| &entry.plans);
    let names = names.filter_map(|plan| {
        let id = PlanId::parse(&text(&plan.node, "id")?).ok()?;
        let name = plan.node.get("name").filter(|node| !is_unresolved(node))?;
        Some((id, name.as_text()?.into()))
    });
    let names = names.collect();
    let offered = draft.offerings.into_iter().filter(|entry| entry.offered);
    let offerings: Option<Vec<_>> = offered
        .map(|entry| offering(entry, &mut backends).map(Arc::new))
        .collect();
    let catalog = Catalog::new(minimum, offerings?);
    Some(catalog.with_hidden(hidden).with_names(names))
}

/// The plans of an offering that are not offered, but have a backend to take their instances away: as much of them as
/// that needs. Nothing where there are none; one without an id has no instances.
fn hidden_plans(draft: &OfferingDraft, backends: &mut Backends<'_>) -> Option<Offering> {
    let node = &draft.node;
    let plans = draft.plans.iter();
    let plans: Vec<_> = plans
        .filter(|plan| !plan.offered && acts(&plan.node))
        .filter_map(|plan| hidden_plan(plan, backends).map(Arc::new))
        .collect();
    let id = ServiceId::parse(&text(node, "id")?).ok()?;
    (!plans.is_empty()).then(|| Offering {
        name: text(node, "name").unwrap_or_else(|| id.to_string()).into(),
        id,
        description: String::new(),
        bindable: true,
        plan_updateable: None,
        tags: None,
        requires: None,
        instances_retrievable: None,
        bindings_retrievable: None,
        allow_context_updates: None,
        metadata: None,
        dashboard_client: None,
        extensions: Object::new(),
        limits: Limits::default(),
        plans,
    })
}

fn hidden_plan(draft: &PlanDraft, backends: &mut Backends<'_>) -> Option<Plan> {
    let node = &draft.node;
    let id = PlanId::parse(&text(node, "id")?).ok()?;
    Some(Plan {
        name: text(node, "name").unwrap_or_else(|| id.to_string()).into(),
        id,
        description: String::new(),
        free: None,
        bindable: None,
        binding_rotatable: None,
        plan_updateable: None,
        schemas: Schemas::default(),
        maximum_polling_duration: None,
        maintenance_info: None,
        metadata: None,
        extensions: Object::new(),
        values: node
            .get("values")
            .map_or_else(|| Object::new().into(), Node::to_json),
        instance: InstanceTemplate::default(),
        binding: BindingTemplate::default(),
        backend: backends.of(draft).ok()?,
        responding: responding(node),
        adopt: Adopt::Never,
        limits: Limits::default(),
        lifecycle: Lifecycle::default(),
        updates_to: None,
        keys: None,
    })
}

fn offering(draft: OfferingDraft, backends: &mut Backends<'_>) -> Option<Offering> {
    let node = &draft.node;
    let plans = draft.plans.into_iter().filter(|plan| plan.offered);
    let plans: Option<Vec<_>> = plans
        .map(|entry| plan(entry, backends).map(Arc::new))
        .collect();
    Some(Offering {
        id: ServiceId::parse(&text(node, "id")?).ok()?,
        name: text(node, "name")?.into(),
        description: text(node, "description")?,
        bindable: flag(node, "bindable")?,
        plan_updateable: flag(node, "plan_updateable"),
        tags: texts(node, "tags"),
        requires: texts(node, "requires"),
        instances_retrievable: flag(node, "instances_retrievable"),
        bindings_retrievable: flag(node, "bindings_retrievable"),
        allow_context_updates: flag(node, "allow_context_updates"),
        metadata: object(node, "metadata"),
        dashboard_client: object(node, "dashboard_client"),
        extensions: object(node, "extensions").unwrap_or_default(),
        limits: limits(node),
        plans: plans?,
    })
}

fn plan(draft: PlanDraft, backends: &mut Backends<'_>) -> Option<Plan> {
    let backend = backends.of(&draft).ok()?;
    let node = &draft.node;
    let answers = draft.answers?;
    let keys = derive::keys(node).filter(|_| derive::is_used(&answers));
    Some(Plan {
        id: PlanId::parse(&text(node, "id")?).ok()?,
        name: text(node, "name")?.into(),
        description: text(node, "description")?,
        free: flag(node, "free"),
        bindable: flag(node, "bindable"),
        binding_rotatable: flag(node, "binding_rotatable"),
        plan_updateable: flag(node, "plan_updateable"),
        schemas: schemas(node, draft.schemas),
        maximum_polling_duration: number(node, "maximum_polling_duration")
            .or_else(|| may_answer_later(node).then_some(POLLING)),
        maintenance_info: maintenance_info(node),
        metadata: object(node, "metadata"),
        extensions: object(node, "extensions").unwrap_or_default(),
        values: answers.values,
        instance: answers.instance,
        binding: answers.binding,
        backend,
        responding: responding(node),
        adopt: adopt(node).ok()?,
        limits: limits(node),
        lifecycle: lifecycle(node).ok()?,
        updates_to: texts(node, "updates_to"),
        keys: keys.map(Arc::new),
    })
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key)?.as_text().map(str::to_owned)
}

fn flag(node: &Node, key: &str) -> Option<bool> {
    node.get(key)?.as_bool()
}

fn texts(node: &Node, key: &str) -> Option<Vec<String>> {
    let items = node.get(key)?.as_list()?;
    Some(
        items
            .iter()
            .filter_map(|item| item.as_text().map(str::to_owned))
            .collect(),
    )
}

fn object(node: &Node, key: &str) -> Option<Object> {
    Some(node.get(key)?.as_map()?.to_json())
}

fn schemas(node: &Node, valid: answers::Schemas) -> Schemas {
    Schemas {
        published: node.get("schemas").map(Node::to_json),
        instance_create: valid.instance_create,
        instance_update: valid.instance_update,
        binding_create: valid.binding_create,
    }
}

fn maintenance_info(node: &Node) -> Option<MaintenanceInfo> {
    let info = node.get("maintenance_info")?;
    Some(MaintenanceInfo {
        version: Version::parse(&text(info, "version")?).ok()?,
        description: text(info, "description"),
    })
}
