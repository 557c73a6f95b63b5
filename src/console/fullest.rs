//! The organizations and spaces that are nearest to their limits.

use maud::{Markup, html};

use super::answer::Trouble;
use super::input::with_query;
use super::{Console, parts};
use crate::domain::catalog::Catalog;
use crate::domain::desk::{Desk, DeskError};
use crate::domain::fullest::{Each, FullestQuery};
use crate::domain::id::{PlanId, ServiceId};
use crate::domain::ledger::InstanceQuery;
use crate::domain::limits::Limits;

/// How many of each are shown.
const SHOWN: u32 = 3;

/// How many instances of a place are asked for its name.
const ASKED: u32 = 3;

/// What has a limit for each organization or space, and where it is nearest.
pub(super) struct Fullest {
    service: ServiceId,
    plan: Option<PlanId>,
    /// The offering, and the plan if it is one's.
    name: String,
    each: Each,
    most: u64,
    /// The fullest first.
    places: Vec<Place>,
}

/// An organization, or a space.
struct Place {
    guid: String,
    /// What its platform calls it, where one of its instances has said.
    name: Option<String>,
    count: u64,
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
        let mut places = Vec::new();
        for (guid, count) in desk.fullest(query).await? {
            places.push(Place {
                name: self.name_of(desk, &guid).await?,
                guid,
                count,
            });
        }
        Ok(Self { places, ..self })
    }

    /// What its platform calls a place, as one of the instances there has it: the one that was changed last.
    async fn name_of(&self, desk: &Desk, guid: &str) -> Result<Option<String>, DeskError> {
        let of = |each| (self.each == each).then(|| guid.to_owned());
        let query = InstanceQuery {
            service: Some(self.service.clone()),
            plan: self.plan.clone(),
            organization: of(Each::Organization),
            space: of(Each::Space),
            most: ASKED,
            ..InstanceQuery::default()
        };
        let mut asked = desk.instances(query).await?.items;
        asked.sort_by_key(|listed| std::cmp::Reverse(listed.updated_at));
        for listed in asked {
            let names = desk.names(&listed.id).await?;
            let name = match self.each {
                Each::Organization => names.organization,
                Each::Space => names.space,
            };
            if name.is_some() {
                return Ok(name);
            }
        }
        Ok(None)
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
                            @for place in &full.places {
                                tr {
                                    th scope="row" {
                                        @let page = page(full, &place.guid);
                                        @match &place.name {
                                            Some(name) => { a class="strong" href=(page) { (name) } span class="under id" { (place.guid) } },
                                            None => (parts::id(&place.guid, &page)),
                                        }
                                        span class="under less" { (full.name) }
                                    }
                                    td class="more" { (full.name) }
                                    td class="right" { (parts::fill(place.count, Some(full.most))) }
                                }
                            }
                        }
                    }
                }))
            }
        }
    }
}
