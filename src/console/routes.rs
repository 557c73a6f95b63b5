//! The table of pages: one line each.

use actix_web::guard::fn_guard;
use actix_web::http::Method;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpResponse, Resource, Route};

use super::answer::Trouble;
use super::door::Signed;
use super::page::Section;
use super::{
    Console, acts, answer, audit, bindings, document, door, instances, limits, offering,
    operations, style,
};

/// All pages of the console.
pub fn routes(console: &Data<Console>) -> impl Fn(&mut ServiceConfig) + Clone + use<> {
    let console = console.clone();
    move |config| {
        let base = &console.base;
        // Named by its path below the API's base: that is what the log calls it.
        let at =
            |page: &str| web::resource(format!("{base}{page}")).name(&format!("/console{page}"));
        let page = |path: &str, route: Route| only(at(path), [route], "GET, HEAD");
        config
            .app_data(console.clone())
            .service(page("", get().to(offering::list)))
            .service(page("/", get().to(home)))
            .service(page("/offering", get().to(offering::show)))
            .service(page("/instances", get().to(instances::list)))
            .service(page("/instance", get().to(instances::show)))
            .service(asking(
                "/instance/forget",
                &at,
                get().to(acts::ask_forget),
                web::post().to(acts::forget),
            ))
            .service(asking(
                "/binding/expire",
                &at,
                get().to(bindings::ask_expire),
                web::post().to(bindings::expire),
            ))
            .service(page("/operations", get().to(operations::list)))
            .service(page("/operation", get().to(operations::show)))
            .service(asking(
                "/operation/retry",
                &at,
                get().to(acts::ask_retry),
                web::post().to(acts::retry),
            ))
            .service(asking(
                "/operation/give-up",
                &at,
                get().to(acts::ask_give_up),
                web::post().to(acts::give_up),
            ))
            .service(page("/limits", get().to(limits::show)))
            .service(page("/audit", get().to(audit::show)))
            .service(page("/document", get().to(document::show)))
            .service(asking(
                "/sign-in",
                &at,
                get().to(door::show),
                web::post().to(door::enter),
            ))
            .service(only(at("/sign-out"), [web::post().to(door::leave)], "POST"))
            .service(page(&style::PAGE, get().to(style::fetch)))
            .service(at("/{page:.*}").default_service(web::to(no_page)));
    }
}

/// A page that asks, and what it asks for.
fn asking(path: &str, at: &impl Fn(&str) -> Resource, ask: Route, act: Route) -> Resource {
    only(at(path), [ask, act], "GET, HEAD, POST")
}

/// GET, and HEAD as its like without a body.
fn get() -> Route {
    web::route().guard(fn_guard(|context| {
        let method = &context.head().method;
        *method == Method::GET || *method == Method::HEAD
    }))
}

fn only<const N: usize>(resource: Resource, routes: [Route; N], allow: &'static str) -> Resource {
    routes
        .into_iter()
        .fold(resource, Resource::route)
        .default_service(web::to(move |signed: Signed| async move {
            signed.answer(Section::Nowhere, Err(Trouble::Method(allow)))
        }))
}

async fn home(console: Data<Console>) -> HttpResponse {
    answer::see(&console.base)
}

async fn no_page(signed: Signed) -> HttpResponse {
    let why = "There is no such page. The pages are above.";
    signed.answer(Section::Nowhere, Err(Trouble::NotThere(why.to_owned())))
}
