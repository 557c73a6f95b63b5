//! What another broker made, as if this one had: for the operator, so no method of `Broker`. By the same templates and
//! the same fingerprints, so that a platform that sends the same request again finds what it asked for.

use std::sync::Arc;

use serde_json::Value;

use super::bind::{self, app_guid, bindable};
use super::provision::{self, first_version};
use super::{Bind, Broker, Provision, choose, lend, random};
use crate::domain::binding::Binding;
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::guard::{Fill, Guard, OneOf};
use crate::domain::id::{BindingId, InstanceId, OperationId};
use crate::domain::instance::Instance;
use crate::domain::json::{FingerprintKey, Object};
use crate::domain::offering::{Chosen, Plan};
use crate::domain::operation::{Kind, Operation, Report, State, Subject};
use crate::domain::pool::Lend;
use crate::domain::render::{BindingScope, InstanceScope};
use crate::domain::store::{Act, Change};
use crate::domain::time::Timestamp;
use crate::secret::Secret;

/// What is known of something besides the request that made it. What is not known is rendered as it would be today.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Values of the plan's templates, by name.
    pub values: Secret<Object>,
    /// What a backend returned for templates.
    pub outputs: Secret<Object>,
    /// What a backend left for itself.
    pub state: Option<Secret<Value>>,
    /// The entry of a pool that it has.
    pub entry: Option<Arc<str>>,
}

/// The change that records an instance.
pub(in crate::domain) fn instance(
    key: &FingerprintKey,
    catalog: &Catalog,
    id: &InstanceId,
    request: &Provision,
    (known, dashboard_url): (&Known, Option<&str>),
    now: Timestamp,
) -> Result<Change, BrokerError> {
    let chosen = choose(catalog, &request.service_id, &request.plan_id)?;
    let operation = over(Kind::Provision, Subject::Instance(id.clone()), now)?;
    let mut details = provision::asked(chosen, request);
    let scope = scope(chosen, id, (&request.organization, &request.space));
    scope.values(&mut details, now)?;
    details.values.extend(known.values.expose().clone());
    details.outputs.clone_from(known.outputs.expose());
    details.state = known.state.as_ref().map(|state| state.expose().clone());
    lent(chosen.plan, Lend::Instance, known, &mut details.outputs);
    details.answer = scope.answer(&details, now)?;
    if let Some(url) = dashboard_url {
        details.answer.dashboard_url = Some(url.to_owned());
    }
    let instance = Instance {
        id: id.clone(),
        service_id: request.service_id.clone(),
        plan_id: request.plan_id.clone(),
        organization: request.organization.clone(),
        space: request.space.clone(),
        last_operation: operation.standing(),
        version: first_version()?,
        backend: Broker::acting(chosen.plan),
        fingerprint: provision::fingerprint(key, request),
        created_at: now,
        updated_at: now,
        details: Secret::new(details),
    };
    let act = Act::Provision {
        instance: Box::new(instance),
        replaces: None,
    };
    let guards = entry(chosen.plan, Lend::Instance, known, &act);
    Ok(recorded(operation, act, guards))
}

/// The change that records a binding; an answer without a field is rendered.
pub(in crate::domain) fn binding(
    key: &FingerprintKey,
    catalog: &Catalog,
    instance: &Instance,
    (id, request): (&BindingId, &Bind),
    (known, answer): (&Known, &Secret<Object>),
    now: Timestamp,
) -> Result<Change, BrokerError> {
    let (service, plan) = (&instance.service_id, &instance.plan_id);
    let chosen = bindable(choose(catalog, service, plan)?, request)?;
    let subject = Subject::Binding(instance.id.clone(), id.clone());
    let operation = over(Kind::Bind, subject, now)?;
    let mut details = bind::asked(request, None);
    let scope = BindingScope {
        instance: scope(
            chosen,
            &instance.id,
            (&instance.organization, &instance.space),
        ),
        details: instance.details.expose(),
        id,
    };
    scope.values(&mut details, now)?;
    details.values.extend(known.values.expose().clone());
    details.outputs.clone_from(known.outputs.expose());
    details.state = known.state.as_ref().map(|state| state.expose().clone());
    lent(chosen.plan, Lend::Binding, known, &mut details.outputs);
    if answer.expose().is_empty() {
        details.answer = scope.answer(&details, now)?;
    } else {
        details.answer.0.clone_from(answer.expose());
    }
    let binding = Binding {
        instance_id: instance.id.clone(),
        id: id.clone(),
        service_id: service.clone(),
        plan_id: plan.clone(),
        app_guid: app_guid(&details).map(str::to_owned),
        last_operation: operation.standing(),
        fingerprint: bind::fingerprint(key, request, service, plan),
        created_at: now,
        details: Secret::new(details),
    };
    let act = Act::Bind {
        binding: Box::new(binding),
        expected_version: instance.version,
        replaces: None,
    };
    let guards = entry(chosen.plan, Lend::Binding, known, &act);
    Ok(recorded(operation, act, guards))
}

fn scope<'a>(
    chosen: Chosen<'a>,
    id: &'a InstanceId,
    (organization, space): (&'a str, &'a str),
) -> InstanceScope<'a> {
    InstanceScope {
        identity: None,
        chosen,
        id,
        organization,
        space,
    }
}

/// Whether it has an entry of a pool, and nobody says which.
pub(in crate::domain) fn lacks_entry(plan: &Plan, to: Lend, known: &Known) -> bool {
    lend::lending(plan, to).is_some() && known.entry.is_none()
}

/// An operation that was over before it was recorded.
pub(super) fn over(kind: Kind, subject: Subject, now: Timestamp) -> Result<Operation, BrokerError> {
    Ok(Operation {
        id: OperationId::from_random(random()?),
        kind,
        subject,
        state: State::Succeeded,
        report: Report::default(),
        fingerprint: None,
        started_at: now,
        finished_at: Some(now),
    })
}

/// The entry that it has, as a guard: nobody else may have it.
fn entry(plan: &Plan, to: Lend, known: &Known, act: &Act) -> Vec<Guard> {
    let pool = lend::lending(plan, to).zip(known.entry.as_ref());
    let act = act.clone();
    let guard = pool.map(|(pool, entry)| {
        Guard::OneOf(OneOf {
            pool: Arc::clone(&pool.name),
            entries: [Arc::clone(entry)].into(),
            returned_by: Some(Timestamp(i64::MAX)),
            fill: Fill(Arc::new(move |_| Ok(act.clone()))),
        })
    });
    guard.into_iter().collect()
}

/// What the entry gives today, where nothing else is known.
fn lent(plan: &Plan, to: Lend, known: &Known, outputs: &mut Object) {
    let pool = lend::lending(plan, to).zip(known.entry.as_ref());
    if let Some(credentials) = pool.and_then(|(pool, entry)| pool.credentials(entry))
        && outputs.is_empty()
    {
        outputs.clone_from(credentials.expose());
    }
}

const fn recorded(operation: Operation, act: Act, guards: Vec<Guard>) -> Change {
    Change {
        operation,
        act,
        job: None,
        guards,
    }
}
