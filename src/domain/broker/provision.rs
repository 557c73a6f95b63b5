//! Provision (specification, "Provisioning").

use serde_json::json;

use super::{
    Broker, Provision, Provisioned, already_there, beside_the_point, choose, maintenance_agrees,
    parameters_fit, random, render,
};
use crate::domain::caller::Caller;
use crate::domain::catalog::Catalog;
use crate::domain::error::BrokerError;
use crate::domain::id::InstanceId;
use crate::domain::instance::{Instance, InstanceDetails};
use crate::domain::json::Fingerprint;
use crate::domain::offering::Chosen;
use crate::domain::operation::{Kind, State, Subject};
use crate::domain::store::{Act, Begun, Change, Lookup};
use crate::domain::time::Timestamp;
use crate::secret::Secret;

impl Broker {
    /// Makes an instance. The store decides who was first; all others are compared with that one.
    pub async fn provision(
        &self,
        caller: &Caller,
        id: InstanceId,
        request: Provision,
    ) -> Result<Provisioned, BrokerError> {
        let catalog = self.catalog();
        let chosen = match Self::acceptable(&catalog, &request) {
            Ok(chosen) => chosen,
            Err(complaint) => return self.settle(&id, &request, complaint).await,
        };
        let instance = self.new_instance(caller, chosen, id.clone(), &request)?;
        let answer = instance.details.expose().answer.clone();
        let operation =
            self.operation(Some(chosen.plan), Kind::Provision, Subject::Instance(id))?;
        let subject = operation.subject.clone();
        match self
            .store
            .begin(Change {
                operation,
                act: Act::Provision(Box::new(instance)),
            })
            .await?
        {
            Begun::Done | Begun::Unrecorded => {
                self.tell(
                    caller,
                    Kind::Provision,
                    &subject,
                    Some(&request.service_id),
                    Some(&request.plan_id),
                );
                Ok(Provisioned::Created(answer))
            }
            Begun::InstanceThere(existing) if self.is_same(&existing, &request) => {
                Ok(already_there(&existing))
            }
            Begun::InstanceThere(_) => Err(BrokerError::InstanceConflict),
            other => Err(beside_the_point(&other)),
        }
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

    /// What is answered to a request that could not make a new instance: row 8 comes before 11 and 13, so an instance
    /// that is there already speaks first.
    async fn settle(
        &self,
        id: &InstanceId,
        request: &Provision,
        complaint: BrokerError,
    ) -> Result<Provisioned, BrokerError> {
        let Lookup::Found(existing) = self.store.instance(id.clone()).await? else {
            return Err(complaint);
        };
        let recorded =
            existing.service_id == request.service_id && existing.knows_plan(&request.plan_id);
        match complaint {
            BrokerError::ServiceNotInCatalog(_) | BrokerError::PlanNotInCatalog(..)
                if !recorded =>
            {
                Err(complaint)
            }
            _ if !self.is_same(&existing, request) => Err(BrokerError::InstanceConflict),
            BrokerError::MaintenanceInfoConflict { .. } => Err(complaint),
            _ => Ok(already_there(&existing)),
        }
    }

    fn new_instance(
        &self,
        caller: &Caller,
        chosen: Chosen<'_>,
        id: InstanceId,
        request: &Provision,
    ) -> Result<Instance, BrokerError> {
        let now = (self.clock)();
        let details = details(caller, chosen, &id, request, now)?;
        Ok(Instance {
            id,
            service_id: request.service_id.clone(),
            plan_id: request.plan_id.clone(),
            organization: request.organization.clone(),
            space: request.space.clone(),
            state: State::Succeeded,
            version: first_version()?,
            fingerprint: self.provision_fingerprint(request),
            created_at: now,
            updated_at: now,
            details: Secret::new(details),
        })
    }

    /// The same offering, plan, organization, space and parameters; context may change between repeats.
    fn is_same(&self, existing: &Instance, request: &Provision) -> bool {
        existing.fingerprint == self.provision_fingerprint(request)
    }

    fn provision_fingerprint(&self, request: &Provision) -> Fingerprint {
        self.store.fingerprint_key().of(&json!([
            request.service_id.as_str(),
            request.plan_id.as_str(),
            request.organization,
            request.space,
            request.parameters.expose(),
        ]))
    }
}

/// A start of its own for each instance: one that is made again of an id must not pass for the one that a change has
/// seen. Two bits stay free for the way up.
fn first_version() -> Result<i64, BrokerError> {
    Ok(i64::from_ne_bytes(random()?) & (i64::MAX >> 1))
}

/// What is remembered of a new instance: what was asked, and what the plan's templates came to.
pub(super) fn details(
    caller: &Caller,
    chosen: Chosen<'_>,
    id: &InstanceId,
    request: &Provision,
    now: Timestamp,
) -> Result<InstanceDetails, BrokerError> {
    let mut details = InstanceDetails {
        parameters: request.parameters.expose().clone(),
        context: request.context.expose().clone(),
        maintenance_version: chosen
            .plan
            .maintenance_info
            .as_ref()
            .map(|info| info.version.to_string()),
        ..InstanceDetails::default()
    };
    let scope = render::InstanceScope {
        caller,
        chosen,
        id,
        organization: &request.organization,
        space: &request.space,
    };
    details.values = scope.values(&details, now)?;
    details.answer = scope.answer(&details, now)?;
    Ok(details)
}
