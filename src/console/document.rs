//! The catalog document: what there is to say of it, what came of the latest reload, and what that changed for platforms.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::answer::sentence;
use super::door::Signed;
use super::page::{Page, Section};
use super::reports::{Reload, Report, Said, Weight};
use super::{Console, parts};

/// The page.
pub(super) async fn show(signed: Signed) -> HttpResponse {
    let page = page(&signed.console);
    signed.answer(Section::Document, Ok(page))
}

fn page(console: &Console) -> Page {
    let report = console.reports.now();
    let body = html! {
        div class="card" { (facts(console, &report)) }
        @if let Some(reload) = report.reload.as_ref().filter(|reload| reload.refused.is_some()) { (refusal(reload)) }
        h2 { "Findings" }
        @if report.findings.is_empty() { (parts::nothing("There is nothing to say of the document that is served.")) }
        @else { (findings("Findings", &report.findings)) }
        h2 { "What the latest change changed for platforms" }
        (changes(&report))
    };
    Page::new("Document", Section::Document, body)
}

fn facts(console: &Console, report: &Report) -> Markup {
    let now = (console.clock)();
    html! {
        dl class="facts" {
            dt { "Served since" } dd { (parts::at(report.since)) " " span class="muted" { "(" (parts::ago(report.since, now)) ")" } }
            dt { "Latest reload" }
            dd {
                @match &report.reload {
                    None => span class="muted" { "none since the start" },
                    Some(reload) => {
                        @if reload.refused.is_some() { span class="state bad" { "refused" } } @else { span class="state good" { "taken" } }
                        " " (parts::at(reload.at)) " " span class="muted" { "(" (parts::ago(reload.at, now)) ")" }
                    },
                }
            }
        }
    }
}

fn refusal(reload: &Reload) -> Markup {
    html! {
        section class="card danger" aria-labelledby="refused" {
            h2 id="refused" { "The latest document was refused" }
            p { "The one before is served on." }
            @if let Some(why) = reload.refused.as_deref().filter(|why| !why.is_empty()) { pre { (why) } }
            @if !reload.findings.is_empty() { (findings("Findings of the document that was refused", &reload.findings)) }
        }
    }
}

fn findings(label: &str, findings: &[Said]) -> Markup {
    parts::table(
        label,
        &html! {
            thead { tr { th scope="col" { "Weight" } th scope="col" { "What" } th scope="col" class="more" { "Where" } } }
            tbody {
                @for said in findings {
                    tr {
                        td { span class={ "state " (class(said.weight)) } { (said.weight.name()) } }
                        td {
                            span class="strong" { (sentence(&said.message)) }
                            span class="under" { (sentence(&said.mend)) }
                            code class="under" { (said.rule) }
                        }
                        td class="more" {
                            @if !said.place.is_empty() { span class="id" { (said.place) } }
                            @if !said.path.is_empty() { span class="under id" { (said.path) } }
                        }
                    }
                }
            }
        },
    )
}

const fn class(weight: Weight) -> &'static str {
    match weight {
        Weight::Note => "note",
        Weight::Warning => "near",
        Weight::Error => "bad",
    }
}

fn changes(report: &Report) -> Markup {
    html! {
        @match report.changes.as_deref() {
            None => (parts::nothing("The catalog is the one that the broker started with.")),
            Some([]) => (parts::nothing("Nothing that platforms see: what changed is private.")),
            Some(changes) => ul class="changes" { @for change in changes { li { (change) } } },
        }
    }
}
