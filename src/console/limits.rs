//! Limits and pools, and how full they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::answer::Trouble;
use super::census::Health;
use super::door::Signed;
use super::page::{Page, Section};
use super::{Console, fullest, parts};
use crate::domain::catalog::Catalog;
use crate::domain::ledger::Counts;
use crate::domain::limits::Limits;
use crate::domain::offering::Offering;
use crate::domain::pool::{Lend, Pool, Reuse, Standing};
use crate::domain::time::Timestamp;

/// The page.
pub(super) async fn show(signed: Signed) -> HttpResponse {
    let page = page(&signed.console).await;
    signed.answer(Section::Limits, page)
}

async fn page(console: &Console) -> Result<Page, Trouble> {
    let catalog = console.live.now();
    let counted = console.counted().await?;
    let nothing = Counts::default();
    let counts = counted
        .as_ref()
        .map_or(&nothing, |counted| &*counted.counts);
    let limits = limited(&catalog, counts);
    let pools = pools(&catalog);
    let nearest = fullest::section(console, &catalog).await?;
    let body = html! {
        h2 { "Limits" }
        @if limits.is_empty() { (parts::nothing("The catalog sets no limits.")) }
        @else { (limits_table(&limits)) }
        (nearest)
        h2 { "Pools" }
        @if pools.is_empty() { (parts::nothing("The catalog has no pools.")) }
        @else { (pools_table(&pools, counts, (console.clock)())) }
    };
    Ok(Page::new("Limits and pools", Section::Limits, body))
}

/// What has limits, how many instances of it there are, and the limits.
struct Limited<'c> {
    name: String,
    instances: u64,
    limits: &'c Limits,
}

fn limited<'c>(catalog: &'c Catalog, counts: &Counts) -> Vec<Limited<'c>> {
    let mut all = Vec::new();
    for offering in catalog.offerings() {
        let health = Health::of(&counts.instances, |count| count.service_id == offering.id);
        all.extend(limited_one(
            offering.name.to_string(),
            health,
            &offering.limits,
        ));
        for plan in &offering.plans {
            let health = Health::of_plan(&counts.instances, &offering.id, &plan.id);
            all.extend(limited_one(
                name(offering, &plan.name),
                health,
                &plan.limits,
            ));
        }
    }
    all
}

fn limited_one(name: String, health: Health, limits: &Limits) -> Option<Limited<'_>> {
    (*limits != Limits::default()).then_some(Limited {
        name,
        instances: health.all,
        limits,
    })
}

fn name(offering: &Offering, plan: &str) -> String {
    format!("{}/{plan}", offering.name)
}

fn limits_table(all: &[Limited<'_>]) -> Markup {
    let most = |most: Option<u64>| {
        html! {
            @match most {
                Some(most) => (parts::grouped(most)),
                None => span class="muted" { "none" },
            }
        }
    };
    parts::table(
        "Limits",
        &html! {
            thead {
                tr {
                    th scope="col" { "Service or plan" }
                    th scope="col" class="right" { "Instances" }
                    th scope="col" class="right" { "Each organization" }
                    th scope="col" class="right" { "Each space" }
                    th scope="col" class="right" { "Bindings each" }
                    th scope="col" class="more" { "Ask for more" }
                }
            }
            tbody {
                @for limited in all {
                    tr {
                        th scope="row" { (limited.name) }
                        td class="right" { (parts::fill(limited.instances, limited.limits.instances)) }
                        td class="right" { (most(limited.limits.per_organization)) }
                        td class="right" { (most(limited.limits.per_space)) }
                        td class="right" { (most(limited.limits.bindings_per_instance)) }
                        td class="more" { (limited.limits.contact.as_deref().unwrap_or_default()) }
                    }
                }
            }
        },
    )
}

/// Pools by name, as each plan that shares one has it, with the plan's name.
type Pools<'c> = BTreeMap<Arc<str>, Vec<(&'c Pool, String)>>;

fn pools(catalog: &Catalog) -> Pools<'_> {
    let mut pools: Pools<'_> = BTreeMap::new();
    for offering in catalog.offerings().iter().chain(catalog.hidden()) {
        for plan in &offering.plans {
            if let Some(pool) = plan.backend.pool() {
                let plans = pools.entry(Arc::clone(&pool.name)).or_default();
                plans.push((pool, name(offering, &plan.name)));
            }
        }
    }
    pools
}

fn pools_table(pools: &Pools<'_>, counts: &Counts, now: Timestamp) -> Markup {
    let nobody = BTreeMap::new();
    parts::table(
        "Pools",
        &html! {
            thead {
                tr {
                    th scope="col" { "Pool" }
                    th scope="col" class="right" { "Lent" }
                    th scope="col" class="right" { "Free" }
                    th scope="col" class="right" { "Resting" }
                    th scope="col" class="more" { "Lent to, again" }
                    th scope="col" class="more" { "Plans" }
                }
            }
            tbody {
                @for (name, plans) in pools {
                    @let count = counts.pools.iter().find(|count| *count.pool == **name);
                    @let ever_lent = count.map_or(&nobody, |count| &count.ever_lent);
                    @let of_plans: Vec<&Pool> = plans.iter().map(|(pool, _)| *pool).collect();
                    @let standing = Standing::of(&of_plans, ever_lent, now);
                    @let all = standing.held + standing.free + standing.resting;
                    tr {
                        th scope="row" { (name) }
                        td class="right" { (parts::fill(standing.held as u64, Some(all as u64))) }
                        td class="right" { (parts::grouped(standing.free as u64)) }
                        td class="right" { (parts::grouped(standing.resting as u64)) }
                        td class="more" {
                            @if let Some(pool) = of_plans.first() { (lent_to(pool.lend)) ", " (again(pool.reuse)) }
                        }
                        td class="more" { @for (_, plan) in plans { span class="cost" { (plan) } } }
                    }
                }
            }
        },
    )
}

const fn lent_to(lend: Lend) -> &'static str {
    match lend {
        Lend::Binding => "a binding",
        Lend::Instance => "an instance",
    }
}

fn again(reuse: Reuse) -> String {
    match reuse {
        Reuse::AtOnce => "at once".to_owned(),
        Reuse::After(rest) => format!("after {} s", rest.as_secs()),
        Reuse::Never => "never".to_owned(),
    }
}
