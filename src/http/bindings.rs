//! Bindings: extract, one call, answer.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::audit::note;
use super::error::Refusal;
use super::identity::Called;
use super::input::{AtBinding, Body, Query};
use super::instances::{operation, polled, removed};
use super::log_line::name;
use super::{Api, tracing, wire};
use crate::domain::broker::Bound;
use crate::domain::operation::Subject;
use crate::secret::Secret;

/// `PUT /v2/service_instances/:instance_id/service_bindings/:binding_id`.
pub(super) async fn bind(
    request: HttpRequest,
    api: Data<Api>,
    Called(caller): Called,
    AtBinding(instance, id): AtBinding,
    query: Query,
    body: Body,
) -> Result<HttpResponse, Refusal> {
    query.each_once()?;
    let asked = wire::bind(body, &query)?;
    if let Some((service, plan)) = &asked.named {
        name(&request, service, Some(plan));
    }
    let parameters = asked.parameters.as_ref().map(Secret::expose);
    note(&request, &api, (None, None), parameters);
    log::trace!("{caller:?} binds {id} to {instance}: {asked:?}");
    let bound = api.broker.bind(&caller, instance, id, asked).await?;
    log::trace!("{bound:?}");
    Ok(match bound {
        Bound::Created(answer) => HttpResponse::Created().json(&answer.expose().0),
        Bound::AlreadyThere(answer) => HttpResponse::Ok().json(&answer.expose().0),
        Bound::Accepted(accepted) => {
            let body = wire::answer::accepted(&accepted);
            tracing::accepted(accepted, body)
        }
    })
}

/// `GET /v2/service_instances/:instance_id/service_bindings/:binding_id`.
pub(super) async fn fetch(
    api: Data<Api>,
    Called(caller): Called,
    AtBinding(instance, id): AtBinding,
) -> Result<HttpResponse, Refusal> {
    let binding = api.broker.fetch_binding(&caller, instance, id).await?;
    log::trace!("{caller:?} fetches {binding:?}");
    Ok(HttpResponse::Ok().json(wire::answer::binding(&binding)))
}

/// `DELETE /v2/service_instances/:instance_id/service_bindings/:binding_id`.
pub(super) async fn unbind(
    request: HttpRequest,
    api: Data<Api>,
    Called(caller): Called,
    AtBinding(instance, id): AtBinding,
    query: Query,
) -> Result<HttpResponse, Refusal> {
    let named = wire::removal(&query);
    if let Ok(service) = &named.service_id {
        name(&request, service, named.plan_id.as_ref().ok());
    }
    removed(
        api.broker.unbind(&caller, instance, id, named).await?,
        "service binding",
    )
}

/// `GET /v2/service_instances/:instance_id/service_bindings/:binding_id/last_operation`.
pub(super) async fn last_operation(
    api: Data<Api>,
    Called(caller): Called,
    AtBinding(instance, id): AtBinding,
    query: Query,
) -> Result<HttpResponse, Refusal> {
    let polled_at = api
        .broker
        .poll(&caller, Subject::Binding(instance, id), operation(&query)?)
        .await?;
    polled(polled_at, "service binding")
}
