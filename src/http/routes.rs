//! The route table: every endpoint there is, one line each.

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Resource, Route};

use super::error::{method_not_allowed, no_route};
use super::{admin, bindings, catalog, health, instances, instruments};

/// What the routes are called, in logs and metrics: by their paths below the base.
pub const ROUTES: &[&str] = &[
    "/v2/catalog",
    "/v2/service_instances/{instance_id}",
    "/v2/service_instances/{instance_id}/last_operation",
    "/v2/service_instances/{instance_id}/service_bindings/{binding_id}",
    "/v2/service_instances/{instance_id}/service_bindings/{binding_id}/last_operation",
    "/healthz",
    "/readyz",
    "/metrics",
    "/admin/reload",
];

/// The route that a request came to, by its place in [`ROUTES`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Routed(pub(super) usize);

impl Routed {
    /// The one with that name.
    pub(super) fn of(name: &str) -> Option<Self> {
        ROUTES.iter().position(|route| *route == name).map(Self)
    }

    /// Whether it tells of health.
    pub(super) fn is_health(self) -> bool {
        matches!(self.name(), "/healthz" | "/readyz")
    }

    pub(super) fn name(self) -> &'static str {
        ROUTES.get(self.0).copied().unwrap_or("-")
    }
}

/// All routes below `base`; what is none of them is 404, another method on one of them 405.
pub fn routes(base: &str) -> impl Fn(&mut ServiceConfig) + Clone + use<> {
    let base = base.to_owned();
    move |config| {
        // What comes here carries its name along, so that nobody has to look for it again.
        let at = |path: &str| {
            let resource = web::resource(format!("{base}{path}")).name(path);
            match Routed::of(path) {
                Some(routed) => resource.app_data(routed),
                None => resource,
            }
        };
        config
            .service(only(at("/v2/catalog"), [get().to(catalog::fetch)], "GET, HEAD"))
            .service(only(
                at("/v2/service_instances/{instance_id}"),
                [
                    web::put().to(instances::provision),
                    web::get().to(instances::fetch),
                    web::patch().to(instances::update),
                    web::delete().to(instances::deprovision),
                ],
                "GET, PUT, PATCH, DELETE",
            ))
            .service(only(
                at("/v2/service_instances/{instance_id}/last_operation"),
                [web::get().to(instances::last_operation)],
                "GET",
            ))
            .service(only(
                at("/v2/service_instances/{instance_id}/service_bindings/{binding_id}"),
                [
                    web::put().to(bindings::bind),
                    web::get().to(bindings::fetch),
                    web::delete().to(bindings::unbind),
                ],
                "GET, PUT, DELETE",
            ))
            .service(only(
                at("/v2/service_instances/{instance_id}/service_bindings/{binding_id}/last_operation"),
                [web::get().to(bindings::last_operation)],
                "GET",
            ))
            .service(only(at("/healthz"), [get().to(health::alive)], "GET, HEAD"))
            .service(only(at("/readyz"), [get().to(health::ready)], "GET, HEAD"))
            .service(only(at("/metrics"), [get().to(instruments::page)], "GET, HEAD"))
            .service(only(at("/admin/reload"), [web::post().to(admin::reload)], "POST"))
            .default_service(web::to(async || no_route()));
    }
}

/// GET, and HEAD as its like without a body.
fn get() -> Route {
    web::route().guard(actix_web::guard::fn_guard(|context| {
        let method = &context.head().method;
        *method == Method::GET || *method == Method::HEAD
    }))
}

fn only<const N: usize>(resource: Resource, routes: [Route; N], allow: &'static str) -> Resource {
    routes
        .into_iter()
        .fold(resource, Resource::route)
        .default_service(web::to(move || {
            std::future::ready(method_not_allowed(allow))
        }))
}
