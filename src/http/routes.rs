//! The route table: every endpoint there is, one line each.

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Resource, Route};

use super::error::{method_not_allowed, no_route};
use super::{bindings, catalog, health, instances};

/// All routes below `base`; what is none of them is 404, another method on one of them 405.
pub fn routes(base: &str) -> impl Fn(&mut ServiceConfig) + Clone + use<> {
    let base = base.to_owned();
    move |config| {
        // Named by its path below the base: that is what the log calls it.
        let at = |path: &str| web::resource(format!("{base}{path}")).name(path);
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
