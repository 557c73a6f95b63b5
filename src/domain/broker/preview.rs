//! What a bind would return, with nothing made and nothing remembered: for the operator, so no method of `Broker`.

use super::bind::{asked, bindable, fits};
use super::{Bind, Broker, Provision, provision};
use crate::domain::answer::BindingAnswer;
use crate::domain::caller::Caller;
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId};
use crate::domain::render;
use crate::domain::time::Timestamp;
use crate::secret::Secret;

/// The answer of `bind` on an instance that `provision` has just made: by the same checks and the same templates.
pub fn preview(
    catalog: &Catalog,
    caller: &Caller,
    (instance, provision): (&InstanceId, &Provision),
    (binding, bind): (&BindingId, &Bind),
    now: Timestamp,
) -> Result<Secret<BindingAnswer>, BrokerError> {
    let chosen = Broker::acceptable(catalog, provision)?;
    let identity = caller.originating_identity.as_ref();
    let instance_details =
        provision::details(identity, chosen, instance, provision, (now, None), false)?;
    let chosen = bindable(chosen, bind)?;
    let mut details = asked(bind, None);
    fits(chosen, bind, &details)?;
    let ttl = chosen.plan.binding.ttl;
    details.ends = ttl.map(|ttl| ttl.begin(now, caller.api_version));
    let scope = render::BindingScope {
        instance: render::InstanceScope {
            identity,
            chosen,
            id: instance,
            organization: &provision.organization,
            space: &provision.space,
        },
        details: &instance_details,
        id: binding,
    };
    scope.values(&mut details, now)?;
    Ok(Secret::new(scope.answer(&details, now)?))
}
