//! Update (specification, "Updating a Service Instance").

use serde_json::json;

use super::begin::Wanted;
use super::{
    Broker, Manner, Reached, TRIES, Update, Updated, beside_the_point, choose, limits,
    maintenance_agrees, parameters_fit, takes_in,
};
use crate::domain::answer::InstanceAnswer;
use crate::domain::caller::Caller;
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{InstanceId, PlanId};
use crate::domain::instance::{Instance, InstanceDetails};
use crate::domain::json::{Fingerprint, Object};
use crate::domain::live::Pass;
use crate::domain::offering::{Chosen, Plan};
use crate::domain::operation::{Kind, Operation, State, Subject, Target};
use crate::domain::render;
use crate::domain::store::{Act, Begun, Change, Lookup};
use crate::domain::time::Timestamp;
use crate::secret::Secret;

impl Broker {
    /// Changes plan, parameters, context or maintenance of an instance; what the request leaves out stays.
    pub async fn update(
        &self,
        caller: &Caller,
        id: InstanceId,
        request: Update,
    ) -> Result<Updated, BrokerError> {
        let mut pass = Some(self.live.pass().await);
        let catalog = self.catalog_for(caller);
        let mut turn = None;
        for _ in 0..TRIES {
            let instance = match self.instance_for(caller, id.clone()).await? {
                Lookup::Found(instance) => instance,
                Lookup::Absent => {
                    offered(&catalog, &request, None)?;
                    if self
                        .adopt_to_update(caller, &catalog, &id, &request)
                        .await?
                    {
                        continue;
                    }
                    return Err(BrokerError::InstanceNotFound);
                }
                Lookup::Unknowable => {
                    return unremembered(&catalog, &request).map(Updated::Done);
                }
            };
            if let Some(updated) = self
                .try_update(caller, &catalog, instance, &request, pass.take())
                .await?
            {
                return Ok(updated);
            }
            if turn.is_none() {
                turn = Some(self.turns.take(&id).await);
            }
        }
        Err(BrokerError::Concurrency)
    }

    /// One try; nothing where others changed the instance meanwhile.
    async fn try_update(
        &self,
        caller: &Caller,
        catalog: &Catalog,
        instance: Instance,
        request: &Update,
        pass: Option<Pass<'_>>,
    ) -> Result<Option<Updated>, BrokerError> {
        agreed(catalog, &instance, request)?;
        // What is under way is recorded, and waited for.
        let pass = pass.filter(|_| instance.last_operation.state != State::InProgress);
        if let Some(updated) = self.under_way(catalog, &instance, request).await? {
            return Ok(Some(updated));
        }
        let target = target(catalog, &instance, request, (self.clock)())?;
        let place = (instance.organization.clone(), instance.space.clone());
        let change = self.update_change(caller, target, instance, request)?;
        let (operation, later) = (change.operation.clone(), change.job.is_some());
        let (answer, plan_id) = outcome(&change.act);
        let wanted = Wanted {
            service: Some(&request.service_id),
            plan: plan_id.as_ref(),
            place: (&place.0, &place.1),
            parameters: request.parameters.as_ref().map(Secret::expose),
        };
        match self.begin(caller, change, wanted, pass).await? {
            Begun::Done if later => {
                let manner = manner(target.map(|chosen| chosen.plan), request);
                let reached = self.reached(&operation.id, &operation.subject, manner);
                self.updated(&operation, reached.await?).await.map(Some)
            }
            Begun::Done => {
                let what = (Kind::Update, &operation.subject);
                self.tell(caller, what, Some(&request.service_id), plan_id.as_ref());
                Ok(Some(Updated::Done(answer)))
            }
            Begun::Stale => Ok(None),
            Begun::Busy => Err(BrokerError::Concurrency),
            Begun::Absent => Err(BrokerError::InstanceNotFound),
            Begun::Full(full) => Err(match target {
                Some(chosen) => limits::exceeded(chosen, Kind::Update, &full),
                None => beside_the_point(&Begun::Full(full)),
            }),
            other => Err(beside_the_point(&other)),
        }
    }

    /// Row 10: what runs already. The same update sent again is the same answer; nothing where nothing is in the way.
    async fn under_way(
        &self,
        catalog: &Catalog,
        instance: &Instance,
        request: &Update,
    ) -> Result<Option<Updated>, BrokerError> {
        let last = &instance.last_operation;
        match (last.kind, last.state) {
            (Kind::Update, State::InProgress) => {}
            (_, State::InProgress) => return Err(BrokerError::Concurrency),
            _ if instance.is_broken() => return Err(BrokerError::InstanceNotUsable),
            _ => return Ok(None),
        }
        let subject = Subject::Instance(instance.id.clone());
        let running = self.store.operation(subject, Some(last.id.clone())).await?;
        let Lookup::Found(running) = running else {
            return Err(BrokerError::Concurrency);
        };
        if running.fingerprint != Some(self.update_fingerprint(request)) {
            return Err(BrokerError::Concurrency);
        }
        let plan_id = request.plan_id.as_ref().unwrap_or(&instance.plan_id);
        let chosen = catalog.choose(&instance.service_id, plan_id).ok();
        let manner = manner(chosen.map(|chosen| chosen.plan), request);
        let reached = self.joined(&running.id, &running.subject, manner).await?;
        self.updated(&running, reached).await.map(Some)
    }

    /// The answer to an update that was not over when it was recorded. A 202 carries the new dashboard where the store
    /// has it already; an answer in place has it always.
    async fn updated(
        &self,
        operation: &Operation,
        reached: Reached,
    ) -> Result<Updated, BrokerError> {
        let answer = self.instance_answer(operation.subject.instance()).await?;
        Ok(match reached {
            Reached::Accepted(accepted) => Updated::Accepted(accepted, answer),
            Reached::Done => Updated::Done(answer),
        })
    }

    fn update_change(
        &self,
        caller: &Caller,
        target: Option<Chosen<'_>>,
        instance: Instance,
        request: &Update,
    ) -> Result<Change, BrokerError> {
        let expected_version = instance.version;
        let guards = target.map_or_else(Vec::new, |chosen| limits::to_move(chosen, &instance));
        let subject = Subject::Instance(instance.id.clone());
        let plan = target.map(|chosen| chosen.plan);
        let mut job = Self::job(caller, manner(plan, request), None, None)?;
        let mut operation = self.operation(Kind::Update, subject, job.as_ref())?;
        let now = operation.started_at;
        let mut after = changed(caller, target, instance.clone(), request, now)?;
        if let Some(job) = &mut job {
            operation.fingerprint = Some(self.update_fingerprint(request));
            let asked = after.plan_id.clone();
            let mut task = job.task.expose().clone();
            task.update = Some(Box::new(Target {
                plan_id: after.plan_id,
                details: after.details.into_exposed(),
            }));
            job.task = Secret::new(task);
            after = remembering(instance, &asked);
        }
        after.version = expected_version + 1;
        after.updated_at = now;
        after.last_operation = operation.standing();
        Ok(Change {
            operation,
            act: Act::Update {
                instance: Box::new(after),
                expected_version,
            },
            job,
            guards,
        })
    }

    /// Offering, plan, parameters and maintenance; context may change between repeats.
    fn update_fingerprint(&self, request: &Update) -> Fingerprint {
        self.store.fingerprint_key().of(&json!([
            request.service_id.as_str(),
            request.plan_id.as_ref().map(PlanId::as_str),
            request.parameters.as_ref().map(Secret::expose),
            request.maintenance_version,
        ]))
    }
}

fn manner<'a>(plan: Option<&'a Plan>, request: &Update) -> Manner<'a> {
    Manner {
        kind: Kind::Update,
        plan,
        accepts_incomplete: request.accepts_incomplete,
    }
}

/// The instance as it is, with the plan that it was asked to have: a platform that never heard how the update went may
/// name that one in a DELETE.
fn remembering(mut instance: Instance, asked: &PlanId) -> Instance {
    if !instance.knows_plan(asked) {
        let mut details = std::mem::take(&mut instance.details).into_exposed();
        details.former_plans.push(asked.as_str().to_owned());
        instance.details = Secret::new(details);
    }
    instance
}

fn outcome(act: &Act) -> (InstanceAnswer, Option<PlanId>) {
    match act {
        Act::Update { instance, .. } => (
            instance.details.expose().answer.clone(),
            Some(instance.plan_id.clone()),
        ),
        _ => (InstanceAnswer::default(), None),
    }
}

/// The instance as the update makes it.
fn changed(
    caller: &Caller,
    target: Option<Chosen<'_>>,
    mut instance: Instance,
    request: &Update,
    now: Timestamp,
) -> Result<Instance, BrokerError> {
    let mut details = std::mem::take(&mut instance.details).into_exposed();
    if let Some(parameters) = &request.parameters {
        details.parameters.extend(parameters.expose().clone());
    }
    if let Some(context) = &request.context {
        details.context.clone_from(context.expose());
    }
    if let Some(chosen) = target {
        move_to(chosen, &mut instance, &mut details, request);
        derive_on(chosen.plan, &mut details);
        let scope = render::InstanceScope {
            identity: caller.originating_identity.as_ref(),
            chosen,
            id: &instance.id,
            organization: &instance.organization,
            space: &instance.space,
        };
        details.answer = scope.answer(&details, now)?;
    }
    instance.details = Secret::new(details);
    Ok(instance)
}

/// Rows 6 and 9.
fn agreed(catalog: &Catalog, instance: &Instance, request: &Update) -> Result<(), BrokerError> {
    offered(catalog, request, Some(instance))?;
    if request.service_id == instance.service_id {
        Ok(())
    } else {
        Err(BrokerError::ServiceMismatch)
    }
}

/// Rows 11, 12 and 13. Nothing where the instance's plan has left the catalog: then only its context can change.
fn target<'a>(
    catalog: &'a Catalog,
    instance: &Instance,
    request: &Update,
    now: Timestamp,
) -> Result<Option<Chosen<'a>>, BrokerError> {
    let plan_id = request.plan_id.as_ref().unwrap_or(&instance.plan_id);
    let current = catalog.choose(&instance.service_id, &instance.plan_id).ok();
    let chosen = catalog.choose(&instance.service_id, plan_id).ok();
    maintenance_agrees(
        chosen.map(|chosen| chosen.plan),
        request.maintenance_version.as_deref(),
    )?;
    if *plan_id != instance.plan_id && !current.is_some_and(|chosen| chosen.updateable()) {
        return Err(BrokerError::PlanChangeNotSupported);
    }
    if let (Some(current), Some(chosen)) = (current, chosen)
        && *plan_id != instance.plan_id
        && !current.may_move_to(chosen.plan)
    {
        return Err(BrokerError::MoveNotAllowed {
            from: current.plan.name.to_string(),
            to: current.moves().map(|plan| plan.name.to_string()).collect(),
        });
    }
    if let Some(chosen) = chosen
        && *plan_id != instance.plan_id
    {
        takes_in(chosen.plan, Kind::Update, now)?;
    }
    let Some(chosen) = chosen else {
        return if request.parameters.is_some() {
            Err(BrokerError::UpdateWithdrawn(plan_id.clone()))
        } else {
            Ok(None)
        };
    };
    update_fits(
        chosen,
        &instance.plan_id,
        instance.details.expose(),
        request,
    )?;
    Ok(Some(chosen))
}

/// Row 6: what is named is of the catalog, or of the instance's record.
fn offered(
    catalog: &Catalog,
    request: &Update,
    instance: Option<&Instance>,
) -> Result<(), BrokerError> {
    let recorded = instance.is_some_and(|instance| {
        instance.service_id == request.service_id
            && request
                .plan_id
                .as_ref()
                .is_none_or(|plan| *plan == instance.plan_id)
    });
    if recorded {
        return Ok(());
    }
    match &request.plan_id {
        Some(plan) => choose(catalog, &request.service_id, plan).map(|_| ()),
        None if catalog.offering(&request.service_id).is_some() => Ok(()),
        None => Err(BrokerError::ServiceNotInCatalog(request.service_id.clone())),
    }
}

/// Row 13: what is sent against the plan's `update` schema, what comes of it against its `create` schema.
fn update_fits(
    chosen: Chosen<'_>,
    plan_now: &PlanId,
    details: &InstanceDetails,
    request: &Update,
) -> Result<(), BrokerError> {
    let sent = request.parameters.as_ref().map(Secret::expose);
    if let Some(sent) = sent {
        parameters_fit(chosen.plan.schemas.instance_update.as_ref(), sent)?;
    }
    // Of what was adopted the parameters that it has are not known.
    if details.adopted || (sent.is_none() && chosen.plan.id == *plan_now) {
        return Ok(());
    }
    let mut union: Object = details.parameters.clone();
    union.extend(sent.cloned().unwrap_or_default());
    parameters_fit(chosen.plan.schemas.instance_create.as_ref(), &union)
}

fn move_to(
    chosen: Chosen<'_>,
    instance: &mut Instance,
    details: &mut InstanceDetails,
    request: &Update,
) {
    let moves = chosen.plan.id != instance.plan_id;
    if moves {
        let former = instance.plan_id.as_str().to_owned();
        details.former_plans.retain(|plan| *plan != former);
        details.former_plans.push(former);
        instance.plan_id = chosen.plan.id.clone();
    }
    // Rows passed: a version that is named is the catalog's, so it is the one that the instance has from now on.
    if moves || request.maintenance_version.is_some() {
        details.maintenance_version = chosen
            .plan
            .maintenance_info
            .as_ref()
            .map(|info| info.version.to_string());
    }
}

/// What is rendered again is derived with the key that the instance was made with, as long as there is that one.
fn derive_on(plan: &Plan, details: &mut InstanceDetails) {
    if let Some(keys) = &plan.keys {
        let there = |version: &String| keys.get(version).is_some();
        let kept = details.key_version.take().filter(there);
        details.key_version = kept.or_else(|| Some(keys.current().to_string()));
    }
}

/// With nothing remembered, an update changes nothing: what can be checked is.
fn unremembered(catalog: &Catalog, request: &Update) -> Result<InstanceAnswer, BrokerError> {
    offered(catalog, request, None)?;
    if let Some(chosen) = request
        .plan_id
        .as_ref()
        .and_then(|plan| catalog.choose(&request.service_id, plan).ok())
    {
        maintenance_agrees(Some(chosen.plan), request.maintenance_version.as_deref())?;
        if let Some(sent) = &request.parameters {
            parameters_fit(chosen.plan.schemas.instance_update.as_ref(), sent.expose())?;
        }
    }
    Ok(InstanceAnswer::default())
}
