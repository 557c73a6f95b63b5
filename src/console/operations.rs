//! Operations: the newest first, and one with what is known of its attempts.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::answer::Trouble;
use super::door::Signed;
use super::input::{Query, with_query};
use super::offering::forgetful;
use super::page::{Page, Section};
use super::{Console, audit, parts};
use crate::domain::desk::DeskError;
use crate::domain::id::{BindingId, OperationId};
use crate::domain::ledger::{Entry, OperationQuery};
use crate::domain::operation::State;
use crate::domain::recent::Line;
use crate::domain::time::Timestamp;

/// How many are on a page.
const PAGE: u32 = 50;

/// The list.
pub(super) async fn list(signed: Signed, query: Query) -> HttpResponse {
    let page = found(&signed, &query).await;
    signed.answer(Section::Operations, page)
}

/// One operation.
pub(super) async fn show(signed: Signed, query: Query) -> HttpResponse {
    let page = one(&signed, &query).await;
    signed.answer(Section::Operations, page)
}

async fn found(signed: &Signed, query: &Query) -> Result<Page, Trouble> {
    let console = &*signed.console;
    let Some(desk) = &console.desk else {
        return Ok(Page::new("Operations", Section::Operations, forgetful()));
    };
    let state = query.get("state").and_then(State::from_name);
    let asked = OperationQuery {
        state,
        after: query.exact("after").map(place).transpose()?,
        most: PAGE,
        ..OperationQuery::default()
    };
    let found = desk.operations(asked).await?;
    let page = |after: Option<&str>| {
        with_query(
            &console.at("/operations"),
            &[("state", state.map(State::name)), ("after", after)],
        )
    };
    let last = found.items.last().filter(|_| found.more);
    let next = last.map(|last| page(Some(&written(last))));
    let first = query.exact("after").map(|_| page(None));
    let choices = [
        None,
        Some(State::InProgress),
        Some(State::Failed),
        Some(State::Succeeded),
    ];
    let body = html! {
        nav class="choices" aria-label="State" {
            @for choice in choices {
                a href=(with_query(&console.at("/operations"), &[("state", choice.map(State::name))]))
                  aria-current=[(choice == state).then_some("true")] { (choice.map_or("all", State::name)) }
            }
        }
        @if found.items.is_empty() { (parts::nothing("There are none.")) }
        @else { (table(console, &found.items, true)) }
        (parts::pages(first.as_deref(), next.as_deref()))
    };
    Ok(Page::new("Operations", Section::Operations, body))
}

/// Where a list goes on, as a text: the moment, the operation, and the binding if it is about one.
fn written(entry: &Entry) -> String {
    let operation = &entry.operation;
    let binding = operation.subject.binding().map_or("", BindingId::as_str);
    format!("{} {} {binding}", operation.started_at.0, operation.id)
}

fn place(text: &str) -> Result<(Timestamp, OperationId, Option<BindingId>), Trouble> {
    let read = || {
        let (at, rest) = text.split_once(' ')?;
        let (id, binding) = rest.split_once(' ')?;
        Some((
            Timestamp(at.parse().ok()?),
            OperationId::parse(id).ok()?,
            BindingId::parse(binding).ok(),
        ))
    };
    read().ok_or_else(|| Trouble::Bad("This is no place in the list of operations.".to_owned()))
}

/// Operations in a table; `of_all`: of more than one instance.
pub(super) fn table(console: &Console, entries: &[Entry], of_all: bool) -> Markup {
    let now = (console.clock)();
    parts::table(
        "Operations",
        &html! {
            thead {
                tr {
                    th scope="col" { "Operation" }
                    th scope="col" { "State" }
                    @if of_all { th scope="col" { "Instance" } }
                    th scope="col" class="more" { "Binding" }
                    th scope="col" class="right more" { "Attempts" }
                    th scope="col" class="right" { "Began" }
                    th scope="col" class="right more" { "Took" }
                }
            }
            tbody {
                @for entry in entries {
                    @let operation = &entry.operation;
                    tr {
                        th scope="row" {
                            a class="strong" href=(parts::operation_page(console, &operation.id)) { (operation.kind.name()) }
                        }
                        td { (parts::state(operation.state)) }
                        @if of_all {
                            td { (parts::id(operation.subject.instance().as_str(), &parts::instance_page(console, operation.subject.instance()))) }
                        }
                        td class="more id" { (operation.subject.binding().map_or("", BindingId::as_str)) }
                        td class="right more" { (entry.attempt) }
                        td class="right nowrap" { (parts::ago(operation.started_at, now)) }
                        td class="right more nowrap" {
                            @match operation.finished_at {
                                Some(end) => (parts::took(operation.started_at, end)),
                                None => span class="muted" { (parts::took(operation.started_at, now)) " so far" },
                            }
                        }
                    }
                }
            }
        },
    )
}

/// The operation that a query names.
pub(super) async fn named(console: &Console, query: &Query) -> Result<Entry, Trouble> {
    let text = query.exact("id").unwrap_or_default();
    let id = OperationId::parse(text)
        .map_err(|why| Trouble::Bad(format!("The id of an operation {why}.")))?;
    match &console.desk {
        Some(desk) => Ok(desk.operation(&id).await?),
        None => Err(Trouble::Desk(DeskError::NoOperation(id))),
    }
}

async fn one(signed: &Signed, query: &Query) -> Result<Page, Trouble> {
    let console = &*signed.console;
    let entry = named(console, query).await?;
    let operation = &entry.operation;
    let done = match query.get("done") {
        Some("retried") => Some("Its next attempt begins now, and its tries are counted anew."),
        Some("ended") => Some("The binding is ended: this is its unbind."),
        Some("given-up") => Some("It is given up: its platform reads that it failed."),
        _ => None,
    };
    let body = html! {
        @if let Some(done) = done { (parts::done(done)) }
        div class="card" { (facts(console, &entry)) }
        @if signed.session.may_act() && operation.state == State::InProgress { (acts(console, &entry)) }
        h2 { "What happened" }
        (timeline(console, &entry))
    };
    let title = format!("{} {}", capital(operation.kind.name()), operation.state);
    let of_it = Some(("operation", operation.id.as_str()));
    let lines = audit::page_of(console, operation.subject.instance().as_str(), of_it);
    Ok(Page::new(title, Section::Operations, body).beside(html! {
        a class="button" href=(lines) { "Audit" }
        @if operation.state == State::InProgress {
            a class="button" href=(parts::operation_page(console, &operation.id)) { "Look again" }
        }
    }))
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// What operation it is.
pub(super) fn facts(console: &Console, entry: &Entry) -> Markup {
    let operation = &entry.operation;
    let instance = operation.subject.instance();
    html! {
        dl class="facts" {
            dt { "Id" } dd class="id" { (operation.id) }
            dt { "State" } dd { (parts::state(operation.state)) }
            dt { "Instance" } dd { (parts::id(instance.as_str(), &parts::instance_page(console, instance))) }
            @if let Some(binding) = operation.subject.binding() { dt { "Binding" } dd class="id" { (binding) } }
            @if let Some(backend) = &entry.backend { dt { "Backend" } dd { (backend) } }
            @if entry.backend.is_some() {
                dt { "Attempts" }
                dd { (entry.attempt) @if entry.tries != entry.attempt { span class="muted" { " (" (entry.tries) " of them count)" } } }
            }
            @if let Some(said) = &operation.report.description { dt { "Its user reads" } dd { (said) } }
        }
    }
}

fn acts(console: &Console, entry: &Entry) -> Markup {
    let page = |page: &str| {
        with_query(
            &console.at(page),
            &[("id", Some(entry.operation.id.as_str()))],
        )
    };
    html! {
        p class="acts" {
            @if entry.owner.is_none() { a class="button" href=(page("/operation/retry")) { "Retry now…" } }
            a class="button bad" href=(page("/operation/give-up")) { "Give up…" }
        }
    }
}

/// One thing that happened, or will.
struct Step {
    at: Timestamp,
    class: &'static str,
    what: Markup,
}

fn timeline(console: &Console, entry: &Entry) -> Markup {
    let now = (console.clock)();
    let lines = console.recent.of(&entry.operation.id);
    let has_lines = !lines.is_empty();
    let steps = steps(console, entry, lines, now);
    html! {
        ol class="timeline" {
            @for step in steps {
                li class=(step.class) {
                    div class="when" { (parts::at(step.at)) }
                    div class="what" { (step.what) }
                }
            }
        }
        @if !has_lines && entry.attempt > 0 {
            p class="hint" {
                "This broker has no lines of its attempts: it keeps those that it made itself, the latest since its start. \
                 The logs of all brokers have them, under the operation's id."
            }
        }
    }
}

fn steps(console: &Console, entry: &Entry, lines: Vec<Line>, now: Timestamp) -> Vec<Step> {
    let operation = &entry.operation;
    let mut steps = vec![Step {
        at: operation.started_at,
        class: "",
        what: html! {
            p { "Asked for, and recorded." }
            @if let Some(other) = &entry.waits_for {
                p { "It takes over from " (parts::id(other.as_str(), &parts::operation_page(console, other))) ", which may still act." }
            }
        },
    }];
    steps.extend(lines.into_iter().map(|line| Step {
        at: line.at,
        class: "line",
        what: html! { p class="said" { (line.text) } },
    }));
    if let Some(end) = operation.finished_at {
        steps.push(Step {
            at: end,
            class: if operation.state == State::Failed { "bad" } else { "good" },
            what: html! {
                p { (capital(operation.state.name())) ", " (parts::took(operation.started_at, end)) " after it was asked for." }
                @if let Some(said) = &operation.report.description { p class="muted" { (said) } }
            },
        });
    } else if let Some(due) = entry.due_at {
        steps.push(Step {
            at: due,
            class: "run",
            what: match &entry.owner {
                Some(owner) if due > now => html! {
                    p { "Attempt " (entry.attempt) " runs, in the process " span class="id" { (owner) } "." }
                    p class="muted" { "Until then its lease lasts, if it is not renewed." }
                },
                Some(owner) => html! {
                    p { "The lease of attempt " (entry.attempt) " ran out, in the process " span class="id" { (owner) } ": another one takes it up." }
                },
                None if due > now => html! { p { "Its next attempt, number " (entry.attempt + 1) ", is due " (parts::ago(due, now)) "." } },
                None => html! { p { "Its next attempt, number " (entry.attempt + 1) ", is due: it waits for its turn." } },
            },
        });
    }
    steps
}
