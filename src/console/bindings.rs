//! Bindings of an instance, and the end of one by an operator's hand.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::acts::{desk, end, question, taken};
use super::answer::Trouble;
use super::door::Signed;
use super::input::{Form, Query, with_query};
use super::instances::{SHOWN, named};
use super::page::{Page, Section};
use super::{Console, audit, parts};
use crate::domain::binding::Binding;
use crate::domain::desk::{Desk, DeskError, Step};
use crate::domain::id::{BindingId, InstanceId};
use crate::domain::instance::Instance;
use crate::domain::names::Names;
use crate::domain::operation::{Kind, Subject};
use crate::domain::time::Timestamp;

/// Bindings in a table.
pub(super) fn table(signed: &Signed, bindings: &[Binding]) -> Markup {
    let console = &*signed.console;
    let now = (console.clock)();
    let has_end = bindings.iter().any(|binding| binding.ends_ms().0.is_some());
    html! {
        (parts::table("Bindings", &html! {
            thead {
                tr {
                    th scope="col" { "Binding" }
                    th scope="col" class="more" { "Application" }
                    th scope="col" { "Latest operation" }
                    th scope="col" class="right more" { "Bound" }
                    @if has_end { th scope="col" class="right more" { "Ends" } }
                }
            }
            tbody {
                @for binding in bindings.iter().take(SHOWN) {
                    tr {
                        th scope="row" {
                            span class="id" { (binding.id) }
                            @if let Some(app) = &binding.app_guid { span class="under less" { "for " span class="id" { (app) } } }
                            (ways(signed, binding))
                        }
                        td class="more" {
                            @match &binding.app_guid {
                                Some(app) => a class="id" href=(with_query(&console.at("/instances"), &[("app", Some(app))])) { (app) },
                                None => span class="muted" { "a key, or a route" },
                            }
                        }
                        td { a href=(parts::operation_page(console, &binding.last_operation.id)) { (parts::standing(&binding.last_operation)) } }
                        td class="right more nowrap" { (parts::ago(binding.created_at, now)) }
                        @if has_end {
                            td class="right more nowrap" {
                                @if let (Some(end), _) = binding.ends_ms() { (parts::ago(Timestamp(end), now)) }
                                @else { span class="muted" { "never" } }
                            }
                        }
                    }
                }
            }
        }))
        @if bindings.len() > SHOWN { p class="hint" { "The first " (SHOWN) " are shown." } }
    }
}

/// How many bindings an instance has, of how many it may.
pub(super) fn fill(console: &Console, instance: &Instance, bindings: u64) -> Markup {
    let catalog = console.live.now();
    let chosen = catalog.remover(&instance.service_id, &instance.plan_id);
    let most = chosen.and_then(|chosen| {
        let limits = [&chosen.offering.limits, &chosen.plan.limits];
        let most = limits.map(|limits| limits.bindings_per_instance);
        most.into_iter().flatten().min()
    });
    parts::fill(bindings, most)
}

/// Where a binding leads: its lines, and its end.
fn ways(signed: &Signed, binding: &Binding) -> Markup {
    let console = &*signed.console;
    let of_it = Some(("binding", binding.id.as_str()));
    let lines = audit::page_of(console, binding.instance_id.as_str(), of_it);
    html! {
        span class="under ways" {
            a href=(lines) { "Audit" span class="hush" { " of the binding " (binding.id) } }
            @if signed.session.may_act() {
                a href=(console.at(&expire_page(&binding.instance_id, &binding.id))) {
                    "End it…" span class="hush" { " the binding " (binding.id) }
                }
            }
        }
    }
}

fn expire_page(instance: &InstanceId, id: &BindingId) -> String {
    let names = [
        ("id", Some(instance.as_str())),
        ("binding", Some(id.as_str())),
    ];
    with_query("/binding/expire", &names)
}

/// Asks before a binding is ended.
pub(super) async fn ask_expire(signed: Signed, query: Query) -> HttpResponse {
    let page = expire_question(&signed, &query).await;
    signed.answer(Section::Instances, page)
}

/// Ends a binding.
pub(super) async fn expire(signed: Signed, query: Query, form: Form) -> HttpResponse {
    let done = async {
        signed.sent(&form)?;
        let (instance, id) = both(&query)?;
        let catalog = signed.console.live.now();
        let about = Step {
            operation: None,
            kind: Kind::Unbind,
            subject: Subject::Binding(instance.clone(), id.clone()),
        };
        let step = async move |desk: Desk| desk.expire(&catalog, &instance, &id).await;
        let operation = taken(&signed, &about, step).await?;
        Ok(parts::operation_page(&signed.console, &operation) + "&done=ended")
    };
    end(&signed, Section::Instances, done.await).await
}

/// The instance and the binding that a query names.
fn both(query: &Query) -> Result<(InstanceId, BindingId), Trouble> {
    let instance = named(query)?;
    let text = query.exact("binding").unwrap_or_default();
    let id = BindingId::parse(text)
        .map_err(|why| Trouble::Bad(format!("The id of a binding {why}.")))?;
    Ok((instance, id))
}

async fn expire_question(signed: &Signed, query: &Query) -> Result<Page, Trouble> {
    signed.may_act()?;
    let (id, binding) = both(query)?;
    let (instance, bindings) = desk(signed)?.instance(&id).await?;
    let found = bindings.into_iter().find(|found| found.id == binding);
    let found = found.ok_or(DeskError::NoBinding(id, binding))?;
    Ok(asked(signed, &instance, &found))
}

fn asked(signed: &Signed, instance: &Instance, binding: &Binding) -> Page {
    let console = &*signed.console;
    let names = Names::of(instance);
    let back = parts::instance_page(console, &instance.id);
    let words = html! {
        p class="lead" {
            "It is unbound at once, as if its platform had asked for it: whoever holds its credentials loses them. It cannot be undone."
        }
        p {
            "Its platform is not told, and shows the binding until somebody unbinds it there; that is then answered as done. \
             A new bind makes new credentials."
        }
    };
    let body = html! {
        div class="card" {
            dl class="facts" {
                dt { "Binding" } dd class="id" { (binding.id) }
                @if let Some(app) = &binding.app_guid { dt { "Application" } dd class="id" { (app) } }
                @if let Some(name) = &names.instance { dt { "Instance" } dd { (name) } }
                dt { "Instance id" } dd { (parts::id(instance.id.as_str(), &back)) }
                dt { "Latest operation" } dd { (parts::standing(&binding.last_operation)) }
                dt { "Bound" } dd { (parts::at(binding.created_at)) }
                @if let (Some(ends), _) = binding.ends_ms() { dt { "Ends" } dd { (parts::at(Timestamp(ends))) } }
            }
        }
        (question(console, signed, &expire_page(&instance.id, &binding.id), &back, &words, "End it"))
    };
    Page::new("End this binding?", Section::Instances, body)
}
