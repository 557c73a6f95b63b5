//! The door to who counts requests and shows metrics; and the page itself. It has a login, as all has but health, and needs
//! no API version: Prometheus sends none.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::Api;
use super::identity::of_all;

/// What a page of metrics comes as.
pub type Page<'a> = Pin<Box<dyn Future<Output = String> + Send + 'a>>;

/// Who counts requests, and has metrics to show.
pub trait Instruments: Send + Sync {
    /// A request was answered.
    fn answered(&self, answered: Answered<'_>);

    /// What the page is, as a content type.
    fn page_type(&self) -> &'static str;

    /// All metrics.
    fn page(&self) -> Page<'_>;
}

/// An answer, as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The route by its place in [`super::ROUTES`]; nothing where it was none of them.
    pub route: Option<usize>,
    /// The method.
    pub method: &'a str,
    /// The status.
    pub status: u16,
    /// From its head to its answer.
    pub took: Duration,
}

/// `/metrics`: plans by name, and how many live of each, so it is for no login that may see some offerings only.
pub(super) async fn page(request: HttpRequest, api: Data<Api>) -> HttpResponse {
    if let Err(refusal) = of_all(&request, "metrics are") {
        return refusal.to_response();
    }
    let instruments = &api.instruments;
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, instruments.page_type()))
        .body(instruments.page().await)
}
