//! Provision (specification, "Provisioning").

use std::sync::Arc;

use serde_json::json;

use super::begin::Wanted;
use super::{
    Broker, Manner, Provision, Provisioned, Reached, TRIES, beside_the_point, choose, lend, limits,
    maintenance_agrees, parameters_fit, random, takes_in,
};
use crate::domain::answer::InstanceAnswer;
use crate::domain::caller::{Caller, OriginatingIdentity};
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::InstanceId;
use crate::domain::instance::{Instance, InstanceDetails};
use crate::domain::json::{Fingerprint, FingerprintKey};
use crate::domain::offering::{Chosen, Plan};
use crate::domain::operation::{Kind, Operation, State, Subject};
use crate::domain::pool::Lend;
use crate::domain::render;
use crate::domain::store::{Act, Begun, Change, Lookup};
use crate::domain::time::Timestamp;
use crate::secret::Secret;
use crate::template::RenderError;

/// What a provision finds that is there already.
enum There {
    /// This is the answer.
    Answer(Provisioned),
    /// It was never made to its end, and is asked for again.
    Failed(Box<Instance>),
}

impl Broker {
    /// Makes an instance. The store decides who was first; all others are compared with that one.
    pub async fn provision(
        &self,
        caller: &Caller,
        id: InstanceId,
        request: Provision,
    ) -> Result<Provisioned, BrokerError> {
        let catalog = self.catalog_for(caller);
        let acceptable = Self::acceptable(&catalog, &request).and_then(|chosen| {
            takes_in(chosen.plan, Kind::Provision, (self.clock)())?;
            manner(Some(chosen.plan), &request).agreed()?;
            Ok(chosen)
        });
        let chosen = match acceptable {
            Ok(chosen) => chosen,
            Err(complaint) => {
                return self
                    .settle(caller, &catalog, &id, &request, complaint)
                    .await;
            }
        };
        let wanted = Wanted {
            service: Some(&request.service_id),
            plan: Some(&request.plan_id),
            place: (&request.organization, &request.space),
            parameters: Some(request.parameters.expose()),
        };
        let mut failed = None;
        for _ in 0..TRIES {
            let change =
                self.provision_change(&catalog, caller, chosen, (&id, &request), failed.take())?;
            let (operation, later) = (change.operation.clone(), change.job.is_some());
            let answer = answer_of(&change.act);
            match self.begin(caller, change, wanted).await? {
                Begun::Done if later => {
                    let manner = manner(Some(chosen.plan), &request);
                    let reached = self.reached(&operation.id, &operation.subject, manner);
                    return self.provisioned(&id, reached.await?, true).await;
                }
                Begun::Done | Begun::Unrecorded => {
                    let what = (Kind::Provision, &operation.subject);
                    let (service, plan) = (&request.service_id, &request.plan_id);
                    self.tell(caller, what, Some(service), Some(plan));
                    return Ok(Provisioned::Created(answer));
                }
                Begun::InstanceThere(existing) => {
                    match self.there(&catalog, *existing, &request).await? {
                        There::Answer(answer) => return Ok(answer),
                        There::Failed(instance) => failed = Some(instance),
                    }
                }
                Begun::Lent(act) => {
                    let what = (Kind::Provision, &operation.subject);
                    let (service, plan) = (&request.service_id, &request.plan_id);
                    self.tell(caller, what, Some(service), Some(plan));
                    return Ok(Provisioned::Created(answer_of(&act)));
                }
                Begun::Exhausted => return Err(BrokerError::PoolExhausted),
                Begun::Unmade(why) => return Err(why.into()),
                Begun::Full(full) => return Err(limits::exceeded(chosen, Kind::Provision, &full)),
                Begun::Stale | Begun::Absent => {}
                other @ (Begun::BindingThere(_) | Begun::Busy | Begun::Taken(_)) => {
                    return Err(beside_the_point(&other));
                }
            }
        }
        Err(BrokerError::Concurrency)
    }

    fn provision_change(
        &self,
        catalog: &Arc<Catalog>,
        caller: &Caller,
        chosen: Chosen<'_>,
        (id, request): (&InstanceId, &Provision),
        failed: Option<Box<Instance>>,
    ) -> Result<Change, BrokerError> {
        let job = Self::job(caller, manner(Some(chosen.plan), request), None, None)?;
        let subject = Subject::Instance(id.clone());
        let operation = self.operation(Kind::Provision, subject, job.as_ref())?;
        let pool = lend::lending(chosen.plan, Lend::Instance);
        let details = if pool.is_some() {
            asked(chosen, request)
        } else {
            let identity = caller.originating_identity.as_ref();
            let now = operation.started_at;
            let made = failed.as_ref().map(|failed| failed.details.expose());
            details(identity, chosen, id, request, (now, made), job.is_some())?
        };
        let mut instance = self.new_instance(chosen, request, &operation, details)?;
        let replaces = failed.as_ref().map(|failed| failed.version);
        if let Some(failed) = failed {
            instance.version = failed.version + 1;
            instance.created_at = failed.created_at;
            // What the backend left by half is its own to find again.
            let mut details = instance.details.into_exposed();
            details.state = failed.details.into_exposed().state;
            instance.details = Secret::new(details);
        }
        // One that failed counts already.
        let mut guards = match replaces {
            None => limits::to_provision(chosen, request),
            Some(_) => Vec::new(),
        };
        guards.extend(pool.map(|pool| {
            Self::lend_to_instance(catalog, caller, pool, (&instance, request), replaces)
        }));
        Ok(Change {
            operation,
            act: Act::Provision {
                instance: Box::new(instance),
                replaces,
            },
            job,
            guards,
        })
    }

    /// Rows 6, 11 and 13.
    pub(super) fn acceptable<'a>(
        catalog: &'a Catalog,
        request: &Provision,
    ) -> Result<Chosen<'a>, BrokerError> {
        let chosen = choose(catalog, &request.service_id, &request.plan_id)?;
        maintenance_agrees(Some(chosen.plan), request.maintenance_version.as_deref())?;
        parameters_fit(
            chosen.plan.schemas.instance_create.as_ref(),
            request.parameters.expose(),
        )?;
        Ok(chosen)
    }

    /// What is answered to a request that could not make a new instance: row 8 comes before 11, 13 and 14, so an
    /// instance that is there already speaks first.
    async fn settle(
        &self,
        caller: &Caller,
        catalog: &Catalog,
        id: &InstanceId,
        request: &Provision,
        complaint: BrokerError,
    ) -> Result<Provisioned, BrokerError> {
        let Lookup::Found(existing) = self.instance_for(caller, id.clone()).await? else {
            return Err(complaint);
        };
        let recorded =
            existing.service_id == request.service_id && existing.knows_plan(&request.plan_id);
        match complaint {
            BrokerError::ServiceNotInCatalog(_) | BrokerError::PlanNotInCatalog(..)
                if !recorded =>
            {
                return Err(complaint);
            }
            // Of what still runs a repeat is a repeat, whatever maintenance it names by now.
            BrokerError::MaintenanceInfoConflict { .. }
                if !existing.last_operation.in_progress() && self.is_same(&existing, request) =>
            {
                return Err(complaint);
            }
            _ => {}
        }
        match self.there(catalog, existing, request).await? {
            There::Answer(answer) => Ok(answer),
            There::Failed(_) => Err(complaint),
        }
    }

    /// Row 8, and row 10 for what is the same.
    async fn there(
        &self,
        catalog: &Catalog,
        existing: Instance,
        request: &Provision,
    ) -> Result<There, BrokerError> {
        if !self.is_same(&existing, request) {
            return Err(BrokerError::InstanceConflict);
        }
        let last = &existing.last_operation;
        match (last.kind, last.state) {
            (Kind::Provision, State::InProgress) => {
                let chosen = catalog.choose(&existing.service_id, &existing.plan_id);
                let manner = manner(chosen.ok().map(|chosen| chosen.plan), request);
                let subject = Subject::Instance(existing.id.clone());
                let reached = self.joined(&last.id, &subject, manner).await?;
                let answer = self.provisioned(&existing.id, reached, false).await?;
                Ok(There::Answer(answer))
            }
            (_, State::Failed) if existing.is_broken() => Ok(There::Failed(Box::new(existing))),
            (Kind::Deprovision, State::InProgress) => Err(BrokerError::Concurrency),
            _ => Ok(There::Answer(Provisioned::AlreadyThere(
                existing.details.into_exposed().answer,
            ))),
        }
    }

    /// The answer to a provision that was not over when it was recorded.
    async fn provisioned(
        &self,
        id: &InstanceId,
        reached: Reached,
        first: bool,
    ) -> Result<Provisioned, BrokerError> {
        let answer = self.instance_answer(id).await?;
        Ok(match reached {
            Reached::Accepted(accepted) => Provisioned::Accepted(accepted, answer),
            Reached::Done if first => Provisioned::Created(answer),
            Reached::Done => Provisioned::AlreadyThere(answer),
        })
    }

    fn new_instance(
        &self,
        chosen: Chosen<'_>,
        request: &Provision,
        operation: &Operation,
        details: InstanceDetails,
    ) -> Result<Instance, BrokerError> {
        let now = operation.started_at;
        let id = operation.subject.instance();
        Ok(Instance {
            id: id.clone(),
            service_id: request.service_id.clone(),
            plan_id: request.plan_id.clone(),
            organization: request.organization.clone(),
            space: request.space.clone(),
            last_operation: operation.standing(),
            version: first_version()?,
            backend: Self::acting(chosen.plan),
            fingerprint: fingerprint(self.store.fingerprint_key(), request),
            created_at: now,
            updated_at: now,
            details: Secret::new(details),
        })
    }

    /// The same offering, plan, organization, space and parameters; context may change between repeats. Of one that was
    /// adopted what is known of them.
    fn is_same(&self, existing: &Instance, request: &Provision) -> bool {
        let key = self.store.fingerprint_key();
        existing.fingerprint
            == if existing.details.expose().adopted {
                known_fingerprint(key, request, (&existing.organization, &existing.space))
            } else {
                fingerprint(key, request)
            }
    }
}

/// Offering, plan, organization, space and parameters: what a repeat is compared by.
pub(super) fn fingerprint(key: &FingerprintKey, request: &Provision) -> Fingerprint {
    key.of(&json!([
        request.service_id.as_str(),
        request.plan_id.as_str(),
        request.organization,
        request.space,
        request.parameters.expose(),
    ]))
}

/// Of an instance that was made elsewhere: parameters count for nothing, nor do organization and space where they are not
/// known, which is to say empty.
pub(super) fn known_fingerprint(
    key: &FingerprintKey,
    request: &Provision,
    (organization, space): (&str, &str),
) -> Fingerprint {
    let known = |known: &str, asked: &str| {
        let asked = Some(asked).filter(|_| !known.is_empty());
        asked.map(str::to_owned)
    };
    key.of(&json!([
        request.service_id.as_str(),
        request.plan_id.as_str(),
        known(organization, &request.organization),
        known(space, &request.space),
    ]))
}

fn manner<'a>(plan: Option<&'a Plan>, request: &Provision) -> Manner<'a> {
    Manner {
        kind: Kind::Provision,
        plan,
        accepts_incomplete: request.accepts_incomplete,
    }
}

fn answer_of(act: &Act) -> InstanceAnswer {
    match act {
        Act::Provision { instance, .. } => instance.details.expose().answer.clone(),
        _ => InstanceAnswer::default(),
    }
}

/// A start of its own for each instance: one that is made again of an id must not pass for the one that a change has
/// seen. Two bits stay free for the way up.
pub(super) fn first_version() -> Result<i64, BrokerError> {
    Ok(i64::from_ne_bytes(random()?) & (i64::MAX >> 1))
}

/// What is remembered of a new instance: what was asked, and what the plan's templates came to. Where a backend
/// acts and is waited for in place, the answer waits for what it returns. `made` is one that failed: what its attempts made
/// in the world bears the names that its values are.
pub(super) fn details(
    identity: Option<&OriginatingIdentity>,
    chosen: Chosen<'_>,
    id: &InstanceId,
    request: &Provision,
    (now, made): (Timestamp, Option<&InstanceDetails>),
    acts: bool,
) -> Result<InstanceDetails, BrokerError> {
    let mut details = asked(chosen, request);
    let scope = render::InstanceScope {
        identity,
        chosen,
        id,
        organization: &request.organization,
        space: &request.space,
    };
    details.key_version = made.and_then(|made| made.key_version.clone());
    scope.values(&mut details, now)?;
    if let Some(made) = made {
        details.values.extend(made.values.clone());
    }
    details.unmade = acts;
    if !(acts && render::waits_for_outputs(chosen.plan, Kind::Provision)) {
        details.answer = scope.answer(&details, now)?;
    }
    Ok(details)
}

/// What the plan's templates come to, at once.
pub(super) fn render(
    identity: Option<&OriginatingIdentity>,
    chosen: Chosen<'_>,
    id: &InstanceId,
    request: &Provision,
    details: &mut InstanceDetails,
    now: Timestamp,
) -> Result<(), RenderError> {
    let scope = render::InstanceScope {
        identity,
        chosen,
        id,
        organization: &request.organization,
        space: &request.space,
    };
    scope.values(details, now)?;
    details.answer = scope.answer(details, now)?;
    Ok(())
}

/// What was asked for, before anything is rendered.
pub(super) fn asked(chosen: Chosen<'_>, request: &Provision) -> InstanceDetails {
    InstanceDetails {
        parameters: request.parameters.expose().clone(),
        context: request.context.expose().clone(),
        maintenance_version: chosen
            .plan
            .maintenance_info
            .as_ref()
            .map(|info| info.version.to_string()),
        ..InstanceDetails::default()
    }
}
