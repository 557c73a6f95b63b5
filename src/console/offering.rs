//! What is offered, as a marketplace shows it, and how each plan fares.

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::Value;

use super::answer::Trouble;
use super::census::{Counted, Health};
use super::door::Signed;
use super::input::{Query, with_query};
use super::page::{Page, Section};
use super::{Console, parts};
use crate::domain::catalog::Catalog;
use crate::domain::id::ServiceId;
use crate::domain::json::Object;
use crate::domain::ledger::{Counts, PlanCount};
use crate::domain::offering::{Chosen, Offering, Plan};
use crate::domain::operation::State;

/// All offerings.
pub(super) async fn list(signed: Signed) -> HttpResponse {
    let page = all(&signed.console).await;
    signed.answer(Section::Offering, page)
}

/// One offering.
pub(super) async fn show(signed: Signed, query: Query) -> HttpResponse {
    let page = one(&signed.console, query.exact("id").unwrap_or_default()).await;
    signed.answer(Section::Offering, page)
}

impl Console {
    /// How much there is; nothing where nothing is remembered.
    pub(super) async fn counted(&self) -> Result<Option<Counted>, Trouble> {
        Ok(match &self.desk {
            Some(desk) => Some(self.census.of(self.clock, desk.census()).await?),
            None => None,
        })
    }
}

async fn all(console: &Console) -> Result<Page, Trouble> {
    let catalog = console.live.now();
    let counted = console.counted().await?;
    let counts = counted.as_ref().map(|counted| &*counted.counts);
    let body = html! {
        @if let Some(counts) = counts { (sums(console, counts)) }
        @else { (forgetful()) }
        @for offering in catalog.offerings() {
            section class="card offering" aria-label=(shown_name(offering)) {
                (heading(console, offering, true))
                (plans(console, offering, counts))
            }
        }
        @if let Some(counts) = counts { (withdrawn(&catalog, counts)) }
    };
    Ok(Page::new("Offering", Section::Offering, body))
}

async fn one(console: &Console, id: &str) -> Result<Page, Trouble> {
    let catalog = console.live.now();
    let service = ServiceId::parse(id).ok();
    let all = catalog.offerings().iter().chain(catalog.hidden());
    let found = service.and_then(|service| all.into_iter().find(|offering| offering.id == service));
    let Some(offering) = found else {
        return Err(Trouble::NotThere(
            "The catalog has no service of that id.".to_owned(),
        ));
    };
    let counted = console.counted().await?;
    let counts = counted.as_ref().map(|counted| &*counted.counts);
    let body = html! {
        div class="card offering" { (heading(console, offering, false)) (facts(offering)) }
        h2 { "Plans" }
        div class="plans" {
            @for plan in &offering.plans { (card(console, Chosen { offering, plan }, counts)) }
        }
    };
    Ok(Page::new(shown_name(offering), Section::Offering, body))
}

/// What is said where nothing can be counted.
pub(super) fn forgetful() -> Markup {
    parts::nothing(
        "This broker remembers nothing (store none): there are no instances, bindings and operations to show.",
    )
}

fn sums(console: &Console, counts: &Counts) -> Markup {
    let now = (console.clock)();
    let instances = Health::of(&counts.instances, |_| true);
    let bindings = Health::of(&counts.bindings, |_| true);
    let under_way = in_state(counts, State::InProgress);
    html! {
        dl class="sums" {
            div { dt { "Instances" } dd { (parts::grouped(instances.all)) @if instances.failed > 0 { " " span class="bad" { (parts::grouped(instances.failed)) " failed" } } } }
            div { dt { "Bindings" } dd { (parts::grouped(bindings.all)) @if bindings.failed > 0 { " " span class="bad" { (parts::grouped(bindings.failed)) " failed" } } } }
            div { dt { "Operations under way" } dd { (parts::grouped(under_way)) } }
            div {
                dt { "Oldest of them" }
                dd {
                    @match &counts.oldest {
                        Some(oldest) => a href=(parts::operation_page(console, &oldest.operation.id)) { (parts::ago(oldest.operation.started_at, now)) },
                        None => span class="muted" { "none" },
                    }
                }
            }
        }
    }
}

fn in_state(counts: &Counts, state: State) -> u64 {
    let all = counts.operations.iter();
    all.filter(|(known, _)| *known == state)
        .map(|(_, count)| count)
        .sum()
}

/// Name, description and picture.
fn heading(console: &Console, offering: &Offering, leads_on: bool) -> Markup {
    let name = shown_name(offering);
    let metadata = offering.metadata.as_ref();
    html! {
        div class="heading" {
            (picture(metadata, &name))
            div {
                @if leads_on {
                    h2 { a href=(with_query(&console.at("/offering"), &[("id", Some(offering.id.as_str()))])) { (name) } }
                }
                p class="muted" {
                    code { (offering.name) }
                    @if let Some(provider) = text(metadata, "providerDisplayName") { " by " (provider) }
                    @for tag in offering.tags.iter().flatten() { " " span class="tag" { (tag) } }
                }
                p { (offering.description) }
            }
        }
    }
}

fn facts(offering: &Offering) -> Markup {
    let metadata = offering.metadata.as_ref();
    html! {
        @if let Some(long) = text(metadata, "longDescription") { p class="long" { (long) } }
        dl class="facts" {
            dt { "Id" } dd class="id" { (offering.id) }
            dt { "Bindable" } dd { (yes(offering.bindable)) }
            @if let Some(requires) = offering.requires.as_ref().filter(|requires| !requires.is_empty()) {
                dt { "Requires" } dd { (requires.join(", ")) }
            }
            @for (key, name) in [("documentationUrl", "Documentation"), ("supportUrl", "Support")] {
                @if let Some(url) = text(metadata, key) {
                    dt { (name) } dd { (link(url)) }
                }
            }
        }
    }
}

/// An address of the document: a link only where it leads to a page, for it might be a script.
fn link(url: &str) -> Markup {
    let lower = url.to_ascii_lowercase();
    html! {
        @if lower.starts_with("https://") || lower.starts_with("http://") {
            a href=(url) rel="noreferrer noopener external" { (url) }
        } @else { (url) }
    }
}

/// A picture that is in the document itself; no request leaves the origin, so of all others there is a letter.
fn picture(metadata: Option<&Object>, name: &str) -> Markup {
    let url = text(metadata, "imageUrl").filter(|url| {
        let lower: String = url.chars().take(11).collect();
        lower.eq_ignore_ascii_case("data:image/")
    });
    let letter: String = name
        .chars()
        .find(|char| char.is_alphanumeric())
        .map_or_else(
            || "?".to_owned(),
            |letter| letter.to_uppercase().to_string(),
        );
    html! {
        @match url {
            Some(url) => img class="picture" src=(url) alt="" width="44" height="44";,
            None => span class="picture" aria-hidden="true" { (letter) },
        }
    }
}

fn plans(console: &Console, offering: &Offering, counts: Option<&Counts>) -> Markup {
    let label = format!("Plans of {}", shown_name(offering));
    let rows = html! {
        thead {
            tr {
                th scope="col" { "Plan" }
                th scope="col" class="more" { "Cost" }
                @if counts.is_some() {
                    th scope="col" class="right" { "Instances" }
                    th scope="col" class="right" { "Failed" }
                    th scope="col" class="right" { "Under way" }
                }
            }
        }
        tbody {
            @for plan in &offering.plans {
                tr {
                    th scope="row" {
                        span class="strong" { (plan.name) }
                        span class="under" { (plan.description) }
                        span class="under less" { (cost(plan)) }
                    }
                    td class="more" { (cost(plan)) }
                    @if let Some(counts) = counts {
                        @let health = Health::of_plan(&counts.instances, &offering.id, &plan.id);
                        td class="right" {
                            a href=(instances_of(console, plan, None)) {
                                (parts::fill(health.all, plan.limits.instances))
                                span class="hush" { " instances of " (plan.name) }
                            }
                        }
                        td class="right" { (linked(console, plan, health.failed, State::Failed, "bad")) }
                        td class="right" { (linked(console, plan, health.under_way, State::InProgress, "run")) }
                    }
                }
            }
        }
    };
    parts::table(&label, &rows)
}

fn linked(console: &Console, plan: &Plan, number: u64, state: State, class: &str) -> Markup {
    html! {
        @if number == 0 { (parts::count(0, class)) }
        @else {
            a href=(instances_of(console, plan, Some(state))) {
                (parts::count(number, class))
                span class="hush" { " instances of " (plan.name) ", " (state.name()) }
            }
        }
    }
}

fn instances_of(console: &Console, plan: &Plan, state: Option<State>) -> String {
    with_query(
        &console.at("/instances"),
        &[
            ("plan", Some(plan.id.as_str())),
            ("state", state.map(State::name)),
        ],
    )
}

/// A plan as a marketplace shows it, and what else there is to know.
fn card(console: &Console, chosen: Chosen<'_>, counts: Option<&Counts>) -> Markup {
    let plan = chosen.plan;
    let metadata = plan.metadata.as_ref();
    let title = text(metadata, "displayName").unwrap_or(&plan.name);
    html! {
        section class="card plan" aria-label=(title) {
            h3 { (title) }
            @if title != &*plan.name { p class="muted" { code { (plan.name) } } }
            p class="price" { (cost(plan)) }
            p { (plan.description) }
            @if let Some(bullets) = metadata.and_then(|metadata| metadata.get("bullets")).and_then(Value::as_array) {
                ul class="bullets" {
                    @for bullet in bullets.iter().filter_map(Value::as_str) { li { (bullet) } }
                }
            }
            dl class="facts" {
                dt { "Id" } dd class="id" { (plan.id) }
                dt { "Bindable" } dd { (yes(chosen.bindable())) }
                dt { "Moves to" }
                dd {
                    @let moves: Vec<&str> = chosen.moves().map(|plan| &*plan.name).collect();
                    @if moves.is_empty() { span class="muted" { "no other plan" } } @else { (moves.join(", ")) }
                }
                @if let Some(maintenance) = &plan.maintenance_info {
                    dt { "Maintenance" } dd { (maintenance.version) }
                }
                dt { "Backend" }
                dd { (plan.backend.kind()) @if plan.backend.name() != plan.backend.kind() { " " span class="muted" { (plan.backend.name()) } } }
                @if let Some(counts) = counts { (health(console, chosen, counts)) }
            }
        }
    }
}

fn health(console: &Console, chosen: Chosen<'_>, counts: &Counts) -> Markup {
    let (offering, plan) = (chosen.offering, chosen.plan);
    let instances = Health::of_plan(&counts.instances, &offering.id, &plan.id);
    let bindings = Health::of_plan(&counts.bindings, &offering.id, &plan.id);
    html! {
        dt { "Instances" }
        dd {
            a href=(instances_of(console, plan, None)) {
                (parts::fill(instances.all, plan.limits.instances))
                span class="hush" { " instances of " (plan.name) }
            }
            @if instances.failed > 0 { " " span class="bad" { (parts::grouped(instances.failed)) " failed" } }
            @if instances.under_way > 0 { " " span class="run" { (parts::grouped(instances.under_way)) " under way" } }
        }
        dt { "Bindings" }
        dd {
            (parts::grouped(bindings.all))
            @if bindings.failed > 0 { " " span class="bad" { (parts::grouped(bindings.failed)) " failed" } }
        }
    }
}

/// Plans that have instances and are not offered.
fn withdrawn(catalog: &Catalog, counts: &Counts) -> Markup {
    let mut plans: Vec<&PlanCount> = Vec::new();
    for count in &counts.instances {
        let is_new = plans.iter().all(|known| {
            (&known.service_id, &known.plan_id) != (&count.service_id, &count.plan_id)
        });
        if is_new && catalog.choose(&count.service_id, &count.plan_id).is_err() {
            plans.push(count);
        }
    }
    html! {
        @if !plans.is_empty() {
            section class="card" aria-labelledby="withdrawn" {
                h2 id="withdrawn" { "Not offered any more" }
                p class="muted" { "These plans have instances. A hidden one still takes them away." }
                (parts::table("Plans that are not offered", &html! {
                    thead { tr { th scope="col" { "Plan" } th scope="col" { "In the catalog" } th scope="col" class="right" { "Instances" } } }
                    tbody {
                        @for plan in plans {
                            @let hidden = catalog.remover(&plan.service_id, &plan.plan_id);
                            tr {
                                th scope="row" {
                                    @match hidden {
                                        Some(chosen) => { (chosen.offering.name) "/" (chosen.plan.name) },
                                        None => span class="id" { (plan.service_id) "/" (plan.plan_id) },
                                    }
                                }
                                td { @if hidden.is_some() { "hidden" } @else { span class="bad" { "gone" } } }
                                td class="right" { (parts::grouped(Health::of_plan(&counts.instances, &plan.service_id, &plan.plan_id).all)) }
                            }
                        }
                    }
                }))
            }
        }
    }
}

fn shown_name(offering: &Offering) -> String {
    let name = text(offering.metadata.as_ref(), "displayName");
    name.unwrap_or(&offering.name).to_owned()
}

fn text<'m>(metadata: Option<&'m Object>, key: &str) -> Option<&'m str> {
    metadata?.get(key)?.as_str().filter(|text| !text.is_empty())
}

const fn yes(truth: bool) -> &'static str {
    if truth { "yes" } else { "no" }
}

/// What a plan costs, as Cloud Foundry's tools read it (profile, "Cost Object"): absent, it is free unless it says otherwise.
fn cost(plan: &Plan) -> Markup {
    let costs = plan
        .metadata
        .as_ref()
        .and_then(|metadata| metadata.get("costs"));
    let costs: Vec<String> = costs
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(priced)
        .collect();
    html! {
        @if !costs.is_empty() { @for cost in &costs { span class="cost" { (cost) } } }
        @else if plan.free.unwrap_or(true) { "free" }
        @else { span class="muted" { "not free" } }
    }
}

fn priced(cost: &Value) -> Option<String> {
    let amounts = cost.get("amount")?.as_object()?.iter();
    let amounts: Vec<String> = amounts
        .filter_map(|(currency, amount)| {
            let amount = amount.as_f64()?;
            Some(format!("{amount:.2} {}", currency.to_uppercase()))
        })
        .collect();
    let unit = cost.get("unit").and_then(Value::as_str).unwrap_or_default();
    let per = match &*unit.to_uppercase() {
        "" => String::new(),
        "MONTHLY" => " a month".to_owned(),
        "HOURLY" => " an hour".to_owned(),
        "DAILY" => " a day".to_owned(),
        "YEARLY" => " a year".to_owned(),
        _ => format!(" for {unit}"),
    };
    (!amounts.is_empty()).then(|| format!("{}{per}", amounts.join(" or ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cost_is_a_sentence() {
        for (cost, text) in [
            (
                json!({ "amount": { "usd": 99.0 }, "unit": "MONTHLY" }),
                Some("99.00 USD a month"),
            ),
            (
                json!({ "amount": { "usd": 1, "eur": 0.5 }, "unit": "1 GB" }),
                Some("1.00 USD or 0.50 EUR for 1 GB"),
            ),
            (json!({ "amount": {} }), None),
            (json!({ "amount": { "usd": "x" } }), None),
            (json!("free"), None),
        ] {
            assert_eq!(priced(&cost).as_deref(), text, "{cost}");
        }
    }

    #[test]
    fn only_what_is_in_the_document_is_a_picture() {
        let shown = |url: &str| {
            let metadata = json!({ "imageUrl": url });
            picture(metadata.as_object(), "<b>").into_string()
        };
        assert!(shown("data:image/png;base64,AA==").starts_with("<img"));
        for other in [
            "https://example.com/a.png",
            "data:text/html,x",
            "//example.com",
            "DATA:IMAGE",
        ] {
            let shown = shown(other);
            assert!(
                !shown.contains("<img") && shown.contains(">B</span>"),
                "{shown}"
            );
        }
    }

    #[test]
    fn only_a_page_is_a_link() {
        assert!(
            link("https://example.com/?a=\"")
                .into_string()
                .starts_with("<a href=\"https://example.com/?a=&quot;\"")
        );
        for other in [
            "javascript:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "ftp://x",
        ] {
            assert!(!link(other).into_string().contains("<a"), "{other}");
        }
    }
}
