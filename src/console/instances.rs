//! Instances: found by any id, and one with its bindings and operations.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::answer::Trouble;
use super::door::Signed;
use super::input::{Query, with_query};
use super::offering::forgetful;
use super::page::{Page, Section};
use super::{Console, audit, bindings, operations, parts};
use crate::domain::catalog::Catalog;
use crate::domain::desk::{Desk, DeskError};
use crate::domain::id::{InstanceId, OperationId, PlanId};
use crate::domain::instance::Instance;
use crate::domain::ledger::{Entry, InstanceQuery, Listed, OperationQuery};
use crate::domain::names::Names;
use crate::domain::operation::State;
use crate::domain::store::StoreError;

/// How many are on a page.
const PAGE: u32 = 50;

/// How many bindings and operations of an instance are shown.
pub(super) const SHOWN: usize = 200;

/// The list.
pub(super) async fn list(signed: Signed, query: Query) -> HttpResponse {
    let page = found(&signed, &query).await;
    signed.answer(Section::Instances, page)
}

/// One instance.
pub(super) async fn show(signed: Signed, query: Query) -> HttpResponse {
    let page = one(&signed, &query).await;
    signed.answer(Section::Instances, page)
}

/// What is asked for.
struct Asked<'q> {
    any: Option<&'q str>,
    plan: Option<&'q str>,
    state: Option<&'q str>,
    organization: Option<&'q str>,
    space: Option<&'q str>,
    app: Option<&'q str>,
    after: Option<&'q str>,
}

impl<'q> Asked<'q> {
    fn of(query: &'q Query) -> Self {
        Self {
            any: query.get("q"),
            plan: query.get("plan"),
            state: query.get("state"),
            organization: query.exact("organization"),
            space: query.exact("space"),
            app: query.exact("app"),
            after: query.exact("after"),
        }
    }

    fn query(&self) -> Result<InstanceQuery, Trouble> {
        let plan = self.plan.map(PlanId::parse).transpose();
        let after = self.after.map(InstanceId::parse).transpose();
        let (Ok(plan), Ok(after)) = (plan, after) else {
            return Err(Trouble::Bad(
                "An id has a control character, which none has.".to_owned(),
            ));
        };
        Ok(InstanceQuery {
            plan,
            organization: self.organization.map(str::to_owned),
            space: self.space.map(str::to_owned),
            app: self.app.map(str::to_owned),
            any: self.any.map(str::to_owned),
            state: self.state.and_then(State::from_name),
            after,
            most: PAGE,
            ..InstanceQuery::default()
        })
    }

    /// The address of this list behind an instance.
    fn page(&self, console: &Console, after: Option<&str>) -> String {
        let names = [
            ("q", self.any),
            ("plan", self.plan),
            ("state", self.state),
            ("organization", self.organization),
            ("space", self.space),
            ("app", self.app),
            ("after", after),
        ];
        with_query(&console.at("/instances"), &names)
    }

    fn is_all(&self) -> bool {
        [
            self.any,
            self.plan,
            self.state,
            self.organization,
            self.space,
            self.app,
        ]
        .iter()
        .all(Option::is_none)
    }
}

async fn found(signed: &Signed, query: &Query) -> Result<Page, Trouble> {
    let console = &*signed.console;
    let Some(desk) = &console.desk else {
        return Ok(Page::new("Instances", Section::Instances, forgetful()));
    };
    let catalog = console.live.now();
    let asked = Asked::of(query);
    let found = desk.instances(asked.query()?).await?;
    let mut rows = Vec::with_capacity(found.items.len());
    for listed in found.items {
        let names = desk.names(&listed.id).await?;
        rows.push((listed, names));
    }
    let operation = match asked.any {
        Some(text) => operation_named(desk, text).await?,
        None => None,
    };
    let next = rows
        .last()
        .filter(|_| found.more)
        .map(|(last, _)| last.id.as_str());
    let next = next.map(|last| asked.page(console, Some(last)));
    let first = asked.after.map(|_| asked.page(console, None));
    let body = html! {
        @if query.get("done") == Some("forgotten") {
            (parts::done("The instance is forgotten. What its backend made of it is still in the world."))
        }
        (search(console, &catalog, &asked))
        @if let Some(entry) = &operation {
            p class="hint" {
                "This is the id of an operation: "
                (parts::id(entry.operation.id.as_str(), &parts::operation_page(console, &entry.operation.id)))
            }
        }
        @if rows.is_empty() {
            (parts::nothing(if asked.is_all() { "There are no instances yet." } else { "No instance is like that." }))
        } @else {
            (table(console, &catalog, &rows))
        }
        (parts::pages(first.as_deref(), next.as_deref()))
    };
    Ok(Page::new("Instances", Section::Instances, body))
}

/// The operation with that id, if the text is one.
async fn operation_named(desk: &Desk, text: &str) -> Result<Option<Entry>, Trouble> {
    let is_one = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(id) = OperationId::parse(text).ok().filter(|_| is_one) else {
        return Ok(None);
    };
    match desk.operation(&id).await {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.is_absence() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn search(console: &Console, catalog: &Catalog, asked: &Asked<'_>) -> Markup {
    html! {
        form class="search" method="get" action=(console.at("/instances")) role="search" {
            div class="field wide" {
                label for="q" { "Instance, binding, organization, space, app or operation" }
                input id="q" name="q" type="search" value=[asked.any] placeholder="An id, or how an instance's begins"
                    autocomplete="off" autocapitalize="none" spellcheck="false";
            }
            div class="field" {
                label for="plan" { "Plan" }
                select id="plan" name="plan" {
                    option value="" { "all" }
                    @for offering in catalog.offerings() {
                        optgroup label=(offering.name) {
                            @for plan in &offering.plans {
                                option value=(plan.id) selected[asked.plan == Some(plan.id.as_str())] { (plan.name) }
                            }
                        }
                    }
                }
            }
            div class="field" {
                label for="state" { "State" }
                select id="state" name="state" {
                    option value="" { "all" }
                    @for state in [State::Succeeded, State::InProgress, State::Failed] {
                        option value=(state.name()) selected[asked.state == Some(state.name())] { (state.name()) }
                    }
                }
            }
            button type="submit" { "Search" }
        }
        @let others = [("Organization", asked.organization), ("Space", asked.space), ("Application", asked.app)];
        @if others.iter().any(|(_, value)| value.is_some()) {
            p class="hint" {
                @for (name, value) in others {
                    @if let Some(value) = value { (name) " " span class="id" { (value) } ". " }
                }
                a href=(console.at("/instances")) { "Show all" }
            }
        }
    }
}

fn table(console: &Console, catalog: &Catalog, rows: &[(Listed, Names)]) -> Markup {
    let now = (console.clock)();
    parts::table(
        "Instances",
        &html! {
            thead {
                tr {
                    th scope="col" { "Instance" }
                    th scope="col" class="more" { "Plan" }
                    th scope="col" class="more" { "Organization, space" }
                    th scope="col" { "Latest operation" }
                    th scope="col" class="right more" { "Bindings" }
                    th scope="col" class="right more" { "Changed" }
                }
            }
            tbody {
                @for (listed, names) in rows {
                    tr {
                        th scope="row" {
                            @if let Some(name) = &names.instance {
                                a class="strong" href=(parts::instance_page(console, &listed.id)) { (name) }
                                span class="under id" { (listed.id) }
                            } @else { (parts::id(listed.id.as_str(), &parts::instance_page(console, &listed.id))) }
                            span class="under less" { (parts::plan_name(catalog, &listed.service_id, &listed.plan_id)) }
                        }
                        td class="more" { (parts::plan(console, catalog, &listed.service_id, &listed.plan_id)) }
                        td class="more" { (place(console, &listed.organization, &listed.space, names)) }
                        td { (parts::standing(&listed.last_operation)) }
                        td class="right more" { (parts::grouped(listed.bindings)) }
                        td class="right more nowrap" { (parts::ago(listed.updated_at, now)) }
                    }
                }
            }
        },
    )
}

/// Organization and space: by name where there is one, and a way to all that is there.
fn place(console: &Console, organization: &str, space: &str, names: &Names) -> Markup {
    let all = |name, value: &str| with_query(&console.at("/instances"), &[(name, Some(value))]);
    let shown = |guid: &str, name: Option<&String>, page: String| {
        html! {
            @if let Some(name) = name { a href=(page) title=(guid) { (name) } }
            @else { a class="id" href=(page) { (guid) } }
        }
    };
    html! {
        @if !organization.is_empty() { (shown(organization, names.organization.as_ref(), all("organization", organization))) }
        @if !organization.is_empty() && !space.is_empty() { span class="muted" { " / " } }
        @if !space.is_empty() { (shown(space, names.space.as_ref(), all("space", space))) }
        @if organization.is_empty() && space.is_empty() { span class="muted" { "not known" } }
    }
}

/// The ids of what is called by its name: whoever asks the platform needs them.
fn guids(instance: &Instance, names: &Names) -> Markup {
    let both = [
        (&instance.organization, &names.organization),
        (&instance.space, &names.space),
    ];
    let called = both
        .into_iter()
        .filter(|(guid, name)| !guid.is_empty() && name.is_some());
    html! { @for (guid, _) in called { span class="under id" { (guid) } } }
}

async fn one(signed: &Signed, query: &Query) -> Result<Page, Trouble> {
    let console = &*signed.console;
    let id = named(query)?;
    let desk = console.desk.as_ref().ok_or_else(|| nowhere(&id))?;
    let (instance, bindings) = desk.instance(&id).await?;
    let operations = OperationQuery {
        instance: Some(id.clone()),
        most: u32::try_from(SHOWN).unwrap_or(u32::MAX),
        ..OperationQuery::default()
    };
    let operations = desk.operations(operations).await?;
    let names = Names::of(&instance);
    let forget = with_query(
        &console.at("/instance/forget"),
        &[("id", Some(id.as_str()))],
    );
    let body = html! {
        div class="card" { (facts(console, &instance, &names)) }
        h2 { "Bindings " span class="muted" { (bindings::fill(console, &instance, bindings.len() as u64)) } }
        @if bindings.is_empty() { (parts::nothing("It has none.")) }
        @else { (bindings::table(signed, &bindings)) }
        h2 { "Operations" }
        @if operations.items.is_empty() { (parts::nothing("None are remembered.")) }
        @else { (operations::table(console, &operations.items, false)) }
        @if operations.more { p class="hint" { "There are more, older ones." } }
        @if signed.session.may_act() {
            section class="card danger" aria-labelledby="acts" {
                h2 id="acts" { "Forget it" }
                p { "For an instance that is gone from the world: it goes from the store with its bindings, and no backend acts." }
                p { a class="button bad" href=(forget) { "Forget this instance…" } }
            }
        }
    };
    let title = names.instance.unwrap_or_else(|| "Instance".to_owned());
    Ok(Page::new(title, Section::Instances, body).beside(html! {
        (parts::standing(&instance.last_operation))
        a class="button" href=(audit::page_of(console, id.as_str(), None)) { "Audit" }
    }))
}

/// The id that a query names.
pub(super) fn named(query: &Query) -> Result<InstanceId, Trouble> {
    let text = query.exact("id").unwrap_or_default();
    InstanceId::parse(text).map_err(|why| Trouble::Bad(format!("The id of an instance {why}.")))
}

/// Nothing is remembered, so there is none.
pub(super) fn nowhere(id: &InstanceId) -> Trouble {
    Trouble::Desk(DeskError::NoInstance(id.clone()))
}

fn facts(console: &Console, instance: &Instance, names: &Names) -> Markup {
    let catalog = console.live.now();
    let now = (console.clock)();
    html! {
        dl class="facts" {
            dt { "Id" } dd class="id" { (instance.id) }
            dt { "Plan" } dd { (parts::plan(console, &catalog, &instance.service_id, &instance.plan_id)) }
            dt { "Organization, space" } dd { (place(console, &instance.organization, &instance.space, names)) (guids(instance, names)) }
            @if let Some(platform) = &names.platform { dt { "Platform" } dd { (platform) } }
            @if let Some(namespace) = &names.namespace {
                dt { "Namespace" } dd { (namespace) @if let Some(cluster) = &names.cluster { " in " span class="id" { (cluster) } } }
            }
            dt { "Latest operation" }
            dd { a href=(parts::operation_page(console, &instance.last_operation.id)) { (parts::standing(&instance.last_operation)) } }
            @if let Some(backend) = &instance.backend { dt { "Made by" } dd { (backend) } }
            dt { "Provisioned" } dd { (parts::at(instance.created_at)) " " span class="muted" { "(" (parts::ago(instance.created_at, now)) ")" } }
            dt { "Changed" } dd { (parts::at(instance.updated_at)) " " span class="muted" { "(" (parts::ago(instance.updated_at, now)) ")" } }
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Desk(error.into())
    }
}
