//! The organizations and spaces that are nearest to their limits.

use maud::{Markup, html};

use super::answer::Trouble;
use super::input::with_query;
use super::{Console, parts};
use crate::domain::catalog::Catalog;
use crate::domain::desk::{Desk, DeskError};
use crate::domain::fullest::{Each, FullestQuery};
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::limits::Limits;

/// How many of each are shown.
const SHOWN: u32 = 3;

/// What has a limit for each organization or space, and where it is nearest.
pub(super) struct Fullest {
    service: ServiceId,
    plan: Option<PlanId>,
    /// The offering, and the plan if it is one's.
    name: String,
    each: Each,
    most: u64,
    /// The fullest first.
    places: Vec<(String, u64)>,
}

impl Fullest {
    /// What the catalog sets, nothing counted yet.
    fn all(catalog: &Catalog) -> Vec<Self> {
        let mut all = Vec::new();
        for offering in catalog.offerings() {
            let mut add = |plan: Option<&PlanId>, name: &str, limits: &Limits| {
                let limits = [
                    (Each::Organization, limits.per_organization),
                    (Each::Space, limits.per_space),
                ];
                all.extend(limits.into_iter().filter_map(|(each, most)| {
                    Some(Self {
                        service: offering.id.clone(),
                        plan: plan.cloned(),
                        name: name.to_owned(),
                        each,
                        most: most?,
                        places: Vec::new(),
                    })
                }));
            };
            add(None, &offering.name, &offering.limits);
            for plan in &offering.plans {
                let name = format!("{}/{}", offering.name, plan.name);
                add(Some(&plan.id), &name, &plan.limits);
            }
        }
        all
    }

    async fn counted(self, desk: &Desk) -> Result<Self, DeskError> {
        let query = FullestQuery {
            service: self.service.clone(),
            plan: self.plan.clone(),
            each: self.each,
            most: SHOWN,
        };
        Ok(Self {
            places: desk.fullest(query).await?,
            ..self
        })
    }
}

async fn count(desk: &Desk, catalog: &Catalog) -> Result<Vec<Fullest>, DeskError> {
    let mut counted = Vec::new();
    for limited in Fullest::all(catalog) {
        counted.push(limited.counted(desk).await?);
    }
    Ok(counted)
}

/// What the page has of them: nothing where no such limit is set, or nothing is remembered.
pub(super) async fn section(console: &Console, catalog: &Catalog) -> Result<Markup, Trouble> {
    let Some(desk) = &console.desk else {
        return Ok(html! {});
    };
    let counted = console.fullest.of(console.clock, count(desk, catalog));
    let counted = counted.await?.counts;
    Ok(html! {
        (part(console, &counted, Each::Organization))
        (part(console, &counted, Each::Space))
    })
}

fn part(console: &Console, counted: &[Fullest], each: Each) -> Markup {
    let (title, column, filter) = match each {
        Each::Organization => ("Fullest organizations", "Organization", "organization"),
        Each::Space => ("Fullest spaces", "Space", "space"),
    };
    let of_it: Vec<&Fullest> = counted.iter().filter(|full| full.each == each).collect();
    let has_any = of_it.iter().any(|full| !full.places.is_empty());
    let page = |full: &Fullest, place: &str| {
        let names = [
            ("plan", full.plan.as_ref().map(PlanId::as_str)),
            (filter, Some(place)),
        ];
        with_query(&console.at("/instances"), &names)
    };
    html! {
        @if !of_it.is_empty() {
            h2 { (title) }
            @if !has_any { (parts::nothing("There are no instances of what has a limit for each.")) }
            @else {
                (parts::table(title, &html! {
                    thead {
                        tr {
                            th scope="col" { (column) }
                            th scope="col" class="more" { "Service or plan" }
                            th scope="col" class="right" { "Instances" }
                        }
                    }
                    tbody {
                        @for full in &of_it {
                            @for (place, count) in &full.places {
                                tr {
                                    th scope="row" {
                                        (parts::id(place, &page(full, place)))
                                        span class="under less" { (full.name) }
                                    }
                                    td class="more" { (full.name) }
                                    td class="right" { (parts::fill(*count, Some(full.most))) }
                                }
                            }
                        }
                    }
                }))
            }
        }
    }
}
