//! What is made with an entry of a pool: which one it is the store decides, so what is recorded is made of the entry in the
//! store's transaction.

use std::sync::Arc;

use super::{Broker, Provision, bind, provision};
use crate::domain::binding::Binding;
use crate::domain::caller::Caller;
use crate::domain::catalog::Catalog;
use crate::domain::guard::{Fill, Guard, OneOf};
use crate::domain::id::OperationId;
use crate::domain::instance::Instance;
use crate::domain::json::Object;
use crate::domain::offering::Plan;
use crate::domain::pool::{Lend, Pool};
use crate::domain::store::Act;
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::template::RenderError;

/// The pool that lends to what is made of a plan, if one does.
pub(super) fn lending(plan: &Plan, to: Lend) -> Option<&Pool> {
    plan.backend.pool().filter(|pool| pool.lend == to)
}

impl Broker {
    /// An entry for an instance that has all but what is rendered.
    pub(super) fn lend_to_instance(
        catalog: &Arc<Catalog>,
        caller: &Caller,
        pool: &Pool,
        (bare, request): (&Instance, &Provision),
        replaces: Option<i64>,
    ) -> Guard {
        let now = bare.updated_at;
        let (catalog, identity) = (Arc::clone(catalog), caller.originating_identity.clone());
        let (bare, request) = (bare.clone(), request.clone());
        one_of(pool, now, move |entry| {
            let chosen = catalog.choose(&bare.service_id, &bare.plan_id).ok();
            let chosen = chosen.ok_or_else(gone)?;
            let outputs = outputs(chosen.plan, entry)?;
            let mut details = provision::asked(chosen, &request);
            details.outputs = outputs;
            let id = &bare.id;
            provision::render(identity.as_ref(), chosen, id, &request, &mut details, now)?;
            Ok(Act::Provision {
                instance: Box::new(Instance {
                    details: Secret::new(details),
                    ..bare.clone()
                }),
                replaces,
            })
        })
    }

    /// An entry for a binding that has all but what is rendered.
    pub(super) fn lend_to_binding(
        catalog: &Arc<Catalog>,
        caller: &Caller,
        pool: &Pool,
        (bare, instance): (&Binding, &Instance),
        (replaces, now): (Option<&OperationId>, Timestamp),
    ) -> Guard {
        let (catalog, identity) = (Arc::clone(catalog), caller.originating_identity.clone());
        let (bare, instance, replaces) = (bare.clone(), instance.clone(), replaces.cloned());
        one_of(pool, now, move |entry| {
            let chosen = catalog.choose(&instance.service_id, &instance.plan_id).ok();
            let chosen = chosen.ok_or_else(gone)?;
            let mut binding = bare.clone();
            let mut details = std::mem::take(&mut binding.details).into_exposed();
            details.outputs = outputs(chosen.plan, entry)?;
            let identity = identity.as_ref();
            bind::render(identity, chosen, &instance, &binding.id, &mut details, now)?;
            binding.details = Secret::new(details);
            Ok(Act::Bind {
                binding: Box::new(binding),
                expected_version: instance.version,
                replaces: replaces.clone(),
            })
        })
    }
}

fn one_of(
    pool: &Pool,
    now: Timestamp,
    fill: impl Fn(&str) -> Result<Act, RenderError> + Send + Sync + 'static,
) -> Guard {
    Guard::OneOf(OneOf {
        pool: Arc::clone(&pool.name),
        entries: Arc::clone(pool.entries()),
        returned_by: pool.reuse.returned_by(now),
        fill: Fill(Arc::new(fill)),
    })
}

fn outputs(plan: &Plan, entry: &str) -> Result<Object, RenderError> {
    let credentials = plan.backend.pool().and_then(|pool| pool.credentials(entry));
    credentials
        .map(|credentials| credentials.expose().clone())
        .ok_or_else(gone)
}

/// The catalog is the one that the plan was chosen from, so this cannot be.
fn gone() -> RenderError {
    RenderError::mistyped("backend.pool", "an entry")
}
