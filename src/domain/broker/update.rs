//! Update (specification, "Updating a Service Instance").

use super::{
    Broker, TRIES, Update, beside_the_point, choose, maintenance_agrees, parameters_fit, render,
};
use crate::domain::answer::InstanceAnswer;
use crate::domain::caller::Caller;
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::{InstanceId, PlanId};
use crate::domain::instance::{Instance, InstanceDetails};
use crate::domain::json::Object;
use crate::domain::offering::Chosen;
use crate::domain::operation::{Kind, Subject};
use crate::domain::store::{Act, Begun, Change, Lookup};
use crate::secret::Secret;

impl Broker {
    /// Changes plan, parameters, context or maintenance of an instance; what the request leaves out stays.
    pub async fn update(
        &self,
        caller: &Caller,
        id: InstanceId,
        request: Update,
    ) -> Result<InstanceAnswer, BrokerError> {
        let catalog = self.catalog();
        let mut turn = None;
        for _ in 0..TRIES {
            let instance = match self.store.instance(id.clone()).await? {
                Lookup::Found(instance) => instance,
                Lookup::Absent => {
                    offered(&catalog, &request, None)?;
                    return Err(BrokerError::InstanceNotFound);
                }
                Lookup::Unknowable => return unremembered(&catalog, &request),
            };
            if let Some(answer) = self
                .try_update(caller, &catalog, instance, &request)
                .await?
            {
                return Ok(answer);
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
    ) -> Result<Option<InstanceAnswer>, BrokerError> {
        let target = target(catalog, &instance, request)?;
        let expected_version = instance.version;
        let changed = self.changed(caller, target, instance, request)?;
        let answer = changed.details.expose().answer.clone();
        let subject = Subject::Instance(changed.id.clone());
        let plan_id = changed.plan_id.clone();
        let operation = self.operation(
            target.map(|chosen| chosen.plan),
            Kind::Update,
            subject.clone(),
        )?;
        match self
            .store
            .begin(Change {
                operation,
                act: Act::Update {
                    instance: Box::new(changed),
                    expected_version,
                },
            })
            .await?
        {
            Begun::Done => {
                self.tell(
                    caller,
                    Kind::Update,
                    &subject,
                    Some(&request.service_id),
                    Some(&plan_id),
                );
                Ok(Some(answer))
            }
            Begun::Stale => Ok(None),
            Begun::Absent => Err(BrokerError::InstanceNotFound),
            other => Err(beside_the_point(&other)),
        }
    }

    fn changed(
        &self,
        caller: &Caller,
        target: Option<Chosen<'_>>,
        mut instance: Instance,
        request: &Update,
    ) -> Result<Instance, BrokerError> {
        let now = (self.clock)();
        let mut details = std::mem::take(&mut instance.details).into_exposed();
        if let Some(parameters) = &request.parameters {
            details.parameters.extend(parameters.expose().clone());
        }
        if let Some(context) = &request.context {
            details.context.clone_from(context.expose());
        }
        if let Some(chosen) = target {
            move_to(chosen, &mut instance, &mut details, request);
            let scope = render::InstanceScope {
                caller,
                chosen,
                id: &instance.id,
                organization: &instance.organization,
                space: &instance.space,
            };
            details.answer = scope.answer(&details, now)?;
        }
        instance.version += 1;
        instance.updated_at = now;
        instance.details = Secret::new(details);
        Ok(instance)
    }
}

/// Rows 6, 9, 11, 12 and 13. Nothing where the instance's plan has left the catalog: then only its context can change.
fn target<'a>(
    catalog: &'a Catalog,
    instance: &Instance,
    request: &Update,
) -> Result<Option<Chosen<'a>>, BrokerError> {
    offered(catalog, request, Some(instance))?;
    if request.service_id != instance.service_id {
        return Err(BrokerError::ServiceMismatch);
    }
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
    if sent.is_none() && chosen.plan.id == *plan_now {
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
