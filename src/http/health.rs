//! `/healthz` and `/readyz`, without credentials; they tell nothing else.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use super::Api;
use super::error::{NOT_READY, Refusal};
use crate::domain::audit::Account;

/// The process answers.
pub(super) async fn alive() -> HttpResponse {
    ok()
}

/// The broker can do its work: it is not stopping, and its store can be used.
pub(super) async fn ready(api: Data<Api>) -> HttpResponse {
    if api.stopping.load(Ordering::Relaxed) {
        return Refusal::new(NOT_READY, "The broker is stopping.").to_response();
    }
    if api.broker.account() == Account::Behind {
        let why = "The broker cannot write its audit at the moment.";
        return Refusal::new(NOT_READY, why).to_response();
    }
    match api.broker.ready().await {
        Ok(()) => ok(),
        Err(error) => {
            log::warn!("not ready: {error:?}");
            Refusal::new(NOT_READY, "The broker cannot use its store at the moment.").to_response()
        }
    }
}

fn ok() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}
