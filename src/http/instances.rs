//! Instances: extract, one call, answer.

use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::audit::note;
use super::error::{GONE, Refusal};
use super::identity::Called;
use super::input::{AtInstance, Body, Query};
use super::log_line::name;
use super::{Api, tracing, wire};
use crate::domain::broker::{Polled, Provisioned, Removed, Updated};
use crate::domain::id::OperationId;
use crate::domain::operation::Subject;
use crate::secret::Secret;

/// `PUT /v2/service_instances/:instance_id`.
pub(super) async fn provision(
    request: HttpRequest,
    api: Data<Api>,
    Called(caller): Called,
    AtInstance(id): AtInstance,
    query: Query,
    body: Body,
) -> Result<HttpResponse, Refusal> {
    query.each_once()?;
    let asked = wire::provision(body, &query)?;
    name(&request, &asked.service_id, Some(&asked.plan_id));
    let place = (Some(&*asked.organization), Some(&*asked.space));
    note(&request, &api, place, Some(asked.parameters.expose()));
    log::trace!("{caller:?} provisions {id}: {asked:?}");
    Ok(match api.broker.provision(&caller, id, asked).await? {
        Provisioned::Created(answer) => {
            HttpResponse::Created().json(wire::answer::instance_answer(&answer))
        }
        Provisioned::AlreadyThere(answer) => {
            HttpResponse::Ok().json(wire::answer::instance_answer(&answer))
        }
        Provisioned::Accepted(accepted, answer) => {
            let body = wire::answer::instance_accepted(&accepted, &answer);
            tracing::accepted(accepted, body)
        }
    })
}

/// `GET /v2/service_instances/:instance_id`.
pub(super) async fn fetch(
    api: Data<Api>,
    Called(caller): Called,
    AtInstance(id): AtInstance,
) -> Result<HttpResponse, Refusal> {
    let instance = api.broker.fetch_instance(&caller, id).await?;
    log::trace!("{caller:?} fetches {instance:?}");
    Ok(HttpResponse::Ok().json(wire::answer::instance(&instance)))
}

/// `PATCH /v2/service_instances/:instance_id`.
pub(super) async fn update(
    request: HttpRequest,
    api: Data<Api>,
    Called(caller): Called,
    AtInstance(id): AtInstance,
    query: Query,
    body: Body,
) -> Result<HttpResponse, Refusal> {
    query.each_once()?;
    let asked = wire::update(body, &query)?;
    name(&request, &asked.service_id, asked.plan_id.as_ref());
    let parameters = asked.parameters.as_ref().map(Secret::expose);
    note(&request, &api, (None, None), parameters);
    log::trace!("{caller:?} updates {id}: {asked:?}");
    Ok(match api.broker.update(&caller, id, asked).await? {
        Updated::Done(answer) => HttpResponse::Ok().json(wire::answer::instance_answer(&answer)),
        Updated::Accepted(accepted, answer) => {
            let body = wire::answer::instance_accepted(&accepted, &answer);
            tracing::accepted(accepted, body)
        }
    })
}

/// `DELETE /v2/service_instances/:instance_id`.
pub(super) async fn deprovision(
    request: HttpRequest,
    api: Data<Api>,
    Called(caller): Called,
    AtInstance(id): AtInstance,
    query: Query,
) -> Result<HttpResponse, Refusal> {
    let named = wire::removal(&query);
    if let Ok(service) = &named.service_id {
        name(&request, service, named.plan_id.as_ref().ok());
    }
    removed(
        api.broker.deprovision(&caller, id, named).await?,
        "service instance",
    )
}

/// `GET /v2/service_instances/:instance_id/last_operation`.
pub(super) async fn last_operation(
    api: Data<Api>,
    Called(caller): Called,
    AtInstance(id): AtInstance,
    query: Query,
) -> Result<HttpResponse, Refusal> {
    polled(
        api.broker
            .poll(&caller, Subject::Instance(id), operation(&query)?)
            .await?,
        "service instance",
    )
}

/// `operation` of a poll: one that cannot be an id of ours counts as absent, like one that is not known.
pub(super) fn operation(query: &Query) -> Result<Option<OperationId>, Refusal> {
    query.each_once()?;
    Ok(query
        .optional("operation")?
        .and_then(|text| OperationId::parse(text).ok()))
}

pub(super) fn removed(removed: Removed, what: &str) -> Result<HttpResponse, Refusal> {
    match removed {
        Removed::Now => Ok(HttpResponse::Ok().json(serde_json::json!({}))),
        Removed::Accepted(accepted) => {
            let body = wire::answer::accepted(&accepted);
            Ok(tracing::accepted(accepted, body))
        }
        Removed::Before => Err(gone(what)),
    }
}

pub(super) fn polled(polled: Polled, what: &str) -> Result<HttpResponse, Refusal> {
    match polled {
        Polled::At {
            state,
            report,
            poll_after,
        } => {
            let mut response = HttpResponse::Ok();
            if let Some(wait) = poll_after {
                response.insert_header((RETRY_AFTER, wait.as_secs().max(1).to_string()));
            }
            Ok(response.json(wire::answer::last_operation(state, &report)))
        }
        Polled::Gone => Err(gone(what)),
    }
}

fn gone(what: &str) -> Refusal {
    Refusal::new(
        GONE,
        format!("There is no such {what} any more: nothing is left to do."),
    )
}
