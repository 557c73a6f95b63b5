//! Bind and rotation (specification, "Binding" and "Binding Rotation").

mod asked;

use std::sync::Arc;

use self::asked::{agreed, offered, usable};
pub(super) use self::asked::{app_guid, asked, bindable, fingerprint, fits};
use super::begin::Wanted;
use super::{
    Bind, Bound, Broker, Manner, Reached, TRIES, answer_of, beside_the_point, choose, lend, limits,
};
use crate::domain::answer::BindingAnswer;
use crate::domain::binding::{Binding, BindingDetails};
use crate::domain::caller::{Caller, OriginatingIdentity};
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{BindingId, InstanceId, OperationId, PlanId, ServiceId};
use crate::domain::instance::{Instance, InstanceDetails};
use crate::domain::json::{Fingerprint, Object};
use crate::domain::live::Pass;
use crate::domain::offering::{Chosen, Plan};
use crate::domain::operation::{Kind, Operation, State, Subject};
use crate::domain::pool::Lend;
use crate::domain::render;
use crate::domain::store::{Act, Begun, Change, Lookup};
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::template::RenderError;
use crate::template::time::parse_utc;

/// What a bind finds that is there already.
enum There {
    /// This is the answer.
    Answer(Bound),
    /// It was never made to its end, and is asked for again.
    Failed(Failed),
}

/// A binding that was never made to its end.
struct Failed {
    /// By this operation.
    operation: OperationId,
    /// When it was asked for first: since then something of it may be there.
    created_at: Timestamp,
    /// Its values: what its attempts made in the world bears these names.
    values: Object,
    /// The version of the key that they were derived with.
    key_version: Option<String>,
}

impl Broker {
    /// Makes a binding: what it returns is rendered once, stored, and the same for every repeat and fetch.
    pub async fn bind(
        &self,
        caller: &Caller,
        instance: InstanceId,
        id: BindingId,
        request: Bind,
    ) -> Result<Bound, BrokerError> {
        let mut pass = Some(self.live.pass().await);
        let catalog = self.catalog_for(caller);
        let mut turn = None;
        for _ in 0..TRIES {
            let (instance, existing) = match self
                .binding_for(caller, instance.clone(), id.clone())
                .await?
            {
                Lookup::Found(found) => found,
                Lookup::Absent => {
                    offered(&catalog, &request, None)?;
                    if self
                        .adopt_to_bind(caller, &catalog, &instance, &request)
                        .await?
                    {
                        continue;
                    }
                    return Err(BrokerError::InstanceNotFound);
                }
                Lookup::Unknowable => {
                    return self.bind_unremembered(caller, &catalog, instance, &id, &request);
                }
            };
            offered(&catalog, &request, Some(&instance))?;
            let pass = pass.take().filter(|_| existing.is_none());
            let failed = match existing {
                None => None,
                // It is recorded, and may be waited for.
                Some(existing) => match self
                    .binding_there(&catalog, &instance, &existing, &request)
                    .await?
                {
                    There::Answer(bound) => return Ok(bound),
                    There::Failed(failed) => Some(failed),
                },
            };
            if let Some(bound) = self
                .try_bind(
                    caller,
                    &catalog,
                    &instance,
                    (id.clone(), failed),
                    &request,
                    pass,
                )
                .await?
            {
                return Ok(bound);
            }
            if turn.is_none() {
                turn = Some(self.turns.take(&instance.id).await);
            }
        }
        Err(BrokerError::Concurrency)
    }

    /// One try; nothing where what was read has changed meanwhile.
    async fn try_bind(
        &self,
        caller: &Caller,
        catalog: &Arc<Catalog>,
        instance: &Instance,
        (id, failed): (BindingId, Option<Failed>),
        request: &Bind,
        pass: Option<Pass<'_>>,
    ) -> Result<Option<Bound>, BrokerError> {
        let chosen = agreed(catalog, instance, request)?;
        usable(instance)?;
        if let Some(predecessor) = &request.predecessor
            && self
                .adopt_predecessor(caller, chosen, instance, predecessor)
                .await?
        {
            return Ok(None);
        }
        let predecessor = self.predecessor(instance, request).await?;
        let mut details = asked(request, predecessor.as_ref());
        fits(chosen, request, &details)?;
        details.values = inherited(chosen, predecessor.as_ref());
        if let Some(failed) = &failed {
            details.values.clone_from(&failed.values);
            details.key_version.clone_from(&failed.key_version);
        }
        let manner = manner(Some(chosen.plan), request);
        let job = Self::job(caller, manner, None, None)?;
        let subject = Subject::Binding(instance.id.clone(), id);
        let operation = self.operation(Kind::Bind, subject.clone(), job.as_ref())?;
        let later = job.is_some();
        let ttl = chosen.plan.binding.ttl;
        details.ends = ttl.map(|ttl| ttl.begin(operation.started_at, caller.api_version));
        let pool = lend::lending(chosen.plan, Lend::Binding);
        let mut binding = match pool {
            Some(_) => self.bare_binding(instance, &operation, request, details)?,
            None => self.new_binding(
                caller, chosen, instance, &operation, request, details, later,
            )?,
        };
        if let Some(failed) = &failed {
            binding.created_at = failed.created_at;
        }
        let (named, answer) = (operation.id.clone(), answer_of(&binding));
        let now = operation.started_at;
        // One that failed counts already.
        let mut guards = match failed {
            None => limits::to_bind(chosen, instance),
            Some(_) => Vec::new(),
        };
        guards.extend(pool.map(|pool| {
            Self::lend_to_binding(
                catalog,
                caller,
                pool,
                (&binding, instance),
                (failed.as_ref().map(|failed| &failed.operation), now),
            )
        }));
        let act = Act::Bind {
            binding: Box::new(binding),
            expected_version: instance.version,
            replaces: failed.map(|failed| failed.operation),
        };
        let change = Change {
            operation,
            act,
            job,
            guards,
        };
        let wanted = Wanted {
            service: Some(&instance.service_id),
            plan: Some(&instance.plan_id),
            place: (&instance.organization, &instance.space),
            parameters: request.parameters.as_ref().map(Secret::expose),
        };
        match self.begin(caller, change, wanted, pass).await? {
            Begun::Done if later => {
                let reached = self.reached(&named, &subject, manner).await?;
                self.bound(&subject, reached, true).await.map(Some)
            }
            Begun::Done => {
                let (service, plan) = (&instance.service_id, &instance.plan_id);
                self.tell(caller, (Kind::Bind, &subject), Some(service), Some(plan));
                Ok(Some(Bound::Created(answer)))
            }
            Begun::Lent(act) => {
                let (service, plan) = (&instance.service_id, &instance.plan_id);
                self.tell(caller, (Kind::Bind, &subject), Some(service), Some(plan));
                Ok(Some(Bound::Created(answer_of_act(&act))))
            }
            Begun::Exhausted => Err(BrokerError::PoolExhausted),
            Begun::Unmade(why) => Err(why.into()),
            // What is there now is looked at from the start.
            Begun::Stale | Begun::BindingThere(_) => Ok(None),
            Begun::Absent => Err(BrokerError::InstanceNotFound),
            Begun::Full(full) => Err(limits::exceeded(chosen, Kind::Bind, &full)),
            other => Err(beside_the_point(&other)),
        }
    }

    /// Row 8, and row 10 for what is the same.
    async fn binding_there(
        &self,
        catalog: &Catalog,
        instance: &Instance,
        existing: &Binding,
        request: &Bind,
    ) -> Result<There, BrokerError> {
        let asked = self.bind_fingerprint(request, &existing.service_id, &existing.plan_id);
        if existing.fingerprint != asked {
            return Err(BrokerError::BindingConflict);
        }
        let last = &existing.last_operation;
        match (last.kind, last.state) {
            (Kind::Bind, State::InProgress) => {
                let chosen = catalog.choose(&instance.service_id, &instance.plan_id);
                let manner = manner(chosen.ok().map(|chosen| chosen.plan), request);
                let subject = Subject::Binding(existing.instance_id.clone(), existing.id.clone());
                let reached = self.joined(&last.id, &subject, manner).await?;
                self.bound(&subject, reached, false)
                    .await
                    .map(There::Answer)
            }
            (_, State::InProgress) => Err(BrokerError::Concurrency),
            // It goes with its instance.
            _ if instance
                .last_operation
                .is(Kind::Deprovision, State::InProgress) =>
            {
                Err(BrokerError::Concurrency)
            }
            (_, State::Failed) if existing.is_broken() => Ok(There::Failed(Failed {
                operation: last.id.clone(),
                created_at: existing.created_at,
                values: existing.details.expose().values.clone(),
                key_version: existing.details.expose().key_version.clone(),
            })),
            _ => Ok(There::Answer(Bound::AlreadyThere(answer_of(existing)))),
        }
    }

    /// The answer to a bind that was not over when it was recorded.
    async fn bound(
        &self,
        subject: &Subject,
        reached: Reached,
        first: bool,
    ) -> Result<Bound, BrokerError> {
        let Subject::Binding(instance, id) = subject else {
            return Err(BrokerError::BindingNotFound);
        };
        let found = match reached {
            Reached::Accepted(accepted) => return Ok(Bound::Accepted(accepted)),
            Reached::Done => self.store.binding(instance.clone(), id.clone()).await?,
        };
        match found {
            Lookup::Found((_, Some(binding))) if first => Ok(Bound::Created(answer_of(&binding))),
            Lookup::Found((_, Some(binding))) => Ok(Bound::AlreadyThere(answer_of(&binding))),
            // It was unbound between its end and this look.
            _ => Err(BrokerError::BindingNotFound),
        }
    }

    async fn predecessor(
        &self,
        instance: &Instance,
        request: &Bind,
    ) -> Result<Option<Binding>, BrokerError> {
        let Some(id) = &request.predecessor else {
            return Ok(None);
        };
        let invalid = |why| Err(BrokerError::PredecessorInvalid(why));
        let found = self.store.binding(instance.id.clone(), id.clone()).await?;
        let Lookup::Found((_, Some(binding))) = found else {
            return invalid("names no service binding of this service instance");
        };
        if expired(&binding, (self.clock)()) {
            return invalid("names a service binding that has expired");
        }
        if binding.is_broken() {
            return invalid("names a service binding that was never made");
        }
        match binding.last_operation.state {
            State::InProgress => Err(BrokerError::Concurrency),
            _ => Ok(Some(binding)),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all that a binding is made of")]
    pub(super) fn new_binding(
        &self,
        caller: &Caller,
        chosen: Chosen<'_>,
        instance: &Instance,
        operation: &Operation,
        request: &Bind,
        mut details: BindingDetails,
        later: bool,
    ) -> Result<Binding, BrokerError> {
        let Some(id) = operation.subject.binding() else {
            return Err(BrokerError::BindingNotFound);
        };
        let now = operation.started_at;
        let identity = caller.originating_identity.as_ref();
        details.unmade = later;
        if later {
            let scope = scope(identity, chosen, instance, id);
            made(&scope, &mut details, now)?;
        } else {
            render(identity, chosen, instance, id, &mut details, now)?;
        }
        self.bare_binding(instance, operation, request, details)
    }

    /// A binding with these details, whatever is rendered of them.
    fn bare_binding(
        &self,
        instance: &Instance,
        operation: &Operation,
        request: &Bind,
        details: BindingDetails,
    ) -> Result<Binding, BrokerError> {
        let Some(id) = operation.subject.binding() else {
            return Err(BrokerError::BindingNotFound);
        };
        let now = operation.started_at;
        Ok(Binding {
            instance_id: instance.id.clone(),
            id: id.clone(),
            service_id: instance.service_id.clone(),
            plan_id: instance.plan_id.clone(),
            app_guid: app_guid(&details).map(str::to_owned),
            last_operation: operation.standing(),
            fingerprint: self.bind_fingerprint(request, &instance.service_id, &instance.plan_id),
            created_at: now,
            details: Secret::new(details),
        })
    }

    /// With nothing remembered, the same ids come to the same answer because it is made of the ids and the document.
    fn bind_unremembered(
        &self,
        caller: &Caller,
        catalog: &Catalog,
        instance: InstanceId,
        id: &BindingId,
        request: &Bind,
    ) -> Result<Bound, BrokerError> {
        let chosen = match &request.named {
            Some((service, plan)) => bindable(choose(catalog, service, plan)?, request)?,
            None => {
                return Err(BrokerError::PredecessorInvalid(
                    "names no service binding that is remembered",
                ));
            }
        };
        let mut details = asked(request, None);
        fits(chosen, request, &details)?;
        let scope = render::BindingScope {
            instance: render::InstanceScope {
                identity: caller.originating_identity.as_ref(),
                chosen,
                id: &instance,
                organization: "",
                space: "",
            },
            details: &InstanceDetails::default(),
            id,
        };
        let now = (self.clock)();
        scope.values(&mut details, now)?;
        details.answer = scope.answer(&details, now)?;
        let subject = Subject::Binding(instance, id.clone());
        let (service, plan) = (&chosen.offering.id, &chosen.plan.id);
        self.tell(caller, (Kind::Bind, &subject), Some(service), Some(plan));
        Ok(Bound::Created(Secret::new(details.answer)))
    }

    fn bind_fingerprint(&self, request: &Bind, service: &ServiceId, plan: &PlanId) -> Fingerprint {
        fingerprint(self.store.fingerprint_key(), request, service, plan)
    }
}

/// What the plan's templates come to, at once.
pub(super) fn render(
    identity: Option<&OriginatingIdentity>,
    chosen: Chosen<'_>,
    instance: &Instance,
    id: &BindingId,
    details: &mut BindingDetails,
    now: Timestamp,
) -> Result<(), RenderError> {
    let scope = scope(identity, chosen, instance, id);
    made(&scope, details, now)?;
    details.answer = scope.answer(details, now)?;
    Ok(())
}

/// The values: made now, but for those that are there already.
fn made(
    scope: &render::BindingScope<'_>,
    details: &mut BindingDetails,
    now: Timestamp,
) -> Result<(), RenderError> {
    let there = std::mem::take(&mut details.values);
    scope.values(details, now)?;
    details.values.extend(there);
    Ok(())
}

/// The values that a successor has of its predecessor.
fn inherited(chosen: Chosen<'_>, predecessor: Option<&Binding>) -> Object {
    let Some(predecessor) = predecessor else {
        return Object::new();
    };
    let values = &predecessor.details.expose().values;
    let names = chosen.plan.binding.inherits.iter();
    names
        .filter_map(|name| Some((name.clone(), values.get(name)?.clone())))
        .collect()
}

pub(super) fn scope<'a>(
    identity: Option<&'a OriginatingIdentity>,
    chosen: Chosen<'a>,
    instance: &'a Instance,
    id: &'a BindingId,
) -> render::BindingScope<'a> {
    render::BindingScope {
        instance: render::InstanceScope {
            identity,
            chosen,
            id: &instance.id,
            organization: &instance.organization,
            space: &instance.space,
        },
        details: instance.details.expose(),
        id,
    }
}

fn answer_of_act(act: &Act) -> Secret<BindingAnswer> {
    match act {
        Act::Bind { binding, .. } => answer_of(binding),
        _ => Secret::default(),
    }
}

fn manner<'a>(plan: Option<&'a Plan>, request: &Bind) -> Manner<'a> {
    Manner {
        kind: Kind::Bind,
        plan,
        accepts_incomplete: request.accepts_incomplete,
    }
}

fn expired(binding: &Binding, now: Timestamp) -> bool {
    let ends = binding.details.expose().ends;
    if let Some(ends) = ends {
        return ends.expires_at <= now;
    }
    let metadata = binding.details.expose().answer.0.get("metadata");
    metadata
        .and_then(|metadata| metadata.get("expires_at")?.as_str())
        .and_then(parse_utc)
        .is_some_and(|expires_at| expires_at <= now.0)
}
